"""The manifest: what is in it, going on with it, and manifests that are damaged, in use or of another job."""

from __future__ import annotations

import json
import os
import threading
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import optcodec
from optcodec.batch.manifest import Earlier, Manifest, begun, read_earlier
from optcodec.batch.rows import COLUMNS
from optcodec.errors import DiskFullError, InvalidInputError
from optcodec.metrics import psnr_db
from tests.batch.helpers import check_rows, folder_of, hashes, last_rows, rows_of, sha256
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    """Four pictures, one of them a JPEG file, a damaged one, and a file that is no picture."""
    folder = folder_of(tmp_path / "in", 3)
    (folder / "old.jpg").write_bytes(optcodec.encode(photograph(40, 40), quality=90, progressive="smaller").data)
    (folder / "bad.png").write_bytes(b"no picture")
    (folder / "notes.txt").write_text("hello")
    return folder


def job(pictures: Path, *options: object) -> list[object]:
    """A command line that writes a manifest, or goes on with it."""
    out = pictures.parent
    return ["encode", pictures, "-o", out / "out", "--manifest", out / "m.jsonl", "--other", "copy", *options]


def test_rows_say_what_became_of_each_file(pictures: Path) -> None:
    result = run(*job(pictures, "--psnr", "-q", 40))
    assert result.exit_code == 1
    out, rows = pictures.parent / "out", check_rows(pictures.parent / "m.jsonl")
    assert all(list(row) == list(COLUMNS) for row in rows.values())
    states = {Path(source).name: row["state"] for source, row in rows.items()}
    coded = dict.fromkeys(["000.png", "001.png", "002.png", "old.jpg"], "coded")
    assert states == coded | {"bad.png": "failed", "notes.txt": "copied"}
    row = rows[str(pictures / "001.png")]
    assert row["output"] == str(out / "001.jpg")
    assert (row["source_nbytes"], row["source_sha256"]) == (
        (pictures / "001.png").stat().st_size,
        sha256(pictures / "001.png"),
    )
    assert (row["width"], row["height"], row["bpp"]) == (24, 17, 8 * row["nbytes"] / (24 * 17))
    decoded = np.asarray(Image.open(out / "001.jpg"))
    assert row["psnr_db"] == pytest.approx(psnr_db(photograph(17, 24), decoded), abs=1e-9)
    assert row["seconds"] > 0
    assert rows[str(pictures / "bad.png")]["error"] == "not an image file that Pillow knows"
    assert not (out / "bad.jpg").exists()
    assert (out / "notes.txt").read_text() == "hello"


def test_rows_of_files_that_are_kept(pictures: Path) -> None:
    run(*job(pictures, "--psnr", "--smaller"))
    row = last_rows(pictures.parent / "m.jsonl")[str(pictures / "old.jpg")]
    assert (row["state"], row["kept"]) == ("kept", "the new file would not be smaller")
    assert row["sha256"] == row["source_sha256"]
    assert row["psnr_db"] is None  # no pixel differs


def test_equal_tables_have_equal_names(pictures: Path) -> None:
    run(*job(pictures, "-q", 40))
    tables = {Path(source).name: row["tables"] for source, row in last_rows(pictures.parent / "m.jsonl").items()}
    assert tables["000.png"] == tables["001.png"] == tables["old.jpg"]
    run(*job(pictures, "--match-quality", 60, "--force"))
    tables = {Path(source).name: row["tables"] for source, row in last_rows(pictures.parent / "m.jsonl").items()}
    assert tables["000.png"] != tables["001.png"]


def test_a_job_goes_on_with_what_is_left(pictures: Path) -> None:
    run(*job(pictures))
    manifest, out = pictures.parent / "m.jsonl", pictures.parent / "out"
    whole, count = hashes(out), len(rows_of(manifest))
    times = {path: path.stat().st_mtime_ns for path in out.rglob("*.jpg")}
    (out / "001.jpg").unlink()  # lost
    (out / "old.jpg").write_bytes(b"other bytes")  # changed
    save(pictures / "sub/000.png", photograph(30, 30))  # another picture
    save(pictures / "bad.png", photograph(8, 8))  # mended
    result = run(*job(pictures, "--resume", "--json"))
    assert result.exit_code == 0, result.stderr
    assert json.loads(result.stdout)["resumed"] == 1
    assert len(json.loads(result.stdout)["files"]) == 5
    after = hashes(out)
    assert {name: after[name] for name in ("001.jpg", "old.jpg", "sub/002.jpg", "notes.txt")} == {
        name: whole[name] for name in ("001.jpg", "old.jpg", "sub/002.jpg", "notes.txt")
    }
    assert after["sub/000.jpg"] != whole["sub/000.jpg"]
    assert (out / "sub/002.jpg").stat().st_mtime_ns == times[out / "sub/002.jpg"]  # not touched
    assert len(rows_of(manifest)) == count + 4
    assert len(check_rows(manifest)) == 6


def test_a_job_that_is_done_changes_nothing(pictures: Path) -> None:
    (pictures / "bad.png").unlink()
    run_json(*job(pictures))
    before = hashes(pictures.parent / "out")
    first = run(*job(pictures, "--resume"))
    assert "4 files done before" in first.stdout
    assert hashes(pictures.parent / "out") == before
    assert len(rows_of(pictures.parent / "m.jsonl")) == 5


def test_files_that_were_replaced_are_not_coded_twice(tmp_path: Path) -> None:
    """A JPEG file that is coded in its place is another picture afterwards, which must not be coded again."""
    for number in range(3):
        save(tmp_path / f"in/{number}.jpg", photograph(40, 40 + number), quality=95)
    arguments = [
        "encode",
        tmp_path / "in",
        "-o",
        tmp_path / "in",
        "--force",
        "-q",
        50,
        "--manifest",
        tmp_path / "m.jsonl",
    ]
    run_json(*arguments)
    before = hashes(tmp_path / "in")
    assert run_json(*arguments[:-2], *arguments[-2:], "--resume")["resumed"] == 3
    assert hashes(tmp_path / "in") == before


def test_outputs_beside_their_sources_are_no_sources(tmp_path: Path) -> None:
    folder_of(tmp_path / "in", 4)
    arguments = ["encode", tmp_path / "in", "--manifest", tmp_path / "m.jsonl", "--resume"]
    run_json(*arguments)
    before = hashes(tmp_path / "in")
    assert run_json(*arguments)["resumed"] == 4
    assert hashes(tmp_path / "in") == before
    assert len(before) == 8


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (["-q", 80], ["-q", 85], "was written with --quality 80, now there is --quality 85; expected the same options"),
        (["-q", 80], [], "was written with --quality 80, now there is no --quality"),
        ([], ["--progressive"], "was written with no --progressive, now there is --progressive"),
        (["--metadata"], ["--strip"], "was written with --metadata"),
    ],
)
def test_other_options_are_another_job(
    pictures: Path, first: list[object], second: list[object], expected: str
) -> None:
    run(*job(pictures, *first))
    before = hashes(pictures.parent)
    assert expected in refusal(*job(pictures, *second, "--resume"))
    assert hashes(pictures.parent) == before


def test_another_file_of_tables_is_another_option(pictures: Path) -> None:
    tables = pictures.parent / "tables.json"
    run_json("design", pictures / "001.png", "-o", tables, "--method", "jpeg", "-q", 60)
    run(*job(pictures, "--tables", tables))
    run_json("design", pictures / "001.png", "-o", tables, "--method", "jpeg", "-q", 61)
    line = refusal(*job(pictures, "--tables", tables, "--resume"))
    assert line.count(f"--tables {tables} (SHA-256 ") == 2


def test_options_that_change_no_file_may_change(pictures: Path) -> None:
    run(*job(pictures))
    result = run(*job(pictures, "--resume", "--threads", 1, "--verify", "--max-pixels", 10**6, "--json"))
    assert json.loads(result.stdout)["resumed"] == 4


def test_a_manifest_is_not_replaced_without_a_word(pictures: Path) -> None:
    run(*job(pictures))
    before = hashes(pictures.parent)
    assert "m.jsonl exists; expected --resume to go on with it" in refusal(*job(pictures))
    assert hashes(pictures.parent) == before
    assert len(rows_of(pictures.parent / "m.jsonl")) == 6
    run(*job(pictures, "--force"))
    assert len(rows_of(pictures.parent / "m.jsonl")) == 6


@pytest.mark.parametrize(
    ("options", "expected"),
    [(["--resume"], "expected --manifest FILE"), (["--psnr"], "expected --manifest FILE")],
)
def test_options_of_a_manifest_need_one(pictures: Path, options: list[str], expected: str) -> None:
    assert expected in refusal("encode", pictures, "-o", pictures.parent / "out", *options)


def test_a_line_that_was_cut_is_written_again(pictures: Path) -> None:
    run(*job(pictures))
    manifest = pictures.parent / "m.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    expected = last_rows(manifest)
    for cut in (1, len(lines[-1]) // 2, len(lines[-1]) - 1):
        manifest.write_bytes(b"".join(lines[:-1]) + lines[-1][:cut])
        result = run(*job(pictures, "--resume"))
        assert f"{manifest}: the last line was not complete; what it was about is done again" in messages(result)
        rows = check_rows(manifest)
        assert rows.keys() == expected.keys()


def test_a_manifest_without_a_complete_line_begins_anew(pictures: Path) -> None:
    manifest = pictures.parent / "m.jsonl"
    manifest.write_bytes(b'{"run": {"optc')
    run(*job(pictures, "--resume"))
    assert len(check_rows(manifest)) == 6


@pytest.mark.parametrize(
    ("line", "text", "expected"),
    [
        (3, b"{\n", "line 3: expected a line of a manifest of optcodec encode, found "),
        (2, b"\0\0\0\n", "line 2: expected a line"),
        (2, b'{"source": "a.png"}\n', "line 2: expected the entries source, output, "),
        (1, b'{"source": "a.png"}\n', "line 1: expected the entry run, with a version (optcodec), options and tables"),
        (2, b"[1]\n", "line 2: expected a line"),
    ],
)
def test_a_damaged_line_elsewhere_is_an_error(pictures: Path, line: int, text: bytes, expected: str) -> None:
    run(*job(pictures))
    manifest = pictures.parent / "m.jsonl"
    lines = manifest.read_bytes().splitlines(keepends=True)
    lines[line - 1] = text
    manifest.write_bytes(b"".join(lines))
    assert expected in refusal(*job(pictures, "--resume"))
    assert manifest.read_bytes() == b"".join(lines)


@pytest.mark.parametrize(
    ("name", "value", "expected"),
    [
        ("state", "done", "expected as state one of coded, kept, copied, failed, shard, found 'done'"),
        ("output", None, "expected as output a value of the type string, found None"),
        ("nbytes", "12", "expected as nbytes a value of the type int64, found '12'"),
        ("nbytes", True, "expected as nbytes a value of the type int64, found True"),
        ("nbytes", 1 << 63, "expected as nbytes a value of the type int64"),
        ("bpp", float("inf"), "expected as bpp a value of the type float64, found inf"),
        ("warnings", "one", "expected as warnings a value of the type strings, found 'one'"),
        ("warnings", [1], "expected as warnings a value of the type strings, found [1]"),
    ],
)
def test_values_of_rows_are_checked(pictures: Path, name: str, value: object, expected: str) -> None:
    run(*job(pictures))
    manifest = pictures.parent / "m.jsonl"
    first, second, *others = manifest.read_text().splitlines()
    manifest.write_text("\n".join([first, json.dumps(json.loads(second) | {name: value}), *others, ""]))
    assert f"line 2: {expected}" in refusal(*job(pictures, "--resume"))


@pytest.mark.skipif(os.name != "posix", reason="names of files are bytes on POSIX only")
def test_names_that_are_not_utf_8(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 2)
    try:
        (source / "001.png").rename(source / os.fsdecode(b"\xff\xe4.png"))
    except OSError:
        pytest.skip("this file system takes UTF-8 names only")
    manifest = tmp_path / "m.jsonl"
    for resumed in (0, 2):
        report = run_json("encode", source, "-o", tmp_path / "out", "--manifest", manifest, "--resume")
        assert report["resumed"] == resumed
    assert len(check_rows(manifest)) == 2
    assert len(run_json("encode", manifest, "-o", tmp_path / "again")["files"]) == 2
    parquet = pytest.importorskip("pyarrow.parquet")
    run_json("encode", source, "-o", tmp_path / "out", "--manifest", tmp_path / "p.parquet")
    names = parquet.read_table(tmp_path / "p.parquet").column("source").to_pylist()
    assert sorted(Path(name).name for name in names) == ["000.png", "??.png"]


def test_an_older_version_is_named(pictures: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optcodec.cli.encode_work.__version__", "0.0.1")
    run(*job(pictures))
    monkeypatch.undo()
    result = run(*job(pictures, "--resume"))
    assert any(f"optcodec 0.0.1 wrote it; this is {optcodec.__version__}" in line for line in messages(result))


def test_many_threads_write_whole_lines(tmp_path: Path) -> None:
    empty = dict.fromkeys(COLUMNS) | {"output": "o", "state": "failed", "warnings": []}
    rows = [empty | {"source": f"{number}", "error": "x" * number} for number in range(400)]
    with begun(tmp_path / "new/m.jsonl", resume=False, force=False) as manifest:
        manifest.add({"run": {"optcodec": "1", "options": {}, "tables": None}})
        threads = [threading.Thread(target=manifest.add, args=rows[start::4]) for start in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    assert read_earlier(tmp_path / "new/m.jsonl").rows == {row["source"]: row for row in rows}


def test_a_row_is_written_whole_or_not_at_all(tmp_path: Path) -> None:
    """A file system that has space for half of a row only."""

    class Small:
        content = b""

        def write(self, data: bytes) -> int:
            room = 100 - len(self.content)
            if room <= 0:
                raise OSError(28, "No space left on device")
            self.content += bytes(data[:room])
            return min(room, len(data))

        def truncate(self, nbytes: int) -> None:
            self.content = self.content[:nbytes]

        def seek(self, nbytes: int) -> None:
            assert nbytes == len(self.content)

    small = Small()
    manifest = Manifest(tmp_path / "m.jsonl", small, Earlier())  # type: ignore[arg-type]
    manifest.add({"a": 1})
    with pytest.raises(DiskFullError, match=r"cannot write .*m\.jsonl: No space left on device"):
        manifest.add({"b": "x" * 200})
    assert small.content == b'{"a": 1}\n'


def test_a_manifest_of_a_job_that_was_refused_is_gone(pictures: Path) -> None:
    save(pictures / "001.bmp", photograph(8, 8))
    assert "would both be written" in refusal(*job(pictures))
    assert not (pictures.parent / "m.jsonl").exists()


def test_the_manifest_may_be_in_use(pictures: Path) -> None:
    with begun(pictures.parent / "m.jsonl", resume=True, force=False) as manifest:
        manifest.add({"run": {}})
        line = refusal(*job(pictures, "--resume"))
    assert line.endswith("m.jsonl is in use by another job; expected one job at a time")


def test_a_manifest_below_a_file_cannot_be_written(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="cannot write"), begun(tmp_path / "file/m", resume=True, force=False):
        pass
