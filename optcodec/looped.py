"""Encode with a reader in the loop: from an image, a reader and a target to a file."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from functools import partial

import numpy as np

from optcodec.choice import others
from optcodec.effort import Request
from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.kernels import prepare
from optcodec.loop.importance import LINEAR, ROOT, importance
from optcodec.loop.judge import Judge, judge_of
from optcodec.loop.line import LoopFile, ReadLine
from optcodec.loop.people import START, PeopleReader
from optcodec.loop.reader import readers_of
from optcodec.loop.rounds import ReadFile, decoded_file, gradient_at, least_loss, read, rounds_from
from optcodec.loop.targets import ReaderTarget
from optcodec.matching import meet, reference_pixels, size_goal
from optcodec.optimized import trellis_files, trellis_lines
from optcodec.samplings import SUBSAMPLINGS
from optcodec.search import met, search
from optcodec.targets import FixedLevel, MaxBytes
from optcodec.trellis.field import QualityField
from optcodec.trellis.line import CodedFile, LevelLine, TrellisLine
from optcodec.trellis.sharing import better

__all__ = ["looped"]

_COARSER, _MISSES = 1.3, 3  # step of the level where files are looked for that are smaller still; failures in a row
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
    if judge.has_gradient and source.sampling not in (*SUBSAMPLINGS, "grey"):
        raise InvalidInputError(
            f"the loop takes files at {', '.join(SUBSAMPLINGS)}, got one of {source.sampling}; expected pixels "
            "(a path in Python, --pixels on the command line)"
        )
    height, width = judge.original.shape[:2]
    budget = None if request.target is None else request.target.budget(height * width)
    if judge.left_nbytes and budget is not None:
        request = replace(request, target=MaxBytes(max(1, budget - judge.left_nbytes)))
    file = _least(source, request, judge)
    return replace(file, data=judge.left_in(file.data))


def _least(source: PixelSource | CoefficientSource, request: Request, judge: Judge) -> ReadFile:
    """The file that the judge minds least, without what its readings leave in it."""
    rounds = _rounds(request, judge)
    prepare("steer", "forward")
    lines, trellis_request = trellis_lines(source, request)
    starts = _starts(source, request, lines)
    if isinstance(request.target, ReaderTarget):
        smallest = met(partial(_smallest, line, request.target, judge, rounds) for line in starts)
        return min(smallest, key=lambda file: len(file.data))
    tried = met(partial(_with_start, *pair, trellis_request) for pair in zip(starts, lines, strict=True))
    priced = judge.priced(decoded_file(tried[0][1][0]))
    plain, files = map(list, zip(*(_preferred(some, priced) for _, some in tried), strict=True))
    first = plain[0] if starts is lines else _sized(_like(tried[0][0], plain[0]), plain[0], trellis_request)
    field, judge = _field(first, judge, rounds), priced
    if judge.has_gradient:
        for (line, _), file in zip(tried, plain, strict=True):
            weighted = _weighted(_like(line, file), field)
            files += _from_gradients(weighted, file, judge, trellis_request, rounds)
    if rounds == 0 and not _has_tables(trellis_request):
        files += others(source, trellis_request, judge, max(_size(file, request).nbytes for file in plain), field)
    return least_loss(files)


def _with_start(start: TrellisLine, line: TrellisLine, request: Request) -> tuple[TrellisLine, list[CodedFile]]:
    """A line that the loop starts from, with the files of the line that it is compared with."""
    return start, trellis_files(line, request)


def _smallest(line: TrellisLine, target: ReaderTarget, judge: Judge, rounds: int) -> ReadFile:
    """The smallest file that is found to keep a target of the reader.

    Rounds begin where files without rounds keep the target, which are soon made, and the smaller one of both is taken.
    """
    typical = _typical(line)
    priced = judge.priced(decoded_file(typical))
    begins: list[float] = []

    def file_after(count: int) -> LoopFile:
        field = _field(typical, judge, count)
        searched = ReadLine(_weighted(line, field), priced, count, begins[0] if begins else None)
        file = _coarser(searched, target, meet(searched, target).candidate)
        begins.append(file.start.levels[0])
        return file

    found = met(partial(file_after, count) for count in sorted({0, rounds} if judge.has_gradient else {rounds}))
    return min(found, key=lambda file: file.nbytes).read


def _coarser(searched: ReadLine, target: ReaderTarget, found: LoopFile) -> LoopFile:
    """A smaller file that keeps the target, if there is one a few steps farther: a loss does not rise evenly as files
    become smaller, so that a search, which expects that, may end too soon."""
    (goal,) = target.goals(searched)
    level, misses = found.start.levels[0], 0
    while misses < _MISSES:
        level *= _COARSER
        file = searched.at(level)
        if file.nbytes < found.nbytes and goal.measure(file) <= goal.limit:
            found, misses = file, 0
        else:
            misses += 1
    return found


def _starts(source: PixelSource | CoefficientSource, request: Request, lines: list[TrellisLine]) -> list[TrellisLine]:
    """Files that the loop starts from: those of the request; for people, of the same tuning with finer steps."""
    assert request.reader is not None
    reads = any(isinstance(reader, PeopleReader) for reader in readers_of(request.reader).readers)
    return trellis_lines(source, replace(request, tune=START))[0] if reads and request.tune == "people" else lines


def _preferred(files: list[CodedFile], judge: Judge) -> tuple[CodedFile, ReadFile]:
    """The file that costs least, of those of the trellis; the one that the trellis prefers, of several."""
    grey = len(files[0].coder.image.components) == 1
    ordered = sorted(files, key=lambda file: file is not better(files))
    reads = [(file, read(file.data, judge, grey=grey)) for file in ordered]
    return min(reads, key=lambda pair: pair[1].verdict.cost)


def _like(line: TrellisLine, file: CodedFile) -> TrellisLine:
    """The line with as many tables as a file has."""
    return replace(line, coder=replace(line.coder, shared=file.coder.shared))


def _typical(line: TrellisLine) -> CodedFile:
    """A file of typical quality."""
    level = line.level_like(_TYPICAL)
    return line.file_with(line.coder.tables((level, level)), (level, level))


def _field(file: CodedFile, judge: Judge, rounds: int) -> QualityField | None:
    """Weights of blocks by the reader, if it has any: where errors count, or where its loss changes at this file."""
    if not judge.has_gradient:
        return None
    sensitivity = judge.sensitivity(decoded_file(file))
    if sensitivity is None:
        squares = np.square(gradient_at(file, judge), dtype=np.float64)
        sensitivity = squares if squares.ndim == 2 else squares.sum(2)
    return importance(judge.evened(sensitivity), LINEAR if rounds == 0 else ROOT)


def _weighted(line: TrellisLine, field: QualityField | None) -> TrellisLine:
    """The line with weights of blocks."""
    if field is None:
        return line
    criterion = line.coder.criterion.times(field.by_component(line.coder.image))
    return replace(line, coder=replace(line.coder, criterion=criterion))


def _from_gradients(
    weighted: TrellisLine, plain: CodedFile, judge: Judge, request: Request, rounds: int
) -> Iterator[ReadFile]:
    """Files of the size that is asked for, or of the bytes that the trellis takes without a reader."""
    return rounds_from(_sized(weighted, plain, request), judge, _size(plain, request).nbytes, rounds)


def _size(plain: CodedFile, request: Request) -> MaxBytes:
    """The size that is asked for, or the bytes that the trellis takes without a reader."""
    image = plain.coder.image
    budget = None if request.target is None else request.target.budget(image.width * image.height)
    return MaxBytes(plain.nbytes if budget is None else budget)


def _sized(line: TrellisLine, plain: CodedFile, request: Request) -> CodedFile:
    """The file of a line that has the size of another one."""
    size, start = _size(plain, request), replace(plain, coder=line.coder)
    with suppress(TargetNotMetError):  # where only files without weights are so small
        if _has_tables(request):
            return search(LevelLine(line, start, moving=(True, True)), size_goal(size, line)).candidate
        return meet(line, size).candidate
    return start


def _has_tables(request: Request) -> bool:
    """Whether the tables are set, or a level that they follow from."""
    return request.tables is not None or isinstance(request.target, FixedLevel)


def _rounds(request: Request, judge: Judge) -> int:
    """Number of gradients that choose indices; none of a reader that has no gradient."""
    if judge.has_gradient:
        return judge.pace.rounds if request.rounds is None else request.rounds
    if request.rounds:
        raise InvalidInputError(f"the reader has no gradient, only a loss; expected 0 rounds, got {request.rounds}")
    return 0
