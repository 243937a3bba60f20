"""Batches for the training: patches of whole coded photographs, each with what the network is told of its file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError
from restore.channel.coded import GRID, CodedFile, CodedSet, code_once
from restore.channel.drawings import drawing
from restore.channel.mix import Mix
from restore.channel.samples import add_noise, to_ycc
from restore.runtime.context import Context

__all__ = ["CodedBatch", "CodedPatches", "coded_planes"]

Samples = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class CodedBatch:
    """A batch of patches.

    Attributes
    ----------
    clean, received : ndarray of uint8, shape (count, planes, side, side)
        Y, or Y, Cb, Cr, before and after the coding.
    conditions : ndarray of float32, shape (count, condition)
        The condition of each patch, see `restore.runtime.context`.
    errors : ndarray of float32, shape (count,)
        Mean squared error of the whole decoded file, over the planes that are to be restored.
    restored : int
        Number of planes, counted from the last, that are to be restored.
    """

    clean: Samples
    received: Samples
    conditions: npt.NDArray[np.float32]
    errors: npt.NDArray[np.float32]
    restored: int

    @property
    def reference(self) -> npt.NDArray[np.float32]:
        """What the loss relates errors to: the mean squared errors of the file and of the patch, shape (count, 2)."""
        planes = slice(-self.restored, None)
        difference = self.clean[:, planes].astype(np.float32) - self.received[:, planes]
        both = np.stack([self.errors, np.square(difference).mean(axis=(1, 2, 3))], 1)
        return both.astype(np.float32)


class CodedPatches:
    """Square patches at random positions of coded photographs and drawings.

    Parameters
    ----------
    photographs : sequence of ndarray of uint8
        RGB.
    mix : Mix
        How they are coded.
    folder : path or None
        Where coded files are kept; None: they are not kept.
    side, count : int
        Side of a patch in pixels, a multiple of 16, and the number of patches in a batch.
    planes : int
        1 for luminance, 3 for Y, Cb, Cr, of which Cb and Cr are restored.
    seed : int
        Seed. All random choices depend only on it and on the number of the batch.
    """

    def __init__(
        self,
        photographs: Sequence[Samples],
        mix: Mix,
        folder: Path | None,
        *,
        side: int,
        count: int,
        planes: int,
        seed: int = 0,
    ) -> None:
        if side % GRID:
            raise InvalidInputError(f"side is a multiple of {GRID} for whole coded photographs; got {side}")
        # it is cropped before each of two codings, and cut where a grid begins; what is left has several patches
        least = 3 * side // 2 + 3 * GRID
        fitting = [image for image in photographs if min(image.shape[:2]) >= least]
        if not fitting:
            raise InvalidInputError(f"no photograph has {least} rows and columns")
        images = [*fitting, *_drawings(mix)]
        self._files, self._side, self._count, self._planes, self._seed = (
            CodedSet(images, mix, folder, seed), side, count, planes, seed,
        )  # fmt: skip
        areas = np.array([image.shape[0] * image.shape[1] for image in images], np.float64)
        self._share, self._mix = np.cumsum(areas / areas.sum()), mix

    def batch(self, number: int) -> CodedBatch:
        """The batch with this number; every call returns the same one."""
        rng = np.random.default_rng((self._seed, number))
        clean, received, conditions, errors, sigmas = [], [], [], [], []
        for _ in range(self._count):
            file = self._drawn_file(rng)
            rows, columns = self._position(file, rng)
            clean.append(_planes(to_ycc(file.clean[rows, columns]), self._planes))
            received.append(_planes(file.received[rows, columns], self._planes))
            sigma = float(rng.choice(self._mix.sigmas)) if len(self._mix.sigmas) > 1 else self._mix.sigmas[0]
            is_blind = bool(self._mix.blind) and rng.random() < self._mix.blind
            conditions.append(_condition(file, self._planes, sigma, is_blind=is_blind))
            error = file.errors[0] if self._planes == 1 else file.errors[1:].mean()
            errors.append(error + sigma**2)
            sigmas.append(sigma)
        return CodedBatch(
            np.stack(clean),
            _noisy(np.stack(received), sigmas, rng),
            np.stack(conditions),
            np.array(errors, np.float32),
            1 if self._planes == 1 else 2,
        )

    def _drawn_file(self, rng: np.random.Generator) -> CodedFile:
        """A file that is large enough for a patch, which all are but some that were coded at another size before."""
        while True:
            image = int(np.searchsorted(self._share, rng.random()))
            version = int(rng.integers(self._mix.versions))
            file = self._files.file(version * len(self._share) + min(image, len(self._share) - 1))
            rows, columns = file.received.shape[:2]
            if min(rows - file.origin[0], columns - file.origin[1]) >= self._side:
                return file

    def _position(self, file: CodedFile, rng: np.random.Generator) -> tuple[slice, slice]:
        rows, columns = (
            origin + GRID * int(rng.integers((extent - origin - self._side) // GRID + 1))
            for origin, extent in zip(file.origin, file.received.shape[:2], strict=True)
        )
        return slice(rows, rows + self._side), slice(columns, columns + self._side)


def _drawings(mix: Mix) -> list[Samples]:
    return [drawing(mix.first_drawing + number, kinds=mix.kinds) for number in range(mix.drawings)]


def coded_planes(
    pixels: Samples, sender: str, quality: int, subsampling: str, planes: int
) -> tuple[Samples, Samples, npt.NDArray[np.float32]]:
    """Code an image by a sender.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB.
    sender, quality, subsampling
        See `restore.channel.senders`.
    planes : int
        1 for luminance, 3 for Y, Cb, Cr.

    Returns
    -------
    ndarray of uint8, shape (planes, height, width), twice
        The planes before and after coding.
    ndarray of float32
        The condition.
    """
    file = code_once(pixels, sender, quality, subsampling)
    return _planes(to_ycc(file.clean), planes), _planes(file.received, planes), _condition(file, planes)


def _condition(file: CodedFile, planes: int, sigma: float = 0.0, *, is_blind: bool = False) -> npt.NDArray[np.float32]:
    """The condition of a file for a network that takes these planes."""
    tables = 1 if planes == 1 else 2
    if is_blind:
        return Context.of_steps(np.ones((2, 8, 8)), sigma).condition(tables)
    if sigma:  # the statistics of a file cannot be told from a noisy picture
        return Context.of_steps(file.steps, sigma).condition(tables)
    return Context(file.steps, file.dead_zones, file.activities, file.subsampling, sigma).condition(tables)


def _noisy(received: Samples, sigmas: Sequence[float], rng: np.random.Generator) -> Samples:
    """Patches with noise; without any they stay as they are."""
    return add_noise(received, np.reshape(sigmas, (-1, 1, 1, 1)), rng) if any(sigmas) else received


def _planes(image: Samples, count: int) -> Samples:
    """The first planes, shape (planes, rows, columns)."""
    return np.ascontiguousarray(image[..., :count].transpose(2, 0, 1))
