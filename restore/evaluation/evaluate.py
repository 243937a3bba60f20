"""Measure receivers on test sets: one row for each image, quality, noise and receiver; then means and comparisons."""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, fields
from functools import partial
from itertools import product
from pathlib import Path
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt

import optcodec
from optcodec import InvalidInputError
from optcodec.shared import PartFormat, PartialFolder, encode_turbo, finite, in_order, write_whole
from restore.channel.degradation import Degradation
from restore.channel.samples import to_ycc
from restore.evaluation.receiver import Receiver, noisy_planes
from restore.evaluation.statistics import compare
from restore.evaluation.testsets import TestSet, load_image
from restore.runtime.context import Context

__all__ = ["Conditions", "Row", "comparisons", "encoded", "evaluate", "means", "unfinished"]

Samples: TypeAlias = npt.NDArray[np.uint8]
Measures: TypeAlias = Mapping[str, Callable[[Samples, Samples], float]]

_POOLED = "all"  # name of the union of all sets


@dataclass(frozen=True)
class Conditions:
    """How the original images are coded, and which planes are measured.

    Parameters
    ----------
    qualities : tuple of int
        JPEG quality factors, 1..100.
    sigmas : tuple of float
        Standard deviations of Gaussian noise on the decoded image, in units of 8-bit samples.
    colour : bool
        True: RGB images; False: luminance only.
    subsampling : str
        Chroma subsampling of RGB images, such as "4:2:0".
    encoder : {"pillow", "optcodec", "rdo"}
        libjpeg-turbo (through Pillow), optcodec, or optcodec with rate-distortion optimized quantization.
    seed : int
        Seed of the noise.
    """

    qualities: tuple[int, ...] = (10, 20, 30, 40)
    sigmas: tuple[float, ...] = (0.0,)
    colour: bool = False
    subsampling: str = "4:2:0"
    encoder: str = "pillow"
    seed: int = 0

    def __post_init__(self) -> None:
        Degradation(self.qualities, self.sigmas, (self.subsampling,), encoder=self.encoder)  # raises for bad values


@dataclass(frozen=True)
class Row:
    """The measurements of one image under one condition by one receiver.

    Attributes
    ----------
    set, image : str
        Name of the set, and of the file.
    quality, sigma : int, float
        See `Conditions`.
    receiver : str
        Name of the receiver.
    bpp : float
        Bits of the whole file per pixel.
    measures : dict of str to float
        Values by name of the measure; PSNR is infinite where the restored image equals the original.
    """

    set: str
    image: str
    quality: int
    sigma: float
    receiver: str
    bpp: float
    measures: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """A flat record for JSON; infinite values become None."""
        values = asdict(self)
        measures = values.pop("measures")
        return values | {name: finite(value) for name, value in measures.items()}

    @classmethod
    def from_json(cls, record: Mapping[str, Any]) -> Row:
        """The row of a record from `to_json`."""
        names = [field.name for field in fields(cls)][:-1]
        measures = {name: value for name, value in record.items() if name not in names}
        measures = {name: math.inf if value is None else value for name, value in measures.items()}
        return cls(**{name: record[name] for name in names}, measures=measures)


def encoded(image: Samples, quality: int, conditions: Conditions) -> bytes:
    """Encode an image, gray or RGB, as a JPEG file."""
    if conditions.encoder == "pillow":
        return encode_turbo(image, conditions.subsampling, quality, optimize=False)
    tables = list(optcodec.annex_k_tables(quality))[: 1 if image.ndim == 2 else 2]
    tune = "ycbcr" if conditions.encoder == "rdo" else None
    return optcodec.encode(image, tables=tables, subsampling=conditions.subsampling, tune=tune).data


def unfinished(folder: Path, sets: Sequence[TestSet], about: Mapping[str, Any]) -> PartialFolder[list[Row]]:
    """Folder for the rows of finished images, from which an interrupted run of `evaluate` continues.

    Parameters
    ----------
    folder : path
        Created if it does not exist; the caller removes it with `optcodec.shared.remove_partial` in the end.
    sets : sequence of TestSet
        The images, of which names and sizes of the files must be the same.
    about : mapping
        What else the rows depend on, as JSON values, which must be the same, too.

    Raises
    ------
    InvalidInputError
        If the folder belongs to another run, or cannot be written.
    """
    images = [[test_set.name, path.name, path.stat().st_size] for test_set in sets for path in test_set.paths]
    return PartialFolder(folder, {"version": optcodec.__version__, "images": images, **about}, _FORMAT)


def evaluate(
    sets: Sequence[TestSet],
    receivers: Sequence[Receiver],
    measures: Measures,
    conditions: Conditions,
    *,
    folder: PartialFolder[list[Row]] | None = None,
    workers: int = 1,
) -> Iterator[Row]:
    """Restore and measure all images; yields images x qualities x sigmas x receivers rows.

    Parameters
    ----------
    sets, receivers, measures, conditions
        What is measured; receivers and measures are called by several threads at once.
    folder : PartialFolder, optional
        Has the rows of finished images; see `unfinished`.
    workers : int
        Number of threads, each with an image of its own. The rows and their order are the same.

    Raises
    ------
    InvalidInputError
        If receivers share a name, an image cannot be read or is too small for a measure, a receiver returns an image
        of another size, or noise is requested for a receiver that works on files only.
    """
    names = [receiver.name for receiver in receivers]
    if len(set(names)) < len(names):
        raise InvalidInputError(f"receivers have different names, got {', '.join(names)}; expected LABEL=RECEIVER")
    for receiver in receivers:
        if any(conditions.sigmas) and receiver.restore is None:
            raise InvalidInputError(f"{receiver.name} reads JPEG files, which have no noise; expected sigma 0")
    images = [(test_set.name, path) for test_set in sets for path in test_set.paths]
    work = partial(_rows_of, receivers=receivers, measures=measures, conditions=conditions)
    measure = partial(in_order, work, workers=workers)
    for rows in folder.completed(images, measure) if folder else measure(images):
        yield from rows


def _rows_of(
    set_name: str, path: Path, *, receivers: Sequence[Receiver], measures: Measures, conditions: Conditions
) -> list[Row]:
    """The rows of one image."""
    original, rows = load_image(path, colour=conditions.colour), []
    for quality, sigma in product(conditions.qualities, conditions.sigmas):
        data = encoded(original, quality, conditions)
        bpp = 8 * len(data) / (original.shape[0] * original.shape[1])
        noisy_planes = _noisy_planes(original, quality, sigma, f"{set_name}/{path.name}", conditions) if sigma else None
        for receiver in receivers:
            restored = _restore(receiver, data, noisy_planes)
            _check_size(receiver, restored, original, path.name)
            values = {name: measure(original, restored) for name, measure in measures.items()}
            rows.append(Row(set_name, path.name, quality, float(sigma), receiver.name, bpp, values))
    return rows


def _save_rows(path: Path, rows: list[Row]) -> None:
    write_whole(path, (json.dumps([row.to_json() for row in rows], allow_nan=False) + "\n").encode())


def _load_rows(path: Path) -> list[Row]:
    return [Row.from_json(record) for record in optcodec.parse_json(path.read_text("utf-8"))]


_FORMAT = PartFormat(".json", _save_rows, _load_rows)


def means(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Mean of each measure over the images of a set, for each quality, noise and receiver, in the order of the rows.

    PSNR is averaged in dB, as is usual in papers. Images without any error are left out of the mean, and counted in
    ``exact``.
    """
    groups: dict[tuple[Any, ...], list[Row]] = {}
    for row in rows:
        groups.setdefault((row.set, row.quality, row.sigma, row.receiver), []).append(row)
    records = []
    for (name, quality, sigma, receiver), group in groups.items():
        record: dict[str, Any] = {"set": name, "quality": quality, "sigma": sigma, "receiver": receiver}
        record |= {"images": len(group), "bpp": float(np.mean([row.bpp for row in group]))}
        for measure in group[0].measures:
            values = [row.measures[measure] for row in group if math.isfinite(row.measures[measure])]
            record[measure] = float(np.mean(values)) if values else None
        record["exact"] = sum(any(math.isinf(value) for value in row.measures.values()) for row in group)
        records.append(record)
    return records


def comparisons(rows: Sequence[Row], against: str, *, seed: int = 0) -> list[dict[str, Any]]:
    """Compare each receiver with one of them: paired differences of each measure, in each set and in all sets.

    Returns
    -------
    list of dict
        ``set``, ``quality``, ``sigma``, ``receiver``, ``measure``, and the fields of
        `restore.evaluation.statistics.PairedDifference`.

    Raises
    ------
    InvalidInputError
        If there are no rows of the receiver to compare with.
    """
    names = list(dict.fromkeys(row.receiver for row in rows))
    if against not in names:
        raise InvalidInputError(f"no receiver {against!r} to compare with; expected one of {', '.join(names)}")
    sets = list(dict.fromkeys(row.set for row in rows))
    values = {(row.set, row.image, row.quality, row.sigma, row.receiver): row.measures for row in rows}
    conditions = list(dict.fromkeys((row.quality, row.sigma) for row in rows))
    records = []
    for name, (quality, sigma), receiver in product(
        [*sets, *([_POOLED] if len(sets) > 1 else [])], conditions, (other for other in names if other != against)
    ):
        images = list(dict.fromkeys((row.set, row.image) for row in rows if name in (row.set, _POOLED)))
        measured, reference = (
            [values[(*image, quality, sigma, side)] for image in images] for side in (receiver, against)
        )
        for measure in rows[0].measures:
            pairs = [[row[measure] for row in side] for side in (measured, reference)]
            record = {"set": name, "quality": quality, "sigma": sigma, "receiver": receiver, "measure": measure}
            records.append(record | asdict(compare(*pairs, seed=seed)))
    return records


def _noisy_planes(
    image: Samples, quality: int, sigma: float, name: str, conditions: Conditions
) -> tuple[npt.NDArray[np.float32], Context]:
    """Decoded planes plus noise, y = C_Q(x) + n, and the context of the file; the same for all receivers."""
    rng = np.random.default_rng((conditions.seed, crc32(name.encode()), quality, round(1000 * sigma)))
    planar = image if image.ndim == 2 else to_ycc(image)
    send = Degradation((quality,), (sigma,), (conditions.subsampling,), encoder=conditions.encoder)
    received, tables = send(planar, rng)
    return noisy_planes(received, tables, sigma)


def _restore(receiver: Receiver, data: bytes, noisy_planes: tuple[Any, Any] | None) -> Samples:
    if noisy_planes is None:
        return receiver.receive(data)
    assert receiver.restore is not None  # `evaluate` has checked it
    return receiver.restore(*noisy_planes)


def _check_size(receiver: Receiver, restored: Samples, original: Samples, name: str) -> None:
    if restored.shape != original.shape or restored.dtype != np.uint8:
        actual = f"{restored.dtype} {restored.shape}"
        raise InvalidInputError(f"{receiver.name} gives {actual} for {name}; expected uint8 {original.shape}")
