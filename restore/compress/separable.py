"""Replaces dense convolutions by depthwise-separable ones (Howard et al., 2017), as an ablation."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.networks import DnCNN, build

__all__ = ["separate", "separate_weights"]


def separate_weights(weights: Tensor) -> tuple[Tensor, Tensor]:
    """The depthwise and pointwise weights whose product is nearest to a dense convolution.

    For each input channel, the dense weights are a matrix (filters by positions). The nearest matrix of rank one is
    given by its first pair of singular vectors (Eckart and Young, 1936).

    Parameters
    ----------
    weights : Tensor, shape (filters, channels, height, width)
        Weights of the dense convolution.

    Returns
    -------
    Tensor, shape (channels, 1, height, width), and Tensor, shape (filters, channels, 1, 1)
        For the depthwise convolution (one group for each channel), and for the 1x1 convolution after it.
    """
    filters, channels, height, width = weights.shape
    left, values, right = torch.linalg.svd(weights.transpose(0, 1).reshape(channels, filters, -1), full_matrices=False)
    share = values[:, :1].sqrt()
    depthwise = (share * right[:, 0]).reshape(channels, 1, height, width)
    pointwise = (share * left[:, :, 0]).T.reshape(filters, channels, 1, 1)
    return depthwise, pointwise


@torch.no_grad()
def separate(network: DnCNN) -> DnCNN:
    """Approximate the inner convolutions of a DnCNN by depthwise-separable ones.

    Parameters
    ----------
    network : DnCNN
        A dense network.

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
    last, separated_layers = len(network.layers) - 1, iter(separated.layers)
    for index, layer in enumerate(network.layers):
        state = layer.state_dict()
        if isinstance(layer, nn.Conv2d) and 0 < index < last:
            depthwise, state["weight"] = separate_weights(layer.weight)
            next(separated_layers).load_state_dict({"weight": depthwise})
        next(separated_layers).load_state_dict(state)
    return separated.eval()
