"""Networks of others: where they come from, the formulas of their papers, and what is refused."""

from __future__ import annotations

import importlib.util
import os
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from safetensors.torch import load_file, save_file  # noqa: E402
from torch import Tensor, nn  # noqa: E402
from torch.nn import functional  # noqa: E402

import optcodec  # noqa: E402
from optcodec import InvalidInputError  # noqa: E402
from optcodec.receivers.task import load_task  # noqa: E402
from restore.evaluation import foreign  # noqa: E402
from restore.evaluation.foreign import load_foreign  # noqa: E402
from restore.evaluation.receivers import make_receiver  # noqa: E402
from restore.networks import build  # noqa: E402
from restore.networks.published import published_network  # noqa: E402
from restore.runtime.decode import receive  # noqa: E402
from restore.runtime.image import decode_image  # noqa: E402
from restore.runtime.models import session_of  # noqa: E402
from restore.tasks import make_task  # noqa: E402
from tests.receiver_helpers import jpeg  # noqa: E402

MEAN = torch.tensor([0.4488, 0.4371, 0.4040])[None, :, None, None]
State = dict[str, Tensor]


def image(height: int = 21, width: int = 34, planes: int = 3) -> Tensor:
    return torch.rand(1, planes, height, width, generator=torch.Generator().manual_seed(1))


def convolution(state: State, name: str, value: Tensor, dilation: int = 1) -> Tensor:
    return functional.conv2d(value, state[f"{name}.weight"], state[f"{name}.bias"], padding="same", dilation=dilation)


def weights(*shapes: tuple[str, int, int], side: int = 3) -> State:
    """Random weights of convolutions: name, input and output channels."""
    generator = torch.Generator().manual_seed(2)
    state = {}
    for name, inputs, outputs in shapes:
        state[f"{name}.weight"] = torch.randn(outputs, inputs, side, side, generator=generator) / (side * inputs**0.5)
        state[f"{name}.bias"] = torch.randn(outputs, generator=generator) / 10
    return state


def sequence(inputs: int, width: int, depth: int, outputs: int) -> State:
    middle = [(f"conv{index}", width, width) for index in range(1, depth - 1)]
    return weights(("conv0", inputs, width), *middle, (f"conv{depth - 1}", width, outputs))


def in_sequence(state: State, value: Tensor, dilations: tuple[int, ...]) -> Tensor:
    for index, dilation in enumerate(dilations):
        value = convolution(state, f"conv{index}", value if index == 0 else functional.relu(value), dilation)
    return value


@pytest.mark.parametrize("depth", [3, 12])
def test_dncnn_subtracts_what_it_finds(depth: int) -> None:
    state = sequence(1, 5, depth, 1)
    with torch.no_grad():
        expected = image(planes=1) - in_sequence(state, image(planes=1), (1,) * depth)
        torch.testing.assert_close(published_network("dncnn", state)(image(planes=1)), expected)


def test_ircnn_subtracts_what_it_finds() -> None:
    state = sequence(3, 5, 7, 3)
    with torch.no_grad():
        expected = image() - in_sequence(state, image(), (1, 2, 3, 4, 3, 2, 1))
        torch.testing.assert_close(published_network("ircnn", state)(image()), expected)


@pytest.mark.parametrize("mapped", [True, False])
def test_ffdnet_returns_the_image(mapped: bool) -> None:
    state = sequence(12 + mapped, 5, 4, 12)
    low = functional.pixel_unshuffle(image(22, 34), 2)
    taken = torch.cat([low, torch.full_like(low[:, :1], 25 / 255)], 1) if mapped else low
    with torch.no_grad():
        expected = functional.pixel_shuffle(in_sequence(state, taken, (1,) * 4), 2)
        network = published_network("ffdnet", state)
        torch.testing.assert_close(network(image(22, 34)), expected)
        assert network(image(21, 33)).shape == (1, 3, 21, 33)


@pytest.mark.parametrize(("width", "factor"), [(6, 1.0), (256, 0.1)])
def test_edsr_works_around_the_mean_colour_in_8_bit_units(width: int, factor: float) -> None:
    names = [("head.0", 3, width), ("body.0.body.0", width, width), ("body.0.body.2", width, width)]
    names += [("body.1", width, width), ("tail.0.0", width, 4 * width), ("tail.0.2", width, 4 * width)]
    state = weights(*names, ("tail.1", width, 3))
    with torch.no_grad():
        first = convolution(state, "head.0", 255 * (image(9, 12) - MEAN))
        inner = convolution(state, "body.0.body.2", functional.relu(convolution(state, "body.0.body.0", first)))
        features = first + convolution(state, "body.1", first + factor * inner)
        for name in ("tail.0.0", "tail.0.2"):
            features = functional.pixel_shuffle(convolution(state, name, features), 2)
        expected = convolution(state, "tail.1", features) / 255 + MEAN
        shifts = {"sub_mean.weight": torch.eye(3)[:, :, None, None], "add_mean.bias": torch.zeros(3)}
        network = published_network("edsr", state | shifts)
        torch.testing.assert_close(network(image(9, 12)), expected, atol=1e-4, rtol=1e-4)
    with pytest.raises(InvalidInputError, match="the published network takes RGB; got 1 planes"):
        build(network.config | {"channels": 1})(image(9, 12, 1))


def test_names_of_carn(tmp_path: Path) -> None:
    """The names of its published code; figures of the published weights are tested below, where they are at hand."""
    ours = build({"network": "carn", "width": 8, "groups": 2, "published": True}).eval()
    state = {}
    for name, tensor in ours.state_dict().items():
        parts = name.split(".")
        match parts:
            case ["head", _]:
                published = "entry"
            case ["tail", "6", _]:
                published = "exit"
            case ["tail", number, _]:
                published = f"upsample.up4.body.{number}"
            case ["body", "joins", number, _]:
                published = f"c{int(number) + 1}.body.0"
            case ["body", "steps", block, "joins", number, _]:
                published = f"b{int(block) + 1}.c{int(number) + 1}.body.0"
            case _:
                published = f"b{int(parts[2]) + 1}.b{int(parts[4]) + 1}.body.{parts[6]}"
        state[f"{published}.{parts[-1]}"] = torch.randn_like(tensor) / 10
    others = {"upsample.up2.body.0.weight": torch.zeros(32, 4, 3, 3)}
    network = published_network("carn", state | others)
    assert network.config == ours.config
    assert network.state_dict()["body.steps.1.steps.2.layers.4.bias"].equal(state["b2.b3.body.4.bias"])
    save_file(state, tmp_path / "carn.safetensors")
    assert load_foreign(f"carn:{tmp_path / 'carn.safetensors'}").scale == 4


@pytest.mark.parametrize(
    ("kind", "state", "message"),
    [
        ("dncnn", sequence(1, 4, 3, 1) | {"bn.running_mean": torch.zeros(4)}, "not those of dncnn: expected convolut"),
        ("ircnn", sequence(3, 4, 6, 3), "ircnn has 7 convolutions; got 6"),
        ("dncnn", sequence(3, 4, 3, 1), r"layers.0.weight has shape \(4, 3, 3, 3\), the network \(4, 1, 3, 3\)"),
        ("edsr", sequence(3, 4, 3, 3), "not those of edsr: no first convolution"),
        ("carn", weights(("entry", 3, 64)), "not those of carn: body.joins.0.bias has shape None"),
    ],
)
def test_other_weights_are_refused(kind: str, state: State, message: str, tmp_path: Path) -> None:
    save_file(state, tmp_path / "others.safetensors")
    with pytest.raises(InvalidInputError, match=r"others\.safetensors: .*" + message):
        load_foreign(f"{kind}:{tmp_path / 'others.safetensors'}")


class Brighter(nn.Module):
    """Adds a constant, and enlarges by repetition; sides have to be multiples of a factor."""

    def __init__(self, scale: int = 1, factor: int = 1) -> None:
        super().__init__()
        self.scale, self.factor = scale, factor

    def forward(self, x: Tensor) -> Tensor:
        height, width = x.shape[2], x.shape[3]
        if height % self.factor + width % self.factor > 0:
            raise ValueError("sides are no multiples")
        return (x + 2 / 255).repeat_interleave(self.scale, 2).repeat_interleave(self.scale, 3)


def brighter(text: str = "1,1") -> nn.Module:
    return Brighter(*map(int, text.split(",")))


def onnx_brighter(path: Path, *, inputs: int = 1, side: int | str = "height") -> str:
    pytest.importorskip("onnx")
    from onnx import TensorProto, checker, helper, save

    shape = [1, 3, side, "width"]
    values = [helper.make_tensor_value_info(f"image{index}", TensorProto.FLOAT, shape) for index in range(inputs)]
    output = helper.make_tensor_value_info("out", TensorProto.FLOAT, [1, 3, "rows", "columns"])
    constant = helper.make_tensor("two", TensorProto.FLOAT, [], [2 / 255])
    graph = helper.make_graph([helper.make_node("Add", ["image0", "two"], ["out"])], "g", values, [output], [constant])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, path)
    return f"onnx:{path}"


def scripted(path: Path) -> str:
    with warnings.catch_warnings(action="ignore"):  # of torch, that this format is an old one
        torch.jit.script(Brighter()).save(str(path))
    return f"torchscript:{path}"


@pytest.mark.parametrize(
    "make",
    [lambda path: onnx_brighter(path), scripted, lambda path: f"torch:{__name__}:brighter"],
    ids=["onnx", "torchscript", "torch"],
)
def test_receivers_from_anywhere(make: Callable[[Path], str], tmp_path: Path) -> None:
    receiver = make_receiver(f"mine={make(tmp_path / 'network')}")
    assert receiver.name == "mine"
    data = jpeg(37, 53, quality=30)
    decoded = decode_image(receive(data)).astype(int)
    inside = ((decoded < 250) & (decoded > 4)).all(axis=2)
    assert np.abs(receiver.receive(data) - decoded - 2)[inside].max() <= 1
    gray = jpeg(37, 53, "L", quality=30)
    assert receiver.receive(gray).shape == (37, 53)
    assert receiver.count_macs is not None
    assert receiver.count_macs() == 0


def test_planes_scale_and_sides_are_found_out() -> None:
    network = load_foreign(f"torch:{__name__}:brighter@4,8")
    assert (network.channels, network.scale, network.factor) == (3, 4, 8)
    planes = image()[0].numpy()
    expected = (planes + np.float32(2 / 255)).repeat(4, axis=1).repeat(4, axis=2)
    np.testing.assert_array_equal(network.run(planes), expected)
    with pytest.raises(InvalidInputError, match="enlarges images by 4; expected one that keeps their size"):
        make_receiver(f"torch:{__name__}:brighter@4,8")
    task = load_task(f"restore.tasks:sr4@torch:{__name__}:brighter@4,8")
    assert task.scale == 4
    assert task.restored(jpeg(20, 30, quality=90)).shape == (80, 120, 3)
    with pytest.raises(InvalidInputError, match="enlarges 4 times, denoise25 asks for 1"):
        load_task(f"restore.tasks:denoise25@torch:{__name__}:brighter@4,8")


def text(text: str) -> str:
    return text


def pooled() -> nn.Module:
    return nn.AdaptiveAvgPool2d(4)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("torch:{here}:text@a", "to return a torch module, got str"),
        ("torch:{here}:pooled", r"neither RGB nor gray images of any size: .* become \(3, 4, 4\)"),
        ("torch:{here}:nothing", "expected a torch module as package.module:factory"),
        ("onnx:{folder}/two", "has the inputs .*; expected an image alone"),
        ("onnx:{folder}/fixed", "restores neither RGB nor gray images of any size"),
        ("onnx:{folder}/broken", "is no ONNX network that can be run"),
        ("onnx:{folder}/none", "cannot read .*none: No such file"),
        ("torchscript:{folder}/broken", "is no TorchScript program"),
        ("torchscript:{folder}/none", "cannot read .*none: No such file"),
        ("keras:{folder}/none", "no receiver .*; expected jpeg, .* onnx:FILE, torchscript:FILE, spandrel:FILE"),
    ],
)
def test_what_is_no_network_is_refused(name: str, message: str, tmp_path: Path) -> None:
    onnx_brighter(tmp_path / "two", inputs=2)
    onnx_brighter(tmp_path / "fixed", side=64)
    (tmp_path / "broken").write_bytes(b"nothing")
    with pytest.raises(InvalidInputError, match=message):
        make_receiver(name.format(here=__name__, folder=tmp_path))


def test_onnx_files_get_the_threads_that_were_asked_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen = []

    def recorded(data: bytes, threads: int | None = None) -> Any:
        session = session_of(data, threads)
        seen.append(session.get_session_options().intra_op_num_threads)
        return session

    monkeypatch.setattr(foreign, "session_of", recorded)
    name = onnx_brighter(tmp_path / "network")
    for threads in (1, 3):
        make_receiver(name, threads=threads)
    assert seen == [1, 3]


class Sharpener(nn.Module):
    """Adds to the image what it should subtract: all that is left of it without its mean over 5x5 pixels."""

    def forward(self, image: Tensor) -> Tensor:
        return image + (image - functional.avg_pool2d(image, 5, 1, 2, count_include_pad=False))


def sharpener() -> nn.Module:
    return Sharpener()


@pytest.mark.parametrize("problem", ["denoise25", "deblock"])
def test_what_spoils_pictures_is_refused(problem: str) -> None:
    with pytest.raises(
        InvalidInputError, match=rf"does not restore {problem}: .* dB as received and .* dB as restored"
    ):
        make_task(problem, f"torch:{__name__}:sharpener")
    assert make_task(problem, f"torch:{__name__}:brighter").receiver.startswith("torch:")


DATA = os.environ.get("OPTCODEC_DATA")
FOLDER = Path(DATA or "none").parent / "restore_nets"
needs_networks = pytest.mark.skipif(
    DATA is None or not FOLDER.exists(), reason="published networks are not at hand (restore_nets beside OPTCODEC_DATA)"
)


def pan() -> nn.Module:
    """PAN, which the folder of published networks loads itself."""
    spec = importlib.util.spec_from_file_location("nets", FOLDER / "nets.py")
    assert spec is not None
    assert spec.loader is not None
    nets = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(nets)
    network: nn.Module = nets.load("pan_x4")
    return network


@needs_networks
@pytest.mark.parametrize(
    ("name", "problem", "expected"),
    [
        # PSNR of 31.92 (Ahn et al. 2018, table 2) is with another bicubic filter than Pillow's: 31.89 with this one
        (f"carn:{FOLDER}/carn_m.safetensors", "sr4", 31.89),
        (f"torch:{__name__}:pan", "sr4", 32.13),
        (f"ffdnet:{FOLDER}/ffdnet_color.safetensors", "denoise25", 32.35),
    ],
)
def test_published_weights_reach_published_figures(name: str, problem: str, expected: float) -> None:
    assert DATA is not None
    network = load_foreign(name)
    is_noise = problem == "denoise25"
    found = []
    for index, path in enumerate(sorted((Path(DATA) / ("McMaster" if is_noise else "Set5")).glob("*.png"))):
        clean = np.asarray(Image.open(path).convert("RGB"))
        if is_noise:
            noise = np.random.default_rng(index).normal(0, 25, clean.shape)
            taken = ((clean + noise) / 255).astype(np.float32)
        else:
            task = make_task(problem, network.name)
            clean = task.reference(clean)
            taken = task.sent(clean, 0).astype(np.float32) / 255
        restored = np.clip(255 * network.run(np.ascontiguousarray(taken.transpose(2, 0, 1))).transpose(1, 2, 0), 0, 255)
        if is_noise:
            found.append(optcodec.psnr_db(clean, np.rint(restored).astype(np.uint8)))
        else:
            found.append(luminance_psnr(clean, np.rint(restored), border=4))
    assert np.mean(found) == pytest.approx(expected, abs=0.05)


def luminance_psnr(clean: np.ndarray, restored: np.ndarray, border: int) -> float:
    """PSNR of the luminance of BT.601 in studio range, as in papers on super-resolution, without a border."""
    difference = (clean.astype(float) - restored) @ np.array([65.481, 128.553, 24.966]) / 255
    return float(10 * np.log10(255**2 / np.mean(difference[border:-border, border:-border] ** 2)))


@needs_networks
@pytest.mark.parametrize(
    ("file", "config", "problem"),
    [
        ("ffdnet_color", {"network": "ffdnet"}, "denoise25"),
        ("ircnn_color25", {"network": "ircnn"}, "denoise25"),
        ("carn_m", {"network": "carn", "groups": 4, "recursive": True}, "sr4"),
    ],
)
def test_published_weights_in_our_formula_are_refused(
    file: str, config: dict[str, object], problem: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As if the formula had been mistaken: added instead of subtracted, or added to the image."""
    state = published_network(config["network"], load_file(FOLDER / f"{file}.safetensors")).state_dict()  # type: ignore[arg-type]
    if config["network"] == "ircnn":
        last = [name for name in state if name.startswith("layers.12.")]
        state |= {name: -state[name] for name in last}
    network = build(config).eval()
    network.load_state_dict(state)
    monkeypatch.setattr("tests.restore.test_foreign.sharpener", lambda: network)
    with pytest.raises(InvalidInputError, match=f"does not restore {problem}"):
        make_task(problem, f"torch:{__name__}:sharpener")
