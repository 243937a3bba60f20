"""Structured pruning of DnCNN: filters go, and with them the channels of the next layer; what is left is dense again.

One mechanism, `keep_filters`, and a criterion that says which filters are worth least. Here it is the L1 norm of the
filter (Li et al., ICLR 2017); `restore.compress.slim` has the scale of its batch norm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.networks import DnCNN, build
from restore.networks.fold import layers

__all__ = ["Worth", "filter_norms", "keep_filters", "layer_widths", "prune"]

Worth: TypeAlias = Callable[[nn.Conv2d, nn.BatchNorm2d], Tensor]


def prune(network: DnCNN, width: int) -> DnCNN:
    """Keep the filters of largest L1 norm in each inner layer.

    Parameters
    ----------
    network : DnCNN
        Dense, with batch norms.
    width : int
        Filters that each inner layer keeps; the first layer and the last keep all of theirs.

    Returns
    -------
    DnCNN
        Smaller, in evaluation mode.

    Raises
    ------
    InvalidInputError
        If the network is separable or folded, or a layer has not so many filters.
    """
    return keep_filters(network, width, filter_norms)


def filter_norms(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Sum of the absolute weights of each filter (Li et al. 2017, section 3.1)."""
    return convolution.weight.abs().sum((1, 2, 3))


def layer_widths(network: DnCNN) -> list[int]:
    """Channels between the convolutions, from the first to the last."""
    width = network.config["width"]
    return [width] * (network.config["depth"] - 1) if isinstance(width, int) else list(width)


@torch.no_grad()
def keep_filters(network: DnCNN, width: int, worth: Worth) -> DnCNN:
    """Keep the filters of the inner layers that are worth most, in their order; see `prune`.

    Parameters
    ----------
    network : DnCNN
        Dense, with batch norms.
    width : int
        Filters that each inner layer keeps.
    worth : callable
        Takes a convolution and its batch norm, gives one number for each filter.
    """
    config = network.config
    if config["separable"] or not config["normalized"]:
        raise InvalidInputError(f"expected a dense dncnn with batch norms; got {config}")
    widths = layer_widths(network)
    fewest = min(widths[1:], default=0)
    if not 1 <= width <= fewest:
        raise InvalidInputError(f"width is 1..{fewest}, the filters of the narrowest layer; got {width}")
    smaller = build({**config, "width": [widths[0], *[width] * (len(widths) - 1)]})
    assert isinstance(smaller, DnCNN)
    made = torch.arange(config["channels"])  # channels of the layer before that are still made
    for (layer, norm), (twin, twin_norm) in zip(layers(network), layers(smaller), strict=True):
        kept = torch.arange(layer.out_channels)
        if norm is not None and twin_norm is not None:
            kept = worth(layer, norm).argsort(descending=True, stable=True)[:width].sort().values
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(twin_norm, name).copy_(getattr(norm, name)[kept])
        twin.weight.copy_(layer.weight[kept][:, made])
        if layer.bias is not None and twin.bias is not None:
            twin.bias.copy_(layer.bias[kept])
        made = kept
    return smaller.eval()
