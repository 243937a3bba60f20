"""Network slimming (Liu et al., ICCV 2017): pruning where the batch norms tell what a filter is worth.

Training with an L1 penalty on the scales of the batch norms (`sparsity` of a recipe) pushes those of useless filters to
zero; the mechanism is that of `restore.compress.prune`.
"""

from __future__ import annotations

from torch import Tensor, nn

from restore.compress.prune import keep_filters
from restore.networks import DnCNN

__all__ = ["norm_scales", "slim"]


def slim(network: DnCNN, width: int) -> DnCNN:
    """Keep the filters of largest batch-norm scale in each inner layer; arguments and errors are those of `prune`."""
    return keep_filters(network, width, norm_scales)


def norm_scales(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Size of the scale of each filter's batch norm, gamma in the paper."""
    return norm.weight.abs()
