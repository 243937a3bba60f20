"""JPEG files and tiny ONNX models, for the tests of restoring receivers."""

from __future__ import annotations

import hashlib
import io
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, helper, numpy_helper
from PIL import Image

from restore.runtime.context import condition_size
from restore.runtime.models import Network
from tests.cli_helpers import photograph


def jpeg(height: int, width: int, mode: str = "RGB", **options: Any) -> bytes:
    """A photograph as Pillow encodes it."""
    file = io.BytesIO()
    Image.fromarray(photograph(height, width)).convert(mode).save(file, "JPEG", **options)
    return file.getvalue()


def pillow_pixels(data: bytes, mode: str | None = None) -> np.ndarray:
    """Pixels as Pillow decodes them; with ``mode`` YCbCr they are not converted to RGB."""
    with Image.open(io.BytesIO(data)) as file:
        if mode:
            file.draft(mode, file.size)
        return np.asarray(file).astype(np.int16)


def network(nodes: list[Any], planes: int, *, takes: str = "", constants: dict[str, Any] | None = None) -> bytes:
    """An ONNX network from the input ``image``, and ``condition`` or ``table`` if it takes one, to ``restored``."""
    shapes: dict[str, list[Any]] = {"image": [1, planes, "height", "width"]}
    tables = 1 if planes == 1 else 2
    if takes:
        shapes[takes] = {"table": [1, tables, 8, 8], "condition": [1, condition_size(tables)]}[takes]
    restored = [1, 1 if planes == 1 else 2, "height", "width"]
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()],
        [helper.make_tensor_value_info("restored", TensorProto.FLOAT, restored)],
        [numpy_helper.from_array(np.asarray(value), name) for name, value in (constants or {}).items()],
    )
    # the oldest version of the container that has the operators, for any ONNX Runtime
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    return bytes(model.SerializeToString())


def identity() -> bytes:
    """A network that returns luminance unchanged."""
    return network([helper.make_node("Identity", ["image"], ["restored"])], 1)


def box() -> bytes:
    """A network that returns the mean of 3x3 samples, with zeros around the image: its receptive radius is 1."""
    mean = np.full((1, 1, 3, 3), 1 / 9, np.float32)
    return network([helper.make_node("Conv", ["image", "w"], ["restored"], pads=[1] * 4)], 1, constants={"w": mean})


def brighter_by_table(planes: int, takes: str = "condition") -> bytes:
    """A network that adds the DC step of the last table to each sample, in grey levels.

    It reads the step from the condition, or from the table that files of earlier versions have as their input.
    """
    first, last, tables = (0, 1, 1) if planes == 1 else (1, 3, 2)
    constants = {
        "start": np.array([64 * tables - 64]),
        "end": np.array([64 * tables - 63]),
        "flat": np.array([1, -1]),
        "first": np.array([first]),
        "last": np.array([last]),
        "axis": np.array([1]),
        "two": np.array(2, np.float32),
        "eight": np.array(8, np.float32),
        "white": np.array(255, np.float32),
        "everywhere": np.array([1, 1, 1, 1]),
    }
    nodes = [
        helper.make_node("Reshape", [takes, "flat"], ["numbers"]),
        helper.make_node("Slice", ["numbers", "start", "end", "axis"], ["number" if takes == "condition" else "step"]),
        *(_power_of_two("number", "step") if takes == "condition" else []),
        helper.make_node("Div", ["step", "white"], ["added"]),
        helper.make_node("Reshape", ["added", "everywhere"], ["spread"]),
        helper.make_node("Slice", ["image", "first", "last", "axis"], ["kept"]),
        helper.make_node("Add", ["kept", "spread"], ["restored"]),
    ]
    return network(nodes, planes, takes=takes, constants=constants)


def _power_of_two(number: str, power: str) -> list[Any]:
    """Nodes that give a quantization step from its number in a condition, log2(step) / 8."""
    return [
        helper.make_node("Mul", [number, "eight"], ["exponent"]),
        helper.make_node("Pow", ["two", "exponent"], [power]),
    ]


def calling(function: Callable[..., np.ndarray], *inputs: str) -> Network:
    """A network that calls a function with those of its inputs, instead of an ONNX session."""

    class Session:
        @staticmethod
        def get_inputs() -> list[SimpleNamespace]:
            return [SimpleNamespace(name=name) for name in inputs]

        @staticmethod
        def run(names: list[str], feed: dict[str, np.ndarray]) -> list[np.ndarray]:
            return [function(**feed).astype(np.float32)]

    return Network(Session(), "a function")


def box_chrominance() -> bytes:
    """A network that returns the 3x3 means of Cb and Cr, with a small part of luminance added."""
    weights = np.zeros((2, 3, 3, 3), np.float32)
    weights[0, 1] = weights[1, 2] = 0.1
    weights[:, 0] = 0.01
    return network([helper.make_node("Conv", ["image", "w"], ["restored"], pads=[1] * 4)], 3, constants={"w": weights})


def save_model(
    folder: Path, luminance: bytes, chrominance: bytes | None = None, *, border: int = 1, name: str = "mine"
) -> Path:
    """Write the files of a model, and return the path of its index."""
    index: dict[str, Any] = {"name": name, "border": border, "card": {"data": "none"}}
    for role, content in (("luminance", luminance), ("chrominance", chrominance)):
        index[role] = None
        if content is not None:
            file = f"{name}-{role}.onnx"
            (folder / file).write_bytes(content)
            index[role] = {"file": file, "sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
    path = folder / f"{name}.json"
    path.write_text(json.dumps(index))
    return path
