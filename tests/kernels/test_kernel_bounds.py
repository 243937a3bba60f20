"""Kernels that check every index and every address, ``OPTCODEC_KERNELS=checked``."""

from __future__ import annotations

import json
import sys
from collections import Counter
from pathlib import Path

from tests.damaged import outcomes
from tests.kernel_helpers import run_python, start

SEED = 1
WRONG = """
import numpy as np
from optcodec.kernels.export import _EXPORTS, export, helper
from optcodec.kernels.plain import _callable
from optcodec.kernels.scalars import load_u8, load_u64, store_u8, store_u64
from optcodec.kernels.vector import U8, address_of, emit

TABLE = np.arange(8, dtype=np.uint8)

@emit(1)
def put_16(b, target):
    b.constant(U8, [7] * 16).store(target)

@helper
def element(array, index):
    return array[index]

@export("u8[:], i64 -> i64")
def load_index(array, index):
    return element(array, index)

@export("out u8[:,:], i64 -> i64")
def store_index(array, index):
    array[1, index] = 5
    return 0

@export("u8[:], i64 -> i64")
def load_1(array, index):
    return load_u8(address_of(array) + index)

@export("u8[:], i64 -> i64")
def load_8(array, index):
    return load_u64(address_of(array) + index)

@export("u8[:], i64 -> i64")
def load_of_table(array, index):
    return load_u8(address_of(TABLE) + index)

@export("u8[:], i64 -> i64")
def load_of_slice(array, index):
    return load_u8(address_of(array[2:]) + index)

@export("out u8[:], i64 -> i64")
def store_8(array, index):
    store_u64(address_of(array) + index, 0)
    return 0

@export("out u8[:], i64 -> i64")
def store_16(array, index):
    put_16(address_of(array) + index)
    return 0

def ending(name, kernel, array, index):
    try:
        kernel(array, index)
    except IndexError as error:
        return str(error).partition(" at 0x")[0]
    return "fine"

spare = np.arange(200, dtype=np.uint8)
for name, (signature, compiled) in _EXPORTS["__main__"].items():
    kernel = _callable(name, signature, compiled)
    array = spare[80:120].reshape(2, 20) if name == "store_index" else spare[80:120]
    for index in INDICES[name]:
        print(name, index, ending(name, kernel, array, index))
assert (spare[:80] == np.arange(80)).all() and (spare[120:] == np.arange(120, 200)).all()
"""
INSIDE = {
    "load_index": (0, 39),
    "store_index": (0, 19),
    "load_1": (0, 39),
    "load_8": (0, 32),
    "load_of_table": (0, 7),
    "load_of_slice": (0, 37),
    "store_8": (0, 32),
    "store_16": (0, 24),
}
OUTSIDE = {
    "load_index": (40, 10**6),
    "store_index": (20, 10**6),
    "load_1": (-1, 40, 10**12),
    "load_8": (-1, 33, 10**12),
    "load_of_table": (-1, 8),
    "load_of_slice": (-1, 38),
    "store_8": (-1, 33, 10**12),
    "store_16": (-1, 25),
}


def endings(tmp_path: Path, indices: dict[str, tuple[int, ...]]) -> list[str]:
    done = run_python(tmp_path, f"INDICES = {indices!r}\n{WRONG}", OPTCODEC_KERNELS="checked")
    assert done.returncode == 0, done.stderr
    return done.stdout.splitlines()


def test_wrong_indices_and_addresses_raise_and_right_ones_do_not(tmp_path: Path) -> None:
    both = {name: (*INSIDE[name], *OUTSIDE[name]) for name in INSIDE}
    lines = endings(tmp_path, both)
    expected = []
    for name, indices in both.items():
        nbytes = {"load_8": 8, "store_8": 8, "store_16": 16}.get(name, 1)
        error = f"kernel {name} loads or stores {nbytes} bytes"
        if name.endswith("index"):
            error = "index is out of bounds"  # in numba's words
        expected += [f"{name} {index} {'fine' if index in INSIDE[name] else error}" for index in indices]
    assert lines == expected


def test_no_damaged_file_leads_the_decoder_out_of_its_arrays(tmp_path: Path) -> None:
    command, checkout = (sys.executable, "-m", "tests.damaged", SEED), Path(__file__).parents[2]
    done = start(tmp_path, *command, cwd=checkout, OPTCODEC_KERNELS="checked")
    assert done.returncode == 0, done.stderr
    checked, expected = json.loads(done.stdout), outcomes(SEED)
    assert checked == expected
    kinds = Counter(whole.partition(":")[0] if ":" in whole else "read" for whole, _ in expected)
    assert set(kinds) <= {"read", "MalformedJpegError", "UnsupportedJpegError"}
    assert min(kinds["read"], kinds["MalformedJpegError"]) > 100, kinds
