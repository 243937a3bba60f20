"""If machine code of kernels cannot be made or loaded, numba compiles the same kernels in the process."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

import optcodec
from optcodec.errors import OptcodecError
from optcodec.kernels import cache, export, load, loading, plain, processes, target
from tests.cli_helpers import photograph, save
from tests.kernel_helpers import QUANTIZE, QUANTIZED, run_python, start

OPTCODEC = Path(sys.executable).with_name("optcodec")
DYING = "import os, sys\nif 'optcodec.kernels' in sys.orig_argv: os._exit(3)"
NOTICE = "optcodec: no machine code of kernels in this process ({}); numba.njit takes its place, slower"


@pytest.fixture
def fresh(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """Set up the state of a new process whose cache is empty."""
    monkeypatch.setattr(loading, "_objects", {})
    monkeypatch.setattr(loading, "_failures", [])
    monkeypatch.setenv("OPTCODEC_CACHE", str(tmp_path / "cache"))
    cache._file_name.cache_clear()
    loading._tell_once.cache_clear()


def assert_quantizes(kernels: SimpleNamespace) -> None:
    """The only kernel of ``quantize`` rounds to nearest, halves to even."""
    indices = np.full((2, 64), 99, np.int16)
    coefficients = np.arange(-64, 64, dtype=np.float32).reshape(2, 64)
    kernels.quantize_blocks(coefficients, np.full(64, 0.25, np.float32), np.full(64, 60, np.float32), indices)
    np.testing.assert_array_equal(indices, np.round(np.clip(coefficients, -60, 60) / 4))


def assert_falls_back(capfd: pytest.CaptureFixture[str], reason: str) -> None:
    """Check that loaded kernels work, and that one notice says why they are not machine code."""
    assert_quantizes(loading.load("quantize"))
    loading.load("quantize")
    loading.load("distortion")
    lines = [line for line in capfd.readouterr().err.splitlines() if not line.startswith("optcodec: compiling ")]
    assert lines == [NOTICE.format(reason)]


def failing(error: Exception) -> Callable[..., Any]:
    def fail(*_arguments: object, **_options: object) -> Any:
        raise error

    return fail


def empty_object() -> bytes:
    code: bytes = target.target_machine().emit_object(target.llvm_binding().parse_assembly(""))
    return code


GONE = {"gone": "i64[:] -> i64"}
BROKEN = {
    "AttributeError: no get_host_cpu_name": (cache, "processor", failing(AttributeError("no get_host_cpu_name"))),
    "FileNotFoundError: _version.py": (cache, "_versions", failing(FileNotFoundError("_version.py"))),
    "OSError: no more processes": (subprocess, "Popen", failing(OSError("no more processes"))),
    "RuntimeError of two lines": (cache, "compile_objects", failing(RuntimeError("RuntimeError of\ntwo lines"))),
    "the object file lacks gone": (cache, "objects", lambda stems: {stem: (empty_object(), GONE) for stem in stems}),
}


@pytest.mark.parametrize("reason", BROKEN)
def test_whatever_fails_numba_takes_its_place(
    fresh: None, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], reason: str
) -> None:
    monkeypatch.setattr(*BROKEN[reason])
    assert_falls_back(capfd, reason)


CHILDREN = {
    "import os; os.kill(os.getpid(), 9)": "the compiling process ended with status -9",
    "import llvmlite.binding; del llvmlite.binding.create_pass_builder": (
        "AttributeError: module 'llvmlite.binding' has no attribute 'create_pass_builder'"
    ),
    "import optcodec.kernels.export as export; export._ALLOWED_SYMBOLS = ('none',)": (
        "AssertionError: kernels call llvm.maxnum.v16f32: a kernel may neither allocate nor raise"
    ),
    "print('hello')": "the compiling process wrote something else than objects",
}


@pytest.mark.parametrize("damage", CHILDREN)
def test_a_failing_process_is_reported_in_one_line(
    fresh: None, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str], damage: str
) -> None:
    (tmp_path / "sitecustomize.py").write_text(damage)
    monkeypatch.syspath_prepend(tmp_path)
    assert_falls_back(capfd, CHILDREN[damage])


def test_encoding_gives_the_same_bytes(tmp_path: Path) -> None:
    (tmp_path / "sitecustomize.py").write_text(DYING)
    pixels = photograph(45, 61)
    picture, target = save(tmp_path / "a.png", pixels), tmp_path / "a.jpg"
    command = (OPTCODEC, "encode", picture, "-o", target, "-q", 60)
    done = start(tmp_path / "cache", *command, PYTHONPATH=str(tmp_path))
    assert done.returncode == 0
    assert done.stderr.splitlines()[1:] == [NOTICE.format("the compiling process ended with status 3")]
    assert target.read_bytes() == optcodec.encode(pixels, quality=60).data


def test_without_numba_there_is_one_line(tmp_path: Path) -> None:
    (tmp_path / "numba.py").write_text("raise ImportError('not for this Python')")
    picture = save(tmp_path / "a.png", photograph(8, 8))
    command = (OPTCODEC, "encode", picture, "-o", tmp_path / "a.jpg")
    done = start(tmp_path / "cache", *command, PYTHONPATH=str(tmp_path))
    assert done.returncode == 1
    assert done.stderr.splitlines() == [
        f"Error: {picture}: the encode kernels cannot be compiled by numba here (ImportError: not for this Python); "
        "the numba that pip installs with optcodec can"
    ]
    assert not (tmp_path / "a.jpg").exists()


def test_a_kernel_that_numba_cannot_compile_is_one_line(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export, "callable_from_python", failing(TypeError("cannot infer\nmany lines")))
    expected = (
        r"the kernel quantize_blocks cannot be compiled by numba here \(TypeError: cannot infer\); the numba that"
    )
    with pytest.raises(OptcodecError, match=expected) as caught:
        assert_quantizes(plain.plain_kernels("quantize"))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("mode", ["plain", "checked"])
def test_kernels_can_be_chosen_by_the_environment(tmp_path: Path, mode: str) -> None:
    done = run_python(tmp_path / "cache", OPTCODEC_KERNELS=mode)
    assert (done.stdout, done.stderr) == (QUANTIZED, "")
    assert not (tmp_path / "cache").exists()


def test_a_disabled_compiler_is_reported(tmp_path: Path) -> None:
    """The compiler stays enabled in the processes that compile machine code."""
    program = "from optcodec.kernels import load\nload('quantize')"
    done = run_python(tmp_path / "cache", program, NUMBA_DISABLE_JIT="1", NUMBA_BOUNDSCHECK="1", NUMBA_DUMP_IR="1")
    assert (done.returncode, done.stdout) == (0, "")
    assert done.stderr == "optcodec: compiling quantize kernels for this processor (once)\n"
    program = "from optcodec.kernels import load\ntry: load('rates')\nexcept Exception as error: print(repr(error))"
    done = run_python(tmp_path / "cache", program, NUMBA_DISABLE_JIT="1", OPTCODEC_KERNELS="plain")
    expected = "OptcodecError('NUMBA_DISABLE_JIT is set, which leaves the rates kernels without a compiler')\n"
    assert (done.stdout, done.stderr) == (expected, "")


@pytest.mark.parametrize("stderr", ["2>&-", "2>/dev/full"])
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs the full device of Linux")
def test_a_closed_stderr_is_no_error(tmp_path: Path, stderr: str) -> None:
    """The notices do not go to stdout either, which may be a file."""
    (tmp_path / "program.py").write_text(QUANTIZE)
    (tmp_path / "sitecustomize.py").write_text(DYING)
    command = f"{sys.executable} {tmp_path / 'program.py'} {stderr}"
    done = start(tmp_path / "cache", "sh", "-c", command, PYTHONPATH=str(tmp_path))
    assert (done.returncode, done.stdout) == (0, QUANTIZED)


class Child:
    """A replacement for a started process."""

    def __init__(self, ended: list[Child]) -> None:
        self._ended = ended

    def kill(self) -> None:
        self._ended.append(self)

    def communicate(self) -> tuple[bytes, bytes]:
        return b"", b""


def test_processes_end_when_another_one_cannot_be_started(monkeypatch: pytest.MonkeyPatch) -> None:
    started, ended = [], []

    def popen(*_arguments: object, **_options: object) -> Child:
        if started:
            raise OSError("no more processes")
        started.append(Child(ended))
        return started[0]

    monkeypatch.setattr(subprocess, "Popen", popen)
    monkeypatch.setattr(processes, "processor_count", lambda: 2)
    with pytest.raises(OSError, match="no more processes"):
        processes.compile_objects(["quantize", "rates"], [1, 1])
    assert ended == started


def test_other_kernels_than_there_are_cannot_be_chosen(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("OPTCODEC_KERNELS", "fast")
    with pytest.raises(OptcodecError, match="OPTCODEC_KERNELS is 'fast'; expected native, plain or checked"):
        loading.prepare("quantize")


FORK = """
import os, signal, threading
from optcodec.kernels import load, loading
held, done = threading.Event(), threading.Event()

def hold():
    with loading._lock:  # as a thread that waits for the compiler
        held.set()
        done.wait()

thread = threading.Thread(target=hold)
thread.start()
held.wait()
child = os.fork()
if child == 0:
    signal.alarm(20)
    load("huffman")
    os._exit(0)
print(os.waitpid(child, 0)[1])
done.set()
thread.join()
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork here")
def test_a_fork_while_kernels_are_loaded_does_not_hang() -> None:
    load("huffman")  # into the cache that the process finds
    done = start(None, sys.executable, "-W", "ignore", "-c", FORK, OPTCODEC_CACHE=os.environ.get("OPTCODEC_CACHE", ""))
    assert done.stdout == "0\n"
