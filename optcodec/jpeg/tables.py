"""Quantization tables: their type, the zig-zag order, and the tables of T.81, Annex K, at a JPEG quality."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.errors import InvalidInputError
from optcodec.kernels import zigzag
from optcodec.scalars import real_number, whole_number
from optcodec.values import Value

__all__ = ["NATURAL_ORDER", "QuantTable", "annex_k_tables", "check_quality"]

# T.81, Figure A.6: NATURAL_ORDER[k] is the row-major index of the k-th coefficient of the zig-zag sequence.
NATURAL_ORDER: npt.NDArray[np.uint8] = np.array(zigzag.NATURAL_ORDER, np.uint8)
NATURAL_ORDER.flags.writeable = False

# T.81, Annex K, Table K.1 (luminance) and Table K.2 (chrominance), row-major.
_K1_LUMINANCE = (
    (16, 11, 10, 16, 24, 40, 51, 61),
    (12, 12, 14, 19, 26, 58, 60, 55),
    (14, 13, 16, 24, 40, 57, 69, 56),
    (14, 17, 22, 29, 51, 87, 80, 62),
    (18, 22, 37, 56, 68, 109, 103, 77),
    (24, 35, 55, 64, 81, 104, 113, 92),
    (49, 64, 78, 87, 103, 121, 120, 101),
    (72, 92, 95, 98, 112, 100, 103, 99),
)
_K2_CHROMINANCE = (
    (17, 18, 24, 47, 99, 99, 99, 99),
    (18, 21, 26, 66, 99, 99, 99, 99),
    (24, 26, 56, 99, 99, 99, 99, 99),
    (47, 66, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
    (99, 99, 99, 99, 99, 99, 99, 99),
)


@dataclass(frozen=True, eq=False)
class QuantTable(Value):
    """The 64 quantization steps of a component.

    Parameters
    ----------
    steps : array_like of int, shape (8, 8)
        Step of each frequency, row-major: ``steps[v, u]`` has vertical frequency ``v`` and horizontal frequency ``u``.
        Range 1..65535; files with a step above 255 need 16-bit tables, which not every decoder reads.

    Raises
    ------
    InvalidInputError
        If the shape is wrong or a step is not a whole number in the range.
    """

    steps: npt.NDArray[np.uint16]

    def __post_init__(self) -> None:
        steps = np.asarray(self.steps)
        if steps.shape != (8, 8):
            raise InvalidInputError(f"a quantization table has shape (8, 8), got {steps.shape}")
        if steps.dtype.kind not in "iuf" or not np.array_equal(steps, np.floor(steps)):
            raise InvalidInputError(f"quantization steps are whole numbers, got an array of {steps.dtype}")
        if steps.min() < 1 or steps.max() > 65535:
            step = steps.min() if steps.min() < 1 else steps.max()
            raise InvalidInputError(f"quantization steps lie in 1..255 (1..65535 with 16 bits), got {step}")
        steps = steps.astype(np.uint16)
        steps.flags.writeable = False
        object.__setattr__(self, "steps", steps)

    @classmethod
    def from_zigzag(cls, steps_zz: npt.ArrayLike) -> QuantTable:
        """Make a table from 64 steps in zig-zag order."""
        steps_zz = np.asarray(steps_zz)
        if steps_zz.shape != (64,):
            raise InvalidInputError(f"a zig-zag table has 64 steps, got shape {steps_zz.shape}")
        natural = np.empty(64, steps_zz.dtype)
        natural[NATURAL_ORDER] = steps_zz
        return cls(natural.reshape(8, 8))

    @cached_property
    def steps_zz(self) -> npt.NDArray[np.uint16]:
        """The 64 steps in zig-zag order."""
        return self.steps.reshape(64)[NATURAL_ORDER]

    def scaled(self, percent: float) -> QuantTable:
        """Scale all steps by a percentage, as ``cjpeg -qtables FILE -quality`` does: rounded, within 1..255.

        Raises
        ------
        InvalidInputError
            If the percentage is not above 0.
        """
        return QuantTable(scaled_steps(self.steps, real_number(percent, "a percentage")).astype(np.uint16))

    @cached_property
    def is_baseline(self) -> bool:
        """Whether all steps fit into 8 bits, as baseline JPEG requires."""
        return bool(self.steps.max() <= 255)

    def __eq__(self, other: object) -> bool:
        return self is other or (isinstance(other, QuantTable) and np.array_equal(self.steps, other.steps))

    def __hash__(self) -> int:
        return self._hash

    @cached_property
    def _hash(self) -> int:
        return hash(self.steps.tobytes())


def check_quality(quality: int) -> int:
    """Return a JPEG quality factor, or raise if it is not a whole number in 1..100."""
    return whole_number(quality, "quality", 1, 100)


def annex_k_tables(quality: int) -> tuple[QuantTable, QuantTable]:
    """Compute the luminance and chrominance table of default JPEG at a quality factor.

    Parameters
    ----------
    quality : int
        1..100, the scale of the Independent JPEG Group (libjpeg ``jpeg_quality_scaling``): 50 gives the tables of
        T.81 Annex K, 100 gives ones.

    Returns
    -------
    tuple of QuantTable
        Luminance (Table K.1) and chrominance (Table K.2), scaled; steps in 1..255.
    """
    return _annex_k_tables(check_quality(quality))


@lru_cache(maxsize=100)
def _annex_k_tables(quality: int) -> tuple[QuantTable, QuantTable]:
    scale = quality_scale(quality)
    luminance, chrominance = (
        QuantTable(scaled_steps(np.array(base), scale).astype(np.uint16)) for base in (_K1_LUMINANCE, _K2_CHROMINANCE)
    )
    return luminance, chrominance


def quality_scale(quality: int) -> int:
    """Percentage by which a quality factor scales a base table (libjpeg ``jpeg_quality_scaling``); 100 for 50."""
    return 5000 // quality if quality < 50 else 200 - 2 * quality


def scaled_steps(base: npt.NDArray[np.integer[Any]], percent: float) -> npt.NDArray[np.int64]:
    """Steps at a percentage, rounded and clamped as in libjpeg: floor((base * percent + 50) / 100), within 1..255."""
    return np.clip(np.floor((base.astype(np.float64) * percent + 50) / 100), 1, 255).astype(np.int64)
