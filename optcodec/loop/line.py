"""Files of the loop as a line: each starts from a file of the trellis, whose bytes it keeps."""

from __future__ import annotations

from collections.abc import Hashable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.errors import InvalidInputError
from optcodec.jpeg.tables import QuantTable
from optcodec.lines import Candidate, Goal, Line
from optcodec.loop.judge import DecodedFile, Judge
from optcodec.loop.rounds import ReadFile, least_loss, rounds_from
from optcodec.matching import Tolerances
from optcodec.trellis.line import CodedFile, TrellisLine

__all__ = ["LoopFile", "ReadLine"]

_GROWTH = 0.7  # power of the level with which a loss rises, about
_SETTLED = 0.04  # relative distance of levels that is not divided any more: some 2 % of the bytes


@dataclass(frozen=True, eq=False)
class LoopFile(Candidate):
    """The file that the loop makes of one of the trellis; see `optcodec.lines.Candidate`.

    Parameters
    ----------
    start : CodedFile
        The file of the trellis.
    judge : Judge
        What reads the files.
    rounds : int
        How many gradients the loop asks for.
    """

    start: CodedFile
    judge: Judge
    rounds: int

    @cached_property
    def read(self) -> ReadFile:
        """The file with its loss: the best that has no more bytes than the first one."""
        return least_loss(rounds_from(self.start, self.judge, self.start.nbytes, self.rounds))

    @property
    def key(self) -> Hashable:
        """Tables and levels of the first file."""
        return self.start.key

    @property
    def tables(self) -> tuple[QuantTable, ...]:
        """Tables of the first file, which stay."""
        return self.start.tables

    @property
    def data(self) -> bytes:
        """The file."""
        return self.read.data

    @cached_property
    def errors(self) -> tuple[float, ...]:
        """The largest loss of its readers."""
        return (max(self.read.verdict.losses),)

    @property
    def swe(self) -> tuple[float, ...]:
        """Sensitivity weighted error of the first file."""
        return self.start.swe


@dataclass(frozen=True, eq=False)
class ReadLine(Line[LoopFile]):
    """Files of the loop by the level of the trellis; see `optcodec.matching.TargetLine`.

    Parameters
    ----------
    line : TrellisLine
        Files to start from.
    judge : Judge
        What reads the files.
    rounds : int
        How many gradients the loop asks for, for each file.
    begin : float, optional
        Level at which a search starts; that of the trellis by default.
    """

    line: TrellisLine
    judge: Judge
    rounds: int
    begin: float | None = None

    @property
    def bounds(self) -> tuple[float, float]:
        """Lowest and highest level."""
        return self.line.bounds

    @property
    def pixels(self) -> int:
        """Number of pixels of the image."""
        return self.line.pixels

    @property
    def tolerances(self) -> Tolerances:
        """How closely the line comes to a limit."""
        return self.line.tolerances

    def reference(self) -> npt.NDArray[np.uint8]:
        """The pixels that decoded files are compared with."""
        return self.line.reference()

    def errors_of(self, tables: Sequence[QuantTable]) -> tuple[float, ...]:
        """The error that the tuning weighs, of rounding with some tables."""
        return self.line.errors_of(tables)

    def level_like(self, quality: int) -> float:
        """Level with about the error of default JPEG at a quality factor."""
        return self.line.level_like(quality)

    def apart(self, luminance: LoopFile | None) -> ReadLine:
        """There is none: a reader sees luminance and chrominance at once."""
        raise InvalidInputError("luminance and chrominance are not matched apart where a reader is in the loop")

    def at(self, level: float) -> LoopFile:
        """The candidate of a level."""
        return LoopFile(self.line.at(level), self.judge, self.rounds)

    def loss_of(self, candidate: Candidate) -> float:
        """Largest loss of a file of the line to one of its readers."""
        return candidate.errors[0]

    def increase_of(self, candidate: Candidate) -> float:
        """Largest increase of the loss of the decision that one of the readers makes on the original."""
        return self.judge.loss_increase(self._decoded(candidate))

    def agrees_on(self, candidate: Candidate) -> bool:
        """Whether the reader's decision on a file is that on the original."""
        return self.judge.agrees(self._decoded(candidate))

    def _decoded(self, candidate: Candidate) -> DecodedFile:
        return DecodedFile.of(candidate.data, grey=len(self.line.coder.image.components) == 1)

    def start(self, goal: Goal) -> float:
        """That of the trellis, unless there is another."""
        return self.line.start(goal) if self.begin is None else self.begin

    def growth(self, goal: Goal) -> float:
        """Power of the level with which a loss rises, about."""
        return _GROWTH

    def settled(self, lower: float, upper: float) -> bool:
        """Whether levels are too close for anything but chance between them."""
        return upper < lower * (1 + _SETTLED)
