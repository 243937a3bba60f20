"""Results name the command that made them, without folders of the machine where it ran."""

from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest

from benchmarks import record


def test_paths_of_a_machine_are_not_recorded(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    script = str(record.ROOT / "benchmarks" / "rates" / "strongest.py")
    inside = str(record.ROOT / "docs" / "demo.jpg")
    monkeypatch.setattr(sys, "argv", [script, "--cjpeg", str(tmp_path / "bin" / "cjpeg"), inside, "work", "-n", "3"])
    monkeypatch.setattr(record, "RESULTS", tmp_path / "results")
    written = json.loads(record.write_result("some", {"figures": 1}, packages=("numpy",)).read_text())
    assert written["command"] == "python -m benchmarks.rates.strongest --cjpeg cjpeg docs/demo.jpg work -n 3"
    assert written["figures"] == 1


def test_a_result_that_is_renewed_in_part_keeps_the_commands_of_the_rest(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    script = str(record.ROOT / "benchmarks" / "receiver" / "pipeline.py")
    monkeypatch.setattr(record, "RESULTS", tmp_path)

    def written(*arguments: str, renewed: bool) -> dict:
        monkeypatch.setattr(sys, "argv", [script, *arguments])
        return json.loads(record.write_result("some", {}, packages=("numpy",), renewed=renewed).read_text())

    first = "python -m benchmarks.receiver.pipeline"
    second = f"{first} --again 'trellis people'"
    assert "earlier_commands" not in written(renewed=False)
    for _ in range(2):
        document = written("--again", "trellis people", renewed=True)
        assert (document["command"], document["earlier_commands"]) == (second, [first])
    document = written("--again", "jpegli", renewed=True)
    assert (document["command"], document["earlier_commands"]) == (f"{first} --again jpegli", [first, second])


def test_a_table_is_empty_until_all_of_its_results_are_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(record, "RESULTS", tmp_path)
    needs = {
        "both": (lambda one, other: f"{one['value']} and {other['value']}", ("first", "second")),
        "one": (lambda one: str(one["value"]), ("second",)),
    }
    for name, value in (("second", 2), ("first", 1)):
        assert not record.has_result(name)
        record.write_result(name, {"value": value}, packages=())
        assert record.load_result(name)["value"] == value
        assert record.tables_of(needs) == {"both": "1 and 2" if name == "first" else "", "one": "2"}
