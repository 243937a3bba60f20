"""The folder from which an interrupted measurement continues."""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from optcodec.experiments.partial import PartFormat, PartialFolder, remove_partial


def write(path: Path, part: int) -> None:
    path.write_text(json.dumps(part))


FORM = PartFormat(".json", write, lambda path: int(path.read_text()))


def test_only_items_without_a_part_are_measured(tmp_path: Path) -> None:
    measured: list[str] = []

    def lengths(items: Sequence[str]) -> Iterator[int]:
        for item in items:
            measured.append(item)
            if len(measured) == 3:
                raise KeyboardInterrupt
            yield len(item)

    items = ["a", "bb", "ccc", "dddd"]
    with pytest.raises(KeyboardInterrupt):
        list(PartialFolder(tmp_path / "run", {"of": "lengths"}, FORM).completed(items, lengths))
    again = PartialFolder(tmp_path / "run", {"of": "lengths"}, FORM)
    assert again.parts() == [1, 2]
    assert list(again.completed(items, lengths)) == [1, 2, 3, 4]
    assert measured == ["a", "bb", "ccc", "ccc", "dddd"]
    assert list(again.completed(items, lengths)) == [1, 2, 3, 4]
    assert len(measured) == 5
    remove_partial(tmp_path / "run")
    assert not (tmp_path / "run").exists()


def test_a_part_is_written_before_it_is_given(tmp_path: Path) -> None:
    folder = PartialFolder(tmp_path, {}, FORM)
    for count, _ in enumerate(folder.completed([3, 4], iter), 1):
        assert len(folder.parts()) == count
