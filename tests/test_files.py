"""Output files are complete or not written at all; links are followed, and permissions of replaced files are kept."""

from __future__ import annotations

import errno
import os
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from optcodec.errors import DiskFullError, InvalidInputError
from optcodec.files import _is_stream, check_writable, whole_file, write_whole


@pytest.fixture
def umask() -> Iterator[int]:
    before = os.umask(0o027)
    yield 0o027
    os.umask(before)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def test_a_new_file_has_the_permissions_of_the_umask(tmp_path: Path, umask: int) -> None:
    write_whole(tmp_path / "a.jpg", b"new")
    assert mode_of(tmp_path / "a.jpg") == 0o666 & ~umask


@pytest.mark.parametrize("mode", [0o600, 0o640, 0o664, 0o444, 0o755])
def test_a_file_that_is_replaced_keeps_its_permissions(tmp_path: Path, umask: int, mode: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    path.chmod(mode)
    write_whole(path, b"new")
    assert path.read_bytes() == b"new"
    assert mode_of(path) == mode


def test_a_private_file_is_private_while_it_is_written(tmp_path: Path, umask: int) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    path.chmod(0o600)
    with whole_file(path) as file:
        (part,) = (sibling for sibling in tmp_path.iterdir() if sibling != path)
        file.write(b"secret")
        assert mode_of(part) == 0o600


@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only the superuser gives files away")
def test_a_file_that_is_replaced_keeps_its_owner(tmp_path: Path) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(b"old")
    os.chown(path, 1234, 2345)
    write_whole(path, b"new")
    assert (path.stat().st_uid, path.stat().st_gid) == (1234, 2345)


@pytest.mark.parametrize("keep_times", [False, True])
def test_times_are_kept_on_request(tmp_path: Path, keep_times: bool) -> None:
    path, long_ago = tmp_path / "a.jpg", 981_173_106_123_456_000  # nanoseconds since 1970: a time in 2001
    path.write_bytes(b"old")
    os.utime(path, ns=(long_ago - 10**9, long_ago))
    write_whole(path, b"new", keep_times=keep_times)
    status = path.stat()
    assert ((status.st_atime_ns, status.st_mtime_ns) == (long_ago - 10**9, long_ago)) is keep_times
    write_whole(tmp_path / "b.jpg", b"new", keep_times=keep_times)  # replaces nothing
    assert time.time() - (tmp_path / "b.jpg").stat().st_mtime < 3600


@pytest.mark.parametrize("there", [True, False])
def test_the_file_behind_a_link_is_replaced(tmp_path: Path, there: bool) -> None:
    (tmp_path / "far").mkdir()
    target, middle, link = tmp_path / "far/a.jpg", tmp_path / "middle.jpg", tmp_path / "link.jpg"
    middle.symlink_to("far/a.jpg")
    link.symlink_to("middle.jpg")
    if there:
        target.write_bytes(b"old")
    check_writable(link)
    write_whole(link, b"new")
    assert link.is_symlink()
    assert middle.is_symlink()
    assert not target.is_symlink()
    assert target.read_bytes() == b"new"
    assert sorted(path.name for path in tmp_path.rglob("*")) == ["a.jpg", "far", "link.jpg", "middle.jpg"]


def test_links_in_a_circle_are_refused(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").symlink_to("b.jpg")
    (tmp_path / "b.jpg").symlink_to("a.jpg")
    for refused in (check_writable, lambda path: write_whole(path, b"new")):
        with pytest.raises(InvalidInputError, match=r"cannot write .*a\.jpg: Too many levels of symbolic links"):
            refused(tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").is_symlink()


def test_another_name_of_the_same_file_keeps_the_old_content(tmp_path: Path) -> None:
    (tmp_path / "a.jpg").write_bytes(b"old")
    os.link(tmp_path / "a.jpg", tmp_path / "b.jpg")
    write_whole(tmp_path / "a.jpg", b"new")
    assert (tmp_path / "b.jpg").read_bytes() == b"old"


@pytest.mark.parametrize("letter", ["a", "ä", "語"])
def test_the_longest_names_are_written(tmp_path: Path, letter: str) -> None:
    longest = letter * (251 // len(letter.encode())) + ".jpg"  # 255 bytes, the most that file systems take
    write_whole(tmp_path / longest, b"new")
    assert [path.name for path in tmp_path.iterdir()] == [longest]
    with pytest.raises(InvalidInputError, match="File name too long"):
        write_whole(tmp_path / f"aaa{longest}aa", b"new")


def test_threads_write_one_path_side_by_side(tmp_path: Path) -> None:
    path, contents = tmp_path / "a.jpg", [bytes([number]) * 200_000 for number in range(8)]
    wrong: list[object] = []

    def write(content: bytes) -> None:
        try:
            for _ in range(10):
                with whole_file(path) as file:
                    for start in range(0, len(content), 50_000):
                        file.write(content[start : start + 50_000])
                if path.read_bytes() not in contents:
                    wrong.append("a mixture")
        except InvalidInputError as error:
            wrong.append(error)

    threads = [threading.Thread(target=write, args=(content,)) for content in contents]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert wrong == []
    assert list(tmp_path.iterdir()) == [path]


def test_two_containers_with_the_same_process_number_do_not_meet(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "getpid", lambda: 1)
    with whole_file(tmp_path / "a.jpg") as first:
        first.write(b"first, ")
        write_whole(tmp_path / "a.jpg", b"second")
        first.write(b"whole")
    assert (tmp_path / "a.jpg").read_bytes() == b"first, whole"


def test_a_file_at_the_temporary_name_is_left_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    names = iter(["taken", "taken", "free"])
    monkeypatch.setattr("secrets.token_hex", lambda nbytes: next(names))
    (tmp_path / "precious").write_bytes(b"precious")
    (tmp_path / ".optcodec-taken.part").symlink_to("precious")
    write_whole(tmp_path / "a.jpg", b"new")
    assert (tmp_path / "precious").read_bytes() == b"precious"
    assert (tmp_path / "a.jpg").read_bytes() == b"new"


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT])
def test_a_full_disk_is_told_apart_and_leaves_nothing(tmp_path: Path, number: int) -> None:
    (tmp_path / "a.jpg").write_bytes(b"old")

    def write() -> None:
        with whole_file(tmp_path / "a.jpg") as file:
            file.write(b"ne")
            raise OSError(number, os.strerror(number))

    with pytest.raises(DiskFullError, match=r"cannot write .*a\.jpg: (No space left|Disk quota)"):
        write()
    assert [(path.name, path.read_bytes()) for path in tmp_path.iterdir()] == [("a.jpg", b"old")]


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no /dev/full on this system")
def test_a_full_device_is_a_full_disk() -> None:
    with pytest.raises(DiskFullError, match="cannot write /dev/full: No space left on device"):
        write_whole("/dev/full", b"content")


def test_pipes_are_written_to(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.jpg")
    received: list[bytes] = []
    reader = threading.Thread(target=lambda: received.append((tmp_path / "pipe.jpg").read_bytes()))
    reader.start()
    check_writable(tmp_path / "pipe.jpg")
    write_whole(tmp_path / "pipe.jpg", b"content")
    reader.join()
    assert received == [b"content"]
    assert (tmp_path / "pipe.jpg").is_fifo()


@pytest.mark.skipif(not Path("/proc/self/fd").exists(), reason="no /proc on this system")
def test_an_open_file_is_written_to_and_not_replaced(tmp_path: Path) -> None:
    program = "from optcodec.files import write_whole; write_whole('/proc/self/fd/1', b'content')"
    with (tmp_path / "out").open("wb") as file:
        subprocess.run([sys.executable, "-c", program], stdout=file, check=True)
        assert os.fstat(file.fileno()).st_ino == (tmp_path / "out").stat().st_ino
    assert (tmp_path / "out").read_bytes() == b"content"


@pytest.mark.parametrize("name", ["/dev/stdout", "/dev/fd/1", "/proc/self/fd/1", "/dev/null", "/dev/none"])
def test_nothing_below_dev_is_replaced(name: str) -> None:
    # only asked, not done: as superuser, the test would replace /dev/stdout by a file
    assert _is_stream(Path(name))


def test_checking_makes_nothing(tmp_path: Path) -> None:
    check_writable(tmp_path / "new/folder/a.jpg")
    assert list(tmp_path.iterdir()) == []
    (tmp_path / "a.jpg").write_bytes(b"old")
    check_writable(tmp_path / "a.jpg")
    assert (tmp_path / "a.jpg").read_bytes() == b"old"
    assert list(tmp_path.iterdir()) == [tmp_path / "a.jpg"]
