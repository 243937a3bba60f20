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
from benchmarks.speed.encoders import ENCODERS, is_there, saved, sharp_version, sharp_worker
from tests.cli_helpers import photograph

PHOTOS = [photograph(56, 72), photograph(41, 50)[::-1].copy()]
_STANDARD_HUFFMAN = b"\xff\xc4\x00\xb5\x10"  # DHT, its length, and AC coefficients of luminance: T.81, K.5
_WITHOUT_OPTIMIZATION = {"simplejpeg", "torchvision"}


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


def test_a_worker_of_sharp_says_what_the_rounds_took(tmp_path: Path) -> None:
    if sharp_version() is None:
        pytest.skip("node does not find sharp")
    saved(PHOTOS, tmp_path)
    done = subprocess.run(sharp_worker(str(tmp_path), 75), input="\n\n\n", capture_output=True, text=True, check=True)
    *words, figures = done.stdout.splitlines()
    assert words == ["ready", "done", "done", "done"]
    measured = json.loads(figures)
    assert measured.keys() == {"cpu", "wall", "pictures", "threads", "peak_nbytes", "file_nbytes", "before_nbytes"}
    assert (measured["pictures"], measured["threads"]) == (2, 1)
    assert 0 < measured["cpu"] < 10 * measured["wall"]
    assert 10e6 < measured["before_nbytes"] <= measured["peak_nbytes"] < 1e9
