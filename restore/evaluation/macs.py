"""Multiplications and additions of a network in an ONNX file."""

from __future__ import annotations

from typing import Any

from optcodec import require_packages

__all__ = ["onnx_macs"]

_SIDE = 128  # of the image that operations are counted on


def onnx_macs(model: bytes) -> float:
    """Multiplications and additions of the convolutions of an ONNX model per pixel of its input ``image``.

    Raises
    ------
    InvalidInputError
        If the package onnx is missing.
    """
    require_packages("onnx", extra="evaluate")
    import onnx
    from onnx.tools.update_model_dims import update_inputs_outputs_dims

    graph = onnx.load_from_string(model)
    sides = {"image": [1, _channels(graph.graph.input[0]), _SIDE, _SIDE]}
    sides |= {part.name: [1, _channels(part), 8, 8] for part in graph.graph.input if part.name == "table"}
    outputs = {part.name: [1, _channels(part), _SIDE, _SIDE] for part in graph.graph.output}
    fixed = onnx.shape_inference.infer_shapes(update_inputs_outputs_dims(graph, sides, outputs), data_prop=True)
    values = fixed.graph.value_info
    shapes = {part.name: [side.dim_value for side in part.type.tensor_type.shape.dim] for part in values}
    shapes |= {part.name: list(part.dims) for part in fixed.graph.initializer}
    shapes |= outputs
    macs = 0
    for node in fixed.graph.node:
        if node.op_type == "Conv":
            _, into, height, width = shapes[node.input[1]]
            _, out, rows, columns = shapes[node.output[0]]
            macs += into * height * width * out * rows * columns
    return macs / _SIDE**2


def _channels(part: Any) -> int:
    return int(part.type.tensor_type.shape.dim[1].dim_value)
