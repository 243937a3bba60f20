"""How large and how slow a network is by count: parameters, and multiplications for each pixel."""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import asdict, dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from restore.networks.operations import configuration, face
from restore.networks.quantized import Quantized

__all__ = ["Size", "count", "macs_per_pixel"]

_SIDE = 1024  # of the image that is counted on, so that work on the table, once an image, hardly counts


@dataclass(frozen=True)
class Size:
    """What a network has and does.

    Attributes
    ----------
    parameters : int
        Numbers that are trained.
    macs : float
        Multiplications and additions for each pixel of the image, in convolutions and matrix products.
    """

    parameters: int
    macs: float

    def __str__(self) -> str:
        return f"{self.parameters:,} parameters, {self.macs:,.0f} MAC a pixel"

    def to_json(self) -> dict[str, float]:
        """Plain values for a JSON file."""
        return asdict(self)


def count(network: nn.Module) -> Size:
    """Parameters and MACs per pixel of any network of ours; nothing is computed, only counted.

    Parameters
    ----------
    network : Module
        Left as it is.
    """
    plain = network.inner if isinstance(network, Quantized) else network
    shapes, sides = copy.deepcopy(plain).to("meta").eval(), face(configuration(plain))
    image = torch.empty(1, sides.planes, _SIDE, _SIDE, device="meta")
    table = torch.empty(1, sides.tables, 8, 8, device="meta")
    parameters = sum(parameter.numel() for parameter in network.parameters())
    return Size(parameters, macs_per_pixel(lambda: shapes(image, table), _SIDE**2))


def macs_per_pixel(run: Callable[[], object], pixels: int) -> float:
    """Multiplications and additions of what a torch network does while it is run on so many pixels."""
    with FlopCounterMode(display=False) as counter, torch.no_grad():
        run()
    return float(counter.get_total_flops()) / 2 / pixels
