"""Plans in files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from optcodec import InvalidInputError
from optcodec.fit.plan import Plan, load_plan

PLAN = Plan({"quality": 40, "network": ["net", "other"], "pixels": True}, "it is small", {"network": "net", "bpp": 0.1})


def test_a_plan_is_read_as_it_was_written(tmp_path: Path) -> None:
    PLAN.save(tmp_path / "new/plan.json")
    assert load_plan(tmp_path / "new/plan.json") == PLAN
    assert json.loads((tmp_path / "new/plan.json").read_text())["format"] == "optcodec plan 1"


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": "optcodec plan 2"}, "with format 'optcodec plan 1', found 'optcodec plan 2'"),
        ({"format": None}, "with format 'optcodec plan 1', found None"),
        ({"more": 1}, r"expected the entries of a plan: unknown \['more'\], missing \[\]"),
        ({"options": [1]}, "expected options of the kind dict, got list"),
        ({"verdict": 3}, "expected verdict of the kind str, got int"),
        ({"provenance": None}, "expected provenance of the kind dict, got NoneType"),
    ],
)
def test_files_that_are_no_plans_are_refused(tmp_path: Path, change: dict[str, Any], message: str) -> None:
    path = tmp_path / "plan.json"
    PLAN.save(path)
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(InvalidInputError, match=f"{path}: .*{message}"):
        load_plan(path)


def test_files_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "plan.json"
    with pytest.raises(InvalidInputError, match=f"cannot read the plan {path}: No such file"):
        load_plan(path)
    for text in ("no JSON", "", "[]", "3"):
        path.write_text(text)
        with pytest.raises(InvalidInputError, match=f"{path}: expected "):
            load_plan(path)
    PLAN.save(path)
    document = json.loads(path.read_text())
    del document["verdict"]
    path.write_text(json.dumps(document))
    with pytest.raises(InvalidInputError, match=r"unknown \[\], missing \['verdict'\]"):
        load_plan(path)
