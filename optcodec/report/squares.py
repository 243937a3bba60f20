"""Find the detail of a picture that is worth a look."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

__all__ = ["fullest_square"]

_STEP = 8  # pixels between the squares that are tried


def fullest_square(values: npt.NDArray[np.float64], side: int) -> tuple[int, int]:
    """Top and left of the square of pixels with the largest sum of values.

    Parameters
    ----------
    values : ndarray of float64, shape (height, width)
        A value for each pixel, such as the square of an error.
    side : int
        Side of the square in pixels. Squares begin at multiples of 8 pixels; if the picture is smaller than one, it
        begins at 0.
    """
    height, width = values.shape
    area = np.zeros((height + 1, width + 1))  # sums of all values above and to the left
    area[1:, 1:] = values.cumsum(0).cumsum(1)
    ys, xs = (np.arange(0, max(1, extent - side + 1), _STEP) for extent in (height, width))
    y1, x1 = np.minimum(ys + side, height), np.minimum(xs + side, width)
    sums = area[np.ix_(y1, x1)] - area[np.ix_(ys, x1)] - area[np.ix_(y1, xs)] + area[np.ix_(ys, xs)]
    row, column = np.unravel_index(int(sums.argmax()), sums.shape)
    return int(ys[row]), int(xs[column])
