"""Inputs that libFuzzer makes, led by the lines of Python that they reach: ``pip install atheris``.

What is instrumented is the Python of headers, segments, tables and JSON; half of the changes are those of the other
harnesses, half libFuzzer's own. The checks are the same.
"""

from __future__ import annotations

import importlib.util
import os
import random
import re
import shutil
import subprocess
import sys
import warnings
from collections import Counter
from pathlib import Path

from tests.fuzz.kinds import find_kind
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


def run(name: str, seed: int, folder: Path, *, cases: int | None = None, seconds: int = 0) -> Report:
    """Try inputs of a kind, until there are so many or the time is over, or one is wrong.

    The folder keeps the inputs that reached something new, for the next time.
    """
    if not has_atheris():
        return Report(outcomes=Counter({"not tried: atheris is missing": 1}))
    corpus, artifacts = folder / name, folder / f"{name}-wrong"
    write_corpus(name, corpus)
    shutil.rmtree(artifacts, ignore_errors=True)
    artifacts.mkdir()
    limit = f"-max_total_time={seconds}" if cases is None else f"-runs={cases}"
    flags = [limit, f"-seed={seed + 1}", f"-timeout={_CASE_SECONDS}", f"-rss_limit_mb={_MEGABYTES}"]
    command = [sys.executable, "-m", "tests.fuzz.coverage", name, str(corpus), *flags, f"-artifact_prefix={artifacts}/"]
    done = subprocess.run(
        [*command, "-print_final_stats=1"],
        cwd=_ROOT,
        env=os.environ | {"PYTHONHASHSEED": "0"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        check=False,
    )
    return _report(KINDS[name], done.returncode, done.stdout.decode(errors="replace"), sorted(artifacts.iterdir()))


def _report(kind: str, status: int, said: str, artifacts: list[Path]) -> Report:
    """What libFuzzer said, and what it left in the folder for inputs that are wrong."""
    tried = re.search(r"number_of_executed_units: *(\d+)", said)
    if tried is None or (status and not artifacts):
        raise RuntimeError(f"libFuzzer ended with exit status {status}:\n{said[-6000:]}")
    report = Report(int(tried[1]), Counter(tried=int(tried[1])))
    for place in artifacts:
        wrong = re.search(r"^(\w+): .*\n(?=\n|==)", said, re.MULTILINE) or re.search("ERROR: libFuzzer: .*", said)
        error = wrong[0].strip() if wrong else place.name
        died = wrong is None or wrong[0].startswith("ERROR")
        report.findings.append(Finding(kind, place.name[:20], place.read_bytes(), error[:300], said[-6000:], died))
    return report


def write_corpus(name: str, folder: Path) -> None:
    """The seeds of a kind as files, beside those that are there."""
    folder.mkdir(parents=True, exist_ok=True)
    for number, data in enumerate(find_kind(KINDS[name]).seeds()):
        (folder / f"{number:03d}").write_bytes(data)


def main() -> None:
    """The process that libFuzzer runs in: ``python -m tests.fuzz.coverage KIND FOLDER FLAG...``."""
    import atheris

    with atheris.instrument_imports(include=_INSTRUMENTED):
        kind = find_kind(KINDS[sys.argv[1]])
    warnings.simplefilter("error")
    kind.check(kind.seeds()[0])

    def check(data: bytes) -> None:
        kind.check(bytes(data))

    def change(data: bytes, most: int, seed: int) -> bytes:
        source = random.Random(seed)
        changed = kind.change(data, source) if source.random() < 0.5 else b""
        return changed if 0 < len(changed) <= most else bytes(atheris.Mutate(data, most))

    atheris.Setup([sys.argv[0], *sys.argv[2:]], check, custom_mutator=change)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
