"""Cross-layer equalization: rescales channels to similar ranges, so that one 8-bit range suits all channels of a value.

What one layer scales down, the next one scales up (Nagel et al., "Data-free quantization", ICCV 2019, section 4.1);
here by the observed ranges of activations, not by those of weights. The result is exact up to rounding: between two
layers are only ReLUs, which commute with positive factors, and sums of shortcuts, whose terms get the same factors.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import TypeVar

import torch
from torch import Tensor, nn

from restore.networks.operations import walk
from restore.networks.quantized import Activation, TorchOperations

__all__ = ["equalize"]

_POWER = 0.75  # exponent: 1 equalizes activations fully, 0 leaves weights as they are; measured on tiny and dncnn
# Smallest ratio of a channel's range to that of the widest one: limits the factors of narrow (such as dead) channels.
_SMALLEST_RATIO = 2.0**-6
Network = TypeVar("Network", bound=nn.Module)


@dataclass
class _Group:
    """Values that share channel factors: the layers that produce and consume them, and the range of each channel."""

    producers: list[nn.Conv2d] = field(default_factory=list)
    consumers: list[nn.Conv2d] = field(default_factory=list)
    largest: Tensor | None = None

    def observe(self, values: Tensor) -> None:
        largest = values.abs().amax((0, 2, 3))
        self.largest = largest if self.largest is None else torch.maximum(self.largest, largest)


@torch.no_grad()
def equalize(network: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> Network:
    """Return an equivalent network whose channels have similar ranges; outputs are equal up to rounding.

    Parameters
    ----------
    network : Module
        A `Conditioned`, or a `DnCNN` without batch norms.
    batches : iterable of (Tensor, Tensor)
        Images (N, planes, H, W), 0..1, and conditions (N, numbers), on which ranges are observed.

    Returns
    -------
    Module
        The new network, in evaluation mode.
    """
    equalized = copy.deepcopy(network).eval()
    groups: dict[str, _Group] = {}
    for image, condition in batches:
        for group in groups.values():
            group.producers, group.consumers = [], []
        walk(equalized, _Grouping(image, condition, groups))
    for group in {id(group): group for group in groups.values()}.values():
        if group.consumers and group.largest is not None:  # the last value has no consumer: it is added to the image
            _rescale(group, (group.largest / group.largest.max()).clamp(min=_SMALLEST_RATIO) ** _POWER)
    return equalized


def _rescale(group: _Group, factors: Tensor) -> None:
    over_filters, over_channels = factors[:, None, None, None], factors[None, :, None, None]
    for layer in group.producers:
        layer.weight /= over_filters
        if layer.bias is not None:
            layer.bias /= factors
    for layer in group.consumers:
        layer.weight *= over_channels if layer.groups == 1 else over_filters


class _Grouping(TorchOperations):
    """Operations that record which layers produce and consume which value."""

    def __init__(self, image: Tensor, condition: Tensor, groups: dict[str, _Group]) -> None:
        super().__init__(image, condition)
        self.groups = groups

    def convolution(self, name: str, layer: nn.Conv2d, value: Activation, *, rectified: bool) -> Activation:
        out = super().convolution(name, layer, value, rectified=rectified)
        group = self.groups.setdefault(name, _Group())
        group.producers.append(layer)
        group.observe(out.tensor)
        if value.name:
            self.groups[value.name].consumers.append(layer)
        return out

    def sum(self, name: str, features: Activation, change: Activation) -> Activation:
        out = super().sum(name, features, change)
        group, change_group = self.groups[features.name], self.groups[change.name]
        if change_group is not group:
            group.producers += change_group.producers
        self.groups[name] = self.groups[change.name] = group
        group.observe(out.tensor)
        return out
