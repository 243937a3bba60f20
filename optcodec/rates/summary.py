"""Means of measured rows, and Bjøntegaard rates against anchors, with 95 % intervals over the images."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import asdict
from typing import Any, TypeVar

import numpy as np
import numpy.typing as npt

from optcodec.bootstrap import draw_counts, weighted_means
from optcodec.errors import InvalidInputError
from optcodec.experiments.curves import Delta, bd_rate, monotone_curves
from optcodec.experiments.estimates import Estimate, estimate
from optcodec.rates.measures import Measure
from optcodec.rates.rows import Curve, Row

__all__ = ["ALL_SETS", "RESAMPLES", "bd_rates", "points"]

Floats = npt.NDArray[np.float64]
Points = Mapping[tuple[str, str], Mapping[str, Row]]  # of each image (set, name) a row by rate
T = TypeVar("T")
Key = TypeVar("Key", bound=Hashable)

ALL_SETS = "all"  # name of the union of all sets, where there are several
RESAMPLES = 2000


def points(rows: Sequence[Row], *, seed: int = 0) -> list[dict[str, Any]]:
    """Means over the images of each set, and of all sets if there are several, for each curve and rate.

    Parameters
    ----------
    rows : sequence of Row
        All have the same measures.
    seed : int
        Of the resamples.

    Returns
    -------
    list of dict
        ``set``, ``sender``, ``receiver``, ``sigma``, ``rate``; ``images``: number of rows; ``bpp`` and ``measures``:
        means with their intervals, see `optcodec.experiments.estimates.estimate`, of which those of a single image have
        no ends. Pictures that equal their original
        have an infinite PSNR: they are left out of its mean, and counted in ``exact``.
    """
    records = []
    for name, members in _sets(rows).items():
        for (curve, rate), group in _grouped(members, lambda row: (row.curve, row.rate)).items():
            measures = {measure: _mean([row.measures[measure] for row in group], seed) for measure in group[0].measures}
            exact = sum(any(np.isinf(value) for value in row.measures.values()) for row in group)
            record = {"set": name, **asdict(curve), "rate": rate.to_json(), "images": len(group), "exact": exact}
            records.append(record | {"bpp": _mean([row.bpp for row in group], seed), "measures": measures})
    return records


def bd_rates(
    rows: Sequence[Row], anchors: Callable[[Curve], Sequence[Curve]], measures: Mapping[str, Measure], *, seed: int = 0
) -> list[dict[str, Any]]:
    """Bjøntegaard rates of all curves against their anchors: the difference in bytes at an equal measure, in percent.

    Parameters
    ----------
    rows : sequence of Row
        Of all curves.
    anchors : callable
        The curves that a curve is compared with; itself is passed over.
    measures : mapping of str to Measure
        Those to compare by.
    seed : int
        Of the resamples.

    Returns
    -------
    list of dict
        ``set``, ``sender``, ``receiver``, ``sigma``, ``measure``; ``against``: sender and receiver of the anchor;
        ``value``, ``low``, ``high``: mean of the images' rates and its interval; ``images``: their number, and
        ``not_comparable`` that of the images whose curves have fewer than three points or overlap by less than 25 %;
        ``least_overlap_percent``: of the images that were compared; ``reason``, if there is no value. For measures
        that say nothing of a single picture, such as an accuracy, the curves of the means are compared instead.
    """
    records = []
    for name, members in _sets(rows).items():
        by_curve = {curve: _by_image(group) for curve, group in _grouped(members, lambda row: row.curve).items()}
        for curve, test in by_curve.items():
            for anchor in dict.fromkeys(anchors(curve)):
                if anchor == curve or anchor not in by_curve:
                    continue
                about = {"set": name, **asdict(curve), "against": _against(anchor)}
                for measure, kind in measures.items():
                    compare = _of_images if kind.per_image else _of_means
                    figures = compare(by_curve[anchor], test, measure, 1 if kind.rises else -1, seed)
                    records.append(about | {"measure": measure} | figures)
    return records


def _against(anchor: Curve) -> dict[str, str]:
    return {"sender": anchor.sender, "receiver": anchor.receiver}


def _sets(rows: Sequence[Row]) -> dict[str, list[Row]]:
    """Rows by set; those of all sets under a name of their own, if there are several."""
    sets = _grouped(rows, lambda row: row.set)
    if len(sets) > 1:
        if ALL_SETS in sets:
            raise InvalidInputError(f"{ALL_SETS!r} names the union of all sets; expected another name of a set")
        sets[ALL_SETS] = list(rows)
    return sets


def _grouped(items: Sequence[T], key: Callable[[T], Key]) -> dict[Key, list[T]]:
    groups: dict[Key, list[T]] = {}
    for item in items:
        groups.setdefault(key(item), []).append(item)
    return groups


def _by_image(rows: Sequence[Row]) -> dict[tuple[str, str], dict[str, Row]]:
    images: dict[tuple[str, str], dict[str, Row]] = {}
    for row in rows:
        images.setdefault((row.set, row.image), {})[str(row.rate)] = row
    return images


def _over_images(values: Floats, images: int, *, reason: str | None = None) -> Estimate:
    """A figure of some images with its interval; that of one image has no ends, since it tells nothing of others."""
    record = estimate(values, reason=reason)
    return record if images > 1 else record | {"low": None, "high": None}


def _mean(values: Sequence[float], seed: int) -> Estimate:
    """Mean of the finite values."""
    finite = np.array(values)[np.isfinite(values)]
    if not finite.size:
        return estimate(np.full(2, np.nan), reason="it is infinite for all images")
    return _over_images(weighted_means(finite, draw_counts(len(finite), RESAMPLES, seed)), len(finite))


def _of_images(anchor: Points, test: Points, measure: str, sign: int, seed: int) -> dict[str, Any]:
    """Mean over the images of the rate of each."""
    deltas = [_delta(anchor[image], test[image], measure, sign) for image in test if image in anchor]
    known = [delta for delta in deltas if delta.reason is None]
    record: dict[str, Any] = {"images": len(known), "not_comparable": len(deltas) - len(known)}
    if not known:
        reason = deltas[0].reason if deltas else "no image has both curves"
        return record | {"value": None, "low": None, "high": None, "reason": reason}
    values = np.array([float(delta.values[0]) for delta in known])
    record["least_overlap_percent"] = min(delta.overlap_percent for delta in known)
    return record | _over_images(weighted_means(values, draw_counts(len(values), RESAMPLES, seed)), len(values))


def _delta(anchor: Mapping[str, Row], test: Mapping[str, Row], measure: str, sign: int) -> Delta:
    """The Bjøntegaard rate of one image."""
    curves = []
    for rows in (anchor, test):
        finite = [row for row in rows.values() if np.isfinite(row.measures[measure])]
        if not finite:
            return Delta(np.full(1, np.nan), 0.0, "its pictures equal the original at all rates")
        rates = np.array([[float(row.nbytes)] for row in finite])
        curves.append(monotone_curves(rates, np.array([[sign * row.measures[measure]] for row in finite])))
    return bd_rate(*curves)


def _of_means(anchor: Points, test: Points, measure: str, sign: int, seed: int) -> dict[str, Any]:
    """Bjøntegaard rate of the curves of means, over the images that have all points of both."""
    rates = [list(dict.fromkeys(rate for image in side.values() for rate in image)) for side in (anchor, test)]
    images = [
        image
        for image in test
        if image in anchor
        and all(rate in side[image] for side, names in zip((anchor, test), rates, strict=True) for rate in names)
    ]
    record: dict[str, Any] = {"images": len(images), "not_comparable": len(test) - len(images)}
    if not images:
        return record | {"value": None, "low": None, "high": None, "reason": "no image has all points of both curves"}
    counts, curves = draw_counts(len(images), RESAMPLES, seed), []
    for side, names in zip((anchor, test), rates, strict=True):
        chosen = [[side[image][rate] for image in images] for rate in names]
        bpp = weighted_means(np.array([[row.bpp for row in point] for point in chosen]), counts)
        values = weighted_means(np.array([[sign * row.measures[measure] for row in point] for point in chosen]), counts)
        curves.append(monotone_curves(bpp, values))
    delta = bd_rate(*curves)
    record |= {"least_overlap_percent": delta.overlap_percent}
    return record | _over_images(delta.values, len(images), reason=delta.reason)
