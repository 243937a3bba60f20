"""The entries for data files in pyproject.toml include all files that the installed packages need."""

from __future__ import annotations

import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
if not (ROOT / "optcodec").is_dir():
    pytest.skip("the source tree is not at hand", allow_module_level=True)
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.mark.parametrize(("package", "place"), [("optcodec", "data"), ("optcodec", "report"), ("restore", "data")])
def test_all_data_files_are_installed(package: str, place: str) -> None:
    """All data files are installed except the README files, which are for readers of the sources."""
    patterns = PROJECT["tool"]["setuptools"]["package-data"][package]
    folder = ROOT / package
    found = [path for path in (folder / place).rglob("*") if path.is_file() and "__pycache__" not in path.parts]
    files = [path.relative_to(folder) for path in found if path.suffix != ".py"]
    assert len(files) > 5
    left_out = [path for path in files if not any(path.match(pattern) for pattern in patterns)]
    assert [path for path in left_out if path.name != "README.md"] == []


def test_the_lowest_version_of_every_package_can_be_pinned() -> None:
    """By what CI installs for the lower bounds, also of packages whose names end in a digit."""
    script = ROOT / ".ci" / "requirements.py"
    if not script.is_file():
        pytest.skip("the checks of CI are not at hand")
    done = subprocess.run([sys.executable, script, "lowest"], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    pinned = dict(line.split("==") for line in done.stdout.splitlines())
    assert pinned["ssimulacra2"] == "0.3"
    assert pinned["pyvips[binary]"] == "3.0"
    assert "torchmetrics" not in pinned, "it needs torch, which is left out"
