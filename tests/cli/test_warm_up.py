"""``optcodec warm-up`` compiles all kernels, for this processor or for others, and reports what it did."""

from __future__ import annotations

import os
import platform
import re
import sys
from pathlib import Path

import pytest

from optcodec.kernels import cache, loading, target
from tests.cli_helpers import refusal, run, run_json
from tests.kernel_helpers import start

OPTCODEC = Path(sys.executable).with_name("optcodec")
SOURCES = Path(cache.__file__).parent
FEW = ("blockbits", "quantize")


@pytest.fixture
def few(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """An empty kernel folder for a process that is limited to two small files of kernels."""
    monkeypatch.setattr(cache, "exporting_stems", lambda: list(FEW))
    monkeypatch.setattr(loading, "_objects", {})
    monkeypatch.setattr(loading, "_failures", [])
    monkeypatch.setenv("OPTCODEC_CACHE", str(tmp_path / "kernels"))
    return tmp_path / "kernels"


def test_every_file_that_exports_kernels_is_known() -> None:
    """The list of kernel files has every file that exports kernels, and no other."""
    loaded = set()
    for path in set(SOURCES.parent.rglob("*.py")) - set(SOURCES.iterdir()):
        loaded |= set(re.findall(r'\bload\("(\w+)"\)', path.read_text()))
    stems = cache.exporting_stems()
    assert loaded <= set(stems)
    assert {"scalars", "vector", "export", "cache"}.isdisjoint(stems)
    assert stems == sorted(set(stems))


def test_kernels_are_compiled_once_and_told(few: Path) -> None:
    first = run_json("warm-up")
    assert first["folder"] == str(few)
    assert first["files"] == [{"name": name, "kernels": 1, "compiled": True} for name in FEW]
    assert first["seconds"] > 0
    assert sorted(path.name.partition("-")[0] for path in few.iterdir()) == list(FEW)
    loading._objects.clear()
    second = run_json("warm-up")
    assert [file["compiled"] for file in second["files"]] == [False, False]
    assert second["processor"] == first["processor"]
    text = run("warm-up")
    assert text.stderr == ""
    assert re.fullmatch(rf"2 kernels in 2 files for \S+ in {few}: all compiled before, \d+\.\d s\n", text.stdout), (
        text.stdout
    )


def test_kernels_compiled_in_advance_are_not_compiled_again(few: Path) -> None:
    assert "2 of the files compiled now" in run("warm-up").stdout
    program = "from optcodec.kernels import load; print(load('quantize'), load('blockbits'))"
    done = start(few, sys.executable, "-c", program)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(platform.machine() not in ("x86_64", "AMD64"), reason="the name is that of x86-64 processors")
def test_code_for_many_processors_does_not_depend_on_the_one_at_hand(
    few: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The code is only loaded, not run, since this processor may lack the instructions of the other."""
    monkeypatch.setenv("NUMBA_CPU_NAME", "x86-64-v3")
    monkeypatch.setenv("NUMBA_CPU_FEATURES", "+fma")
    cache._file_name.cache_clear()
    try:
        assert run_json("warm-up")["processor"] == "x86-64-v3"
        binding = target.llvm_binding()
        monkeypatch.setattr(binding, "get_host_cpu_name", lambda: "another")
        monkeypatch.setattr(binding, "get_host_cpu_features", dict)
        cache._file_name.cache_clear()
        assert set(cache.cached_objects(FEW)) == set(FEW)
    finally:
        cache._file_name.cache_clear()


def test_a_folder_that_cannot_keep_them_is_refused(few: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    few.mkdir()
    few.chmod(0o777)
    assert "compiled kernels cannot be kept: others than its owner can write to" in refusal("warm-up")
    few.chmod(0o755)
    monkeypatch.setattr(os, "access", lambda *_arguments, **_options: False)
    assert f"compiled kernels cannot be kept: {few} cannot be written to" in refusal("warm-up")
    monkeypatch.undo()
    monkeypatch.setenv("OPTCODEC_KERNELS", "plain")
    assert "OPTCODEC_KERNELS is 'plain', for which nothing is kept" in refusal("warm-up")


def test_without_a_compiler_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('no compiler')")
    done = start(tmp_path / "kernels", OPTCODEC, "warm-up", "--json", PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (1, "")
    (line,) = done.stderr.splitlines()
    assert line.startswith("Error: there is no machine code of kernels to be kept: ")
