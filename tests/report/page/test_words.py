"""Sentences of a page."""

from __future__ import annotations

import pytest

from optcodec.report.curves import Interval
from optcodec.report.page.sections import Change
from optcodec.report.page.words import roles, saving_sentences

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
    assert sentences[-1].replace("\N{NO-BREAK SPACE}", " ") == last
