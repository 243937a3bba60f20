"""Quantize DCT coefficients to indices, and dequantize indices to coefficients (T.81, A.3.4)."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage, Component, DctComponent, DctImage, Metadata
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import load

__all__ = ["dequantize", "quantize", "table_indices"]


_MAX_INDEX = np.float32(32767)  # of 16 bits


def table_indices(components: int, tables: int) -> list[int]:
    """Assign a table to each component: table k to component k, and the last table to all further components."""
    return [min(component, tables - 1) for component in range(components)]


def quantize(image: DctImage, tables: Sequence[QuantTable], *, metadata: Metadata | None = None) -> CoefficientImage:
    """Divide coefficients by the steps and round to nearest, halves to even; indices are limited to 16 bits.

    Parameters
    ----------
    image : DctImage
        Coefficients before quantization.
    tables : sequence of QuantTable
        Luminance; luminance and chrominance; or one table a component.
    metadata : Metadata, optional
        Metadata of the result.

    Raises
    ------
    InvalidInputError
        If there is no table.
    """
    if not tables:
        raise InvalidInputError("at least one quantization table is needed, got none")
    components = []
    indices_of_tables = table_indices(len(image.components), len(tables))
    for component, table in zip(image.components, indices_of_tables, strict=True):
        steps = tables[table].steps.astype(np.float32).reshape(64)
        indices = np.empty(component.coefficients.shape, np.int16)
        blocks = component.coefficients.reshape(-1, 64)
        load("quantize").quantize_blocks(blocks, 1 / steps, _MAX_INDEX * steps, indices.reshape(-1, 64))
        indices.flags.writeable = False
        components.append(Component(component.id, component.h, component.v, table, indices))
    used = tuple(tables[: max(quantized.table for quantized in components) + 1])
    return CoefficientImage(image.width, image.height, tuple(components), used, metadata or Metadata())


def dequantize(image: CoefficientImage) -> DctImage:
    """Multiply the indices by the steps."""
    components = []
    for component in image.components:
        coefficients = np.multiply(component.blocks, image.tables[component.table].steps, dtype=np.float32)
        coefficients.flags.writeable = False
        components.append(DctComponent(component.id, component.h, component.v, coefficients))
    return DctImage(image.width, image.height, tuple(components))
