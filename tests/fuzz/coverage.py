"""Inputs that libFuzzer makes, led by the lines of Python that they reach: ``pip install atheris``.

What is instrumented is the Python of headers, segments, tables and JSON; half of the changes are those of the other
harnesses, half libFuzzer's own. The checks are the same.
"""

from __future__ import annotations

import importlib.util
import json
import os
import random
import re
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import NoReturn

from tests.fuzz.kinds import Kind, find_kind
from tests.fuzz.runner import Finding, Report

__all__ = ["KINDS", "has_atheris", "run"]

KINDS = {f"coverage-{name}": name for name in ("segments", "tables", "profile", "utility", "qpnet", "recipe")}
_INSTRUMENTED = [
    "optcodec.jpeg",
    "optcodec.blocks",
    "optcodec.vision",
    "restore.training.recipe",
    "restore.channel.degradation",
]
_CASE_SECONDS = 120
_MEGABYTES = 4096
_ROOT = Path(__file__).parents[2]


def has_atheris() -> bool:
    """Whether it is installed."""
    return importlib.util.find_spec("atheris") is not None


def run(
    names: Sequence[str], seed: int, folder: Path, *, cases: int | None = None, seconds: int = 0
) -> dict[str, Report]:
    """Try inputs of each kind, until there are so many or the time is over, or one is wrong.

    The folder keeps the inputs that reached something new, for the next time.

    Raises
    ------
    RuntimeError
        If libFuzzer ends without a report.
    """
    if not has_atheris():
        return {name: Report(outcomes=Counter({"not tried: atheris is missing": 1})) for name in names}
    limit = f"-max_total_time={seconds}" if cases is None else f"-runs={cases}"
    flags = [limit, f"-seed={seed + 1}", f"-timeout={_CASE_SECONDS}", f"-rss_limit_mb={_MEGABYTES}"]
    for name in names:
        write_corpus(name, folder / name)
        shutil.rmtree(_artifacts(folder, name), ignore_errors=True)
        _artifacts(folder, name).mkdir()
    done = subprocess.run(
        [sys.executable, "-m", "tests.fuzz.coverage", str(folder), ",".join(names), *flags, "-print_final_stats=1"],
        cwd=_ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    if done.returncode:
        raise RuntimeError(f"the kinds could not be tried:\n{done.stdout.decode(errors='replace')[-6000:]}")
    statuses = json.loads(done.stdout.splitlines()[-1])
    return {name: _report(name, statuses[name], folder) for name in names}


def _artifacts(folder: Path, name: str) -> Path:
    """The folder for inputs of a kind that are wrong."""
    return folder / f"{name}-wrong"


def _log(folder: Path, name: str) -> Path:
    """The file for what libFuzzer says of a kind."""
    return folder / f"{name}.log"


def _report(name: str, status: int, folder: Path) -> Report:
    """What libFuzzer said, and what it left in the folder for inputs that are wrong."""
    said, places = _log(folder, name).read_text(errors="replace"), sorted(_artifacts(folder, name).iterdir())
    tried = re.search(r"number_of_executed_units: *(\d+)", said)
    if tried is None or (status and not places):
        raise RuntimeError(f"libFuzzer ended with exit status {status} for {name}:\n{said[-6000:]}")
    report = Report(int(tried[1]), Counter(tried=int(tried[1])))
    for place in places:
        wrong = re.search(r"^(?!INFO)\w+: .*\n(?=\n|==)", said, re.MULTILINE)  # of an uncaught exception
        wrong = wrong or re.search("ERROR: libFuzzer: .*", said)
        error = wrong[0].strip() if wrong else place.name
        died = wrong is None or wrong[0].startswith("ERROR")
        finding = Finding(KINDS[name], place.name[:20], place.read_bytes(), error[:300], said[-6000:], died)
        report.findings.append(finding)
    return report


def write_corpus(name: str, folder: Path) -> None:
    """The seeds of a kind as files, beside those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(find_kind(KINDS[name]).seeds()):
        (folder / f"{number:03d}").write_bytes(data)


def main() -> None:
    """The process that libFuzzer runs in: ``python -m tests.fuzz.coverage FOLDER KIND,KIND... FLAG...``.

    Importing and instrumenting the modules takes longer than 200 inputs of a kind. That is done once, and each kind is
    tried in a copy of this process, since libFuzzer ends the process that it runs in. The last line on stdout is a JSON
    object with the exit status of each copy.
    """
    import atheris

    folder, names, flags = Path(sys.argv[1]), sys.argv[2].split(","), sys.argv[3:]
    with atheris.instrument_imports(include=_INSTRUMENTED):
        kinds = {name: find_kind(KINDS[name]) for name in names}
    statuses = {}
    for name, kind in kinds.items():
        child = os.fork()
        if child == 0:
            with _log(folder, name).open("wb") as log:
                os.dup2(log.fileno(), 1)
                os.dup2(log.fileno(), 2)
            fuzz(kind, [str(folder / name), *flags, f"-artifact_prefix={_artifacts(folder, name)}/"])
        statuses[name] = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    print(json.dumps(statuses))


def fuzz(kind: Kind, arguments: Sequence[str]) -> NoReturn:
    """Have libFuzzer try inputs of a kind; it ends the process."""
    import atheris

    warnings.simplefilter("error")
    kind.check(kind.seeds()[0])

    def check(data: bytes) -> None:
        kind.check(bytes(data))

    def change(data: bytes, most: int, seed: int) -> bytes:
        source = random.Random(seed)
        changed = kind.change(data, source) if source.random() < 0.5 else b""
        return changed if 0 < len(changed) <= most else bytes(atheris.Mutate(data, most))

    atheris.Setup([sys.argv[0], *arguments], check, custom_mutator=change)
    atheris.Fuzz()
    raise AssertionError("libFuzzer did not end the process")


if __name__ == "__main__":
    main()
