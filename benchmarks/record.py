"""Write the result of a benchmark with what one needs to read it later: command, versions, machine."""

from __future__ import annotations

import json
import platform
import sys
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optcodec
from optcodec.cli.about import processor

RESULTS = Path(__file__).parent / "results"


def write_result(name: str, figures: dict[str, Any], *, packages: tuple[str, ...] = ("numpy", "numba")) -> Path:
    """Write ``results/<name>.json`` and return its path; ``packages`` are those whose versions matter."""
    about = {
        "command": " ".join(["python", f"benchmarks/{Path(sys.argv[0]).name}", *sys.argv[1:]]),
        "optcodec": optcodec.__version__,
        "python": platform.python_version(),
        "packages": {package: version(package) for package in packages},
        "machine": {"processor": processor(), "system": platform.system()},
    }
    RESULTS.mkdir(exist_ok=True)
    path = RESULTS / f"{name}.json"
    path.write_text(json.dumps(about | figures, indent=2) + "\n")
    return path
