"""Figures of rates: their content, not their appearance; and the verb that draws them."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.container import ErrorbarContainer
from PIL import Image

from optcodec.errors import InvalidInputError
from optcodec.rates import MEASURES, Curve, Experiment, Part, PeerSender, Rate, Row, judge_by, result_of
from optcodec.report.rate_curves import rates_figure, rates_in
from tests.cli_helpers import refusal, run_json


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    """A result with two senders, two receivers and two sets."""
    rng, rows = np.random.default_rng(4), []
    for name in ("a", "b"):
        for image in "0123":
            for sender, receiver, gain in (("jpeg", "jpeg", 0), ("jpeg", "net", 1), ("mine", "jpeg", 2)):
                for step in range(3):
                    psnr = 28 + 3 * step + gain + rng.normal(0, 0.3)
                    curve, rate, size = Curve(sender, receiver, 0.0), Rate("bpp", 0.5 + step), 500 + 1000 * step
                    measures = {"psnr": psnr, "ssim": psnr / 50}
                    rows.append(Row(name, image, curve, rate, size, size / 1000, measures))
    senders = tuple(PeerSender(name, lambda *_: b"") for name in ("jpeg", "mine"))
    run = Experiment(senders, tuple(Rate("bpp", 0.5 + step) for step in range(3)), judge_by({}))
    return result_of(run, Part(tuple(rows), ()), {name: MEASURES[name] for name in ("psnr", "ssim")}, anchor="jpeg")


def written(path: Path, record: object) -> Path:
    path.write_text(json.dumps(record))
    return path


def test_curves_are_the_points_of_the_file(record: dict[str, Any]) -> None:
    figure = rates_figure([rates_in(record, "x.json")])
    assert len(figure.axes) == 3 * 2  # the sets a, b and all; two measures
    for axes, (name, measure) in zip(
        figure.axes, [(name, measure) for name in ("a", "b", "all") for measure in ("psnr", "ssim")], strict=True
    ):
        assert axes.get_ylabel() == MEASURES[measure].title
        drawn = {bars.get_label(): bars for bars in axes.containers if isinstance(bars, ErrorbarContainer)}
        assert set(drawn) == {"jpeg, jpeg", "jpeg, net", "mine, jpeg"}
        for label, bars in drawn.items():
            points = [p for p in record["points"] if (p["set"], f"{p['sender']}, {p['receiver']}") == (name, label)]
            figures = [point["measures"][measure] for point in points]
            assert np.array_equal(bars[0].get_xdata(), [point["bpp"]["value"] for point in points])
            assert np.array_equal(bars[0].get_ydata(), [each["value"] for each in figures])
            ends = np.array([segment[:, 1] for segment in bars[2][0].get_segments()])
            np.testing.assert_allclose(ends, [[each["low"], each["high"]] for each in figures])
    assert figure.axes[0].get_title("left") == "a, 4:2:0"


def test_senders_have_colours_and_receivers_dashes(record: dict[str, Any]) -> None:
    axes = rates_figure([rates_in(record, "x.json")]).axes[0]
    looks = {bars.get_label(): (bars[0].get_color(), bars[0].get_linestyle()) for bars in axes.containers}
    assert looks["jpeg, jpeg"][0] == looks["jpeg, net"][0] != looks["mine, jpeg"][0]
    assert looks["jpeg, jpeg"][1] == looks["mine, jpeg"][1] != looks["jpeg, net"][1]


def test_a_measure_that_is_not_known_is_left_out(record: dict[str, Any]) -> None:
    record = copy.deepcopy(record)
    record["points"] = [point for point in record["points"] if (point["set"], point["receiver"]) == ("a", "jpeg")]
    record["points"][0]["measures"]["psnr"] = {"value": None, "low": None, "high": None, "reason": "infinite"}
    psnr, ssim = rates_figure([rates_in(record, "x.json")]).axes
    assert [len(bars[0].get_xdata()) for bars in psnr.containers] == [2, 3]
    assert [len(bars[0].get_xdata()) for bars in ssim.containers] == [3, 3]
    assert [bars.get_label() for bars in ssim.containers] == ["jpeg", "mine"]


def test_the_verb_draws_all_results(record: dict[str, Any], tmp_path: Path) -> None:
    paths = [written(tmp_path / f"{n}.json", record) for n in range(2)]
    drawn = run_json("plot", *paths, "-o", tmp_path / "a.png")
    with Image.open(drawn["output"]) as figure:
        assert figure.format == "PNG"


def test_bad_results_are_one_line(record: dict[str, Any], tmp_path: Path) -> None:
    good, output = written(tmp_path / "good.json", record), tmp_path / "a.png"
    for change, message in (
        ({"points": []}, "is no result of optcodec rates: it has no points"),
        ({"measures": {}}, "is no result of optcodec rates: it has no points"),
        ({"measures": []}, "is no result of optcodec rates: 'list' object has no attribute 'items'"),
        ({"points": [{}]}, "is no result of optcodec rates: 'measures' is missing"),
        ({"format": "other"}, "is no result that curves can be drawn of; expected results of optcodec accuracy, "),
    ):
        assert message in refusal("plot", written(tmp_path / "bad.json", record | change), "-o", output)
    other = written(tmp_path / "other.json", {"uncompressed": {}})
    line = refusal("plot", good, other, "-o", output)
    assert f"results of one figure are of one kind: {other} is not of rates, as others are" in line
    assert "--setting is one of an accuracy" in refusal("plot", good, "-o", output, "--setting", "1")
    infinite = copy.deepcopy(record)
    infinite["points"][0]["bpp"]["value"] = float("inf")
    assert "expected finite figures" in refusal("plot", written(tmp_path / "bad.json", infinite), "-o", output)
    with pytest.raises(InvalidInputError, match="at least one result"):
        rates_figure([])
