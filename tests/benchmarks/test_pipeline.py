"""The benchmark of senders with a receiver behind them: its table has the figures of its result."""

from __future__ import annotations

import io
import json
from pathlib import Path

import click
import pytest
from PIL import Image

from benchmarks.receiver import pipeline
from benchmarks.receiver.pair import at_rates, classifiers, gains, turns
from optcodec import MaxBytes
from optcodec.rates import MEASURES, Curve, Failed, Original, Part, Rate, Row, judge_by, result_of
from tests.cli_helpers import photograph


@pytest.fixture(scope="module")
def document() -> dict:
    """A result as if all senders but the first needed fewer bytes, and the receiver gained 1 dB."""
    rows = []
    for name in pipeline.SETS:
        for image in "01":
            for number, sender in enumerate(pipeline.SENDERS):
                for receiver in pipeline.RECEIVERS:
                    for step, bpp in enumerate(pipeline.BPP):
                        psnr = 25 + 3 * step + number / 2 + (receiver == "default")
                        curve = Curve(sender, receiver, 0.0)
                        rows.append(Row(name, image, curve, Rate("bpp", bpp), int(1000 * bpp), bpp, {"psnr": psnr}))
    run = pipeline.experiment(judge_by({}), pipeline.SENDERS)
    assert [sender.name for sender in run.senders] == list(pipeline.SENDERS)
    assert [reader.receiver for reader in run.readers] == list(pipeline.RECEIVERS)
    return result_of(run, Part(tuple(rows), ()), {"psnr": MEASURES["psnr"]}, anchor=pipeline.ANCHOR)


def test_the_table_has_the_figures_of_the_result(document: dict) -> None:
    lines = [line.strip("| ").split(" | ") for line in at_rates(document).splitlines()]
    assert lines[0][:2] == ["PSNR dB, without -> with `default`", "0.25 bpp"]
    assert [line[0] for line in lines[2:]] == list(pipeline.SENDERS)
    assert lines[2][1:6] == [f"{25 + 3 * step:.2f} -> {26 + 3 * step:.2f}" for step in range(5)]
    assert lines[3][1] == "25.50 -> 26.50"
    assert lines[2][6].startswith("0 -> -")
    assert lines[2][7] == "0"
    deltas = {
        (r["sender"], r["receiver"], r["against"]["receiver"]): r["value"]
        for r in document["bd_rates"]
        if r["set"] == "all"
    }
    last = list(pipeline.SENDERS)[-1]
    assert lines[-1][6].startswith(f"{deltas[last, 'jpeg', 'jpeg']:+.1f} [")
    assert f"-> {deltas[last, 'default', 'jpeg']:+.1f} [" in lines[-1][6]
    assert lines[-1][7].startswith(f"{deltas[last, 'default', 'default']:+.1f} [")


@pytest.mark.parametrize("kind", pipeline.RUNS)
def test_all_senders_can_be_made(kind: str) -> None:
    named, _ = pipeline.RUNS[kind]
    run = pipeline.experiment(judge_by({}), named)
    assert [sender.name for sender in run.senders] == list(named)
    assert pipeline.ANCHOR in named


def test_progressive_files_are_progressive() -> None:
    senders = pipeline.experiment(judge_by({}), pipeline.PROGRESSIVE).senders
    pixels = photograph(64, 96)
    files = {sender.name: sender.encode(pixels, "4:2:0", MaxBytes(3_000)) for sender in senders}
    others = [name for name in files if name != pipeline.ANCHOR and not name.startswith("trellis")]
    assert len(others) == 3
    for name in (pipeline.ANCHOR, *others):
        with Image.open(io.BytesIO(files[name])) as image:
            assert ("progressive" in image.info) == (name in others), name


def test_means_of_fewer_pictures_say_so(document: dict) -> None:
    points = [
        p | {"images": 3} if p["sender"] == "jpegli" and p["rate"]["value"] == 0.25 else p for p in document["points"]
    ]
    lines = at_rates(document | {"points": points}, rates=(0.25, 0.4)).splitlines()
    assert [line for line in lines if "n = " in line] == [line for line in lines if line.startswith("| jpegli |")]
    assert lines[5].count("(n = 3)") == 1


def test_the_table_of_gains_has_mean_and_least(document: dict) -> None:
    def better(row: dict) -> dict:
        lucky = row["receiver"] == "default" and row["image"] == "0"
        return row | {"measures": {"psnr": row["measures"]["psnr"] + lucky}}

    lines = gains(document | {"rows": [better(row) for row in document["rows"]]}).splitlines()
    assert lines[2] == f"| default JPEG | {' | '.join(['+1.50 (+1.00)'] * 5)} |"
    assert len(lines) == 2 + len(pipeline.SENDERS)


def test_the_table_of_turns_has_means_over_the_rates(document: dict) -> None:
    lines = [line.strip("| ").split(" | ") for line in turns(document).splitlines()]
    assert lines[0][1:3] == ["`jpeg`, dB", "`default`, dB"]
    assert [line[:3] for line in lines[2:4]] == [
        ["default JPEG", "31.00", "32.00"],
        ["default JPEG + hint", "31.50", "32.50"],
    ]
    assert lines[2][3] == "0"
    assert lines[3][3].startswith("-")


def test_the_table_of_classifiers_counts_what_is_surely_worse() -> None:
    def figures(quality: int) -> dict:
        after = 0.8 if quality == 10 else 1.1
        change = [[0.0, 0.0], [after - 1.05, after - 0.95], [0.0, 0.0], [-0.6, -0.4]]
        return {"n": 7, "kl": [1.0, 1.0, after, 1.0, 0.5], "kl_change": change}

    encoders = {name: {str(quality): figures(quality) for quality in (10, 90)} for name in ("a", "b")}
    shares = {"chosen": [0.0, 0.25, 0.5, 0.75, 1.0], "judged": [0.0, 0.25, "dnn", 0.5, 1.0]}
    result = {"shares": shares, "sets": {name: {"net": encoders} for name in shares}}
    lines = [line.strip("| ").split(" | ") for line in classifiers(result).splitlines()]
    assert lines[0] == ["nats", "quality 10", "quality 90", "surely worse"]
    assert lines[2:] == [
        ["chosen, net, n = 7, share 0.5", "-0.20", "+0.10", "2 of 4"],
        ["chosen, net, n = 7, share 1", "-0.50", "-0.50", "0 of 4"],
        ["judged, net, n = 7, `--for dnn`", "-0.20", "+0.10", "2 of 4"],
        ["judged, net, n = 7, share 0.5", "+0.00", "+0.00", "0 of 4"],
        ["judged, net, n = 7, share 1", "-0.50", "-0.50", "0 of 4"],
    ]


def test_senders_that_are_measured_again_take_the_place_of_their_rows(
    document: dict, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    failures = [Failed("too large", "Kodak", "0", sender, None, Rate("bpp", 0.25)) for sender in ("jpegli", "pillow")]
    held = document | {"failures": [failed.to_json() for failed in failures]}
    (tmp_path / "earlier.json").write_text(json.dumps(pipeline.rounded(held)))
    monkeypatch.setattr(pipeline.record, "RESULTS", tmp_path)
    pictures = [Original(name, image, tmp_path) for name in pipeline.SETS for image in "01"]
    part = pipeline.earlier("earlier", pictures, ("jpegli",))
    assert {row.curve.sender for row in part.rows} == set(pipeline.SENDERS) - {"jpegli"}
    assert [failed.sender for failed in part.failures] == ["pillow"]
    rows = tuple(Row.from_json(row) for row in document["rows"] if row["sender"] == "jpegli")
    both = pipeline.joined(part, Part(rows, (failures[0],)))
    assert sorted(map(str, both.rows)) == sorted(str(Row.from_json(row)) for row in document["rows"])
    assert {failed.sender for failed in both.failures} == {"jpegli", "pillow"}
    with pytest.raises(click.UsageError, match="the result has 4 pictures, which are not the 3 asked for"):
        pipeline.earlier("earlier", pictures[:3], ("jpegli",))


def test_numbers_are_rounded() -> None:
    assert pipeline.rounded({"a": [1.23456789, {"b": 2, "c": None}], "d": "x"}) == {
        "a": [1.23457, {"b": 2, "c": None}],
        "d": "x",
    }
