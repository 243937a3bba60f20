"""Tar files: pictures are coded, other members copied, and the order stays; they appear whole or not at all."""

from __future__ import annotations

import io
import json
import shutil
import subprocess
import tarfile
from pathlib import Path

import pytest

import optcodec
from tests.batch.helpers import hashes, last_rows, rows_of, sha256, started, waited_for
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save


def png(height: int) -> bytes:
    from PIL import Image

    with io.BytesIO() as file:
        Image.fromarray(photograph(height, 24)).save(file, "png")
        return file.getvalue()


def write_tar(path: Path, members: dict[str, bytes], **options: object) -> Path:
    """A tar file; names that end in / are folders."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with tarfile.open(path, "w", **options) as tar:  # type: ignore[call-overload]
        for number, (name, data) in enumerate(members.items()):
            info = tarfile.TarInfo(name.rstrip("/"))
            info.mtime, info.uid, info.mode, info.size = 1_000_000 + number, 7, 0o640, len(data)
            if name.endswith("/"):
                info.type = tarfile.DIRTYPE
            tar.addfile(info, io.BytesIO(data))
    return path


def read_tar(path: Path) -> dict[str, bytes]:
    with tarfile.open(path) as tar:
        return {info.name: tar.extractfile(info).read() for info in tar if info.isfile()}  # type: ignore[union-attr]


def samples(count: int, start: int = 0) -> dict[str, bytes]:
    """Samples of WebDataset: a picture, its class and a text each."""
    parts = [(f"{number:04}", number) for number in range(start, start + count)]
    return {
        f"{key}{suffix}": data
        for key, number in parts
        for suffix, data in ((".png", png(16 + number % 7)), (".cls", str(number).encode()), (".json", b"{}"))
    }


def coded(members: dict[str, bytes], **settings: object) -> dict[str, bytes]:
    """What becomes of the members of a tar file."""
    return {
        name.replace(".png", ".jpg"): optcodec.encode(data, **settings).data if name.endswith(".png") else data  # type: ignore[arg-type]
        for name, data in members.items()
    }


def test_pictures_are_coded_and_all_else_is_copied_in_its_order(tmp_path: Path) -> None:
    members = {"a/": b"", **samples(5), f"{'deep/' * 30}x.png": png(20), "ü.txt": b"text"}
    source = write_tar(tmp_path / "in.tar", members)
    report = run_json("encode", source, "-o", tmp_path / "out", "-q", 60)
    target = tmp_path / "out/in.tar"
    expected = coded({name: data for name, data in members.items() if name != "a/"}, quality=60)
    assert list(read_tar(target).items()) == list(expected.items())
    assert (report["copied"], report["skipped"], len(report["files"])) == (11, 0, 6)
    assert report["files"][0]["output"] == f"{target}/0000.jpg"
    with tarfile.open(source) as before, tarfile.open(target) as after:
        for old, new in zip(before, after, strict=True):
            assert (new.mtime, new.uid, new.mode, new.type) == (old.mtime, old.uid, old.mode, old.type)


@pytest.mark.parametrize("form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_all_forms_of_tar_files_are_read(tmp_path: Path, form: int) -> None:
    members = {f"{'long' * 20}/{'name' * 20}.png": png(16), **samples(2)}
    source = write_tar(tmp_path / "in.tar", members, format=form)
    run_json("encode", source, "-o", tmp_path / "out.tar")
    assert read_tar(tmp_path / "out.tar") == coded(members)


def test_hard_links_are_files_of_their_own(tmp_path: Path) -> None:
    """As GNU tar writes files of one inode: what they name gets another name."""
    (tmp_path / "1.png").write_bytes(png(20))
    (tmp_path / "1.txt").write_bytes(b"text")
    for suffix in ("png", "txt"):
        (tmp_path / f"2.{suffix}").hardlink_to(tmp_path / f"1.{suffix}")
    with tarfile.open(tmp_path / "in.tar", "w") as tar:
        for name in ("1.png", "1.txt", "2.png", "2.txt"):
            tar.add(tmp_path / name, name)
        assert tar.getmember("2.png").islnk()
    report = run_json("encode", tmp_path / "in.tar", "-o", tmp_path / "out", "-q", 60)
    data = optcodec.encode(png(20), quality=60).data
    assert read_tar(tmp_path / "out/in.tar") == {"1.jpg": data, "1.txt": b"text", "2.jpg": data, "2.txt": b"text"}
    assert (len(report["files"]), report["copied"]) == (2, 2)


def test_other_members_may_be_left_out(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "in.tar", samples(2))
    report = run_json("encode", source, "-o", tmp_path / "out", "--other", "skip")
    assert list(read_tar(tmp_path / "out/in.tar")) == ["0000.jpg", "0001.jpg"]
    assert (report["copied"], report["skipped"]) == (0, 4)


def test_a_folder_of_tar_files_keeps_its_structure(tmp_path: Path) -> None:
    for number in range(3):
        write_tar(tmp_path / f"in/{number % 2}/{number}.tar", samples(2, 2 * number))
    (tmp_path / "in/readme.txt").write_text("hello")
    report = run_json("encode", tmp_path / "in", "-o", tmp_path / "out", "--other", "copy")
    assert sorted(hashes(tmp_path / "out")) == ["0/0.tar", "0/2.tar", "1/1.tar", "readme.txt"]
    assert [Path(record["input"]).name for record in report["files"]] == [
        *("0000.png", "0001.png", "0004.png", "0005.png", "0002.png", "0003.png")
    ]
    assert report["copied"] == 13


def test_tar_files_beside_pictures_are_other_files(tmp_path: Path) -> None:
    write_tar(tmp_path / "in/backup.tar", samples(1))
    save(tmp_path / "in/a.png", photograph(8, 8))
    report = run_json("encode", tmp_path / "in", "-o", tmp_path / "out")
    assert (len(report["files"]), report["skipped"]) == (1, 1)


def test_bytes_do_not_depend_on_threads(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "in.tar", samples(9))
    for threads in (1, 3):
        run_json("encode", source, "-o", tmp_path / f"{threads}.tar", "--threads", threads)
    assert sha256(tmp_path / "1.tar") == sha256(tmp_path / "3.tar")


@pytest.mark.parametrize(("rule", "expected"), [("keep", ["a.png.jpg", "a.jpg"]), ("number", ["a.jpg", "a-2.jpg"])])
def test_two_members_of_one_name(tmp_path: Path, rule: str, expected: list[str]) -> None:
    jpeg = optcodec.encode(png(9)).data
    source = write_tar(tmp_path / "in.tar", {"a.png": png(8), "a.jpg": jpeg})
    line = refusal("encode", source, "-o", tmp_path / "out")
    assert "a.png and a.jpg would both be written to a.jpg; expected two names, or --suffix keep or number" in line
    assert list((tmp_path / "out").iterdir()) == []
    run_json("encode", source, "-o", tmp_path / "out", "--suffix", rule)
    assert list(read_tar(tmp_path / "out/in.tar")) == expected


def test_a_damaged_picture_is_left_out_and_named(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "in.tar", samples(2) | {"bad.png": b"no picture", "bad.cls": b"1"})
    arguments = ["encode", source, "-o", tmp_path / "out", "--manifest", tmp_path / "m.jsonl", "--resume"]
    result = run(*arguments)
    assert result.exit_code == 1
    assert messages(result) == [
        "Error: 1 of 3 files failed:",
        f"  {source}/bad.png: not an image file that Pillow knows",
    ]
    assert list(read_tar(tmp_path / "out/in.tar")) == [*coded(samples(2)), "bad.cls"]
    rows = last_rows(tmp_path / "m.jsonl")
    assert rows[f"{source}/bad.png"]["state"] == "failed"
    assert (rows[str(source)]["state"], rows[str(source)]["error"]) == ("shard", "1 of 3 pictures failed")
    assert run(*arguments).exit_code == 1  # it is tried again


@pytest.mark.parametrize("kind", ["truncated", "compressed", "nothing", "missing"])
def test_tar_files_that_cannot_be_read_are_failures(tmp_path: Path, kind: str) -> None:
    good, source = write_tar(tmp_path / "in/a.tar", samples(2)), tmp_path / "in/b.tar"
    write_tar(source, samples(3))
    data = source.read_bytes()
    if kind == "truncated":
        source.write_bytes(data[: len(data) // 2])
    elif kind == "compressed":
        with tarfile.open(source, "w:gz") as tar:
            tar.add(good, "x.png")
    elif kind == "nothing":
        source.write_bytes(b"no tar file" * 100)
    else:
        source.unlink()
    result = run("encode", good, source, "-o", tmp_path / "out", "--manifest", tmp_path / "m.jsonl")
    assert result.exit_code == 1
    assert any(line.startswith(f"  {source}: ") for line in messages(result))
    assert list(hashes(tmp_path / "out")) == ["a.tar"]
    assert last_rows(tmp_path / "m.jsonl")[str(source)]["state"] == "failed"


def test_a_job_goes_on_with_the_tar_files_that_are_left(tmp_path: Path) -> None:
    for number in range(3):
        write_tar(tmp_path / f"in/{number}.tar", samples(4, 4 * number))
    run_json("encode", tmp_path / "in", "-o", tmp_path / "undisturbed")
    expected, manifest = hashes(tmp_path / "undisturbed"), tmp_path / "m.jsonl"
    arguments = ["encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", manifest, "--resume"]
    child = started(arguments, gate=tmp_path / "gate", after=6)
    waited_for(manifest, 5, child)
    child.kill()
    child.communicate()
    assert {name: text for name, text in hashes(tmp_path / "out").items() if name.endswith(".tar")} == {
        "0.tar": expected["0.tar"]
    }
    report = run_json(*arguments)
    assert (report["resumed"], len(report["files"])) == (4, 12)
    assert hashes(tmp_path / "out") == expected
    assert len(last_rows(manifest)) == len(rows_of(manifest)) == 15
    assert run_json(*arguments)["resumed"] == 12
    (tmp_path / "out/1.tar").write_bytes((tmp_path / "out/1.tar").read_bytes()[:-1] + b"x")
    assert run_json(*arguments)["resumed"] == 8
    assert hashes(tmp_path / "out") == expected


def test_a_manifest_with_tar_files_is_a_list_of_them(tmp_path: Path) -> None:
    write_tar(tmp_path / "in/0.tar", samples(2))
    run_json("encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", tmp_path / "m.jsonl")
    run_json("encode", tmp_path / "m.jsonl", "-o", tmp_path / "again")
    assert hashes(tmp_path / "again") == hashes(tmp_path / "out")


def test_tar_files_need_an_output(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "in.tar", samples(1))
    assert "expected -o with an output" in refusal("encode", source)
    assert "stdout takes one image, got a folder, a list or a tar file" in refusal("encode", source, "-o", "-")
    assert "in.tar is an input; expected another output" in refusal("encode", source, "-o", source)
    assert "in.tar is an input; expected another output" in refusal("encode", source, "-o", tmp_path)


def test_a_full_disk_ends_the_job(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from optcodec.errors import DiskFullError

    for number in range(3):
        write_tar(tmp_path / f"in/{number}.tar", samples(1, number))

    def full(info: object, name: str, nbytes: int) -> tarfile.TarInfo:
        if name == "0001.jpg":
            raise DiskFullError("cannot write 1.tar: No space left on device")
        return whole(info, name, nbytes)  # type: ignore[arg-type]

    from optcodec.batch import shards

    whole = shards._renamed
    monkeypatch.setattr(shards, "_renamed", full)
    result = run("encode", tmp_path / "in", "-o", tmp_path / "out")
    assert messages(result)[0] == "Error: the disk is full: 1 of 3 files are done, 1 were not begun, and 1 failed:"
    assert list(hashes(tmp_path / "out")) == ["0.tar"]


@pytest.mark.skipif(shutil.which("tar") is None, reason="no program tar on this system")
def test_sparse_members_are_copied_with_their_holes_filled(tmp_path: Path) -> None:
    with (tmp_path / "hole.bin").open("wb") as file:
        file.seek(1 << 20)
        file.write(b"end")
    (tmp_path / "a.png").write_bytes(png(16))
    command = ["tar", "--sparse", "-C", str(tmp_path), "-cf", str(tmp_path / "in.tar"), "hole.bin", "a.png"]
    if subprocess.run(command, capture_output=True, check=False).returncode:
        pytest.skip("this tar does not know sparse files")
    run_json("encode", tmp_path / "in.tar", "-o", tmp_path / "out.tar")
    written = read_tar(tmp_path / "out.tar")
    assert written == {"hole.bin": (tmp_path / "hole.bin").read_bytes()} | coded({"a.png": png(16)})


def test_rows_of_a_tar_file(tmp_path: Path) -> None:
    source = write_tar(tmp_path / "in.tar", samples(2))
    run_json("encode", source, "-o", tmp_path / "out", "--manifest", tmp_path / "m.jsonl", "-q", 50)
    rows = rows_of(tmp_path / "m.jsonl")
    assert [row["state"] for row in rows] == ["coded", "coded", "shard"]
    assert (rows[-1]["nbytes"], rows[-1]["sha256"]) == (
        (tmp_path / "out/in.tar").stat().st_size,
        sha256(tmp_path / "out/in.tar"),
    )
    assert json.dumps(rows[0]["source_nbytes"]) == str(len(png(16)))


@pytest.mark.parametrize("suffix", [".tar.gz", ".tgz", ".TAR.GZ"])
def test_compressed_tar_files_become_plain_ones(tmp_path: Path, suffix: str) -> None:
    """Rows name the members of the file that was read, and a job goes on."""
    import gzip

    plain = write_tar(tmp_path / "plain/0.tar", samples(4))
    (tmp_path / "in").mkdir()
    (tmp_path / f"in/0{suffix}").write_bytes(gzip.compress(plain.read_bytes()))
    arguments = ["encode", tmp_path / "in", "-o", tmp_path / "out", "--manifest", tmp_path / "m.jsonl", "--resume"]
    run_json(*arguments)
    run_json("encode", plain, "-o", tmp_path / "expected")
    assert hashes(tmp_path / "out") == hashes(tmp_path / "expected")
    rows = last_rows(tmp_path / "m.jsonl")
    source = tmp_path / f"in/0{suffix}"
    assert rows.keys() == {f"{source}/{number:04}.png" for number in range(4)} | {str(source)}
    assert rows[str(source)]["sha256"] == sha256(tmp_path / "out/0.tar")
    assert rows[str(source)]["source_sha256"] == sha256(source)
    assert run_json(*arguments)["resumed"] == 4


def test_compressed_tar_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    import gzip

    content = gzip.compress(write_tar(tmp_path / "0.tar", samples(3)).read_bytes())
    (tmp_path / "in").mkdir()
    (tmp_path / "temporary").mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path / "temporary"))
    for name, data, reason in (
        ("cut.tar.gz", content[:-200], "expected a tar file in gzip: Compressed file ended before"),
        ("changed.tar.gz", content[:100] + bytes(200) + content[300:], "expected a tar file in gzip: "),
        ("plain.tar.gz", (tmp_path / "0.tar").read_bytes(), "expected a tar file in gzip: Not a gzipped file"),
        ("text.tgz", gzip.compress(b"hello"), "expected a tar file without compression: "),
    ):
        source = tmp_path / "in" / name
        source.write_bytes(data)
        assert f"Error: {source}: {reason}" in refusal("encode", source, "-o", tmp_path / "out")
        assert list((tmp_path / "temporary").iterdir()) == []
    assert hashes(tmp_path / "out") == {}


def test_shared_tables_of_compressed_tar_files(tmp_path: Path) -> None:
    """They are those of the same pictures in plain ones, also beside tar files that cannot be read."""
    import gzip

    content = write_tar(tmp_path / "plain/0.tar", samples(3)).read_bytes()
    (tmp_path / "in").mkdir()
    (tmp_path / "in/0.tar.gz").write_bytes(gzip.compress(content))
    shared = "--shared-tables", "-q", 50
    run_json("encode", tmp_path / "plain/0.tar", "-o", tmp_path / "expected.tar", *shared)
    run_json("encode", tmp_path / "in/0.tar.gz", "-o", tmp_path / "got.tar", *shared)
    assert read_tar(tmp_path / "got.tar") == read_tar(tmp_path / "expected.tar")
    (tmp_path / "in/1.tar").write_bytes(b"no tar file")
    assert run("encode", tmp_path / "in", "-o", tmp_path / "out", *shared).exit_code == 1
    assert read_tar(tmp_path / "out/0.tar") == read_tar(tmp_path / "expected.tar")
