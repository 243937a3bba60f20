"""Run Python in a separate process with an empty folder for compiled kernels."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TextIO

# The kernel that is compiled soonest: 64 ratios of 27 / 4 are rounded to 7, and the program prints their sum.
QUANTIZE = """
import numpy as np
from optcodec.kernels import load
indices = np.zeros((1, 64), np.int16)
coefficients, reciprocals, limits = (np.full(64, number, np.float32) for number in (27, 0.25, 60))
load("quantize").quantize_blocks(coefficients[None], reciprocals, limits, indices)
print(indices.sum())
"""
QUANTIZED = "448\n"


def start(
    cache: Path | None, *command: object, cwd: Path | None = None, stdin: TextIO | None = None, **variables: str
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; variables whose value is empty are removed from the environment."""
    environment = {**os.environ, "OPTCODEC_CACHE": str(cache or ""), **variables}
    environment = {name: value for name, value in environment.items() if value}
    words = [str(word) for word in command]
    return subprocess.run(words, stdin=stdin, capture_output=True, text=True, env=environment, cwd=cwd, check=False)


def run_python(cache: Path | None, text: str = QUANTIZE, **options: object) -> subprocess.CompletedProcess[str]:
    """Run Python code in a new process."""
    return start(cache, sys.executable, "-c", text, **options)
