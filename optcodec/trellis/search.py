"""Searches over the level of a trellis: files that meet a target, in closed loop on what is really written."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace

import numpy as np

from optcodec.errors import TargetNotMetError
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.targets import largest_within
from optcodec.trellis.coder import Coder, Levels
from optcodec.trellis.indices import ac_steps

__all__ = ["START", "Aim", "Fit", "Plan", "bytes_of", "fitted", "fitted_apart", "level_like"]

Tables = tuple[QuantTable, ...]
Plan = Callable[[float], tuple[Tables, Levels]]  # tables and levels for a number, with which errors grow, bits fall
Measure = Callable[[CoefficientImage, bytes], float]

_NEAR = 0.03  # part of the limit within which tables count as found; the level alone does the rest
_ENOUGH = 0.002  # part of the limit that may stay unused
_FARTHEST = 256.0  # factor by which the level alone leaves what fits the tables
START = 50.0  # level of the first trial, for steps of about 20
_AROUND, _NEARBY = 12, 0.003  # trials behind a jump of the measure, and how far apart
_BOUNDS = 1e-9, 1e12  # of levels
# The search for a level without files: how level and error grow together, when to stop, and after how many steps.
_GROWTH, _CLOSE, _STEPS = 1.2, 0.01, 12
# Below it most coefficients become 0. For quality factors 20..90 this gives the error of a trellis within some 0.3 dB,
# within 1 dB where blocks are masked; targets are searched in closed loop.
_DEAD_ZONE = 0.74


def bytes_of(coded: CoefficientImage, data: bytes) -> float:
    """The measure of a file's size."""
    return len(data)


@dataclass(frozen=True)
class Fit:
    """What a search found.

    Parameters
    ----------
    measured : float
        The measure; below 0 if there is nothing yet.
    data : bytes
        The file.
    tables, levels
        What it was coded with.
    """

    measured: float = -1.0
    data: bytes = b""
    tables: Tables = ()
    levels: Levels = (0.0, 0.0)

    def within(self, limit: float, part: float, what: str) -> Fit:
        """This, if the measure is within a part of the limit; otherwise raise `TargetNotMetError`."""
        if self.measured < limit * (1 - part):
            raise TargetNotMetError(f"expected {what} of {limit:.10g}, but the nearest below is {self.measured:.10g}")
        return self


@dataclass
class _Trials:
    """Measures along a line of tables and levels; the best trial is kept."""

    coder: Coder
    measure: Measure
    limit: float
    line: Plan
    measures: dict[float, float] = field(default_factory=dict)
    best: Fit = field(default_factory=Fit)

    def __call__(self, place: float) -> float:
        if place not in self.measures:
            tables, levels = self.line(place)
            coded = self.coder.coded(tables, levels)
            data = self.coder.write(coded)
            found = self.measures[place] = self.measure(coded, data)
            if self.best.measured < found <= self.limit:
                self.best = Fit(found, data, tables, levels)
        return self.measures[place]

    def propose(self, low: float, high: float) -> float:
        """Where a power law through two trials comes to just below the limit."""
        least, most = max(self(low), 1e-12), max(self(high), 1e-12)
        if most <= least:
            return math.sqrt(low * high)
        part = math.log(self.limit * (1 - _ENOUGH / 2) / least) / math.log(most / least)
        return low * math.pow(high / low, min(max(part, 0.02), 0.98))

    def search(self, start: float, factor: float, bounds: tuple[float, float], near: float, what: str) -> list[float]:
        """The largest place known to keep the limit, and the next one above it that was tried."""
        low = high = min(max(start, bounds[0]), bounds[1])
        while self(low) > self.limit and low > bounds[0]:
            low = max(low / factor, bounds[0])
        while self(high) <= self.limit and high < bounds[1]:
            high = min(high * factor, bounds[1])
        low = max((place for place, found in self.measures.items() if found <= self.limit), default=low)
        high = min((place for place in self.measures if place > low), default=high)
        enough = self.limit * (1 - near)
        fits, _ = largest_within(
            self, self.limit, (low, high), enough=enough, propose=self.propose, settled=_settled, what=what
        )
        return [fits, min((place for place in self.measures if place > fits), default=fits)]


def _settled(low: float, high: float) -> bool:
    """Whether places are too close for anything but chance between them."""
    return high < low * (1 + 1e-5)


@dataclass(frozen=True)
class Aim:
    """A limit of a measure, approached from below.

    Parameters
    ----------
    measure : callable
        Of a coefficient image and its file.
    limit : float
        Largest measure allowed.
    what : str
        What is measured, for the messages of errors.
    rising : bool
        Whether the measure rises with the level, as errors do, or falls, as bytes do.
    moving : (bool, bool)
        Whether the level of luminance, and that of chrominance, is free.
    """

    measure: Measure
    limit: float
    what: str
    rising: bool = True
    moving: tuple[bool, bool] = (True, True)

    def turned(self, number: float) -> float:
        """A level as a place on a line where the measure rises, or back."""
        return number if self.rising else 1 / number

    def level_alone(self, tables: Tables, levels: Levels) -> Plan:
        """A line on which tables stay."""

        def plan(place: float) -> tuple[Tables, Levels]:
            luminance, chrominance = (self.turned(place) if free else 1.0 for free in self.moving)
            return tables, (levels[0] * luminance, levels[1] * chrominance)

        return plan


def fitted(coder: Coder, aim: Aim, plan: Plan, start: float = START) -> Fit:
    """The file whose measure is nearest below a limit.

    First tables and level are searched together, then the level alone, with the tables of either side.

    Parameters
    ----------
    coder : Coder
        The image.
    aim : Aim
        What to come close to.
    plan : callable
        Tables and levels for one level.
    start : float
        Level of the first trial.

    Raises
    ------
    TargetNotMetError
        If no level keeps the limit.
    """
    low, high = sorted(map(aim.turned, _BOUNDS))
    first = _Trials(coder, aim.measure, aim.limit, lambda place: plan(aim.turned(place)))
    start, factor = aim.turned(start), 4.0
    if coder.sample is not coder and aim.measure is bytes_of:
        sizes = [sum(c.coefficients.size for c in each.image.components) for each in (coder.sample, coder)]
        guess = _Trials(coder.sample, aim.measure, aim.limit * sizes[0] / sizes[1], first.line)
        start, factor = guess.search(start, factor, (low, high), _NEAR, aim.what)[0], 1.1
    sides = first.search(start, factor, (low, high), _NEAR, aim.what)
    best = first.best
    for side, bounds in zip(sides, ((1.0, _FARTHEST), (1 / _FARTHEST, 1.0)), strict=True):
        line = aim.level_alone(*plan(aim.turned(side)))
        best = _better(coder, aim, best, line, bounds, first(side))
    for moving in ((False, True), (True, False)):  # sizes of small files jump: what else there is to move
        if aim.moving == (True, True):
            line = replace(aim, moving=moving).level_alone(best.tables, best.levels)
            best = _better(coder, aim, best, line, (1.0, _FARTHEST), best.measured)
    return best


def _better(coder: Coder, aim: Aim, best: Fit, line: Plan, bounds: tuple[float, float], known: float) -> Fit:
    """The best fit along a line of levels, if that is better and there is need; `known` is the measure at place 1."""
    if best.measured >= aim.limit * (1 - _ENOUGH):
        return best
    trials = _Trials(coder, aim.measure, aim.limit, line, {1.0: known})
    if trials(bounds[0]) <= aim.limit:
        place = trials.search(1.0, 1.2, bounds, _ENOUGH, aim.what)[0]
        for step in range(1, _AROUND + 1):  # of small images the measure jumps up and down by a percent or so
            if trials.best.measured >= aim.limit * (1 - _ENOUGH):
                break
            trials(place * (1 + _NEARBY * step))
    return max(best, trials.best, key=lambda each: each.measured)


def fitted_apart(coder: Coder, aims: tuple[Aim, Aim], start: float) -> Fit:
    """Luminance and chrominance within a limit of their own each, one after the other."""
    luminance = fitted(coder, aims[0], lambda level: (coder.tables((level, start)), (level, start)), start)

    def plan(level: float) -> tuple[Tables, Levels]:
        levels = luminance.levels[0], level
        return (luminance.tables[0], coder.tables(levels)[1]), levels

    return fitted(coder, aims[1], plan, start)


def level_like(coder: Coder, quality: int) -> float:
    """Level at which the error is about that of default JPEG at a quality factor.

    Found on a sample of the image, with a dead zone in place of the trellis: no file is written.
    """
    sample = coder.sample
    criterion, image = sample.criterion, sample.image
    default = np.array([table.steps.ravel() for table in annex_k_tables(quality)], np.float64)
    limit = criterion.dead_zone_error(image, default, 0.5)  # rounding to nearest
    weights = criterion.per_coefficient(image)
    level = 2 * limit / sum(part.coefficients.size for part in image.components) + 1e-6
    for _ in range(_STEPS):
        steps = ac_steps(weights, (level, level), coder.step_ratio, coder.least)
        factor = limit / max(criterion.dead_zone_error(image, steps, _DEAD_ZONE), 1e-9)
        level = min(max(level * factor**_GROWTH, _BOUNDS[0]), _BOUNDS[1])
        if abs(factor - 1) < _CLOSE:
            break
    return level
