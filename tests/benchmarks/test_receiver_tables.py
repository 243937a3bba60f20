"""The tables of the restoring models, from small results that can be checked by hand."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]
SPEED = {
    "networks": {
        "dncnn-full, float32": {"ms": 800.0, "times_faster": 1.0, "bytes": 2_200_000, "parameters": 555, "macs": 5.5e5},
        "default, int8": {"ms": 40.0, "times_faster": 20.0, "bytes": 310_400},
        "default, float32": {"ms": 100.0, "times_faster": 8.0, "bytes": 1_200_000, "parameters": 44, "macs": 74_040.0},
        "tiny, int8": {"ms": 10.04, "times_faster": 79.7, "bytes": 75_500},
        "tiny, float32": {"ms": 25.0, "times_faster": 32.0, "bytes": 250_000, "parameters": 33, "macs": 14_000.0},
        "dncnn, int8": {"ms": 160.0, "times_faster": 5.0, "bytes": 170_000},
        "dncnn, float32": {"ms": 400.0, "times_faster": 2.0, "bytes": 560_000, "parameters": 22, "macs": 138_000.0},
    }
}
SPEED["without_vnni"] = {
    name: {**row, "ms": 2 * row["ms"], "times_faster": row["times_faster"]} for name, row in SPEED["networks"].items()
}
RIVAL = "DnCNN-3, its authors' weights"
LIVE1 = {
    str(at): {
        "jpeg": 27.0 + at / 10,
        "default, int8, projected": 28.5 + at / 10,
        "tiny, int8, projected": 28.25,
        RIVAL: 28.5,
        f"{RIVAL}, projected": 28.6,
    }
    for at in (10, 20, 30, 40)
}
QUALITY = {"psnr_y_db": {"BSD68": {"images": 68, "10": {"jpeg": 27.0, "ours": 28.3}}, "LIVE1": {"images": 19, **LIVE1}}}


@pytest.fixture
def tables(monkeypatch: pytest.MonkeyPatch) -> ModuleType:
    return importlib.import_module("benchmarks.receiver.tables")


def rows(table: str) -> list[list[str]]:
    """Cells of the lines of a table; checks that all lines have the same number."""
    table_rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(cells) for cells in table_rows}) == 1
    assert set(table_rows[1]) <= {"---", "---:"}
    return table_rows


def mean(set_name: str, quality: int, receiver: str, psnr: float, **others: Any) -> dict[str, Any]:
    return {
        "set": set_name,
        "quality": quality,
        "sigma": 0.0,
        "receiver": receiver,
        "images": 19,
        "psnr": psnr,
        **others,
    }


def test_in_short_has_the_gains_over_jpeg(tables: ModuleType) -> None:
    table_rows = rows(tables.in_short(SPEED, QUALITY))
    assert table_rows[0][4:6] == ["ms without VNNI", "dB over JPEG at 10"]
    assert table_rows[2] == ["`large`", *[""] * 8]  # neither timed nor measured
    assert table_rows[3] == ["`default`", "310", "40.0", "20.0", "80.0", "+1.50", "+1.50", "+1.50", "+1.50"]
    assert table_rows[4] == ["`tiny`", "76", "10.0", "79.7", "20.1", "+0.25", "-0.75", "-1.75", "-2.75"]
    assert table_rows[5] == ["`dncnn`, the paper's route", "170", "160.0", "5.0", "320.0", "", "", "", ""]
    assert table_rows[6] == ["DnCNN, 17 layers, 32-bit floats", "2,200", "800.0", "1.0", "1600.0", "", "", "", ""]
    assert table_rows[7] == [f"{RIVAL}, 20 layers, 32-bit floats", "", "", "", "", "+0.60", "-0.40", "-1.40", "-2.40"]


def test_quality_has_all_receivers_of_every_set(tables: ModuleType) -> None:
    first, second = tables.quality(QUALITY).split("\n\n")
    assert rows(first)[2:] == [["jpeg", "27.00"], ["ours", "28.30 (+1.30)"]]
    assert rows(second)[0] == ["LIVE1, 19 images, dB", "quality 10", "quality 20", "quality 30", "quality 40"]
    assert rows(second)[3][:2] == ["default, int8, projected", "29.50 (+1.50)"]
    assert rows(second)[-1][:2] == [f"{RIVAL}, projected", "28.60 (+0.60)"]


def test_speed_counts_int8_as_its_floats(tables: ModuleType) -> None:
    table_rows = rows(tables.speed(SPEED))
    assert [cells[0] for cells in table_rows[2:4]] == ["dncnn-full, float32", "dncnn, float32"]  # slowest first
    assert table_rows[-1] == ["tiny, int8", "33", "14.0", "76", "10.0", "79.7", "20.1", "79.7"]


def test_large_has_frames_and_runs(tables: ModuleType) -> None:
    runs = [{"side": 20000, "planes": 3, "seconds": 812.34, "peak_mb": 1180}]
    table_rows = rows(tables.large({"runs": runs, "one_megapixel": [{"planes": 1, "seconds": 0.517}]}))
    assert table_rows[2] == ["1000x1000, gray, bytes to pixels", "0.52", ""]
    assert table_rows[3] == ["20000x20000, colour, `restore run` to PNG, whole process", "812.3", "1,180"]


def test_route_is_held_against_its_first_network(tables: ModuleType) -> None:
    full = {"stage": "full", "parameters": 5000, "macs": 5.5e5, "bytes": 2_000_000, "psnr_q10": 27.0, "psnr_q50": 32.0}
    last = {
        "stage": "int8-tuned",
        "parameters": 1000,
        "macs": 1e5,
        "bytes": 500_000,
        "psnr_q10": 26.8,
        "psnr_q50": 31.7,
    }
    stages, whole = tables.route({"stages": [full, last]}, SPEED).split("\n\n")
    assert rows(stages)[0] == ["stage", "parameters", "kMAC a pixel", "file, kB", "dB at 10", "dB at 50"]
    assert rows(stages)[3] == ["int8-tuned", "1,000", "100.0", "500", "26.80", "31.70"]
    assert rows(whole)[2:] == [["the paper", "-52 %", "-70 %", "-0.60 dB"], ["here", "-75 %", "-80 %", "-0.25 dB"]]


def test_measures_are_at_the_lowest_quality_without_noise(tables: ModuleType) -> None:
    noisy = mean("LIVE1", 10, "jpeg", 1.0, ssim=1.0) | {"sigma": 10.0}
    others = [mean("LIVE1", 10, "jpeg", 27.012, ssim=0.7), mean("LIVE1", 20, "jpeg", 29.0, ssim=None)]
    others += [mean("LIVE1", 10, "tiny", 28.0, ssim=0.8), mean("Set5", 10, "jpeg", 28.0, ssim=None)]
    change = {"set": "LIVE1", "receiver": "tiny", "measure": "psnr", "quality": 10, "low": -0.25, "high": 2.244}
    comparisons = [
        change | {"sigma": 0.0},
        change | {"sigma": 10.0, "low": 9},
        change | {"quality": 20, "sigma": 0.0, "low": 8},
    ]
    document = {"measures": ["psnr", "ssim"], "means": [noisy, *others], "comparisons": comparisons}
    first, second = tables.measures(document).split("\n\n")
    assert rows(first) == [
        ["LIVE1, quality 10", "PSNR dB", "SSIM"],
        ["---", "---:", "---:"],
        ["jpeg", "27.01", "0.7000"],
        ["tiny", "28.00 (-0.25 to +2.24)", "0.8000"],
    ]
    assert rows(second)[2] == ["jpeg", "28.00", "-"]


def test_colour_has_gains_by_quality(tables: ModuleType) -> None:
    values = [(10, "jpeg", 25.0), (10, "default", 26.75), (20, "jpeg", 27.0), (20, "default", 28.5)]
    table_rows = rows(tables.colour({"means": [mean("LIVE1", at, name, psnr) for at, name, psnr in values]}))
    assert table_rows[0] == ["LIVE1, 19 images, dB", "quality 10", "quality 20"]
    assert table_rows[2:] == [["jpeg", "25.00", "27.00"], ["default", "26.75 (+1.75)", "28.50 (+1.50)"]]


def test_harm_has_the_mean_and_the_least_gain(tables: ModuleType) -> None:
    gains = {"pillow, 4:2:0": {"10": {"mean": 1.2, "least": 0.5}, "95": {"mean": 0.1, "least": -0.031}}}
    swept = {"models": {"tiny": {"files": 1200, "harmed": [{"coding": "pillow, 4:2:0"}], "gains": gains}}}
    table_rows = rows(tables.harm(swept))
    assert table_rows[0][:2] == ["`tiny`, dB, 1 of 1,200 files harmed", "quality 10"]
    first = dict(zip(table_rows[0], table_rows[2], strict=True))
    assert first["quality 10"] == "+1.20 (+0.50)"
    assert (first["quality 95"], first["quality 100"]) == ("+0.10 (-0.03)", "")


def test_files_have_their_training(tables: ModuleType) -> None:
    entry = {"file": "tiny.onnx", "bytes": 75_500, "sha256": "0123456789abcdef"}
    parts = {"tiny": (10_000.0, 500), "tiny-fine": (189.0, 19)}
    trainings = [{"name": name, "step": step, "seconds": seconds} for name, (step, seconds) in parts.items()]
    card = {"licence": "any", "tiny": {"trainings": trainings}}
    index = {"name": "tiny", "luminance": entry, "chrominance": None, "card": card}
    assert rows(tables.files([index, index]))[2:] == [
        ["`tiny.onnx`", "luminance", "76", "10,189", "9", "`0123456789ab`"],
    ]
    assert tables.files([]) == ""


def test_tables_without_results_are_empty(tables: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("benchmarks.record.RESULTS", tmp_path)
    texts = tables.receiver()
    assert {texts.pop(name) for name in list(texts) if name != "receiver files"} == {""}


def test_the_table_of_the_paper_pools_all_files_with_noise(tables: ModuleType) -> None:
    def row(receiver: str, image: str, sigma: float, psnr: float) -> dict[str, Any]:
        return {"set": "Set5", "image": image, "quality": 10, "sigma": sigma, "receiver": receiver, "psnr": psnr}

    measured = [(0.0, 99.0), (5.0, 30.0), (10.0, 28.0)]
    receivers = {"full": (0.0, 0.0), "small": (-0.5, -0.7)}
    evaluated = {
        "measures": ["psnr"],
        "against": "full",
        "rows": [
            row(name, image, sigma, psnr + number + less[number])
            for name, less in receivers.items()
            for number, image in enumerate("ab")
            for sigma, psnr in measured
        ],
        "cost": {
            "receivers": {
                "full": {"model_nbytes": 2_000_000, "seconds_one_thread": 1.6},
                "small": {"model_nbytes": None, "seconds_one_thread": 0.15},
            }
        },
    }
    table = rows(tables.paper(evaluated))
    assert table[0] == ["receiver", "file, kB", "ms", "PSNR dB", "p"]
    assert table[2] == ["full", "2,000", "1600", "29.50 ± 1.29", ""]
    assert table[3] == ["small", "", "150", "28.90 ± 1.24", "0.1"]
    assert table[4] == ["the paper: JPEG", "", "1", "27.4 ± 1.8", ""]
    assert ["the paper: compressed DnCNN", "1,000", "8", "29.0 ± 1.5", "0.04"] in table
    assert rows(tables.paper_without_noise(evaluated)) == [
        ["without noise", "PSNR dB", "p"],
        ["---", "---:", "---:"],
        ["full", "99.50 ± 0.71", ""],
        ["small", "98.90 ± 0.57", "0.1"],
    ]
