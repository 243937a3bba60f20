"""Structured pruning of DnCNN: removes whole filters, and the channels of the next layer that read their output.

`keep_filters` does this for any score of filters. Here the score is the L1 norm of the filter (Li et al., ICLR 2017),
in `restore.compress.slim` the scale of its batch norm.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.networks import DnCNN, build
from restore.networks.fold import layers

__all__ = ["FilterScore", "filter_norms", "keep_filters", "layer_widths", "prune"]

FilterScore: TypeAlias = Callable[[nn.Conv2d, nn.BatchNorm2d], Tensor]


def prune(network: DnCNN, width: int) -> DnCNN:
    """Keep the filters with the largest L1 norm in each inner layer.

    Parameters
    ----------
    network : DnCNN
        A dense network with batch norms.
    width : int
        Number of filters that each inner layer keeps; the first and the last layer keep all of theirs.

    Returns
    -------
    DnCNN
        The smaller network, in evaluation mode.

    Raises
    ------
    InvalidInputError
        If the network is separable or has no batch norms, or a layer has fewer filters.
    """
    return keep_filters(network, width, filter_norms)


def filter_norms(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Sum of the absolute weights of each filter (Li et al. 2017, section 3.1)."""
    return convolution.weight.abs().sum((1, 2, 3))


def layer_widths(network: DnCNN) -> list[int]:
    """Number of filters of each convolution but the last one."""
    width = network.config["width"]
    return [width] * (network.config["depth"] - 1) if isinstance(width, int) else list(width)


@torch.no_grad()
def keep_filters(network: DnCNN, width: int, score: FilterScore) -> DnCNN:
    """Keep the filters with the highest scores in each inner layer, in their order; see `prune`.

    Parameters
    ----------
    network : DnCNN
        A dense network with batch norms.
    width : int
        Number of filters that each inner layer keeps.
    score : callable
        Takes a convolution and its batch norm, returns one number for each filter.
    """
    config = network.config
    if config["separable"] or not config["normalized"]:
        raise InvalidInputError(f"expected a dense dncnn with batch norms; got {config}")
    widths = layer_widths(network)
    narrowest = min(widths[1:], default=0)
    if not 1 <= width <= narrowest:
        raise InvalidInputError(f"width is 1..{narrowest}, the filters of the narrowest layer; got {width}")
    smaller = build({**config, "width": [widths[0], *[width] * (len(widths) - 1)]})
    assert isinstance(smaller, DnCNN)
    input_channels = torch.arange(config["channels"])  # input channels that the layer before still produces
    for (layer, norm), (smaller_layer, smaller_norm) in zip(layers(network), layers(smaller), strict=True):
        kept_filters = torch.arange(layer.out_channels)
        if norm is not None and smaller_norm is not None:
            kept_filters = score(layer, norm).argsort(descending=True, stable=True)[:width].sort().values
            for name in ("weight", "bias", "running_mean", "running_var"):
                getattr(smaller_norm, name).copy_(getattr(norm, name)[kept_filters])
        smaller_layer.weight.copy_(layer.weight[kept_filters][:, input_channels])
        if layer.bias is not None and smaller_layer.bias is not None:
            smaller_layer.bias.copy_(layer.bias[kept_filters])
        input_channels = kept_filters
    return smaller.eval()
