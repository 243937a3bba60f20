"""What a JPEG file does that ITU-T T.81 does not allow, and that does no harm: refused, or told in a sentence.

The parts of the reader hand each `Finding` to a callable: `refuse` where reading is strict, otherwise one that keeps
it. `sentences` makes of all those of a file what its reader is told.
"""

from __future__ import annotations

import sys
import warnings
from collections.abc import Callable, Iterable
from dataclasses import dataclass

from optcodec.errors import JpegWarning, MalformedJpegError

__all__ = [
    "PARTIAL_HINT",
    "Finding",
    "Notify",
    "Tolerate",
    "ignore",
    "refuse",
    "sentences",
    "told_once",
    "warn_of",
    "warn_user",
]

PARTIAL_HINT = "partial=True or --partial takes what is there"  # for errors about files that end early

Notify = Callable[[str], None]

_PACKAGES = ("optcodec", "restore")


@dataclass(frozen=True)
class Finding:
    """One breach of T.81.

    Parameters
    ----------
    message : str
        What was found and what is expected.
    offset : int
        Position in the file, in bytes.
    done : str
        What is done about it where it is tolerated. Findings with the same text are of one kind.
    nbytes : int
        Bytes that `done` is about; 0 where it is about something else.
    count : int
        In how many places, of which this is the first.
    """

    message: str
    offset: int
    done: str
    nbytes: int = 0
    count: int = 1


Tolerate = Callable[[Finding], None]


def refuse(finding: Finding) -> None:
    """Raise what was found as an error."""
    raise MalformedJpegError(finding.message, finding.offset)


def ignore(sentence: str) -> None:
    """Take a notice that nobody waits for."""


def sentences(findings: Iterable[Finding]) -> list[str]:
    """One sentence for each kind of findings: the first of them, how many there are, and what was done."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.done, []).append(finding)
    return [_sentence(done, several) for done, several in kinds.items()]


def _sentence(done: str, findings: list[Finding]) -> str:
    first, nbytes = findings[0], sum(finding.nbytes for finding in findings)
    count = sum(finding.count for finding in findings)
    places = "" if count == 1 else f"in {count:,} places, the first "
    amount = f"{nbytes:,} byte{'s' * (nbytes != 1)} " if nbytes else ""
    return f"{first.message} ({places}at byte {first.offset}); {amount}{done}"


def warn_of(notices: Iterable[str]) -> None:
    """A `JpegWarning` for each sentence, which names the user's line."""
    for sentence in notices:
        warn_user(sentence, JpegWarning)


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn, and name the line that called into our packages: the nearest one that is in neither.

    A fixed ``stacklevel`` would name a line of ours as soon as one public function calls another.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _PACKAGES:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def told_once(notify: Notify) -> Notify:
    """The same, but a sentence that was told before is not told again."""
    told: set[str] = set()

    def tell(sentence: str) -> None:
        if sentence not in told:
            told.add(sentence)
            notify(sentence)

    return tell
