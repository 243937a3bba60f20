"""Functions that the tests of the command line share: a test picture, running commands, reading their output."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
from click.testing import CliRunner, Result
from PIL import Image

from optcodec.cli import main


def photograph(height: int, width: int) -> np.ndarray:
    """A colour picture with a smooth gradient, an edge and some noise."""
    y, x = np.mgrid[:height, :width]
    planes = (128 + 90 * np.sin(x / 9), 128 + 90 * np.cos(y / 7), np.where(x > y, 200, 60))
    noise = np.random.default_rng(5).normal(0, 6, (height, width, 3))
    return np.clip(np.stack(planes, axis=-1) + noise, 0, 255).astype(np.uint8)


def save(path: Path, pixels: np.ndarray, **options: Any) -> Path:
    """Write an image with Pillow."""
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(path, **options)
    return path


def run(*arguments: object) -> Result:
    """Run the command line in this process."""
    return CliRunner().invoke(main, [str(argument) for argument in arguments])


def messages(result: Result) -> list[str]:
    """Lines on stderr, without those about compiling kernels, which only a first run prints."""
    return [line for line in result.stderr.splitlines() if not line.startswith("optcodec: compiling")]


def run_json(*arguments: object) -> Any:
    """Run a command that must succeed, and return the JSON object that it prints."""
    result = run(*arguments, "--json")
    assert result.exit_code == 0, result.stderr
    return json.loads(result.stdout)


def refusal(*arguments: object, status: int = 1) -> str:
    """Run a command that must fail with one line and no traceback, and return that line."""
    result = run(*arguments)
    assert result.exit_code == status, result.output
    assert isinstance(result.exception, SystemExit)
    assert result.stdout == ""
    lines = messages(result)
    assert len(lines) == 1, lines
    return lines[0]
