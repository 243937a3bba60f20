"""Which quality each block gets of a budget of bytes, by its curves.

An allocator sees no image: only what each block costs and gives at each quality. With the true curves of an image,
`lagrangian` is the oracle that benchmarks compare with.
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
_LEAST_BYTES = 1 / 8  # what a step counts as at least: curves of flat blocks hardly rise, or fall by a few bits


@dataclass(frozen=True, eq=False)
class Hulls:
    """Lower convex hulls of curves, each as the sides between its vertices.

    Parameters
    ----------
    vertices : ndarray of int64, shape (curves, Q)
        Numbers of the points, from the cheapest on; 0 behind the last.
    counts : ndarray of int64, shape (curves,)
        Sides of each hull.
    costs, saved : ndarray of float64, shape (curves, Q - 1)
        What a side adds to the cost, and takes from the loss, both above 0; 1 behind the last.
    """

    vertices: Integers
    counts: Integers
    costs: Floats
    saved: Floats

    @classmethod
    def of(cls, costs: Floats, losses: Floats) -> Hulls:
        """The hulls of points (curves, Q), in any order, with finite costs and losses."""
        found = np.empty(costs.shape, np.int64)
        order = np.ascontiguousarray(np.lexsort((losses, costs))[:, ::-1])
        load("blockcurves").hull_vertices(np.ascontiguousarray(costs), np.ascontiguousarray(losses), order, found)
        vertices = np.maximum(found, 0)
        own = found[:, 1:] >= 0
        cost, loss = (np.take_along_axis(each, vertices, axis=1) for each in (costs, losses))
        added, saved = np.where(own, np.diff(cost, axis=1), 1.0), np.where(own, -np.diff(loss, axis=1), 1.0)
        return cls(vertices, own.sum(axis=1), added, saved)


def accelir(curves: Curves, budget_bytes: float, pixels: npt.ArrayLike) -> Integers:
    """AccelIR's greedy allocation (CVPR 2023).

    All blocks begin at the lowest quality. The one with the largest ``Reward = Utility(x, QP + 5) + 0.15 Utility(x,
    QPmax)`` goes up by one quality, again and again; of equal ones the first. Utility is PSNR gained after restoration,
    in dB, per byte, by the next step and by all that are left. A block whose next step does not fit stays where it is,
    and others go on until nothing fits. (The authors' program stops with the first step past the budget.)

    Parameters
    ----------
    curves : Curves
        Of the blocks.
    budget_bytes : float
        For all blocks together.
    pixels : array_like of int, shape (blocks,)
        Of each block. Their number does not count for the reward: a decibel is one in any block.

    Returns
    -------
    ndarray of int64, shape (blocks,)
        Quality of each block.

    Raises
    ------
    InvalidInputError
        If the lowest qualities do not fit, or arguments are not of this kind.
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
    """Least squared error over all pixels, on the lower convex hulls of the blocks' curves.

    Sides of all hulls are taken in the order of their slopes (Shoham and Gersho, "Efficient bit allocation for an
    arbitrary set of quantizers", IEEE Trans. ASSP 36(9), 1988): wherever the budget is what some slope costs, no
    allocation is better. What is left of other budgets goes to the sides that still fit, in the same order.

    Parameters
    ----------
    curves, budget_bytes
        See `accelir`.
    pixels : array_like of int, shape (blocks,)
        Of each block: its mean squared error counts so many times.
    which : {"after", "before"}
        The error after restoration, or before it.

    Returns
    -------
    ndarray of int64, shape (blocks,)
        Quality of each block.

    Raises
    ------
    InvalidInputError
        If the smallest blocks do not fit, or arguments are not of this kind.
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
    """The largest common quality that fits; what is left of the budget stays unused.

    Parameters
    ----------
    curves, budget_bytes
        See `accelir`.
    pixels : array_like of int, shape (blocks,)
        Of each block. They do not change what is common to all.

    Returns
    -------
    ndarray of int64, shape (blocks,)
        Quality of each block.

    Raises
    ------
    InvalidInputError
        If no quality fits, or arguments are not of this kind.
    """
    _checked(curves, budget_bytes, pixels)
    sizes = np.array([math.fsum(column) for column in curves.nbytes.T])
    _check_fits(float(sizes.min()), budget_bytes)
    return np.full(len(curves), curves.qualities[np.flatnonzero(sizes <= budget_bytes)[-1]])


ALLOCATORS: dict[str, Allocator] = {"accelir": accelir, "lagrangian": lagrangian, "uniform": uniform}


def _checked(curves: Curves, budget_bytes: float, pixels: npt.ArrayLike) -> Floats:
    """Pixels of each block, if these and the budget are of their kind."""
    if not (math.isfinite(budget_bytes) and budget_bytes > 0):
        raise InvalidInputError(f"a budget is a number of bytes above 0, got {budget_bytes!r}")
    sizes = np.asarray(pixels, np.float64)
    if sizes.shape != (len(curves),) or not (np.isfinite(sizes) & (sizes > 0)).all():
        expected = f"numbers of pixels above 0, of shape ({len(curves)},)"
        raise InvalidInputError(f"expected {expected}, got {sizes.min(initial=np.inf):g} and more, of {sizes.shape}")
    return sizes


def _check_fits(least: float, budget_bytes: float) -> None:
    if least > budget_bytes:
        raise InvalidInputError(f"expected a budget of at least {least:.10g} bytes, got {budget_bytes:.10g}")


def _greedy(reward: Floats, cost: Floats, steps: Integers, budget: float) -> Integers:
    """Steps taken by each block, if the next step with the largest reward is taken as long as it fits.

    The queue of a heap, without one: a step comes as soon as all before it in its block have come and its reward is the
    largest of the next ones. That is when the least reward up to it in its block is, so that one sort gives the order.

    Parameters
    ----------
    reward, cost : ndarray of float64, shape (blocks, steps)
        Of each step.
    steps : ndarray of int64, shape (blocks,)
        How many steps each block has.
    budget : float
        For all steps.
    """
    own = np.arange(reward.shape[1]) < steps[:, None]
    due = np.minimum.accumulate(reward, axis=1)
    order = np.argsort(-due[own], kind="stable")
    block, costs = np.repeat(np.arange(len(steps)), steps)[order], cost[own][order]
    spent = np.cumsum(costs)
    beyond = np.flatnonzero(spent > budget)
    sure = int(beyond[0]) if len(beyond) else len(spent)
    left = budget - (float(spent[sure - 1]) if sure else 0.0)
    stopped, extra = [False] * len(steps), []
    for each, price in zip(block[sure:].tolist(), costs[sure:].tolist(), strict=True):
        stopped[each] = stopped[each] or price > left
        if not stopped[each]:
            left -= price
            extra.append(each)
    return np.bincount([*block[:sure].tolist(), *extra], minlength=len(steps))
