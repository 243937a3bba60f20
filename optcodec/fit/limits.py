"""What coding may cost a network, and whether it did."""

from __future__ import annotations

import math
from dataclasses import dataclass

from optcodec.accuracy.verification import Figure, Verification
from optcodec.errors import InvalidInputError
from optcodec.scalars import real_number

__all__ = ["FitLimits", "divergence_of", "top1_change"]


@dataclass(frozen=True)
class FitLimits:
    """Limits that the mean of the pictures keeps; at least one is set.

    Parameters
    ----------
    max_loss_points : float, optional
        Largest fall of the top-1 accuracy, in percentage points; see `top1_change`.
    max_kl : float, optional
        Largest mean divergence of the network's output from that on the originals, in nats.

    Raises
    ------
    InvalidInputError
        If no limit is set, or one is no such number.
    """

    max_loss_points: float | None = None
    max_kl: float | None = None

    def __post_init__(self) -> None:
        if self.max_loss_points is None and self.max_kl is None:
            raise InvalidInputError("expected a largest loss of top-1 accuracy or a largest divergence, got neither")
        for name, value in vars(self).items():
            if value is not None:
                real_number(value, name, or_zero=True)
        if self.max_loss_points is not None and self.max_loss_points > 100:
            raise InvalidInputError(f"a loss of top-1 accuracy is at most 100 points, got {self.max_loss_points!r}")

    def excess(self, verification: Verification) -> float:
        """The largest part of a limit that is used; above 1 if it is exceeded."""
        return self._used(-top1_change(verification).value, divergence_of(verification).value)

    def are_kept(self, verification: Verification) -> bool:
        """Whether the means keep the limits."""
        return self.excess(verification) <= 1

    def are_certain(self, verification: Verification) -> bool:
        """Whether the worse ends of the 95 % intervals keep the limits, too."""
        return self._used(-top1_change(verification).low, divergence_of(verification).high) <= 1

    def _used(self, points: float, kl: float) -> float:
        limits = ((points, self.max_loss_points), (kl, self.max_kl))
        return max(_part(value, limit) for value, limit in limits if limit is not None)


def _part(value: float, limit: float) -> float:
    if limit > 0:
        return value / limit
    return 0.0 if value <= 0 else math.inf


def divergence_of(verification: Verification) -> Figure:
    """Mean divergence of the output of a classifier; pictures are fitted for nothing else."""
    assert verification.kl is not None
    return verification.kl


def top1_change(verification: Verification) -> Figure:
    """How top-1 accuracy changed, in percentage points; without labels, minus the part of decisions that changed."""
    if verification.top1_change_points is not None:
        return verification.top1_change_points
    same = verification.agreement_percent
    return Figure(same.value - 100, same.low - 100, same.high - 100)
