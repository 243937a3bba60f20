"""Results of benchmarks, each with the command, the package versions and the machine that it was measured with."""

from __future__ import annotations

import json
import platform
import shlex
import sys
from collections.abc import Callable, Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Any

import optcodec
from optcodec.console.about import processor

ROOT = Path(__file__).parents[1]  # folder of the checkout
RESULTS = ROOT / "benchmarks" / "results"


def write_result(
    name: str, figures: dict[str, Any], *, packages: tuple[str, ...] = ("numpy", "numba"), renewed: bool = False
) -> Path:
    """Write the result of a benchmark.

    Parameters
    ----------
    name : str
        Its name.
    figures : dict
        What was measured, ready for JSON.
    packages : tuple of str
        Whose versions are written, too.
    renewed : bool
        Whether some of the figures are those of the result that is there. The commands that made these stay in
        ``earlier_commands``.

    Returns
    -------
    Path
        ``results/<name>.json``.
    """
    path = _path_of(name)
    command = f"python -m {shlex.join([_module(), *map(_shown, sys.argv[1:])])}"
    about = {
        "command": command,
        **({"earlier_commands": _earlier_commands(name, command)} if renewed else {}),
        "optcodec": optcodec.__version__,
        "python": platform.python_version(),
        "packages": {package: version(package) for package in packages},
        "machine": {"processor": processor(), "system": platform.system()},
    }
    RESULTS.mkdir(exist_ok=True)
    path.write_text(json.dumps(about | figures, indent=2) + "\n")
    return path


def load_result(name: str) -> dict[str, Any]:
    """The result of a benchmark, as it was written."""
    document: dict[str, Any] = json.loads(_path_of(name).read_text("utf-8"))
    return document


def tables_of(needs: Mapping[str, tuple[Callable[..., str], Sequence[str]]]) -> dict[str, str]:
    """Tables by name, each from a function and the names of the results that it takes; empty where one is missing."""
    return {
        name: make(*map(load_result, results)) if all(map(has_result, results)) else ""
        for name, (make, results) in needs.items()
    }


def has_result(name: str) -> bool:
    """Whether there is a result of that name."""
    return _path_of(name).exists()


def _path_of(name: str) -> Path:
    return RESULTS / f"{name}.json"


def _earlier_commands(name: str, command: str) -> list[str]:
    """The commands of a result, the first one first, each once; this one is the last now."""
    document = load_result(name)
    commands = [*document.get("earlier_commands", []), document["command"]]
    return [each for each in dict.fromkeys(commands) if each != command]


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
