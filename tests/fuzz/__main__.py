"""Fuzz for as long as there is time: ``python -m tests.fuzz --help``."""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from pathlib import Path

from tests.fuzz import coverage
from tests.fuzz.kinds import KINDS, find_kind
from tests.fuzz.runner import Finding, Report, run
from tests.fuzz.shrink import shrunk
from tests.fuzz.worker import summary

_ROUND = 20  # seconds of each kind, at least, before the next one's turn
_SHOWN = 40  # outcomes of a kind


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; exit status 1 if an answer was wrong."""
    options = parser().parse_args(arguments)
    if options.replay:
        return replay(options.kind, options.replay)
    kinds = options.kind or [*KINDS, *coverage.KINDS]
    reports = {kind: Report() for kind in kinds}
    end = time.monotonic() + options.seconds
    with tempfile.TemporaryDirectory(prefix="optcodec-fuzz-") as folder:
        for kind, seconds in turns(kinds, end, options.cases):
            part = turn(kind, options, reports[kind].cases, seconds, Path(folder))
            reports[kind].add(part)
            for finding in part.findings:
                print(f"FOUND {finding}, kept as {keep(finding, options.keep)}")
            print(f"{kind}: {reports[kind].cases} inputs, {len(reports[kind].findings)} wrong", flush=True)
    for kind, report in reports.items():
        show(kind, report)
    return int(any(report.findings for report in reports.values()))


def parser() -> argparse.ArgumentParser:
    """The options."""
    command = argparse.ArgumentParser(prog="python -m tests.fuzz", description="Try inputs that nobody would write.")
    kinds = [*KINDS, *coverage.KINDS]
    command.add_argument("--seconds", type=int, default=60, help="for all kinds together [60]")
    command.add_argument("--cases", type=int, help="this many inputs of each kind instead, however long that takes")
    command.add_argument("--seed", type=int, default=0, help="other seeds are other inputs [0]")
    command.add_argument("--kind", action="append", choices=kinds, help="this kind only; may be repeated [all]")
    command.add_argument("--keep", type=Path, default=Path("fuzz-findings"), help="folder for inputs that were wrong")
    command.add_argument("--replay", type=Path, metavar="FILE", help="try one kept input of the one --kind again")
    return command


def turns(kinds: Sequence[str], end: float, cases: int | None) -> Iterator[tuple[str, int]]:
    """Kinds in turn, and seconds for each, until the time is over; once for a number of inputs."""
    if cases is not None:
        yield from ((kind, 10**8) for kind in kinds)
        return
    while time.monotonic() < end:
        for index, kind in enumerate(kinds):
            left = end - time.monotonic()
            if left <= 0:
                return
            yield kind, max(1, round(min(_ROUND, left / (len(kinds) - index))))


def turn(kind: str, options: argparse.Namespace, first: int, seconds: int, folder: Path) -> Report:
    """Some inputs of a kind; the folder is for those that coverage leads to."""
    if kind in coverage.KINDS:
        return coverage.run([kind], options.seed + first, folder, cases=options.cases, seconds=seconds)[kind]
    return run(kind, options.seed, first, cases=options.cases or 10**8, seconds=seconds)


def keep(finding: Finding, folder: Path) -> Path:
    """Write the input of a finding, what was wrong with it, and a shorter one that is wrong in the same way."""
    folder.mkdir(parents=True, exist_ok=True)
    place = folder / finding.filename
    place.write_bytes(finding.data)
    place.with_name(f"{place.name}.log").write_text(f"{finding}\n\n{finding.details}")
    if not finding.died and error_of(finding.kind, finding.data) == finding.error:
        shorter = shrunk(finding.data, lambda part: error_of(finding.kind, part) == finding.error)
        place.with_name(f"{place.stem}-short{place.suffix}").write_bytes(shorter)
    return place


def error_of(kind: str, data: bytes) -> str:
    """What is wrong with an input, tried in this process."""
    try:
        find_kind(kind).check(data)
    except Exception as error:
        return summary(error)
    return ""


def replay(kinds: Sequence[str] | None, place: Path) -> int:
    """Try a kept input in this process, and let its error be seen."""
    if not kinds or len(kinds) != 1 or kinds[0] not in KINDS:
        parser().error(f"--replay needs one --kind of {', '.join(KINDS)}")
    print(find_kind(kinds[0]).check(place.read_bytes()))
    return 0


def show(kind: str, report: Report) -> None:
    """What came of the inputs of a kind."""
    print(f"\n{kind}: {report.cases} inputs, {len(report.findings)} wrong")
    common = report.outcomes.most_common(_SHOWN)
    for outcome, count in common:
        print(f"{count:9d}  {outcome}")
    rest = len(report.outcomes) - len(common)
    if rest > 0:
        print(f"{report.outcomes.total() - sum(count for _, count in common):9d}  {rest} other outcomes")


if __name__ == "__main__":
    sys.exit(main())
