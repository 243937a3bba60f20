"""Quantization and its inverse, between coefficients and indices (T.81, A.3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage, Component, DctComponent, DctImage, Metadata
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load

__all__ = ["dequantize", "quantize", "table_indices"]


_LARGEST = np.float32(32767)  # index that 16 bits hold


def table_indices(components: int, tables: int) -> list[int]:
    """Which table each component takes: the first is luminance; the last serves all components that are left."""
    return [min(component, tables - 1) for component in range(components)]


def quantize(image: DctImage, tables: Sequence[QuantTable], *, metadata: Metadata | None = None) -> CoefficientImage:
    """Divide by the steps and round to nearest, halves to even; indices are limited to 16 bits.

    Parameters
    ----------
    image : DctImage
        Coefficients.
    tables : sequence of QuantTable
        Luminance; luminance and chrominance; or one a component.
    metadata : Metadata, optional
        Passed on to the result.
    """
    if not tables:
        raise InvalidInputError("at least one quantization table is needed, got none")
    components = []
    for part, table in zip(image.components, table_indices(len(image.components), len(tables)), strict=True):
        steps = tables[table].steps.astype(np.float32).reshape(64)
        indices = np.empty(part.coefficients.shape, np.int16)
        blocks = part.coefficients.reshape(-1, 64)
        load("quantize").quantize_blocks(blocks, 1 / steps, _LARGEST * steps, indices.reshape(-1, 64))
        indices.flags.writeable = False
        components.append(Component(part.id, part.h, part.v, table, indices))
    used = tuple(tables[: max(component.table for component in components) + 1])
    return CoefficientImage(image.width, image.height, tuple(components), used, metadata or Metadata())


def dequantize(image: CoefficientImage) -> DctImage:
    """Multiply the indices by the steps."""
    components = []
    for part in image.components:
        coefficients = np.multiply(part.blocks, image.tables[part.table].steps, dtype=np.float32)
        coefficients.flags.writeable = False
        components.append(DctComponent(part.id, part.h, part.v, coefficients))
    return DctImage(image.width, image.height, tuple(components))
