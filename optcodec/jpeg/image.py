"""The image as JPEG codes it, held in plain values: size, components, coefficients and quantization tables.

All arrays are in natural (row-major) order. Blocks that only fill up the last MCU are not part of a component: the
writer adds them, the reader drops them, and no statistic counts them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.jpeg.metadata.values import Metadata
from optcodec.jpeg.tables import QuantTable
from optcodec.samplings import SUBSAMPLINGS
from optcodec.scalars import whole_number
from optcodec.values import Value

__all__ = [
    "SUBSAMPLINGS",
    "CoefficientImage",
    "Component",
    "DctComponent",
    "DctImage",
    "Metadata",
    "blocks_shape",
    "checked_interval",
    "sampling_factors",
]

MAX_SIDE = 65535  # T.81, Table B.2: X and Y have 16 bits
MAX_LIBJPEG_SIDE = 65500  # JPEG_MAX_DIMENSION of jmorecfg.h: no libjpeg opens a file of more rows or columns


def sampling_factors(subsampling: str) -> tuple[int, int]:
    """Look up the sampling factors (H, V) of the luminance component by a name such as ``"4:2:0"``."""
    try:
        return SUBSAMPLINGS[subsampling]
    except (KeyError, TypeError):
        names = ", ".join(SUBSAMPLINGS)
        raise InvalidInputError(f"subsampling is one of {names}; got {subsampling!r}") from None


def blocks_shape(width: int, height: int, h: int, v: int, h_max: int, v_max: int) -> tuple[int, int]:
    """Count the rows and columns of 8x8 blocks of a component (T.81, A.1.1 and A.2.3).

    Parameters
    ----------
    width, height : int
        Size of the image in pixels.
    h, v : int
        Sampling factors of the component.
    h_max, v_max : int
        Largest sampling factors of all components.
    """
    columns = -(-width * h // h_max)
    rows = -(-height * v // v_max)
    return -(-rows // 8), -(-columns // 8)


@dataclass(frozen=True, eq=False)
class Component(Value):
    """Quantized coefficients of one component.

    Parameters
    ----------
    id : int
        Identifier in the file, 0..255.
    h, v : int
        Sampling factors, 1..4.
    table : int
        Index of the component's quantization table in `CoefficientImage.tables`.
    blocks : ndarray of int16, shape (rows, columns, 8, 8)
        Quantized coefficients; ``blocks[r, c, y, x]`` has vertical frequency ``y`` and horizontal frequency ``x``.
    """

    id: int
    h: int
    v: int
    table: int
    blocks: npt.NDArray[np.int16]

    def __post_init__(self) -> None:
        _check_identity(self.id, self.h, self.v)
        object.__setattr__(self, "blocks", _frozen(self.blocks, np.int16))


@dataclass(frozen=True, eq=False)
class DctComponent(Value):
    """Coefficients of one component before quantization.

    Parameters
    ----------
    id, h, v : int
        As in `Component`.
    coefficients : ndarray of float32, shape (rows, columns, 8, 8)
        Orthonormal 8x8 DCT of the samples, which lie in 0..255 and are level-shifted by 128: DC is 8 times their mean.
    """

    id: int
    h: int
    v: int
    coefficients: npt.NDArray[np.float32]

    def __post_init__(self) -> None:
        _check_identity(self.id, self.h, self.v)
        object.__setattr__(self, "coefficients", _frozen(self.coefficients, np.float32))


def _check_identity(identifier: int, h: int, v: int) -> None:
    if not 0 <= identifier <= 255:
        raise InvalidInputError(f"a component identifier lies in 0..255, got {identifier}")
    if not (1 <= h <= 4 and 1 <= v <= 4):
        raise InvalidInputError(f"sampling factors lie in 1..4, got {h}x{v}")


def _frozen(array: npt.ArrayLike, dtype: type[np.generic]) -> npt.NDArray[np.generic]:
    """Check an array of blocks and make it read-only and C-contiguous; copy it only if the caller can write to it."""
    blocks = np.asarray(array)
    if blocks.dtype != dtype or blocks.ndim != 4 or blocks.shape[2:] != (8, 8):
        expected = f"{np.dtype(dtype)} of shape (rows, columns, 8, 8)"
        raise InvalidInputError(f"blocks are {expected}, got {blocks.dtype} of shape {blocks.shape}")
    if blocks.flags.writeable or not blocks.flags.c_contiguous:
        blocks = np.array(blocks, order="C")
        blocks.flags.writeable = False
    return blocks


def _check_geometry(width: int, height: int, components: Sequence[tuple[int, int, tuple[int, ...]]]) -> None:
    """Check the image size and, for the (h, v, shape of blocks) of each component, the number of its blocks."""
    if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
        raise InvalidInputError(f"width and height lie in 1..{MAX_SIDE}, got {width}x{height}")
    if not 1 <= len(components) <= 4:
        raise InvalidInputError(f"an image has 1 to 4 components here, got {len(components)}")
    h_max, v_max = max(h for h, _, _ in components), max(v for _, v, _ in components)
    for h, v, shape in components:
        expected = blocks_shape(width, height, h, v, h_max, v_max)
        if shape[:2] != expected:
            raise InvalidInputError(f"a {h}x{v} component has {expected} rows and columns of blocks, got {shape[:2]}")


def checked_interval(interval: int) -> int:
    """Return a restart interval in MCUs (0 for none), or raise if it is not a whole number in 0..65535."""
    return whole_number(interval, "the restart interval", 0, 65535)


@dataclass(frozen=True, eq=False)
class CoefficientImage(Value):
    """A coded image: the part of a JPEG file that describes pixels.

    Parameters
    ----------
    width, height : int
        Size in pixels, 1..65535.
    components : tuple of Component
        One (grey) to four.
    tables : tuple of QuantTable
        One to four quantization tables; `Component.table` is an index into them.
    metadata : Metadata
        Colour profile, Exif, and whatever else the file carries besides the image.
    restart_interval : int
        MCUs between restart markers, 0 for none; 0..65535.
    progressive : bool
        Whether the file that the image was read from is progressive; `transcode` by default writes the same kind.

    Raises
    ------
    InvalidInputError
        If sizes, sampling factors, blocks or table indices do not fit together.
    """

    width: int
    height: int
    components: tuple[Component, ...]
    tables: tuple[QuantTable, ...]
    metadata: Metadata = field(default_factory=Metadata)
    restart_interval: int = 0
    progressive: bool = False

    def __post_init__(self) -> None:
        _check_geometry(self.width, self.height, [(c.h, c.v, c.blocks.shape) for c in self.components])
        if not 1 <= len(self.tables) <= 4:
            raise InvalidInputError(f"an image has 1 to 4 quantization tables, got {len(self.tables)}")
        for component in self.components:
            if not 0 <= component.table < len(self.tables):
                raise InvalidInputError(f"component {component.id} names table {component.table} of {len(self.tables)}")
        object.__setattr__(self, "restart_interval", checked_interval(self.restart_interval))

    @property
    def is_rgb(self) -> bool:
        """Whether the three components are red, green and blue instead of YCbCr; an Adobe segment may say so."""
        return len(self.components) == 3 and self.metadata.adobe_transform == 0

    @property
    def subsampling(self) -> str:
        """Name of the sampling, such as ``"4:2:0"`` or ``"grey"``; otherwise the factors, such as ``"2x1,1x1,2x1"``."""
        return subsampling_name([(c.h, c.v) for c in self.components])


@dataclass(frozen=True, eq=False)
class DctImage(Value):
    """An image as DCT coefficients before quantization.

    Parameters
    ----------
    width, height : int
        Size in pixels, 1..65535.
    components : tuple of DctComponent
        Y, or Y, Cb and Cr.
    """

    width: int
    height: int
    components: tuple[DctComponent, ...]

    def __post_init__(self) -> None:
        _check_geometry(self.width, self.height, [(c.h, c.v, c.coefficients.shape) for c in self.components])

    @property
    def subsampling(self) -> str:
        """Name of the sampling, as in `CoefficientImage.subsampling`."""
        return subsampling_name([(c.h, c.v) for c in self.components])


def subsampling_name(factors: Sequence[tuple[int, int]]) -> str:
    """Name of a set of sampling factors, see `CoefficientImage.subsampling`."""
    if len(factors) == 1:
        return "grey"
    if len(factors) == 3 and factors[1] == factors[2]:
        (h, v), (h_chroma, v_chroma) = factors[0], factors[1]
        if h % h_chroma == 0 and v % v_chroma == 0:
            for name, ratio in SUBSAMPLINGS.items():
                if ratio == (h // h_chroma, v // v_chroma):
                    return name
    return ",".join(f"{h}x{v}" for h, v in factors)
