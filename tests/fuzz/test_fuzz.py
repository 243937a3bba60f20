"""A fixed number of inputs of each kind, those that failed once, and failures on purpose."""

from __future__ import annotations

import sys
import time
from itertools import count
from pathlib import Path

import pytest

from tests.fuzz import coverage
from tests.fuzz.__main__ import keep, main
from tests.fuzz.kinds import BROKEN, KINDS, find_kind, input_of
from tests.fuzz.runner import Finding, Report, run
from tests.fuzz.shrink import shrunk

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="memory is limited and guarded as on Linux")
SEED = 13
# Inputs of each kind, and how many of what outcome there are: a check that refuses everything would say nothing.
CASES = {
    "segments": (1500, "read by both", 360),
    "guard": (150, "read and written", 30),
    "pixels": (150, "encoded", 150),
    "tables": (500, "loaded, saved and loaded again", 100),
    "profile": (400, "loaded, saved and loaded again", 80),
    "utility": (300, "loaded, saved and loaded again", 60),
    "qpnet": (250, "loaded, saved and loaded again", 10),
    "recipe": (400, "loaded, saved and loaded again", 80),
    "manifest": (400, "loaded, saved and loaded again", 80),
    "index": (80, "loaded and run", 20),
    "onnx": (200, "loaded and run", 20),
    "picture": (200, "loaded", 30),
    "mask": (150, "a field of weights", 10),
}
COVERAGE_CASES = 200
CORPUS = Path(__file__).parent / "corpus"


@pytest.mark.parametrize("kind", KINDS)
def test_answers_are_right(kind: str) -> None:
    cases, outcome, least = CASES[kind]
    report = run(kind, SEED, cases=cases)
    assert [str(finding) for finding in report.findings] == []
    assert report.cases == cases == report.outcomes.total()
    assert report.outcomes[outcome] >= least, report.outcomes


@pytest.fixture(scope="module")
def coverage_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The inputs that reached something new, by kind."""
    return tmp_path_factory.mktemp("coverage")


@pytest.fixture(scope="module")
def coverage_reports(coverage_folder: Path) -> dict[str, Report]:
    """What came of the inputs that coverage led to, by kind."""
    return coverage.run([*coverage.KINDS], SEED, coverage_folder, cases=COVERAGE_CASES)


@pytest.mark.skipif(not coverage.has_atheris(), reason="atheris is not installed")
@pytest.mark.parametrize("kind", coverage.KINDS)
def test_answers_are_right_where_coverage_leads(
    kind: str, coverage_reports: dict[str, Report], coverage_folder: Path
) -> None:
    report = coverage_reports[kind]
    assert [f"{finding}\n{finding.details}" for finding in report.findings] == []
    assert report.cases >= COVERAGE_CASES
    assert len(list((coverage_folder / kind).iterdir())) > len(find_kind(coverage.KINDS[kind]).seeds())


LIBFUZZER_LOG = """INFO: -max_len is not provided; libFuzzer will not generate inputs larger than 6703 bytes

 === Uncaught Python exception: ===
KeyError: 'planted'
Traceback (most recent call last):
  File "profile.py", line 175, in load_profile
KeyError: 'planted'

==10218== ERROR: libFuzzer: fuzz target exited
stat::number_of_executed_units: 1
"""


@pytest.mark.parametrize(
    ("log", "error", "died"),
    [
        (LIBFUZZER_LOG, "KeyError: 'planted'", False),
        (LIBFUZZER_LOG.partition("\n\n")[2], "KeyError: 'planted'", False),
        (LIBFUZZER_LOG.partition("line 175")[2].partition("\n\n")[2], "ERROR: libFuzzer: fuzz target exited", True),
    ],
    ids=["the first input", "a later input", "no exception"],
)
def test_the_error_is_the_exception_that_libfuzzer_names(log: str, error: str, died: bool, tmp_path: Path) -> None:
    (tmp_path / "coverage-profile.log").write_text(log)
    (tmp_path / "coverage-profile-wrong").mkdir()
    (tmp_path / "coverage-profile-wrong" / "crash-1").write_bytes(b"input")
    report = coverage._report("coverage-profile", 77, tmp_path)
    assert [(finding.error, finding.died, finding.data) for finding in report.findings] == [(error, died, b"input")]


@pytest.mark.parametrize("place", sorted(CORPUS.glob("*/*")), ids=lambda place: f"{place.parent.name}-{place.stem}")
def test_inputs_that_failed_once(place: Path) -> None:
    assert find_kind(place.parent.name).check(place.read_bytes())


@pytest.mark.parametrize(
    ("kind", "error"),
    [
        ("raises", "KeyError: b'9'"),
        ("hangs", "no answer within 3 s"),
        ("takes_all", "MemoryError: Unable to allocate 1.00 TiB"),
        ("unstuffs", "the process died: SIGSEGV"),
        ("overwrites", "the process died: SIGSEGV"),
    ],
)
def test_failures_are_noticed(kind: str, error: str) -> None:
    number = next(number for number in count() if input_of(kind, SEED, number) == b"9")
    report = run(kind, SEED, number, cases=1, patience=3)
    report.add(run(kind, SEED, number - 2, cases=5, patience=3))
    wrong = [finding for finding in report.findings if finding.name == f"{SEED}-{number}"]
    assert len(wrong) == 2
    assert all(finding.data == b"9" and finding.error.startswith(error) for finding in report.findings), report.findings
    assert report.cases == 6


def test_every_failure_on_purpose_is_tested() -> None:
    assert [*BROKEN] == ["raises", "hangs", "takes_all", "unstuffs", "overwrites"]


@pytest.mark.parametrize("kind", KINDS)
def test_inputs_are_made_again(kind: str, monkeypatch: pytest.MonkeyPatch) -> None:
    inputs = [input_of(kind, SEED, number) for number in range(6)]
    later = time.time() + 86_400  # archives note when they were made
    monkeypatch.setattr(time, "time", lambda: later)
    assert inputs == [input_of(kind, SEED, number) for number in range(6)]
    assert len(set(inputs)) > 3
    assert inputs != [input_of(kind, SEED + 1, number) for number in range(6)]


def test_inputs_are_made_smaller() -> None:
    data = bytes(100) + b"X" + bytes(77) + b"Y" + bytes(9)
    assert shrunk(data, lambda part: b"X" in part and b"Y" in part) == b"XY"
    tried: list[bytes] = []
    assert shrunk(data, lambda part: bool(tried.append(part)), tries=5) == data
    assert len(tried) == 5


def test_what_was_wrong_is_kept(tmp_path: Path) -> None:
    place = keep(Finding("raises", "1-2", b"9", "KeyError: b'9'", "a traceback"), tmp_path / "wrong")
    assert place.name == "raises-1-2.txt"
    assert place.read_bytes() == b"9"
    assert place.with_name("raises-1-2-short.txt").read_bytes() == b"9"
    assert "a traceback" in place.with_name("raises-1-2.txt.log").read_text()


def test_the_command(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    kept = tmp_path / "kept"
    assert main(["--kind", "tables", "--cases", "9", "--keep", str(kept)]) == 0
    assert "tables: 9 inputs, 0 wrong" in capsys.readouterr().out
    assert not kept.exists()
    good = tmp_path / "good.json"
    good.write_bytes(find_kind("tables").seeds()[0])
    assert main(["--kind", "tables", "--replay", str(good)]) == 0
    assert capsys.readouterr().out == "loaded, saved and loaded again\n"
