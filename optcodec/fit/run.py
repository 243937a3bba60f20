"""Choose how to code pictures for a network: on a sample of them, verified on others."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

from optcodec.errors import InvalidInputError
from optcodec.fit.bench import Bench, Failures, Original, Point
from optcodec.fit.limits import FitLimits
from optcodec.fit.search import searched
from optcodec.fit.ways import DEFAULT_JPEG, Setting, Way
from optcodec.vision.datasets import Labelled, sample

__all__ = ["QUALITIES", "Choices", "Fit", "fit_plan", "split"]

QUALITIES = (*range(5, 80, 5), *range(80, 99, 2))  # from one to the next, files grow by about a tenth


@dataclass(frozen=True)
class Choices:
    """What is tried.

    Parameters
    ----------
    ways : sequence of Way
        Methods. Default JPEG at 4:2:0 in full size is tried in any case, for comparison. Those with a network in the
        loop are tried last, with the sampling and the resolution that are best for the others.
    samplings : sequence of str
        Chroma subsamplings.
    short_sides : sequence of int or None
        Lengths of the shorter side to which pictures are reduced; None for their full size. Those by which no picture
        gets smaller are left out.
    qualities : sequence of int
        1..100, in rising order.
    """

    ways: Sequence[Way]
    samplings: Sequence[str] = ("4:2:0", "4:4:4")
    short_sides: Sequence[int | None] = (None, 256)
    qualities: Sequence[int] = QUALITIES


@dataclass(frozen=True, eq=False)
class Fit:
    """What was measured, and what was chosen.

    Parameters
    ----------
    points : tuple of Point
        All that was measured on the sample, in that order.
    verified : tuple of Point
        What was verified on other pictures, in that order.
    chosen : Point or None
        The first of these that keeps the limits, measured on the other pictures; None if there is none.
    default_jpeg : Point or None
        Default JPEG at 4:2:0 in full size, for comparison: at the least quality that keeps the limits on the other
        pictures, which it is searched for there, so that chance does not speak for what was chosen.
    nearest : Point
        What comes nearest to the limits, on the other pictures if any was verified, otherwise on the sample.
    failures : list of (path, str)
        Pictures that cannot be read or classified, and why.
    """

    points: tuple[Point, ...]
    verified: tuple[Point, ...]
    chosen: Point | None
    default_jpeg: Point | None
    nearest: Point
    failures: Failures


def split(images: Sequence[Labelled], count: int, others: int, seed: int) -> tuple[list[Labelled], list[Labelled]]:
    """Draw a sample, and other pictures; of few pictures, one half each. The same seed draws the same.

    Raises
    ------
    InvalidInputError
        If there are fewer than two pictures.
    """
    if len(images) < 2:
        raise InvalidInputError(f"expected at least 2 pictures, one to choose by and one to verify, got {len(images)}")
    drawn = sample(list(images), None, seed=seed)
    count = min(count, len(drawn) // 2)
    return drawn[:count], drawn[count : count + others]


def fit_plan(
    bench: Bench,
    pictures: tuple[Sequence[Labelled], Sequence[Labelled]],
    choices: Choices,
    limits: FitLimits,
) -> Fit:
    """Find the setting and quality of the fewest bytes that keeps limits.

    Each setting is searched for the least quality that keeps the limits on the sample. What has the fewest bytes is
    verified on the other pictures; where it does not keep the limits there, the next one is, until one does. The more
    that takes, the more chance speaks for it: the number of tries belongs to the result.

    Parameters
    ----------
    bench : Bench
        The network, and how work is done.
    pictures : tuple of two sequences of LabelledImage or the like
        The sample, and the others; see `split`.
    choices : Choices
        What is tried.
    limits : FitLimits
        Compared with the means over the pictures.

    Raises
    ------
    InvalidInputError
        If no picture of a part can be read, with the reason of the first.
    """
    (chosen_by, failures), (others, more) = (bench.originals(part) for part in pictures)
    failures = failures + more
    if not chosen_by or not others:
        path, reason = failures[0]
        raise InvalidInputError(f"none of the pictures can be used: {path}: {reason.removeprefix(f'{path}: ')}")
    search = _Search(bench, chosen_by, choices, limits)
    points = search.all_points()
    candidates = sorted(filter(search.keeps, points), key=lambda point: point.nbytes)
    again = replace(search, originals=others)
    verified = _verified(again, candidates)
    chosen = verified[-1] if verified and again.keeps(verified[-1]) else None
    rivals = again.searched([Setting(DEFAULT_JPEG)], []) if chosen else []
    default_jpeg = min(filter(again.keeps, rivals), key=lambda point: point.nbytes, default=None)
    nearest = min(verified or points, key=lambda point: (search.excess(point), point.nbytes))
    return Fit(tuple(points), tuple(verified), chosen, default_jpeg, nearest, failures)


def _verified(again: _Search, candidates: Sequence[Point]) -> list[Point]:
    """The first candidates on other pictures, up to one that keeps the limits there, too."""
    verified: list[Point] = []
    for candidate in candidates:
        verified.append(again.bench.point(candidate.setting, candidate.quality, again.originals))
        if again.keeps(verified[-1]):
            break
    return verified


@dataclass(frozen=True, eq=False)
class _Search:
    """The search on some pictures."""

    bench: Bench
    originals: Sequence[Original]
    choices: Choices
    limits: FitLimits

    def excess(self, point: Point) -> float:
        """The largest part of a limit that is used, infinite if nothing could be coded."""
        return float("inf") if point.verification is None else self.limits.excess(point.verification)

    def keeps(self, point: Point) -> bool:
        """Whether a point keeps the limits."""
        return self.excess(point) <= 1

    def all_points(self) -> list[Point]:
        """Points of all settings: first those that take little time."""
        plain = Setting(DEFAULT_JPEG)
        quick = [way for way in self.choices.ways if not way.is_loop and way is not DEFAULT_JPEG]
        jpeg = [way for way in self.choices.ways if way is DEFAULT_JPEG]
        settings = [setting for way in (*jpeg, *quick) for setting in self._settings(way)]
        points = self.searched([plain, *(setting for setting in settings if not setting.is_plain)], [])
        return self.searched([self._like_the_best(way, points) for way in self.choices.ways if way.is_loop], points)

    def _like_the_best(self, way: Way, points: Sequence[Point]) -> Setting:
        """A way with the sampling and the resolution that are best for others, of those that it is for."""
        samplings = self.choices.samplings if way.subsampling is None else (way.subsampling,)
        others = [point for point in points if point.setting.subsampling in samplings]
        if not others:
            return Setting(way, samplings[0])
        best = min(others, key=lambda point: (max(self.excess(point), 1), point.nbytes)).setting
        return Setting(way, best.subsampling, best.short_side)

    def _settings(self, way: Way) -> list[Setting]:
        shortest = max(min(original.width, original.height) for original in self.originals)
        return [
            Setting(way, sampling, side)
            for sampling in self.choices.samplings
            for side in self.choices.short_sides
            if way.subsampling in (None, sampling) and (side is None or side < shortest)
        ]

    def searched(self, settings: Sequence[Setting], points: Sequence[Point]) -> list[Point]:
        """Points that are known, and those that the search for the least quality of each setting measures."""
        points = list(points)
        for setting in settings:
            most = min((point.nbytes for point in points if self.keeps(point)), default=float("inf"))
            points += searched(self._measure(setting), self.choices.qualities, self.keeps, most)
        return points

    def _measure(self, setting: Setting) -> Callable[[int], Point]:
        return lambda quality: self.bench.point(setting, quality, self.originals)
