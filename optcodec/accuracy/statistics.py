"""What measured rows say: points, pairs and curves; every figure with its 95 % interval.

All figures come from one draw of images. Their intervals tell what another choice of images of the same kind would
do, not what another network or another kind of image would. A percentile interval has no width where all images
agree, as at an accuracy of 100 %.
"""

from __future__ import annotations

import math
from itertools import combinations
from typing import Any

import numpy as np

from optcodec.accuracy.compare import CURVE_RESAMPLES, compare_curves, grouped, named
from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.means import Means, estimate, means
from optcodec.accuracy.rows import Rows
from optcodec.bootstrap import CONFIDENCE_PERCENT, draw_counts
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages

__all__ = ["mcnemar", "summarize"]

RESAMPLES = 2000


def summarize(rows: Rows, *, baseline: str = "jpeg", seed: int = 0) -> dict[str, Any]:
    """Statistics of measured rows, ready for JSON.

    Parameters
    ----------
    rows : Rows
        At least one image.
    baseline : str
        Method whose curve in the same setting the other curves are compared with. Where it was not measured, those
        comparisons say so.
    seed : int
        Of the draw of images; the result depends on it and on the rows only.

    Returns
    -------
    dict
        ``uncompressed``: accuracy and loss of the uncompressed images. ``points``: one record a condition, in their
        order. ``comparisons``: ``pairs`` of methods at one setting and level, and ``curves``, one record a method and
        setting. A figure is ``{"value", "low", "high"}`` with the ends of its interval; see
        `optcodec.accuracy.means.estimate`. Figures are None instead of NaN or infinite.

    Raises
    ------
    InvalidInputError
        If there are no images, or a loss is not finite.

    Notes
    -----
    - ``psnr_db`` is the mean over the images that were not decoded exactly; ``exact_images`` counts the others.
      ``missed_images``: those whose file is only the nearest to what the condition says.
    - ``bytes_ratio``, ``top1_points`` and ``loss`` of a pair are the method over, or minus, the one it is held
      ``against``. In the setting ``"fixed"`` levels of two methods have nothing in common; pairs are then only formed
      between variants of one method (``"opts"``, ``"opts:laplacian"``).
    - ``bd_rate_*_percent`` and ``change_percent``: below 0 if the method needs fewer bits. ``bd_top1_points``: above 0
      if it is more accurate; ``bd_loss``: below 0 if it loses less.
    - ``at_accuracy``: the smallest rate at which the curve reaches the top-1 accuracy of the uncompressed images less a
      margin. ``at_loss``: that at which the loss increase is no larger than that of the baseline at a quality factor.
    """
    if not rows.images:
        raise InvalidInputError("expected rows of at least one image, got none")
    found = means(rows, draw_counts(len(rows.images), RESAMPLES, seed))
    return {
        "uncompressed": {
            "images": len(rows.images),
            "top1_percent": estimate(found.reference_top1_percent),
            "top5_percent": estimate(found.reference_top5_percent),
            "loss": estimate(found.reference_loss),
        },
        "points": [_point(rows, found, index) for index in range(len(rows.conditions))],
        "comparisons": {
            "baseline": baseline,
            "seed": seed,
            "resamples": RESAMPLES,
            "curve_resamples": CURVE_RESAMPLES,
            "confidence_percent": CONFIDENCE_PERCENT,
            "pairs": _pairs(rows, found, baseline),
            "curves": compare_curves(rows, found, baseline),
        },
    }


def mcnemar(wins: int, losses: int) -> float:
    """Exact two-sided McNemar test: how likely so uneven a split is if both methods are right equally often.

    Parameters
    ----------
    wins, losses : int
        Images on which only the one, or only the other method is right.

    Returns
    -------
    float
        p-value; 1 where the methods never disagree.

    Notes
    -----
    McNemar (1947); the binomial distribution in place of his approximation, which is poor for few images.
    """
    require_packages("scipy.stats")
    from scipy.stats import binomtest

    return float(binomtest(wins, wins + losses, 0.5).pvalue) if wins + losses else 1.0


def _point(rows: Rows, found: Means, index: int) -> dict[str, Any]:
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
        **{name: estimate(getattr(found, name)[index]) for name in figures},
        "psnr_db": None if exact.all() else float(psnr[~exact].mean()),
        "exact_images": int(exact.sum()),
        "missed_images": int((~rows.met[index]).sum()),
        "swe": swe if math.isfinite(swe) else None,
    }


def _pairs(rows: Rows, found: Means, baseline: str) -> list[dict[str, Any]]:
    """Every two methods at one setting and level; the baseline, or else the one measured first, is held against."""

    def group(condition: Condition) -> tuple[str, float, str]:
        family = condition.method.partition(":")[0] if condition.setting == "fixed" else ""
        return condition.setting, condition.level, family

    records = []
    for members in grouped(rows.conditions, group).values():
        members.sort(key=lambda index: rows.conditions[index].method != baseline)
        records += [_pair(rows, found, index, against) for against, index in combinations(members, 2)]
    return records


def _pair(rows: Rows, found: Means, index: int, against: int) -> dict[str, Any]:
    hits, other_hits = rows.rank[index] == 0, rows.rank[against] == 0
    wins, losses = int((hits & ~other_hits).sum()), int((other_hits & ~hits).sum())
    return {
        **named(rows.conditions[index]),
        "against": rows.conditions[against].method,
        "bytes_ratio": estimate(found.nbytes[index] / found.nbytes[against]),
        "top1_points": estimate(found.top1_percent[index] - found.top1_percent[against]),
        "loss": estimate(found.loss[index] - found.loss[against]),
        "only_method_right": wins,
        "only_against_right": losses,
        "mcnemar_p": mcnemar(wins, losses),
    }
