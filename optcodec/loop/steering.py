"""One step of the loop: the indices that a gradient asks for, within a number of bytes.

The loss near the indices that a file has is taken to be linear, plus a quadratic term that keeps what changes small:
then it is a squared error, against other coefficients than the original ones, see `optcodec.kernels.steer`. So the
trellis chooses the indices, with exact bits of runs and of the ends of blocks. How large the quadratic term is follows
from how many indices are to follow the gradient; what a bit is worth, from the bytes that the file may have.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np

from optcodec.jpeg.image import CoefficientImage, DctComponent, DctImage
from optcodec.kernels import load
from optcodec.loop.reader import Pace
from optcodec.trellis.coder import Coder
from optcodec.trellis.indices import choose_indices
from optcodec.trellis.line import CodedFile

__all__ = ["Moved", "moved", "target_image"]

# Magnitude, in steps, from which a coefficient whose index is 0 may get an index of 1 or -1.
LEAST = 0.3
_TRIALS = 8  # prices of a bit that are tried for one file
_UNUSED = 0.005  # part of the bytes that may stay unused
# The price moves with a power of the size over the budget, by these factors at least and at most.
_POWER, _LEAST_FACTOR, _LARGEST_FACTOR = 4.0, 1.25, 8.0
_FREE = 1e-6  # price at which bits are worth nothing
_SMALLEST = 1e-30  # of a pull, so that curvatures stay finite
_LEAST_WEIGHT = 1e-3  # part of the largest one: what a reader hardly sees has gradients that are mostly chance


@dataclass(frozen=True, eq=False)
class Moved:
    """A file after a step.

    Parameters
    ----------
    coded : CoefficientImage
        Its indices.
    data : bytes
        The file.
    price : float
        What a bit was worth, as a part of what it is worth to the trellis without a reader.
    """

    coded: CoefficientImage
    data: bytes
    price: float


def target_image(coder: Coder, coded: CoefficientImage, gradient: DctImage, pace: Pace) -> DctImage:
    """The coefficients whose weighted squared error stands for the loss.

    Parameters
    ----------
    coder : Coder
        The original coefficients, and weights of errors, in proportion to which the quadratic term weighs coefficients.
    coded : CoefficientImage
        The indices now.
    gradient : DctImage
        Derivative of the loss by each coefficient.
    pace : Pace
        How many indices are to follow the gradient, and what the error against the original counts.
    """
    image = coder.nearest(coded)  # samples that overshoot are not to be led back to the ends of the scale
    weights, scales = coder.criterion.per_coefficient(image), coder.criterion.scales(image)
    weights = np.maximum(weights, _LEAST_WEIGHT * weights.max())
    arguments = []
    for index, (part, old, slope) in enumerate(
        zip(image.components, coded.components, gradient.components, strict=True)
    ):
        steps = coded.tables[old.table].steps.astype(np.float32).ravel()
        blocks = (part.coefficients, old.blocks, slope.coefficients)
        flat = (array.reshape(-1, 64) for array in blocks)
        arguments.append((*flat, steps, weights[index], scales[index], LEAST))
    # half a step is where an index is rounded to the next one
    curvature = 2 * _largest_pull(arguments, coded, pace.share)
    kernels, parts = load("steer"), []
    for part, values in zip(image.components, arguments, strict=True):
        target = np.empty_like(part.coefficients)
        kernels.targets(*values, curvature, pace.hold, target.reshape(-1, 64))
        target.flags.writeable = False
        parts.append(DctComponent(part.id, part.h, part.v, target))
    return DctImage(image.width, image.height, tuple(parts))


def _largest_pull(arguments: list[tuple[object, ...]], coded: CoefficientImage, share: float) -> float:
    """The pull that a share of the indices exceed."""
    pulls = [np.empty(part.blocks.size, np.float32) for part in coded.components]
    for values, result in zip(arguments, pulls, strict=True):
        load("steer").pulls(*values, result.reshape(-1, 64))
    pulled = np.concatenate([values[values > 0] for values in pulls])
    if not len(pulled):
        return _SMALLEST
    nonzero = sum(np.count_nonzero(part.blocks) for part in coded.components)
    following = min(max(round(share * nonzero), 1), len(pulled))
    return max(float(np.partition(pulled, -following)[-following]), _SMALLEST)


def moved(start: CodedFile, targets: DctImage, coded: CoefficientImage, budget: int, price: float) -> Moved | None:
    """The file with the best indices for target coefficients that has no more bytes than it may have.

    Parameters
    ----------
    start : CodedFile
        A file of the trellis: how files are written, and what a bit is worth without a reader.
    targets : DctImage
        See `target_image`.
    coded : CoefficientImage
        The indices now, whose tables and Huffman codes the bits are counted with.
    budget : int
        Bytes that the file may have.
    price : float
        What a bit is worth that is tried first, as a part of the levels of the first file.

    Returns
    -------
    Moved or None
        None if no price that was tried gives a file that is small enough.
    """
    coder = start.coder
    rates = coder.form.rates(coded)
    best, cheap, dear = None, 0.0, math.inf  # prices at which files are too large, and small enough
    for _ in range(_TRIALS):
        levels = [level * price for level in start.levels]
        indices = choose_indices(targets, coded, coder.criterion, levels, rates, coder.form)
        data = coder.write(indices)
        if len(data) <= budget:
            dear, best = price, Moved(indices, data, price)
            if len(data) >= (1 - _UNUSED) * budget or price <= _FREE:
                break
        else:
            cheap = price
        price = _next_price(cheap, dear, price, len(data) / budget)
    return best


def _next_price(cheap: float, dear: float, price: float, excess: float) -> float:
    """A price between one that is too low and one that is too high; beyond them by the size of the last file."""
    if cheap > 0 and dear < math.inf:
        return math.sqrt(cheap * dear)
    least = _LEAST_FACTOR if excess > 1 else 1 / _LEAST_FACTOR
    factor = min(max(least * excess**_POWER, 1 / _LARGEST_FACTOR), _LARGEST_FACTOR)
    return float(max(price * factor, _FREE))
