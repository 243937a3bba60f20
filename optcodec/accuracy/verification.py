"""What coding changed in many pictures: means with their intervals, the worst pictures, and limits.

The intervals say how far other pictures of the same kind may be from these, see `optcodec.bootstrap`. Where all
decisions are alike, so are all resamples; the open end is then that of the exact interval of a binomial share (Clopper
and Pearson, *The use of confidence or fiducial limits*, Biometrika 26, 1934): that 20 of 20 decisions stayed proves
83 %, not 99 %.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.change import Change
from optcodec.bootstrap import CONFIDENCE_PERCENT, mean_of_draws, percentile_interval
from optcodec.errors import InvalidInputError
from optcodec.scalars import real_number

__all__ = ["RESAMPLES", "Check", "Figure", "Limits", "Verification", "verification_of"]

Floats = npt.NDArray[np.float64]

RESAMPLES = 2000


@dataclass(frozen=True)
class Figure:
    """A mean or another figure of the pictures, and the ends of its 95 % interval."""

    value: float
    low: float
    high: float


@dataclass(frozen=True)
class Verification:
    """What coding changed in a set of pictures.

    Parameters
    ----------
    images : int
        Number of pictures.
    nbytes_before, nbytes_after : int
        Sums of the sizes of their files.
    saved_percent : Figure
        How much smaller all coded files together are than the originals; negative if they are larger.
    agreement_percent : Figure
        Pictures whose most likely class stayed as it was; otherwise the mean of `Change.agreement`.
    loss_increase, kl : Figure or None
        Means of `Change.loss_increase` and of `Change.kl`, in nats; None where there are none.
    top1_percent_before, top1_percent_after, top1_change_points : Figure or None
        Pictures whose most likely class is the label, and the difference in percentage points; None without labels.
    worst : tuple of Change
        The pictures whose loss grew most, by falling increase; without losses, those that agree least.
    """

    images: int
    nbytes_before: int
    nbytes_after: int
    saved_percent: Figure
    agreement_percent: Figure
    loss_increase: Figure | None
    kl: Figure | None
    top1_percent_before: Figure | None
    top1_percent_after: Figure | None
    top1_change_points: Figure | None
    worst: tuple[Change, ...]


def verification_of(changes: Sequence[Change], *, worst: int = 10, seed: int = 0) -> Verification:
    """Means of the changes in all pictures, with their intervals.

    Parameters
    ----------
    changes : sequence of Change
        At least one; all with labels or all without.
    worst : int
        Number of the worst pictures to name.
    seed : int
        Of the resamples for the intervals.

    Raises
    ------
    InvalidInputError
        If there are no changes, or only some have labels.
    """
    labelled = {change.label is not None for change in changes}
    if len(labelled) != 1:
        expected = "expected labels for all pictures or for none" if changes else "expected at least one picture"
        raise InvalidInputError(f"{expected}, got {sum(change.label is not None for change in changes)} labels")

    def of(value: Callable[[Change], float | None]) -> Figure | None:
        values = [value(change) for change in changes]
        return None if None in values else _figure(np.array(values, np.float64), seed)

    def share(value: Callable[[Change], float]) -> Figure:
        return _share_percent([value(change) for change in changes], seed)

    has_labels = labelled == {True}
    return Verification(
        len(changes),
        sum(change.nbytes_before for change in changes),
        sum(change.nbytes_after for change in changes),
        saved_percent=_figure(
            [(change.nbytes_before, change.nbytes_after) for change in changes], seed, _saved_percent
        ),
        agreement_percent=share(lambda change: change.agreement),
        loss_increase=of(lambda change: change.loss_increase),
        kl=of(lambda change: change.kl),
        top1_percent_before=share(lambda change: _right(change)[0]) if has_labels else None,
        top1_percent_after=share(lambda change: _right(change)[1]) if has_labels else None,
        top1_change_points=of(lambda change: 100 * (_right(change)[1] - _right(change)[0])) if has_labels else None,
        worst=tuple(sorted(changes, key=_rank)[:worst]),
    )


def _rank(change: Change) -> tuple[float, float, float, str]:
    """What the worst picture has least of."""
    return -(change.loss_increase or 0.0), -(change.kl or 0.0), change.agreement, change.name


@dataclass(frozen=True)
class Check:
    """A limit, the end of the interval that was compared with it, and whether it is kept."""

    name: str
    limit: float
    reached: float
    kept: bool


@dataclass(frozen=True)
class Limits:
    """What coding may change. Limits are compared with the end of the 95 % interval that is worse, not with the mean.

    Parameters
    ----------
    max_loss, max_kl : float, optional
        Largest mean loss increase and largest mean divergence, in nats.
    min_agreement : float, optional
        Least percentage of pictures whose most likely class stays, 0..100.

    Raises
    ------
    InvalidInputError
        If a limit is no such number.
    """

    max_loss: float | None = None
    max_kl: float | None = None
    min_agreement: float | None = None

    def __post_init__(self) -> None:
        for name, value in vars(self).items():
            if value is not None:
                real_number(value, name, or_zero=True)
        if self.min_agreement is not None and self.min_agreement > 100:
            raise InvalidInputError(f"min_agreement is a percentage up to 100, got {self.min_agreement!r}")

    def checks(self, verification: Verification) -> tuple[Check, ...]:
        """A check for each limit; one picture, whose interval says nothing of others, keeps none.

        Raises
        ------
        InvalidInputError
            If a loss or a divergence is limited, and there is none.
        """
        checks, several = [], verification.images > 1
        for name, figure in (("max_loss", verification.loss_increase), ("max_kl", verification.kl)):
            limit = getattr(self, name)
            if limit is not None:
                if figure is None:
                    raise InvalidInputError(f"{name} limits what classes have, got a network that gives none")
                checks.append(Check(name, limit, figure.high, several and figure.high <= limit))
        least = verification.agreement_percent.low
        if self.min_agreement is not None:
            checks.append(Check("min_agreement", self.min_agreement, least, several and least >= self.min_agreement))
        return tuple(checks)


def _figure(values: npt.ArrayLike, seed: int, statistic: Callable[[Floats], Floats] = mean_of_draws) -> Figure:
    array = np.asarray(values, np.float64)
    low, high = percentile_interval(array, resamples=RESAMPLES, seed=seed, statistic=statistic)
    return Figure(float(statistic(array[None])[0]), low, high)


def _share_percent(hits: Sequence[float], seed: int) -> Figure:
    """Percentage of hits, or of parts in 0..1, with the exact interval where there is nothing else, or none."""
    figure = _figure([100 * hit for hit in hits], seed)
    if set(hits) not in ({0}, {1}):
        return figure
    beyond = (1 - CONFIDENCE_PERCENT / 100) / 2
    least = 100 * beyond ** (1 / len(hits))  # of a share that gives nothing but hits with this probability
    return Figure(100, least, 100) if all(hits) else Figure(0, 0, 100 - least)


def _saved_percent(drawn: Floats) -> Floats:
    """Bytes saved in each draw of sizes before and after (draws, images, 2), in percent."""
    before, after = drawn.sum(axis=1).T
    return np.asarray(100 * (1 - after / before))


def _right(change: Change) -> tuple[bool, bool]:
    """Whether the label is the most likely class of the original and of the coded picture."""
    return change.decision_before == change.label, change.decision_after == change.label
