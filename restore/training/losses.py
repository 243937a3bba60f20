"""Losses of the training: pixel losses, those of an adversarial training, and the penalty of network slimming."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from optcodec import InvalidInputError

__all__ = ["Loss", "critic_loss", "fooling_loss", "norm_scale_sum", "pixel_loss", "relative"]

_HARM = 2.0  # how many times more errors count that the network adds to a patch (a choice)
Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


def mean_square(restored: Tensor, clean: Tensor, table: Tensor) -> Tensor:
    """Mean squared error of samples in 0..1."""
    return (restored - clean).square().mean()


def balanced(restored: Tensor, clean: Tensor, table: Tensor) -> Tensor:
    """Mean squared error, where the error of each patch is divided by its mean quantization step (samples in 0..1).

    The error of JPEG grows a little more than in proportion to the step. Without the division, the coarsest files
    dominate the loss, and the network hardly learns to restore fine ones.
    """
    step = table.flatten(1).mean(1) / 255
    return ((restored - clean).square().flatten(1).mean(1) / step).mean()


def relative(restored: Tensor, clean: Tensor, errors: Tensor) -> Tensor:
    """Mean squared error of each patch, relative to that of its decoded file: the first-order change of mean PSNR.

    What is beyond the error of the decoded patch counts more: the network is to leave a patch as it is rather than to
    make it worse.

    Parameters
    ----------
    restored, clean : Tensor, shape (N, planes, rows, columns)
        Samples, 0..1.
    errors : Tensor, shape (N, 2)
        Mean squared errors of the whole decoded file and of the decoded patch, in units of 8-bit samples.
    """
    of_file, of_patch = errors.unbind(1)
    error = (restored - clean).square().flatten(1).mean(1) * 255**2
    return ((error + _HARM * functional.relu(error - of_patch)) / _floored(of_file)).mean()


_PIXEL_LOSSES: dict[str, Loss] = {"mse": mean_square, "balanced": balanced, "relative": relative}


def pixel_loss(name: str) -> Loss:
    """The pixel loss with this name.

    Raises
    ------
    InvalidInputError
        If there is no such loss.
    """
    if name not in _PIXEL_LOSSES:
        raise InvalidInputError(f"loss is one of {', '.join(_PIXEL_LOSSES)}; got {name!r}")
    return _PIXEL_LOSSES[name]


def _floored(errors: Tensor) -> Tensor:
    """The errors, but at least half a sample's square: the error that rounding to samples leaves is of no interest."""
    return errors + 0.5


def critic_loss(clean: Tensor, restored: Tensor) -> Tensor:
    """Hinge loss of the critic (Lim and Ye, "Geometric GAN", 2017, eq. 23): clean scores above 1, restored below -1."""
    return functional.relu(1 - clean).mean() + functional.relu(1 + restored).mean()


def fooling_loss(restored: Tensor) -> Tensor:
    """Adversarial loss of the restoring network (eq. 24 there): the negated score of its images."""
    return -restored.mean()


def norm_scale_sum(network: nn.Module) -> Tensor:
    """Sum of the absolute scales of all batch norms (Liu et al., "Network Slimming", ICCV 2017, eq. 1)."""
    sums = [layer.weight.abs().sum() for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    return torch.stack(sums).sum() if sums else torch.zeros(())
