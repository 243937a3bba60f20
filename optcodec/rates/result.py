"""The result of a run as a JSON document, which ``optcodec plot`` draws."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from optcodec.rates.experiment import Experiment, Part
from optcodec.rates.measures import Measure
from optcodec.rates.rows import Curve
from optcodec.rates.summary import bd_rates, points

__all__ = ["FORMAT", "result_of"]

FORMAT = "optcodec rates 1"


def result_of(
    experiment: Experiment,
    part: Part,
    measures: Mapping[str, Measure],
    *,
    anchor: str,
    plain: str = "jpeg",
    seed: int = 0,
) -> dict[str, Any]:
    """Means, Bjøntegaard rates, failures and rows of a run, ready for JSON.

    Parameters
    ----------
    experiment : Experiment
        What was run.
    part : Part
        What was measured.
    measures : mapping of str to Measure
        Descriptions of the measures, by name.
    anchor : str
        Name of a sender. Curves are compared with its files behind the plain receiver, and with its files behind their
        own receiver, with the same noise.
    plain : str
        Name of the receiver that only decodes, as libjpeg-turbo does.
    seed : int
        Of the resamples.
    """

    def anchors(curve: Curve) -> list[Curve]:
        return [Curve(anchor, receiver, curve.sigma) for receiver in (plain, curve.receiver)]

    return {
        "format": FORMAT,
        "subsampling": experiment.subsampling,
        "senders": [sender.name for sender in experiment.senders],
        "rates": [rate.to_json() for rate in experiment.rates],
        "measures": {name: asdict(measure) for name, measure in measures.items()},
        "anchor": anchor,
        "seed": seed,
        "points": points(part.rows, seed=seed),
        "bd_rates": bd_rates(part.rows, anchors, measures, seed=seed),
        "failures": [failed.to_json() for failed in part.failures],
        "rows": [row.to_json() for row in part.rows],
    }
