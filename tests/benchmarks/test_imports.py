"""Every script of the benchmarks can at least be imported: what it takes from the packages is there."""

from __future__ import annotations

import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
MODULES = sorted(
    ".".join(path.relative_to(ROOT).with_suffix("").parts)
    for path in (ROOT / "benchmarks").rglob("*.py")
    if path.name != "__init__.py"
)


@pytest.mark.parametrize("module", MODULES)
def test_a_script_is_imported(module: str) -> None:
    try:
        importlib.import_module(module)
    except ModuleNotFoundError as missing:  # a package that an extra brings
        if missing.name is None or missing.name.split(".")[0] in ("benchmarks", "optcodec", "restore"):
            raise
        pytest.skip(f"{missing.name} is not installed")
