"""Kernels as machine code: signatures, checks at the call, the cache on disk, what a kernel may not do."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import optcodec
from optcodec.kernels import cache, load
from optcodec.kernels.plain import plain_kernels
from optcodec.kernels.processes import pack, unpack
from optcodec.kernels.signature import Signature
from tests.kernel_helpers import QUANTIZE, QUANTIZED
from tests.kernel_helpers import run_python as run


@pytest.mark.parametrize("text", ["u8[:,:], out i64[:], f64 -> i64", "i16[:,:,:,:], i64", "f32[:]"])
def test_signatures_are_read_as_they_are_written(text):
    assert str(Signature.parse(text)) == text


@pytest.mark.parametrize("load", [load, plain_kernels])
def test_arguments_must_have_the_type_and_layout_of_the_signature(load):
    count_bits = load("huffman").count_bits
    good = np.ones(2304, np.int64)
    assert count_bits(good, good) == 2304
    frozen = np.zeros(8, np.int64)
    frozen.flags.writeable = False
    for wrong in (good.astype(np.int32), good.reshape(48, 48)):
        with pytest.raises(TypeError, match=r"expects i64\[:\], C-contiguous"):
            count_bits(wrong, good)
    for writable in (True, False):
        strided = np.ones(4608, np.int64)[::2]
        strided.flags.writeable = writable
        with pytest.raises(TypeError, match=r"C.contiguous"):
            count_bits(strided, good)
    with pytest.raises(TypeError, match="missing 1 required positional argument"):
        count_bits(good)
    with pytest.raises(TypeError, match="not writable"):
        load("huffman").build_tables(
            good, np.empty(2315, np.int64), frozen, np.empty(2304, np.int64), np.empty(0, np.uint8)
        )


def test_packed_objects_are_unpacked():
    assert unpack(pack(b"machine\ncode", {"f": "i64 -> i64"})) == (b"machine\ncode", {"f": "i64 -> i64"})


@pytest.fixture(scope="module")
def compiled(tmp_path_factory):
    """A cache folder with one kernel file in it."""
    folder = tmp_path_factory.mktemp("cache")
    first = run(folder)
    assert first.stdout == QUANTIZED
    assert "compiling quantize kernels" in first.stderr
    return folder


def test_a_second_process_compiles_nothing_and_imports_no_numba(compiled, tmp_path):
    shutil.copytree(compiled, tmp_path, dirs_exist_ok=True)
    second = run(tmp_path, QUANTIZE + "\nimport sys\nprint('numba' in sys.modules)")
    assert second.stdout == f"{QUANTIZED}False\n"
    assert second.stderr == ""


@pytest.mark.parametrize("damage", ["cut", "changed", "open to others"])
def test_a_file_that_cannot_be_trusted_is_compiled_again(compiled, tmp_path, damage):
    shutil.copytree(compiled, tmp_path, dirs_exist_ok=True)
    (kernel,) = tmp_path.iterdir()
    content = kernel.read_bytes()
    if damage == "cut":
        kernel.write_bytes(content[:-100])
    elif damage == "changed":
        kernel.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    else:
        kernel.chmod(0o666)
    again = run(tmp_path)
    assert again.stdout == QUANTIZED
    assert "compiling" in again.stderr
    assert kernel.read_bytes() == content


def test_without_a_cache_folder_kernels_still_work(tmp_path):
    (tmp_path / "file").write_text("not a folder")
    assert run(tmp_path / "file").stdout == QUANTIZED


def test_the_key_depends_on_imported_kernel_files():
    sources = cache._sources("encode", set())
    folder = Path(cache.__file__).parent
    for needed in ("encode", "samples", "dct", "entropy", "scalars", "vector", "zigzag", "export", "target"):
        assert (folder / f"{needed}.py").read_bytes() in sources


def test_a_kernel_that_allocates_is_refused():
    from optcodec.kernels import export

    @export.export("i64 -> i64")
    def allocating(size):
        return np.zeros(size).shape[0]

    stem = __name__.rpartition(".")[2]
    try:
        with pytest.raises(AssertionError, match="may neither allocate nor raise"):
            export.compile_exports(stem)
    finally:
        del export._EXPORTS[stem]


FULL = """
import mmap, sys
import llvmlite.binding, PIL.Image, optcodec.encoder, optcodec.jpeg.sources
import numpy as np

flags = mmap.MAP_PRIVATE | mmap.MAP_ANONYMOUS | getattr(mmap, "MAP_NORESERVE", 0x4000)
hole = mmap.mmap(-1, 2 * mmap.PAGESIZE)
sizes = (1 << 20, 1 << 16, 1 << 14, 3 * mmap.PAGESIZE)
blocks = [mmap.mmap(-1, size, flags=flags) for size in sizes for _ in range(600)]
blocks.append(mmap.mmap(-1, 3 << 30, flags=flags))
hole.close()
pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
sys.stdout.buffer.write(optcodec.encode(pixels, target=optcodec.MaxBytes(1500), progressive=True).data)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="where memory lies is Linux's affair here")
def test_code_and_its_constants_lie_together_in_a_crowded_process() -> None:
    """Code reaches 2 GiB far. Here is room for one or two pages, and for more only 3 GiB away, as among the libraries
    of torch: sections that were placed one by one were too far apart, now and then."""
    done = subprocess.run([sys.executable, "-c", FULL], capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    assert done.stdout == optcodec.encode(pixels, target=optcodec.MaxBytes(1500), progressive=True).data
