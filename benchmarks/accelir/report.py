"""Summarize the measurements of `gains.py`: means and differences, each with a 95 % bootstrap interval.

The bootstrap draws photographs. Differences are paired: they are taken for each photograph, then averaged. If an
encoder has no file of the requested size for a photograph, that photograph is left out of the comparisons with this
encoder; ``images`` is the number of photographs that remain.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.shared import percentile_interval

Floats = npt.NDArray[np.float64]
Record = dict[str, Any]
Figure = dict[str, Any]
Rows = dict[str, Record]  # by photograph

DRAWS, DIGITS = 2000, 3
REFERENCE, OURS, ORACLE = "jpeg", "receiver+qpnet", "oracle"
MOZJPEG = "mozjpeg flat", "mozjpeg default tables"
RIVALS = "receiver", "rdo", "webp", "receiver+x264", "receiver+libwebp"
_WORTH = 1e-3  # headroom in dB below which a share of it is too uncertain to be reported


def mean(columns: Floats) -> float:
    return float(columns.mean())


def figure(columns: Floats, statistic: Callable[[Floats], float] = mean) -> Figure:
    """A statistic of values of shape (photographs, ...), and its 95 % interval.

    Draws for which the statistic is not defined (NaN) are left out.
    """
    interval = percentile_interval(
        columns, resamples=DRAWS, statistic=lambda draws: [statistic(drawn) for drawn in draws]
    )
    low, high = np.round(interval, DIGITS).tolist()
    return {"value": round(statistic(columns), DIGITS), "low": low, "high": high, "images": len(columns)}


class Measured:
    """Records by task, network, tools, method and rate; records without a file are left out."""

    def __init__(self, records: Iterable[Record]) -> None:
        self._rows: dict[tuple[Any, ...], Rows] = defaultdict(dict)
        for record in records:
            if "nbytes" in record:
                key = record["task"], record["network"], record["tools"], record["method"], record["bpp"]
                self._rows[key][f"{record['set']}/{record['image']}"] = record

    def known(self) -> list[tuple[Any, ...]]:
        """All keys (task, network, tools, method, bpp) that have records."""
        return list(self._rows)

    def rows(self, *key: Any) -> Rows:
        """The records of a key by photograph; empty if there are none."""
        return self._rows.get(key, {})


def together(*many: Rows, of: str = "after") -> Floats:
    """Values (photographs, methods) of a field for the photographs that all methods have, sorted by name."""
    names = sorted(set.intersection(*(set(rows) for rows in many)))
    values = [[rows[name].get(of, np.nan) for rows in many] for name in names]
    table = np.array(values, np.float64).reshape(len(names), len(many))
    whole: Floats = table[np.isfinite(table).all(axis=1)]
    return whole


def difference(first: Rows, second: Rows, of: str = "after") -> Figure | None:
    """Mean over photographs of the first method's field minus the second's; None if no photograph has both."""
    pairs = together(first, second, of=of)
    return figure(pairs[:, 0] - pairs[:, 1]) if len(pairs) else None


def share(rows: Sequence[Rows]) -> Figure:
    """How much of the gain of the third method over the first the second method reaches, as a ratio of means.

    ``headroom`` is the gain of the third over the first in dB. ``share`` is None if the headroom is not certainly above
    `_WORTH`.
    """
    columns = together(*rows)
    if not len(columns):
        return {"headroom": None, "share": None}
    headroom = figure(columns[:, 2] - columns[:, 0])
    if headroom["low"] <= _WORTH:
        return {"headroom": headroom, "share": None}
    return {"headroom": headroom, "share": figure(columns, _part)}


def _part(columns: Floats) -> float:
    """Share of the gain of the third method that the second reaches; NaN if that gain is below `_WORTH`."""
    start, reached, end = columns.mean(axis=0)
    return float((reached - start) / (end - start)) if end - start > _WORTH else float("nan")


def bd_figures(reference: Sequence[Rows], test: Sequence[Rows]) -> dict[str, Figure] | None:
    """BD-PSNR in dB and BD-rate in % of bytes of two methods, each a sequence of rows by rate.

    Bjontegaard, VCEG-M33 (2001), with piecewise cubic interpolation, over the range that both curves share. None if
    the curves of no photograph overlap.
    """
    import bjontegaard

    from benchmarks.rates.rd import bd_rate

    names = sorted(set.intersection(*(set(rows) for rows in (*reference, *test))))
    gains, rates, overlaps = [], [], []
    for name in names:
        curves = [
            [(rows[name]["nbytes"], rows[name]["after"]) for rows in rows_by_rate] for rows_by_rate in (reference, test)
        ]
        columns: list[Floats] = [np.array(curve).T for curve in curves]
        options = {"method": "pchip", "require_matching_points": False, "min_overlap": 0}
        gains.append(bjontegaard.bd_psnr(*columns[0], *columns[1], **options))
        rate, overlap = bd_rate(*curves) if _overlap(curves) else (np.nan, 0.0)
        rates.append(rate)
        overlaps.append(overlap)
    known = np.isfinite(rates)
    if not known.any():
        return None
    return {
        "bd_psnr_db": figure(np.array(gains)),
        "bd_rate_percent": figure(np.array(rates)[known]) | {"least_overlap": round(min(overlaps), DIGITS)},
    }


def _overlap(curves: Sequence[Sequence[tuple[float, float]]]) -> bool:
    """Whether both curves rise, and their ranges of PSNR overlap."""
    ends = [(curve[0][1], max(psnr for _, psnr in curve)) for curve in curves]
    rise = all(high > low for low, high in ends)
    return rise and max(low for low, _ in ends) < min(high for _, high in ends)


def rates(records: Sequence[Record], middle: float) -> dict[str, Any]:
    """The result of `gains.py rates`: PSNR and gains by task and method, gains of QP-NET over rivals, and headroom."""
    measurements, all_rates = Measured(records), sorted({record["bpp"] for record in records})
    tasks: dict[str, Any] = {}
    for task, network, tools in dict.fromkeys((r["task"], r["network"], r["tools"]) for r in records):
        curves = {
            method: {bpp: measurements.rows(task, network, tools, method, bpp) for bpp in all_rates}
            for method in dict.fromkeys(r["method"] for r in records if r["task"] == task)
        }
        tasks[task] = {
            "network": network,
            "methods": {method: _of_method(rows, curves[REFERENCE], middle) for method, rows in curves.items()},
            "qpnet_over": _over(curves, all_rates),
            "headroom": _headroom(curves, middle),
        }
    missing = [{k: r[k] for k in ("task", "image", "method", "bpp", "not_met")} for r in records if "not_met" in r]
    return {"images": len({(r["set"], r["image"]) for r in records}), "middle": middle, "rates": all_rates,
            "tasks": tasks, "not_met": missing, "digests": digests(records)}  # fmt: skip


def digests(records: Sequence[Record]) -> dict[str, str]:
    """Digests of network, profile and QP-NET by receiver, and by the receiver that the files are for."""
    named = {f"{record['network']}, files for {record['tools']}": record["digest"] for record in records}
    return dict(sorted(named.items()))


def _of_method(rows: dict[float, Rows], reference: dict[float, Rows], middle: float) -> dict[str, Any]:
    """A method against default JPEG: PSNR after restoration by rate, curves, and PSNR before it at the middle rate."""
    known = [bpp for bpp in rows if rows[bpp]]
    figures: dict[str, Any] = {
        "psnr_db": {f"{bpp:g}": round(mean(together(rows[bpp])), DIGITS) for bpp in known},
        "gain_db": {f"{bpp:g}": difference(rows[bpp], reference[bpp]) for bpp in known},
    }
    if len(known) > 1:
        figures["curve"] = bd_figures([reference[bpp] for bpp in known], [rows[bpp] for bpp in known])
    if rows.get(middle):
        fields = {"before_db": "before", "before_against_clean_db": "clean", "seam": "seam"}
        figures |= {key: difference(rows[middle], reference[middle], of) for key, of in fields.items()}
        figures["seam_ratio"] = round(mean(together(rows[middle], of="seam")), DIGITS)
    return {key: value for key, value in figures.items() if value is not None}


def _over(curves: dict[str, dict[float, Rows]], all_rates: Sequence[float]) -> dict[str, dict[str, Figure | None]]:
    """PSNR after restoration with QP-NET less that of each rival, by rate; of mozjpeg's settings only the best one."""
    ours = curves.get(OURS, {})
    differences: dict[str, dict[str, Figure | None]] = {}
    for bpp in [rate for rate in all_rates if ours.get(rate)]:
        rivals = {name: curves[name][bpp] for name in RIVALS if curves.get(name, {}).get(bpp)}
        tried = {name: curves[name][bpp] for name in MOZJPEG if curves.get(name, {}).get(bpp)}
        if tried:
            best = max(tried, key=lambda name: mean(together(tried[name])))
            rivals[f"best mozjpeg ({best.removeprefix('mozjpeg ')})"] = tried[best]
        differences[f"{bpp:g}"] = {name: difference(ours[bpp], rows) for name, rows in rivals.items()}
    return differences


def _headroom(curves: dict[str, dict[float, Rows]], middle: float) -> Figure | None:
    """The `share` of QP-NET between the trellis for the receiver and the one with true groups."""
    names = "receiver", OURS, ORACLE
    if not all(curves.get(name, {}).get(middle) for name in names):
        return None
    return share([curves[name][middle] for name in names])


def unseen(records: Sequence[Record]) -> dict[str, Any]:
    """The result of `gains.py unseen`: gain over default JPEG by receiver and profile, for all photographs and sets."""
    sets = sorted({record["set"] for record in records})
    receivers = dict.fromkeys((record["task"], record["network"], record["bpp"]) for record in records)
    matrix: dict[str, Any] = {}
    for kept in (None, *sets):
        measurements = Measured(record for record in records if kept in (None, record["set"]))
        for task, network, bpp in receivers:
            reference = measurements.rows(task, network, task, REFERENCE, bpp)
            row = {
                f"{method} for {tools}" if method in ("receiver", OURS) else method: difference(
                    measurements.rows(*known, tools, method, bpp), reference
                )
                for *known, tools, method, rate in measurements.known()
                if known == [task, network] and rate == bpp and method != REFERENCE
            }
            matrix.setdefault(kept or "all", {})[network if network != "default" else task] = row
    return {"gain_db": matrix, "digests": digests(records)}


def control(records: Sequence[Record]) -> dict[str, Any]:
    """The result of `gains.py control`: by how many percent files are smaller than the budget."""
    measured = [record for record in records if "nbytes" in record]
    groups = {"all": measured} | {
        task: [record for record in measured if record["task"] == task]
        for task in dict.fromkeys(record["task"] for record in measured)
    }
    missing = {}
    for name, rows in groups.items():
        errors = np.array([100 * (1 - row["nbytes"] / row["budget"]) for row in rows])
        median, most = np.percentile(errors, [50, 95]).round(DIGITS).tolist()
        missing[name] = {
            "files": len(rows),
            "median_percent": median,
            "percentile_95_percent": most,
            "largest_percent": round(float(errors.max()), DIGITS),
            "above_the_budget": int((errors < 0).sum()),
        }
    return {"missing": missing, "not_met": [record for record in records if "not_met" in record]}


def speed(rows: Sequence[Record]) -> dict[str, Any]:
    """The result of `gains.py speed`: median seconds, and by how many percent QP-NET prolongs each pair of runs."""
    cases: dict[str, Any] = {}
    for row in rows:
        seconds = {name: np.array(values) for name, values in row["seconds"].items()}
        overhead = {
            setting: np.percentile(100 * (seconds[f"{setting} with"] / seconds[f"{setting} without"] - 1), [50, 25, 75])
            for setting in ("quality", "bytes")
        }
        megapixels = row["sides"][0] * row["sides"][1] / 1e6
        cases[f"{row['tools']}, {row['size']}, image {row['image']}"] = {
            "tools": row["tools"],
            "size": row["size"],
            "seconds": {name: round(float(np.median(values)), 5) for name, values in seconds.items()},
            "overhead_percent": {
                setting: dict(zip(("median", "quartile_1", "quartile_3"), values.round(2).tolist(), strict=True))
                for setting, values in overhead.items()
            },
            "qpnet_megapixels_per_second": round(megapixels / float(np.median(seconds["qpnet"])), 1),
        }
    return {"threads": 1, "cases": cases}
