"""Small networks in ONNX files, for the tests."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

WEIGHTS = np.random.default_rng(7).normal(0, 3, (3, 5)).astype(np.float32)


def mean_network(
    path: Path,
    shape: Sequence[int | str],
    *,
    kind: str = "FLOAT",
    keep_sides: bool = False,
    each_row: bool = False,
    softmax: bool = False,
) -> Path:
    """Write a classifier whose logits are the means of the channels times `WEIGHTS`.

    Parameters
    ----------
    path : Path
        The file.
    shape : sequence of int or str
        Of the input; names are free sizes.
    kind : str
        ONNX's type of the input.
    keep_sides : bool
        Whether the output has the shape (1, 5, 1, 1).
    each_row : bool
        Whether means are taken along rows only, which gives an output of shape (1, H, 5).
    softmax : bool
        Whether the output is probabilities.
    """
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    last = len(shape) == 4 and shape[3] == 3
    channels = 1 if shape[1] == 1 else 3
    axes = [1, 2] if last else list(range(2, len(shape)))
    nodes = [
        helper.make_node("Cast", ["image"], ["samples"], to=TensorProto.FLOAT),
        helper.make_node("ReduceMean", ["samples"], ["means"], axes=axes[-1:] if each_row else axes, keepdims=0),
        helper.make_node("Transpose", ["means"], ["rows"], perm=[0, 2, 1] if each_row else [0, 1]),
        helper.make_node("MatMul", ["rows", "weights"], ["logits"]),
    ]
    result = "logits"
    if softmax:
        nodes.append(helper.make_node("Softmax", [result], ["probabilities"], axis=-1))
        result = "probabilities"
    if keep_sides:
        nodes.append(helper.make_node("Unsqueeze", [result, "sides"], ["kept"]))
        result = "kept"
    graph = helper.make_graph(
        nodes,
        "mean",
        [helper.make_tensor_value_info("image", getattr(TensorProto, kind), shape)],
        [helper.make_tensor_value_info(result, TensorProto.FLOAT, None)],
        [numpy_helper.from_array(WEIGHTS[:channels], "weights"), numpy_helper.from_array(np.array([2, 3]), "sides")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)
    return path
