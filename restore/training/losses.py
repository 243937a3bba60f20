"""What training lowers: an error of samples, and in stage 2 one of features and what a critic says."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import torch
from torch import Tensor, nn
from torch.nn import functional

from optcodec import InvalidInputError

__all__ = ["Loss", "critic_loss", "fooling_loss", "norm_scale_sum", "pixel_loss"]

Loss: TypeAlias = Callable[[Tensor, Tensor, Tensor], Tensor]


def mean_square(restored: Tensor, clean: Tensor, table: Tensor) -> Tensor:
    """Mean squared error, samples in 0..1."""
    return (restored - clean).square().mean()


def balanced(restored: Tensor, clean: Tensor, table: Tensor) -> Tensor:
    """Mean squared error, each patch divided by its mean quantization step in units of samples 0..1.

    The error of JPEG grows with the step, a little more than in proportion: without the division the coarsest files
    have nearly all of the loss, and fine ones are hardly learned.
    """
    step = table.flatten(1).mean(1) / 255
    return ((restored - clean).square().flatten(1).mean(1) / step).mean()


_PIXEL: dict[str, Loss] = {"mse": mean_square, "balanced": balanced}


def pixel_loss(name: str) -> Loss:
    """The loss on samples of that name.

    Raises
    ------
    InvalidInputError
        No such loss.
    """
    if name not in _PIXEL:
        raise InvalidInputError(f"loss is one of {', '.join(_PIXEL)}; got {name!r}")
    return _PIXEL[name]


def critic_loss(clean: Tensor, restored: Tensor) -> Tensor:
    """Hinge loss of a critic's scores (Lim and Ye, "Geometric GAN", 2017, eq. 23): clean above 1, restored below -1."""
    return functional.relu(1 - clean).mean() + functional.relu(1 + restored).mean()


def fooling_loss(restored: Tensor) -> Tensor:
    """What the restoring network lowers against it (eq. 24 there): the score of its images, negated."""
    return -restored.mean()


def norm_scale_sum(network: nn.Module) -> Tensor:
    """Sum of the absolute scales of all batch norms (Liu et al., "Network Slimming", ICCV 2017, eq. 1)."""
    sizes = [layer.weight.abs().sum() for layer in network.modules() if isinstance(layer, nn.BatchNorm2d)]
    return torch.stack(sizes).sum() if sizes else torch.zeros(())
