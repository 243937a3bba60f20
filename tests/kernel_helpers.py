"""Python in processes of their own, with a folder for compiled kernels of their own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

# one of the kernels that are compiled soonest
COUNT = """
import numpy as np
from optcodec.kernels import load
print(load("huffman").count_bits(np.ones(2304, np.int64), np.full(2304, 3)))
"""


def start(
    cache: Path | None, *command: object, cwd: Path | None = None, stdin: TextIO | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; an empty environment variable is not set at all."""
    environment = {**os.environ, "OPTCODEC_CACHE": str(cache or ""), **variables}
    environment = {name: value for name, value in environment.items() if value}
    words = [str(word) for word in command]
    return subprocess.run(words, stdin=stdin, capture_output=True, text=True, env=environment, cwd=cwd, check=False)


def run_python(cache: Path | None, text: str = COUNT, **options: object) -> subprocess.CompletedProcess[str]:
    """Run a program."""
    return start(cache, sys.executable, "-c", text, **options)
