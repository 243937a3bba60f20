"""The computation of a network, written once as a sequence of operations with exchangeable implementations.

Fake quantization, calibration and the export to ONNX all need to do something at each value of a network. `walk` calls
the operations of a network in order; each of these uses is an implementation of `Operations`. Every value has the name
of the layer that it comes from, and quantization parameters are stored by these names.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Protocol, TypeVar, cast

from torch import nn

from optcodec import InvalidInputError
from restore.networks.conditioned import Conditioned, Residual
from restore.networks.dncnn import DnCNN

__all__ = ["MAPS", "Operations", "PlaneSpec", "configuration", "plane_spec", "value_names", "walk"]

MAPS = "maps"  # name of the maps that are computed from the condition
Value = TypeVar("Value")


def configuration(network: nn.Module) -> dict[str, Any]:
    """The configuration of a network, from which `restore.networks.build` can build it again."""
    return cast(dict[str, Any], network.config)


@dataclass(frozen=True)
class PlaneSpec:
    """Inputs and outputs of a network: input planes, quantization tables in its condition, restored planes, and scale.

    The restored planes are the last ones of the input planes. The scale is the ratio of the sides of output and input.
    """

    planes: int
    tables: int
    restored: int
    scale: int = 1


def plane_spec(config: dict[str, Any]) -> PlaneSpec:
    """Inputs and outputs of a network with this configuration; a quantized one has those of its float network."""
    config = config.get("of", config)
    planes = config.get("planes", config.get("channels", 1))
    return PlaneSpec(planes, config.get("tables", 1), config.get("restored", planes), config.get("scale", 1))


class Operations(Protocol[Value]):
    """The operations that networks consist of."""

    def image_input(self) -> Value:
        """The input image."""
        ...

    def conditioned_input(self, network: Conditioned) -> Value:
        """The input image, pixel-unshuffled by two, with the maps of the condition (`MAPS`) as further channels."""
        ...

    def convolution(self, name: str, layer: nn.Conv2d, value: Value, *, rectified: bool) -> Value:
        """A convolution, followed by a ReLU if `rectified`."""
        ...

    def sum(self, name: str, features: Value, change: Value) -> Value:
        """The sum at the end of a shortcut."""
        ...

    def restored(self, change: Value) -> Value:
        """The input image plus the change."""
        ...

    def scaled_restored(self, network: Conditioned, change: Value) -> Value:
        """The last planes of the input image plus the change, pixel-shuffled by two and scaled as by the network."""
        ...


def walk(network: nn.Module, operations: Operations[Value]) -> Value:
    """Run the operations of a network in order, and return the restored value.

    Raises
    ------
    InvalidInputError
        If the network is neither a `Conditioned` nor a `DnCNN`, or has batch norms, which `fold` removes.
    """
    if isinstance(network, Conditioned):
        return _conditioned(network, operations)
    if isinstance(network, DnCNN) and not network.config["normalized"]:
        return _dncnn(network, operations)
    raise InvalidInputError(f"expected a conditioned network or a folded dncnn; got {configuration(network)}")


def _conditioned(network: Conditioned, operations: Operations[Value]) -> Value:
    features = operations.convolution("head", network.head, operations.conditioned_input(network), rectified=False)
    for index, block in enumerate(cast(list[Residual], list(network.body))):
        hidden = operations.convolution(f"body.{index}.first", block.first, features, rectified=True)
        change = operations.convolution(f"body.{index}.second", block.second, hidden, rectified=False)
        features = operations.sum(f"body.{index}", features, change)
    change = operations.convolution("tail", network.tail, features, rectified=False)
    return operations.scaled_restored(network, change)


def _dncnn(network: DnCNN, operations: Operations[Value]) -> Value:
    value = operations.image_input()
    following = [*list(network.layers)[1:], nn.Identity()]
    for index, (layer, after) in enumerate(zip(network.layers, following, strict=True)):
        if isinstance(layer, nn.Conv2d):
            rectified = isinstance(after, nn.ReLU)
            value = operations.convolution(f"layers.{index}", layer, value, rectified=rectified)
    return operations.restored(value)


class _Names:
    """Operations that only record the names of the values."""

    def __init__(self) -> None:
        self.names: list[str] = []

    def image_input(self) -> None: ...

    def conditioned_input(self, network: Conditioned) -> None:
        self.names.append(MAPS)

    def convolution(self, name: str, layer: nn.Conv2d, value: None, *, rectified: bool) -> None:
        self.names.append(name)

    def sum(self, name: str, features: None, change: None) -> None:
        self.names.append(name)

    def restored(self, change: None) -> None: ...

    def scaled_restored(self, network: Conditioned, change: None) -> None: ...


def value_names(network: nn.Module) -> list[str]:
    """Names of all values between the layers, in the order of their computation."""
    recorder = _Names()
    walk(network, recorder)
    return recorder.names
