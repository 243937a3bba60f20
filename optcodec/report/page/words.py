"""Figures in words, and what readers of result files share: checked numbers, and the sentence about bytes saved."""

from __future__ import annotations

import math
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import PurePath
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.bootstrap import mean_of_draws, percentile_interval
from optcodec.console.show import count
from optcodec.errors import InvalidInputError
from optcodec.report.curves import Interval
from optcodec.report.page.sections import Change

__all__ = [
    "INTERVALS",
    "change_sentence",
    "figure_of",
    "has_ends",
    "interval_over",
    "listed",
    "made_with",
    "noise_sentence",
    "number_of",
    "percents",
    "roles",
    "saved",
    "saving_sentences",
    "short_names",
    "were",
]

INTERVALS = "Intervals (95 %) say how far other pictures of the same kind may be from these."
_LARGEST = 1e15
_RESAMPLES = 2000
_PERCENT = "\u00a0%"  # the sign stays on the line of its number


def number_of(value: Any) -> float:
    """A number of a result file, of a size that figures can have.

    Raises
    ------
    TypeError, ValueError
        If it is none.
    """
    if isinstance(value, bool) or not isinstance(value, (int, float)):
        raise TypeError(f"expected a number, found {value!r}"[:80])
    if not abs(value) <= _LARGEST:  # nor is NaN
        raise ValueError(f"expected a number between -{_LARGEST:g} and {_LARGEST:g}, found {value!r}"[:80])
    return float(value)


def figure_of(record: Mapping[str, Any]) -> Interval | None:
    """The figure of a record with ``value``, ``low`` and ``high``; None without a value. Ends may be infinite.

    They are where the record says that it has one image and no width: earlier results have such an interval.
    """
    if record["value"] is None:
        return None
    if record.get("images") == 1 and record["low"] == record["high"]:
        return Interval(number_of(record["value"]), -math.inf, math.inf)
    low = -math.inf if record["low"] is None else number_of(record["low"])
    high = math.inf if record["high"] is None else number_of(record["high"])
    return Interval(number_of(record["value"]), low, high)


def interval_over(values: npt.ArrayLike, statistic: Callable[[Any], Any] = mean_of_draws) -> Interval:
    """A statistic of values of pictures, with its 95 % interval; that of one picture has no ends."""
    array = np.asarray(values, np.float64)
    ends = (-math.inf, math.inf)
    if len(array) > 1:
        ends = percentile_interval(array, resamples=_RESAMPLES, statistic=statistic)
    return Interval(float(statistic(array[None])[0]), *ends)


def has_ends(figure: Interval) -> bool:
    """Whether there is an interval at all, if only one of its ends is known."""
    return math.isfinite(figure.low) or math.isfinite(figure.high)


def saved(percent: Interval) -> Interval:
    """Bytes saved, above 0 where there are fewer, from a change in bytes."""
    return Interval(-percent.value, -percent.high, -percent.low)


def percents(figure: Interval) -> str:
    """``31.7 % (26.8 to 37.8 %)``; an interval without an end says so, and one of no width is left out."""
    if figure.low == figure.high:
        return f"{figure.value:.1f}{_PERCENT}"
    if math.isinf(figure.low):
        return f"{figure.value:.1f}{_PERCENT} (at most {figure.high:.1f}{_PERCENT})"
    if math.isinf(figure.high):
        return f"{figure.value:.1f}{_PERCENT} (at least {figure.low:.1f}{_PERCENT})"
    return f"{figure.value:.1f}{_PERCENT} ({figure.low:.1f} to {figure.high:.1f}{_PERCENT})"


def change_sentence(name: str, percent: Interval, other: str) -> str:
    """``NAME saves 31.7 % (26.8 to 37.8 %) of the bytes of OTHER``, or needs more, or that may be chance.

    A change without an interval, as of one picture, is told as it is, and that it has none.
    """
    if not has_ends(percent):
        value = percent.value
        return f"{change_sentence(name, Interval(value, value, value), other)}, without an interval"
    if percent.high < 0:
        return f"{name} saves {percents(saved(percent))} of the bytes of {other}"
    if percent.low > 0:
        return f"{name} needs {percents(percent)} more bytes than {other}"
    if percent.value == percent.low == percent.high == 0:
        return f"{name} needs as many bytes as {other}"
    direction, figure = ("fewer", saved(percent)) if percent.value < 0 else ("more", percent)
    return f"{name} needs {percents(figure)} {direction} bytes than {other}, which may be chance"


def roles(changes: Sequence[Change], ours: Collection[str], subject: str | None) -> list[Change]:
    """Sort changes by the bytes that they save, and mark the subject of the page and its strongest rival.

    Parameters
    ----------
    changes : sequence of Change
        Without roles; the anchor itself may be among them.
    ours : collection of str
        Names of candidates of one kind, the best of which is the subject. If there are none, the best of all is.
    subject : str, optional
        Name of the subject, instead of that.

    Raises
    ------
    InvalidInputError
        If nothing has the name of the subject.
    """
    ordered = sorted(changes, key=lambda change: change.percent.value)
    names = [change.name for change in ordered]
    if subject is not None and subject not in names:
        raise InvalidInputError(f"--subject {subject!r} is not compared; expected one of {', '.join(names)}")
    about = subject or next((name for name in names if name in ours), names[0] if names else None)
    same = {about} if subject is not None else {about, *ours}
    rival = next((name for name in names if name not in same), None)
    marks = {about: "subject", rival: "rival"}
    return [replace(change, role=marks.get(change.name, "")) for change in ordered]


def saving_sentences(changes: Sequence[Change], where: str, anchor: str, direct: Interval | None = None) -> list[str]:
    """What the subject saves in comparison with the anchor, and what its strongest rival does.

    Parameters
    ----------
    changes : sequence of Change
        From `roles`.
    where : str
        What is equal, such as ``"at equal PSNR"``.
    anchor : str
        Name of what all are compared with.
    direct : Interval, optional
        Change in bytes of the subject against the rival, if it is known and neither is the anchor.
    """
    by_role = {change.role: change for change in changes}
    subject, rival = by_role["subject"], by_role.get("rival")
    what = change_sentence(subject.name, subject.percent, anchor)
    if subject.name == anchor:
        what = _anchor_sentence(anchor, [change.percent for change in changes if change is not subject])
    sentences = [f"{where[:1].upper()}{where[1:]}, {what}."]
    if rival is None:
        return sentences
    if rival.name == anchor:
        others = any(not change.role for change in changes if change.percent.value >= 0)
        return [*sentences, *([f"No other rival is better than {anchor}."] if others else [])]
    verb = change_sentence("it", rival.percent, anchor)
    sentences += [f"The strongest rival is {rival.name}: {verb}.{_lead(subject, rival, anchor, direct)}"]
    return [*sentences, *([f"Directly, {change_sentence(subject.name, direct, rival.name)}."] if direct else [])]


def _anchor_sentence(anchor: str, others: Sequence[Interval]) -> str:
    """How good what all are compared with is: the best only if the whole intervals of all others say so."""
    known = f"{anchor}, with which the others are compared,"
    if all(percent.low > 0 for percent in others):
        return f"{known} is the best of them"
    if any(percent.high < 0 for percent in others):
        return f"{known} is not the best of them"
    return f"{known} may be the best of them or not"


def _lead(subject: Change, rival: Change, anchor: str, direct: Interval | None) -> str:
    """That the rival is ahead, if a whole interval says so: that of both directly, else where theirs do not meet."""
    if (direct.low if direct else subject.percent.low - rival.percent.high) > 0:
        return " The rival is ahead."
    told = direct is not None or subject.name == anchor or rival.percent.value >= subject.percent.value
    return "" if told else " That the rival is ahead may be chance."


def noise_sentence(sigmas: Iterable[float]) -> str:
    """On the noise of a result, with a space in front; empty without any."""
    known = [f"{sigma:g}" for sigma in dict.fromkeys(sigmas)]
    text = f" Gaussian noise with a standard deviation of {listed(known)} was added to the decoded samples."
    return text if known != ["0"] else ""


def short_names(paths: Sequence[str]) -> list[str]:
    """Names of files without their folders, or with them if the names are not all different."""
    names = [PurePath(path).name for path in paths]
    return names if len(set(names)) == len(names) else list(paths)


def listed(names: Sequence[str]) -> str:
    """``a``, ``a and b``, ``a, b and c``."""
    return f"{', '.join(names[:-1])} and {names[-1]}" if len(names) > 1 else "".join(names)


def were(number: int, noun: str, of: str = "") -> str:
    """``1 picture was``, ``2 pictures were``, or with ``of`` in between: ``2 pictures of Set5 were``."""
    return f"{count(number, noun)}{of} {'was' if number == 1 else 'were'}"


def made_with(record: Mapping[str, Any]) -> dict[str, str]:
    """Versions, machine and time of a result file, in the layouts of the commands and of the benchmarks."""
    about: dict[str, str] = {}
    if "optcodec" in record:
        about = {name: str(record[name]) for name in ("optcodec", "python") if name in record}
    for name in ("versions", "packages", "machine"):
        if isinstance(record.get(name), dict):
            about |= {str(key): str(value) for key, value in record[name].items()}
    return about | {name: str(record[name]) for name in ("date", "seed") if name in record}
