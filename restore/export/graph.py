"""ONNX graphs, written node by node (no tracing), which gives small files for images of any height and width.

`restore.networks.operations.walk` builds the graph of a network with `FloatGraph` (32-bit floats), or with `Int8Graph`
of `restore.export.int8`.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Any, cast

import numpy as np
import numpy.typing as npt
import onnx
from onnx import TensorProto, helper, numpy_helper
from scipy.linalg import block_diag
from torch import Tensor, nn

from restore.networks import Conditioned
from restore.networks.conditioned import CAUTION_START, CHANGE_UNIT
from restore.runtime.context import SIGMA_UNIT, condition_size

__all__ = ["FloatGraph", "Graph", "Signal", "array", "biases", "depth_order"]

_OPSET = 17
_IR_VERSION = 8  # the one that belongs to opset 17; runtimes from 2022 on can read the file

_END = np.iinfo(np.int64).max  # the end of an axis

Array = npt.NDArray[Any]


def array(tensor: Tensor) -> npt.NDArray[np.float32]:
    """Convert a parameter to an array of 32-bit floats."""
    return np.ascontiguousarray(tensor.detach().cpu().float().numpy())


def biases(layer: nn.Conv2d) -> npt.NDArray[np.float32]:
    """The bias of each filter; zeros for a layer without bias."""
    return np.zeros(layer.out_channels, np.float32) if layer.bias is None else array(layer.bias)


class Graph:
    """An ONNX graph under construction: its nodes and constants."""

    def __init__(self) -> None:
        self._nodes: list[onnx.NodeProto] = []
        self._constants: dict[tuple[str, tuple[int, ...], bytes], str] = {}
        self._tensors: list[onnx.TensorProto] = []

    def constant(self, values: Array) -> str:
        """Add a constant, and return its name; equal constants are stored once."""
        key = (values.dtype.str, values.shape, values.tobytes())
        if key not in self._constants:
            self._constants[key] = f"c{len(self._tensors)}"
            self._tensors.append(numpy_helper.from_array(values, self._constants[key]))
        return self._constants[key]

    def node(self, kind: str, inputs: list[str], *, layer: str = "", **attributes: Any) -> str:
        """Add a node, and return the name of its output. The name of the layer shows in profiles of the runtime."""
        output = f"v{len(self._nodes)}"
        self._nodes.append(helper.make_node(kind, inputs, [output], name=layer or None, **attributes))
        return output

    def model(self, inputs: dict[str, list[int | str]], output: str, channels: int) -> onnx.ModelProto:
        """Finish the graph; the value named by `output` becomes the output ``restored``."""
        self._nodes.append(helper.make_node("Identity", [output], ["restored"]))
        sides: list[int | str] = [1, channels, "height", "width"]
        graph = helper.make_graph(
            self._nodes,
            "restore",
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in inputs.items()],
            [helper.make_tensor_value_info("restored", TensorProto.FLOAT, sides)],
            self._tensors,
        )
        opset = [helper.make_opsetid("", _OPSET)]
        return helper.make_model(graph, opset_imports=opset, ir_version=_IR_VERSION, producer_name="restore")


@dataclass(frozen=True)
class Signal:
    """A value of the graph. Its channels may differ from those that the next layer was trained with.

    Those of the training are `mix` times the channels of the graph; `mix` has shape (trained channels, graph channels).
    Without it, both are the same.
    """

    name: str
    mix: npt.NDArray[np.float32] | None = None

    def weights(self, layer: nn.Conv2d) -> npt.NDArray[np.float32]:
        """The weights of a layer for the channels of this value."""
        weights = array(layer.weight)
        return weights if self.mix is None else np.einsum("oihw,ic->ochw", weights, self.mix)


class FloatGraph:
    """The operations of a network as ONNX nodes with 32-bit floats."""

    def __init__(self) -> None:
        self.graph = Graph()
        self._hidden = ""

    def image_input(self) -> Signal:
        return Signal("image")

    def conditioned_input(self, network: Conditioned) -> Signal:
        low = self.graph.node("SpaceToDepth", ["image"], blocksize=2)
        maps = self.tiled(network, self.maps(network, 1.0), low)
        mix = block_diag(depth_order(network), np.eye(network.maps)).astype(np.float32)
        return Signal(self.graph.node("Concat", [low, maps], axis=1), mix)

    def convolution(self, name: str, layer: nn.Conv2d, value: Signal, *, rectified: bool) -> Signal:
        weights, bias = self.graph.constant(value.weights(layer)), self.graph.constant(biases(layer))
        out = self.convolved(name, layer, [value.name, weights, bias])
        return Signal(self.graph.node("Relu", [out]) if rectified else out)

    def sum(self, name: str, features: Signal, change: Signal) -> Signal:
        return Signal(self.graph.node("Add", [features.name, change.name], layer=name))

    def restored(self, change: Signal) -> Signal:
        return Signal(self.graph.node("Add", ["image", change.name]))

    def scaled_restored(self, network: Conditioned, change: Signal) -> Signal:
        samples = self.graph.node("Mul", [self.shuffled(change.name), self.scale(network)])
        return Signal(self.graph.node("Add", [self.last_planes(network.restored), samples]))

    def scale(self, network: Conditioned) -> str:
        """The factor of the change, see `restore.networks.Conditioned.scale`."""
        stop = 64 * network.tables
        logarithms = self.sliced("condition", stop - 64, stop)
        exponent = self.scaled(self.graph.node("ReduceMean", [logarithms], axes=[1]), 8 * math.log(2))
        threshold = self.graph.constant(np.array(network.threshold, np.float32))
        beyond = self.graph.node("Relu", [self.graph.node("Sub", [self.graph.node("Exp", [exponent]), threshold])])
        sigma = self.scaled(self.sliced("condition", -1, _END), SIGMA_UNIT)
        total = self.graph.node("Add", [beyond, self.graph.node("Mul", [sigma, sigma])])
        learned = self.dense(self.hidden(network), array(network.strength.weight), array(network.strength.bias))
        factors = [self.graph.node("Sigmoid", [learned]), self.graph.node("Sqrt", [total])]
        scale = self.scaled(self.graph.node("Mul", factors), 2 * CHANGE_UNIT)
        if network.caution is not None:
            scale = self.graph.node("Mul", [scale, self.caution_factor(network, network.caution)])
        return self.graph.node("Reshape", [scale, self.graph.constant(np.array([1, 1, 1, 1]))])

    def caution_factor(self, network: Conditioned, layers: nn.Module) -> str:
        """The caution, see `restore.networks.Conditioned.caution_factor`."""
        first, last = (cast(nn.Linear, cast(nn.Sequential, layers)[place]) for place in (0, 2))
        stop, shape = 192 * network.tables, np.array([1, 3 * network.tables, 8, 8])
        spectra = self.graph.node("Reshape", [self.sliced("condition", 0, stop), self.graph.constant(shape)])
        means = self.graph.node("AveragePool", [spectra], kernel_shape=[2, 2], strides=[2, 2])
        parts = [self.graph.node("Flatten", [means]), self.sliced("condition", stop, _END)]
        centres, spreads = (
            np.concatenate([array(values)[:stop:4], array(values)[stop:]])  # the same for all frequencies of a part
            for values in (network.centres, network.spreads)
        )
        weights = array(first.weight) / spreads
        hidden = self.dense(self.graph.node("Concat", parts, axis=1), weights, array(first.bias) - weights @ centres)
        learned = self.dense(self.graph.node("Relu", [hidden]), array(last.weight), array(last.bias) + CAUTION_START)
        return self.scaled(self.graph.node("Sigmoid", [learned]), 1 + math.exp(-CAUTION_START))

    def scaled(self, value: str, factor: float) -> str:
        """A value times a number."""
        return self.graph.node("Mul", [value, self.graph.constant(np.array(factor, np.float32))])

    def sliced(self, value: str, start: int, stop: int) -> str:
        """A part of the second axis of a value."""
        bounds = (self.graph.constant(np.array([bound])) for bound in (start, stop, 1))
        return self.graph.node("Slice", [value, *bounds])

    def last_planes(self, planes: int) -> str:
        """The last planes of the input image."""
        return self.sliced("image", -planes, _END)

    def convolved(self, name: str, layer: nn.Conv2d, inputs: list[str]) -> str:
        """A convolution of value, weights and bias."""
        height, width = (extent // 2 for extent in layer.kernel_size)
        return self.graph.node("Conv", inputs, layer=name, pads=[height, width, height, width], group=layer.groups)

    def maps(self, network: Conditioned, scale: float) -> str:
        """One period of the maps of the condition, divided by a scale."""
        last_layer = cast(nn.Linear, network.condition[2])
        maps = self.dense(self.hidden(network), array(last_layer.weight) / scale, array(last_layer.bias) / scale)
        shape = np.array([1, network.maps, network.period, network.period])
        return self.graph.node("Reshape", [maps, self.graph.constant(shape)])

    def hidden(self, network: Conditioned) -> str:
        """The hidden layer of the condition, see `restore.networks.Conditioned.hidden`; one node for all its uses."""
        if not self._hidden:
            layer, numbers = cast(nn.Linear, network.condition[0]), "condition"
            weights, bias = array(layer.weight), array(layer.bias)
            if layer.in_features < condition_size(network.tables):
                numbers = self.sliced("condition", 0, layer.in_features)
            else:
                weights = weights / array(network.spreads)
                bias = bias - weights @ array(network.centres)
            self._hidden = self.graph.node("Relu", [self.dense(numbers, weights, bias)])
        return self._hidden

    def dense(self, value: str, weights: Array, bias: Array) -> str:
        """A fully connected layer."""
        constants = [self.graph.constant(parameter.astype(np.float32)) for parameter in (weights, bias)]
        return self.graph.node("Gemm", [value, *constants], transB=1)

    def tiled(self, network: Conditioned, maps: str, like: str) -> str:
        """Repeat maps to the height and width of another value."""
        sides = self.graph.node("Shape", [like], start=2)
        times = self.graph.node("Div", [sides, self.graph.constant(np.array([network.period] * 2))])
        repeats = self.graph.node("Concat", [self.graph.constant(np.array([1, 1])), times], axis=0)
        return self.graph.node("Tile", [maps, repeats])

    def shuffled(self, value: str) -> str:
        """Pixel shuffle by two, in the channel order of torch."""
        return self.graph.node("DepthToSpace", [value], blocksize=2, mode="CRD")


def depth_order(network: Conditioned) -> Array:
    """Permutation from torch's order of unshuffled channels (plane, row, column) to ONNX's (row, column, plane)."""
    samples = network.config["planes"] * 4
    order = np.arange(samples).reshape(-1, 4).T.ravel()
    return np.eye(samples)[:, order]
