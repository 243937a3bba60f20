"""Classifiers in ONNX files: their input and output, compared with numpy and torchvision; files that do not fit."""

from __future__ import annotations

import hashlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec.accuracy.onnx_classifier import INPUT_RANGES, fitted, onnx_classifier
from optcodec.errors import InvalidInputError
from tests.accuracy_helpers import crop
from tests.onnx_helpers import WEIGHTS, mean_network

pytest.importorskip("onnxruntime")
PHOTO = crop()


def test_pictures_are_fitted_as_by_torchvision() -> None:
    pytest.importorskip("torchvision")
    from torchvision.transforms import InterpolationMode
    from torchvision.transforms.v2 import functional as transform

    for height, width in ((300, 451), (451, 300), (64, 64), (37, 90), (256, 256), (1, 3)):
        image = Image.fromarray(np.random.default_rng(1).integers(0, 256, (height, width, 3), np.uint8))
        resized = transform.resize(image, [256], interpolation=InterpolationMode.BILINEAR)
        expected = transform.center_crop(resized, [224])
        np.testing.assert_array_equal(np.asarray(fitted(image, 224, 224)), np.asarray(expected))
    assert fitted(image, 30, 50).size == (50, 30)


@pytest.mark.parametrize("name", INPUT_RANGES)
def test_samples_are_scaled(tmp_path: Path, name: str) -> None:
    path = mean_network(tmp_path / "net.onnx", (1, 3, 56, 56))
    network = onnx_classifier(path, input_range=name)
    samples = np.asarray(fitted(Image.fromarray(PHOTO), 56, 56)) / 255
    scaled = {
        "0..1": samples,
        "-1..1": 2 * samples - 1,
        "0..255": 255 * samples,
        "imagenet": (samples - [0.485, 0.456, 0.406]) / [0.229, 0.224, 0.225],
    }[name]
    np.testing.assert_allclose(network.outputs(PHOTO), scaled.mean((0, 1)) @ WEIGHTS, rtol=1e-4, atol=1e-5)
    assert network.weights_sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    if name == "0..1":
        np.testing.assert_array_equal(onnx_classifier(path).outputs(PHOTO), network.outputs(PHOTO))


@pytest.mark.parametrize(
    ("shape", "options"),
    [
        ((1, 56, 56, 3), {}),
        (("N", 3, 56, 56), {}),
        ((1, 3, 56, 56), {"kind": "FLOAT16"}),
        ((1, 3, 56, 56), {"keep_sides": True}),
    ],
)
def test_kinds_of_inputs_and_outputs(tmp_path: Path, shape: tuple[Any, ...], options: dict[str, Any]) -> None:
    network = onnx_classifier(mean_network(tmp_path / "net.onnx", shape, **options))
    samples = np.asarray(fitted(Image.fromarray(PHOTO), 56, 56)) / 255
    np.testing.assert_allclose(network.outputs(PHOTO), samples.mean((0, 1)) @ WEIGHTS, rtol=4e-3)


def test_free_sizes_and_bytes(tmp_path: Path) -> None:
    network = onnx_classifier(mean_network(tmp_path / "net.onnx", ("N", "height", "width", 3), kind="UINT8"))
    np.testing.assert_allclose(network.outputs(PHOTO[:20, :31]), PHOTO[:20, :31].mean((0, 1)) @ WEIGHTS, rtol=1e-4)


@pytest.mark.parametrize(
    ("shape", "options", "message"),
    [
        ((1, 1, 56, 56), {}, r"expected one output, and one input of RGB pictures, float or uint8, of shape \(1, 3, h"),
        ((2, 3, 56, 56), {}, "expected one output, and one input of RGB"),
        ((1, 3, 56), {}, "expected one output, and one input of RGB"),
        ((1, 3, 56, 56), {"kind": "DOUBLE"}, r"has 1 outputs and the inputs image tensor\(double\) \[1, 3, 56, 56\]"),
    ],
)
def test_other_inputs_are_refused(tmp_path: Path, shape: tuple[int, ...], options: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        onnx_classifier(mean_network(tmp_path / "net.onnx", shape, **options))


def test_bad_files_and_options_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"cannot read the network .*none\.onnx: No such file"):
        onnx_classifier(tmp_path / "none.onnx")
    (tmp_path / "text.onnx").write_text("no network")
    with pytest.raises(InvalidInputError, match=r"text\.onnx is no ONNX model that can be run: "):
        onnx_classifier(tmp_path / "text.onnx")
    path = mean_network(tmp_path / "net.onnx", (1, 3, 56, 56), kind="UINT8")
    with pytest.raises(InvalidInputError, match=r"input of type uint8 is 0\.\.255, got '0\.\.1'"):
        onnx_classifier(path, input_range="0..1")
    with pytest.raises(
        InvalidInputError, match=r"of type float32 is 0\.\.1 or -1\.\.1 or 0\.\.255 or imagenet, got 'x'"
    ):
        onnx_classifier(mean_network(tmp_path / "net.onnx", (1, 3, 56, 56)), input_range="x")
    half_free = onnx_classifier(mean_network(tmp_path / "net.onnx", (1, 3, 56, "width")))
    with pytest.raises(InvalidInputError, match="the network does not take pictures of 64x64 pixels: "):
        half_free.outputs(PHOTO)
    each_pixel = onnx_classifier(mean_network(tmp_path / "net.onnx", (1, 3, 56, 56), each_row=True))
    with pytest.raises(InvalidInputError, match=r"of shape \(1, classes\), or .* for a map, got \(1, 56, 5\)"):
        each_pixel.outputs(PHOTO)
