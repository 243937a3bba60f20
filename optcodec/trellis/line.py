"""Files of a trellis as a line: tables and indices by one level, and ways to come closer to a limit."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.design import DesignLine
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import QuantTable
from optcodec.lines import Bracket, Goal, Line, Refinement
from optcodec.matching import TRELLIS_TOLERANCES, Tolerances, reference_pixels
from optcodec.metrics import EQUAL_WEIGHTS, Weighted, swe_by_component
from optcodec.search import level_within
from optcodec.trellis.coder import LEVEL_BOUNDS, Coder, Levels, level_like

__all__ = ["CodedFile", "LevelLine", "TrellisLine"]

Tables = tuple[QuantTable, ...]

_FIRST_QUALITY = 75  # default JPEG of this quality has about the error of the first file that is tried
_FARTHEST = 256.0  # factor by which the level alone leaves what fits the tables
# Powers of the level with which sizes fall and errors rise, about: where tables and level move together, and where the
# level moves alone.
_TOGETHER, _ALONE = (0.5, 0.7), (0.2, 0.25)
# Relative distance of levels between which there is nothing but a jump of the tables, or chance.
_SAME_TABLES, _CHANCE = 0.01, 1e-3
# How many times as much of a size, or of an error, may stay unused where tables and level move together. The level
# alone uses up the rest. A size takes a level that is finer than the tables then, which costs more bits than it is
# worth; an error takes a coarser one, which costs nothing. Measured on 27 photographs.
_LEFT_TO_LEVEL = 5.0, 15.0
_LOOSELY = 3.0  # how many times as much of its share of a size some rows may leave: the whole image differs by more


@dataclass(frozen=True, eq=False)
class CodedFile:
    """The file of a trellis with some tables and levels; see `optcodec.lines.Candidate`.

    Parameters
    ----------
    coder : Coder
        The image.
    tables : sequence of QuantTable
        Luminance and chrominance.
    levels : (float, float)
        Error that a bit is worth in luminance, and in chrominance.
    weights : Weighted
        Of the sensitivity weighted error.
    priced_as : CodedFile, optional
        Another file, with whose Huffman tables bits are counted as indices are chosen; by default, with its own.
    """

    coder: Coder
    tables: Tables
    levels: Levels
    weights: Weighted
    priced_as: CodedFile | None = None

    @property
    def key(self) -> Hashable:
        """Tables and levels, and those of the file with whose Huffman tables bits are counted."""
        return self.tables, self.levels, self.priced_as and self.priced_as.key

    @cached_property
    def coded(self) -> CoefficientImage:
        """The indices."""
        if self.priced_as is None:
            return self.coder.coded(self.tables, self.levels)
        return self.coder.coded_like(self.priced_as.coded, self.levels)

    @cached_property
    def data(self) -> bytes:
        """The file."""
        return self.coder.write(self.coded)

    @property
    def nbytes(self) -> int:
        """Size of the file."""
        return len(self.data)

    @property
    def rate(self) -> float:
        """Size of the file."""
        return self.nbytes

    @cached_property
    def errors(self) -> tuple[float, ...]:
        """The error that the tuning weighs."""
        return _by_table(self.coder.errors(self.coded))

    @cached_property
    def swe(self) -> tuple[float, ...]:
        """Sensitivity weighted error."""
        return _by_table(swe_by_component(self.coder.image, self.coded, self.weights))


def _by_table(errors: Sequence[float]) -> tuple[float, ...]:
    """Errors of components as those of luminance, and of Cb and Cr together."""
    return (errors[0], sum(errors[1:])) if len(errors) > 1 else (errors[0],)


@dataclass(frozen=True, eq=False)
class TrellisLine:
    """Tables and indices by one level; see `optcodec.matching.TargetLine`.

    Parameters
    ----------
    coder : Coder
        The image, with a tuning.
    source : PixelSource or CoefficientSource
        Where the image comes from.
    weights : Weighted
        Of the sensitivity weighted error.
    designs : DesignLine, optional
        Tables of a method by its level; by default those that fit the trellis.
    settings_of : callable, optional
        Tables and levels by one level, where it does not move both luminance and chrominance.
    moving : (bool, bool)
        Whether the level of luminance, and that of chrominance, moves.
    method : str, optional
        Method of the tables that the user asked for.
    """

    coder: Coder
    source: PixelSource | CoefficientSource
    weights: Weighted = EQUAL_WEIGHTS
    designs: DesignLine | None = None
    settings_of: Callable[[float], tuple[Tables, Levels]] | None = None
    moving: tuple[bool, bool] = (True, True)
    method: str | None = None
    tolerances: Tolerances = TRELLIS_TOLERANCES

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest level: of a method, those of its finest and coarsest tables."""
        return LEVEL_BOUNDS if self.designs is None else self.designs.bounds

    @property
    def pixels(self) -> int:
        """Number of pixels of the image."""
        return self.coder.image.width * self.coder.image.height

    def reference(self) -> npt.NDArray[np.uint8]:
        """The pixels that decoded files are compared with."""
        return reference_pixels(self.source)

    def errors_of(self, tables: Sequence[QuantTable]) -> tuple[float, ...]:
        """The error that the tuning weighs, of rounding with some tables."""
        return _by_table(self.coder.errors(quantize(self.coder.image, tables)))

    def level_like(self, quality: int) -> float:
        """Level with about the error of default JPEG at a quality factor."""
        return level_like(self.coder, quality)

    def apart(self, luminance: CodedFile | None) -> TrellisLine:
        """The line of luminance alone, or of chrominance beside the luminance of a candidate."""
        coder = replace(self.coder, shared=False)
        if self.method is not None:
            raise InvalidInputError(
                f"luminance and chrominance are matched apart without a method, got {self.method!r}"
            )
        if luminance is None:
            return replace(self, coder=coder, designs=None, moving=(True, False))
        kept_table, kept_level = luminance.tables[0], luminance.levels[0]

        def chrominance(level: float) -> tuple[Tables, Levels]:
            levels = kept_level, level
            return (kept_table, coder.tables(levels)[1]), levels

        return replace(self, coder=coder, settings_of=chrominance, moving=(False, True))

    def at(self, level: float) -> CodedFile:
        """The candidate of a level."""
        if self.settings_of is not None:
            return self.file_with(*self.settings_of(level))
        if self.designs is None:
            return self.file_with(self.coder.tables((level, level)), (level, level))
        tables = self.designs.at(level).tables
        fitting = self.coder.level_of(tables)
        return self.file_with(tables, (fitting, fitting))

    def file_with(self, tables: Tables, levels: Levels) -> CodedFile:
        """The candidate of some tables and levels."""
        return CodedFile(self.coder, tables, levels, self.weights)

    def start(self, goal: Goal) -> float:
        """Level of the goal; for a size, the level that gives some rows of a large image their share of the bytes."""
        if self.designs is not None:
            return self.designs.start(goal)
        sample, first = self.coder.sample, goal.start or level_like(self.coder, _FIRST_QUALITY)
        if goal.rising or sample is self.coder:
            return first
        counts = [sum(part.coefficients.size for part in coder.image.components) for coder in (sample, self.coder)]
        portion = counts[0] / counts[1]
        share = replace(goal, limit=portion * goal.limit, tolerance=_LOOSELY * portion * goal.tolerance)
        return level_within(replace(self, coder=sample), share) or first

    def growth(self, goal: Goal) -> float:
        """Power of the level with which an error rises, or of its inverse with which a size does, about."""
        return _TOGETHER[goal.rising]

    def near(self, goal: Goal) -> float:
        """More than the goal tolerates: the level alone comes closer."""
        return _LEFT_TO_LEVEL[goal.rising] * goal.tolerance

    def estimate(self, goal: Goal) -> Callable[[float], float] | None:
        """Not known without the trellis."""
        return None

    def settled(self, lower: float, upper: float) -> bool:
        """Whether levels are too close for anything but a jump of the tables between them."""
        return upper < lower * (1 + _SAME_TABLES)

    def refinements(self, goal: Goal) -> Sequence[Sequence[Refinement[CodedFile]]]:
        """The level alone, with the tables of both levels; then the level of chrominance, or of luminance, alone.

        Last, the bits of all symbols stay those of the best file. Otherwise they change with the level by whole bits,
        and all indices with them, so that the size of a small file may jump by several percent.
        """
        close = self.near(goal)

        def below(bracket: Bracket, best: CodedFile) -> LevelLine:
            return LevelLine(self, self.at(bracket.fits), self.moving)

        def above(bracket: Bracket, best: CodedFile) -> LevelLine | None:
            return None if bracket.exceeds is None else LevelLine(self, self.at(bracket.exceeds), self.moving)

        def close_above(bracket: Bracket, best: CodedFile) -> LevelLine | None:
            return above(bracket, best) if bracket.excess <= close else None

        def alone(moving: tuple[bool, bool]) -> Refinement[CodedFile]:
            return lambda bracket, best: LevelLine(self, best, moving)

        def evenly(bracket: Bracket, best: CodedFile) -> LevelLine:
            return LevelLine(self, best, self.moving, evenly=True)

        groups: list[list[Refinement[CodedFile]]] = [[below, close_above], [above]]
        if not goal.of_file and all(self.moving) and len(self.coder.image.components) > 1:
            # a measure of the file may hardly see chrominance, and must not give it up for a few bytes
            groups += [[alone((False, True))], [alone((True, False))]]
        return [*groups, [evenly]]


@dataclass(frozen=True, eq=False)
class LevelLine(Line[CodedFile]):
    """Files with the same tables: what the level of luminance, of chrominance or of both is multiplied by.

    Parameters
    ----------
    line : TrellisLine
        Where the tables come from.
    first : CodedFile
        The candidate with factor 1.
    moving : (bool, bool)
        Whether the level of luminance, and that of chrominance, moves.
    evenly : bool
        Whether bits are counted with the Huffman tables of the first candidate, so that sizes do not jump.
    """

    line: TrellisLine
    first: CodedFile
    moving: tuple[bool, bool]
    evenly: bool = False

    @property
    def bounds(self) -> tuple[float, float]:
        """Factors that leave what fits the tables by far."""
        return 1 / _FARTHEST, _FARTHEST

    def at(self, level: float) -> CodedFile:
        """The candidate of a factor."""
        luminance, chrominance = (level if moves else 1.0 for moves in self.moving)
        levels = self.first.levels[0] * luminance, self.first.levels[1] * chrominance
        file = self.line.file_with(self.first.tables, levels)
        return replace(file, priced_as=self.first) if self.evenly else file

    def start(self, goal: Goal) -> float:
        """The first candidate, which is measured already."""
        return 1.0

    def growth(self, goal: Goal) -> float:
        """As that of the whole line, but indices alone change less."""
        return _ALONE[goal.rising]

    def settled(self, lower: float, upper: float) -> bool:
        """Whether levels are too close for anything but chance between them."""
        return upper < lower * (1 + _CHANCE)
