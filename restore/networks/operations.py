"""What each network does, step by step, told to whoever carries the steps out.

Fake quantization, calibration and the writer of ONNX files all have to walk through a network and do something at each
value. The walk is written here once for each network; they are `Operations`. Every value has a name, that of the layer
it comes out of, and the names are all that a quantization has to know.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from torch import nn

from optcodec import InvalidInputError
from restore.networks.compact import Compact, Residual
from restore.networks.dncnn import DnCNN

__all__ = ["MAPS", "Face", "Operations", "configuration", "face", "value_names", "walk"]

MAPS = "maps"  # the name of what a table becomes
Value = TypeVar("Value")


def configuration(network: nn.Module) -> dict[str, Any]:
    """What `restore.networks.build` needs to make a network of ours again."""
    return cast(dict[str, Any], network.config)


@dataclass(frozen=True)
class Face:
    """Planes that a network takes, tables that it is told of, planes that it restores: the last of those, and scale.

    The scale is the side of the restored planes over that of the planes taken.
    """

    planes: int
    tables: int
    restored: int
    scale: int = 1


def face(config: dict[str, Any]) -> Face:
    """What a network with this configuration takes and gives; a quantized one is like the one it is of."""
    config = config.get("of", config)
    planes = config.get("planes", config.get("channels", 1))
    return Face(planes, config.get("tables", 1), config.get("restored", planes), config.get("scale", 1))


class Operations(Protocol[Value]):
    """What a network is made of."""

    def samples(self) -> Value:
        """The input image."""
        ...

    def informed(self, network: Compact) -> Value:
        """The input image, pixels unshuffled by two, and the maps of the table (`MAPS`) as further channels."""
        ...

    def convolution(self, name: str, layer: nn.Conv2d, value: Value, *, rectified: bool) -> Value:
        """A convolution and perhaps a ReLU."""
        ...

    def sum(self, name: str, one: Value, other: Value) -> Value:
        """The end of a shortcut."""
        ...

    def restored(self, change: Value, planes: int, *, shuffled: bool) -> Value:
        """The last so many planes of the input, plus what is to change, which may come pixel-unshuffled."""
        ...


def walk(network: nn.Module, operations: Operations[Value]) -> Value:
    """Carry a network out.

    Raises
    ------
    InvalidInputError
        If it is a kind of network that is not written down here, or has batch norms, which `fold` takes away.
    """
    if isinstance(network, Compact):
        return _compact(network, operations)
    if isinstance(network, DnCNN) and not network.config["normalized"]:
        return _dncnn(network, operations)
    raise InvalidInputError(f"expected a compact network or a folded dncnn; got {configuration(network)}")


def _compact(network: Compact, operations: Operations[Value]) -> Value:
    features = operations.convolution("head", network.head, operations.informed(network), rectified=False)
    for index, block in enumerate(cast(list[Residual], list(network.body))):
        inner = operations.convolution(f"body.{index}.first", block.first, features, rectified=True)
        change = operations.convolution(f"body.{index}.second", block.second, inner, rectified=False)
        features = operations.sum(f"body.{index}", features, change)
    change = operations.convolution("tail", network.tail, features, rectified=False)
    return operations.restored(change, network.restored, shuffled=True)


def _dncnn(network: DnCNN, operations: Operations[Value]) -> Value:
    value = operations.samples()
    following = [*list(network.layers)[1:], nn.Identity()]
    for index, (layer, after) in enumerate(zip(network.layers, following, strict=True)):
        if isinstance(layer, nn.Conv2d):
            rectified = isinstance(after, nn.ReLU)
            value = operations.convolution(f"layers.{index}", layer, value, rectified=rectified)
    return operations.restored(value, network.config["channels"], shuffled=False)


class _Names:
    """Operations that only note the names of the values that are computed."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def samples(self) -> None: ...

    def informed(self, network: Compact) -> None:
        self.names.append(MAPS)

    def convolution(self, name: str, layer: nn.Conv2d, value: None, *, rectified: bool) -> None:
        self.names.append(name)

    def sum(self, name: str, one: None, other: None) -> None:
        self.names.append(name)

    def restored(self, change: None, planes: int, *, shuffled: bool) -> None: ...


def value_names(network: nn.Module) -> list[str]:
    """Names of all values between the layers, in the order in which they are computed."""
    noted = _Names()
    walk(network, noted)
    return noted.names
