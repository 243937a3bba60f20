"""Encode with a reader in the loop: from an image, a reader and a target to a file."""

from __future__ import annotations

from optcodec.effort import Request
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.kernels import prepare
from optcodec.loop.line import LoopFile, ReadLine
from optcodec.loop.reader import Judge, judge_of
from optcodec.loop.rounds import ROUNDS
from optcodec.loop.targets import ReaderTarget
from optcodec.matching import meet, reference_pixels
from optcodec.optimized import trellis_file, trellis_lines
from optcodec.trellis.line import TrellisLine

__all__ = ["looped"]


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
    lines, request = trellis_lines(source, request)
    files = [_file(line, judge, request) for line in lines]
    if isinstance(request.target, ReaderTarget):
        return min(files, key=lambda file: file.nbytes).data
    return min(files, key=lambda file: file.read.loss).data


def _file(line: TrellisLine, judge: Judge, request: Request) -> LoopFile:
    """The file of a line that the reader likes best: within its target, or the bytes of the trellis' file."""
    rounds = ROUNDS if request.rounds is None else request.rounds
    target = request.target
    if isinstance(target, ReaderTarget):
        return meet(ReadLine(line, judge, rounds), target).candidate
    budget = None if target is None else target.budget(line.pixels)
    return LoopFile(trellis_file(line, request), judge, rounds, budget)
