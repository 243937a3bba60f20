"""Rate-distortion curves of 32x32 blocks: bytes and errors, before and after restoration, at each quality."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.errors import InvalidInputError
from optcodec.values import Value

__all__ = [
    "BLOCK_SIDE",
    "QUALITIES",
    "Curves",
    "block_errors",
    "block_grid",
    "checked_qualities",
    "psnr_of_mse",
    "utility_of",
    "whole_blocks",
]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

BLOCK_SIDE = 32  # pixels of the sent image; AccelIR (Ye et al., CVPR 2023)
QUALITIES = tuple(range(15, 100, 5))  # the qualities of AccelIR
_FIELDS = "nbytes", "before", "after"
_LEAST_MSE = 1e-3  # 78 dB, the largest PSNR: without any error it would be infinite


@dataclass(frozen=True, eq=False)
class Curves(Value):
    """Bytes and errors of some blocks at some qualities.

    Parameters
    ----------
    qualities : ndarray of int64, shape (Q,)
        JPEG quality factors 1..100, rising; at least two.
    nbytes : ndarray of float64, shape (blocks, Q)
        Entropy-coded bits of each block, divided by 8.
    before, after : ndarray of float64, shape (blocks, Q)
        Mean squared errors of the RGB samples (0..255) of each block: `before` restoration, of the decoded image
        against the sent one; `after` it, of the restored image against the reference, whose blocks have `scale` times
        the side.

    Raises
    ------
    InvalidInputError
        If shapes do not fit together, or a value is not finite or below 0.
    """

    qualities: npt.NDArray[np.int64]
    nbytes: Floats
    before: Floats
    after: Floats

    def __post_init__(self) -> None:
        object.__setattr__(self, "qualities", checked_qualities(self.qualities))
        shape = len(np.asarray(self.nbytes)), len(self.qualities)
        for name in _FIELDS:
            values = np.array(getattr(self, name), np.float64)
            if values.shape != shape:
                raise InvalidInputError(f"{name} of {shape[0]} blocks have the shape {shape}, got {values.shape}")
            if not (np.isfinite(values) & (values >= 0)).all():
                wrong = values[~(np.isfinite(values) & (values >= 0))][0]
                raise InvalidInputError(f"{name} of blocks are finite and not negative, got {wrong}")
            values.flags.writeable = False
            object.__setattr__(self, name, values)

    def __len__(self) -> int:
        """Number of blocks."""
        return len(self.nbytes)

    @cached_property
    def psnr_db(self) -> Floats:
        """PSNR after restoration in dB, shape (blocks, Q); at most 78.13, that of a mean squared error of 1e-3."""
        return psnr_of_mse(self.after)

    @cached_property
    def utility(self) -> Floats:
        """Utility of each block in dB per byte, shape (blocks,); see `utility_of`."""
        return utility_of(self.psnr_db, self.nbytes)

    @classmethod
    def joined(cls, parts: Sequence[Curves]) -> Curves:
        """Concatenate the blocks of several images.

        Raises
        ------
        InvalidInputError
            If `parts` is empty, or their qualities differ.
        """
        if not parts:
            raise InvalidInputError("expected curves of one image at least, got none")
        first = parts[0].qualities
        for part in parts:
            if not np.array_equal(part.qualities, first):
                raise InvalidInputError(f"curves have the qualities {first.tolist()}, got {part.qualities.tolist()}")
        return cls(first, *(np.concatenate([getattr(part, name) for part in parts]) for name in _FIELDS))

    def chosen(self, which: npt.NDArray[Any]) -> Curves:
        """Select blocks by an array of indices, or by a boolean mask."""
        return Curves(self.qualities, *(getattr(self, name)[which] for name in _FIELDS))


def utility_of(psnr_db: Floats, nbytes: Floats) -> Floats:
    """Utility of a block (AccelIR): PSNR gained per byte from the lowest to the highest quality.

    Parameters
    ----------
    psnr_db, nbytes : ndarray of float64, shape (..., Q)
        PSNR after restoration, and bytes, by quality.

    Returns
    -------
    ndarray of float64, shape (...)
        ``(PSNR(95) - PSNR(15)) / (bytes(95) - bytes(15))`` in dB per byte; 0 where the bytes do not rise, as in flat
        blocks, since the quotient has no meaning there.
    """
    gain, cost = psnr_db[..., -1] - psnr_db[..., 0], nbytes[..., -1] - nbytes[..., 0]
    return np.divide(gain, cost, out=np.zeros_like(gain), where=cost > 0)


def psnr_of_mse(mse: Floats) -> Floats:
    """PSNR in dB from mean squared errors of samples 0..255; errors below 1e-3 are raised to 1e-3."""
    psnr_db: Floats = 10 * np.log10(255**2 / np.maximum(mse, _LEAST_MSE))
    return psnr_db


def checked_qualities(qualities: npt.ArrayLike) -> npt.NDArray[np.int64]:
    """Read-only copy of rising quality factors 1..100, at least two.

    Raises
    ------
    InvalidInputError
        If they are not whole numbers in this range, not rising, or fewer than two.
    """
    try:
        numbers = np.array(qualities)
    except ValueError:
        numbers = np.empty(0)
    if numbers.ndim != 1 or numbers.dtype.kind != "i" or len(numbers) < 2 or numbers.min() < 1 or numbers.max() > 100:
        raise InvalidInputError(f"qualities are two or more whole numbers 1..100, got {qualities!r}")
    if (np.diff(numbers) <= 0).any():
        raise InvalidInputError(f"qualities are in rising order, got {numbers.tolist()}")
    checked = numbers.astype(np.int64)
    checked.flags.writeable = False
    return checked


def block_grid(width: int, height: int) -> tuple[int, int]:
    """Numbers of rows and columns of the 32x32 blocks of an image; the border may cut the last ones."""
    return -(-height // BLOCK_SIDE), -(-width // BLOCK_SIDE)


def whole_blocks(width: int, height: int) -> npt.NDArray[np.bool_]:
    """Mask of the blocks of `block_grid`, in raster order, that the border does not cut; shape (rows * columns,)."""
    rows, columns = block_grid(width, height)
    uncut: npt.NDArray[np.bool_] = np.logical_and.outer(
        (np.arange(rows) + 1) * BLOCK_SIDE <= height, (np.arange(columns) + 1) * BLOCK_SIDE <= width
    ).ravel()
    return uncut


def block_errors(one: Pixels, other: Pixels, side: int) -> Floats:
    """Mean squared difference of each block of two images.

    Parameters
    ----------
    one, other : ndarray of uint8, shape (height, width, 3)
        Images of the same size.
    side : int
        Side of a block in pixels; the last blocks of a row or column are cut by the border of the image.

    Returns
    -------
    ndarray of float64, shape (rows, columns)
        Means over pixels and channels.
    """
    height, width = one.shape[:2]
    starts = np.arange(0, width, side)
    widths = np.diff(np.append(starts, width))
    rows = []
    for top in range(0, height, side):  # one row of blocks at a time: int64 differences take 8 times the memory
        part = slice(top, min(top + side, height))
        difference = one[part].astype(np.int64) - other[part]
        sums = np.add.reduceat(np.einsum("hwc,hwc->w", difference, difference), starts)
        rows.append(sums / (widths * 3 * (part.stop - top)))
    return np.stack(rows)
