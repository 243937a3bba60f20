"""Depthwise-separable convolutions (Howard et al., 2017) in the place of dense ones, as an ablation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.networks import DnCNN, build

__all__ = ["separate", "separate_weights"]


def separate_weights(weights: Tensor) -> tuple[Tensor, Tensor]:
    """The 3x3 kernel of each input channel, and the 1x1 weights, that come nearest to a dense convolution.

    For each input channel the dense weights are a matrix, filters by positions; the nearest product of a column and a
    row is its first singular pair (Eckart and Young, 1936).

    Parameters
    ----------
    weights : Tensor, shape (filters, channels, height, width)
        Of the dense convolution.

    Returns
    -------
    Tensor, shape (channels, 1, height, width), and Tensor, shape (filters, channels, 1, 1)
        For a convolution with a group for each channel, and the one after it.
    """
    filters, channels, height, width = weights.shape
    left, values, right = torch.linalg.svd(weights.transpose(0, 1).reshape(channels, filters, -1), full_matrices=False)
    share = values[:, :1].sqrt()
    depthwise = (share * right[:, 0]).reshape(channels, 1, height, width)
    pointwise = (share * left[:, :, 0]).T.reshape(filters, channels, 1, 1)
    return depthwise, pointwise


@torch.no_grad()
def separate(network: DnCNN) -> DnCNN:
    """A DnCNN whose inner convolutions are depthwise-separable, as near to the dense one as that can be.

    Parameters
    ----------
    network : DnCNN
        Dense.

    Returns
    -------
    DnCNN
        In evaluation mode; its configuration has ``separable`` true.

    Raises
    ------
    InvalidInputError
        If the network is separable already.
    """
    if network.config["separable"]:
        raise InvalidInputError(f"expected a dense dncnn; got {network.config}")
    separated = build({**network.config, "separable": True})
    assert isinstance(separated, DnCNN)
    last, twins = len(network.layers) - 1, iter(separated.layers)
    for index, layer in enumerate(network.layers):
        state = layer.state_dict()
        if isinstance(layer, nn.Conv2d) and 0 < index < last:
            depthwise, state["weight"] = separate_weights(layer.weight)
            next(twins).load_state_dict({"weight": depthwise})
        next(twins).load_state_dict(state)
    return separated.eval()
