"""The losses of the training."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from PIL import Image
from safetensors.torch import save_file
from torchvision import models

import optcodec
from restore.training.features import load_features, load_lpips, to_rgb
from restore.training.losses import critic_loss, fooling_loss, pixel_loss

CPU = torch.device("cpu")


def test_pixel_losses_have_the_values_of_the_formulas() -> None:
    clean = torch.zeros(2, 1, 8, 8)
    restored = torch.stack([torch.full((1, 8, 8), 0.1), torch.full((1, 8, 8), 0.3)])
    table = torch.stack([torch.full((1, 8, 8), 25.5), torch.full((1, 8, 8), 51.0)])
    assert float(pixel_loss("mse")(restored, clean, table)) == pytest.approx((0.01 + 0.09) / 2)
    assert float(pixel_loss("balanced")(restored, clean, table)) == pytest.approx((0.01 / 0.1 + 0.09 / 0.2) / 2)


def test_the_relative_loss_has_the_value_of_the_formula() -> None:
    """Squared errors in samples, divided by those of the files, with half a squared sample for rounding.

    What is beyond the error of the decoded patch, 4 in the first one, counts three times.
    """
    clean = torch.zeros(2, 1, 8, 8)
    restored = torch.stack([torch.full((1, 8, 8), 3 / 255), torch.full((1, 8, 8), -10 / 255)])
    errors = torch.tensor([[17.5, 4.0], [0.0, 120.0]])
    assert float(pixel_loss("relative")(restored, clean, errors)) == pytest.approx(((9 + 2 * 5) / 18 + 100 / 0.5) / 2)


def test_an_unknown_loss_is_refused() -> None:
    with pytest.raises(optcodec.InvalidInputError, match="loss is one of mse, balanced, relative; got 'l1'"):
        pixel_loss("l1")


def test_hinge_losses() -> None:
    clean, restored = torch.tensor([2.0, 0.5]), torch.tensor([-3.0, 0.0, 1.0])
    assert float(critic_loss(clean, restored)) == pytest.approx((0 + 0.5) / 2 + (0 + 1 + 2) / 3)
    assert float(fooling_loss(restored)) == pytest.approx(2 / 3)


def test_rgb_is_that_of_pillow() -> None:
    planes = np.random.default_rng(0).integers(16, 240, (3, 8, 8), dtype=np.uint8)
    expected = np.asarray(Image.fromarray(planes.transpose(1, 2, 0), mode="YCbCr").convert("RGB"))
    rgb = to_rgb(torch.from_numpy(planes[None].astype(np.float32) / 255))[0].permute(1, 2, 0).numpy() * 255
    inside = (expected > 0) & (expected < 255)  # `to_rgb` does not clip
    assert inside.sum() > 60
    assert np.abs(rgb - expected)[inside].max() < 1.01  # Pillow rounds down


def test_gray_is_repeated() -> None:
    gray = torch.rand(1, 1, 4, 4)
    assert torch.equal(to_rgb(gray), torch.cat([gray] * 3, 1))


@pytest.fixture(scope="module")
def weights(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with random weights of VGG-16 up to relu2_2, and a SqueezeNet 1.1 whole."""
    folder = tmp_path_factory.mktemp("weights")
    torch.manual_seed(0)
    squeeze = models.squeezenet1_1(weights=None)
    save_file(squeeze.state_dict(), folder / "squeezenet1_1.safetensors")
    vgg = {f"features.{index}.{name}": tensor for index, name, tensor in _first_of_vgg()}
    save_file(vgg, folder / "vgg16.safetensors")
    return folder


def _first_of_vgg() -> list[tuple[int, str, torch.Tensor]]:
    """Configuration D of Simonyan and Zisserman (2015): two convolutions of 64, a pool, two of 128."""
    shapes = {0: (64, 3), 2: (64, 64), 5: (128, 64), 7: (128, 128)}
    weights = [(index, "weight", torch.randn(*shape, 3, 3) / (3 * shape[1] ** 0.5)) for index, shape in shapes.items()]
    return weights + [(index, "bias", torch.zeros(shape[0])) for index, shape in shapes.items()]


def test_vgg_features_are_relu2_2(weights: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(models, "get_model", lambda name, weights: _OnlyFeatures())
    features = load_features("vgg16", weights)
    clean, restored = torch.rand(2, 1, 16, 16), torch.rand(2, 1, 16, 16)

    def relu2_2(gray: torch.Tensor) -> torch.Tensor:
        tensors = {(index, name): tensor for index, name, tensor in _loaded(weights)}
        x = (gray.repeat(1, 3, 1, 1) - torch.tensor([0.485, 0.456, 0.406]).view(3, 1, 1)) / torch.tensor(
            [0.229, 0.224, 0.225]
        ).view(3, 1, 1)
        for index in (0, 2, 5, 7):
            x = torch.nn.functional.max_pool2d(x, 2) if index == 5 else x
            x = torch.nn.functional.conv2d(x, tensors[index, "weight"], tensors[index, "bias"], padding=1).clamp(min=0)
        return x

    a, b = relu2_2(restored), relu2_2(clean)
    expected = float(((a - b) ** 2).mean() / (b**2).mean())
    assert float(features(restored, clean)) == pytest.approx(expected, rel=1e-5)


class _OnlyFeatures:
    """The first layers of VGG-16, without the 500 MB of the others."""

    features = models.vgg.make_layers([64, 64, "M", 128, 128, "M"])


def _loaded(folder: Path) -> list[tuple[int, str, torch.Tensor]]:
    from safetensors.torch import load_file

    return [
        (int(name.split(".")[1]), name.split(".")[2], tensor)
        for name, tensor in load_file(folder / "vgg16.safetensors").items()
    ]


def test_features_are_frozen_and_zero_for_equal_images(weights: Path) -> None:
    features = load_features("squeezenet1_1", weights)
    clean, restored = torch.rand(1, 3, 32, 32), torch.rand(1, 3, 32, 32, requires_grad=True)
    assert float(features(clean, clean)) == 0
    features(restored, clean).backward()
    assert restored.grad is not None
    assert float(restored.grad.abs().max()) > 0
    assert not any(parameter.requires_grad for parameter in features.parameters())


@pytest.mark.parametrize("name", ["vgg16", "squeezenet1_1"])
def test_missing_weights_are_named_with_their_place(tmp_path: Path, name: str) -> None:
    place = re.escape(str(tmp_path / f"{name}.safetensors"))
    with pytest.raises(optcodec.InvalidInputError, match=f"stage 2 needs .*{name}; expected them at {place}$"):
        load_features(name, tmp_path)


def test_missing_weights_of_lpips_are_named_with_their_place(tmp_path: Path) -> None:
    place = re.escape(str(tmp_path / "alexnet.safetensors"))
    with pytest.raises(optcodec.InvalidInputError, match=f"LPIPS .alex. needs .*alexnet; expected them at {place}$"):
        load_lpips("alex", tmp_path, CPU)


def test_other_weights_and_names_are_refused(tmp_path: Path) -> None:
    save_file({"features.0.weight": torch.zeros(3)}, tmp_path / "squeezenet1_1.safetensors")
    with pytest.raises(optcodec.InvalidInputError, match=r"does not fit .* expected SqueezeNet 1\.1 of torchvision"):
        load_features("squeezenet1_1", tmp_path)
    (tmp_path / "squeezenet1_1.safetensors").write_bytes(b"nothing")
    with pytest.raises(optcodec.InvalidInputError, match="does not fit"):
        load_features("squeezenet1_1", tmp_path)
    with pytest.raises(optcodec.InvalidInputError, match="features is one of vgg16, squeezenet1_1; got 'alexnet'"):
        load_features("alexnet", tmp_path)
    with pytest.raises(optcodec.InvalidInputError, match="lpips is one of alex, vgg, squeeze, or empty; got 'dists'"):
        load_lpips("dists", tmp_path, CPU)


def test_coarser_jpeg_is_further_away() -> None:
    if "OPTCODEC_DATA" not in os.environ:
        pytest.skip("OPTCODEC_DATA does not name the folder of the data, with Val20 and weights")
    data = Path(os.environ["OPTCODEC_DATA"])
    from restore.channel.degradation import Degradation, load_photographs

    image = load_photographs(data / "Val20", mode="L")[0][:256, :256]
    features, lpips = load_features("squeezenet1_1", data / "weights"), load_lpips("squeeze", data / "weights", CPU)
    clean = torch.from_numpy(image.astype(np.float32) / 255)[None, None]
    distances = []
    for quality in (10, 40, 80):
        received, _ = Degradation((quality,))(image, np.random.default_rng(0))
        planes = torch.from_numpy(received.astype(np.float32) / 255)[None, None]
        distances.append((float(features(planes, clean)), lpips(clean, planes)))
    assert distances == sorted(distances, reverse=True)
    assert all(2 * fine < coarse for fine, coarse in zip(distances[2], distances[0], strict=True))
