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
# Weights are kept between these multiples of their mean; the lower bound is raised to the power of the sensitivity.
# Blocks that the reader does not see at all, as where a network crops, get the lower bound itself, whatever the power:
# with 0.03 instead, files of whole photographs are worse (logarithm of the divergence at equal bytes: 0.1 more for a
# trellis alone, 0.05 more for the loop).
_LOWEST, _HIGHEST = 0.0009, 30.0


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
    seen, weights = weights > 0, (weights / weights.max()) ** power
    weights = np.clip(weights / weights.mean(), _LOWEST**power, _HIGHEST)
    return QualityField(width, height, np.where(seen, weights, _LOWEST))
