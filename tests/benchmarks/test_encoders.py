"""The encoders of the benchmark of data sets, also sharp's worker, where node finds it."""

from __future__ import annotations

import io
import json
import subprocess
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import optcodec
from benchmarks.speed import dataset
from benchmarks.speed.encoders import ENCODERS, WRITERS, is_there, packages, saved, sharp_version, sharp_worker
from benchmarks.speed.tables import data_set
from tests.cli_helpers import photograph

PHOTOS = [photograph(56, 72), photograph(41, 50)[::-1].copy()]
_STANDARD_HUFFMAN = b"\xff\xc4\x00\xb5\x10"  # DHT, its length, and AC coefficients of luminance: T.81, K.5
_WITHOUT_OPTIMIZATION = {"simplejpeg", "simplejpeg_threads", "torchvision"}


@pytest.mark.filterwarnings("ignore:The image decoding and encoding capabilities of TorchVision:DeprecationWarning")
@pytest.mark.parametrize("name", ENCODERS)
def test_files_are_those_of_the_pictures(name: str) -> None:
    """In their order, at 4:2:0, and with Huffman tables of their own, where the encoder makes them."""
    if not is_there(name):
        pytest.skip(f"{name} is not installed")
    files = ENCODERS[name](PHOTOS, None if name == "designed" else 75, 1)
    assert len(files) == len(PHOTOS)
    for photo, data in zip(PHOTOS, files, strict=True):
        assert optcodec.psnr_db(photo, np.asarray(Image.open(io.BytesIO(data)))) > 25
        assert optcodec.read_jpeg(data).subsampling == "4:2:0"
        assert (_STANDARD_HUFFMAN in data) == (name in _WITHOUT_OPTIMIZATION)


@pytest.mark.filterwarnings("ignore:The image decoding and encoding capabilities of TorchVision:DeprecationWarning")
@pytest.mark.parametrize("name", WRITERS)
def test_files_from_files_are_those_from_memory(name: str, tmp_path: Path) -> None:
    """With two threads, where there are any; pictures that are there twice give the same files twice."""
    if not is_there(name):
        pytest.skip(f"{name} is not installed")
    for folder in ("in", "out"):
        (tmp_path / folder).mkdir()
    saved(PHOTOS, tmp_path / "in", files=3)
    setting = None if name == "designed" else 75
    WRITERS[name](tmp_path / "in", tmp_path / "out", setting, 2)
    assert [path.name for path in sorted((tmp_path / "out").iterdir())] == [f"{number:03}.jpg" for number in range(4)]
    expected = ENCODERS["plain" if name == "command" else name](PHOTOS, setting, 1)
    assert [path.read_bytes() for path in sorted((tmp_path / "out").iterdir())] == expected * 2


def test_encoders_that_go_by_another_name_are_no_packages() -> None:
    assert set(packages()) <= {"simplejpeg", "pillow", "pyvips", "torchvision"}
    assert is_there("simplejpeg_threads") == is_there("simplejpeg")


def test_a_case_from_memory_and_from_files(monkeypatch: pytest.MonkeyPatch) -> None:
    """Of our own encoders, whose figures make a table with a row for each and a second part."""
    monkeypatch.setattr(dataset, "ENCODERS", {name: ENCODERS[name] for name in ("plain", "many")})
    monkeypatch.setattr(dataset, "WRITERS", {name: WRITERS[name] for name in ("plain", "command")})
    case = dataset._case(PHOTOS[:1], "12 MP", 0.0)
    assert {goal: list(rows) for goal, rows in case.items()} == {
        "equal quality": ["plain", "many"],
        "equal bytes": ["plain", "many"],
        "from files": ["plain", "command"],
    }
    assert case["from files"]["command"]["nbytes"] == case["equal quality"]["plain"]["nbytes"]
    for rows in case.values():
        for row in rows.values():
            assert row["1 workers"].keys() == row["2 workers"].keys()
            assert min(row["1 workers"].values()) > 0
    text = data_set(dict.fromkeys(("224x224", "2 MP", "12 MP"), case))
    assert [line.count("|") for line in text.splitlines() if "`optcodec encode FOLDER`" in line] == [8]
    assert text.count("`optcodec`, quality 75") == 2
    del case["from files"]
    assert data_set(dict.fromkeys(("224x224", "2 MP", "12 MP"), case)) == text.split("\n\n")[0]


@pytest.mark.parametrize("target", [None, "out"])
def test_a_worker_of_sharp_says_what_the_rounds_took(tmp_path: Path, target: str | None) -> None:
    if sharp_version() is None:
        pytest.skip("node does not find sharp")
    (tmp_path / "out").mkdir()
    saved(PHOTOS, tmp_path, files=2)
    command = sharp_worker(str(tmp_path), 75, target and str(tmp_path / target))
    done = subprocess.run(command, input="\n\n\n", capture_output=True, text=True, check=True)
    assert len(list((tmp_path / "out").iterdir())) == (0 if target is None else 2)
    *words, figures = done.stdout.splitlines()
    assert words == ["ready", "done", "done", "done"]
    measured = json.loads(figures)
    assert measured.keys() == {"cpu", "wall", "pictures", "threads", "peak_nbytes", "file_nbytes", "before_nbytes"}
    assert (measured["pictures"], measured["threads"]) == (2, 1)
    assert 0 < measured["cpu"] < 10 * measured["wall"]
    assert 10e6 < measured["before_nbytes"] <= measured["peak_nbytes"] < 1e9
