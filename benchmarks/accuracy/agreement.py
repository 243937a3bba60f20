"""Benchmarks of networks that give no classes: how much of their output on the originals they give on coded pictures.

Each has a folder of photographs, a function that says what is the same, and ways to make files, and is a module of its
own: `benchmarks.accuracy.faces`, `benchmarks.accuracy.segmentation`.
"""

from __future__ import annotations

import argparse
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.record import write_result
from optcodec import EncodedJpeg, MaxBytes, encode, load_picture, psnr_db
from optcodec.console.progress import tracked
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import percentile_interval

JPEG = "default JPEG"
Pixels = npt.NDArray[np.uint8]
Rows = dict[str, dict[str, Any]]


@dataclass(frozen=True)
class Subject:
    """What a benchmark compares.

    Parameters
    ----------
    name : str
        Of the result.
    outputs : callable
        What the networks give for pixels, by name.
    agreement : callable
        The part of an output that is the same as on the original.
    ways : dict
        Arguments of `encode` by the name of the way, besides the size.
    about : dict
        What else the result says.
    packages : tuple of str
        Packages whose versions the result names.
    """

    name: str
    outputs: Callable[[Pixels], dict[str, Any]]
    agreement: Callable[[Any, Any], float]
    ways: dict[str, dict[str, Any]]
    about: dict[str, Any]
    packages: tuple[str, ...]


def measured(subject: Subject, path: Path, quality: int) -> Rows:
    """Bytes, PSNR and agreements of a photograph, by way."""
    original = load_picture(path).pixels
    reference = subject.outputs(original)
    plain = encode(original, quality=quality, subsampling="4:2:0")

    def figures(file: EncodedJpeg) -> dict[str, Any]:
        decoded = decoded_pixels(file.data)
        outputs = subject.outputs(decoded)
        parts = {name: round(subject.agreement(outputs[name], before), 5) for name, before in reference.items()}
        return {"nbytes": file.nbytes, "psnr_db": round(psnr_db(original, decoded), 3)} | parts

    size = MaxBytes(plain.nbytes)
    made = {
        name: encode(original, target=size, subsampling="4:2:0", threads=1, **arguments)
        for name, arguments in subject.ways.items()
    }
    return {name: figures(file) for name, file in ({JPEG: plain} | made).items()}


def summary(rows: dict[str, Rows]) -> dict[str, Any]:
    """Means over the photographs, by way, with the intervals of agreements and of their gains over default JPEG."""
    result: dict[str, Any] = {}
    names = [name for name in next(iter(rows.values()))[JPEG] if name not in ("nbytes", "psnr_db")]
    for way in next(iter(rows.values())):
        known = [photograph[way] for photograph in rows.values()]
        figures: dict[str, Any] = {name: float(np.mean([one[name] for one in known])) for name in ("nbytes", "psnr_db")}
        for name in names:
            parts, plain = (np.array([photo[each][name] for photo in rows.values()]) for each in (way, JPEG))
            gain = "gain" if name == "agreement" else f"{name}, gain"
            figures |= {name: _figure(parts), gain: _figure(parts - plain)}
        result[way] = figures
    return result


def _figure(values: npt.NDArray[np.float64]) -> dict[str, float]:
    low, high = percentile_interval(values, resamples=2000, seed=0)
    return {"value": float(values.mean()), "low": low, "high": high}


def run(subject: Subject, find: Callable[[int | None], list[Path]], qualities: str) -> None:
    """Read the options, measure the photographs that are found, and write the result.

    Parameters
    ----------
    subject : Subject
        What is compared.
    find : callable
        The photographs, at most so many.
    qualities : str
        Default of the qualities of default JPEG, whose bytes are matched.
    """
    parser = argparse.ArgumentParser(description=f"Measure, and write results/{subject.name}.json.")
    parser.add_argument("--images", type=int, help="number of photographs (default: all)")
    parser.add_argument("--qualities", default=qualities, help="qualities of default JPEG, whose bytes are matched")
    options = parser.parse_args()
    torch.set_num_threads(1)
    paths, levels = find(options.images), {}
    for quality in map(int, options.qualities.split(",")):
        title = f"{subject.name}, quality {quality}"
        rows = {path.name: measured(subject, path, quality) for path in tracked(paths, title, total=len(paths))}
        levels[quality] = {"ways": summary(rows), "rows": rows}
    figures = {"images": len(paths)} | subject.about | {"qualities": levels}
    print(write_result(subject.name, figures, packages=subject.packages))
