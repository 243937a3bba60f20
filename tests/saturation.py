"""Emulate the products of 8-bit values on x86 processors without VNNI, which add pairs of products in 16 bits."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
import onnx
from onnx import numpy_helper

__all__ = ["Layer", "exact_sums", "layers", "saturating_sums"]

Integers = npt.NDArray[np.int64]


@dataclass(frozen=True)
class Layer:
    """A convolution of an INT8 file: its name, and its integer weights (filters, channels, height, width)."""

    name: str
    weights: Integers


def layers(model: bytes) -> Iterator[Layer]:
    """The convolutions of an ONNX file whose weights have 8 bits."""
    graph = onnx.load_from_string(model).graph
    constants = {tensor.name: numpy_helper.to_array(tensor) for tensor in graph.initializer}
    node_by_output = {node.output[0]: node for node in graph.node}
    for node in graph.node:
        source = node_by_output.get(node.input[1]) if node.op_type == "Conv" else None
        if source is not None and source.op_type == "DequantizeLinear":
            yield Layer(node.name, constants[source.input[0]].astype(np.int64))


def exact_sums(values: Integers, weights: Integers) -> Integers:
    """Exact sums of the products of values (positions, n) and weights (filters, n)."""
    return values @ weights.T


def saturating_sums(values: Integers, weights: Integers) -> Integers:
    """The same sums as PMADDUBSW and PMADDWD compute them: each pair of products saturates at 16 bits."""
    if values.shape[1] % 2:
        values, weights = (np.pad(part, ((0, 0), (0, 1))) for part in (values, weights))
    pairs = values[:, None, 0::2] * weights[None, :, 0::2] + values[:, None, 1::2] * weights[None, :, 1::2]
    return np.clip(pairs, -(2**15), 2**15 - 1).sum(axis=2)
