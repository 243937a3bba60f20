"""Lower convex hulls of points of error and bits: what is worth taking at some price of a bit."""

from __future__ import annotations

from optcodec.kernels.export import inlined

__all__ = ["lower_hull"]


@inlined
def lower_hull(error, bits, order, is_line_kept, stack):
    """Leave the points of a hull in ``stack``, from the most bits to the fewest, and return how many there are.

    Andrew's monotone chain, "Another efficient algorithm for convex hulls in two dimensions", Information Processing
    Letters 9 (1979). A point that has neither less error nor fewer bits than another is never on the hull.

    Parameters
    ----------
    error, bits : (points,)
    order : (points,) their numbers by falling bits, equal ones by falling error; of equal points the last one stays
    is_line_kept : 1 to keep points on a line between two others, 0 to leave them out
    stack : (points,)
    """
    top = 0
    for point in order:
        while top > 0 and error[point] <= error[stack[top - 1]]:  # not more error, and not more bits
            top -= 1
        while top > 1 and _is_above(error, bits, stack[top - 2], stack[top - 1], point, is_line_kept):
            top -= 1
        stack[top] = point
        top += 1
    return top


@inlined
def _is_above(error, bits, a, b, c, is_line_kept):
    """Whether point b lies above the line from a to c, or on it where that counts."""
    left = (error[b] - error[a]) * (bits[a] - bits[c])
    right = (error[c] - error[a]) * (bits[a] - bits[b])
    return left > right or (left == right and is_line_kept == 0)
