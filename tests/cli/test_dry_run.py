"""``--dry-run`` says what would be written, and writes nothing."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from restore.cli import main as restore
from tests.cli_helpers import photograph, refusal, run, run_json, save


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for name in ("in/a.png", "in/sub/b.png", "in/c.jpg"):
        save(tmp_path / name, photograph(24, 32))
    (tmp_path / "in/notes.txt").write_text("no picture")
    return tmp_path


def files_below(folder: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run_restore(*arguments: object) -> Result:
    return CliRunner().invoke(restore, ["run", *map(str, arguments)])


def test_it_names_the_files_that_encode_writes_then(folder: Path) -> None:
    save(folder / "out/a.jpg", photograph(8, 8))
    before = files_below(folder)
    arguments = ["encode", folder / "in", "-o", folder / "out", "--manifest", folder / "lines.jsonl"]
    plan = run_json(*arguments, "--dry-run")
    assert files_below(folder) == before
    assert not (folder / "out/sub").exists()
    assert [row["replaces"] for row in plan["files"]] == [True, False, False]
    assert (plan["dry_run"], plan["done"], plan["skipped"]) == (True, 0, 1)
    written = run_json(*arguments)
    assert [row["output"] for row in plan["files"]] == [row["output"] for row in written["files"]]
    assert [row["input"] for row in plan["files"]] == [row["input"] for row in written["files"]]
    assert run_json(*arguments, "--resume", "-n") == {"dry_run": True, "files": [], "done": 3, "skipped": 1}


def test_it_is_said_in_words(folder: Path) -> None:
    save(folder / "out/a.jpg", photograph(8, 8))
    result = run("encode", folder / "in", "-o", folder / "out", "-n")
    *rows, last = result.stdout.splitlines()
    assert last == "3 files would be written, 1 replaced; 1 file skipped, which are no pictures"
    assert [row.split()[-1] for row in rows[2:]] == ["replaced", "new", "new"]
    copied = run("encode", folder / "in", "-o", folder / "new", "--other", "copy", "-n").stdout.splitlines()[-1]
    assert copied == "4 files would be written"


@pytest.mark.parametrize(
    ("options", "expected"),
    [(["--tune", "vmaf"], "--tune is one of psnr"), (["-o", "in/a.png"], "is a JPEG file"), ([], "exists")],
)
def test_what_would_be_refused_is_refused(
    folder: Path, monkeypatch: pytest.MonkeyPatch, options: list[str], expected: str
) -> None:
    monkeypatch.chdir(folder)
    save(folder / "in/a.jpg", photograph(8, 8))
    assert expected in refusal("encode", "in/a.png", *options, "-n")


def test_restore_says_it_too_without_a_model(folder: Path) -> None:
    source = folder / "in/c.jpg"
    before = files_below(folder)
    result = run_restore(source, "-o", folder / "out.png", "--model", "missing.json", "-n", "--json")
    assert json.loads(result.stdout) == {
        "dry_run": True,
        "files": [{"input": str(source), "output": str(folder / "out.png"), "replaces": False}],
    }
    assert files_below(folder) == before


def test_restore_replaces_an_input_only_with_force(folder: Path) -> None:
    source = folder / "in/c.jpg"
    before = source.read_bytes()
    result = run_restore(source, "-o", source)
    assert (result.exit_code, source.read_bytes()) == (1, before)
    assert "--force to replace it" in result.stderr
    result = run_restore(source, "-o", source, "--force", "--model", "tiny")
    assert result.exit_code == 0, result.stderr
    assert source.read_bytes() != before
    assert result.stdout.splitlines()[-1].startswith("1 file restored, in ")
