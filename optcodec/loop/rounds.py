"""The loop: code, decode, ask the reader, move the indices, and keep the best file."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from optcodec.jpeg.image import CoefficientImage
from optcodec.loop.adjoint import coefficient_gradients
from optcodec.loop.reader import Judge
from optcodec.loop.steering import moved, target_image
from optcodec.pictures.pixels import decoded_pixels
from optcodec.trellis.coder import Coder

__all__ = ["ROUNDS", "ReadFile", "improved"]

ROUNDS = 12
# Indices that follow the gradient in the first round, as a part of those that are not 0, and the factor from round to
# round: steps get smaller as the gradient is known at ever better files.
SHARE, DECAY = 0.06, 0.88


@dataclass(frozen=True, eq=False)
class ReadFile:
    """A file that was read.

    Parameters
    ----------
    coded : CoefficientImage
        Its indices.
    data : bytes
        The file.
    loss : float
        Of its reader.
    """

    coded: CoefficientImage
    data: bytes
    loss: float


def improved(coder: Coder, coded: CoefficientImage, judge: Judge, budget: int, rounds: int = ROUNDS) -> ReadFile:
    """The file of least loss, of those that the loop finds and of the first one.

    Parameters
    ----------
    coder : Coder
        The image, and how files are written.
    coded : CoefficientImage
        Indices to start from; a few percent less than the budget leave room for what the reader wants.
    judge : Judge
        What reads the files.
    budget : int
        Bytes that the file may have at most.
    rounds : int
        How many gradients are asked for.
    """
    return min(_files(coder, coded, judge, budget, rounds), key=lambda file: file.loss)


def _files(coder: Coder, coded: CoefficientImage, judge: Judge, budget: int, rounds: int) -> Iterator[ReadFile]:
    """The files of all rounds: the first one, and one for each gradient as long as there is something to change."""
    mode = "L" if len(coded.components) == 1 else "RGB"
    data, level = coder.write(coded), None
    for number in range(rounds):
        decoded = decoded_pixels(data, mode)
        loss, gradient = judge.gradient(decoded)
        yield ReadFile(coded, data, loss)
        if not gradient.any():
            return
        slopes = coefficient_gradients(gradient, decoded, coder.image.subsampling)
        targets = target_image(coder, coded, slopes, SHARE * DECAY**number)
        step = moved(coder, targets, coded, budget, level)
        if step is None or step.data == data:
            return
        coded, data, level = step.coded, step.data, step.level
    yield ReadFile(coded, data, judge.loss(decoded_pixels(data, mode)))
