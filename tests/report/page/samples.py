"""A small result of every kind that a page is made of, as the commands write them."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from optcodec.accuracy.statistics import summarize
from optcodec.rates import MEASURES, Curve, Experiment, Part, PeerSender, Rate, Row, judge_by, result_of
from tests.cli_helpers import photograph, run_json, save
from tests.synthetic_rows import synthetic_rows

__all__ = ["KINDS", "accuracy", "demo", "evaluate", "rates", "written"]

RATES = (0.5, 1.0, 2.0)


def written(path: Path, record: object) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(record))
    return path


@cache
def _rates(senders: tuple[str, ...], receivers: tuple[str, ...]) -> str:
    rng, rows = np.random.default_rng(4), []
    for image in "0123":
        for step, sender in enumerate(senders):
            for other, receiver in enumerate(receivers):
                for bpp in RATES:
                    psnr = 28 + 4 * np.log2(bpp) + step + 1.5 * other + rng.normal(0, 0.1)
                    measures = {"psnr": psnr, "ssim": psnr / 50}
                    curve = Curve(sender, receiver, 0.0)
                    rows.append(Row("a", f"{image}.png", curve, Rate("bpp", bpp), round(5000 * bpp), bpp, measures))
    sources = tuple(PeerSender(name, lambda *_: b"") for name in senders)
    run = Experiment(sources, tuple(Rate("bpp", bpp) for bpp in RATES), judge_by({}))
    measures = {name: MEASURES[name] for name in ("psnr", "ssim")}
    return json.dumps(result_of(run, Part(tuple(rows), ()), measures, anchor=senders[0], plain=receivers[0]))


def rates(
    senders: tuple[str, ...] = ("jpeg", "mozjpeg", "optcodec:tune=psnr"), receivers: tuple[str, ...] = ("jpeg",)
) -> dict[str, Any]:
    """A result in which each sender is 1 dB better than the one before, and each receiver 1.5 dB."""
    record: dict[str, Any] = json.loads(_rates(senders, receivers))
    about = {"command": "optcodec rates a -o rates.json", "versions": {"optcodec": "1.2.3"}}
    return about | record


@cache
def _accuracy() -> str:
    rows = synthetic_rows({"jpeg": 1, "optd": 0.95, "opts": 0.8}, images=60, settings=("1", "bytes"))
    return json.dumps(summarize(rows))


def accuracy() -> dict[str, Any]:
    """A result in which OptS has the losses of JPEG in 80 % of the bytes, and OptD in 95 %."""
    return {"model": "a network", "subsampling": "4:4:4", "data": "photographs", **json.loads(_accuracy())}


def evaluate() -> dict[str, Any]:
    """A result in which the receivers add 0, 1 and 2 dB."""
    rows = [
        {"set": "Set5", "image": f"{image}.png", "quality": quality, "sigma": 0.0, "receiver": receiver}
        | {"bpp": quality / 30, "psnr": 26 + quality / 10 + gain + image / 10, "lpips": 0.3 - quality / 200}
        for image in range(3)
        for quality in (10, 20, 40)
        for gain, receiver in enumerate(("jpeg", "smooth", "default"))
    ]
    return {
        "command": "restore evaluate Set5",
        "versions": {"optcodec": "1.2.3"},
        "protocol": "luminance",
        "encoder": "pillow",
        "subsampling": "4:2:0",
        "seed": 0,
        "against": None,
        "measures": ["psnr", "lpips"],
        "sets": {"Set5": {"images": 3, "complete": 5}},
        "means": [],
        "rows": rows,
    }


def verify() -> dict[str, Any]:
    """What ``optcodec verify --json`` prints."""

    def figure(value: float) -> dict[str, float]:
        return {"value": value, "low": value - 1, "high": value + 1}

    names = ("saved_percent", "agreement_percent", "loss_increase", "kl")
    figures: dict[str, Any] = {name: figure(number) for number, name in enumerate(names, 40)}
    figures |= dict.fromkeys(("top1_percent_before", "top1_percent_after", "top1_change_points"))
    file = {"name": "0.png", "loss_increase": 0.5, "kl": 0.1, "nbytes_before": 900, "nbytes_after": 500}
    return {
        "network": "a network",
        "before": "in",
        "after": "out",
        "labels": "self",
        "figures": figures | {"images": 1, "nbytes_before": 900, "nbytes_after": 500, "worst": ["0.png"]},
        "limits": [{"name": "max_loss", "limit": 0.1, "reached": 0.5, "kept": False}],
        "files": [file],
        "failures": [],
    }


def demo(folder: Path) -> dict[str, Any]:
    """A demo of two photographs with the given sizes; the files of the first one are in the folder."""
    photographs = []
    for name, sizes in {"coffee": (1000, 900, 800), "astronaut": (2000, 1900, 1500)}.items():
        methods = [
            {"method": method, "nbytes": nbytes, "change_percent": 100 * (nbytes / sizes[0] - 1)}
            | {"bpp": 1.0, "psnr_db": 30.0, "swe": 5.0}
            for method, nbytes in zip(("jpeg", "optd", "rdopt"), sizes, strict=True)
        ]
        photographs.append({"photograph": name, "methods": methods})
    means = {"jpeg": 0.0, "optd": -7.5, "rdopt": -22.5}
    record = {"profile": "mobilenet_v2", "quality": 75, "subsampling": "4:4:4"}
    document = record | {"photographs": photographs, "mean_change_percent": means}
    from skimage import data

    original = data.coffee()
    for quality, method in ((75, "jpeg"), (70, "optd"), (65, "rdopt")):
        save(folder / f"coffee-{method}.jpg", original, quality=quality)
        written(folder / f"coffee-{method}.json", [[quality] * 64])
    written(folder / "demo.json", document)
    return document


def pictures(folder: Path) -> tuple[Path, Path]:
    """An original of 70 x 90 pixels, and a JPEG file of it."""
    original = save(folder / "in/photo.png", photograph(70, 90))
    return original, save(folder / "out/photo.jpg", photograph(70, 90), quality=30)


def encoded(folder: Path) -> Path:
    """What ``optcodec encode --json`` prints, and a manifest beside it."""
    original, _ = pictures(folder)
    Image.open(original).rotate(180).save(folder / "in/second.png")
    options = ("-o", folder / "coded", "-q", 60, "--shared-tables", "--manifest", folder / "job.jsonl")
    return written(folder / "encode.json", run_json("encode", folder / "in", *options))


def folder_of(folder: Path) -> Path:
    """What ``optcodec encode --json`` prints of a folder of four pictures, which are larger than a preview."""
    for number in range(4):
        save(folder / f"in/{number}.png", photograph(220 + number, 260))
    return written(folder / "folder.json", run_json("encode", folder / "in", "-o", folder / "coded", "-q", 60))


def compared(folder: Path, *options: str) -> Path:
    """What ``optcodec compare --json`` prints."""
    original, coded = pictures(folder)
    better = save(folder / "out/better.jpg", photograph(70, 90), quality=90)
    return written(folder / "compare.json", run_json("compare", original, coded, better, *options))


def block_maps(folder: Path) -> Path:
    """What ``optcodec blocks show --json`` prints."""
    original, _ = pictures(folder)
    options = ("-o", folder / "maps.png", "--blocks", "qpnet:sr4", "--tune", "psnr", "--bpp", 1)
    return written(folder / "maps.json", run_json("blocks", "show", original, *options))


def _demo_file(folder: Path) -> Path:
    demo(folder)
    return folder / "demo.json"


# Name of the kind: makes a file of it in a folder.
KINDS = {
    "rates": lambda folder: written(folder / "rates.json", rates()),
    "pipeline": lambda folder: written(folder / "pipeline.json", rates(("jpeg", "optcodec"), ("jpeg", "default"))),
    "accuracy": lambda folder: written(folder / "accuracy.json", accuracy()),
    "evaluate": lambda folder: written(folder / "evaluate.json", evaluate()),
    "verify": lambda folder: written(folder / "verify.json", verify()),
    "demo": _demo_file,
    "encode": encoded,
    "compare": compared,
    "maps": block_maps,
}
