"""What coding may cost a network, and whether it did."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from optcodec.accuracy.verification import Figure, Verification
from optcodec.errors import InvalidInputError
from optcodec.scalars import real_number

__all__ = ["FitLimits", "top1_change"]


_Number = Callable[[Figure], float]


@dataclass(frozen=True)
class FitLimits:
    """Limits that the mean of the pictures keeps; at least one is set.

    Parameters
    ----------
    max_loss_points : float, optional
        Largest fall of the top-1 accuracy, in percentage points; see `top1_change`.
    max_kl : float, optional
        Largest mean divergence of the network's output from that on the originals, in nats; of classifiers only.
    min_agreement : float, optional
        Least part of the network's decisions or outputs that stay, in percent.

    Raises
    ------
    InvalidInputError
        If no limit is set, or one is no such number.
    """

    max_loss_points: float | None = None
    max_kl: float | None = None
    min_agreement: float | None = None

    def __post_init__(self) -> None:
        if all(limit is None for limit in vars(self).values()):
            raise InvalidInputError(
                "expected a largest loss of top-1 accuracy, a largest divergence or a least agreement, got none"
            )
        for name, value in vars(self).items():
            if value is not None:
                real_number(value, name, or_zero=True)
        if self.max_loss_points is not None and self.max_loss_points > 100:
            raise InvalidInputError(f"a loss of top-1 accuracy is at most 100 points, got {self.max_loss_points!r}")
        if self.min_agreement is not None and self.min_agreement > 100:
            raise InvalidInputError(f"min_agreement is a percentage up to 100, got {self.min_agreement!r}")

    def excess(self, verification: Verification) -> float:
        """The largest part of a limit that is used; above 1 if it is exceeded."""
        return self._used(verification, lambda figure: figure.value, lambda figure: figure.value)

    def are_kept(self, verification: Verification) -> bool:
        """Whether the means keep the limits."""
        return self.excess(verification) <= 1

    def are_certain(self, verification: Verification) -> bool:
        """Whether the worse ends of the 95 % intervals keep the limits, too."""
        return self._used(verification, lambda figure: figure.low, lambda figure: figure.high) <= 1

    def _used(self, verification: Verification, least: _Number, most: _Number) -> float:
        """The largest part of a limit that is used, by these numbers of figures that are to be large and to be small.

        Raises
        ------
        InvalidInputError
            If a divergence is limited, and there is none.
        """
        parts = []
        if self.max_loss_points is not None:
            parts.append(_part(-least(top1_change(verification)), self.max_loss_points))
        if self.min_agreement is not None:
            parts.append(_part(100 - least(verification.agreement_percent), 100 - self.min_agreement))
        if self.max_kl is not None:
            if verification.kl is None:
                raise InvalidInputError("max_kl limits what classes have, got a network that gives none")
            parts.append(_part(most(verification.kl), self.max_kl))
        return max(parts)


def _part(value: float, limit: float) -> float:
    if limit > 0:
        return value / limit
    return 0.0 if value <= 0 else math.inf


def top1_change(verification: Verification) -> Figure:
    """How top-1 accuracy changed, in percentage points; without labels, minus the part of decisions that changed."""
    if verification.top1_change_points is not None:
        return verification.top1_change_points
    same = verification.agreement_percent
    return Figure(same.value - 100, same.low - 100, same.high - 100)
