"""What a billion pictures would take, computed from round figures, and whether the text says what the tables say."""

from __future__ import annotations

from typing import Any

import pytest

from benchmarks.speed.paper import Assumed, a_billion, binds_first, needs, then_binds


def measured(*, memory: float = 10.0, command: float = 1e-5) -> dict[str, Any]:
    """A hundred pictures of 1 MB became files of 250 kB in 3.6 s; the command takes so many bytes and seconds each."""
    whole = {"pictures": 100, "source_nbytes": 100e6, "nbytes": 25e6, "cpu_seconds": 3.6}
    each = {"peak_nbytes": memory, "cpu_seconds": command, "manifest_nbytes": 500}
    requests = {"HEAD": 1.0, "GET": 1.0, "PUT": 1.0}
    kinds = ("folder", "tar files")
    return {
        "whole_set": {"undisturbed": whole},
        "bookkeeping": {"jobs": {f"ray, {kind}": {"each_further_picture": each} for kind in kinds}},
        "store_requests": {"each_further_file": dict.fromkeys(kinds, requests)},
    }


def test_a_billion_by_hand() -> None:
    figures = a_billion("folder", measured(), Assumed())
    assert (figures["read_tb"], figures["written_tb"], figures["manifest_gb"]) == (1000, 250, 500)
    assert figures["requests_millions"] == 3000
    assert figures["dollars_of_requests"] == pytest.approx(2 * 400 + 5000)
    assert figures["processor_hours"] == pytest.approx(10000)
    assert figures["hours_of_processors"] == pytest.approx(10000 / 256)
    assert figures["hours_of_network"] == pytest.approx(1.25e15 / 20e9 / 3600)
    assert figures["dollars_of_processors"] == pytest.approx(400)
    assert figures["dollars_saved_a_month"] == pytest.approx(15000)


def test_tar_files_are_read_in_parts_and_read_back() -> None:
    figures = a_billion("tar files", measured(), Assumed(in_a_tar=100))  # of 100 MB, which become 25 MB
    assert figures["read_tb"] == 1250
    assert figures["requests_millions"] == pytest.approx(1e7 * (1 + 2 + 1) / 1e6)


@pytest.mark.parametrize(
    ("each", "assumed", "first", "then"),
    [
        ({}, {}, "processors", "processors"),
        ({}, {"gbit_a_second": 0.1}, "network", "network"),
        ({"command": 1e-3}, {}, "the command", "the command"),
        ({"memory": 1000, "command": 2e-4}, {}, "memory of the command", "processors"),
    ],
)
def test_what_is_short(each: dict[str, float], assumed: dict[str, float], first: str, then: str) -> None:
    figures = a_billion("folder", measured(**each), Assumed(**assumed))
    assert (binds_first(figures), then_binds(figures, Assumed(**assumed))) == (first, then)


def test_the_text_says_what_the_tables_say() -> None:
    """Which are computed anew when a result changes, while the text below them is not."""
    documents = needs()
    single, tars = (a_billion(kind, documents, Assumed()) for kind in ("folder", "tar files"))
    assert documents["whole_set"]["undisturbed"]["pictures"] == 1602
    for figures in (single, tars):
        assert binds_first(figures) == "memory of the command"
        assert then_binds(figures, Assumed()) == "processors"
        assert 10e6 < 1e9 / figures["jobs"] < 30e6
    assert single["dollars_of_requests"] > 10 * single["dollars_of_processors"]
    assert tars["dollars_of_requests"] < tars["dollars_of_processors"]
