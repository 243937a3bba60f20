"""``optcodec accuracy``: its files and text, images that are left out, interrupted runs, and errors."""

from __future__ import annotations

import json
import re
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optcodec.accuracy import run as accuracy_run
from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.grid import QUALITIES, WATER_LEVELS, grid
from optcodec.accuracy.pipeline import Pipeline
from optcodec.accuracy.rows import Rows
from optcodec.accuracy.run import measure
from optcodec.accuracy.statistics import summarize
from optcodec.design import SamplingMismatchWarning
from optcodec.vision.datasets import sample
from tests.accuracy.test_rows import assert_equal
from tests.accuracy_helpers import PROFILE, classifier, photographs
from tests.cli_helpers import messages, refusal, run, run_json
from tests.pictures.test_odd_files import png_with_long_text

MODEL = "tests.accuracy_helpers:classifier"
LABELS = "file,class_index\n" + "".join(f"{n:02d}.png,{n}\n" for n in range(4))


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    photographs(tmp_path / "photographs", 4)
    (tmp_path / "labels.csv").write_text(LABELS)
    PROFILE.save(tmp_path / "profile.json")
    return tmp_path


def arguments(folder: Path, **options: Any) -> list[str]:
    options = {
        "model": MODEL,
        "data": folder / "photographs",
        "labels": folder / "labels.csv",
        "profile": folder / "profile.json",
        "output": folder / "result.json",
        "qualities": "75,95",
    } | options
    parts = [(f"--{name.replace('_', '-')}", value) for name, value in options.items() if value is not None]
    return ["accuracy", *(str(part) for pair in parts for part in pair)]


def test_a_result_is_two_files(folder: Path) -> None:
    record = run_json(*arguments(folder, methods="jpeg,opts:laplacian"))
    document = json.loads((folder / "result.json").read_text())
    assert record == {"output": str(folder / "result.json"), "failures": []} | document
    rows = Rows.load(folder / document["rows"])
    methods, levels = ("jpeg", "opts:laplacian"), (75.0, 95.0)
    assert rows.conditions == tuple(Condition(method, "1", level) for method in methods for level in levels)
    for name, value in summarize(rows).items():
        assert document[name] == value
    about = {
        "model": "small",
        "weights_sha256": "",
        "data": "photographs",
        "labels": "labels.csv",
        "images": 4,
        "seed": 0,
        "subsampling": "4:4:4",
        "device": "cpu",
    }
    assert {name: document[name] for name in about} == about
    assert document["profile"]["name"] == "falling"
    assert set(document["seconds"]) == {"prepare", "encode", "decode", "compare", "forward"}
    assert {"optcodec", "python", "numpy", "pillow", "torch"} <= document["versions"].keys()
    assert document["command"].startswith("optcodec")
    assert document["machine"]["processor"]
    assert {path.name for path in folder.iterdir()} == {
        "photographs",
        "labels.csv",
        "profile.json",
        "result.json",
        "result.npz",
    }


def test_rows_are_those_of_the_library(folder: Path) -> None:
    options = {"images": 3, "seed": 5, "methods": "jpeg,optd", "batch": 2, "workers": 1, "subsampling": "4:2:0"}
    images = sample(photographs(folder / "photographs", 4), 3, seed=5)
    conditions = grid(["jpeg", "optd"], ["2-joint", "bytes"], qualities=[75, 95], water_levels=[0.3])
    pipeline = Pipeline(classifier(), tuple(conditions), PROFILE, "4:2:0", batch=2)
    with pytest.warns(SamplingMismatchWarning, match=r"at 4:4:4, but is used at 4:2:0") as caught:
        expected = measure(pipeline, images, partial=folder / "part")
    assert [warning.filename for warning in caught] == [__file__]
    with warnings.catch_warnings():
        warnings.simplefilter("default")
        result = run(*arguments(folder, **options, water_levels="0.3"), "--setting", "2-joint", "--setting", "bytes")
    assert result.exit_code == 0, result.output
    assert len(messages(result)) == 1
    assert messages(result)[0].startswith("Warning: profile falling was estimated at 4:4:4")
    assert_equal(Rows.load(folder / "result.npz"), expected.rows)


def test_odd_images_are_left_out_and_listed(folder: Path) -> None:
    expected = run_json(*arguments(folder, methods="jpeg", output=folder / "whole.json"))
    labels = LABELS + "odd.png,1\ncut.png,2\n"
    (folder / "labels.csv").write_text(labels)
    (folder / "photographs/odd.png").write_bytes(png_with_long_text())
    (folder / "photographs/cut.png").write_bytes((folder / "photographs/00.png").read_bytes()[:-200])
    result = run(*arguments(folder, methods="jpeg"), "--json")
    assert result.exit_code == 1
    record = json.loads(result.stdout)
    assert {Path(failure["path"]).name for failure in record["failures"]} == {"odd.png", "cut.png"}
    assert record["images"] == 4
    assert record["points"][0]["bpp"]["value"] == expected["points"][0]["bpp"]["value"]
    assert messages(result)[0] == "Error: 2 of 6 files failed:"
    (folder / "labels.csv").write_text("file,class_index\nodd.png,1\n")
    line = refusal(*arguments(folder, methods="jpeg", output=folder / "other.json"))
    assert "none of 1 image can be read: cannot read the image" in line


def test_large_images_are_left_out_and_listed(folder: Path) -> None:
    line = refusal(*arguments(folder, methods="jpeg", max_pixels=100))
    assert re.search(r"none of 4 images can be read: .*pixels; expected at most 100", line)


def test_text(folder: Path) -> None:
    result = run(*arguments(folder, methods="jpeg,opts"))
    assert result.exit_code == 0, result.output
    points = json.loads((folder / "result.json").read_text())["points"]
    first, blank, header, _, *lines = result.stdout.splitlines()
    assert first.startswith(f"{folder / 'result.json'}: 4 images, top-1 accuracy without compression ")
    assert blank == ""
    assert header.split() == ["setting", "method", "level", "bpp", "top-1", "%", "loss", "increase", "missed"]
    assert len(lines) == len(points) == 4
    for line, point in zip(lines, points, strict=True):
        top1 = point["top1_percent"]
        assert line.split()[:5] == ["1", point["method"], f"{point['level']:g}", *line.split()[3:5]]
        assert f"{point['bpp']['value']:.3f}" in line
        assert f"{top1['value']:.1f} [{top1['low']:.1f}, {top1['high']:.1f}]" in line


def test_an_interrupted_run_continues(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(accuracy_run, "_PART", 1)
    run_json(*arguments(folder, output=folder / "whole.json"))
    with monkeypatch.context() as patch:
        patch.setattr(accuracy_run, "_joined", stopping_after(2, accuracy_run._joined))
        result = run(*arguments(folder))
        assert str(result.exception) == "killed"
    assert (folder / "result.json.partial" / "part_00001.npz").exists()
    assert not (folder / "result.json").exists()
    run_json(*arguments(folder))
    assert_equal(Rows.load(folder / "result.npz"), Rows.load(folder / "whole.npz"))
    assert not (folder / "result.json.partial").exists()


def stopping_after(count: int, joined: Any) -> Any:
    """A replacement of `_joined` that raises an error after some calls."""
    calls = []

    def limited(parts: Any) -> Any:
        calls.append(parts)
        if len(calls) > count:
            raise RuntimeError("killed")
        return joined(parts)

    return limited


def test_default_levels() -> None:
    conditions = grid(["jpeg", "optd", "opts", "deepn", "opts:laplacian"], ["fixed", "1", "2", "2-joint", "bytes"])
    levels: dict[tuple[str, str], list[float]] = {}
    for condition in conditions:
        levels.setdefault((condition.method, condition.setting), []).append(condition.level)
    for method in ("jpeg", "optd", "opts", "deepn", "opts:laplacian"):
        for setting in ("1", "bytes"):
            assert levels[method, setting] == list(QUALITIES)
        for setting in ("2", "2-joint"):
            assert levels[method, setting] == list(WATER_LEVELS)
    assert levels["jpeg", "fixed"] == levels["deepn", "fixed"] == list(QUALITIES)
    assert levels["opts", "fixed"] == levels["opts:laplacian", "fixed"] == list(WATER_LEVELS)
    np.testing.assert_allclose(levels["optd", "fixed"], [0.5, 1, 2, 5.1, 10, 20, 50, 100])


# ---- What is refused -------------------------------------------------------------------------------------------------


def test_refusals(folder: Path) -> None:
    for options, message in (
        ({"methods": "jpeg,best"}, "a method is one of .* got 'best'"),
        ({"methods": "jpeg,jpeg"}, "conditions are all different"),
        ({"methods": ""}, "a method has a name"),
        ({"qualities": "75,101"}, r"quality factors in 1\.\.100, got 101"),
        ({"data": folder / "nothing"}, "expected a folder of images"),
        ({"labels": folder / "nothing.csv"}, "cannot read"),
        ({"labels": "folders"}, "expected one folder for each class"),
        ({"images": 5}, "sample of 1 to 4 images, got 5"),
        ({"profile": None}, f"no profile of {MODEL} comes with the package; expected --profile"),
        ({"profile": "nothing.json"}, "a profile is a JSON file or one of"),
        ({"model": "mobilenet_v9"}, "a classifier of torchvision"),
        ({"model": "mobilenet_v2"}, "mobilenet_v2 needs weights"),
        ({"device": "cuda:99"}, "cannot use device"),
        ({"batch": 0}, "at least 1 picture, got 0"),
    ):
        line = refusal(*arguments(folder, **options))
        assert line.startswith("Error: ")
        assert re.search(message, line), line
    assert not (folder / "result.json").exists()
    assert not (folder / "result.npz").exists()


def test_a_partial_folder_of_another_run(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(Rows, "save", broken)
        assert run(*arguments(folder)).exit_code != 0
    assert (folder / "result.json.partial").exists()
    line = refusal(*arguments(folder, qualities="80"))
    assert "holds part of another run, with other conditions" in line


def broken(rows: Rows, path: Path) -> None:
    raise RuntimeError(path)


def test_command_lines_that_cannot_be_read(folder: Path) -> None:
    for options, message in (
        ({"output": folder / "result.npz"}, "should end in .json"),
        ({"qualities": "75,high"}, "expected numbers such as 75,90, got '75,high'"),
        ({"setting": "3"}, "'3' is not one of 'fixed', '1'"),
        ({"model": None}, "Missing option '--model'"),
    ):
        result = run(*arguments(folder, **options))
        assert result.exit_code == 2
        assert message in result.stderr
