"""How good is each encoder with a receiver behind it, at equal bytes of each photograph?

Files of default JPEG (libjpeg-turbo with optimized Huffman tables), mozjpeg with flat tables, jpegli, RD-OPT tables
for the networks of the profile `generic`, and the trellis for PSNR, for SSIM, for people and for a receiver, with and
without a hint in the file, at five rates, 4:2:0; as they are decoded, and as `default` restores them. By PSNR, PSNR-B,
SSIM, MS-SSIM, SSIMULACRA2 and LPIPS (of SqueezeNet): means over the Kodak photographs with odd numbers and over
McMaster, and the mean over the photographs of the difference in bytes at an equal measure (BD-rate) to default JPEG
without a receiver, and to default JPEG with the same one. All files are baseline files. With ``--on pages`` the
pictures are pages, screenshots and drawings instead; with ``--on progressive`` all encoders but the anchor write
progressive files, ours where these are smaller; ``--on loop`` compares the trellis that has the receiver in its loop,
which takes minutes a file, with some of the others, on the Kodak photographs. With ``--again`` only the files of these
senders are measured, for instance after one of our encoders has changed; the rows of all others stay as they are in the
result.

    OPTCODEC_DATA=DATA python -m benchmarks.receiver.pipeline [--on pages|progressive|loop] [--images N]
    OPTCODEC_DATA=DATA python -m benchmarks.receiver.pipeline --again "trellis people"

Writes ``results/receiver_pipeline.json`` (``receiver_pipeline_pages.json`` and so on), which ``optcodec plot`` draws,
and prints a table of it. An interrupted run continues.
"""

from __future__ import annotations

import os
import tempfile
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import click
from PIL import Image

from benchmarks import record
from benchmarks.rates.pages import pages
from benchmarks.receiver.pair import at_rates
from optcodec.console.progress import progress_bar
from optcodec.experiments.partial import remove_partial
from optcodec.peers.encoders import encode_jpegli, encode_mozjpeg, encode_turbo
from optcodec.rates import Experiment, Failed, Judge, Original, Part, Rate, Row, judge_by, measure_rates, result_of
from restore.cli.pipeline import sender_from
from restore.evaluation.measures import MEASURES, load_measures
from restore.evaluation.pipeline import readers_of
from restore.evaluation.receivers import make_receiver
from restore.evaluation.testsets import find_set

SETS = ("Kodak", "McMaster")
SENDERS = {  # label in the result: sender
    "default JPEG": "pillow",
    "default JPEG + hint": "hint:pillow",
    "mozjpeg flat": "mozjpeg-flat",
    "jpegli": "jpegli",
    "RD-OPT generic": "optcodec:profile=generic",
    "trellis psnr": "optcodec:tune=psnr",
    "trellis ssim": "optcodec:tune=ssim",
    "trellis people": "optcodec:tune=people",
    "trellis receiver deblock": "optcodec:tune=receiver:deblock",
    "trellis receiver deblock + hint": "hint:optcodec:tune=receiver:deblock",
    "trellis receiver deblock-ssim": "optcodec:tune=receiver:deblock-ssim",
    "trellis receiver deblock-ssimulacra2": "optcodec:tune=receiver:deblock-ssimulacra2",
}
PROGRESSIVE = {
    "default JPEG": "pillow",
    "progressive default JPEG": "benchmarks.receiver.pipeline:turbo_progressive",
    "mozjpeg flat": "benchmarks.receiver.pipeline:mozjpeg_progressive",
    "jpegli": "benchmarks.receiver.pipeline:jpegli_progressive",
    "trellis psnr": "optcodec:tune=psnr,smaller",
    "trellis ssim": "optcodec:tune=ssim,smaller",
    "trellis people": "optcodec:tune=people,smaller",
    "trellis receiver deblock": "optcodec:tune=receiver:deblock,smaller",
    "trellis receiver deblock + hint": "hint:optcodec:tune=receiver:deblock,smaller",
}
LOOP = {
    "default JPEG": "pillow",
    "trellis psnr": "optcodec:tune=psnr",
    "trellis receiver deblock": "optcodec:tune=receiver:deblock",
    "receiver deblock in the loop": "optcodec:tune=receiver:deblock,effort=4",
    "receiver deblock in the loop + hint": "optcodec:tune=receiver:deblock,reader=deblock-hint",
}
RUNS = {  # senders, and sets of pictures
    "photographs": (SENDERS, SETS),
    "pages": (SENDERS, ("pages",)),
    "progressive": (PROGRESSIVE, SETS),
    "loop": (LOOP, SETS[:1]),
}
turbo_progressive = partial(encode_turbo, progressive=True)
mozjpeg_progressive = partial(encode_mozjpeg, table=1, progressive=True)
jpegli_progressive = partial(encode_jpegli, progressive=True)
ANCHOR, PLAIN, RECEIVERS = "default JPEG", "jpeg", ("jpeg", "default")
BPP = (0.25, 0.4, 0.6, 0.9, 1.2)
NAMES = ("psnr", "psnr_y", "psnr_b", "ssim", "ms_ssim", "ssimulacra2", "lpips_squeeze")
SUBSAMPLING = "4:2:0"
RESULT = "receiver_pipeline"
ENCODERS = ("pillow", "pyvips", "ajpegli")
PACKAGES = ("numpy", *ENCODERS, "onnxruntime", "scikit-image", "ssimulacra2", "torch", "torchmetrics", "bjontegaard")


def drawn(folder: Path, count: int | None) -> list[Original]:
    """Pages, screenshots and drawings, written to a folder."""
    pictures = []
    for name, pixels in list(pages().items())[:count]:
        path = folder / f"{name}.png"
        Image.fromarray(pixels).save(path)
        pictures.append(Original("pages", path.name, path))
    return pictures


def originals(sets: tuple[str, ...], count: int | None) -> list[Original]:
    """The photographs; of Kodak those with odd numbers, for the others took part in the development."""
    data = Path(os.environ["OPTCODEC_DATA"])
    pictures = []
    for name in sets:
        paths = [path for path in find_set(name, data).paths if name != "Kodak" or int(path.stem[-2:]) % 2]
        pictures += [Original(name, path.name, path) for path in paths[:count]]
    return pictures


def experiment(judge: Judge, named: dict[str, str]) -> Experiment:
    """All conditions, with some measures."""
    senders = tuple(sender_from(f"{label}={sender}", SUBSAMPLING) for label, sender in named.items())
    readers, _ = readers_of([make_receiver(name, colour=True, threads=1) for name in RECEIVERS], [0.0])
    rates = tuple(Rate("bpp", value) for value in BPP)
    return Experiment(senders, rates, judge, readers, subsampling=SUBSAMPLING)


def measured(run: Experiment, pictures: list[Original], unfinished: Path, workers: int) -> Part:
    """Rows of all pictures."""
    receivers = [reader.receiver for reader in run.readers]
    about = {"senders": [sender.name for sender in run.senders], "receivers": receivers, "measures": NAMES}
    with progress_bar(len(pictures), "pipeline") as progress:
        return measure_rates(run, pictures, partial=unfinished, about=about, workers=workers, progress=progress)


def rounded(value: Any) -> Any:
    """A JSON value whose numbers have five decimal places, which all measures can do without."""
    if isinstance(value, dict):
        return {name: rounded(held) for name, held in value.items()}
    if isinstance(value, list):
        return [rounded(held) for held in value]
    return round(value, 5) if isinstance(value, float) else value


@click.command()
@click.option("--on", type=click.Choice(list(RUNS)), default="photographs", show_default=True)
@click.option("--images", type=int, help="Number of pictures of each set.  [default: all]")
@click.option("--again", multiple=True, metavar="SENDER", help="Only the files of these senders.")
@click.option("--workers", default=2, show_default=True)
def main(on: str, images: int | None, again: tuple[str, ...], workers: int) -> None:
    """Measure all pairs of sender and receiver."""
    result = RESULT if on == "photographs" else f"{RESULT}_{on}"
    unfinished = record.RESULTS / f"{result}.partial"
    named, sets = RUNS[on]
    if unknown := set(again) - set(named):
        raise click.UsageError(f"there are the senders {', '.join(named)}; got {', '.join(unknown)}")
    whole = experiment(judge_by(load_measures(NAMES)), named)
    run = replace(whole, senders=tuple(sender for sender in whole.senders if not again or sender.name in again))
    with tempfile.TemporaryDirectory() as folder:
        pictures = drawn(Path(folder), images) if on == "pages" else originals(sets, images)
        part = measured(run, pictures, unfinished, workers)
        if again:
            part = joined(earlier(result, pictures, again), part)
    measures = {name: MEASURES[name] for name in NAMES}
    document = result_of(whole, part, measures, anchor=ANCHOR, plain=PLAIN)
    print(record.write_result(result, rounded(document), packages=PACKAGES, renewed=bool(again)))
    remove_partial(unfinished)
    print(at_rates(document))
    for failed in document["failures"]:
        print(failed)


def earlier(result: str, pictures: list[Original], again: tuple[str, ...]) -> Part:
    """What the result has of other senders than these; it must be of the same pictures."""
    document = record.load_result(result)
    rows = [Row.from_json(row) for row in document["rows"]]
    failures = [Failed.from_json(failed) for failed in document["failures"]]
    held = {(row.set, row.image) for row in rows} | {(failed.set, failed.image) for failed in failures}
    expected = {(picture.set, picture.name) for picture in pictures}
    if held != expected:
        raise click.UsageError(f"the result has {len(held)} pictures, which are not the {len(expected)} asked for")
    return Part(
        tuple(row for row in rows if row.curve.sender not in again),
        tuple(failed for failed in failures if failed.sender not in again),
    )


def joined(first: Part, second: Part) -> Part:
    """Both parts."""
    return Part(first.rows + second.rows, first.failures + second.failures)


if __name__ == "__main__":
    main()
