"""The statistics and tables of the AccelIR benchmark, on small measurements that can be checked by hand."""

from __future__ import annotations

import importlib
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

for package in ("pyvips", "ajpegli", "bjontegaard", "ssimulacra2"):
    pytest.importorskip(package)

ROOT = Path(__file__).parents[2]


def benchmark(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.accelir.{name}")


REPORT, TABLES, LIGHTER = (benchmark(name) for name in ("report", "tables", "lighter_report"))


def record(image: str, method: str, after: float, **others: Any) -> dict[str, Any]:
    fields = {"task": "t", "network": "t-64", "tools": "t", "set": "Kodak", "image": image, "method": method}
    fields |= {"bpp": 1.2, "nbytes": 1000, "budget": 1000, "before": 30.0, "seam": 1.0, "after": after, "digest": "d"}
    return fields | others


def test_differences_are_paired() -> None:
    levels = {"a": 20.0, "b": 40.0, "c": 30.0}
    records = [record(image, "jpeg", level) for image, level in levels.items()]
    records += [record(image, "rdo", level + 0.5) for image, level in levels.items() if image != "c"]
    measurements = REPORT.Measured(records)
    rows = [measurements.rows("t", "t-64", "t", method, 1.2) for method in ("rdo", "jpeg", "webp")]
    assert REPORT.difference(*rows[:2]) == {"value": 0.5, "low": 0.5, "high": 0.5, "images": 2}
    assert REPORT.difference(rows[0], rows[2]) is None


def test_interval_is_that_of_the_mean() -> None:
    values = np.random.default_rng(1).normal(3, 1, 400)
    figure = REPORT.figure(values)
    assert figure["value"] == round(values.mean(), 3)
    width = 1.96 * values.std() / 20
    assert figure["low"] == pytest.approx(figure["value"] - width, abs=0.015)
    assert figure["high"] == pytest.approx(figure["value"] + width, abs=0.015)


def test_share_of_a_headroom() -> None:
    rows = [{str(k): {"after": 30.0 + k + gain} for k in range(6)} for gain in (0.0, 0.15, 0.2)]
    assert REPORT.share(rows)["share"]["value"] == pytest.approx(0.75, abs=1e-3)
    assert REPORT.share(rows)["headroom"]["low"] == 0.2
    uncertain = {str(k): {"after": 30.0 + k + 0.2 * (-1) ** k} for k in range(6)}
    share = REPORT.share([rows[0], rows[1], uncertain])
    assert share["share"] is None
    assert share["headroom"]["low"] < 0


def test_curves_that_are_shifted() -> None:
    reference, dearer, better = [], [], []
    for step in range(4):
        nbytes, after = 1000 * 2**step, 30.0 + 3 * step
        reference.append({"a": {"nbytes": nbytes, "after": after}})
        dearer.append({"a": {"nbytes": 1.25 * nbytes, "after": after}})
        better.append({"a": {"nbytes": nbytes, "after": after + 1.5}, "b": {"nbytes": nbytes, "after": 0.0}})
    assert REPORT.bd_figures(reference, dearer)["bd_rate_percent"]["value"] == pytest.approx(25, abs=1e-3)
    figures = REPORT.bd_figures(reference, better)
    assert figures["bd_psnr_db"]["value"] == 1.5
    assert figures["bd_psnr_db"]["images"] == 1
    assert figures["bd_rate_percent"]["value"] == pytest.approx(
        100 * (2**-0.5 - 1), abs=0.01
    )  # 3 dB for twice the bytes
    falling = [{"a": {"nbytes": 1000 * 2**step, "after": 30.0 - step}} for step in range(4)]
    assert REPORT.bd_figures(reference, falling) is None


def test_rates_are_summed_up() -> None:
    gains = {"jpeg": 0.0, "mozjpeg flat": 0.1, "mozjpeg default tables": 0.2, "receiver": 0.4, "rdo": 0.3}
    gains |= {"receiver+qpnet": 0.5, "oracle": 0.6}
    records = [
        record(image, method, level + gain + 2 * rate, bpp=rate, nbytes=1000 * rate, seam=1 + gain)
        for image, level in (("a", 25.0), ("b", 31.0))
        for method, gain in gains.items()
        for rate in ((0.6, 1.2) if method != "oracle" else (1.2,))
    ]
    records.append({**record("a", "webp", 0), "not_met": "too small"})
    del records[-1]["nbytes"]
    result = REPORT.rates(records, 1.2)
    task = result["tasks"]["t"]
    assert result["not_met"] == [{"task": "t", "image": "a", "method": "webp", "bpp": 1.2, "not_met": "too small"}]
    assert task["methods"]["jpeg"]["psnr_db"] == {"0.6": 29.2, "1.2": 30.4}
    assert task["methods"]["rdo"]["gain_db"]["0.6"]["value"] == 0.3
    assert task["methods"]["receiver+qpnet"]["curve"]["bd_psnr_db"]["value"] == pytest.approx(0.5, abs=2e-3)
    assert task["methods"]["oracle"].keys() == {"psnr_db", "gain_db", "before_db", "seam", "seam_ratio"}
    assert task["methods"]["oracle"]["seam_ratio"] == 1.6
    over = {name: figure["value"] for name, figure in task["qpnet_over"]["1.2"].items()}
    assert over == {"receiver": 0.1, "rdo": 0.2, "best mozjpeg (default tables)": 0.3}
    assert task["headroom"]["share"]["value"] == 0.5
    rows = cells(TABLES.methods(result))
    assert rows[0] == ["dB over default JPEG, 1.2 bpp", "t"]
    assert rows[-2] == ["oracle", "+0.60 [+0.60, +0.60]"]
    assert cells(TABLES.by_rate(result))[2][:3] == ["jpeg, PSNR in dB", "29.20", "30.40"]
    assert cells(TABLES.qpnet(result))[-1] == ["share of it, % (goal: 70)", "+50 [+50, +50]"]
    assert cells(TABLES.before(result))[-1][1:4] == ["receiver+qpnet", "+0.00 [+0.00, +0.00]", ""]


def records_of_widths(level_of_ours: float) -> list[dict[str, Any]]:
    psnr = {
        "jpeg": {"no network": 20.0, "t-16": 27.0, "t-32": 28.0, "t-64": 29.5},
        "receiver+qpnet": {"no network": 21.0, "t-16": 29.0, "t-32": 30.0, "t-64": 31.0},
    }
    ours = {"jpeg": 0.0, "receiver+qpnet": level_of_ours}
    return [
        record(
            image, method, value + level + ours[method] + bpp, network=network, bpp=bpp, nbytes=1000 * bpp, digest="d"
        )
        for image, level in (("a", 0.0), ("b", 2.0))
        for bpp in (1, 2, 3)
        for method, by_network in psnr.items()
        for network, value in by_network.items()
    ]


def test_macs_at_equal_psnr() -> None:
    macs = {"t": {"t-64": 16000.0, "t-16": 1000.0, "t-32": 4000.0, "no network": 0.0}}
    figures = LIGHTER.lighter(records_of_widths(0.0), macs)["tasks"]["t"]
    # 2000 instead of 16000 MACs
    change = {"value": -87.5, "low": -87.5, "high": -87.5, "images": 2, "at_least": False}
    assert [part["change_percent"] for part in figures["rates"].values()] == [change] * 3
    assert figures["rates"]["2"]["psnr_db"]["jpeg"]["t-16"] == 30.0
    assert figures["bd_psnr_db"]["t-64"]["value"] == pytest.approx(1.5)
    assert figures["bd_psnr_db"]["no network"]["value"] == pytest.approx(1.0)
    better = LIGHTER.lighter(records_of_widths(1.0), macs)["tasks"]["t"]["rates"]["1"]["change_percent"]
    assert better["value"] == -93.75
    assert better["at_least"]


def test_table_of_lighter_networks() -> None:
    macs = {"t": {"no network": 0.0, "t-16": 1000.0, "t-32": 4000.0, "t-64": 16000.0}}
    milliseconds = {"t": {network: [number + 0.5, 0, 9] for number, network in enumerate(macs["t"])}}
    latency = {"milliseconds_median_and_quartiles": milliseconds}
    rows = cells(LIGHTER.lighter_table(LIGHTER.lighter(records_of_widths(1.0), macs), latency, {"t": -49}, {"t": "T"}))
    assert rows[2][0] == "**T**, 1, 2, 3 bpp"
    assert rows[3] == ["no network", "0.5", "0.0", "jpeg", "22.00", "23.00", "24.00", ""]
    assert rows[-2][:5] == ["`t-64`", "3.5", "16.0", "receiver+qpnet", "34.00"]
    assert rows[-1][0] == "FLOPs at equal PSNR, %; the paper: -49"
    assert rows[-1][4] == "at least -94 [-94, -94]"


def test_gains_of_networks_of_others() -> None:
    psnr = {"jpeg": 20.0, "rdo": 20.5, "receiver": 20.75}
    records = [
        record(image, method, value + level + bpp, network="n", bpp=bpp, nbytes=bpp)
        for image, level in (("a", 0.0), ("b", 2.0))
        for bpp in (1, 2, 3)
        for method, value in psnr.items()
    ]
    figures = LIGHTER.others(records, {"n": 2400.4})
    assert figures["digests"] == {"n": "d"}
    network = figures["networks"]["n"]
    assert network["psnr_db"] == {"1": 22.0, "2": 23.0, "3": 24.0}
    assert network["gain_db"]["receiver"]["2"] == {"value": 0.75, "low": 0.75, "high": 0.75, "images": 2}
    assert network["bd_psnr_db"]["rdo"]["value"] == pytest.approx(0.5)
    assert network["receiver_over_rdo"]["value"] == pytest.approx(0.25)
    rows = cells(LIGHTER.others_table(figures, {"t": "T"}))
    assert rows[2] == ["T: n, 1, 2, 3 bpp", "2", "jpeg", "22.00", "23.00", "24.00", ""]
    assert rows[4][2:4] == ["receiver", "+0.75 [+0.75, +0.75]"]
    assert rows[5][-1] == "+0.25 [+0.25, +0.25]"


def test_gains_of_files_for_other_receivers() -> None:
    records = [record("a", "jpeg", 30.0), record("a", "receiver+qpnet", 30.5)]
    records += [record("a", "receiver+qpnet", 30.25, tools="other"), record("b", "jpeg", 31.0, set="McMaster")]
    gains = REPORT.unseen(records)["gain_db"]
    assert REPORT.digests(records) == {"t-64, files for other": "d", "t-64, files for t": "d"}
    assert list(gains) == ["all", "Kodak", "McMaster"]
    values = {name: figure["value"] for name, figure in gains["Kodak"]["t-64"].items()}
    assert values == {"receiver+qpnet for t": 0.5, "receiver+qpnet for other": 0.25}
    assert gains["all"]["t-64"]["receiver+qpnet for t"]["images"] == 1
    assert cells(TABLES.unseen({"gain_db": {"all": gains["all"]}}))[3][0] == "receiver+qpnet for other"
    same = {"t-64": gains["all"]["t-64"] | {"receiver for t": gains["all"]["t-64"]["receiver+qpnet for t"]}}
    rows = cells(TABLES.unseen({"gain_db": {"all": same}}))
    assert [row[0] for row in rows[2:]] == ["receiver+qpnet for t, receiver for t", "receiver+qpnet for other"]


def test_errors_of_sizes() -> None:
    records = [record("a", "receiver+qpnet", 1.0, nbytes=nbytes) for nbytes in (1000, 998, 990, 1001)]
    records.append({**records[0], "not_met": "no"})
    del records[-1]["nbytes"]
    result = REPORT.control(records)
    assert result["missing"]["all"] == result["missing"]["t"]
    assert result["missing"]["t"]["files"] == 4
    assert result["missing"]["t"]["median_percent"] == 0.1
    assert result["missing"]["t"]["largest_percent"] == 1.0
    assert result["missing"]["t"]["above_the_budget"] == 1
    assert len(result["not_met"]) == 1


def test_times_are_compared_run_by_run() -> None:
    seconds = {"quality without": [10, 20, 10], "quality with": [11, 21, 10.5], "qpnet": [0.2, 0.3, 0.1]}
    seconds |= {"bytes without": [30, 30, 30], "bytes with": [30, 33, 36]}
    row = {"tools": "t", "size": "12 MP", "sides": (3000, 4000), "image": 0, "seconds": seconds}
    case = REPORT.speed([row])["cases"]["t, 12 MP, image 0"]
    assert case["overhead_percent"]["quality"]["median"] == 5
    assert case["overhead_percent"]["bytes"] == {"median": 10, "quartile_1": 5, "quartile_3": 15}
    assert case["qpnet_megapixels_per_second"] == 60
    case["seconds"] |= {"libjpeg-turbo": 2.0, "plain": 1.0}
    assert cells(TABLES.encoder_time({"cases": {"a": case, "b": case}}))[2:] == [
        ["`t`, 12 MP", "2000.0", "1000.0", "10000.0", "11000.0", "+5", "30000.0", "33000.0", "+10"]
    ]


def cells(table: str) -> list[list[str]]:
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.splitlines()]
    assert len({len(row) for row in rows}) == 1
    return rows


def test_targets_stand_beside_the_paper() -> None:
    figure = {"value": 0.61, "low": 0.5, "high": 0.7, "images": 2}
    rates = {"tasks": {"sr4": {"methods": {"receiver+qpnet": {"gain_db": {"1.2": figure}, "before_db": figure}}}}}
    change = {"change_percent": {"value": -60.2, "low": -70.0, "high": -50.0, "at_least": False}}
    lighter = {"tasks": {"sr4": {"rates": {"0.9": {}, "1.2": change}}}}
    control = {"missing": {"all": {"median_percent": 0.1, "percentile_95_percent": 0.4, "above_the_budget": 0}}}
    overhead = {"quality": {"median": 3.0}, "bytes": {"median": 1.0}}
    rows = cells(TABLES.targets(rates, lighter, control, {"cases": {"a": {"overhead_percent": overhead}}}))
    assert rows[2][1:] == ["", "+0.60", "+0.61 [+0.50, +0.70]"]
    assert rows[3][1:] == ["-49", "-49", "-60 [-70, -50]"]
    assert rows[5] == ["size error, median, %", "2.7", "0.3", "0.10"]
    assert rows[-1] == ["time of the encoder, for a size, %", "+39", "at most 10", "median +1.0, from +1.0 to +1.0"]


def test_tables_without_results_are_empty(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setattr("benchmarks.record.RESULTS", tmp_path)
    tables = TABLES.accelir()
    # The table of networks is made from the shipped files, not from results.
    assert tables.pop("task networks").startswith("| name | network |")
    assert set(tables.values()) == {""}
