"""A weight for each part of an image: where errors count for more."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TypeVar

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import DctComponent, DctImage
from optcodec.scalars import real_number
from optcodec.values import Value

__all__ = ["QualityField", "block_sums", "check_crop"]

Floats = npt.NDArray[np.float64]

BLOCK = 8
Values = TypeVar("Values", np.float32, np.float64)
# What errors count in the white of a mask, against its black: some 12 dB between both.
MASK_STRENGTH = 16.0
# What errors count that are cropped away, against those that are seen. For five classifiers, a tenth gives half of the
# gain, and a thousandth no more (33 photographs of nips2017_dev).
_CROPPED = 0.01


@dataclass(frozen=True, eq=False)
class QualityField(Value):
    """Weights of squared errors by place.

    Parameters
    ----------
    width, height : int
        Of the image, in pixels.
    weights : ndarray of float64, shape (ceil(height / 8), ceil(width / 8))
        One for each 8x8 pixels. Finite, at least 0, not all 0. Only their ratios matter.

    Raises
    ------
    InvalidInputError
        If the weights are not of this kind.
    """

    width: int
    height: int
    weights: Floats

    def __post_init__(self) -> None:
        weights = np.array(self.weights, np.float64)
        expected = (-(-self.height // BLOCK), -(-self.width // BLOCK))
        if weights.shape != expected:
            size = f"{self.width}x{self.height}"
            raise InvalidInputError(f"a field for {size} pixels has the shape {expected}, got {weights.shape}")
        if not np.isfinite(weights).all() or weights.min() < 0 or not weights.max() > 0:
            lowest, highest = weights.min(), weights.max()
            raise InvalidInputError(f"weights of a field are finite, from 0 on, not all 0; got {lowest:g}..{highest:g}")
        weights.flags.writeable = False
        object.__setattr__(self, "weights", weights)

    @classmethod
    def from_squares(cls, width: int, height: int, weights: Floats, side: int) -> QualityField:
        """The field with a weight for each square of pixels.

        Parameters
        ----------
        width, height : int
            Of the image, in pixels.
        weights : ndarray of float64, shape (ceil(height / side), ceil(width / side))
            Of the squares; the last ones of a row or column may be cut by the border.
        side : int
            A multiple of 8.

        Raises
        ------
        InvalidInputError
            If weights or side are not of this kind.
        """
        if side < BLOCK or side % BLOCK:
            raise InvalidInputError(f"the side of the squares is a multiple of {BLOCK} pixels, got {side}")
        weights, expected = np.asarray(weights, np.float64), (-(-height // side), -(-width // side))
        if weights.shape != expected:
            size = f"{width}x{height} pixels in squares of {side}"
            raise InvalidInputError(f"{size} take weights of shape {expected}, got {weights.shape}")
        within = side // BLOCK
        spread = weights.repeat(within, axis=0).repeat(within, axis=1)
        return cls(width, height, spread[: -(-height // BLOCK), : -(-width // BLOCK)])

    @classmethod
    def from_mask(cls, mask: npt.NDArray[np.uint8], *, strength: float = MASK_STRENGTH) -> QualityField:
        """Weights from a grey image: 1 in the black, `strength` in the white, evenly in decibels between.

        Parameters
        ----------
        mask : ndarray of uint8, shape (height, width)
            Of the size of the image.
        strength : float
            Above 0; below 1 the white parts are those that matter less.

        Raises
        ------
        InvalidInputError
            If the mask is not of this kind, or the strength not a finite number above 0.
        """
        if mask.ndim != 2 or mask.dtype != np.uint8 or mask.size == 0:
            raise InvalidInputError(f"a mask is uint8 of shape (height, width), got {mask.dtype} of shape {mask.shape}")
        if not (np.isfinite(strength) and strength > 0):
            raise InvalidInputError(f"the strength of a mask is a finite number above 0, got {strength!r}")
        height, width = mask.shape
        padded = np.pad(mask.astype(np.float64), ((0, -height % BLOCK), (0, -width % BLOCK)), "edge")
        return cls(width, height, strength ** (_block_means(padded, BLOCK, BLOCK) / 255))

    @classmethod
    def of_crop(cls, width: int, height: int, part: float) -> QualityField:
        """Weights for a reader that crops the square in the middle: what it does not see counts a hundredth.

        Parameters
        ----------
        width, height : int
            Of the image, in pixels.
        part : float
            Side of the square, as a part of the shorter side of the image, above 0 and at most 1. For networks whose
            pictures are resized to 256 and cropped to 224 pixels, it is 224 / 256.

        Raises
        ------
        InvalidInputError
            If the part is another number.
        """
        check_crop(part)
        side = part * min(width, height)
        seen = np.multiply.outer(_covered(height, side), _covered(width, side))
        return cls(width, height, _CROPPED + (1 - _CROPPED) * seen)

    def times(self, other: QualityField) -> QualityField:
        """The product of two fields of one size."""
        other.check_size(self.width, self.height)
        return QualityField(self.width, self.height, self.weights * other.weights)

    def check_size(self, width: int, height: int) -> None:
        """Raise `InvalidInputError` unless the field is for images of this size."""
        if (self.width, self.height) != (width, height):
            size = f"{self.width}x{self.height}"
            raise InvalidInputError(f"the mask or field has {size} pixels, the image {width}x{height}; expected equal")

    def by_component(self, image: DctImage) -> list[Floats]:
        """Weights of the blocks of each component."""
        return [_pooled(self.weights, image, part) for part in image.components]


def check_crop(part: float) -> None:
    """Raise `InvalidInputError` unless a number can be the part of the shorter side that a reader crops."""
    if real_number(part, "the part of a crop") > 1:
        raise InvalidInputError(f"a reader crops a part of the shorter side, above 0 and at most 1; got {part!r}")


def _covered(extent: int, side: float) -> Floats:
    """The part of each 8 of so many pixels that is in their middle, which is this long."""
    first, last = (extent - side) / 2, (extent + side) / 2
    starts = np.arange(0, extent, BLOCK, dtype=np.float64)
    ends = np.minimum(starts + BLOCK, extent)
    parts: Floats = np.clip(np.minimum(ends, last) - np.maximum(starts, first), 0, None) / (ends - starts)
    return parts


def _pooled(values: Floats, image: DctImage, part: DctComponent) -> Floats:
    """Values (rows, columns) of 8x8 pixels as means over the blocks of a component of an image."""
    v = max(other.v for other in image.components) // part.v
    h = max(other.h for other in image.components) // part.h
    rows, columns = part.coefficients.shape[:2]
    missing = (0, rows * v - values.shape[0]), (0, columns * h - values.shape[1])
    return _block_means(np.pad(values, missing, "edge"), v, h)


def _block_means(values: Floats, v: int, h: int) -> Floats:
    rows, columns = values.shape[0] // v, values.shape[1] // h
    means: Floats = values.reshape(rows, v, columns, h).mean(axis=(1, 3))
    return means


def block_sums(values: npt.NDArray[Values], side: int = BLOCK) -> npt.NDArray[Values]:
    """Sums of a value of each pixel, shape (height, width), over blocks of this side; those at the ends are smaller."""
    rows, columns = (np.arange(0, extent, side) for extent in values.shape)
    sums: npt.NDArray[Values] = np.add.reduceat(np.add.reduceat(values, rows, 0), columns, 1)
    return sums
