"""The networks: behaviour without training, numbers of weights, and dependence on blocks and tables."""

from __future__ import annotations

import json
from importlib import resources
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
import safetensors
import torch
from PIL import Image
from safetensors.torch import load_file, save_file
from scipy.fft import dctn
from skimage import data as photographs
from torch import nn
from torch.nn import functional

import optcodec
from restore.export.onnx import to_onnx
from restore.networks import NETWORKS, Conditioned, DnCNN, DualDomain, build
from restore.networks.critic import Critic
from restore.networks.operations import plane_spec
from restore.networks.weights import load_network, save_network, shipped_network
from restore.runtime.context import Context
from restore.runtime.models import Network
from restore.training.recipe import load_recipe
from tests.train_helpers import conditions, shaken


def count(network: nn.Module) -> int:
    """Number of trained parameters."""
    return sum(parameter.numel() for parameter in network.parameters())


def macs(network: nn.Module, side: int) -> float:
    """Multiplications of the convolutions per pixel, from the shapes of their inputs and outputs."""
    total = 0

    def add(module: nn.Module, inputs: object, output: torch.Tensor) -> None:
        assert isinstance(module, nn.Conv2d)
        total_of = output[0].numel() * module.weight[0].numel()
        nonlocal total
        total += total_of

    hooks = [part.register_forward_hook(add) for part in network.modules() if isinstance(part, nn.Conv2d)]
    network(torch.rand(1, 1, side, side), conditions(torch.ones(1, 1, 8, 8)))
    for hook in hooks:
        hook.remove()
    return total / side**2


@pytest.mark.parametrize(
    ("config", "planes", "restored", "tables"),
    [
        ({"network": "conditioned", "width": 8, "blocks": 1}, 1, 1, 1),
        (
            {"network": "conditioned", "planes": 3, "restored": 2, "tables": 2, "width": 8, "blocks": 1, "period": 8},
            3, 2, 2,
        ),
        ({"network": "dualdomain"}, 1, 1, 1),
    ],
)  # fmt: skip
def test_an_untrained_network_changes_nothing(
    config: dict[str, object], planes: int, restored: int, tables: int
) -> None:
    image, condition = torch.rand(2, planes, 16, 32), conditions(torch.full((2, tables, 8, 8), 16.0))
    assert torch.equal(build(config)(image, condition), image[:, -restored:])


@pytest.mark.parametrize("network", [Conditioned(width=8, blocks=1), DualDomain(width=8, dct_width=8)])
def test_a_shift_by_a_block_shifts_the_result_and_a_smaller_one_changes_it(network: nn.Module) -> None:
    shaken(network)
    image, condition = torch.rand(1, 1, 160, 160), conditions(torch.arange(1.0, 65).view(1, 1, 8, 8))
    with torch.no_grad():
        whole, block, part = (network(image[..., top : top + 152, top : top + 152], condition) for top in (0, 8, 2))
    middle = slice(72, 80)  # outside the receptive field of the borders
    torch.testing.assert_close(block[..., middle, middle], whole[..., 80:88, 80:88], rtol=0, atol=1e-5)
    assert float((part[..., middle, middle] - whole[..., 74:82, 74:82]).abs().max()) > 1e-3


@pytest.mark.parametrize("name", ["conditioned", "dualdomain"])
def test_the_result_depends_on_the_table(name: str) -> None:
    network = shaken(build({"network": name, "width": 8}))
    image = torch.rand(1, 1, 16, 16)
    with torch.no_grad():
        fine, coarse = (network(image, conditions(torch.full((1, 1, 8, 8), step))) for step in (2.0, 64.0))
    assert float((fine - coarse).abs().max()) > 1e-3


def test_networks_made_for_shift_by_one_block_take_any_multiple_of_eight() -> None:
    for name in ("conditioned", "dualdomain"):
        network = build({"network": name, "width": 8})
        for height, width in ((8, 8), (8, 24), (40, 16)):
            assert network(torch.rand(1, 1, height, width), conditions(torch.ones(1, 1, 8, 8))).shape == (
                1,
                1,
                height,
                width,
            )


def test_dncnn_has_the_parameters_of_the_paper() -> None:
    first, inner, last = 64 * 9 + 64, 64 * 64 * 9 + 2 * 64, 64 * 9 + 1
    assert count(DnCNN()) == first + 15 * inner + last == 556_097
    assert count(DnCNN(normalized=False)) == first + 15 * (64 * 64 * 9 + 64) + last
    assert count(DnCNN(channels=3)) == 3 * 64 * 9 + 64 + 15 * inner + 3 * (64 * 9 + 1)
    assert count(DnCNN(separable=True)) == first + 15 * (64 * 9 + 64 * 64 + 2 * 64) + last
    assert macs(DnCNN().eval(), 8) == 64 * 9 + 15 * 64 * 64 * 9 + 64 * 9  # 554 k


def test_dncnn_takes_a_width_a_layer() -> None:
    network = DnCNN(depth=4, width=(8, 4, 6))
    assert [part.out_channels for part in network.modules() if isinstance(part, nn.Conv2d)] == [8, 4, 6, 1]
    image = torch.rand(1, 1, 8, 8)
    assert torch.equal(network.eval()(image), network(image, conditions(torch.ones(1, 1, 8, 8))))


@pytest.mark.parametrize("sigma", [0, 8])
def test_the_dct_branch_stays_in_the_quantization_intervals_which_noise_widens(sigma: int) -> None:
    network = shaken(DualDomain(dct_width=8))
    with torch.no_grad():
        network.dct_tail.weight.mul_(100)  # large changes, which leave the intervals if they are not limited
        image, steps = torch.rand(1, 1, 16, 16), torch.randint(1, 100, (1, 64, 1, 1)).float()
        noise = torch.full((1, 1, 1, 1), sigma / 16)
        moved = network._dct_branch(image, torch.log2(steps) / 8, noise)[0, 0].numpy() * 255
    blocks = moved.reshape(2, 8, 2, 8).transpose(0, 2, 1, 3)
    intervals = steps.view(8, 8).numpy() + 6 * sigma
    shares = dctn(blocks.astype(np.float64), axes=(2, 3), norm="ortho") / intervals
    assert np.abs(shares).max() < 0.5 + 1e-4
    assert (np.abs(shares) > 0.499).mean() > 0.5


def test_the_dct_is_that_of_scipy() -> None:
    block = np.random.default_rng(0).random((8, 8))
    samples = functional.pixel_unshuffle(torch.from_numpy(block.astype(np.float32))[None, None], 8)
    coefficients = functional.conv2d(samples, DualDomain().dct).view(8, 8).numpy()
    np.testing.assert_allclose(coefficients, dctn(block, norm="ortho"), atol=2e-6)


def test_the_dual_domain_network_costs_a_fifth_of_dncnn() -> None:
    dual = macs(build(load_recipe("dual").network), 32)
    pixel_branch = 4 * 64 * 9 + 2 * 64 * 64 * 9 + 68 * 64 * 9 + 6 * 64 * 64 * 9 + 64 * 4 * 9  # at half the resolution
    dct_branch = 64 * 128 * 9 + 6 * 128 * 128 * 9 + 128 * 64 * 9  # at an eighth
    told = 65 * 128 / 32**2  # once for an image
    assert dual == pixel_branch / 4 + dct_branch / 64 + told
    assert dual + 2 * 64 * 64 / 64 < macs(DnCNN().eval(), 32) / 5  # with the two DCTs, which are no modules


@pytest.mark.parametrize("name", NETWORKS)
def test_a_configuration_makes_the_network_again(name: str) -> None:
    inner = {"network": "conditioned" if name == "quantized" else name, "width": 12}
    first = shaken(build({"network": name, "of": inner} if name == "quantized" else inner))
    second = build(first.config).eval()
    second.load_state_dict(first.state_dict())
    image, condition = torch.rand(1, plane_spec(first.config).planes, 16, 16), conditions(torch.full((1, 1, 8, 8), 8.0))
    assert torch.equal(first(image, condition), second(image, condition))


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({}, f"network is one of {', '.join(NETWORKS)}; got None"),
        ({"network": "unet"}, f"network is one of {', '.join(NETWORKS)}; got 'unet'"),
        ({"network": "conditioned", "depth": 3}, "network 'conditioned': .*depth"),
        ({"network": "dncnn", "depth": 4, "width": [8, 8]}, "a depth of 4 has 3 widths, got 2"),
    ],
)
def test_configurations_that_do_not_fit_are_refused(config: dict[str, object], message: str) -> None:
    with pytest.raises(optcodec.InvalidInputError, match=message):
        build(config)


def test_the_critic_scores_patches_and_has_bounded_slope() -> None:
    torch.manual_seed(0)
    critic = Critic(1, 1, width=8)
    received, candidate = torch.rand(2, 1, 32, 48), torch.rand(2, 1, 32, 48)
    for _ in range(100):  # each forward pass in training is a step of the power iteration
        scores = critic(received, candidate)
    assert scores.shape == (2, 1, 8, 12)
    matrices = [part.weight.flatten(1) for part in critic.layers if isinstance(part, nn.Conv2d)]
    largest = [float(torch.linalg.matrix_norm(matrix.detach(), 2)) for matrix in matrices]
    np.testing.assert_allclose(largest, 1, rtol=0.01)


def test_a_file_without_a_configuration_is_named(tmp_path: Path) -> None:
    path = tmp_path / "other.safetensors"
    save_file({"a": torch.zeros(3)}, path)
    with pytest.raises(
        optcodec.InvalidInputError, match=r"holds no network of ours \(its header has no config\); expected"
    ):
        load_network(path)


def test_a_header_that_asks_for_more_than_the_file_has_takes_no_memory(tmp_path: Path) -> None:
    path = tmp_path / "network.safetensors"
    save_network(path, build({"network": "conditioned", "width": 4, "blocks": 1}))
    assert load_network(path).config["width"] == 4
    with safetensors.safe_open(path, "pt") as file:
        config = json.loads(file.metadata()["config"])
    config["width"] = 10**7  # weights of 3.6 petabytes
    save_file(load_file(path), path, {"config": json.dumps(config)})
    with pytest.raises(optcodec.InvalidInputError, match=r"holds no network of ours .*has shape"):
        load_network(path)


@pytest.mark.parametrize("name", ["default", "tiny", "large", "default-chroma", "tiny-chroma"])
def test_shipped_weights_are_those_of_the_shipped_files(name: str) -> None:
    """The file with 8 bits gives nearly what the 32-bit floats give that it was made from, and so does their export."""
    onnxruntime = pytest.importorskip("onnxruntime")
    network = shipped_network(name)
    spec = plane_spec(network.config)
    samples = np.asarray(Image.fromarray(photographs.astronaut()[:64, :96]).convert("YCbCr")).transpose(2, 0, 1)
    image = torch.from_numpy(samples[None, : spec.planes] / np.float32(255))
    steps = np.stack([table.steps for table in optcodec.annex_k_tables(30)[: spec.tables]])
    context = Context.of_steps(steps)
    with torch.no_grad():
        expected = 255 * network(image, torch.from_numpy(context.condition(spec.tables))[None])[0].numpy()
    folder = resources.files("restore") / "data" / "models"
    for model, limit in (((folder / f"{name}.onnx").read_bytes(), 0.5), (to_onnx(network), 1e-3)):
        session = onnxruntime.InferenceSession(model, providers=["CPUExecutionProvider"])
        restored = 255 * Network(session, name)(image[0].numpy(), context)
        assert np.sqrt(np.mean(np.square(restored - expected))) < limit


def test_the_same_network_is_the_same_file(tmp_path: Path) -> None:
    network, files = build({"network": "ircnn", "width": 3}), set()
    for number in range(8):  # safetensors writes its metadata in an order of chance
        save_network(tmp_path / f"{number}.safetensors", network, steps=3, recipe={"side": 8})
        files.add((tmp_path / f"{number}.safetensors").read_bytes())
    assert len(files) == 1
    with safetensors.safe_open(tmp_path / "0.safetensors", "pt") as file:
        assert json.loads(file.metadata()["provenance"]) == {"steps": 3, "recipe": {"side": 8}}
    stored = load_file(tmp_path / "0.safetensors")
    assert all(torch.equal(stored[name], weights) for name, weights in network.state_dict().items())
