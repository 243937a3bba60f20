"""Which encoder needs the fewest bytes at equal PSNR, SSIM or SSIMULACRA2?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.peers [4:2:0 | 4:4:4 ...] [--again ENCODER ...]

Every encoder codes the Kodak photographs with odd numbers and LIVE1 at quality factors 10 to 95. The reference is
libjpeg-turbo with optimized Huffman tables. The BD-rate of each image is taken over the range of the measure that both
encoders reach; the result has the mean over images and its 95 % interval (bootstrap over images). Every file of our
encoder is checked: Pillow and simplejpeg must decode it to the same pixels, and jpeglib must read the coefficients from
it that the encoder chose.

PSNR is that of RGB or of luminance; SSIM is that of luminance (scikit-image, as Wang et al. 2004); SSIMULACRA2 is that
of the package of this name, for the encoders that are optimized for human viewers. Nothing in our encoder was fitted to
these photographs (see `fit_tunings.py`). With ``--again`` only the files of these encoders are measured, for instance
after one of our tunings has changed; the figures of all others stay as they are in the result. Writes
``results/rd_peers_SUBSAMPLING.json`` and ``.npz``.
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any
from unittest.mock import patch

import click
import jpeglib
import numpy as np
import simplejpeg

from benchmarks.rates.rd import (
    MEASURES,
    QUALITIES,
    REFERENCE,
    check_same,
    chosen,
    compared,
    encoders,
    load,
    measured,
    photographs,
)
from benchmarks.record import RESULTS, load_result, write_result
from optcodec.console.progress import tracked
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.sources import PixelSource
from optcodec.pictures.pixels import decoded_pixels

# SSIMULACRA2 takes long: it is measured for the reference and for encoders that are optimized for human viewers.
FOR_EYES = (
    REFERENCE,
    "mozjpeg, default tables, progressive",
    "jpegli",
    "optcodec people",
    "optcodec psnr, progressive",
)
PACKAGES = ("pillow", "pyvips", "ajpegli", "simplejpeg", "ssimulacra2", "bjontegaard", "scikit-image", "jpeglib")
COLUMNS = ("nbytes", *MEASURES)
GOALS = {  # goals of the project: BD-rates in %
    "4:2:0": {
        ("optcodec psnr", "psnr_rgb"): -33,
        ("optcodec psnr, progressive", "psnr_rgb"): -35,
        ("optcodec ssim", "ssim_y"): -15,
        ("optcodec people, progressive", "ssimulacra2"): -23,
        ("optcodec people, progressive", "psnr_rgb"): 0,
    },
    "4:4:4": {("optcodec psnr", "psnr_rgb"): -32, ("optcodec psnr, progressive", "psnr_rgb"): -35},
}


@contextmanager
def coefficients_written() -> Iterator[list[CoefficientImage]]:
    """Record the coefficients of every file that our encoder writes meanwhile."""
    written_coefficients: list[CoefficientImage] = []
    original = PixelSource.written

    def written(self: PixelSource, coded: CoefficientImage, *, smallest: bool) -> bytes:
        written_coefficients.append(coded)
        return original(self, coded, smallest=smallest)

    with patch.object(PixelSource, "written", written):
        yield written_coefficients


def check(data: bytes, coded: CoefficientImage) -> None:
    """Raise an error unless two decoders agree and the coefficients in the file are those that the encoder chose."""
    if not np.array_equal(decoded_pixels(data), simplejpeg.decode_jpeg(data, "RGB")):
        raise AssertionError("Pillow and simplejpeg decode different pixels")
    with tempfile.NamedTemporaryFile(suffix=".jpg") as file:
        file.write(data)
        file.flush()
        read = jpeglib.read_dct(file.name)
    for part, blocks in zip(coded.components, (read.Y, read.Cb, read.Cr), strict=True):
        if not np.array_equal(part.blocks, blocks[: part.blocks.shape[0], : part.blocks.shape[1]]):
            raise AssertionError("the file does not hold the coefficients that were chosen")


def one_image(task: tuple[Path, str, tuple[str, ...]]) -> dict[str, list[dict[str, float]]]:
    """All measures of all files of one photograph, by encoder and in the order of the qualities."""
    path, subsampling, again = task
    pixels = load(path)
    rows: dict[str, list[dict[str, float]]] = {}
    for name, encoder in chosen(encoders(), again).items():
        people = name.startswith(FOR_EYES) and "alone" not in name
        rows[name] = []
        for quality in QUALITIES:
            with coefficients_written() as written_coefficients:
                data = encoder(pixels, subsampling, quality)
            if written_coefficients:
                check(data, written_coefficients[-1])
            rows[name].append(measured(pixels, data, people=people))
    return rows


def points(files: list[dict[str, float]], measure: str) -> list[tuple[float, float]]:
    return [(file["nbytes"], file[measure]) for file in files]


def summary(images: list[dict[str, list[dict[str, float]]]]) -> dict[str, Any]:
    """BD-rates in % of each encoder and measure: mean, interval, all images, and the least overlap of the ranges."""
    by_encoder: dict[str, Any] = {}
    for name in images[0]:
        by_encoder[name] = {}
        for measure in MEASURES:
            if np.isnan(images[0][name][0][measure]):
                continue
            curves = [(points(rows[REFERENCE], measure), points(rows[name], measure)) for rows in images]
            rates, figures = compared(curves)
            by_encoder[name][measure] = figures | {"images": rates}
    return by_encoder


def oracle(curves: dict[str, Any]) -> dict[str, float]:
    """BD-rate in % by measure if the best of our settings were chosen for each image: mean over images."""
    ours = [figures for name, figures in curves.items() if name.startswith("optcodec")]
    return {
        measure: round(
            float(np.mean(np.min([figures[measure]["images"] for figures in ours if measure in figures], axis=0))), 2
        )
        for measure in MEASURES
    }


def before(name: str, paths: list[Path]) -> list[dict[str, list[dict[str, float]]]]:
    """What `one_image` gave for a result; it must be of the same photographs."""
    held = load_result(name)["images"]
    check_same(held, [_named(path) for path in paths], "photographs")
    with np.load(RESULTS / f"{name}.npz") as rows:
        stored = {encoder: rows[encoder].tolist() for encoder in rows.files}
    return [
        {encoder: [dict(zip(COLUMNS, file, strict=True)) for file in rows[number]] for encoder, rows in stored.items()}
        for number in range(len(paths))
    ]


def _named(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


@click.command()
@click.argument("samplings", nargs=-1)
@click.option("--again", multiple=True, metavar="ENCODER", help="Only the files of these encoders.")
@click.option("--workers", default=2, show_default=True)
def main(samplings: tuple[str, ...], again: tuple[str, ...], workers: int) -> None:
    """Measure all encoders."""
    paths = photographs("Kodak", "LIVE1")
    for subsampling in samplings or ("4:2:0", "4:4:4"):
        name = f"rd_peers_{subsampling.replace(':', '')}"
        earlier = before(name, paths) if again else [{}] * len(paths)
        tasks = [(path, subsampling, again) for path in paths]
        with ProcessPoolExecutor(workers) as pool:
            measured_now = tracked(pool.map(one_image, tasks), subsampling, len(tasks))
            merged = [old | new for old, new in zip(earlier, measured_now, strict=True)]
        images = [{encoder: image[encoder] for encoder in encoders()} for image in merged]
        rows: dict[str, Any] = {
            encoder: np.array([[[p[c] for c in COLUMNS] for p in image[encoder]] for image in images])
            for encoder in images[0]
        }
        np.savez_compressed(RESULTS / f"{name}.npz", **rows)
        curves = summary(images)
        goals = {
            f"{encoder}: {measure}": {"goal": goal, "reached": curves[encoder][measure]["bd_rate"]}
            for (encoder, measure), goal in GOALS[subsampling].items()
        }
        document = {
            "images": [_named(path) for path in paths],
            "qualities": QUALITIES,
            "reference": REFERENCE,
            "columns": COLUMNS,
            "curves": curves,
            "best_of_each_image": oracle(curves),
            "goals": goals,
        }
        print(write_result(name, document, packages=PACKAGES, renewed=bool(again)))


if __name__ == "__main__":
    main()
