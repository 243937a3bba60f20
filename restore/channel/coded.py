"""Photographs for the training, coded as a whole by several encoders (senders), once or twice.

Whole photographs are coded, and not patches, since networks are told statistics of the whole file. Each file depends
only on the mix, the seed, the photographs, and its number. Files are kept for the next pass, or the next training.
"""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from optcodec.shared import whole_file
from restore.channel.mix import Mix
from restore.channel.samples import decode, to_ycc
from restore.channel.senders import SENDERS, check_packages
from restore.channel.variants import sharpened, smooth, with_grain
from restore.runtime.statistics import activities, count_magnitudes, dead_zones

__all__ = ["GRID", "CodedFile", "CodedSet", "code_once"]

Samples = npt.NDArray[np.uint8]
_NOT_IN_FILES = "sigmas", "blind", "first_drawing", "kinds"  # of a mix; drawings are told by their pixels
_FORMAT = 2  # of the files that are kept; 1 had errors against pictures that were half a sample darker
GRID = 16  # pixels: blocks of chrominance that is subsampled by two repeat with it


@dataclass(frozen=True)
class _Coding:
    """One coding: sender, quality and chroma subsampling."""

    sender: str
    quality: int
    subsampling: str

    def __call__(self, pixels: Samples, rng: np.random.Generator) -> bytes:
        return SENDERS[self.sender](pixels, self.subsampling, self.quality, rng)


@dataclass(frozen=True)
class _Plan:
    """How a file is made. The crops are numbers of rows and columns that are cut off before each coding."""

    orientation: int
    crop: tuple[int, int]
    coding: _Coding
    earlier: _Coding | None = None
    size: float = 1.0
    later_crop: tuple[int, int] = (0, 0)
    known: bool = False


@dataclass(frozen=True, eq=False)
class CodedFile:
    """A coded photograph.

    Attributes
    ----------
    clean : ndarray of uint8, shape (height, width, 3)
        RGB, before coding.
    received : ndarray of uint8, shape (height, width, 3)
        Y, Cb, Cr, after coding.
    steps : ndarray of uint16, shape (2, 8, 8)
        The steps that the network is told: those of the file or, where they are larger, of a known first coding.
    dead_zones, activities : ndarray of float32, shape (2, 8, 8)
        Statistics of the file, see `restore.runtime.statistics`.
    subsampling : (int, int)
        Ratios of the sampling factors of luminance and chrominance, vertical and horizontal.
    origin : (int, int)
        Row and column where the grid of blocks begins that the network is to see, 0..15.
    errors : ndarray of float64, shape (3,)
        Mean squared error of Y, Cb, Cr.
    """

    clean: Samples
    received: Samples
    steps: npt.NDArray[np.uint16]
    dead_zones: npt.NDArray[np.float32]
    activities: npt.NDArray[np.float32]
    subsampling: tuple[int, int]
    origin: tuple[int, int]
    errors: npt.NDArray[np.float64]


def code_once(pixels: Samples, sender: str, quality: int, subsampling: str) -> CodedFile:
    """Code RGB pixels, shape (height, width, 3), by a sender at a quality."""
    plan = _Plan(0, (0, 0), _Coding(sender, quality, subsampling))
    return _loaded(pixels, plan, _coded(pixels, plan, np.random.default_rng(0)))


class CodedSet:
    """All files of some photographs.

    Parameters
    ----------
    photographs : sequence of ndarray of uint8, shape (height, width, 3)
        RGB.
    mix : Mix
        How they are coded.
    folder : path or None
        Where files are kept, in a subfolder that belongs to these photographs, mix and seed; None: they are not kept.
    seed : int
        Seed of all random choices.
    """

    def __init__(self, photographs: Sequence[Samples], mix: Mix, folder: Path | None, seed: int = 0) -> None:
        check_packages(mix.senders)
        self._photographs, self._mix, self._seed = photographs, mix, seed
        self._folder: Path | None = None
        if folder is None:
            return
        coding = {name: value for name, value in asdict(mix).items() if name not in _NOT_IN_FILES}
        digest = hashlib.sha256(json.dumps([_FORMAT, coding, seed]).encode())
        for image in photographs:
            digest.update(repr(image.shape).encode())
            digest.update(image.tobytes())
        self._folder = folder / digest.hexdigest()[:16]
        self._folder.mkdir(parents=True, exist_ok=True)

    def __len__(self) -> int:
        return len(self._photographs) * self._mix.versions

    def file(self, number: int) -> CodedFile:
        """The file with this number, 0 to the length; version number // photographs of one of the photographs."""
        rng = np.random.default_rng((self._seed, number))
        plan = self._plan(rng)
        image = _turned(self._photographs[number % len(self._photographs)], plan.orientation)
        image = self._variant(image[plan.crop[0] :, plan.crop[1] :], number)
        return _loaded(image, plan, self._stored(number, lambda: _coded(image, plan, rng)))

    def _stored(self, number: int, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """What is kept of a file, made now if it is not there."""
        if self._folder is None:
            return make()
        path = self._folder / f"{number}.npz"
        if not path.exists():
            with whole_file(path) as target:
                np.savez(target, **make())
        with np.load(path, allow_pickle=False) as stored:
            return {name: stored[name] for name in stored.files}

    def _variant(self, image: Samples, number: int) -> Samples:
        """The image, or a variant of it, with random choices of their own, so that codings do not depend on them."""
        rng = np.random.default_rng((self._seed, number, 1))
        mix, chance, total = self._mix, rng.random(), 0.0
        for share, vary in ((mix.grainy, with_grain), (mix.sharpened, sharpened), (mix.smooth, smooth)):
            total += share
            if chance < total:
                return vary(image, rng)
        return image

    def _plan(self, rng: np.random.Generator) -> _Plan:
        orientation, crop, coding = int(rng.integers(8)), _random_crop(rng), self._coding(rng)
        if rng.random() >= self._mix.twice:
            return _Plan(orientation, crop, coding)
        earlier, chance, later_crop = self._coding(rng), rng.random(), _random_crop(rng)
        known, size = bool(rng.random() < self._mix.known), float(rng.uniform(0.5, 0.95))
        if chance < 0.15:
            return _Plan(orientation, crop, coding, earlier, size)
        return _Plan(orientation, crop, coding, earlier, 1.0, (0, 0) if chance < 0.7 else later_crop, known)

    def _coding(self, rng: np.random.Generator) -> _Coding:
        names, shares = list(self._mix.senders), np.array(list(self._mix.senders.values()))
        sender = names[int(rng.choice(len(names), p=shares / shares.sum()))]
        return _Coding(sender, int(rng.choice(self._mix.qualities)), str(rng.choice(np.array(self._mix.subsamplings))))


def _random_crop(rng: np.random.Generator) -> tuple[int, int]:
    rows, columns = (int(value) for value in rng.integers(GRID, size=2))
    return rows, columns


def _turned(image: Samples, orientation: int) -> Samples:
    """One of the eight orientations of an image."""
    image = np.rot90(image, orientation % 4)
    return image[:, ::-1] if orientation >= 4 else image


def _resized(image: Samples, plan: _Plan) -> Samples:
    """The image at the size and with the crop of its last coding."""
    if plan.size != 1:
        height, width = (max(1, round(extent * plan.size)) for extent in image.shape[:2])
        image = np.asarray(Image.fromarray(image).resize((width, height), Image.Resampling.BICUBIC))
    return np.ascontiguousarray(image[plan.later_crop[0] :, plan.later_crop[1] :])


def _coded(image: Samples, plan: _Plan, rng: np.random.Generator) -> dict[str, Any]:
    """What is kept of a file: its bytes, the steps of its first coding, and its statistics."""
    first = np.ones((2, 8, 8), np.uint16)
    original = image = np.ascontiguousarray(image)
    if plan.earlier is not None:
        data = plan.earlier(image, rng)
        first = _steps(optcodec.read_jpeg(data))
        image = np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))
    data = plan.coding(_resized(image, plan), rng)
    clean = _resized(original, plan)
    coefficients = optcodec.read_jpeg(data)
    counts = [count_magnitudes(component.blocks) for component in coefficients.components[:2]]
    steps = _steps(coefficients)
    factors = [(component.v, component.h) for component in coefficients.components[:2]]
    return {
        "data": np.frombuffer(data, np.uint8),
        "first": first,
        "steps": steps,
        "dead_zones": np.stack([dead_zones(count) for count in counts]),
        "activities": np.stack([activities(*pair) for pair in zip(counts, steps, strict=True)]),
        "subsampling": np.array(factors[0]) // np.array(factors[1]),
        "errors": _errors(clean, decode(data, "YCbCr")),
    }


def _steps(coefficients: optcodec.CoefficientImage) -> npt.NDArray[np.uint16]:
    tables = [coefficients.tables[component.table].steps for component in coefficients.components[:2]]
    return np.stack(tables).astype(np.uint16)


def _is_coarser(first: npt.NDArray[np.uint16], last: npt.NDArray[np.uint16]) -> bool:
    """Whether the luminance of the first coding has larger steps on average."""
    return bool(np.log(first[0]).mean() > np.log(last[0]).mean())


def _errors(clean: Samples, received: Samples) -> npt.NDArray[np.float64]:
    """Mean squared error of Y, Cb, Cr of RGB pixels and a decoded file."""
    difference = to_ycc(clean).astype(np.float32) - received
    errors: npt.NDArray[np.float64] = np.square(difference).mean(axis=(0, 1), dtype=np.float64)
    return errors


def _loaded(image: Samples, plan: _Plan, stored: dict[str, Any]) -> CodedFile:
    is_known = plan.known and plan.earlier is not None and _is_coarser(stored["first"], stored["steps"])
    vertical, horizontal = stored["subsampling"].tolist()
    return CodedFile(
        _resized(image, plan),
        decode(stored["data"].tobytes(), "YCbCr"),
        np.maximum(stored["first"], stored["steps"]) if is_known else stored["steps"],
        stored["dead_zones"],
        stored["activities"],
        (vertical, horizontal),
        (-plan.later_crop[0] % GRID, -plan.later_crop[1] % GRID) if is_known else (0, 0),
        stored["errors"],
    )
