"""From a target to tables: the searches over the levels of a family of tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Protocol

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.design.histogram import MAX_STEP
from optcodec.targets import largest_within

__all__ = ["Family", "Joint", "match_error", "meet_size"]

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]

# A file counts as meeting its size when it is this close to it.
_SIZE_TOLERANCE = 0.01
# An error is matched to this part of it, where whole steps allow.
_ERROR_TOLERANCE = 1e-5
_TRIES = 32  # single steps to get to a size, each with a file written
_MOVES = 4  # by which a single step is changed at most, at a time, to get there


class Family(Protocol):
    """Tables as a function of one level, on which no step falls."""

    @property
    def bounds(self) -> tuple[float, float]:
        """Levels above 0 of the finest and of the coarsest table."""

    def steps(self, level: float, /) -> Steps:
        """Steps (64,) at a level."""


@dataclass(frozen=True, eq=False)
class Joint:
    """Families that share a level: one for luminance, one for chrominance.

    Beyond the coarsest tables of all families, steps grow together to 255; before the finest, they fall to 1.

    Parameters
    ----------
    families : sequence of Family
        In the order of their tables.
    least : ndarray of int64, shape (families, 64), or int
        No step goes below this.
    most : int
        Largest step of all families, as long as not all steps go beyond it together.
    """

    families: Sequence[Family]
    least: Steps | int = 1
    most: int = MAX_STEP

    @cached_property
    def bounds(self) -> tuple[float, float]:
        """Level of the finest tables, and of those with 255 everywhere."""
        lows, highs = zip(*(family.bounds for family in self.families), strict=True)
        return min(lows) / 2, 2 * max(highs)

    def steps(self, level: float) -> Steps:
        """Steps (families, 64) at a level."""
        low, high = self.bounds[0] * 2, self.bounds[1] / 2
        inside = min(max(level, low), high)
        steps = np.array([family.steps(inside) for family in self.families])
        if level > high:
            steps += np.rint((MAX_STEP - steps) * (level / high - 1)).astype(np.int64)
        if level < low:
            steps -= np.rint((steps - 1) * 2 * (1 - level / low)).astype(np.int64)
        bounded: Steps = np.maximum(steps, self.least)
        return bounded


def match_error(joint: Joint, errors: Floats, limit: float) -> tuple[Steps, float]:
    """Tables whose error is as near to a limit as whole steps allow, and not above it.

    Parameters
    ----------
    joint : Joint
        Families of tables.
    errors : ndarray of float64, shape (families, 64, 255)
        True weighted error of steps 1..255.
    limit : float
        Error of all families together.

    Returns
    -------
    tuple of (ndarray of int64 of shape (families, 64), float)
        The steps, and their error.

    Raises
    ------
    TargetNotMetError
        If the finest tables have a larger error already.
    """

    steps_at: dict[float, Steps] = {}

    def measure(level: float) -> float:
        steps = steps_at[level] = joint.steps(level)
        return float(_pick(errors, steps).sum())

    def settled(low: float, high: float) -> bool:
        return bool((steps_at[high] - steps_at[low]).sum() <= 1)  # no step falls: there is no table in between

    # rounding in the sums must not turn an equal error into a larger one
    limit *= 1 + 1e-12
    enough = limit * (1 - _ERROR_TOLERANCE)
    level, _ = largest_within(measure, limit, joint.bounds, enough=enough, settled=settled, what="an error (SWE)")
    steps = _filled(steps_at[level], errors, limit, joint)
    return steps, float(_pick(errors, steps).sum())


def _pick(table: Floats, steps: Steps) -> Floats:
    """Values (families, 64) of a table (families, 64, 255) at some steps."""
    first = np.arange(0, table.size, table.shape[-1]).reshape(steps.shape)
    picked: Floats = table.ravel()[first + steps - 1]  # a quarter of the time of np.take_along_axis
    return picked


def _filled(steps: Steps, errors: Floats, limit: float, joint: Joint) -> Steps:
    """Spend what is left of an error: first on single increments of steps, which make the file smaller, each time the
    one that takes most; then, where none fits any more, on coarsening one step and refining another."""
    steps = steps.copy()
    bounds = joint.least, joint.most if steps.max() <= joint.most else MAX_STEP
    for _ in range(4 * steps.size):
        rest = limit - float(_pick(errors, steps).sum())
        if rest <= limit * _ERROR_TOLERANCE:
            break
        coarser = _costs(errors, steps, +1, bounds)
        best = _largest_below(coarser[0], rest)
        if best is not None:
            steps.flat[best] += 1
            continue
        finer = _costs(errors, steps, -1, bounds)
        both = np.where(coarser > 0, coarser, 0)[:, :, None, None] + np.where(finer < 0, finer, 0)
        both[:, np.arange(steps.size), :, np.arange(steps.size)] = 0  # two different entries
        best = _largest_below(both, rest)
        if best is None:
            break
        up, coarsened, down, refined = np.unravel_index(best, both.shape)
        steps.flat[coarsened] += up + 1
        steps.flat[refined] -= down + 1
        steps = np.clip(steps, *bounds)
    return steps


def _costs(errors: Floats, steps: Steps, sign: int, bounds: tuple[Steps | int, int]) -> Floats:
    """Change of the error where a single step moves by 1, 2, ... in one direction: shape (moves, entries)."""
    now = _pick(errors, steps)
    moved = (np.clip(steps + sign * move, *bounds) for move in range(1, _MOVES + 1))
    return np.array([(_pick(errors, there) - now).ravel() for there in moved])


def _largest_below(costs: Floats, rest: float) -> int | None:
    """Where the largest cost is that fits, if one does and is worth a move."""
    fitting = np.where(costs <= rest, costs, 0.0)
    best = int(np.argmax(fitting))
    return best if fitting.flat[best] > rest * 1e-3 else None


def meet_size(joint: Joint, bits: Floats, limit: int, size_of: Callable[[Steps], int]) -> tuple[Steps, int]:
    """Tables whose file is within 1 % below a size, if there are any, and never above it.

    Parameters
    ----------
    joint : Joint
        Families of tables.
    bits : ndarray of float64, shape (families, 64, 255)
        Estimate of the bits that all coefficients of a frequency take with steps 1..255.
    limit : int
        Bytes.
    size_of : callable
        Bytes of the real file with steps (families, 64).

    Returns
    -------
    tuple of (ndarray of int64 of shape (families, 64), int)
        The steps, and the bytes of their file.

    Raises
    ------
    TargetNotMetError
        If even the coarsest tables make a larger file.
    """
    search = _SizeSearch(joint, bits, limit, size_of)
    low, high = joint.bounds
    ends, what = (1 / high, 1 / low), "a file size in bytes"
    fits, exceeds = largest_within(search.size, limit, ends, enough=search.enough, propose=search.propose, what=what)
    coarse, fine = joint.steps(1 / fits), joint.steps(1 / exceeds)
    if search.size(fits) < search.enough and not np.array_equal(coarse, fine):
        coarse = search.refined(search.between(coarse, fine))
    return coarse, search.size_of_steps(coarse)


class _SizeSearch:
    """Sizes of real files along the inverse of the level, with an estimate that learns from each of them."""

    def __init__(self, joint: Joint, bits: Floats, limit: int, size_of: Callable[[Steps], int]) -> None:
        self._joint, self._bits, self._limit, self._size_of = joint, bits, limit, size_of
        self._sizes: dict[bytes, int] = {}
        self.enough = limit * (1 - _SIZE_TOLERANCE)

    def size_of_steps(self, steps: Steps) -> int:
        key = steps.tobytes()
        if key not in self._sizes:
            self._sizes[key] = self._size_of(steps)
        return self._sizes[key]

    def size(self, fineness: float) -> int:
        """Bytes of the real file; fineness is 1 / level."""
        return self.size_of_steps(self._joint.steps(1 / fineness))

    def _estimate(self, fineness: float) -> float:
        return float(_pick(self._bits, self._joint.steps(1 / fineness)).sum()) / 8

    def propose(self, low: float, high: float) -> float:
        """Where the estimate expects a file in the middle of the tolerance, scaled to fit the real ends."""
        least, most = self._estimate(low), self._estimate(high)
        size_low, size_high = self.size(low), self.size(high)
        wanted = (self._limit + self.enough) / 2
        aim = least + (most - least) * (wanted - size_low) / (size_high - size_low)
        return largest_within(self._estimate, max(aim, least), (low, high), enough=0.9995 * aim)[0]

    def between(self, coarse: Steps, fine: Steps) -> Steps:
        """Steps on the way from a table that fits to one that does not, frequency by frequency."""
        gaps = (coarse - fine).ravel()
        starts = np.cumsum(gaps) - gaps

        def blend(number: int) -> Steps:
            """The first ``number`` units of all differences are taken back."""
            blended: Steps = coarse - np.clip(number - starts, 0, gaps).reshape(coarse.shape)
            return blended

        fits, exceeds = 0, int(gaps.sum())
        while exceeds - fits > 1:
            middle = (fits + exceeds) // 2
            found = self.size_of_steps(blend(middle))
            if found > self._limit:
                exceeds = middle
            else:
                fits = middle
                if found >= self.enough:
                    break
        return blend(fits)

    def refined(self, steps: Steps) -> Steps:
        """Spend what is left on finer single steps, each time the one expected to take most of it.

        Needed where one unit of a step moves the file by more than the tolerance, as in files that were quantized
        before: their coefficients leave zero all at once.
        """
        refused: set[tuple[int, int]] = set()
        for _ in range(_TRIES):
            size = self.size_of_steps(steps)
            if size >= self.enough:
                break
            gains = _costs(self._bits, steps, -1, (self._joint.least, MAX_STEP)) / 8
            for move in refused:
                gains[move] = 0
            best = _largest_below(gains, self._limit - size)
            if best is None:
                break
            units, entry = divmod(best, steps.size)
            finer = steps.copy()
            finer.flat[entry] -= units + 1
            finer = np.maximum(finer, self._joint.least)
            if self.size_of_steps(finer) <= self._limit:
                steps = finer
            else:
                refused.add((units, entry))
        return steps
