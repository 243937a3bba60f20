"""Measure receivers on test sets: one row for each image, quality, noise and receiver, then means and comparisons."""

from __future__ import annotations

import io
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from itertools import product
from typing import Any, TypeAlias
from zlib import crc32

import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from optcodec import InvalidInputError
from restore.channel.degradation import Degradation
from restore.evaluation.receiver import Receiver
from restore.evaluation.statistics import compare
from restore.evaluation.testsets import TestSet, load_image

__all__ = ["Conditions", "Row", "comparisons", "encoded", "evaluate", "means"]

Samples: TypeAlias = npt.NDArray[np.uint8]
Judges: TypeAlias = Mapping[str, Callable[[Samples, Samples], float]]

_POOLED = "all"  # name of all sets together


@dataclass(frozen=True)
class Conditions:
    """How originals are sent.

    Parameters
    ----------
    qualities : tuple of int
        JPEG quality factors, 1..100.
    sigmas : tuple of float
        Standard deviations of Gaussian noise on the decoded image, in units of 8-bit samples.
    colour : bool
        RGB; otherwise luminance only.
    subsampling : str
        Of colour, such as "4:2:0".
    encoder : {"pillow", "optcodec", "rdo"}
        libjpeg-turbo through Pillow, our encoder, or ours with rate-distortion optimized quantization.
    seed : int
        Of the noise.
    """

    qualities: tuple[int, ...] = (10, 20, 30, 40)
    sigmas: tuple[float, ...] = (0.0,)
    colour: bool = False
    subsampling: str = "4:2:0"
    encoder: str = "pillow"
    seed: int = 0

    def __post_init__(self) -> None:
        Degradation(self.qualities, self.sigmas, (self.subsampling,), encoder=self.encoder)  # refuses what is wrong


@dataclass(frozen=True)
class Row:
    """What was measured of one image.

    Attributes
    ----------
    set, image : str
        Name of the set, and of the file.
    quality, sigma : int, float
        See `Conditions`.
    receiver : str
        Its name.
    bpp : float
        Bits of the whole file per pixel.
    measures : dict of str to float
        PSNR is infinite for exact images.
    """

    set: str
    image: str
    quality: int
    sigma: float
    receiver: str
    bpp: float
    measures: dict[str, float]

    def to_json(self) -> dict[str, Any]:
        """One flat record; None instead of infinite."""
        values = asdict(self)
        measured = values.pop("measures")
        return values | {name: _finite(value) for name, value in measured.items()}


def encoded(image: Samples, quality: int, conditions: Conditions) -> bytes:
    """The JPEG file of an image, gray or RGB."""
    if conditions.encoder == "pillow":
        target = io.BytesIO()
        options = {"subsampling": conditions.subsampling} if image.ndim == 3 else {}
        Image.fromarray(image).save(target, "JPEG", quality=quality, **options)
        return target.getvalue()
    tables = list(optcodec.annex_k_tables(quality))[: 1 if image.ndim == 2 else 2]
    rdo = conditions.encoder == "rdo"
    return optcodec.encode(image, tables=tables, subsampling=conditions.subsampling, rdo=rdo).data


def evaluate(
    sets: Sequence[TestSet], receivers: Sequence[Receiver], judges: Judges, conditions: Conditions
) -> Iterator[Row]:
    """Measure, row by row; there are images x qualities x sigmas x receivers of them.

    Raises
    ------
    InvalidInputError
        If receivers share a name, an image cannot be read or is too small for a measure, a receiver gives another
        size, or noise is asked for of one that works on files only.
    """
    names = [receiver.name for receiver in receivers]
    if len(set(names)) < len(names):
        raise InvalidInputError(f"receivers have different names, got {', '.join(names)}; expected LABEL=RECEIVER")
    for receiver in receivers:
        if any(conditions.sigmas) and receiver.restore is None:
            raise InvalidInputError(f"{receiver.name} reads JPEG files, which have no noise; expected sigma 0")
    for test_set in sets:
        for path in test_set.paths:
            original = load_image(path, colour=conditions.colour)
            for quality, sigma in product(conditions.qualities, conditions.sigmas):
                data = encoded(original, quality, conditions)
                bpp = 8 * len(data) / (original.shape[0] * original.shape[1])
                noisy = _noisy(original, quality, sigma, f"{test_set.name}/{path.name}", conditions) if sigma else None
                for receiver in receivers:
                    restored = _received(receiver, data, noisy)
                    _check_size(receiver, restored, original, path.name)
                    found = {name: judge(original, restored) for name, judge in judges.items()}
                    yield Row(test_set.name, path.name, quality, float(sigma), receiver.name, bpp, found)


def means(rows: Sequence[Row]) -> list[dict[str, Any]]:
    """Mean of each measure over the images of a set, for each quality, noise and receiver, in the order of the rows.

    PSNR is averaged in dB, as papers do; exact images are left out of it and counted (``exact``).
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
    """Each receiver held against one: differences of each measure on the same images, in each set and in all.

    Returns
    -------
    list of dict
        ``set``, ``quality``, ``sigma``, ``receiver``, ``measure``, and the fields of
        `restore.evaluation.statistics.PairedDifference`.

    Raises
    ------
    InvalidInputError
        If nothing was measured of the one to hold against.
    """
    names = list(dict.fromkeys(row.receiver for row in rows))
    if against not in names:
        raise InvalidInputError(f"no receiver {against!r} to hold against; expected one of {', '.join(names)}")
    sets = list(dict.fromkeys(row.set for row in rows))
    values = {(row.set, row.image, row.quality, row.sigma, row.receiver): row.measures for row in rows}
    conditions = list(dict.fromkeys((row.quality, row.sigma) for row in rows))
    records = []
    for name, (quality, sigma), receiver in product(
        [*sets, *([_POOLED] if len(sets) > 1 else [])], conditions, (each for each in names if each != against)
    ):
        images = list(dict.fromkeys((row.set, row.image) for row in rows if name in (row.set, _POOLED)))
        pair = [[values[(*image, quality, sigma, each)] for image in images] for each in (receiver, against)]
        for measure in rows[0].measures:
            one, other = ([found[measure] for found in side] for side in pair)
            record = {"set": name, "quality": quality, "sigma": sigma, "receiver": receiver, "measure": measure}
            records.append(record | asdict(compare(one, other, seed=seed)))
    return records


def _noisy(
    image: Samples, quality: int, sigma: float, name: str, conditions: Conditions
) -> tuple[npt.NDArray[np.float32], npt.NDArray[np.float32]]:
    """Planes and tables of the image as the paper sends it, y = C_Q(x) + n; the same for all receivers."""
    rng = np.random.default_rng((conditions.seed, crc32(name.encode()), quality, round(1000 * sigma)))
    ours = image if image.ndim == 2 else np.asarray(Image.fromarray(image).convert("YCbCr"))
    send = Degradation((quality,), (sigma,), (conditions.subsampling,), encoder=conditions.encoder)
    received, tables = send(ours, rng)
    planes = received[None] if received.ndim == 2 else received.transpose(2, 0, 1)
    return planes.astype(np.float32), tables.astype(np.float32)


def _received(receiver: Receiver, data: bytes, noisy: tuple[Any, Any] | None) -> Samples:
    if noisy is None:
        return receiver.receive(data)
    assert receiver.restore is not None  # checked before the first image
    return receiver.restore(*noisy)


def _check_size(receiver: Receiver, restored: Samples, original: Samples, name: str) -> None:
    if restored.shape != original.shape or restored.dtype != np.uint8:
        found = f"{restored.dtype} {restored.shape}"
        raise InvalidInputError(f"{receiver.name} gives {found} for {name}; expected uint8 {original.shape}")


def _finite(value: float) -> float | None:
    return value if math.isfinite(value) else None
