"""Heavy packages are imported only by the functions that need them, so that commands start quickly."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.onnx_helpers import mean_network

HEAVY = ("numba", "torch", "matplotlib", "scipy", "skimage", "PIL", "rich", "llvmlite", "numpy")


def heavy_after(code: str, *, cwd: Path | None = None) -> set[str]:
    """Heavy packages in ``sys.modules`` of a new process after some code, which must succeed."""
    report = f"import sys; print('HEAVY', *[name for name in {HEAVY!r} if name in sys.modules])"
    program = f"import atexit\n@atexit.register\ndef report():\n    {report}\n{code}"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, cwd=cwd, check=False)
    assert done.returncode == 0, done.stderr
    return set(done.stdout.rpartition("HEAVY")[2].split())


def command(*arguments: object, package: str = "optcodec") -> str:
    return f"from {package}.cli import main\nmain({[str(argument) for argument in arguments]!r})"


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    noise = np.random.default_rng(3).integers(0, 256, (40, 56, 3), np.uint8)
    Image.fromarray(noise).save(tmp_path / "a.png")
    Image.fromarray(noise).save(tmp_path / "b.jpg")
    return tmp_path / "a.png"


def test_the_package_costs_nothing() -> None:
    assert heavy_after("import optcodec") == set()


VERBS = (
    "encode",
    "design",
    "sensitivity",
    "blocks profile",
    "blocks show",
    "inspect",
    "compare",
    "accuracy",
    "verify",
    "fit",
    "rates",
    "plot",
    "report",
    "demo",
    "warm-up",
)


@pytest.mark.parametrize("verb", ["", "blocks", *VERBS])
def test_help_imports_nothing_heavy(verb: str) -> None:
    assert heavy_after(command(*verb.split(), "--help")) == set()


@pytest.mark.parametrize("verb", ["", "run", "train", "compress", "export", "evaluate", "pipeline"])
def test_help_of_restore_imports_nothing_heavy(verb: str) -> None:
    assert heavy_after(command(*verb.split(), "--help", package="restore")) == set()


def test_inspect_imports_numpy_at_most(picture: Path) -> None:
    assert heavy_after(command("inspect", picture.with_name("b.jpg"))) <= {"numpy"}


@pytest.mark.parametrize(
    "options", [["-q", "80"], ["--profile", "mobilenet_v2", "--water-level", "0.05"]], ids=["quality", "profile"]
)
def test_encode_imports_no_torch(picture: Path, options: list[str]) -> None:
    heavy_after(command("encode", picture, "-o", picture.with_name("warm.jpg"), *options))  # which compiles the kernels
    heavy = heavy_after(command("encode", picture, "-o", picture.with_name("c.jpg"), *options))
    assert heavy <= {"numpy", "PIL", "llvmlite"}


def test_verify_with_an_onnx_file_imports_no_torch(tmp_path: Path, picture: Path) -> None:
    pytest.importorskip("onnxruntime")
    for folder in ("before", "after"):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / "a.png").write_bytes(picture.read_bytes())
    network = mean_network(tmp_path / "net.onnx", (1, 3, 56, 56))
    folders = "--before", tmp_path / "before", "--after", tmp_path / "after"
    assert heavy_after(command("verify", *folders, "--network", network)) <= {"numpy", "PIL"}
