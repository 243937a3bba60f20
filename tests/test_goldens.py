"""The files of `tests.goldens` have the stored hashes, also without the instructions of newer processors."""

from __future__ import annotations

import platform
import subprocess
import sys
from pathlib import Path

import pytest

from tests.goldens import WITHOUT, digests, known, without


def test_bytes_are_what_they_were() -> None:
    assert digests() == known()


@pytest.mark.skipif(platform.machine().lower() not in ("x86_64", "amd64"), reason="needs an x86-64 processor")
@pytest.mark.parametrize("processor", WITHOUT)
def test_bytes_do_not_depend_on_the_processor(processor: str) -> None:
    """Compiled code, numpy, BLAS and the C library run without AVX-512, or with the instructions of 2009 only."""
    done = subprocess.run(
        [sys.executable, "-m", "tests.goldens"],
        env=without(processor),
        cwd=Path(__file__).parents[1],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
