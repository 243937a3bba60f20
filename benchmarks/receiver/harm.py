"""Does a receiver ever make a file worse, whatever encoder it comes from, and how much does it gain?

Files of all encoders that the receivers were trained on, at qualities of 5 to 100, with chroma subsampling 4:2:0 and
4:4:4, of photographs that took no part in any training, some of them out of focus, of comic and screenshot pictures,
and of drawings; besides them files that were saved twice, on the same grid of blocks, with and without the search for
the earlier coding. For each coding: PSNR of RGB of the decoded and of the restored image, in dB, the mean gain with
its 95 % interval over the images, and the least gain. A file that loses more than 0.02 dB is listed by name, and so is
every file of quality 95 or more that loses at all. Files of pictures that show that they were decoded from JPEG files
themselves, as some that are used as originals were, are listed apart: what counts as a loss there are the errors of
that earlier coding.

    OPTCODEC_DATA=DATA python -m benchmarks.receiver.harm [--model NAME ...] [--images N]
    OPTCODEC_DATA=DATA python -m benchmarks.receiver.harm --again receiver

With ``--again`` only the files of these senders are measured, for instance after one of our encoders has changed; all
else stays as it is in the result. Writes ``results/receiver_harm.json``.
"""

from __future__ import annotations

import io
import os
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from benchmarks.record import ROOT, load_result, write_result
from optcodec.console.progress import tracked
from optcodec.shared import percentile_interval
from restore import Model, load_model
from restore.channel.drawings import drawing
from restore.channel.senders import SENDERS
from restore.channel.variants import smooth
from restore.runtime.decode import receive
from restore.runtime.earlier import find_earlier_coding
from restore.runtime.image import decode_image
from restore.runtime.infer import restored_image
from restore.runtime.settings import Settings, earlier_finder

Pixels = npt.NDArray[np.uint8]

SIDE = 320  # pixels: the middle of each picture
QUALITIES = (5, 10, 20, 30, 40, 50, 60, 70, 80, 85, 90, 92, 95, 98, 100)
SAMPLINGS = ("4:2:0", "4:4:4")
TWICE = ((15, 75), (15, 90), (40, 85), (40, 95), (75, 95), (90, 60))  # qualities of the first and the second coding
NO_HARM, FINE = 0.02, 95  # dB that a file may lose, and the quality from which on it may lose nothing
EQUAL = 100.0  # dB that an image counts as which equals the original
FIRST_DRAWING, DRAWINGS = 100_000, 4  # numbers of drawings that took no part in the training
SMOOTH = 6  # photographs that are also coded out of focus
DRAWS = 2000  # of the bootstrap
PACKAGES = ("numpy", "onnxruntime", "pillow", "ajpegli", "pyvips")


@dataclass(frozen=True)
class Coding:
    """How a file is made: the encoder, its quality and chroma subsampling, and the quality of an earlier coding."""

    sender: str
    quality: int
    subsampling: str
    earlier: int | None = None
    search: bool = False  # whether the receiver searches for the earlier coding

    @property
    def name(self) -> str:
        """Name of the group of files in the result."""
        before = "" if self.earlier is None else f"q{self.earlier} saved again, "
        return f"{before}{self.sender}, {self.subsampling}{', earlier coding searched' if self.search else ''}"

    def file(self, pixels: Pixels) -> bytes:
        """The file of an image."""
        rng = np.random.default_rng(0)
        if self.earlier is not None:
            first = SENDERS[self.sender](pixels, self.subsampling, self.earlier, rng)
            pixels = np.asarray(Image.open(io.BytesIO(first)).convert("RGB"))
        return SENDERS[self.sender](pixels, self.subsampling, self.quality, rng)


def codings(senders: tuple[str, ...] = ()) -> list[Coding]:
    """Codings of some senders, or all. Files for networks and receivers are coded at 4:2:0, whatever is asked for."""
    once = [
        Coding(sender, quality, subsampling)
        for sender in SENDERS
        for subsampling in (SAMPLINGS if sender not in ("dnn", "receiver") else SAMPLINGS[:1])
        for quality in QUALITIES
    ]
    twice = [Coding("pillow", last, "4:2:0", first, search) for first, last in TWICE for search in (False, True)]
    return [coding for coding in (*once, *twice) if not senders or coding.sender in senders]


def pictures(count: int | None) -> Iterator[tuple[str, Pixels]]:
    """Names and pixels: photographs, comic and screenshot pictures, photographs out of focus, and drawings."""
    data = Path(os.environ["OPTCODEC_DATA"])
    paths = [path for folder in ("Kodak", "McMaster") for path in sorted((data / folder).glob("*.png"))[:8]]
    paths += [data / "Set14" / f"{name}.png" for name in ("comic", "ppt3")]
    paths += [ROOT / "docs" / f"{name}.png" for name in ("rate_accuracy", "blocks")]
    for path in paths[:count]:
        yield path.stem, opened(path)
    for number, path in enumerate(paths[:count][:SMOOTH]):
        yield f"{path.stem}, out of focus", smooth(opened(path), np.random.default_rng(number))
    for number in range(DRAWINGS if count is None else min(1, DRAWINGS)):
        yield f"drawing {number}", middle(drawing(FIRST_DRAWING + number))


def opened(path: Path) -> Pixels:
    """The middle of a picture."""
    return middle(np.asarray(Image.open(path).convert("RGB")))


def middle(pixels: Pixels) -> Pixels:
    """The middle of pixels."""
    top, left = (max(0, extent - SIDE) // 2 for extent in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])


def was_coded(pixels: Pixels) -> bool:
    """Whether a picture shows that it was decoded from a JPEG file, whose errors are no part of what it should be."""
    return find_earlier_coding(receive(SENDERS["pillow"](pixels, "4:4:4", 98, np.random.default_rng(0)))) is not None


@cache
def _model(name: str) -> Model:
    return load_model(name, threads=1)


def measure(task: tuple[str, Pixels, tuple[str, ...], tuple[str, ...]]) -> list[dict[str, Any]]:
    """Rows of the files of a picture by some senders: PSNR of RGB as decoded, and as restored by each model."""
    name, pixels, models, senders = task
    rows, coded = [], was_coded(pixels)
    for coding in codings(senders):
        received = receive(coding.file(pixels))
        settings = Settings(earlier=earlier_finder("auto" if coding.search else None)(received))
        row: dict[str, Any] = {"coding": coding.name, "quality": coding.quality, "image": name, "was_coded": coded}
        row["decoded"] = optcodec.psnr_db(pixels, decode_image(received))
        for model in models:
            row[model] = optcodec.psnr_db(pixels, restored_image(received, _model(model), settings))
        rows.append(row)
    return rows


def summary(rows: list[dict[str, Any]], model: str) -> dict[str, Any]:
    """Gains of a model by coding and quality, and the files that lose."""
    groups: dict[str, dict[str, Any]] = {}
    for coding, quality in dict.fromkeys((row["coding"], row["quality"]) for row in rows):
        gains = np.array([_gain(row, model) for row in rows if (row["coding"], row["quality"]) == (coding, quality)])
        groups.setdefault(coding, {})[str(quality)] = {
            "mean": round(float(gains.mean()), 3),
            "interval": np.round(percentile_interval(gains, resamples=DRAWS), 3).tolist(),
            "least": round(float(gains.min()), 3),
        }
    losers: dict[bool, list[dict[str, Any]]] = {False: [], True: []}
    for row in rows:
        if (gain := _gain(row, model)) < (-NO_HARM if row["quality"] < FINE else 0):
            file = {name: row[name] for name in ("coding", "quality", "image")}
            losers[row["was_coded"]].append(file | {"gain": round(gain, 3)})
    return {
        "files": sum(not row["was_coded"] for row in rows), "harmed": losers[False],
        "files_of_coded_pictures": sum(row["was_coded"] for row in rows), "harmed_of_coded_pictures": losers[True],
        "gains": groups,
    }  # fmt: skip


def renewed(earlier: dict[str, Any], now: dict[str, Any]) -> dict[str, Any]:
    """An earlier summary of the same pictures, with the codings of a later one in place of its own."""
    codings_now = now["gains"]
    harmed = {
        key: [*(file for file in earlier[key] if file["coding"] not in codings_now), *now[key]]
        for key in ("harmed", "harmed_of_coded_pictures")
    }
    return earlier | harmed | {"gains": earlier["gains"] | codings_now}


def _gain(row: dict[str, Any], model: str) -> float:
    """Gain in dB."""
    return float(min(row[model], EQUAL) - min(row["decoded"], EQUAL))


@click.command()
@click.option("--model", "models", multiple=True, default=("default", "tiny", "large"), show_default=True)
@click.option("--images", type=int, help="Number of photographs, and one drawing.  [default: all pictures]")
@click.option("--workers", default=2, show_default=True)
@click.option("--again", multiple=True, type=click.Choice(list(SENDERS)), help="Only the files of these senders.")
def main(models: tuple[str, ...], images: int | None, workers: int, again: tuple[str, ...]) -> None:
    """Measure the gains and losses of all files."""
    tasks = [(name, pixels, models, again) for name, pixels in pictures(images)]
    names = [name for name, *_ in tasks]
    earlier = _earlier(names, models) if again else {}
    with ProcessPoolExecutor(workers) as pool:
        rows = [row for part in tracked(pool.map(measure, tasks), "harm", len(tasks)) for row in part]
    figures = {model: summary(rows, model) for model in models}
    if again:
        figures = {model: renewed(earlier[model], now) for model, now in figures.items()}
    write_result("receiver_harm", {"pictures": names, "models": figures}, packages=PACKAGES, renewed=bool(again))
    for model in models:
        print(f"{model}: {len(figures[model]['harmed'])} of {figures[model]['files']} files are harmed")


def _earlier(names: list[str], models: tuple[str, ...]) -> dict[str, dict[str, Any]]:
    """Summaries of the result that is there, which must be of the same pictures and models."""
    document: dict[str, Any] = load_result("receiver_harm")
    if document["pictures"] != names or set(document["models"]) != set(models):
        held = f"{len(document['pictures'])} pictures and the models {', '.join(document['models'])}"
        raise click.UsageError(f"the result is of {held}, which are not those asked for")
    summaries: dict[str, dict[str, Any]] = document["models"]
    return summaries


if __name__ == "__main__":
    main()
