"""The least quality at which a setting keeps limits."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from optcodec.fit.bench import Point

__all__ = ["searched"]


def searched(
    measure: Callable[[int], Point], qualities: Sequence[int], kept: Callable[[Point], bool], most: float
) -> list[Point]:
    """Points of a setting, by halving the range in which the least quality lies that keeps the limits.

    Parameters
    ----------
    measure : callable
        Gives the point of a quality.
    qualities : sequence of int
        In rising order.
    kept : callable
        Whether a point keeps the limits. It is expected to hold from some quality on; where chance decides otherwise,
        the result is a quality which keeps them, next to one that does not.
    most : float
        Bytes of what is known to keep the limits: a setting that takes as many before it does is given up.

    Returns
    -------
    list of Point
        In the order in which they were measured.
    """
    points: list[Point] = []
    low, high = -1, len(qualities)
    while high - low > 1:
        middle = (low + high) // 2
        points.append(measure(qualities[middle]))
        if kept(points[-1]):
            high = middle
        elif points[-1].nbytes >= most:
            break
        else:
            low = middle
    return points
