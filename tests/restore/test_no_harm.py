"""The shipped models make no file of some pictures worse; benchmarks/receiver/harm.py asks more widely."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import numpy.typing as npt
import pytest
from PIL import Image

import optcodec
from restore import load_model, restore_image
from restore.channel.drawings import drawing
from restore.channel.senders import SENDERS

pytest.importorskip("onnxruntime")
DATA = os.environ.get("OPTCODEC_DATA")
pytestmark = pytest.mark.skipif(not DATA, reason="OPTCODEC_DATA does not name the folder of test images")

MODELS = ("default", "tiny", "large")
QUALITIES = (20, 50, 75, 90, 95, 98, 100)
FINE = 95  # the quality from which on nothing may be lost; below it, 0.02 dB
FIRST_DRAWING = 200_000  # neither a drawing of the training nor of the benchmark


def picture(name: str) -> npt.NDArray[np.uint8]:
    """The middle of a photograph or of a comic, or a drawing."""
    if name == "drawing":
        return drawing(FIRST_DRAWING)[:256, :256]
    pixels = np.asarray(Image.open(Path(DATA or "") / name).convert("RGB"))
    top, left = (max(0, extent // 2 - 128) for extent in pixels.shape[:2])
    return np.ascontiguousarray(pixels[top : top + 256, left : left + 256])


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("sender", ["pillow", "mozjpeg", "mozjpeg-flat", "jpegli", "psnr", "people"])
@pytest.mark.parametrize("name", ["Kodak/kodim07.png", "McMaster/05.png", "Set14/comic.png", "drawing"])
def test_no_file_loses(name: str, sender: str, subsampling: str) -> None:
    original, gains = picture(name), {}
    models = {model: load_model(model, threads=1) for model in MODELS}
    for quality in QUALITIES:
        data = SENDERS[sender](original, subsampling, quality, np.random.default_rng(0))
        decoded = optcodec.psnr_db(original, restore_image(data, strength=0))
        for label, model in models.items():
            gains[label, quality] = optcodec.psnr_db(original, restore_image(data, model=model)) - decoded
    assert {file: gain for file, gain in gains.items() if gain < (-0.02 if file[1] < FINE else 0)} == {}
    assert min(gains[model, QUALITIES[0]] for model in MODELS) > 0.1


@pytest.mark.parametrize("quality", [75, 90])
@pytest.mark.parametrize("model_name", MODELS)
def test_colours_stay_as_they_are_on_average(model_name: str, quality: int) -> None:
    """A conversion that rounds down, in the training, would take a level from red and blue."""
    original = picture("Kodak/kodim07.png")
    data = SENDERS["pillow"](original, "4:4:4", quality, np.random.default_rng(0))
    change = restore_image(data, model=load_model(model_name, threads=1)) - original.astype(np.float64)
    assert np.abs(change.mean((0, 1))).max() < 0.25
