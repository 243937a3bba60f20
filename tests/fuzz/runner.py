"""Have inputs tried by another process, and say what it found, how it died, or that it hangs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.fuzz.kinds import find_kind, input_of

__all__ = ["Finding", "Report", "run"]

_FIRST_SECONDS = 900  # until the first input: modules are imported and kernels compiled
_CASE_SECONDS = 120  # an input takes some milliseconds; this is for a machine that does much else
_FOREVER = 10**8
_ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Finding:
    """An input whose answer was wrong.

    Parameters
    ----------
    kind : str
        Of input.
    name : str
        Of the input, such as its seed and number.
    data : bytes
        The input.
    error : str
        What was wrong, in a line.
    details : str
        Traceback, or what the process said before it died.
    died : bool
        Whether the process that tried it died, so that it is to be tried in one of its own.
    """

    kind: str
    name: str
    data: bytes = field(repr=False)
    error: str
    details: str = field(repr=False)
    died: bool = False

    @property
    def filename(self) -> str:
        """Name of a file for the input."""
        return f"{self.kind}-{self.name}{find_kind(self.kind).suffix}"

    def __str__(self) -> str:
        return f"{self.kind} {self.name}: {self.error}"


@dataclass
class Report:
    """What came of some inputs: how many were tried, how often each outcome came, and what was wrong."""

    cases: int = 0
    outcomes: Counter[str] = field(default_factory=Counter)
    findings: list[Finding] = field(default_factory=list)

    def add(self, other: Report) -> None:
        """Count another report too."""
        self.cases += other.cases
        self.outcomes += other.outcomes
        self.findings += other.findings


def run(
    kind: str,
    seed: int,
    first: int = 0,
    *,
    cases: int = _FOREVER,
    seconds: int = _FOREVER,
    patience: int = _CASE_SECONDS,
) -> Report:
    """Try inputs of a kind, from number `first` on, until there are so many or the time is over.

    An input that takes more than `patience` seconds is wrong.
    """
    report, end = Report(), time.monotonic() + seconds
    while report.cases < cases:
        at = first + report.cases
        left = max(0, round(end - time.monotonic()))
        worker = _Worker(kind, seed, range(at, at + cases - report.cases), left, patience)
        report.add(worker.report())
        if worker.finished:
            break
    return report


class _Worker:
    """A process of `tests.fuzz.worker`, from its first input to its end."""

    def __init__(self, kind: str, seed: int, numbers: range, seconds: int, patience: int) -> None:
        self._kind, self._seed, self._first, self._patience = kind, seed, numbers.start, patience
        settings = map(str, (seed, numbers.start, len(numbers), seconds))
        command = [sys.executable, "-m", "tests.fuzz.worker", kind, *settings]
        self._process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE)
        self._at: int | None = None  # input that is tried
        self.finished = False

    def report(self) -> Report:
        """Read what it says until it ends, and end it where it says nothing for too long."""
        report, hangs, rest = Report(), False, b""
        assert self._process.stdout is not None
        assert self._process.stderr is not None
        sources, said = [self._process.stdout, self._process.stderr], b""
        while self._process.stdout in sources:
            ready, _, _ = select.select(sources, [], [], _FIRST_SECONDS if self._at is None else self._patience)
            if not ready:
                hangs = True
                break
            for source in ready:
                content = os.read(source.fileno(), 1 << 16)
                if not content:
                    sources.remove(source)
                elif source is self._process.stderr:
                    said = (said + content)[-4000:]
                else:
                    *lines, rest = (rest + content).split(b"\n")
                    for line in lines:
                        self._take(json.loads(line), report)
        self._end(hangs, said, report)
        return report

    def _take(self, line: dict[str, Any], report: Report) -> None:
        self._at = line.get("at", self._at)
        report.outcomes.update(line.get("outcomes", {}))
        self.finished = self.finished or "finished" in line
        if "wrong" in line:
            report.findings.append(self._finding(**line["wrong"]))

    def _finding(self, number: int, error: str, details: str, died: bool = False) -> Finding:
        data = input_of(self._kind, self._seed, number)
        return Finding(self._kind, f"{self._seed}-{number}", data, error, details, died)

    def _end(self, hangs: bool, said: bytes, report: Report) -> None:
        """Wait for the end of the process, and see how it died."""
        if hangs:
            self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        text = said.decode(errors="replace")
        if not self.finished and (self._at is None or status == 1):  # it failed itself, outside of what it tries
            raise RuntimeError(f"inputs of the kind {self._kind} cannot be tried; {_how(status)}:\n{text}")
        report.cases = 0 if self._at is None else self._at + 1 - self._first
        if not self.finished and self._at is not None:
            error = f"no answer within {self._patience} s" if hangs else f"the process died: {_how(status)}"
            report.findings.append(self._finding(self._at, error, text, died=True))


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
