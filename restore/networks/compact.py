"""`Compact`, the network of the shipped models `default` and `tiny` until they are trained anew as `Conditioned`.

Of the condition it takes only the quantization steps. Its change is not scaled by them.
"""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from restore.networks.conditioned import CHANGE_UNIT, Conditioned

__all__ = ["Compact"]

_HIDDEN = 16  # width of the hidden layer between the steps and their maps


class Compact(Conditioned):
    """Restores luminance, or chrominance, of an image.

    Parameters
    ----------
    planes, restored, width, blocks, tables, maps, period
        As for `Conditioned`.
    """

    def __init__(
        self,
        planes: int = 1,
        restored: int = 1,
        width: int = 64,
        blocks: int = 4,
        tables: int = 1,
        maps: int = 4,
        period: int = 4,
    ) -> None:
        super().__init__(planes, restored, width, blocks, tables, maps, period)
        self.config: dict[str, Any] = {
            "network": "compact", "planes": planes, "restored": restored, "width": width, "blocks": blocks,
            "tables": tables, "maps": maps, "period": period,
        }  # fmt: skip
        del self.strength
        self.condition = nn.Sequential(
            nn.Linear(64 * tables, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, maps * period * period)
        )

    def hidden(self, condition: Tensor) -> Tensor:
        """The hidden layer, shape (N, width), from the steps."""
        layer: Tensor = self.condition[:2](condition[:, : 64 * self.tables])
        return layer

    def scale(self, condition: Tensor) -> Tensor:
        """A factor of 1 for each change, shape (N, 1, 1, 1)."""
        return CHANGE_UNIT * self.expected_error(condition)

    def expected_error(self, condition: Tensor) -> Tensor:
        """The same for all files, shape (N, 1, 1, 1)."""
        return torch.full((len(condition), 1, 1, 1), 1 / CHANGE_UNIT, device=condition.device)
