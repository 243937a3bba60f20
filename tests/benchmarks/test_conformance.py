"""The conformance benchmark: which differences count as a wrong picture, the tables, and the files that are decoded."""

from __future__ import annotations

import importlib
import io
import json
from collections import Counter
from dataclasses import replace
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import read_jpeg
from tests.goldens import scene

ROOT = Path(__file__).parents[2]


def benchmark(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.conformance.{name}")


DIFFERENCES, FILES, TABLES = map(benchmark, ("differences", "files", "tables"))


def grey(height: int = 33, width: int = 40) -> np.ndarray:
    return np.full((height, width, 3), 100, np.uint8)


def test_a_picture_is_no_different_from_itself():
    assert DIFFERENCES.difference(grey(), grey()) == DIFFERENCES.Difference(0, 0.0, 0.0)


def test_differences_are_taken_over_all_samples_and_over_the_worst_tile():
    """The picture has 33 rows and 40 columns: the last tile of a row has 8 columns, the last row of tiles 1 row."""
    other = grey()
    other[3, 15, 1] = 90  # in a tile of 16 rows and columns
    assert DIFFERENCES.difference(other, grey()) == DIFFERENCES.Difference(10, 10 / (33 * 40 * 3), 10 / (16 * 16 * 3))
    other[32, 39] = (101, 98, 100)  # in a tile of one row and 8 pixels
    assert DIFFERENCES.difference(other, grey()) == DIFFERENCES.Difference(10, 13 / (33 * 40 * 3), 3 / (8 * 3))
    assert DIFFERENCES.difference(grey(), other) == DIFFERENCES.difference(other, grey())


def test_a_picture_of_another_size_has_no_differences():
    assert DIFFERENCES.difference(grey(33, 40), grey(34, 40)) == "decoded as 40x33 pixels instead of 40x34"


@pytest.mark.parametrize(("tile", "whole", "wrong"), [(0, 16, False), (0, 17, True), (48, 0, False), (49, 0, True)])
def test_another_picture_is_one_that_differs_throughout_or_in_a_tile(tile: int, whole: int, wrong: bool):
    other = grey(160, 160) + np.uint8(whole)
    other[16:32, 48:64] += np.uint8(tile)
    assert DIFFERENCES.difference(other, grey(160, 160)).is_wrong == wrong


def outcome(file: str, kind: str, group: str, *figures: float, message: str = "") -> Any:
    """The result of a decoder: a picture with these differences, or refused with a message."""
    return DIFFERENCES.Outcome(file, kind, group, DIFFERENCES.Difference(*figures) if figures else message, message)


def outcomes() -> list[Any]:
    return [
        outcome("a", "baseline", "full resolution", 3, 0.51, 1.0),
        outcome("b", "baseline", "subsampled", 70, 1.25, 9.0, message="hm"),
        outcome("c", "sizes", "subsampled", 9, 2.5, 5.0),
        outcome("d", "sizes", "subsampled", 255, 90.0, 127.0),
        replace(outcome("e", "CMYK", "four components", message="no"), warning=""),
    ]


def test_a_summary_names_all_that_is_not_right():
    summary = DIFFERENCES.summary(outcomes())
    largest = summary.pop("largest")
    assert summary == {
        "opened": 4,
        "right": 3,
        "wrong": {"sizes": {"d": {"largest": 255, "mean": 90.0, "worst_tile": 127.0}}},
        "refused": {"CMYK": {"e": "no"}},
        "warnings": {"baseline": {"b": "hm"}},
        "largest_by_kind": {"baseline": 70, "sizes": 9, "CMYK": None},
    }
    assert largest["full resolution"]["file"] == "a"
    assert largest["four components"] is None
    figures = {"largest": 70, "mean": 1.25, "worst_tile": 9.0, "most_mean": 2.5, "most_worst_tile": 9.0}
    assert largest["subsampled"] == {"file": "b", "kind": "baseline", **figures}


def document() -> dict[str, Any]:
    """A result of three decoders: one without errors, one that is not installed, and one with errors."""
    perfect = [replace(item, result=DIFFERENCES.Difference(0, 0.0, 0.0), warning="") for item in outcomes()]
    return {
        "our_files": {"baseline": 2, "sizes": 2, "CMYK": 1},
        "decoders": {
            "Good": {"version": "1.0", **DIFFERENCES.summary(perfect)},
            "Gone": {"version": None, "install": "pip install gone"},
            "Other": {"version": "2.0", **DIFFERENCES.summary(outcomes())},
        },
    }


def cells(table: str) -> list[list[str]]:
    rows = [
        [cell.strip() for cell in line.removeprefix("|").removesuffix("|").split("|")] for line in table.split("\n")
    ]
    assert len({len(row) for row in rows}) == 1
    return [rows[0], *rows[2:]]


def test_table_of_decoders():
    assert cells(TABLES.by_decoder(document())) == [
        [
            *("decoder", "version", "of 5 files", "grey, RGB, 4:4:4", "subsampled", "CMYK, YCCK"),
            *("another picture", "refused", "warnings"),
        ],
        ["Good", "1.0", "5", "0", "0", "0", "", "", "0"],
        ["Gone", "not installed", *[""] * 7],
        ["Other", "2.0", "3", "3, 0.51", "70, 2.50", "", "1 of sizes", "1 of CMYK", "1"],
    ]


def test_table_of_kinds():
    assert cells(TABLES.by_kind(document())) == [
        ["files", "how many", "decoders that show all", "largest differences", "another picture", "refused"],
        ["baseline", "2", "2 of 2", "Other 70", "", ""],
        ["sizes", "2", "1 of 2", "Other 9", "Other 1", ""],
        ["CMYK", "1", "1 of 2", "", "", "Other 1"],
    ]


def test_table_of_files_of_others():
    rows = {
        "x": {"files": 3, "coefficients": 3, "pixels": 2, "refused": 0},
        "arithmetic": {"files": 1, "coefficients": 0, "pixels": 0, "refused": 1},
    }
    expected = [["x", "3", "3", "2", "0"], ["arithmetic", "1", "0", "0", "1"], ["all", "4", "3", "2", "1"]]
    assert cells(TABLES.of_others(rows))[1:] == expected


@pytest.fixture(scope="module")
def files() -> list[Any]:
    photo = scene(300, 460, 1)
    file = io.BytesIO()
    Image.fromarray(photo[:50, :60]).save(file, "JPEG", qtables=[[300] * 64, [256] * 64])
    return list(FILES.our_files({"first": photo, "second": photo}, {"large steps": file.getvalue()}))


def test_there_are_files_of_every_kind(files: list[Any]):
    kinds = Counter(file.kind for file in files)
    assert len({file.name for file in files}) == len(files) >= 180
    assert min(kinds.values()) >= 2
    assert {"RGB (Adobe)", "CMYK", "YCCK 4:2:0", "two scans (--scans apart)", "metadata"} <= set(kinds)
    assert kinds["transcoded, steps above 255 (extended sequential)"] == 2
    assert {file.group for file in files} == set(DIFFERENCES.GROUPS)


def test_files_are_what_their_kind_says(files: list[Any]):
    """Sequential files have one scan, or two if their kind says so, and the colours are those of the kind."""
    for file in files:
        if file.kind == "metadata":  # a profile may contain any bytes
            continue
        scans, progressive = file.data.count(b"\xff\xda"), b"\xff\xc2" in file.data
        if progressive:
            assert "baseline" not in file.kind
        else:
            assert "progressive" not in file.kind
            assert scans == (2 if file.kind == FILES.TWO_SCANS else 1), file.name
    carried = [file.data for file in files if file.name.startswith("XMP, comment")]
    assert [(data.count(b"adobe:ns:meta"), data.count(b"a comment"), data[-2:]) for data in carried] == 2 * [
        (1, 1, b"\xff\xd9")
    ]
    assert all(b"\xff\xd9\xff\xd8" in data for data in carried)
    shown = {file.kind: Image.open(io.BytesIO(file.data)) for file in files}
    assert [shown[kind].mode for kind in ("RGB (Adobe)", "CMYK", "YCCK 4:2:0")] == ["RGB", "CMYK", "CMYK"]
    assert read_jpeg(next(file.data for file in files if file.kind == "RGB (Adobe)")).is_rgb


def test_all_files_open_in_pillow(files: list[Any]):
    for file in files:
        image = read_jpeg(file.data)
        assert Image.open(io.BytesIO(file.data)).convert("RGB").size == (image.width, image.height)


def test_what_the_page_says_besides_its_tables_is_in_the_result():
    result = json.loads((ROOT / "benchmarks/results/conformance.json").read_text("utf-8"))
    text = " ".join((ROOT / "docs/conformance.md").read_text("utf-8").split())
    decoders = {name: row for name, row in result["decoders"].items() if row["version"] is not None}
    wrong = [figures for row in decoders.values() for kind in row["wrong"].values() for figures in kind.values()]
    least = (int(min(figures[name] for figures in wrong)) for name in ("mean", "worst_tile"))
    assert "those found here start at {} and {}.".format(*least) in text
    limits = f"a mean difference above {DIFFERENCES.WRONG_MEAN:.0f}, or above {DIFFERENCES.WRONG_TILE:.0f} in one"
    assert limits in text
    warned = sum(map(len, decoders["ffmpeg"]["warnings"].values()))
    assert f"warns of a missing EOI in {warned} files" in text
    kinds = {kind for row in decoders.values() for kind in row["wrong"]}
    assert kinds == {FILES.TWO_SCANS, "RGB (Adobe)", "transcoded, unusual sampling factors"}
    assert not any(row["disagreements"] for row in result["files_of_others"].values())
