"""Count the multiply-accumulate operations (MACs) of a network in an ONNX file."""

from __future__ import annotations

from typing import Any

from optcodec import require_packages

__all__ = ["onnx_macs"]

_SIDE = 128  # side of the image for which operations are counted, in pixels


def onnx_macs(model: bytes) -> float:
    """Multiply-accumulate operations of all convolutions of an ONNX model, per pixel of its first input.

    Raises
    ------
    InvalidInputError
        If the package onnx is missing.
    """
    require_packages("onnx", extra="evaluate")
    import onnx
    from onnx.tools.update_model_dims import update_inputs_outputs_dims

    graph = onnx.load_from_string(model)
    constants = {value.name for value in graph.graph.initializer}  # are inputs, too, in files of old versions
    inputs = {value.name: _sides(value) for value in graph.graph.input if value.name not in constants}
    outputs = {value.name: _names(value) for value in graph.graph.output}
    fixed = onnx.shape_inference.infer_shapes(update_inputs_outputs_dims(graph, inputs, outputs), data_prop=True)
    values = [*fixed.graph.value_info, *fixed.graph.output]
    shapes = {value.name: [side.dim_value for side in value.type.tensor_type.shape.dim] for value in values}
    shapes |= {value.name: list(value.dims) for value in fixed.graph.initializer}
    macs = 0
    for node in fixed.graph.node:
        if node.op_type == "Conv":
            _, input_channels, height, width = shapes[node.input[1]]
            _, output_channels, rows, columns = shapes[node.output[0]]
            macs += input_channels * height * width * output_channels * rows * columns
    return macs / _SIDE**2


def _sides(value: Any) -> list[int]:
    """The shape of an input, one image whose height and width are set."""
    number, *sides = value.type.tensor_type.shape.dim
    return [int(number.dim_value) or 1, *(int(side.dim_value) or _SIDE for side in sides)]


def _names(value: Any) -> list[int | str]:
    """The shape of an output, with names for the sides that follow from those of the input."""
    sides = value.type.tensor_type.shape.dim
    return [int(side.dim_value) or f"{value.name}_{index}" for index, side in enumerate(sides)]
