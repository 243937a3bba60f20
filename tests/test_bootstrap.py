"""Bootstrap intervals equal those of a direct implementation, and those in the committed results."""

from __future__ import annotations

import json
from collections import defaultdict
from pathlib import Path

import numpy as np
import pytest

from optcodec import InvalidInputError, bootstrap
from optcodec.bootstrap import percentile_interval

RESULTS = Path(__file__).parents[1] / "benchmarks" / "results"


def naive_interval(values: np.ndarray, resamples: int, seed: int) -> list[float]:
    drawn = np.random.default_rng(seed).integers(0, len(values), (resamples, len(values)))
    means = [np.mean(values[images]) for images in drawn]
    return [float(np.percentile(means, percent)) for percent in (2.5, 97.5)]


@pytest.mark.parametrize("images", [1, 2, 31, 200])
@pytest.mark.parametrize("largest_draw", [1, 64, 1000, 1 << 20])
def test_interval_is_that_of_the_definition(images: int, largest_draw: int, monkeypatch: pytest.MonkeyPatch) -> None:
    """The interval does not depend on how many draws are in memory at once."""
    monkeypatch.setattr(bootstrap, "_LARGEST_DRAW", largest_draw)
    values = np.random.default_rng(images).lognormal(size=images)
    assert list(percentile_interval(values, resamples=300, seed=7)) == naive_interval(values, 300, 7)


def test_a_statistic_of_columns() -> None:
    """Draws for which the statistic is not defined (NaN) are left out."""
    values = np.column_stack([np.arange(5.0), np.full(5, 3.0)])

    def statistic(draws: np.ndarray) -> list[float]:
        return [float(draw[:, 1].mean()) if (draw[:, 0] == 0).any() else float("nan") for draw in draws]

    assert percentile_interval(values, resamples=50, statistic=statistic) == (3.0, 3.0)
    low, high = percentile_interval(values, resamples=50, statistic=lambda draws: np.full(len(draws), np.nan))
    assert np.isnan([low, high]).all()
    assert percentile_interval(values, resamples=50) == percentile_interval(values.mean(axis=1), resamples=50)


def test_no_images_have_no_interval() -> None:
    with pytest.raises(InvalidInputError, match="at least one image, got none"):
        percentile_interval([], resamples=10)


def test_intervals_of_the_encoders_are_reproduced() -> None:
    """The results have two decimal places, so that the ends of an interval may differ in the last one."""
    curves = json.loads((RESULTS / "rd_peers_420.json").read_text())["curves"]
    figures = [figure for measures in curves.values() for figure in measures.values()]
    assert len(figures) > 20
    for figure in figures:
        assert percentile_interval(figure["images"], resamples=2000) == pytest.approx(figure["interval"], abs=0.0101)


def test_intervals_of_the_receivers_are_reproduced() -> None:
    document = json.loads((RESULTS / "receiver_evaluate_gray.json").read_text())
    values: dict[tuple[object, ...], dict[str, float]] = defaultdict(dict)
    for row in document["rows"]:
        for measure in document["measures"]:
            values[row["set"], row["quality"], row["receiver"], measure][row["image"]] = row[measure]
    compared = [record for record in document["comparisons"] if record["set"] in document["sets"]]
    assert len(compared) > 20
    for record in compared:
        key = record["set"], record["quality"]
        ours, theirs = (values[*key, name, record["measure"]] for name in (record["receiver"], document["against"]))
        pairs = np.array([(ours[image], theirs[image]) for image in ours], float)
        pairs = pairs[np.isfinite(pairs).all(axis=1)]
        interval = percentile_interval(pairs[:, 0] - pairs[:, 1], resamples=10_000)
        assert interval == (record["low"], record["high"])
