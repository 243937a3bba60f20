"""Channels of like range: what one layer makes smaller the next makes larger, so that 8 bits suit all of a value.

Cross-layer equalization (Nagel et al., "Data-free quantization", ICCV 2019, section 4.1), here with ranges of values
that were seen instead of ranges of weights. It is exact: between two layers are only ReLU, which lets positive factors
pass, and the sums of shortcuts, whose parts get the same factors.
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

_POWER = 0.75  # of a channel's share of the largest range: 1 is best for values, 0 for weights; measured on tiny, dncnn
_LEAST = 2.0**-6  # of the widest channel: narrower ones, dead ones for instance, are not made wider than that
Network = TypeVar("Network", bound=nn.Module)


@dataclass
class _Group:
    """Values whose channels belong together: which layers make them, which take them, and how large each channel is."""

    makers: list[nn.Conv2d] = field(default_factory=list)
    takers: list[nn.Conv2d] = field(default_factory=list)
    largest: Tensor | None = None

    def seen(self, values: Tensor) -> None:
        largest = values.abs().amax((0, 2, 3))
        self.largest = largest if self.largest is None else torch.maximum(self.largest, largest)


@torch.no_grad()
def equalize(network: Network, batches: Iterable[tuple[Tensor, Tensor]]) -> Network:
    """The same network, up to rounding, with channels of like range.

    Parameters
    ----------
    network : Module
        A compact one, or a dncnn without batch norms.
    batches : iterable of (Tensor, Tensor)
        Images (N, planes, H, W) 0..1 and tables (N, tables, 8, 8) to see ranges on.

    Returns
    -------
    Module
        In evaluation mode.
    """
    equal = copy.deepcopy(network).eval()
    groups: dict[str, _Group] = {}
    for image, table in batches:
        for group in groups.values():
            group.makers, group.takers = [], []
        walk(equal, _Grouping(image, table, groups))
    for group in {id(group): group for group in groups.values()}.values():
        if group.takers and group.largest is not None:  # not so of what is added to the image
            _scale(group, (group.largest / group.largest.max()).clamp(min=_LEAST) ** _POWER)
    return equal


def _scale(group: _Group, factors: Tensor) -> None:
    over_filters, over_channels = factors[:, None, None, None], factors[None, :, None, None]
    for layer in group.makers:
        layer.weight /= over_filters
        if layer.bias is not None:
            layer.bias /= factors
    for layer in group.takers:
        layer.weight *= over_channels if layer.groups == 1 else over_filters


class _Grouping(TorchOperations):
    """Operations that note how layers hang together."""

    def __init__(self, image: Tensor, table: Tensor, groups: dict[str, _Group]) -> None:
        super().__init__(image, table)
        self.groups = groups

    def convolution(self, name: str, layer: nn.Conv2d, value: Activation, *, rectified: bool) -> Activation:
        out = super().convolution(name, layer, value, rectified=rectified)
        group = self.groups.setdefault(name, _Group())
        group.makers.append(layer)
        group.seen(out.tensor)
        if value.name:
            self.groups[value.name].takers.append(layer)
        return out

    def sum(self, name: str, one: Activation, other: Activation) -> Activation:
        out = super().sum(name, one, other)
        group, added = self.groups[one.name], self.groups[other.name]
        if added is not group:
            group.makers += added.makers
        self.groups[name] = self.groups[other.name] = group
        group.seen(out.tensor)
        return out
