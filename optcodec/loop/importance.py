"""Where in a picture errors count for its reader: weights of blocks from its gradient."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

from optcodec.trellis.field import BLOCK, QualityField

__all__ = ["importance"]

# Of the mean square of a block's gradient, and between which it is kept, against the mean.
_EXPONENT = 0.5
_LOWEST, _HIGHEST = 0.03, 30.0


def importance(gradient: npt.NDArray[np.float32]) -> QualityField | None:
    """Weights of squared errors, in proportion to the root of the squared gradient of a block.

    Parameters
    ----------
    gradient : ndarray of float32, shape (height, width, 3) or (height, width)
        Derivative of a loss by each pixel.

    Returns
    -------
    QualityField or None
        None if the gradient is 0 everywhere.
    """
    height, width = gradient.shape[:2]
    squares = np.square(gradient, dtype=np.float64).reshape(height, width, -1).sum(2)
    rows, columns = (np.arange(0, side, BLOCK) for side in (height, width))
    energies = np.add.reduceat(np.add.reduceat(squares, rows, 0), columns, 1)
    weights = energies**_EXPONENT
    mean = weights.mean()
    return None if not mean > 0 else QualityField(width, height, np.clip(weights / mean, _LOWEST, _HIGHEST))
