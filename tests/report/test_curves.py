"""Rate-accuracy figures: their content, not their appearance; and the verb that draws them."""

from __future__ import annotations

import copy
import io
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from matplotlib.axes import Axes
from PIL import Image

from optcodec.accuracy.statistics import summarize
from optcodec.errors import InvalidInputError
from optcodec.report.curves import draw_to, method_name, rate_accuracy_figure, read_result
from tests.cli_helpers import refusal, run, run_json
from tests.synthetic_rows import synthetic_rows

METHODS = {"opts": 0.8, "jpeg": 1, "mozjpeg": 0.9}


@pytest.fixture(scope="module")
def record() -> dict[str, Any]:
    rows = synthetic_rows(METHODS, images=60, settings=("1", "bytes"), levels=[50, 75, 90], noise=1)
    return {"model": "mobilenet_v2", "subsampling": "4:4:4", **summarize(rows)}


@pytest.fixture
def result(record: dict[str, Any], tmp_path: Path) -> Path:
    return written(tmp_path / "result.json", record)


def written(path: Path, record: object) -> Path:
    path.write_text(json.dumps(record))
    return path


def line(axes: Axes, label: str) -> np.ndarray:
    return np.array(next(drawn for drawn in axes.lines if drawn.get_label() == label).get_xydata())


def test_lines_are_the_points_of_the_file(record: dict[str, Any], result: Path) -> None:
    figure = rate_accuracy_figure([read_result(result)])
    assert len(figure.axes) == 4
    points = [point for point in record["points"] if (point["method"], point["setting"]) == ("opts", "bytes")]
    rates = [point["bpp"]["value"] for point in points]
    accuracy, loss = figure.axes[2:]
    for axes, name in ((accuracy, "top1_percent"), (loss, "loss_increase")):
        assert np.array_equal(line(axes, "OptS"), np.transpose([rates, [point[name]["value"] for point in points]]))


def test_bands_are_the_paired_intervals(record: dict[str, Any], result: Path) -> None:
    accuracy, loss = rate_accuracy_figure([read_result(result)], settings=["1"]).axes
    top1 = record["uncompressed"]["top1_percent"]["value"]
    for axes, name, base in ((accuracy, "top1_change_points", top1), (loss, "loss_increase", 0)):
        assert len(axes.collections) == len(METHODS)
        for band, method in zip(axes.collections, ("jpeg", "opts", "mozjpeg"), strict=True):
            points = [point for point in record["points"] if (point["method"], point["setting"]) == (method, "1")]
            corners = {tuple(corner) for corner in band.get_paths()[0].vertices.tolist()}
            for end in ("low", "high"):
                assert {(point["bpp"]["value"], base + point[name][end]) for point in points} <= corners


def test_words(record: dict[str, Any], result: Path) -> None:
    figure = rate_accuracy_figure([read_result(result)], settings=["1"])
    accuracy, loss = figure.axes
    top1 = record["uncompressed"]["top1_percent"]
    legend = accuracy.get_legend()
    assert legend is not None
    assert [text.get_text() for text in legend.get_texts()] == [
        "JPEG",
        "OptS",
        "mozjpeg",
        f"uncompressed, {top1['value']:.1f} % ({top1['low']:.1f} to {top1['high']:.1f})",
    ]
    dashed = next(drawn for drawn in accuracy.lines if str(drawn.get_label()).startswith("uncompressed"))
    assert (list(dashed.get_ydata()), dashed.get_linestyle()) == ([top1["value"]] * 2, "--")
    assert accuracy.get_title("left") == "mobilenet_v2, 4:4:4, 60 images"
    assert loss.get_title("left") == "equal SWE of JPEG, luminance and chrominance apart (setting 1)"
    assert (accuracy.get_xlabel(), accuracy.get_ylabel()) == ("bits per pixel", "top-1 accuracy (%)")
    assert loss.get_ylabel() == "mean increase of cross-entropy (nats)"
    assert "95 % intervals" in figure.get_supxlabel()


def test_a_method_looks_the_same_in_every_row(record: dict[str, Any], result: Path, tmp_path: Path) -> None:
    fewer = copy.deepcopy(record)
    fewer["points"] = [point for point in fewer["points"] if point["method"] == "mozjpeg"]
    results = [read_result(result), read_result(written(tmp_path / "b.json", fewer))]
    figure = rate_accuracy_figure(results, settings=["1"])
    looks = set()
    for axes in figure.axes:
        curve = next(drawn for drawn in axes.lines if drawn.get_label() == "mozjpeg")
        looks.add((curve.get_color(), curve.get_marker()))
    assert len(figure.axes) == 4
    assert len(looks) == 1


@pytest.mark.parametrize(
    ("values", "scale"),
    [
        ([0.3, 0.2, 0.1], "linear"),
        ([0.5, 0.05, 0.01], "log"),
        ([0.5, 0.05, -0.001], "symlog"),
        ([-1, -2, -3], "linear"),
    ],
)
def test_loss_has_the_scale_that_shows_it(
    record: dict[str, Any], tmp_path: Path, values: list[float], scale: str
) -> None:
    record = copy.deepcopy(record)
    record["points"] = [point for point in record["points"] if (point["method"], point["setting"]) == ("jpeg", "1")]
    for point, value in zip(record["points"], values, strict=True):
        point["loss_increase"] = {"value": value, "low": value - abs(value) / 10, "high": value + abs(value) / 10}
    axes = rate_accuracy_figure([read_result(written(tmp_path / "r.json", record))]).axes[1]
    assert axes.get_yscale() == scale
    low, high = axes.get_ylim()
    assert low < min(values) < max(values) < high


@pytest.mark.parametrize(
    ("method", "name"),
    [("jpeg", "JPEG"), ("deepn", "DeepN-JPEG"), ("opts:laplacian", "OptS (laplacian)"), ("jpegli", "jpegli")],
)
def test_names_of_methods(method: str, name: str) -> None:
    assert method_name(method) == name


@pytest.mark.parametrize("suffix", [".png", ".svg", ".pdf"])
def test_files_are_whole_and_always_the_same(result: Path, suffix: str) -> None:
    first, second = (draw_to(rate_accuracy_figure([read_result(result)], settings=["1"]), suffix) for _ in range(2))
    assert first == second
    if suffix == ".png":
        with Image.open(io.BytesIO(first)) as image:
            image.load()
            assert image.width > 1000
    else:
        start, end = {".svg": (b"<?xml", b"</svg>"), ".pdf": (b"%PDF", b"%%EOF")}[suffix]
        assert first.startswith(start)
        assert first.rstrip().endswith(end)


def test_the_verb_draws_all_results(result: Path, tmp_path: Path) -> None:
    output = tmp_path / "new" / "figure.PNG"
    done = run("plot", result, result, "-o", output)
    both = draw_to(rate_accuracy_figure([read_result(result)] * 2), ".png")
    assert (done.exit_code, done.output) == (0, f"{output}: {len(both):,} bytes\n")
    assert output.read_bytes() == both
    one = draw_to(rate_accuracy_figure([read_result(result)], settings=["bytes"]), ".png")
    report = run_json("plot", result, "--setting", "bytes", "-o", output)
    assert report == {"results": [str(result)], "output": str(output), "nbytes": len(one)}
    assert output.read_bytes() == one


def test_without_an_output_the_figure_lies_beside_the_result(result: Path) -> None:
    expected = draw_to(rate_accuracy_figure([read_result(result)]), ".png")
    report = run_json("plot", result)
    assert report["output"] == str(result.with_suffix(".png"))
    assert result.with_suffix(".png").read_bytes() == expected


TAKEN = "expected results of optcodec accuracy, optcodec rates or restore pipeline"


def without(name: str) -> Callable[[dict[str, Any]], object]:
    return lambda record: {key: value for key, value in record.items() if key != name}


def infinite(record: dict[str, Any]) -> dict[str, Any]:
    record["points"][1]["bpp"]["low"] = float("inf")
    return record


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        (without("points"), "is no result of optcodec accuracy: 'points' is missing"),
        (without("model"), "is no result of optcodec accuracy: 'model' is missing"),
        (lambda record: record | {"points": []}, "is no result of optcodec accuracy: it has no points"),
        (lambda record: record | {"points": 3}, "is no result of optcodec accuracy: "),
        (lambda _: [1, 2], f"is no result that curves can be drawn of; {TAKEN}"),
        (without("uncompressed"), f"is no result that curves can be drawn of; {TAKEN}"),
        (infinite, "is no result of optcodec accuracy: expected finite figures, got "),
    ],
)
def test_other_files_are_refused(
    record: dict[str, Any], tmp_path: Path, change: Callable[[dict[str, Any]], object], expected: str
) -> None:
    path = written(tmp_path / "r.json", change(copy.deepcopy(record)))
    assert f"{path} {expected}" in refusal("plot", path, "-o", tmp_path / "a.png")
    assert not (tmp_path / "a.png").exists()


def test_bad_input_is_one_line(result: Path, tmp_path: Path) -> None:
    output = tmp_path / "a.png"
    missing, text = tmp_path / "none.json", tmp_path / "text.json"
    text.write_text("no JSON")
    assert f"cannot read {missing}: No such file" in refusal("plot", missing, "-o", output)
    line = refusal("plot", text, "-o", output)
    assert f"{text}: expected JSON, found Expecting value" in line
    assert line.endswith(f"; {TAKEN}")
    line = refusal("plot", result, "-o", output, "--setting", "2")
    assert "setting '2' was not measured; expected one of 1, bytes" in line
    assert "cannot write" in refusal("plot", result, "-o", result / "a.png")
    assert not output.exists()


def test_another_kind_of_file_is_status_2(result: Path, tmp_path: Path) -> None:
    done = run("plot", result, "-o", tmp_path / "a.jpg")
    assert done.exit_code == 2
    assert "should end in one of .png, .svg, .pdf" in done.stderr
    with pytest.raises(InvalidInputError, match=r"\.png, \.svg, \.pdf; got \.jpg"):
        draw_to(rate_accuracy_figure([read_result(result)]), ".jpg")


def test_nothing_to_draw() -> None:
    with pytest.raises(InvalidInputError, match="at least one result"):
        rate_accuracy_figure([])
