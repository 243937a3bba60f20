"""Encode with a reader in the loop: from an image, a reader and a target to a file."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from itertools import chain

import numpy as np

from optcodec.choice import others
from optcodec.effort import Request
from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.kernels import prepare
from optcodec.loop.importance import LINEAR, ROOT, importance
from optcodec.loop.line import ReadLine
from optcodec.loop.reader import Judge, judge_of
from optcodec.loop.rounds import ROUNDS, ReadFile, first_read, least_loss, read, rounds_from
from optcodec.loop.targets import ReaderTarget
from optcodec.matching import meet, reference_pixels, size_goal
from optcodec.optimized import trellis_file, trellis_lines
from optcodec.search import search
from optcodec.targets import FixedLevel, MaxBytes
from optcodec.trellis.line import CodedFile, LevelLine, TrellisLine

__all__ = ["looped"]

_TYPICAL = 50  # quality at whose error the blocks are weighed where neither bytes nor tables are known beforehand


def looped(source: PixelSource | CoefficientSource, request: Request) -> ReadFile:
    """The file of an image whose indices a reader's gradients choose, with its loss.

    Raises
    ------
    InvalidInputError
        If the reader gives something else than a loss and its gradient, or as `optcodec.optimized.optimized`.
    TargetNotMetError
        If the target cannot be met.
    """
    assert request.reader is not None
    judge = judge_of(request.reader, reference_pixels(source))
    rounds = _rounds(request, judge)
    prepare("steer", "forward")
    lines, trellis_request = trellis_lines(source, request)
    if isinstance(request.target, ReaderTarget):
        weighted = [ReadLine(_typical(line, judge, rounds), judge, rounds) for line in lines]
        return min((meet(line, request.target).candidate for line in weighted), key=lambda file: file.nbytes).read
    files = [_best(line, judge, trellis_request, rounds) for line in lines]
    if rounds == 0 and not _has_tables(trellis_request):
        files += others(source, trellis_request, judge, max(len(file.data) for file in files))
    return least_loss(files)


def _typical(line: TrellisLine, judge: Judge, rounds: int) -> TrellisLine:
    """The line with weights of blocks by the gradient at a file of typical quality."""
    level = line.level_like(_TYPICAL)
    file = line.file_with(line.coder.tables((level, level)), (level, level))
    return _weighted(line, judge, file, rounds)[0] if judge.has_gradient else line


def _best(line: TrellisLine, judge: Judge, request: Request, rounds: int) -> ReadFile:
    """The file that the reader minds least, of a size, or of the bytes that the trellis takes without a reader."""
    plain = trellis_file(line, request)
    if not judge.has_gradient:
        return read(plain.data, judge, grey=len(plain.coded.components) == 1)
    budget = None if request.target is None else request.target.budget(line.pixels)
    budget = plain.nbytes if budget is None else budget
    weighted, before = _weighted(line, judge, plain, rounds)
    start, size = replace(plain, coder=weighted.coder), MaxBytes(budget)
    with suppress(TargetNotMetError):  # where only files without weights are so small
        if _has_tables(request):
            levels = LevelLine(weighted, start, moving=(True, True))
            start = search(levels, size_goal(size, weighted)).candidate
        else:
            start = meet(weighted, size).candidate
    return least_loss(chain([before], rounds_from(start, judge, budget, rounds)))


def _has_tables(request: Request) -> bool:
    """Whether the tables are set, or a level that they follow from."""
    return request.tables is not None or isinstance(request.target, FixedLevel)


def _weighted(line: TrellisLine, judge: Judge, file: CodedFile, rounds: int) -> tuple[TrellisLine, ReadFile]:
    """The line with weights of blocks by the reader, of whose files this is one, and that file with its loss."""
    image = line.coder.image
    sensitivity = judge.sensitivity(image.height, image.width)
    if sensitivity is None:
        read_file, gradient = first_read(file, judge)
        squares = np.square(gradient, dtype=np.float64)
        sensitivity = squares if squares.ndim == 2 else squares.sum(2)
    else:
        read_file = read(file.data, judge, grey=len(image.components) == 1)
    field = importance(sensitivity, LINEAR if rounds == 0 else ROOT)
    if field is None:
        return line, read_file
    criterion = line.coder.criterion.times(field.by_component(image))
    return replace(line, coder=replace(line.coder, criterion=criterion)), read_file


def _rounds(request: Request, judge: Judge) -> int:
    """Number of gradients that choose indices; none of a reader that has no gradient."""
    if judge.has_gradient:
        return ROUNDS if request.rounds is None else request.rounds
    if request.rounds:
        raise InvalidInputError(f"the reader has no gradient, only a loss; expected 0 rounds, got {request.rounds}")
    return 0
