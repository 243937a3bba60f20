"""Sentences of a page."""

from __future__ import annotations

import pytest

from optcodec.report.curves import Interval
from optcodec.report.page.sections import Change
from optcodec.report.page.words import roles, saving_sentences

SPACE = "\N{NO-BREAK SPACE}"
CHANGES = {"ours": -50.0, "ours, fast": -20.0, "JPEG": 0.0, "other": 7.0}


@pytest.mark.parametrize(
    ("names", "last"),
    [
        (["ours", "JPEG"], "At equal loss, ours saves 50.0 % (49.0 to 51.0 %) of the bytes of JPEG."),
        (["ours", "ours, fast", "JPEG"], "At equal loss, ours saves 50.0 % (49.0 to 51.0 %) of the bytes of JPEG."),
        (["ours", "JPEG", "other"], "No other rival is better than JPEG."),
    ],
)
def test_rivals_are_spoken_of_where_there_are_any(names: list[str], last: str) -> None:
    changes = [Change(name, Interval(CHANGES[name], CHANGES[name] - 1, CHANGES[name] + 1)) for name in names]
    sentences = saving_sentences(roles(changes, ("ours", "ours, fast"), None), "at equal loss", "JPEG")
    assert sentences[-1].replace(SPACE, " ") == last


def _sentences(
    subject: str, *, direct: Interval | None = None, **percents: tuple[float, float, float]
) -> tuple[str, ...]:
    """What follows "At equal loss, ", and the further sentences, of changes against ``JPEG``."""
    changes = [Change(name, Interval(*percent)) for name, percent in {"JPEG": (0, 0, 0), **percents}.items()]
    first, *others = saving_sentences(roles(changes, (), subject), "at equal loss", "JPEG", direct)
    return tuple(text.replace(SPACE, " ") for text in (first.removeprefix("At equal loss, "), *others))


@pytest.mark.parametrize(
    ("rival", "first", "second"),
    [
        ((-7, -9, -5), "is not the best of them.", "it saves 7.0 % (5.0 to 9.0 %) of the bytes of JPEG. The rival is "
         "ahead."),
        ((-1, -3, 1), "may be the best of them or not.", "it needs 1.0 % (-1.0 to 3.0 %) fewer bytes than JPEG, which "
         "may be chance."),
        ((5, 4, 6), "is the best of them.", "it needs 5.0 % (4.0 to 6.0 %) more bytes than JPEG."),
    ],
)  # fmt: skip
def test_the_anchor_is_the_best_only_where_all_intervals_say_so(
    rival: tuple[float, float, float], first: str, second: str
) -> None:
    expected = f"JPEG, with which the others are compared, {first}", f"The strongest rival is other: {second}"
    assert _sentences("JPEG", other=rival, worse=(9, 8, 10)) == expected


@pytest.mark.parametrize(
    ("rival", "direct", "end"),
    [
        ((-9, -10, -8), None, "of JPEG. The rival is ahead."),
        ((-6, -7.5, -4.5), None, "of JPEG. That the rival is ahead may be chance."),
        ((-6, -7.5, -4.5), Interval(1, 0.5, 1.5), "of JPEG. The rival is ahead."),
        ((-9, -10, -8), Interval(1, -0.5, 2.5), "of JPEG."),
        ((-3, -4, -2), None, "of JPEG."),
    ],
)
def test_a_rival_is_ahead_only_where_an_interval_says_so(
    rival: tuple[float, float, float], direct: Interval | None, end: str
) -> None:
    _, second, *third = _sentences("ours", ours=(-5, -6, -4), other=rival, direct=direct)
    assert second.endswith(f" of the bytes {end}")
    assert [text.startswith("Directly, ours needs 1.0 %") for text in third] == [True] * (direct is not None)


def test_an_anchor_that_is_ahead_is_told_of_once() -> None:
    first = "ours needs 5.0 % (4.0 to 6.0 %) more bytes than JPEG."
    assert _sentences("ours", ours=(5, 4, 6)) == (first,)
    assert _sentences("ours", ours=(5, 4, 6), other=(1, -1, 3)) == (first, "No other rival is better than JPEG.")
