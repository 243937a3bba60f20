"""Means over images, with confidence intervals by the percentile bootstrap.

All means use the same resamples of images, so that a difference of two means in a resample is the mean of the paired
differences. See `optcodec.bootstrap`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.rows import Rows
from optcodec.bootstrap import weighted_means
from optcodec.errors import InvalidInputError

__all__ = ["Means", "means"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Means:
    """Means over the images of `Rows`: [..., 0] of the sample, [..., 1:] of the R - 1 resamples.

    Parameters
    ----------
    bpp : ndarray of float64, shape (C, R)
        Mean of the bits per pixel of each file.
    nbytes : ndarray of float64, shape (C, R)
        Mean size of a file.
    top1_percent, top5_percent, loss : ndarray of float64, shape (C, R)
        Accuracy and mean cross-entropy of the decoded images.
    agreement_percent : ndarray of float64, shape (C, R)
        Percentage of images whose most likely class is the same as without compression.
    top1_change_points, loss_increase : ndarray of float64, shape (C, R)
        Change of top-1 accuracy (percentage points) and of the loss from the uncompressed images, paired.
    reference_top1_percent, reference_top5_percent, reference_loss : ndarray of float64, shape (R,)
        Accuracy and loss of the uncompressed images.
    """

    bpp: Floats
    nbytes: Floats
    top1_percent: Floats
    top5_percent: Floats
    loss: Floats
    agreement_percent: Floats
    top1_change_points: Floats
    loss_increase: Floats
    reference_top1_percent: Floats
    reference_top5_percent: Floats
    reference_loss: Floats


def means(rows: Rows, counts: Floats) -> Means:
    """All means of the measured rows, in the sample and in each resample.

    Parameters
    ----------
    rows : Rows
        C conditions on N images.
    counts : ndarray of float64, shape (R, N)
        From `optcodec.bootstrap.draw_counts`.

    Raises
    ------
    InvalidInputError
        If a loss is not finite.
    """
    if not (np.isfinite(rows.loss).all() and np.isfinite(rows.reference_loss).all()):
        raise InvalidInputError("expected finite losses, got rows with an infinite or undefined one")

    def of(values: npt.NDArray[Any]) -> Floats:
        return weighted_means(values, counts)

    top1, reference_top1 = of(100 * (rows.rank == 0)), of(100 * (rows.reference_rank == 0))
    loss, reference_loss = of(rows.loss), of(rows.reference_loss)
    return Means(
        bpp=of(8 * rows.nbytes / rows.pixels),
        nbytes=of(rows.nbytes),
        top1_percent=top1,
        top5_percent=of(100 * (rows.rank < 5)),
        loss=loss,
        agreement_percent=of(100 * (rows.predicted == rows.reference_predicted)),
        top1_change_points=top1 - reference_top1,
        loss_increase=loss - reference_loss,
        reference_top1_percent=reference_top1,
        reference_top5_percent=of(100 * (rows.reference_rank < 5)),
        reference_loss=reference_loss,
    )
