"""Encode with a reader in the loop: from an image, a reader and a target to a file."""

from __future__ import annotations

from dataclasses import replace
from itertools import chain

from optcodec.effort import Request
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.kernels import prepare
from optcodec.loop.importance import importance
from optcodec.loop.line import LoopFile, ReadLine
from optcodec.loop.reader import Judge, judge_of
from optcodec.loop.rounds import ROUNDS, ReadFile, first_read, least_loss, rounds_from
from optcodec.loop.targets import ReaderTarget
from optcodec.matching import meet, reference_pixels
from optcodec.optimized import trellis_file, trellis_lines
from optcodec.targets import FixedLevel, MaxBytes
from optcodec.trellis.line import CodedFile, TrellisLine

__all__ = ["looped"]

_TYPICAL = 50  # quality at whose error the blocks are weighed where neither bytes nor tables are known beforehand


def looped(source: PixelSource | CoefficientSource, request: Request) -> bytes:
    """The file of an image whose indices a reader's gradients choose.

    Raises
    ------
    InvalidInputError
        If the reader gives something else than a loss and its gradient, or as `optcodec.optimized.optimized`.
    TargetNotMetError
        If the target cannot be met.
    """
    assert request.reader is not None
    judge = judge_of(request.reader, reference_pixels(source))
    prepare("steer", "forward")
    lines, trellis_request = trellis_lines(source, request)
    if isinstance(request.target, ReaderTarget):
        return min((_smallest(line, judge, request) for line in lines), key=lambda file: file.nbytes).data
    return least_loss(_best(line, judge, trellis_request) for line in lines).data


def _smallest(line: TrellisLine, judge: Judge, request: Request) -> LoopFile:
    """The smallest file that is found to keep a target in the reader's terms."""
    assert request.target is not None
    typical = line.at(line.level_like(_TYPICAL))
    weighted = _weighted(line, judge, typical)[0]
    return meet(ReadLine(weighted, judge, _rounds(request)), request.target).candidate


def _best(line: TrellisLine, judge: Judge, request: Request) -> ReadFile:
    """The file that the reader minds least, of a size, or of the bytes that the trellis takes without a reader."""
    target = request.target
    plain = trellis_file(line, request)
    budget = None if target is None else target.budget(line.pixels)
    budget = plain.nbytes if budget is None else budget
    weighted, before = _weighted(line, judge, plain)
    if request.tables is not None or isinstance(target, FixedLevel):
        start = replace(plain, coder=weighted.coder)
    else:
        start = meet(weighted, MaxBytes(budget)).candidate
    return least_loss(chain([before], rounds_from(start, judge, budget, _rounds(request))))


def _weighted(line: TrellisLine, judge: Judge, file: CodedFile) -> tuple[TrellisLine, ReadFile]:
    """The line with weights of blocks by the gradient at one of its files, and that file with its loss."""
    read, gradient = first_read(file, judge)
    field = importance(gradient)
    if field is None:
        return line, read
    coder = line.coder
    criterion = coder.criterion.times(field.by_component(coder.image))
    return replace(line, coder=replace(coder, criterion=criterion)), read


def _rounds(request: Request) -> int:
    return ROUNDS if request.rounds is None else request.rounds
