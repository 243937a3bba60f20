"""Write the result of a benchmark, with the command, the package versions and the machine that it was measured with."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optcodec
from optcodec.console.about import processor

ROOT = Path(__file__).parents[1]  # folder of the checkout
RESULTS = ROOT / "benchmarks" / "results"


def write_result(name: str, figures: dict[str, Any], *, packages: tuple[str, ...] = ("numpy", "numba")) -> Path:
    """Write ``results/<name>.json`` and return its path; the versions of ``packages`` are written with the figures."""
    about = {
        "command": " ".join(["python -m", _module(), *map(_shown, sys.argv[1:])]),
        "optcodec": optcodec.__version__,
        "python": platform.python_version(),
        "packages": {package: version(package) for package in packages},
        "machine": {"processor": processor(), "system": platform.system()},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(about | figures, indent=2) + "\n")
    return path


def _module() -> str:
    """Dotted name of the module that runs, such as ``benchmarks.speed.startup``."""
    path = Path(sys.argv[0]).resolve()
    return ".".join(path.relative_to(ROOT).with_suffix("").parts) if path.is_relative_to(ROOT) else path.stem


def _shown(argument: str) -> str:
    """An argument of the command; of a path outside of the checkout, which is another one elsewhere, only its name."""
    path = Path(argument)
    if not path.is_absolute():
        return argument
    return str(path.relative_to(ROOT)) if path.is_relative_to(ROOT) else path.name
