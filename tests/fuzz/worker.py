"""The process that tries inputs: ``python -m tests.fuzz.worker KIND SEED FIRST CASES SECONDS``.

It writes one JSON object a line: ``{"at": 12}`` before it tries input 12, ``{"wrong": {...}}`` when an answer is wrong,
``{"outcomes": {...}}`` now and then. Whoever reads them sees from the last line at which input it died.
"""

from __future__ import annotations

import json
import os
import sys
import time
import traceback
import warnings
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.fuzz.kinds import find_kind, input_of

_MEMORY = 2 << 30  # bytes of address space beyond what the modules take
_BETWEEN = 50  # inputs between two reports of outcomes
_MOST_FOUND = 50  # wrong answers of one process: more of them tell no more

Say = Callable[[dict[str, Any]], None]


def main() -> None:
    name, (seed, first, cases, seconds) = sys.argv[1], map(int, sys.argv[2:])
    with os.fdopen(os.dup(1), "w", buffering=1) as lines:
        os.dup2(2, 1)  # what a library prints is no line of ours

        def say(line: dict[str, Any]) -> None:
            lines.write(json.dumps(line) + "\n")

        prepare(name)
        try_all(name, seed, range(first, first + cases), time.monotonic() + seconds, say)


def prepare(name: str) -> None:
    """Import and compile what the kind needs, then take no more memory than an input may need."""
    import resource  # of Unix only, while this module is imported everywhere

    warnings.simplefilter("error")
    kind = find_kind(name)
    kind.check(kind.seeds()[0])
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    limit = pages * resource.getpagesize() + _MEMORY
    resource.setrlimit(resource.RLIMIT_AS, (limit, limit))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def try_all(name: str, seed: int, numbers: range, end: float, say: Say) -> None:
    """Try inputs one after another, until they or the time are at an end."""
    check, outcomes, wrong = find_kind(name).check, Counter[str](), 0
    for number in numbers:
        if time.monotonic() > end or wrong == _MOST_FOUND:
            break
        say({"at": number})
        data = input_of(name, seed, number)
        try:
            outcomes[check(data)] += 1
        except (Exception, SystemExit) as error:
            text = "".join(traceback.format_exception(error))
            say({"wrong": {"number": number, "error": summary(error), "details": text}})
            wrong += 1
        if (number + 1) % _BETWEEN == 0:
            say({"outcomes": outcomes})
            outcomes.clear()
    say({"outcomes": outcomes, "finished": True})


def summary(error: BaseException) -> str:
    """Class and first line of the message."""
    return f"{type(error).__name__}: {(str(error).splitlines() or [''])[0]}"[:300]


if __name__ == "__main__":
    main()
