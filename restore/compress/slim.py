"""Network slimming (Liu et al., ICCV 2017): prunes the filters with the smallest batch-norm scales.

Training with an L1 penalty on these scales (`sparsity` of a recipe) drives those of useless filters to zero;
`restore.compress.prune.keep_filters` removes the filters.
"""

from __future__ import annotations

from torch import Tensor, nn

from restore.compress.prune import keep_filters
from restore.networks import DnCNN

__all__ = ["norm_scales", "slim"]


def slim(network: DnCNN, width: int) -> DnCNN:
    """Keep the filters with the largest batch-norm scales in each inner layer; arguments and errors as for `prune`."""
    return keep_filters(network, width, norm_scales)


def norm_scales(convolution: nn.Conv2d, norm: nn.BatchNorm2d) -> Tensor:
    """Absolute value of the batch-norm scale of each filter (gamma in the paper)."""
    return norm.weight.abs()
