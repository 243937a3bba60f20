"""Allocators: share a budget of bytes among blocks by their rate-distortion curves, as a quality for each block.

An allocator does not see the image, only the bytes and errors of each block at each quality. With the true curves of an
image, `lagrangian` is the oracle that benchmarks compare with.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

import numpy as np
import numpy.typing as npt

from optcodec.blocks.curves import Curves
from optcodec.errors import InvalidInputError
from optcodec.kernels import load

__all__ = ["ALLOCATORS", "Allocator", "Hulls", "accelir", "lagrangian", "uniform"]

Floats = npt.NDArray[np.float64]
Integers = npt.NDArray[np.int64]
Allocator = Callable[[Curves, float, npt.ArrayLike], Integers]  # curves, budget in bytes, pixels of each block

_FAR = 0.15  # weight of the utility up to the largest quality: AccelIR (CVPR 2023)
_LEAST_BYTES = 1 / 8  # least cost of a step: in flat blocks the bytes hardly rise, or even fall by a few bits


@dataclass(frozen=True, eq=False)
class Hulls:
    """Lower convex hulls of curves, each stored as the sides between its vertices.

    Parameters
    ----------
    vertices : ndarray of int64, shape (curves, Q)
        Indices of the points that are vertices, by rising cost; filled up with 0.
    counts : ndarray of int64, shape (curves,)
        Number of sides of each hull.
    costs, saved : ndarray of float64, shape (curves, Q - 1)
        Rise of the cost, and fall of the loss, along each side; both above 0. Filled up with 1.
    """

    vertices: Integers
    counts: Integers
    costs: Floats
    saved: Floats

    @classmethod
    def of(cls, costs: Floats, losses: Floats) -> Hulls:
        """The hulls of points (curves, Q), in any order, with finite costs and losses."""
        indices = np.empty(costs.shape, np.int64)
        order = np.ascontiguousarray(np.lexsort((losses, costs))[:, ::-1])
        load("blockcurves").hull_vertices(np.ascontiguousarray(costs), np.ascontiguousarray(losses), order, indices)
        vertices = np.maximum(indices, 0)
        is_side = indices[:, 1:] >= 0
        cost, loss = (np.take_along_axis(values, vertices, axis=1) for values in (costs, losses))
        added, saved = np.where(is_side, np.diff(cost, axis=1), 1.0), np.where(is_side, -np.diff(loss, axis=1), 1.0)
        return cls(vertices, is_side.sum(axis=1), added, saved)


def accelir(curves: Curves, budget_bytes: float, pixels: npt.ArrayLike) -> Integers:
    """AccelIR's greedy allocation (CVPR 2023).

    All blocks begin at the lowest quality. Repeatedly, the block with the largest ``Reward = Utility(x, QP + 5) +
    0.15 Utility(x, QPmax)`` goes up by one quality; the first one if several are equal. The utility is the gain of PSNR
    after restoration in dB per byte, of the next step and of all remaining steps. A block whose next step does not fit
    keeps its quality; the others go on until nothing fits. (The authors' program stops at the first step that does not
    fit.)

    Parameters
    ----------
    curves : Curves
        Curves of the blocks.
    budget_bytes : float
        Bytes for all blocks together.
    pixels : array_like of int, shape (blocks,)
        Number of pixels of each block. It does not change the reward: a decibel counts the same in every block.

    Returns
    -------
    ndarray of int64, shape (blocks,)
        Quality of each block.

    Raises
    ------
    InvalidInputError
        If the lowest qualities do not fit into the budget, or an argument is not as described.
    """
    _checked(curves, budget_bytes, pixels)
    blocks, count = curves.nbytes.shape
    start = math.fsum(curves.nbytes[:, 0])
    _check_fits(start, budget_bytes)
    gain, cost = np.diff(curves.psnr_db, axis=1), np.diff(curves.nbytes, axis=1)
    far_gain = curves.psnr_db[:, -1:] - curves.psnr_db[:, :-1]
    far_cost = curves.nbytes[:, -1:] - curves.nbytes[:, :-1]
    reward = gain / np.maximum(cost, _LEAST_BYTES) + _FAR * far_gain / np.maximum(far_cost, _LEAST_BYTES)
    taken = _greedy(reward, cost, np.full(blocks, count - 1), budget_bytes - start)
    return curves.qualities[taken]


def lagrangian(
    curves: Curves, budget_bytes: float, pixels: npt.ArrayLike, *, which: Literal["after", "before"] = "after"
) -> Integers:
    """Minimize the squared error over all pixels, on the lower convex hulls of the blocks' curves.

    Sides of all hulls are taken in the order of their slopes (Shoham and Gersho, "Efficient bit allocation for an
    arbitrary set of quantizers", IEEE Trans. ASSP 36(9), 1988). If all sides down to some slope use up the budget, the
    allocation is optimal. Otherwise the rest of the budget goes to the next sides that still fit, in the same order.

    Parameters
    ----------
    curves, budget_bytes
        See `accelir`.
    pixels : array_like of int, shape (blocks,)
        Number of pixels of each block, the weight of its mean squared error.
    which : {"after", "before"}
        Minimize the error after restoration, or before it.

    Returns
    -------
    ndarray of int64, shape (blocks,)
        Quality of each block.

    Raises
    ------
    InvalidInputError
        If the smallest sizes of the blocks do not fit into the budget, or an argument is not as described.
    """
    if which not in ("after", "before"):
        raise InvalidInputError(f"errors are those before or after restoration, got {which!r}")
    sizes = _checked(curves, budget_bytes, pixels)
    losses = (curves.after if which == "after" else curves.before) * sizes[:, None]
    hulls = Hulls.of(curves.nbytes, losses)
    start = math.fsum(curves.nbytes.min(axis=1))
    _check_fits(start, budget_bytes)
    taken = _greedy(hulls.saved / hulls.costs, hulls.costs, hulls.counts, budget_bytes - start)
    return curves.qualities[hulls.vertices[np.arange(len(curves)), taken]]


def uniform(curves: Curves, budget_bytes: float, pixels: npt.ArrayLike) -> Integers:
    """The largest common quality of all blocks that fits; the rest of the budget stays unused.

    Parameters
    ----------
    curves, budget_bytes
        See `accelir`.
    pixels : array_like of int, shape (blocks,)
        Number of pixels of each block; without effect, since all have the same quality.

    Returns
    -------
    ndarray of int64, shape (blocks,)
        Quality of each block.

    Raises
    ------
    InvalidInputError
        If no quality fits into the budget, or an argument is not as described.
    """
    _checked(curves, budget_bytes, pixels)
    sizes = np.array([math.fsum(column) for column in curves.nbytes.T])
    _check_fits(float(sizes.min()), budget_bytes)
    return np.full(len(curves), curves.qualities[np.flatnonzero(sizes <= budget_bytes)[-1]])


ALLOCATORS: dict[str, Allocator] = {"accelir": accelir, "lagrangian": lagrangian, "uniform": uniform}


def _checked(curves: Curves, budget_bytes: float, pixels: npt.ArrayLike) -> Floats:
    """Check the budget and the numbers of pixels; the latter as floats."""
    if not (math.isfinite(budget_bytes) and budget_bytes > 0):
        raise InvalidInputError(f"a budget is a number of bytes above 0, got {budget_bytes!r}")
    sizes = np.asarray(pixels, np.float64)
    if sizes.shape != (len(curves),) or not (np.isfinite(sizes) & (sizes > 0)).all():
        expected = f"numbers of pixels above 0, of shape ({len(curves)},)"
        raise InvalidInputError(
            f"expected {expected}, got a least of {sizes.min(initial=np.inf):g} and shape {sizes.shape}"
        )
    return sizes


def _check_fits(least: float, budget_bytes: float) -> None:
    if least > budget_bytes:
        raise InvalidInputError(f"expected a budget of at least {least:.10g} bytes, got {budget_bytes:.10g}")


def _greedy(reward: Floats, cost: Floats, steps: Integers, budget: float) -> Integers:
    """Number of steps that each block takes, if always the next step with the largest reward is taken, while it fits.

    A block takes its steps in order, so a step waits until all steps before it in its block are taken. Hence steps
    are taken in the order of the smallest reward up to them in their block, and one sort replaces a priority queue.

    Parameters
    ----------
    reward, cost : ndarray of float64, shape (blocks, steps)
        Reward and cost of each step.
    steps : ndarray of int64, shape (blocks,)
        Number of steps that each block has.
    budget : float
        For all steps together.
    """
    is_step = np.arange(reward.shape[1]) < steps[:, None]
    priority = np.minimum.accumulate(reward, axis=1)
    order = np.argsort(-priority[is_step], kind="stable")
    block, costs = np.repeat(np.arange(len(steps)), steps)[order], cost[is_step][order]
    spent = np.cumsum(costs)
    beyond = np.flatnonzero(spent > budget)
    sure = int(beyond[0]) if len(beyond) else len(spent)
    left = budget - (float(spent[sure - 1]) if sure else 0.0)
    stopped, extra = [False] * len(steps), []
    for index, price in zip(block[sure:].tolist(), costs[sure:].tolist(), strict=True):
        stopped[index] = stopped[index] or price > left
        if not stopped[index]:
            left -= price
            extra.append(index)
    return np.bincount([*block[:sure].tolist(), *extra], minlength=len(steps))
