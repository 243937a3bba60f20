"""Batch norm folding: after training, a batch norm is a scale and a shift, which the convolution can do itself."""

from __future__ import annotations

import torch
from torch import nn

from restore.networks import DnCNN, build

__all__ = ["fold", "layers"]


@torch.no_grad()
def fold(network: DnCNN) -> DnCNN:
    """The same network without batch norms, equal in evaluation mode up to rounding.

    With running mean m and variance v, gamma (x - m) / sqrt(v + eps) + beta is the convolution with weights
    W gamma / sqrt(v + eps) and bias beta - m gamma / sqrt(v + eps) (Jacob et al., CVPR 2018, eq. 14).

    Parameters
    ----------
    network : DnCNN
        With batch norms or without.

    Returns
    -------
    DnCNN
        In evaluation mode; its configuration has ``normalized`` false.
    """
    folded = build({**network.config, "normalized": False})
    assert isinstance(folded, DnCNN)
    for (layer, norm), (twin, _) in zip(layers(network), layers(folded), strict=True):
        bias = torch.zeros(layer.out_channels) if layer.bias is None else layer.bias
        scale = torch.ones(layer.out_channels)
        if norm is not None:
            assert norm.running_mean is not None
            assert norm.running_var is not None
            scale = norm.weight / torch.sqrt(norm.running_var + norm.eps)
            bias = norm.bias + (bias - norm.running_mean) * scale
        twin.weight.copy_(layer.weight * scale[:, None, None, None])
        if twin.bias is not None:
            twin.bias.copy_(bias)
    return folded.eval()


def layers(network: DnCNN) -> list[tuple[nn.Conv2d, nn.BatchNorm2d | None]]:
    """Convolutions, each with its batch norm if it has one."""
    following = [*list(network.layers)[1:], nn.Identity()]
    return [
        (layer, after if isinstance(after, nn.BatchNorm2d) else None)
        for layer, after in zip(network.layers, following, strict=True)
        if isinstance(layer, nn.Conv2d)
    ]
