"""Every script of the benchmarks can at least be imported: what it takes from the packages and replaces is there."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "benchmarks").rglob("*.py")
    if path.name != "__init__.py"
)


def imported(module: str) -> ModuleType:
    """A script as a module; the test is skipped where a package is missing that an extra brings."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as missing:
        if missing.name is None or missing.name.split(".")[0] in ("benchmarks", "optcodec", "restore"):
            raise
        pytest.skip(f"{missing.name} is not installed")


def replaced(module: str) -> list[tuple[str, str, str]]:
    """What ``patch.object`` replaces in a script: the script, and the names of the object and of the attribute."""
    tree = ast.parse((ROOT / module.replace(".", "/")).with_suffix(".py").read_text("utf-8"))
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call) and ast.unparse(node.func) == "patch.object"]
    return [(module, ast.unparse(call.args[0]), ast.literal_eval(call.args[1])) for call in calls]


@pytest.mark.parametrize("module", MODULES)
def test_a_script_is_imported(module: str) -> None:
    imported(module)


@pytest.mark.parametrize(("module", "name", "attribute"), [part for module in MODULES for part in replaced(module)])
def test_what_a_script_replaces_is_there(module: str, name: str, attribute: str) -> None:
    assert hasattr(getattr(imported(module), name), attribute)
