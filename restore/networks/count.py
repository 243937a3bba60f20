"""Counts the parameters of a network, and its multiply-accumulate operations (MACs) per pixel."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from restore.networks.operations import configuration, plane_spec
from restore.networks.quantized import Quantized
from restore.runtime.context import condition_size

__all__ = ["Size", "count", "macs_per_pixel"]

_SIDE = 1024  # side of the image; so large that work on the condition, once per image, hardly counts


@dataclass(frozen=True)
class Size:
    """Size of a network.

    Attributes
    ----------
    parameters : int
        Number of trained parameters.
    macs : float
        Multiply-accumulate operations of convolutions and matrix products, per pixel of the image.
    """

    parameters: int
    macs: float

    def __str__(self) -> str:
        return f"{self.parameters:,} parameters, {self.macs:,.0f} MAC per pixel"

    def to_json(self) -> dict[str, float]:
        """Plain values for a JSON file."""
        return asdict(self)


def count(network: nn.Module) -> Size:
    """Count the parameters and the MACs per pixel of a network, without computing anything.

    Parameters
    ----------
    network : Module
        A network of this package; it is not changed.
    """
    float_network = network.inner if isinstance(network, Quantized) else network
    meta_network, spec = copy.deepcopy(float_network).to("meta").eval(), plane_spec(configuration(float_network))
    image = torch.empty(1, spec.planes, _SIDE, _SIDE, device="meta")
    condition = torch.empty(1, condition_size(spec.tables), device="meta")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Size(parameters, macs_per_pixel(lambda: meta_network(image, condition), _SIDE**2))


def macs_per_pixel(run: Callable[[], object], pixels: int) -> float:
    """MACs per pixel of a function that runs a torch network on this number of pixels."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return float(counter.get_total_flops()) / 2 / pixels
