"""Run Python in a separate process with an empty folder for compiled kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

# one of the kernels that take the least time to compile
COUNT = """
import numpy as np
from optcodec.kernels import load
print(load("huffman").count_bits(np.ones(2304, np.int64), np.full(2304, 3)))
"""


def start(
    cache: Path | None, *command: object, cwd: Path | None = None, stdin: TextIO | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; variables whose value is empty are removed from the environment."""
    environment = {**os.environ, "OPTCODEC_CACHE": str(cache or ""), **variables}
    environment = {name: value for name, value in environment.items() if value}
    words = [str(word) for word in command]
    return subprocess.run(words, stdin=stdin, capture_output=True, text=True, env=environment, cwd=cwd, check=False)


def run_python(cache: Path | None, text: str = COUNT, **options: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process."""
    return start(cache, sys.executable, "-c", text, **options)
