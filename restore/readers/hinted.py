"""The terms of a hint in torch: what `restore.runtime.hint` computes, with a gradient by the decoded samples."""

from __future__ import annotations

from typing import TYPE_CHECKING

from restore.runtime.hint import UNITS, Hint

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["weighed"]


def weighed(change: Tensor, seen: Tensor, within: tuple[slice, slice], hint: Hint) -> Tensor:
    """The change that a hint makes of that of the networks, see `restore.runtime.hint.Hint.weigh`.

    Parameters
    ----------
    change : Tensor, shape (1 or 3, rows, columns)
        The change of each plane within the inner part of a region.
    seen : Tensor, shape (1 or 3, more rows, more columns)
        Decoded planes of the seen part of the region. Where it ends, the picture ends.
    within : (slice, slice)
        Rows and columns of the inner part within the seen one.
    hint : Hint
        Weights of each plane.
    """
    import torch

    curvatures = _second_differences(seen)[:, :, *within]
    planes = []
    for index, row in enumerate(hint.weights):
        terms = [change[index], *curvatures[:, index], *(curvatures[:, 0] if index else ())]
        planes.append(sum(weight * unit * term for weight, unit, term in zip(row, UNITS, terms, strict=False)))
    return torch.stack(planes)


def _second_differences(planes: Tensor) -> Tensor:
    """Second differences along rows and along columns, shape (2, planes, rows, columns)."""
    import torch

    wide = torch.nn.functional.pad(planes[None], (1, 1, 1, 1), mode="replicate")[0]
    twice = 2 * planes
    along = wide[:, 1:-1, :-2] + wide[:, 1:-1, 2:] - twice
    down = wide[:, :-2, 1:-1] + wide[:, 2:, 1:-1] - twice
    return torch.stack([along, down])
