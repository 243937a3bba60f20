"""Export of a network to an ONNX file with 32-bit floats or INT8, for images of any height and width."""

from __future__ import annotations

from typing import Any

from torch import nn

from restore.export.graph import FloatGraph
from restore.export.int8 import Int8Graph
from restore.networks import Conditioned, DnCNN
from restore.networks.fold import fold
from restore.networks.operations import configuration, walk
from restore.networks.quantized import Quantized
from restore.runtime.context import condition_size

__all__ = ["to_onnx"]


def to_onnx(network: nn.Module) -> bytes:
    """Export a network to an ONNX file.

    The inputs are ``image`` (1, planes, height, width) and, for networks that use it, ``condition`` (1, numbers), see
    `restore.runtime.context`. The output is ``restored`` (1, restored, height, width). All are float32 with the ranges
    of the network. Heights and widths are multiples of 8, or of 16 for colour.

    Parameters
    ----------
    network : Module
        A `Conditioned` or a `DnCNN`, whose batch norms are folded, gives a file with 32-bit floats. A
        `restore.networks.quantized.Quantized` (see `restore.compress.quantize`) gives an INT8 file.

    Returns
    -------
    bytes
        The contents of the file, to be written with `optcodec.shared.write_whole`.

    Raises
    ------
    InvalidInputError
        If it is another kind of network.
    """
    graph = FloatGraph()
    if isinstance(network, Quantized):
        graph, network = Int8Graph(network.ranges), network.inner
    elif isinstance(network, DnCNN):
        network = fold(network)
    restored = walk(network, graph)
    config = configuration(network)
    planes = config["restored"] if isinstance(network, Conditioned) else config["channels"]
    return bytes(graph.graph.model(_inputs(config), restored.name, planes).SerializeToString())


def _inputs(config: dict[str, Any]) -> dict[str, list[int | str]]:
    """Names and shapes of the inputs; there is no condition for a network that does not use it."""
    if "tables" not in config:
        return {"image": [1, config["channels"], "height", "width"]}
    return {"image": [1, config["planes"], "height", "width"], "condition": [1, condition_size(config["tables"])]}
