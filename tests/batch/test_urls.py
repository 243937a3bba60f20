"""Data sets at URLs, in the memory file system of fsspec: the same bytes, a lock, and errors in one line."""

from __future__ import annotations

import errno
import json
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from optcodec.batch.lock import locked
from optcodec.batch.places import Member, Url, digest, filesystem, joined, read, whole
from optcodec.errors import DiskFullError, InvalidInputError
from tests.batch.helpers import folder_of, hashes, last_rows
from tests.batch.test_shards import coded, read_tar, samples, write_tar
from tests.cli_helpers import messages, refusal, run, run_json

fsspec = pytest.importorskip("fsspec")


class BrokenError(Exception):
    """An error as clients of remote stores raise them."""


@pytest.fixture
def store() -> Iterator[Any]:
    """An empty memory file system."""
    system = fsspec.filesystem("memory")
    system.store.clear()
    system.pseudo_dirs[:] = [""]
    yield system
    system.store.clear()


def upload(system: Any, folder: Path, place: str) -> None:
    for path in folder.rglob("*"):
        if path.is_file():
            system.pipe_file(f"{place}/{path.relative_to(folder).as_posix()}", path.read_bytes())


def download(system: Any, place: str, folder: Path) -> dict[str, str]:
    """Hashes of the files at a URL."""
    for name in system.find(place):
        path = folder / name.removeprefix(f"{place}/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(system.cat_file(name))
    return hashes(folder)


@pytest.fixture
def pictures(tmp_path: Path, store: Any) -> dict[str, str]:
    """Four pictures and a file at ``memory://in``, and hashes of their coded files."""
    folder_of(tmp_path / "in", 4)
    (tmp_path / "in/notes.txt").write_text("hello")
    upload(store, tmp_path / "in", "/in")
    run_json("encode", tmp_path / "in", "-o", tmp_path / "local")
    return hashes(tmp_path / "local")


@pytest.mark.parametrize("source", ["memory://in", "memory://in/", "memory://in/**/*.png"])
def test_from_a_url_to_a_url(tmp_path: Path, store: Any, pictures: dict[str, str], source: str) -> None:
    report = run_json("encode", source, "-o", "memory://out/deep")
    assert report["files"][0]["output"] == "memory://out/deep/001.jpg"
    assert download(store, "/out/deep", tmp_path / "got") == pictures
    assert store.find("/out") == [f"/out/deep/{name}" for name in sorted(pictures)]  # the lock is gone


def test_from_a_url_to_a_folder_and_back(tmp_path: Path, store: Any, pictures: dict[str, str]) -> None:
    run_json("encode", "memory://in", "-o", tmp_path / "out")
    assert hashes(tmp_path / "out") == pictures
    run_json("encode", tmp_path / "in", "-o", "memory://out", "--other", "copy")
    got = download(store, "/out", tmp_path / "got")
    assert got.pop("notes.txt")
    assert got == pictures


def test_one_picture(tmp_path: Path, store: Any, pictures: dict[str, str]) -> None:
    run_json("encode", "memory://in/001.png", "-o", tmp_path / "one.jpg")
    run_json("encode", tmp_path / "in/001.png", "-o", "memory://one.jpg")
    assert (tmp_path / "one.jpg").read_bytes() == store.cat_file("/one.jpg")
    run_json("encode", tmp_path / "in/001.png", "-o", "memory://folder")
    assert store.cat_file("/folder/001.jpg") == store.cat_file("/one.jpg")
    assert "expected -o with an output" in refusal("encode", "memory://in/001.png")
    line = refusal("encode", tmp_path / "in/001.png", "-o", "memory://one.png")
    assert "memory://one.png: the output is a JPEG file; expected a name with .jpg" in line


def test_a_job_goes_on(tmp_path: Path, store: Any, pictures: dict[str, str]) -> None:
    arguments = ["encode", "memory://in", "-o", "memory://out", "--manifest", tmp_path / "m.jsonl", "--resume"]
    run_json(*arguments)
    for folder in ("/out", "/out/sub"):
        store.pipe_file(f"{folder}/.optcodec-0123456789abcdef.part", b"half of it")  # of a job that was killed
    store.rm_file("/out/001.jpg")
    store.pipe_file("/out/003.jpg", b"other bytes")
    assert run_json(*arguments)["resumed"] == 2
    assert download(store, "/out", tmp_path / "got") == pictures
    assert sorted(last_rows(tmp_path / "m.jsonl")) == [f"memory:///in/{name}.png" for name in (
        "001", "003", "sub/000", "sub/002",
    )]  # fmt: skip


def test_tar_files_at_urls(tmp_path: Path, store: Any) -> None:
    write_tar(tmp_path / "in/0.tar", samples(3))
    upload(store, tmp_path / "in", "/in")
    run_json("encode", "memory://in/0.tar", "-o", "memory://out")
    download(store, "/out", tmp_path / "got")
    assert read_tar(tmp_path / "got/0.tar") == coded(samples(3))


def test_a_list_at_a_url_of_urls(tmp_path: Path, store: Any, pictures: dict[str, str]) -> None:
    lines = "".join(json.dumps({"source": f"memory://in/{name}"}) + "\n" for name in ("001.png", "sub/000.png"))
    store.pipe_file("/list.jsonl", lines.encode())
    run_json("encode", "memory://list.jsonl", "-o", tmp_path / "out")
    assert hashes(tmp_path / "out").items() <= pictures.items()
    assert len(hashes(tmp_path / "out")) == 2


@pytest.mark.parametrize("name", ["a[1].png", "a.png?size=large", "what*"])
def test_a_file_whose_name_looks_like_a_pattern_is_a_file(
    tmp_path: Path, store: Any, pictures: dict[str, str], name: str
) -> None:
    store.pipe_file(f"/in/{name}", store.cat_file("/in/001.png"))
    run_json("encode", f"memory://in/{name}", "-o", tmp_path / "out/a.jpg")
    assert hashes(tmp_path / "out") == {"a.jpg": pictures["001.jpg"]}


@pytest.mark.parametrize(
    ("method", "source", "expected"),
    [
        ("isdir", "memory://in", "cannot read memory://in: the connection was lost"),
        ("find", "memory://in", "cannot read memory://in: the connection was lost"),
        ("glob", "memory://in/*.png", "cannot read memory://in/*.png: the connection was lost"),
        ("exists", "memory://in/*.png", "cannot read memory://in/*.png: the connection was lost"),
        ("exists", "memory://in", "cannot write memory://out/.optcodec-lock: the connection was lost"),
        ("pipe_file", "memory://in", "cannot write memory://out/.optcodec-lock: the connection was lost"),
    ],
)
def test_a_store_that_does_not_answer_is_named(
    store: Any, pictures: dict[str, str], monkeypatch: pytest.MonkeyPatch, method: str, source: str, expected: str
) -> None:
    def breaks(*arguments: object, **options: object) -> None:
        raise BrokenError("the connection was lost\nmore")

    monkeypatch.setattr(type(store), method, breaks)
    assert refusal("encode", source, "-o", "memory://out") == f"Error: {expected}"


def test_what_is_missing_or_damaged_is_a_failure(tmp_path: Path, store: Any, pictures: dict[str, str]) -> None:
    store.pipe_file("/in/bad.png", b"no picture")
    result = run("encode", "memory://in", "memory://none.png", "-o", tmp_path / "out", "--threads", 2)
    assert result.exit_code == 1
    assert messages(result) == [
        "Error: 2 of 6 files failed:",
        "  memory:///in/bad.png: not an image file that Pillow knows",
        "  memory://none.png: cannot read memory://none.png: no such file",
    ]


@pytest.mark.parametrize(
    "error", [BrokenError("the connection was lost\nmore"), OSError(28, "No space left on device")]
)
def test_a_store_that_breaks_in_mid_write(
    tmp_path: Path, store: Any, pictures: dict[str, str], monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """The second file is sent by half when its store breaks; the store has whole files only, and the job goes on."""
    from fsspec.implementations.memory import MemoryFile

    arguments = ["encode", "memory://in", "-o", "memory://out", "--manifest", tmp_path / "m.jsonl", "--resume"]
    sent: list[int] = []

    def breaks(file: Any, data: bytes) -> int:
        if not file.path.endswith(".part"):
            return int(super(MemoryFile, file).write(data))
        sent.append(len(data))
        if len(sent) == 2:
            super(MemoryFile, file).write(data[: len(data) // 2])
            raise error
        return int(super(MemoryFile, file).write(data))

    with monkeypatch.context() as patched:
        patched.setattr(MemoryFile, "write", breaks, raising=False)
        result = run(*arguments, "--threads", 1)
    assert result.exit_code == 1
    first = messages(result)
    if isinstance(error, BrokenError):
        assert first[0] == "Error: 1 of 4 files failed:"
        assert first[1].endswith("cannot write memory://out/003.jpg: the connection was lost")
    else:
        assert first[0] == "Error: the disk is full: 1 of 4 files are done, 2 were not begun, and 1 failed:"
    done = download(store, "/out", tmp_path / "first")
    assert done.items() <= pictures.items()
    assert run_json(*arguments)["resumed"] == len(done)
    assert download(store, "/out", tmp_path / "got") == pictures


def test_a_lock_at_a_url(store: Any, pictures: dict[str, str]) -> None:
    with locked(Url("memory://out")):
        line = refusal("encode", "memory://in", "-o", "memory://out")
        assert f"memory://out is in use by another job (process {os.getpid()} on {socket.gethostname()})" in line
        assert line.endswith("delete memory://out/.optcodec-lock if that job no longer runs")
    assert not store.exists("/out/.optcodec-lock")


@pytest.mark.parametrize(
    ("content", "taken"),
    [
        ({"process": 2**22 + 1, "machine": socket.gethostname()}, True),  # above the largest number of a process
        ({"process": 2**22 + 1, "machine": "another"}, False),
        ({}, False),
    ],
)
def test_only_the_lock_of_a_dead_process_of_this_machine_is_taken_over(
    store: Any, pictures: dict[str, str], content: dict[str, object], taken: bool
) -> None:
    store.pipe_file("/out/.optcodec-lock", json.dumps(content).encode())
    assert run("encode", "memory://in", "-o", "memory://out").exit_code == (not taken)
    assert store.exists("/out/.optcodec-lock") is not taken


def test_a_lock_that_another_job_makes_in_the_same_moment(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """It is seen when ours is to be created, and stays; a listing from before does not hide it."""
    whole = type(store).exists

    def too_early(system: Any, path: str, **options: Any) -> bool:
        there = whole(system, path, **options)
        if path == "/out/.optcodec-lock" and not there:
            system.pipe_file(path, b'{"process": 7, "machine": "another"}')
        return there

    monkeypatch.setattr(type(store), "exists", too_early)
    with pytest.raises(InvalidInputError, match=r"in use by another job \(process 7 on another\)"), locked(OUT):
        pass
    assert json.loads(store.cat_file("/out/.optcodec-lock"))["process"] == 7


OUT = Url("memory://out")
MODES = {
    "unknown": TypeError("pipe_file() got an unexpected keyword argument 'mode'"),
    "not there": NotImplementedError(),
    "not of this store": OSError(errno.ENOSYS, "A header implies functionality that is not implemented"),
}


@pytest.mark.parametrize("refused", MODES.values(), ids=MODES)
def test_a_store_that_cannot_create_exclusively(
    store: Any, monkeypatch: pytest.MonkeyPatch, refused: Exception
) -> None:
    """The lock is written as any file, and read back: the last of two jobs that write it has it."""
    whole, others = type(store).pipe_file, [b'{"process": 7, "machine": "another"}']

    def refuses(system: Any, path: str, value: bytes, **options: Any) -> None:
        if options:
            raise refused
        whole(system, path, value)
        for other in others:
            whole(system, path, other)

    monkeypatch.setattr(type(store), "pipe_file", refuses)
    with pytest.raises(InvalidInputError, match=r"in use by another job \(process 7 on another\)"), locked(OUT):
        pass
    store.rm_file("/out/.optcodec-lock")
    others.clear()
    with locked(OUT):
        assert json.loads(store.cat_file("/out/.optcodec-lock"))["process"] == os.getpid()
    assert not store.exists("/out/.optcodec-lock")


def test_a_request_for_the_lock_that_is_sent_twice(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """The second one meets the lock of the first."""
    whole = type(store).pipe_file

    def twice(system: Any, path: str, value: bytes, **options: Any) -> None:
        whole(system, path, value, **options)
        whole(system, path, value, **options)

    monkeypatch.setattr(type(store), "pipe_file", twice)
    with locked(OUT):
        assert store.exists("/out/.optcodec-lock")
    assert not store.exists("/out/.optcodec-lock")


def test_kinds_of_urls_that_nobody_knows(tmp_path: Path) -> None:
    assert "cannot open nosuch://a/b: Protocol not known: nosuch" in refusal("encode", "nosuch://a/b", "-o", tmp_path)


def test_parts_of_places(tmp_path: Path, store: Any) -> None:
    store.pipe_file("/a/b.bin", b"0123456789")
    url = Url("memory://a/b.bin")
    assert (url.name, read(url), read(Member(url, "x", 2, 3))) == ("b.bin", b"0123456789", b"234")
    assert digest(url) == digest(b"0123456789")
    assert digest(Url("memory://a/none")) is digest(tmp_path / "none") is digest(Member(url, "x", 9, 3)) is None
    with pytest.raises(InvalidInputError, match=r"b\.bin/x: expected 3 bytes, the tar file ends after 1"):
        read(Member(url, "x", 9, 3))
    assert joined(Url("memory://a/"), Path("c/d.jpg")) == Url("memory://a/c/d.jpg")
    assert filesystem(url)[1] == "/a/b.bin"


def test_an_unfinished_file_is_not_there(store: Any) -> None:
    def write_half() -> None:
        with whole(Url("memory://x/y.jpg")) as file:
            file.write(b"half")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        write_half()
    assert not store.exists("/x/y.jpg")


def test_a_full_store_is_a_full_disk(store: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*arguments: object, **options: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(type(store), "makedirs", full)
    with pytest.raises(DiskFullError, match="cannot write memory://x/y: No space"), whole(Url("memory://x/y")) as file:
        file.write(b"x")
