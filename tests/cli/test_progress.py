"""The progress bar that all verbs share."""

from __future__ import annotations

import io
import re
import sys

import pytest

from optcodec.console.progress import progress_bar, tracked


class Terminal(io.StringIO):
    """A stream that claims to be a terminal, so that progress bars are drawn."""

    def isatty(self) -> bool:
        return True

    @property
    def text(self) -> str:
        return re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", self.getvalue())


def shown_terminal(monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setenv("COLUMNS", "100")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    return terminal


def test_nothing_is_shown_where_stderr_is_no_terminal(capsys: pytest.CaptureFixture[str]) -> None:
    with progress_bar(9, "work") as tell:
        tell(3)
        tell(note="x")
    assert list(tracked("ab", "work", 2)) == ["a", "b"]
    assert capsys.readouterr() == ("", "")


def test_a_single_step_has_no_bar(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = shown_terminal(monkeypatch)
    with progress_bar(1, "work") as tell:
        tell()
    assert terminal.getvalue() == ""


def test_steps_labels_and_notes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Text in brackets is printed as it is, not taken for markup of rich."""
    terminal = shown_terminal(monkeypatch)
    with progress_bar(None, "[a] work", note="steps") as tell:
        tell(3, total=9)
        tell(note="steps [b]")
    assert re.search(r"\[a\] work .* 4/9 steps \[b\]", terminal.text)
    with progress_bar(9, "one") as tell:
        tell(label="other")
    assert re.search(r"other .* 1/9", terminal.text)


def test_items_are_counted_when_they_are_done(monkeypatch: pytest.MonkeyPatch) -> None:
    terminal = shown_terminal(monkeypatch)
    assert list(tracked(iter("abc"), "letters", 3)) == ["a", "b", "c"]
    assert re.search(r"letters .* 3/3", terminal.text)


def test_what_an_earlier_run_did_does_not_count_as_speed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Steps that an earlier run has done must not count for the estimate of the remaining time."""
    terminal = shown_terminal(monkeypatch)
    with progress_bar(10**12, "work") as tell:
        tell(10**12 // 2)
        tell()
    left = terminal.text.rstrip().split()[-1]
    assert re.fullmatch(r"\d+:\d\d:\d\d", left)
    assert not left.startswith("0:00")
