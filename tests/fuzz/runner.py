"""Have inputs tried by another process, and say what it found, how it died, or that it hangs."""

from __future__ import annotations

import json
import os
import select
import signal
import subprocess
import sys
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
    """An input whose answer was wrong."""

    kind: str
    seed: int
    number: int
    error: str
    details: str = ""

    def data(self) -> bytes:
        """The input."""
        return input_of(self.kind, self.seed, self.number)

    @property
    def filename(self) -> str:
        """Name of a file for the input."""
        return f"{self.kind}-{self.seed}-{self.number}{find_kind(self.kind).suffix}"

    def __str__(self) -> str:
        return f"{self.kind}, seed {self.seed}, input {self.number}: {self.error}"


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


def run(kind: str, seed: int, first: int = 0, *, cases: int = _FOREVER, seconds: int = _FOREVER) -> Report:
    """Try inputs of a kind, from number `first` on, as many as there are or as the time allows."""
    report = Report()
    while report.cases < cases:
        at = first + report.cases
        worker = _Worker(kind, seed, at, cases - report.cases, seconds)
        report.add(worker.report())
        if worker.finished or report.cases == at - first:
            break
    return report


class _Worker:
    """A process of `tests.fuzz.worker`, from its first input to its end."""

    def __init__(self, kind: str, seed: int, first: int, cases: int, seconds: int) -> None:
        self._kind, self._seed, self._first = kind, seed, first
        command = [sys.executable, "-m", "tests.fuzz.worker", kind, *map(str, (seed, first, cases, seconds))]
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
            ready, _, _ = select.select(sources, [], [], _FIRST_SECONDS if self._at is None else _CASE_SECONDS)
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
        if "found" in line:
            found = line["found"]
            finding = Finding(self._kind, self._seed, found["number"], found["error"], found["traceback"])
            report.findings.append(finding)

    def _end(self, hangs: bool, said: bytes, report: Report) -> None:
        """Wait for the end of the process, and see how it died."""
        if hangs:
            self._process.kill()
        status = self._process.wait()
        for pipe in (self._process.stdout, self._process.stderr):
            if pipe is not None:
                pipe.close()
        text = said.decode(errors="replace")
        if self._at is None and not self.finished:
            raise RuntimeError(f"no input of the kind {self._kind} was tried:\n{text}")
        report.cases = 0 if self._at is None else self._at + 1 - self._first
        if not self.finished and self._at is not None:
            error = f"no answer within {_CASE_SECONDS} s" if hangs else f"the process died: {_how(status)}"
            report.findings.append(Finding(self._kind, self._seed, self._at, error, text))


def _how(status: int) -> str:
    return signal.Signals(-status).name if status < 0 else f"exit status {status}"
