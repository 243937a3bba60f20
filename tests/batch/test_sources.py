"""Where the pictures of a data set are found: folders, patterns, lists in JSON and Parquet, and how they are named."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path

import pytest

from optcodec.batch.lists import listed
from optcodec.batch.places import Url, place_of
from optcodec.batch.sources import Found, find
from optcodec.errors import InvalidInputError
from tests.batch.helpers import folder_of, hashes, last_rows
from tests.cli_helpers import photograph, refusal, run, run_json, save


@pytest.fixture
def tree(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of pictures and other files, which is the working directory."""
    folder_of(tmp_path / "photos", 4)
    (tmp_path / "photos/notes.txt").write_text("hello")
    (tmp_path / "photos/.optcodec-0123.part").write_bytes(b"half of it")
    save(tmp_path / "more/x/y.JFIF", photograph(8, 8), format="JPEG")
    monkeypatch.chdir(tmp_path)
    return tmp_path


def found(*texts: str) -> Found:
    return find([place_of(text) for text in texts], lambda path: False)


def names(*texts: str) -> dict[str, str]:
    return {str(item.source): str(item.name) for item in found(*texts).pictures}


def test_folders_have_pictures_and_other_files(tree: Path) -> None:
    assert list(names("photos").values()) == ["001.png", "003.png", "sub/000.png", "sub/002.png"]
    assert [str(item.name) for item in found("photos").others] == ["notes.txt"]
    assert names("more") == {"more/x/y.JFIF": "x/y.JFIF"}


@pytest.mark.parametrize(
    ("pattern", "expected"),
    [
        ("photos/*.png", ["001.png", "003.png"]),
        ("photos/**/*.png", ["001.png", "003.png", "sub/000.png", "sub/002.png"]),
        ("photos/s*/00[01].*", ["sub/000.png"]),
        ("*/x/?.JFIF", ["more/x/y.JFIF"]),
        ("photos/*", ["001.png", "003.png"]),
    ],
)
def test_patterns_keep_the_structure_below_their_fixed_part(tree: Path, pattern: str, expected: list[str]) -> None:
    assert list(names(pattern).values()) == expected
    assert list(names(str(tree / pattern)).values()) == expected


def test_a_file_whose_name_looks_like_a_pattern_is_a_file(tree: Path) -> None:
    save(tree / "a[1].png", photograph(8, 8))
    assert names("a[1].png") == {"a[1].png": "a[1].png"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("photos/*.tif", "no images that fit this pattern"),
        ("photos/**x/*.png", "expected a pattern such as photos/**/*.png"),
        ("empty", "no images in this folder"),
    ],
)
def test_what_fits_nothing_is_refused(tree: Path, text: str, expected: str) -> None:
    (tree / "empty").mkdir()
    assert expected in refusal("encode", text, "-o", "out")
    assert not (tree / "out").exists()


def test_a_file_is_taken_once(tree: Path) -> None:
    assert len(names("photos", "photos/001.png", "photos/*.png", str(tree / "photos/sub"))) == 4


def test_what_is_left_out(tree: Path) -> None:
    kept = find([Path("photos")], lambda path: path.name == "001.png")
    assert [item.name.name for item in kept.pictures] == ["003.png", "000.png", "002.png"]
    assert [item.name.name for item in kept.without({"photos/003.png"}).pictures] == ["000.png", "002.png"]


def write_lines(path: Path, rows: Sequence[object]) -> Path:
    path.write_text("".join(json.dumps(row) + "\n" for row in rows))
    return path


def test_lists_name_pictures_and_their_outputs(tree: Path) -> None:
    rows = [
        {"source": "photos/001.png", "name": "x/one.png"},
        {"source": "photos/sub/000.png"},
        {"source": "more/x/y.JFIF"},
    ]
    write_lines(tree / "list.jsonl", rows)
    assert names("list.jsonl") == {
        "photos/001.png": "x/one.png",
        "photos/sub/000.png": "photos/sub/000.png",
        "more/x/y.JFIF": "more/x/y.JFIF",
    }
    run_json("encode", "list.jsonl", "-o", "out")
    assert sorted(hashes(tree / "out")) == ["more/x/y.jpg", "photos/sub/000.jpg", "x/one.jpg"]


def test_a_list_may_end_without_a_line_end(tree: Path) -> None:
    (tree / "list.jsonl").write_text('\n{"source": "photos/001.png"}\n\n{"source": "photos/003.png"}')
    assert list(names("list.jsonl").values()) == ["001.png", "003.png"]


def test_a_manifest_is_a_list(tree: Path) -> None:
    run_json("encode", "photos", "-o", "out", "--manifest", "m.jsonl", "--other", "copy")
    assert names("m.jsonl") == names("photos")
    run_json("encode", "m.jsonl", "-o", "again")
    assert hashes(tree / "again") == {name: text for name, text in hashes(tree / "out").items() if name != "notes.txt"}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{", "list.jsonl, line 1: expected a JSON object with the entry source, found"),
        ('{"path": "a.png"}', "line 1: expected a JSON object with the entry source, a text"),
        ('{"source": 1}', "line 1: expected a JSON object with the entry source, a text"),
        ("[]", "line 1: expected a JSON object with the entry source, a text"),
        ("", "found none"),
        ('{"source": "a.png", "name": "../b.png"}', "expected as name a path below the output folder, got '../b.png'"),
        ('{"source": "a.png", "name": "/b.png"}', "expected as name a path below the output folder"),
        ('{"source": "a.png", "name": 7}', "expected as name a path below the output folder, got 7"),
    ],
)
def test_lists_that_are_wrong(tree: Path, text: str, expected: str) -> None:
    (tree / "list.jsonl").write_text(text)
    assert expected in refusal("encode", "list.jsonl", "-o", "out")


def test_a_list_in_parquet(tree: Path) -> None:
    pyarrow = pytest.importorskip("pyarrow")
    from pyarrow import parquet

    parquet.write_table(
        pyarrow.table({"source": ["photos/001.png", "photos/003.png"], "other": [1, 2]}), "list.parquet"
    )
    assert list(names("list.parquet").values()) == ["001.png", "003.png"]
    parquet.write_table(pyarrow.table({"path": ["photos/001.png"]}), "list.parquet")
    with pytest.raises(InvalidInputError, match="expected the entry source"):
        listed(Path("list.parquet"))
    Path("list.parquet").write_bytes(b"PAR1 and nothing more")
    with pytest.raises(InvalidInputError, match="expected a Parquet file"):
        listed(Path("list.parquet"))


def test_a_manifest_in_parquet(tree: Path) -> None:
    pytest.importorskip("pyarrow")
    from pyarrow import parquet

    (tree / "photos/bad.png").write_bytes(b"no picture")
    assert run("encode", "photos", "-o", "out", "--manifest", "m.parquet").exit_code == 1
    expected = list(last_rows(tree / "m.jsonl").values())
    assert parquet.read_table("m.parquet").to_pylist() == expected
    assert len(expected) == 5
    (tree / "photos/bad.png").unlink()
    save(tree / "photos/bad.png", photograph(8, 8))
    assert run_json("encode", "photos", "-o", "out", "--manifest", "m.parquet", "--resume")["resumed"] == 4
    states = parquet.read_table("m.parquet").column("state").to_pylist()
    assert states == ["coded"] * 5
    assert names("m.parquet") == names("photos")


def test_other_files_are_skipped_or_copied_and_counted(tree: Path) -> None:
    (tree / "photos/sub/labels.csv").write_text("1,2\n")
    report = run_json("encode", "photos", "-o", "plain")
    assert (report["copied"], report["skipped"]) == (0, 2)
    assert len(hashes(tree / "plain")) == 4
    report = run_json("encode", "photos", "-o", "all", "--other", "copy")
    assert (report["copied"], report["skipped"]) == (2, 0)
    assert (tree / "all/sub/labels.csv").read_text() == "1,2\n"
    for options in ([], ["--other", "skip"]):
        assert "2 other files skipped" in run("encode", "photos", "-o", "out", *options).stdout
    assert "2 other files copied" in run("encode", "photos", "-o", "out", "--other", "copy").stdout


def test_urls_are_told_from_paths() -> None:
    assert place_of("s3://bucket/a/") == Url("s3://bucket/a")
    assert place_of("file:///tmp/a.png") == Path("/tmp/a.png")
    assert place_of("C:/a.png") == Path("C:/a.png")
    assert place_of("a//b.png") == Path("a/b.png")
