"""Models of the receiver: an index with anything in it, and networks with anything in them whose index is right."""

from __future__ import annotations

import functools
import hashlib
import io
import json
import random
from pathlib import Path

import numpy as np
import onnx
from PIL import Image

import restore
from optcodec.errors import OptcodecError
from restore.runtime.models import load_model
from restore.runtime.restore import restore_image
from tests.fuzz.answers import without_numbers
from tests.fuzz.documents import scratch_folder
from tests.fuzz.jpeg_damage import damaged_bytes
from tests.fuzz.json_damage import changed_json
from tests.fuzz.kinds import Kind

__all__ = ["KINDS"]

_MODELS = Path(restore.__file__).parent / "data" / "models"
_NUMBERS = (-(2**63), -(2**31), -7, -1, 0, 1, 2, 3, 7, 64, 1000, 2**31 - 1, 2**31, 2**63 - 1)


@functools.cache
def small_file() -> bytes:
    """A colour file of 24x16 pixels."""
    waves = (np.add.outer(np.arange(16) * 7, np.arange(24) * 5)[..., None] + [0, 60, 120]) % 256
    file = io.BytesIO()
    Image.fromarray(waves.astype(np.uint8)).save(file, "JPEG", quality=30)
    return file.getvalue()


def outcome_of(index: bytes) -> str:
    """Load a model, whose networks lie in the scratch folder, and restore an image with it."""
    place = scratch_folder() / "m.json"
    place.write_bytes(index)
    try:
        model = load_model(place, threads=1)
    except OptcodecError as error:
        return f"refused: {without_numbers(error).replace(without_numbers(scratch_folder()), 'FOLDER')}"
    try:
        restored = restore_image(small_file(), model=model)
    except OptcodecError as error:
        return f"loaded, but does not run: {without_numbers(error)}"
    assert restored.shape == (16, 24, 3)
    return "loaded and run"


# ---- The index -------------------------------------------------------------------------------------------------------


def check_index(data: bytes) -> str:
    """An index beside the networks of the smallest model."""
    for path in _MODELS.glob("tiny*.onnx"):
        copy = scratch_folder() / path.name
        if not copy.exists():
            copy.write_bytes(path.read_bytes())
    return outcome_of(data)


# ---- A network -------------------------------------------------------------------------------------------------------


def changed_network(data: bytes, source: random.Random) -> bytes:
    """The network with other attributes, shapes, weights, wiring or operators; or with bytes changed."""
    if source.random() < 0.3:
        return damaged_bytes(data, source)
    model = onnx.load_from_string(data)
    for _ in range(source.choice([1, 1, 2, 3])):
        source.choice([change_attribute, change_shape, change_weights, change_wiring, change_operator])(model, source)
    return bytes(model.SerializeToString())


def change_attribute(model: onnx.ModelProto, source: random.Random) -> None:
    """Padding, strides, axes and the like."""
    attributes = [attribute for node in model.graph.node for attribute in node.attribute]
    if attributes:
        attribute = source.choice(attributes)
        if attribute.ints:
            attribute.ints[source.randrange(len(attribute.ints))] = source.choice(_NUMBERS)
        attribute.i = source.choice(_NUMBERS)


def change_shape(model: onnx.ModelProto, source: random.Random) -> None:
    """Shape or type of an input, an output or a constant."""
    graph = model.graph
    if source.random() < 0.5 and graph.initializer:
        tensor = source.choice(graph.initializer)
        if tensor.dims:
            tensor.dims[source.randrange(len(tensor.dims))] = source.choice(_NUMBERS)
        if source.random() < 0.2:
            tensor.data_type = source.randrange(24)
        return
    port = source.choice([*graph.input, *graph.output, *graph.value_info])
    kind = port.type.tensor_type
    if kind.shape.dim and source.random() < 0.8:
        source.choice(kind.shape.dim).dim_value = source.choice(_NUMBERS)
    else:
        kind.elem_type = source.randrange(24)


def change_weights(model: onnx.ModelProto, source: random.Random) -> None:
    """Values of a constant; fewer or more of them; or those of another file."""
    tensor = source.choice(model.graph.initializer)
    way = source.randrange(4)
    if way == 0:
        tensor.data_location = onnx.TensorProto.EXTERNAL
        entry = tensor.external_data.add()
        entry.key, entry.value = "location", source.choice(["../../../etc/passwd", "/dev/zero", "tiny.onnx", ""])
    elif way == 1:
        tensor.raw_data = tensor.raw_data[: source.randrange(len(tensor.raw_data) + 1)]
    elif way == 2:
        tensor.raw_data += bytes(source.randrange(9))
    else:
        tensor.raw_data = damaged_bytes(tensor.raw_data, source)


def change_wiring(model: onnx.ModelProto, source: random.Random) -> None:
    """A node takes another value, gives another name, is missing or there twice; cycles are among it."""
    nodes = model.graph.node
    node = source.choice(nodes)
    names = [name for other in nodes for name in (*other.input, *other.output)] + ["image", "restored", "", "x"]
    way = source.randrange(5)
    if way == 0 and node.input:
        node.input[source.randrange(len(node.input))] = source.choice(names)
    elif way == 1 and node.output:
        node.output[source.randrange(len(node.output))] = source.choice(names)
    elif way == 2:
        node.input.append(source.choice(names))
    elif way == 3:
        nodes.remove(node)
    else:
        nodes.append(node)


def change_operator(model: onnx.ModelProto, source: random.Random) -> None:
    """A node does something else."""
    operators = ["Conv", "ConvTranspose", "Relu", "Reshape", "Resize", "Tile", "Expand", "Pad", "DepthToSpace",
                 "Gather", "QuantizeLinear", "DequantizeLinear", "QLinearConv", "Loop", "If", "Scan", "Range",
                 "Concat", "NoSuch"]  # fmt: skip
    source.choice(model.graph.node).op_type = source.choice(operators)


def check_network(data: bytes) -> str:
    """A network for luminance whose index has its hash."""
    (scratch_folder() / "changed.onnx").write_bytes(data)
    entry = {"file": "changed.onnx", "sha256": hashlib.sha256(data).hexdigest(), "bytes": len(data)}
    index = json.loads((_MODELS / "tiny.json").read_bytes()) | {"luminance": entry, "chrominance": None}
    return outcome_of(json.dumps(index).encode())


def smallest(suffix: str) -> tuple[bytes, ...]:
    """A file of the smallest model."""
    return ((_MODELS / f"tiny{suffix}").read_bytes(),)


KINDS = {
    "index": Kind(functools.partial(smallest, ".json"), changed_json, check_index, ".json"),
    "onnx": Kind(functools.partial(smallest, ".onnx"), changed_network, check_network, ".onnx"),
}
