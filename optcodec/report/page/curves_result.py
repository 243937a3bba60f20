"""A result of curves as its JSON, its points and its rows, with the names under which curves are shown."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, TypeAlias

from optcodec.cached import cached_property
from optcodec.rates.measures import Measure
from optcodec.rates.rows import Curve, Row
from optcodec.rates.summary import ALL_SETS, bd_rates
from optcodec.report.curves import Interval
from optcodec.report.page.words import figure_of, listed, number_of
from optcodec.report.rate_curves import RateResult, rates_in

__all__ = ["CurvesResult", "change_against", "curves_result"]

Names: TypeAlias = Mapping[tuple[str, str], str]  # displayed name of each sender and receiver


@dataclass(frozen=True)
class CurvesResult:
    """The JSON of a result with its points and rows; the set and the noise that the headline is about come first."""

    record: Mapping[str, Any]
    read: RateResult
    rows: Sequence[Row]
    measures: Mapping[str, Measure]

    @cached_property
    def sets(self) -> list[str]:
        """Names of the sets, that of their union first."""
        names = dict.fromkeys(point.set for point in self.read.points)
        return sorted(names, key=lambda name: name != ALL_SETS)

    @cached_property
    def sigmas(self) -> list[float]:
        """Standard deviations of the noise, those first at which bytes were compared."""
        compared = {
            bd["sigma"] for bd in self.record["bd_rates"] if bd["set"] == self.sets[0] and bd["value"] is not None
        }
        return sorted(dict.fromkeys(point.sigma for point in self.read.points), key=lambda sigma: sigma not in compared)

    @cached_property
    def noise(self) -> str:
        """The noise that the headline is about, in words behind others; empty if there is none anywhere."""
        sigma = self.sigmas[0]
        return (f" with noise {sigma:g}" if sigma else " without noise") if any(self.sigmas) else ""

    @cached_property
    def names(self) -> Names:
        """Displayed names; the sender or the receiver is left out where there is one only."""
        pairs = list(dict.fromkeys((point.sender, point.receiver) for point in self.read.points))
        senders, receivers = (list(dict.fromkeys(pair[side] for pair in pairs)) for side in (0, 1))
        if len(receivers) == 1 and not self.record.get("files_of_one_sender"):
            return {pair: pair[0] for pair in pairs}
        return {pair: pair[1] if len(senders) == 1 else f"{pair[0]} → {pair[1]}" for pair in pairs}

    @cached_property
    def anchor(self) -> tuple[str, str]:
        """Sender and receiver that most curves are compared with."""
        against = Counter((bd["against"]["sender"], bd["against"]["receiver"]) for bd in self.record["bd_rates"])
        return against.most_common(1)[0][0] if against else next(iter(self.names))

    @cached_property
    def anchor_name(self) -> str:
        """Its displayed name."""
        return self.names[self.anchor]

    def name_of_anchor(self, bd: Mapping[str, Any]) -> str:
        """Displayed name of what a record of a Bjøntegaard rate compares with."""
        return self.names[bd["against"]["sender"], bd["against"]["receiver"]]

    def at_equal(self, measure: str) -> str:
        """What is equal where bytes are compared, such as ``at equal PSNR with noise 5``."""
        return f"at equal {self.measures[measure].title.removesuffix(' dB')}{self.noise}"


def curves_result(record: Mapping[str, Any], path: str) -> CurvesResult:
    """The result in a record in the layout of ``optcodec rates``; the path is for messages.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If it is no such result, or its rows and points have other measures than it says.
    """
    read = rates_in(record, path)
    measures = {name: Measure(**kind) for name, kind in record["measures"].items()}
    rows = [Row.from_json(row) for row in record["rows"]]
    for what, each in [*(("a row", row) for row in rows), *(("a point", point) for point in record["points"])]:
        found = set(each.measures if isinstance(each, Row) else each["measures"])
        if found != measures.keys():
            raise ValueError(f"{what} has the measures {listed(sorted(found))}; expected {listed(sorted(measures))}")
    for row in rows:
        if min(number_of(row.bpp), number_of(row.nbytes)) <= 0:
            raise ValueError(f"expected sizes above 0, found {row.nbytes} bytes and {row.bpp} bits per pixel")
        for figure in row.measures.values():
            if figure != math.inf:  # of equal pictures
                number_of(figure)
    return CurvesResult(record, read, rows, measures)


def _curve(result: CurvesResult, name: str) -> Curve:
    return next(Curve(*pair, result.sigmas[0]) for pair, shown in result.names.items() if shown == name)


def change_against(result: CurvesResult, measure: str, name: str, other: str, rows: Sequence[Row]) -> Interval | None:
    """Change in bytes of one curve against another at an equal measure, from the rows of pictures.

    Parameters
    ----------
    result : CurvesResult
        What the rows are of.
    measure : str
        Name of the measure.
    name, other : str
        Displayed names of the curves; the first noise counts.
    rows : sequence of Row
        Of some or all pictures, at least one.

    Returns
    -------
    Interval or None
        In percent; None if the curves cannot be compared.
    """
    curve, anchor = _curve(result, name), _curve(result, other)
    chosen = [row for row in rows if row.curve in (curve, anchor)]
    records = bd_rates(chosen, lambda _: [anchor], {measure: result.measures[measure]})
    figures = [figure_of(bd) for bd in records if bd["set"] in (result.sets[0], rows[0].set)]
    return figures[-1] if figures else None
