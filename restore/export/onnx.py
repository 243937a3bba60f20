"""Networks as ONNX files: dynamic height and width, 32-bit floats or INT8."""

from __future__ import annotations

from typing import Any

from torch import nn

from restore.export.graph import FloatGraph
from restore.export.int8 import Int8Graph
from restore.networks import Compact, DnCNN
from restore.networks.fold import fold
from restore.networks.operations import configuration, walk
from restore.networks.quantized import Quantized

__all__ = ["to_onnx"]


def to_onnx(network: nn.Module) -> bytes:
    """A network as an ONNX file.

    Inputs are ``image`` (1, planes, height, width) and, unless the network is blind, ``table`` (1, tables, 8, 8), the
    output is ``restored`` (1, restored, height, width), all float32, as for the network itself. Heights and widths are
    multiples of 8, or of 16 for colour.

    Parameters
    ----------
    network : Module
        A compact one or a dncnn. A `restore.networks.quantized.Quantized` one (see `restore.compress.quantize`) becomes
        an INT8 file, the others one of 32-bit floats; batch norms are folded away.

    Returns
    -------
    bytes
        To be written with `optcodec.shared.write_whole`.

    Raises
    ------
    InvalidInputError
        If it is another network.
    """
    graph = FloatGraph()
    if isinstance(network, Quantized):
        graph, network = Int8Graph(network.ranges), network.inner
    elif isinstance(network, DnCNN):
        network = fold(network)
    restored = walk(network, graph)
    config = configuration(network)
    planes = config["restored"] if isinstance(network, Compact) else config["channels"]
    return bytes(graph.graph.model(_inputs(config), restored.name, planes).SerializeToString())


def _inputs(config: dict[str, Any]) -> dict[str, list[int | str]]:
    """Names and shapes; a blind network has no table."""
    if "tables" not in config:
        return {"image": [1, config["channels"], "height", "width"]}
    return {"image": [1, config["planes"], "height", "width"], "table": [1, config["tables"], 8, 8]}
