"""Harmless breaches of ITU-T T.81 in a JPEG file: each is refused, or tolerated and reported in a sentence.

The reader passes each breach, as a `Finding`, to a function: `refuse` if reading is strict, otherwise one that collects
it. `sentences` turns the findings of a file into notices for the user.
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
    "refuse_without_partial",
    "sentences",
    "warn_of",
    "warn_user",
    "without_repeats",
]

# Appended to errors about files that end too early. It names who takes them: not all that read files do.
PARTIAL_HINT = "optcodec encode --partial, restore run --partial or partial=True of decode takes what is there"

Notify = Callable[[str], None]

# Not code of the user: ours, and `dataclasses.replace`, which calls our constructors for the user.
_PACKAGES = ("optcodec", "restore", "dataclasses")


@dataclass(frozen=True)
class Finding:
    """One breach of T.81.

    Parameters
    ----------
    message : str
        What was found and what is expected.
    offset : int
        Position in the file, in bytes.
    remedy : str
        How the reader goes on if the breach is tolerated. Findings with the same remedy are of one kind.
    nbytes : int
        Number of bytes that the remedy concerns, to be reported with it; 0 if it does not concern bytes.
    count : int
        Number of places in the file with this breach; `offset` is the first.
    """

    message: str
    offset: int
    remedy: str
    nbytes: int = 0
    count: int = 1


Tolerate = Callable[[Finding], None]


def refuse(finding: Finding) -> None:
    """Raise a finding as `MalformedJpegError`."""
    raise MalformedJpegError(finding.message, finding.offset)


def refuse_without_partial(finding: Finding) -> None:
    """Raise a finding as `refuse` does, and say that reading with ``partial`` tolerates it."""
    raise MalformedJpegError(f"{finding.message}; {PARTIAL_HINT}", finding.offset)


def ignore(sentence: str) -> None:
    """Discard a notice."""


def sentences(findings: Iterable[Finding]) -> list[str]:
    """Write one sentence for each kind of findings: the first finding, the number of places, and the remedy."""
    kinds: dict[str, list[Finding]] = {}
    for finding in findings:
        kinds.setdefault(finding.remedy, []).append(finding)
    return [_sentence(remedy, same_kind) for remedy, same_kind in kinds.items()]


def _sentence(remedy: str, findings: list[Finding]) -> str:
    first, nbytes = findings[0], sum(finding.nbytes for finding in findings)
    count = sum(finding.count for finding in findings)
    places = "" if count == 1 else f"in {count:,} places, the first "
    amount = f"{nbytes:,} byte{'s' * (nbytes != 1)} " if nbytes else ""
    return f"{first.message} ({places}at byte {first.offset}); {amount}{remedy}"


def warn_of(notices: Iterable[str]) -> None:
    """Warn with a `JpegWarning` for each sentence; the warning points at the user's line."""
    for sentence in notices:
        warn_user(sentence, JpegWarning)


def warn_user(message: str, category: type[Warning]) -> None:
    """Warn, and name the line that called into our packages: the nearest one that is the user's.

    A fixed ``stacklevel`` would name a line of ours as soon as one public function calls another.
    """
    frame, level = sys._getframe(1), 2
    while frame.f_back is not None and frame.f_globals.get("__name__", "").partition(".")[0] in _PACKAGES:
        frame, level = frame.f_back, level + 1
    warnings.warn(message, category, stacklevel=level)


def without_repeats(notify: Notify) -> Notify:
    """Wrap `notify` so that it is called only once with the same sentence."""
    reported: set[str] = set()

    def notify_once(sentence: str) -> None:
        if sentence not in reported:
            reported.add(sentence)
            notify(sentence)

    return notify_once
