"""Where in a picture errors count for its reader: weights of blocks."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.trellis.field import QualityField, block_sums

__all__ = ["LINEAR", "ROOT", "importance"]

# Powers of the sensitivity of a block. If errors added up without interfering, weights in proportion to it would be
# best; with a trellis alone they are. Where the loop goes on with a gradient, which knows more, the root does better
# (measured with SqueezeNet 1.1 on 24 photographs).
LINEAR, ROOT = 1.0, 0.5
_LOWEST, _HIGHEST = 0.03, 30.0  # between which a weight is kept, against the mean


def importance(sensitivity: npt.NDArray[np.floating[Any]], power: float) -> QualityField | None:
    """Weights of squared errors, in proportion to a power of the sensitivity of a block.

    Parameters
    ----------
    sensitivity : ndarray of float, shape (height, width)
        What a squared error of a pixel costs, in any unit; at least 0.
    power : float
        `LINEAR` or `ROOT`.

    Returns
    -------
    QualityField or None
        None if the sensitivity is 0 everywhere.
    """
    height, width = sensitivity.shape
    weights = block_sums(sensitivity.astype(np.float64))
    if not weights.max() > 0:
        return None
    weights = (weights / weights.max()) ** power
    return QualityField(width, height, np.clip(weights / weights.mean(), _LOWEST, _HIGHEST))
