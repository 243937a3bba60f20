"""Statistics of measured rows: points, pairs of methods, and curves; every figure has a 95 % interval.

All figures use the same sample of images. The intervals describe the variation with another sample of the same kind of
images, not with another network or another kind of images. A percentile interval has no width if all images agree, as
at an accuracy of 100 %.
"""

from __future__ import annotations

from itertools import combinations
from typing import Any

import numpy as np

from optcodec.accuracy.compare import CURVE_RESAMPLES, compare_curves, grouped, named
from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.means import Means, means
from optcodec.accuracy.rows import Rows
from optcodec.bootstrap import CONFIDENCE_PERCENT, draw_counts
from optcodec.errors import InvalidInputError
from optcodec.experiments.estimates import estimate
from optcodec.extras import require_packages
from optcodec.jsontext import finite

__all__ = ["mcnemar", "summarize"]

RESAMPLES = 2000


def summarize(rows: Rows, *, baseline: str = "jpeg", seed: int = 0) -> dict[str, Any]:
    """Statistics of measured rows, ready for JSON.

    Parameters
    ----------
    rows : Rows
        At least one image.
    baseline : str
        Method with whose curve the other curves of the same setting are compared. If it was not measured, the reason is
        given in place of those comparisons.
    seed : int
        Seed of the resamples; the result depends on it and on the rows only.

    Returns
    -------
    dict
        ``uncompressed``: accuracy and loss of the uncompressed images. ``points``: one record for each condition, in
        the same order. ``comparisons``: ``pairs`` of methods at the same setting and level, and ``curves``, one record
        for each method and setting. A figure is ``{"value", "low", "high"}`` with the ends of its interval; see
        `optcodec.experiments.estimates.estimate`. Figures are None instead of NaN or infinite.

    Raises
    ------
    InvalidInputError
        If there are no images, or a loss is not finite.

    Notes
    -----
    - ``psnr_db`` is the mean over the images whose decoded pixels differ from the original; ``exact_images`` is the
      number of the others. ``missed_images``: number of files that could only come near to their condition.
    - In a pair, ``bytes_ratio`` is the bytes of the method divided by those of the method in ``against``;
      ``top1_points`` and ``loss`` are differences to it. In the setting ``"fixed"`` the levels of different methods are
      not comparable, so pairs are only formed between variants of one method (``"opts"``, ``"opts:laplacian"``).
    - ``bd_rate_*_percent`` and ``change_percent``: below 0 if the method needs fewer bits. ``bd_top1_points``: above 0
      if its accuracy is higher; ``bd_loss``: below 0 if its loss is lower.
    - ``at_accuracy``: the smallest rate at which the curve reaches the top-1 accuracy of the uncompressed images minus
      a margin. ``at_loss``: the smallest rate at which the loss increase is at most that of the baseline at a quality
      factor.
    """
    if not rows.images:
        raise InvalidInputError("expected rows of at least one image, got none")
    averages = means(rows, draw_counts(len(rows.images), RESAMPLES, seed))
    return {
        "uncompressed": {
            "images": len(rows.images),
            "top1_percent": estimate(averages.reference_top1_percent),
            "top5_percent": estimate(averages.reference_top5_percent),
            "loss": estimate(averages.reference_loss),
        },
        "points": [_point(rows, averages, index) for index in range(len(rows.conditions))],
        "comparisons": {
            "baseline": baseline,
            "seed": seed,
            "resamples": RESAMPLES,
            "curve_resamples": CURVE_RESAMPLES,
            "confidence_percent": CONFIDENCE_PERCENT,
            "pairs": _pairs(rows, averages, baseline),
            "curves": compare_curves(rows, averages, baseline),
        },
    }


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided McNemar test of whether two methods are right equally often.

    Parameters
    ----------
    wins, losses : int
        Number of images on which only the first method is right, and on which only the second is.

    Returns
    -------
    float
        p-value: probability of a split at least as uneven if both are right equally often; 1 if they never disagree.

    Notes
    -----
    McNemar (1947), with the binomial distribution instead of his approximation, which is poor for few images.
    """
    require_packages("scipy.stats")
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def _point(rows: Rows, averages: Means, index: int) -> dict[str, Any]:
    figures = (
        "bpp",
        "top1_percent",
        "top1_change_points",
        "top5_percent",
        "agreement_percent",
        "loss",
        "loss_increase",
    )
    psnr = rows.psnr_db[index].astype(np.float64)
    exact = np.isposinf(psnr)
    swe = float(rows.swe[index].mean(dtype=np.float64))
    return {
        **named(rows.conditions[index]),
        **{name: estimate(getattr(averages, name)[index]) for name in figures},
        "psnr_db": None if exact.all() else float(psnr[~exact].mean()),
        "exact_images": int(exact.sum()),
        "missed_images": int((~rows.met[index]).sum()),
        "swe": finite(swe),
    }


def _pairs(rows: Rows, averages: Means, baseline: str) -> list[dict[str, Any]]:
    """All pairs of methods at the same setting and level, compared with the baseline or the one measured first."""

    def group(condition: Condition) -> tuple[str, float, str]:
        family = condition.method.partition(":")[0] if condition.setting == "fixed" else ""
        return condition.setting, condition.level, family

    records = []
    for members in grouped(rows.conditions, group).values():
        members.sort(key=lambda index: rows.conditions[index].method != baseline)
        records += [_pair(rows, averages, index, against) for against, index in combinations(members, 2)]
    return records


def _pair(rows: Rows, averages: Means, index: int, against: int) -> dict[str, Any]:
    hits, other_hits = rows.rank[index] == 0, rows.rank[against] == 0
    wins, losses = int((hits & ~other_hits).sum()), int((other_hits & ~hits).sum())
    return {
        **named(rows.conditions[index]),
        "against": rows.conditions[against].method,
        "bytes_ratio": estimate(averages.nbytes[index] / averages.nbytes[against]),
        "top1_points": estimate(averages.top1_percent[index] - averages.top1_percent[against]),
        "loss": estimate(averages.loss[index] - averages.loss[against]),
        "only_method_right": wins,
        "only_against_right": losses,
        "mcnemar_p": mcnemar(wins, losses),
    }
