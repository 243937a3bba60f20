"""Originals and coded files are matched by their paths; those that cannot be matched are named."""

from __future__ import annotations

from pathlib import Path

import pytest

from optcodec.accuracy.pairs import Pair, Unpaired, find_pairs
from optcodec.errors import InvalidInputError


def folders(root: Path, before: str, after: str) -> tuple[Path, Path]:
    """Folders with empty files of these names."""
    for folder, names in (("in", before), ("out", after)):
        for name in names.split():
            path = root / folder / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.touch()
    return root / "in", root / "out"


def test_files_match_by_path_without_suffix(tmp_path: Path) -> None:
    before, after = folders(tmp_path, "a.png b/a.tif b/c.d.png notes.txt", "a.jpg b/a.JPG b/c.d.jpeg")
    pairs, unpaired = find_pairs(before, after)
    assert pairs == [
        Pair(name, before / name, after / coded, None)
        for name, coded in (("a.png", "a.jpg"), ("b/a.tif", "b/a.JPG"), ("b/c.d.png", "b/c.d.jpeg"))
    ]
    assert unpaired == []


def test_files_that_do_not_match_are_named(tmp_path: Path) -> None:
    before, after = folders(
        tmp_path, "a.png two.png two.tif gone.png both.png", "a.jpg two.jpg more.jpg both.jpg both.webp"
    )
    pairs, unpaired = find_pairs(before, after)
    assert [pair.name for pair in pairs] == ["a.png"]
    two = f"{before} has 2 originals of one name without suffix, two.png and two.tif; expected one"
    assert unpaired == [
        Unpaired(
            before / "both.png",
            f"{after} has 2 coded files of one name without suffix, both.jpg and both.webp; expected one",
        ),
        Unpaired(before / "gone.png", f"has no coded file; expected one named gone with any suffix in {after}"),
        Unpaired(before / "two.png", two),
        Unpaired(before / "two.tif", two),
        Unpaired(after / "more.jpg", f"has no original; expected one named more with any suffix in {before}"),
    ]


def test_labels_come_from_a_file_or_from_folders(tmp_path: Path) -> None:
    before, after = folders(tmp_path, "0/a.png 2/b.png", "0/a.jpg 2/b.jpg")
    assert [pair.label for pair in find_pairs(before, after, "folders")[0]] == [0, 2]
    table = tmp_path / "labels.csv"
    table.write_text("file,class_index\n2/b.png,7\nother.png,1\n")
    pairs, unpaired = find_pairs(before, after, str(table))
    assert [(pair.name, pair.label) for pair in pairs] == [("2/b.png", 7)]
    assert unpaired == [Unpaired(before / "0/a.png", f"has no label; expected a row for it in {table}")]
    table.write_text("file,class_index\nother.png,1\n")
    with pytest.raises(InvalidInputError, match=r"has labels of other files; expected names such as 0/a\.png"):
        find_pairs(before, after, table)


def test_folders_lie_apart(tmp_path: Path) -> None:
    before, _ = folders(tmp_path, "a.png sub/b.png", "a.jpg")
    with pytest.raises(InvalidInputError, match="lie in one folder"):
        find_pairs(before, tmp_path / "out" / ".." / "in")
    for pair in ((before, before / "sub"), (before / "sub", before)):
        with pytest.raises(InvalidInputError, match="one lies within the other"):
            find_pairs(*pair)
    with pytest.raises(InvalidInputError, match="expected a folder of images"):
        find_pairs(before, tmp_path / "none")
