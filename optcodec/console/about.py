"""The origin of a result file, for later readers: the command, package versions and the machine."""

from __future__ import annotations

import platform
import shlex
import sys
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path
from typing import Any

from optcodec import __version__

__all__ = ["about", "processor"]


def about(*packages: str, program: str = "optcodec") -> dict[str, Any]:
    """Command, versions and machine, for the head of a result file; packages that are not installed are left out."""
    return {
        "command": shlex.join([program, *sys.argv[1:]]),
        "versions": {
            "optcodec": __version__,
            "python": platform.python_version(),
            **{package: installed for package in packages if (installed := _version(package))},
        },
        "machine": {"processor": processor(), "system": platform.system()},
    }


def processor() -> str:
    """Name of the processor."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    return next((line.partition(":")[2].strip() for line in lines if line.startswith("model name")), platform.machine())


def _version(package: str) -> str | None:
    try:
        return version(package)
    except PackageNotFoundError:
        return None
