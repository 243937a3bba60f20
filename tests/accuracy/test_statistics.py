"""Statistics of measured rows: equal to slow implementations and to values by hand, and right for known true values."""

from __future__ import annotations

import json
from dataclasses import fields, replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.means import means
from optcodec.accuracy.rows import Rows
from optcodec.accuracy.statistics import mcnemar, summarize
from optcodec.bootstrap import draw_counts, weighted_means
from optcodec.errors import InvalidInputError
from optcodec.experiments.estimates import estimate
from tests.synthetic_rows import RATES, synthetic_rows


@pytest.fixture(scope="module")
def rows() -> Rows:
    return synthetic_rows({"jpeg": 1, "opts": 0.8}, settings=("1", "bytes"), spread=0.2, noise=1)


@pytest.fixture(scope="module")
def summary(rows: Rows) -> dict[str, Any]:
    return summarize(rows)


def curve_of(summary: dict[str, Any], method: str, setting: str = "1") -> dict[str, Any]:
    curves = [
        curve for curve in summary["comparisons"]["curves"] if (curve["method"], curve["setting"]) == (method, setting)
    ]
    assert len(curves) == 1
    return curves[0]


def holds(figure: dict[str, Any], truth: float) -> bool:
    return bool(figure["low"] <= truth <= figure["high"])


# --- the bootstrap


def test_counts_are_draws_with_replacement() -> None:
    counts = draw_counts(50, 3000, seed=3)
    assert counts.shape == (3001, 50)
    assert (counts[0] == 1).all()
    assert (counts.sum(axis=1) == 50).all()
    # variance of the number of times that an image is drawn: N (1/N) (1 - 1/N)
    assert counts[1:].var() == pytest.approx(0.98, abs=0.02)
    assert abs(np.corrcoef(counts[1:, 0], counts[1:, 1])[0, 1] + 1 / 49) < 0.05


def test_means_are_those_of_a_loop() -> None:
    counts = draw_counts(37, 20, seed=0)
    values = np.random.default_rng(1).normal(0, 3, (4, 37)).astype(np.float32)
    expected = [[np.repeat(row, drawn.astype(int)).mean(dtype=np.float64) for drawn in counts] for row in values]
    assert weighted_means(values, counts) == pytest.approx(np.array(expected), rel=1e-12, abs=1e-12)


@given(st.integers(0, 2**32 - 1), st.sampled_from([1e-30, 1.0, 1e12]))
def test_means_do_not_depend_on_the_order_of_addition(seed: int, scale: float) -> None:
    rng = np.random.default_rng(seed)
    counts, values = draw_counts(91, 7, seed), rng.lognormal(0, 3, (2, 91)) * scale
    order = rng.permutation(91)
    assert np.array_equal(weighted_means(values, counts), weighted_means(values[:, order], counts[:, order]))
    assert weighted_means(values, counts)[:, 0] == pytest.approx(values.mean(axis=1), rel=1e-9)


def test_means_of_zeros() -> None:
    assert np.array_equal(weighted_means(np.zeros((2, 5)), draw_counts(5, 3, seed=0)), np.zeros((2, 4)))


def test_estimate_takes_the_order_statistics() -> None:
    drawn = np.random.default_rng(0).permutation(2000).astype(float)
    figure = estimate(np.concatenate([[7.0], drawn]))
    # 2.5 % of the 2000 draws, 50, lie below the interval, and 50 above
    assert figure == {"value": 7.0, "low": 50.0, "high": 1949.0}


def test_estimate_widens_where_resamples_say_nothing() -> None:
    drawn = np.arange(2000.0)
    drawn[1000:1040] = np.nan
    figure = estimate(np.concatenate([[5.0], drawn]))
    assert figure == {"value": 5.0, "low": 10.0, "high": 1989.0}
    drawn[1000:1060] = np.nan
    assert estimate(np.concatenate([[5.0], drawn])) == {"value": 5.0, "low": None, "high": None}
    lower, upper = np.array([1.0, 2.0, 3.0]), np.array([np.inf, 4.0, np.inf])
    assert estimate(lower, upper, reason="why") == {"value": None, "low": 2.0, "high": None, "reason": "why"}


def test_intervals_cover_the_truth_as_often_as_they_say() -> None:
    rng = np.random.default_rng(8)
    counts = draw_counts(300, 1000, seed=4)
    wrong = {"skewed loss": 0, "accuracy": 0}
    skewed = weighted_means(rng.gamma(2, 0.5, (1000, 300)), counts)
    hits = weighted_means(rng.random((1000, 300)) < 0.75, counts)
    for row, other in zip(skewed, hits, strict=True):
        wrong["skewed loss"] += not holds(estimate(row), 1)
        wrong["accuracy"] += not holds(estimate(other), 0.75)
    for share in wrong.values():
        assert 35 <= share <= 70  # of 1000 intervals; 50 may miss the true value


# --- points and pairs


def test_points_are_those_of_a_loop(rows: Rows, summary: dict[str, Any]) -> None:
    counts = draw_counts(len(rows.images), 2000, seed=0)[1:].astype(int)
    index = 7
    point = summary["points"][index]
    assert (point["method"], point["setting"], point["level"]) == ("opts", "1", 65.0)
    expected = {
        "bpp": 8 * rows.nbytes[index] / rows.pixels,
        "top1_percent": 100.0 * (rows.rank[index] == 0),
        "top1_change_points": 100.0 * (rows.rank[index] == 0) - 100.0 * (rows.reference_rank == 0),
        "top5_percent": 100.0 * (rows.rank[index] < 5),
        "agreement_percent": 100.0 * (rows.predicted[index] == rows.reference_predicted),
        "loss": rows.loss[index].astype(float),
        "loss_increase": rows.loss[index].astype(float) - rows.reference_loss,
    }
    for name, values in expected.items():
        drawn = sorted(np.repeat(values, row).mean() for row in counts)
        figures = (values.mean(), drawn[50], drawn[1949])
        assert tuple(point[name].values()) == pytest.approx(figures, rel=1e-9, abs=1e-9), name
    assert point["psnr_db"] == pytest.approx(rows.psnr_db[index].mean(dtype=float))
    assert point["swe"] == pytest.approx(rows.swe[index].mean(dtype=float))
    assert (point["exact_images"], point["missed_images"]) == (0, 0)


def test_every_condition_is_a_point_in_order(rows: Rows, summary: dict[str, Any]) -> None:
    conditions = [Condition(point["method"], point["setting"], point["level"]) for point in summary["points"]]
    assert tuple(conditions) == rows.conditions


def test_exact_images_have_no_psnr(rows: Rows) -> None:
    psnr = rows.psnr_db.copy()
    psnr[0, 3:] = np.inf
    psnr[1] = np.inf
    points = summarize(replace(rows, psnr_db=psnr))["points"]
    assert points[0]["psnr_db"] == pytest.approx(psnr[0, :3].mean())
    assert (points[0]["exact_images"], points[1]["exact_images"]) == (len(rows.images) - 3, len(rows.images))
    assert points[1]["psnr_db"] is None


def test_files_that_miss_their_aim_are_counted(rows: Rows) -> None:
    met = np.ones(rows.nbytes.shape, bool)
    met[2, 5:8] = False
    assert [point["missed_images"] for point in summarize(replace(rows, met=met))["points"][:4]] == [0, 0, 3, 0]


def test_uncompressed(rows: Rows, summary: dict[str, Any]) -> None:
    uncompressed = summary["uncompressed"]
    assert uncompressed["images"] == len(rows.images)
    assert uncompressed["top1_percent"]["value"] == 100 * np.mean(rows.reference_rank == 0)
    assert uncompressed["top5_percent"]["value"] == 100 * np.mean(rows.reference_rank < 5)
    assert uncompressed["loss"]["value"] == pytest.approx(rows.reference_loss.mean(dtype=float))


@pytest.mark.parametrize(
    ("wins", "losses", "expected"),
    [(0, 0, 1), (5, 5, 1), (1, 9, 22 / 1024), (9, 1, 22 / 1024), (0, 3, 0.25), (2, 6, 2 * 37 / 256)],
)
def test_mcnemar_by_hand(wins: int, losses: int, expected: float) -> None:
    assert mcnemar(wins, losses) == pytest.approx(expected, rel=1e-12)


def test_pairs(rows: Rows, summary: dict[str, Any]) -> None:
    pairs = summary["comparisons"]["pairs"]
    assert [(pair["setting"], pair["level"]) for pair in pairs] == [(s, q) for s in ("1", "bytes") for q in RATES]
    assert {(pair["method"], pair["against"]) for pair in pairs} == {("opts", "jpeg")}
    opts, jpeg, pair = 6, 0, pairs[0]
    hits, others = rows.rank[opts] == 0, rows.rank[jpeg] == 0
    wins, losses = np.sum(hits & ~others), np.sum(others & ~hits)
    assert min(wins, losses) > 3
    assert (pair["only_method_right"], pair["only_against_right"]) == (wins, losses)
    assert pair["mcnemar_p"] == mcnemar(int(wins), int(losses))
    assert pair["bytes_ratio"]["value"] == pytest.approx(rows.nbytes[opts].sum() / rows.nbytes[jpeg].sum())
    assert pair["top1_points"]["value"] == pytest.approx(100 * (wins - losses) / len(rows.images))
    counts = draw_counts(len(rows.images), 2000, seed=0)[1:].astype(int)
    change = (rows.loss[opts].astype(float) - rows.loss[jpeg]).astype(float)
    drawn = sorted(np.repeat(change, row).mean() for row in counts)
    assert tuple(pair["loss"].values()) == pytest.approx((change.mean(), drawn[50], drawn[1949]), abs=1e-9)


def test_the_baseline_is_held_against_wherever_it_stands() -> None:
    summary = summarize(synthetic_rows({"optd": 0.9, "opts": 0.8, "jpeg": 1}, images=20, levels=[75]))
    pairs = [(pair["method"], pair["against"]) for pair in summary["comparisons"]["pairs"]]
    assert pairs == [("optd", "jpeg"), ("opts", "jpeg"), ("opts", "optd")]


def test_fixed_levels_pair_variants_of_one_method_only() -> None:
    methods = {"jpeg": 1, "opts": 0.8, "opts:laplacian": 0.82, "optd": 0.9}
    pairs = summarize(synthetic_rows(methods, images=20, levels=[75], settings=["fixed"]))["comparisons"]["pairs"]
    assert [(pair["method"], pair["against"]) for pair in pairs] == [("opts:laplacian", "opts")]


# --- curves


@pytest.mark.parametrize("factor", [0.5, 0.8, 1.0, 1.25])
def test_a_curve_at_a_known_share_of_the_rate(factor: float) -> None:
    summary = summarize(synthetic_rows({"jpeg": 1, "other": factor}))
    curve = curve_of(summary, "other")
    known = {"abs": 2e-3}  # numbers of bytes are integers
    for name in ("bd_rate_top1_percent", "bd_rate_loss_percent"):
        assert curve[name]["value"] == pytest.approx(100 * (factor - 1), **known)
        assert curve[name]["low"] == pytest.approx(100 * (factor - 1), **known)
        assert curve[name]["high"] == pytest.approx(100 * (factor - 1), **known)
    changes = [*curve["at_loss"], *curve["at_accuracy"]]
    assert [entry["baseline_level"] for entry in curve["at_loss"]] == [90, 75, 50]
    values = [entry["change_percent"]["value"] for entry in changes if entry["change_percent"]["value"] is not None]
    assert len(values) >= 4
    assert values == pytest.approx([100 * (factor - 1)] * len(values), **known)
    assert np.sign(round(curve["bd_top1_points"]["value"], 6)) == np.sign(1 - factor)
    assert np.sign(round(curve["bd_loss"]["value"], 6)) == np.sign(factor - 1)


def test_identical_curves_do_not_differ() -> None:
    rows = synthetic_rows({"jpeg": 1, "twin": 1})
    curve = curve_of(summarize(rows), "twin")
    for name in ("bd_rate_top1_percent", "bd_rate_loss_percent", "bd_top1_points", "bd_loss"):
        assert curve[name] == {"value": 0, "low": 0, "high": 0, "overlap_percent": 100}


def test_intervals_of_equal_methods_hold_zero_and_of_better_ones_do_not() -> None:
    rows = synthetic_rows({"jpeg": 1, "other": 1, "better": 0.7}, spread=0.2, noise=1)
    summary = summarize(rows)
    for name in ("bd_rate_loss_percent", "bd_loss"):
        assert holds(curve_of(summary, "other")[name], 0)
        assert curve_of(summary, "better")[name]["high"] < 0


def test_intervals_of_bd_rates_cover_the_truth() -> None:
    wrong = 0
    for seed in range(40):
        rows = synthetic_rows({"jpeg": 1, "other": 0.8}, images=150, levels=[50, 75, 90], spread=0.3, seed=seed)
        wrong += not holds(curve_of(summarize(rows, seed=seed), "other")["bd_rate_loss_percent"], -20)
    assert wrong <= 6  # two are expected; more than six have a probability of 0.3 %


def test_curves_that_cannot_be_compared_say_why() -> None:
    few = summarize(synthetic_rows({"jpeg": 1, "opts": 0.8}, levels=[50, 90]))
    figure = curve_of(few, "opts")["bd_rate_loss_percent"]
    assert figure["value"] is None
    assert figure["reason"] == "2 different qualities on a curve; expected at least 3"
    apart = summarize(synthetic_rows({"jpeg": 1, "opts": 9}))
    figure = curve_of(apart, "opts")["bd_loss"]
    assert (figure["value"], figure["low"], figure["high"], figure["overlap_percent"]) == (None, None, None, 0)
    assert figure["reason"] == "the rates overlap by 0 %; expected 25 % or more"
    assert curve_of(apart, "opts")["bd_rate_loss_percent"]["value"] == pytest.approx(800, rel=1e-5)
    alone = curve_of(summarize(synthetic_rows({"opts": 0.8})), "opts")
    assert (alone["against"], alone["at_loss"]) == (None, [])
    assert alone["bd_loss"]["reason"] == "jpeg was not measured in this setting"
    assert curve_of(apart, "jpeg")["bd_loss"]["reason"] == "this is the baseline"


def test_accuracies_out_of_reach_are_none_with_a_bound(rows: Rows) -> None:
    worse = rows.rank.copy()
    worse[:, rows.reference_rank == 0] += np.arange(sum(rows.reference_rank == 0)) % 10 == 0
    top = summarize(replace(rows, rank=worse))
    for record in curve_of(top, "opts")["at_accuracy"]:
        assert record["bpp"]["value"] is None
        assert record["bpp"]["low"] == pytest.approx(top["points"][11]["bpp"]["low"], rel=0.02)
        assert record["bpp"]["high"] is None
        assert "the largest rate measured" in record["bpp"]["reason"]
        assert record["change_percent"]["value"] is None


def test_levels_with_the_same_files_are_one_point() -> None:
    rows = synthetic_rows({"jpeg": 1, "opts": 0.8}, spread=0.2)
    measured = {item.name: getattr(rows, item.name) for item in fields(Rows)}
    doubled = {name: array.copy() for name, array in measured.items() if np.ndim(array) == 2}
    without = {name: np.delete(array, 7, axis=0) for name, array in doubled.items()}
    for array in doubled.values():
        array[7] = array[6]
    fewer = replace(rows, conditions=rows.conditions[:7] + rows.conditions[8:], **without)
    curve = curve_of(summarize(replace(rows, **doubled)), "opts")
    assert curve == curve_of(summarize(fewer), "opts")
    assert curve["points"] == len(RATES) - 1


# --- the whole summary


def test_summary_is_json_and_depends_on_the_seed_only(rows: Rows, summary: dict[str, Any]) -> None:
    assert json.loads(json.dumps(summary, allow_nan=False)) == summary
    assert summarize(rows) == summary
    other = summarize(rows, seed=1)
    assert other["points"][0]["bpp"]["value"] == summary["points"][0]["bpp"]["value"]
    assert other["points"][0]["bpp"]["low"] != summary["points"][0]["bpp"]["low"]


def test_the_baseline_can_be_another(rows: Rows) -> None:
    summary = summarize(rows, baseline="opts")
    assert summary["comparisons"]["baseline"] == "opts"
    assert curve_of(summary, "opts")["against"] is None
    assert curve_of(summary, "jpeg")["bd_rate_loss_percent"]["value"] > 15
    assert {pair["against"] for pair in summary["comparisons"]["pairs"]} == {"opts"}


@pytest.mark.parametrize("images", [1, 2])
def test_few_images_are_no_error(images: int) -> None:
    json.dumps(summarize(synthetic_rows({"jpeg": 1, "opts": 0.8}, images=images)), allow_nan=False)


def test_refusals(rows: Rows) -> None:
    loss = rows.loss.copy()
    loss[2, 3] = np.inf
    with pytest.raises(InvalidInputError, match="expected finite losses"):
        means(replace(rows, loss=loss), draw_counts(len(rows.images), 1, seed=0))
    with pytest.raises(InvalidInputError, match="at least one image, got none"):
        summarize(synthetic_rows({"jpeg": 1}, images=0))
