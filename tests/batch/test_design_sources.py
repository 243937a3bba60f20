"""``optcodec design`` finds pictures where ``optcodec encode`` does, and its tables are the same from everywhere."""

from __future__ import annotations

import gzip
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.batch.helpers import folder_of, hashes
from tests.batch.test_shards import png, write_tar
from tests.batch.test_urls import upload
from tests.cli_helpers import messages, refusal, run, run_json

fsspec = pytest.importorskip("fsspec")
# The second is a sum of floating point numbers, which depends on the order of the pictures.
TARGETS = ("--bpp", 12), ("--match-quality", 60, "--method", "optd", "--distortion", "laplacian")


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Any]:
    """Five pictures in all forms, in one order: in ``in``, ``list.jsonl``, ``0.tar`` and ``0.tgz``, also in memory."""
    folder = folder_of(tmp_path / "in", 5)
    pictures = sorted(folder.rglob("*.png"))
    tar = write_tar(tmp_path / "0.tar", {str(path.relative_to(folder)): path.read_bytes() for path in pictures})
    (tmp_path / "0.tgz").write_bytes(gzip.compress(tar.read_bytes()))
    (tmp_path / "list.jsonl").write_text("".join(json.dumps({"source": str(path)}) + "\n" for path in pictures))
    system = fsspec.filesystem("memory")
    system.store.clear()
    upload(system, tmp_path, "/all")
    yield system
    system.store.clear()


@pytest.mark.parametrize("target", TARGETS)
def test_tables_do_not_depend_on_where_the_pictures_are(
    tmp_path: Path, store: Any, monkeypatch: pytest.MonkeyPatch, target: tuple[object, ...]
) -> None:
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    local = [tmp_path / name for name in ("in", "in/**/*.png", "list.jsonl", "0.tar", "0.tgz")]
    away = [f"memory://all/{name}" for name in ("in", "in/**/*.png", "list.jsonl", "0.tar", "0.tgz")]
    single = sorted((tmp_path / "in").rglob("*.png"))
    for number, inputs in enumerate([single, *([source] for source in (*local, *away))]):
        report = run_json("design", *inputs, "-o", tmp_path / f"tables/{number}.json", *target)
        assert report["files"][0]["inputs"] == 5
    assert len(hashes(tmp_path / "tables")) == 11
    assert len(set(hashes(tmp_path / "tables").values())) == 1
    assert list((tmp_path / "temporary").iterdir()) == []


def test_tables_for_each_picture_keep_the_structure(tmp_path: Path, store: Any) -> None:
    names = "001.json", "003.json", "sub/000.json", "sub/002.json", "sub/004.json"
    sources = {"in": f"{tmp_path}/in", "0.tar": f"{tmp_path}/0.tar", "0.tgz": "memory://all/0.tgz"}
    designed = []
    for name, source in sources.items():
        report = run_json("design", source, "-o", tmp_path / "out" / name, "--per-image", "--match-quality", 50)
        below = tmp_path / "out" / name / ("" if name == "in" else name)
        assert [file["output"] for file in report["files"]] == [str(below / each) for each in names]
        assert report["files"][1]["input"] == f"{source}/003.png"
        designed.append(hashes(below))
    assert designed[0] == designed[1] == designed[2]
    assert len(set(designed[0].values())) == 5


def test_what_cannot_be_read_is_listed(tmp_path: Path) -> None:
    write_tar(tmp_path / "in/0.tar", {"a.png": png(20), "bad.png": b"no picture"})
    (tmp_path / "in/1.tar").write_bytes(b"no tar file")
    result = run("design", tmp_path / "in", "-o", tmp_path / "t.json", "--match-quality", 50)
    assert (result.exit_code, (tmp_path / "t.json").exists()) == (1, True)
    lines = messages(result)
    assert lines[0] == "Error: 2 of 3 files failed:"
    assert lines[1].startswith(f"  {tmp_path}/in/1.tar: expected a tar file without compression: ")
    assert lines[2] == f"  {tmp_path}/in/0.tar/bad.png: not an image file that Pillow knows"
    line = refusal("design", tmp_path / "in/1.tar", "-o", tmp_path / "none.json", "--bpp", 2)
    assert line.startswith(f"Error: {tmp_path}/in/1.tar: expected a tar file without compression: ")
    write_tar(tmp_path / "text.tar", {"a.txt": b"text"})
    line = refusal("design", tmp_path / "text.tar", "-o", tmp_path / "none.json", "--bpp", 2)
    assert line == "Error: expected at least one image to design tables for, got none"
    assert not (tmp_path / "none.json").exists()


@pytest.mark.parametrize("name", ["../a.png", "/a.png"])
def test_names_in_tar_files_do_not_lead_out_of_the_output(tmp_path: Path, name: str) -> None:
    source = write_tar(tmp_path / "in/0.tar", {name: png(20)})
    line = refusal("design", source, "-o", tmp_path / "out", "--per-image", "--bpp", 2)
    assert f"{source}/{name}: expected a name that leads to a file below its tar file" in line
    assert list(hashes(tmp_path)) == ["in/0.tar"]
