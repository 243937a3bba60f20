"""Batch-norm folding: after training, a batch norm is a scale and a shift, which the convolution can include."""

from __future__ import annotations

import torch
from torch import nn

from restore.networks import DnCNN, build

__all__ = ["fold", "layers"]


@torch.no_grad()
def fold(network: DnCNN) -> DnCNN:
    """Fold the batch norms into the convolutions; in evaluation mode, outputs are equal up to rounding.

    With running mean m and variance v, gamma (x - m) / sqrt(v + eps) + beta is the convolution with weights
    W gamma / sqrt(v + eps) and bias beta - m gamma / sqrt(v + eps) (Jacob et al., CVPR 2018, eq. 14).

    Parameters
    ----------
    network : DnCNN
        A network with or without batch norms.

    Returns
    -------
    DnCNN
        In evaluation mode; its configuration has ``normalized`` false.
    """
    folded = build({**network.config, "normalized": False})
    assert isinstance(folded, DnCNN)
    for (layer, norm), (folded_layer, _) in zip(layers(network), layers(folded), strict=True):
        bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
        scale = torch.ones(layer.out_channels)
        if norm is not None:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            bias = norm.bias + (bias - norm.running_mean) * scale
        folded_layer.weight.copy_(layer.weight * scale[:, None, None, None])
        if folded_layer.bias is not None:
            folded_layer.bias.copy_(bias)
    return folded.eval()


def layers(network: DnCNN) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    """The convolutions in order, each with the batch norm that follows it, or None."""
    next_layers = [*list(network.layers)[1:], nn.Identity()]
    return [
        (layer, next_layer if isinstance(next_layer, nn.BatchNorm2d) else None)
        for layer, next_layer in zip(network.layers, next_layers, strict=True)
        if isinstance(layer, nn.Conv2d)
    ]
