"""Run commands and functions in a process in which some packages are missing, to test their error messages.

As a program it reads JSON from stdin: ``missing`` (names of packages), ``commands`` (lists of arguments, the name of
the command first) and ``calls`` (Python code); it writes one JSON object for each, in that order.
"""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any


@dataclass(frozen=True)
class Outcome:
    """Result of a command (exit status and output) or of a call (type and message of the error)."""

    status: int | str
    stdout: str
    stderr: str

    @property
    def lines(self) -> list[str]:
        """Lines on stderr, without those about compiling kernels, which only a first run prints."""
        return [line for line in self.stderr.splitlines() if not line.startswith("optcodec: compiling")]


def outcomes(
    missing: Sequence[str], *, commands: Sequence[Sequence[object]] = (), calls: Sequence[str] = ()
) -> list[Outcome]:
    """Run commands and calls one after another in a new process without those packages."""
    texts = [[str(part) for part in command] for command in commands]
    request = {"missing": missing, "commands": texts, "calls": calls}
    done = subprocess.run(
        [sys.executable, "-m", "tests.without_packages"],
        input=json.dumps(request),
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return [Outcome(**json.loads(line)) for line in done.stdout.splitlines()]


class _Without:
    """A finder of modules that does not find some packages."""

    def __init__(self, finder: Any, missing: Sequence[str]) -> None:
        self.finder, self.missing = finder, frozenset(missing)

    def find_spec(self, name: str, path: Any = None, target: Any = None) -> Any:
        return None if name.partition(".")[0] in self.missing else self.finder.find_spec(name, path, target)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.finder, name)


def _command(arguments: Sequence[str]) -> Outcome:
    from click.testing import CliRunner

    import optcodec.cli
    import restore.cli

    main = {"optcodec": optcodec.cli.main, "restore": restore.cli.main}[arguments[0]]
    result = CliRunner().invoke(main, arguments[1:])
    if result.exception is not None and not isinstance(result.exception, SystemExit):
        return Outcome("traceback", result.stdout, repr(result.exception))
    return Outcome(result.exit_code, result.stdout, result.stderr)


def _call(code: str) -> Outcome:
    try:
        exec(compile(code, "call", "exec"), {})
    except Exception as error:
        return Outcome(type(error).__name__, "", str(error))
    return Outcome(0, "", "")


if __name__ == "__main__":
    wanted = json.load(sys.stdin)
    sys.meta_path[:] = [_Without(finder, wanted["missing"]) for finder in sys.meta_path]
    for arguments in wanted["commands"]:
        print(json.dumps(asdict(_command(arguments))), flush=True)
    for case in wanted["calls"]:
        print(json.dumps(asdict(_call(case))), flush=True)
