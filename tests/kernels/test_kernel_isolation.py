"""Files in the current folder are not executed when kernels are compiled."""

from __future__ import annotations

import os
import shutil
import sys
from pathlib import Path

import pytest

import optcodec
from optcodec.kernels import prepare, processes
from optcodec.kernels.store import cache_folder
from tests.cli_helpers import photograph, save
from tests.kernel_helpers import start

OPTCODEC = Path(sys.executable).with_name("optcodec")
TRAPS = ("numba", "llvmlite", "json", "random", "sitecustomize", "optcodec")
LOAD = "from optcodec.kernels import load; print(load('quantize'))"


@pytest.fixture
def photographs(tmp_path: Path) -> Path:
    """A folder with files that have names of modules, and that create a file when they are executed."""
    folder = tmp_path / "photographs"
    save(folder / "a.png", photograph(20, 24))
    for name in TRAPS:
        trap(folder, name)
    return folder


def trap(folder: Path, name: str) -> None:
    folder.mkdir(exist_ok=True)
    (folder / f"{name}.py").write_text(f"open({str(folder / 'executed')!r}, 'a').write({name!r} + ' ')\n")


def executed(folder: Path) -> str:
    return (folder / "executed").read_text() if (folder / "executed").exists() else ""


@pytest.fixture
def cache_without_bits(tmp_path: Path) -> Path:
    """A folder with the compiled kernels that encoding takes, but for those of ``bits``, which compile sooner."""
    prepare("encode", "huffman", "bits")
    folder = tmp_path / "cache"
    shutil.copytree(cache_folder(), folder, ignore=shutil.ignore_patterns("bits-*", ".*"))
    return folder


def test_encoding_among_modules_executes_none_of_them(photographs: Path, cache_without_bits: Path) -> None:
    for command in ((OPTCODEC,), (sys.executable, "-P", "-m", "optcodec")):
        done = start(cache_without_bits, *command, "encode", "a.png", "-o", "a.jpg", cwd=photographs)
        assert done.returncode == 0, done.stderr
        assert done.stderr == "optcodec: compiling bits kernels for this processor (once)\n"
        assert executed(photographs) == ""
        assert (photographs / "a.jpg").read_bytes() == optcodec.encode(photograph(20, 24)).data
        next(cache_without_bits.glob("bits-*")).unlink()  # so that it is compiled again


@pytest.mark.parametrize(("how", "path"), [("-c", ""), ("-c", ":"), ("-m", "")])
def test_compiling_processes_do_not_import_from_the_current_folder(tmp_path: Path, how: str, path: str) -> None:
    """PYTHONPATH comes before the standard library, so only files whose names are not in that library can be tested."""
    trap(tmp_path, "numba")
    (tmp_path / "program.py").write_text(LOAD)
    arguments = ("-c", LOAD) if how == "-c" else ("-m", "program")
    done = start(tmp_path / "cache", sys.executable, *arguments, cwd=tmp_path, PYTHONPATH=path)
    assert "quantize_blocks" in done.stdout
    assert done.stderr == "optcodec: compiling quantize kernels for this processor (once)\n"
    assert executed(tmp_path) == ""


def test_the_current_folder_is_left_out_of_the_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "lib").mkdir()
    (tmp_path / "link").symlink_to(tmp_path)
    monkeypatch.chdir(tmp_path)
    outside = [str(tmp_path / "elsewhere"), "/usr/lib/python3"]
    monkeypatch.setattr(sys, "path", ["", ".", "lib", str(tmp_path), str(tmp_path / "link"), "./", *outside])
    assert processes.search_path() == [str(tmp_path / "lib"), *outside]


def test_the_folder_of_the_package_stays_in_the_path(monkeypatch: pytest.MonkeyPatch) -> None:
    checkout = Path(optcodec.__file__).parents[1]
    monkeypatch.chdir(checkout)
    monkeypatch.setattr(sys, "path", ["", "/usr/lib/python3"])
    assert processes.search_path() == [str(checkout), "/usr/lib/python3"]


def test_a_removed_current_folder_is_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "gone").mkdir()
    monkeypatch.chdir(tmp_path / "gone")
    (tmp_path / "gone").rmdir()
    monkeypatch.setattr(sys, "path", ["", "lib", "/usr/lib/python3"])
    assert processes.search_path() == ["/usr/lib/python3"]
    monkeypatch.chdir(tmp_path)


def test_standard_input_is_left_to_the_command(tmp_path: Path) -> None:
    """Otherwise the processes that compile would share stdin with the command."""
    read, write = os.pipe()
    os.write(write, b"for the command")
    os.close(write)
    program = f"{LOAD}\nimport sys\nprint(sys.stdin.read())"
    (tmp_path / "path").mkdir()
    (tmp_path / "path" / "sitecustomize.py").write_text(
        "import sys\nif 'optcodec.kernels' in sys.orig_argv: sys.stdin.read()\n"
    )
    with os.fdopen(read) as stdin:
        done = start(tmp_path / "cache", sys.executable, "-c", program, stdin=stdin, PYTHONPATH=str(tmp_path / "path"))
    assert done.stdout.endswith("for the command\n")
