"""The folder of compiled kernels: which path it has, which owners it trusts, which files it refuses."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from optcodec.kernels import store
from optcodec.kernels.store import FolderError, cache_folder, make_folder, read_object, write_object
from tests.kernel_helpers import run_python

STRANGER = 4242
pytestmark = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="owners and modes are those of POSIX")
as_root = pytest.mark.skipif(hasattr(os, "geteuid") and os.geteuid() != 0, reason="only root can act as another user")


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder of compiled kernels with one file ``a``, which holds ``code``."""
    folder_path = tmp_path / "kernels"
    monkeypatch.setenv("OPTCODEC_CACHE", str(folder_path))
    make_folder(folder_path)
    write_object(folder_path, "a", b"code")
    return folder_path


def as_stranger(text: str) -> str:
    """What a program prints as another user, who may not even read the interpreter's libraries."""
    program = f"import os\nfrom optcodec.kernels import store\nos.setgroups([])\nos.setuid({STRANGER})\n{text}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def test_a_file_is_read_as_it_was_written(folder: Path) -> None:
    assert cache_folder() == folder
    assert read_object(folder, "a") == b"code"
    assert read_object(folder, "b") is None
    write_object(folder, "a", b"other\ncode")
    assert read_object(folder, "a") == b"other\ncode"
    assert [path.name for path in folder.iterdir()] == ["a"]


@pytest.mark.parametrize("umask", [0o000, 0o002, 0o022, 0o077])
def test_no_umask_leads_to_a_refused_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, umask: int) -> None:
    folder_path = tmp_path / "several" / "folders"
    monkeypatch.setenv("OPTCODEC_CACHE", str(folder_path))
    before = os.umask(umask)
    try:
        make_folder(folder_path)
        write_object(folder_path, "a", b"code")
    finally:
        os.umask(before)
    assert [
        oct(path.stat().st_mode & 0o777 & ~0o755) for path in (folder_path.parent, folder_path, folder_path / "a")
    ] == ["0o0"] * 3
    assert read_object(cache_folder(), "a") == b"code"


@pytest.mark.parametrize("mode", [0o775, 0o757, 0o777, 0o1777])
def test_a_folder_that_others_can_write_to_is_refused(folder: Path, mode: int) -> None:
    folder.chmod(mode)
    with pytest.raises(FolderError, match=rf"others than its owner can write to .*kernels \(mode {mode:04o}"):
        cache_folder()


@as_root
def test_a_folder_of_somebody_else_is_refused(folder: Path) -> None:
    os.chown(folder, STRANGER, STRANGER)
    with pytest.raises(FolderError, match=f"belongs to the user {STRANGER}, and not to 0"):
        cache_folder()


@as_root
def test_a_file_of_somebody_else_is_not_read(folder: Path) -> None:
    os.chown(folder / "a", STRANGER, STRANGER)
    assert read_object(folder, "a") is None


@as_root
def test_kernels_compiled_by_root_are_read_by_all_users() -> None:
    with tempfile.TemporaryDirectory() as temporary:
        folder = Path(temporary) / "kernels"
        make_folder(folder)
        write_object(folder, "a", b"code")
        folder.parent.chmod(0o755)
        program = f"os.environ['OPTCODEC_CACHE'] = {str(folder)!r}\nfolder = store.cache_folder()\n"
        assert as_stranger(program + "print(store.read_object(folder, 'a'))") == "b'code'"
        refused = "try: store.make_folder(folder)\nexcept store.FolderError as error: print(error)"
        assert as_stranger(program + refused) == f"{folder} cannot be written to"


@pytest.mark.parametrize("mode", [0o664, 0o646, 0o666])
def test_a_file_that_others_can_write_to_is_not_read(folder: Path, mode: int) -> None:
    (folder / "a").chmod(mode)
    assert read_object(folder, "a") is None


def test_a_file_in_the_place_of_another_is_not_read(folder: Path) -> None:
    (folder / "a").rename(folder / "b")
    assert read_object(folder, "b") is None


def test_only_regular_files_are_read(folder: Path) -> None:
    (folder / "a").rename(folder / "file")
    (folder / "a").symlink_to(folder / "file")
    assert read_object(folder, "a") is None
    (folder / "a").unlink()
    os.mkfifo(folder / "a")  # nobody writes to it, so that reading it in the usual way never ends
    assert read_object(folder, "a") is None
    (folder / "a").unlink()
    (folder / "a").mkdir()
    assert read_object(folder, "a") is None


def test_the_file_that_is_checked_is_the_one_that_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    write_object(folder, "b", b"other code")

    def swapping(what: object, **options: object) -> os.stat_result:
        status = original(what, **options)
        (folder / "a").unlink(missing_ok=True)
        (folder / "a").write_bytes(store._digest("a", b"evil code") + b"\nevil code")
        return status

    for name in ("stat", "fstat"):
        with monkeypatch.context() as patch:
            original = getattr(os, name)
            patch.setattr(os, name, swapping)
            assert read_object(folder, "a") == b"code"
        write_object(folder, "a", b"code")


def test_a_full_disk_leaves_nothing(folder: Path) -> None:
    limited = f"""
import resource
from pathlib import Path
from optcodec.kernels import store
resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
try:
    store.write_object(Path({str(folder)!r}), "b", bytes(5000))
except store.FolderError as error:
    print(error)
"""
    assert run_python(folder, limited).stdout == f"{folder / 'b'}: File too large\n"
    assert [path.name for path in folder.iterdir()] == ["a"]


def test_a_place_where_no_folder_can_be_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "file").write_text("not a folder")
    monkeypatch.setenv("OPTCODEC_CACHE", str(tmp_path / "file"))
    with pytest.raises(FolderError, match="file is not a folder"):
        cache_folder()
    monkeypatch.setenv("OPTCODEC_CACHE", str(tmp_path / "file" / "below"))
    with pytest.raises(FolderError, match="Not a directory"):
        cache_folder()
    with pytest.raises(FolderError, match=r"Not a directory|File exists"):
        make_folder(tmp_path / "file" / "below")


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="the XDG folders are those of other systems")
def test_the_folder_is_among_the_users_caches(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("OPTCODEC_CACHE", raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "caches"))
    assert cache_folder() == tmp_path / "caches" / "optcodec"
    for ignored in ("", "caches", "./caches"):
        monkeypatch.setenv("XDG_CACHE_HOME", ignored)
        assert cache_folder() == tmp_path / ".cache" / "optcodec"
    for home in ("", "relative", str(tmp_path / "missing")):
        monkeypatch.setenv("HOME", home)
        with pytest.raises(FolderError, match="home folder"):
            cache_folder()


@as_root
def test_a_user_without_a_home_has_no_folder() -> None:
    text = """
os.environ.pop("HOME"), os.environ.pop("OPTCODEC_CACHE", ""), os.environ.pop("XDG_CACHE_HOME", "")
try: store.cache_folder()
except store.FolderError as error: print(error)
"""
    assert as_stranger(text) == "no home folder is known"


def test_the_notice_says_once_only_if_kernels_are_stored(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("not a folder")
    for folder, reason in ((tmp_path / "file", "is not a folder"), (None, "HOME is empty")):
        program = "import os\nos.environ.update(HOME='', XDG_CACHE_HOME='')\n" + MAKE
        (line,) = run_python(folder, program).stderr.splitlines()
        assert line.startswith("optcodec: compiling blockbits kernels for this processor, in every process: ")
        assert reason in line
        assert line.endswith("; OPTCODEC_CACHE names another folder")
    done = run_python(tmp_path / "new", MAKE)
    assert done.stderr == "optcodec: compiling blockbits kernels for this processor (once)\n"


MAKE = "from optcodec.kernels import load\nload('blockbits').add_bits"
