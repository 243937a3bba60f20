"""Networks from papers: published sizes, behaviour without training, any size of image; and those of spandrel."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from safetensors.torch import save_file
from torch import nn
from torch.nn import functional

from optcodec import InvalidInputError
from restore.evaluation.foreign import load_foreign
from restore.evaluation.receivers import make_receiver
from restore.evaluation.torch_receivers import foreign_restorer
from restore.networks import build
from restore.networks.count import Size, count
from restore.networks.operations import PlaneSpec, plane_spec
from restore.networks.weights import load_network, save_network

CARN_M = {"network": "carn", "groups": 4, "recursive": True}
SMALL: list[dict[str, Any]] = [
    {"network": "carn", "width": 8, "scale": 2},
    {"network": "carn", "width": 8, "scale": 3},
    {**CARN_M, "width": 8, "scale": 4},
    {"network": "carn", "width": 4, "groups": 2, "scale": 2, "channels": 1},
    {"network": "latticenet", "width": 8, "blocks": 2, "scale": 4},
    {"network": "latticenet", "width": 34, "blocks": 3, "scale": 3, "channels": 1},
    {"network": "latticenet", "width": 2, "blocks": 1, "scale": 1},
    {"network": "ircnn", "width": 6},
    {"network": "ircnn", "width": 3, "channels": 1},
    {"network": "mimounet", "width": 4, "blocks": 1},
    {"network": "mimounet", "width": 2, "blocks": 2, "channels": 1},
]


def name(config: dict[str, Any]) -> str:
    return "-".join(map(str, config.values()))


def shaken(network: nn.Module) -> nn.Module:
    """The network with positive weights, also in layers initialized with zeros, so that all ReLUs are active."""
    generator = torch.Generator().manual_seed(5)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter.copy_((0.5 + torch.rand(parameter.shape, generator=generator)) / (4 * parameter[0].numel()))
    return network.eval()


def picture(config: dict[str, Any], height: int, width: int) -> torch.Tensor:
    return torch.rand(2, plane_spec(config).planes, height, width, generator=torch.Generator().manual_seed(height))


def size(**config: Any) -> Size:
    with torch.device("meta"):  # counts weights without allocating them
        return count(build(config))


def giga(macs: float, scale: int) -> float:
    """10^9 MACs for an enlarged image of 1280x720 pixels, the unit of papers on super-resolution."""
    return macs * (1280 * 720 / scale**2) / 1e9


@pytest.mark.parametrize(("scale", "published"), [(2, 222.8), (3, 118.8), (4, 90.9)])
def test_carn_costs_what_the_paper_says(scale: int, published: float) -> None:
    assert round(giga(size(network="carn", scale=scale).macs, scale), 1) == published


def test_carn_has_the_weights_of_the_paper() -> None:
    # Ahn et al., table 1, say 1,592K for one network with the three tails
    body = 64 * 27 + 64 + 64 * 27 + 3 + 3 * 6 * (64 * 64 * 9 + 64) + 4 * ((2 + 3 + 4) * 64 * 64 + 3 * 64)
    tails = [size(network="carn", scale=scale).parameters - body for scale in (2, 3, 4)]
    assert tails == [256 * 64 * 9 + 256, 576 * 64 * 9 + 576, 2 * (256 * 64 * 9 + 256)]
    assert round((body + sum(tails)) / 1e3) == 1592


def test_carn_m_costs_what_the_paper_says() -> None:
    assert round(giga(size(**CARN_M).macs, 4), 1) == 32.5
    # the paper's 412K are the weights of the three tails and the rest; biases would be 2.8K more
    sizes = {scale: sum(weights(build({**CARN_M, "scale": scale}))) for scale in (2, 3, 4)}
    tails = {2: 9 * 64 * 64, 3: 9 * 64 * 9 * 16, 4: 2 * 9 * 64 * 64}
    bodies = {sizes[scale] - tails[scale] for scale in sizes}
    assert len(bodies) == 1
    assert round((bodies.pop() + sum(tails.values())) / 1e3) == 412
    # one residual-E block a cascade: two grouped convolutions of 16 channels each, one over all
    shared, plain = size(**CARN_M).parameters, size(**{**CARN_M, "recursive": False}).parameters
    assert plain - shared == 3 * 2 * (2 * (64 * 16 * 9 + 64) + 64 * 64 + 64)
    assert size(**{**CARN_M, "recursive": False}).macs == size(**CARN_M).macs


def weights(network: nn.Module) -> list[int]:
    return [parameter.numel() for parameter in network.parameters() if parameter.ndim == 4]


@pytest.mark.parametrize(("scale", "parameters", "macs"), [(2, 756, 169.5), (4, 777, 43.6)])
def test_latticenet_is_as_large_as_in_the_paper(scale: int, parameters: int, macs: float) -> None:
    counted = size(network="latticenet", scale=scale)
    assert round(counted.parameters / 1e3) == parameters
    assert round(giga(counted.macs, scale), 1) == macs


def test_edsr_baseline_is_as_large_as_published() -> None:
    counted = size(network="edsr")
    assert round(counted.parameters / 1e3) == 1518
    assert round(giga(counted.macs, 4)) == 114


@pytest.mark.parametrize(("blocks", "published"), [(8, 6.8), (20, 16.1)])
def test_mimounet_is_as_large_as_in_the_paper(blocks: int, published: float) -> None:
    counted = size(network="mimounet", blocks=blocks)
    outputs = 9 * 3 * (128 + 64) + 2 * 3  # of the smaller images, which ours does not give
    assert round(counted.parameters / 1e6, 1) == round((counted.parameters + outputs) / 1e6, 1) == published


def test_mimounet_and_ircnn_by_hand() -> None:
    counted = size(network="ircnn")
    assert counted.macs == 9 * (3 * 64 + 5 * 64 * 64 + 64 * 3)
    assert counted.parameters == counted.macs + 6 * 64 + 3

    def residuals(width: int) -> int:
        return 2 * 2 * 2 * 9 * width**2  # two places, two blocks, two convolutions

    def shallow(width: int) -> float:
        inner = 9 * 3 * width / 4 + width**2 / 8 + 9 * width**2 / 4 + width / 2 * (width - 3)
        return inner + width**2

    full = 2 * 9 * 3 * 8 + residuals(8) + 56 * 8 + 9 * 8**2 + 16 * 8
    half = 9 * 8 * 16 + shallow(16) + 9 * 16**2 + residuals(16) + 56 * 16 + 9 * 16**2 + 32 * 16 + 16 * 16 * 8
    quarter = 9 * 16 * 32 + shallow(32) + 9 * 32**2 + residuals(32) + 16 * 32 * 16
    assert size(network="mimounet", width=8, blocks=2).macs == full + half / 4 + quarter / 16


def test_plane_specs() -> None:
    carn, ircnn = build({"network": "carn"}).config, build({"network": "ircnn", "channels": 1}).config
    assert plane_spec(carn) == PlaneSpec(planes=3, tables=1, restored=3, scale=4)
    assert plane_spec(ircnn) == PlaneSpec(planes=1, tables=1, restored=1, scale=1)


@pytest.mark.parametrize("config", SMALL, ids=name)
def test_without_training_they_only_enlarge(config: dict[str, Any]) -> None:
    network = build(config)
    image, scale = picture(network.config, 9, 14), plane_spec(network.config).scale
    expected = functional.interpolate(image, scale_factor=scale, mode="bilinear") if scale > 1 else image
    assert torch.equal(network(image), expected)


@pytest.mark.parametrize("config", SMALL, ids=name)
def test_any_size_and_no_table(config: dict[str, Any], tmp_path: Path) -> None:
    first = shaken(build(config))
    save_network(tmp_path / "network.safetensors", first)
    second = load_network(tmp_path / "network.safetensors")
    assert second.config == first.config
    scale = plane_spec(first.config).scale
    for height, width in ((8, 8), (9, 11), (13, 18), (10, 15)):
        image = picture(first.config, height, width)
        out = first(image)
        assert out.shape == (*image.shape[:2], scale * height, scale * width)
        assert bool(torch.isfinite(out).all())
        assert float((out - build(config)(image)).abs().mean().detach()) > 1e-3
        assert torch.equal(second(image, torch.ones(2, 1, 8, 8)), out)


@pytest.mark.parametrize("config", SMALL, ids=name)
def test_all_weights_are_learnt(config: dict[str, Any]) -> None:
    network = shaken(build(config))
    image = picture(network.config, 12, 12)
    image[0] = 0.5  # flat: features without deviation have a gradient, too
    (network(image) ** 2).mean().backward()
    for key, parameter in network.named_parameters():
        assert parameter.grad is not None, key
        assert bool(torch.isfinite(parameter.grad).all() & parameter.grad.any()), key


def test_a_first_step_of_training_makes_the_loss_smaller() -> None:
    for config in (SMALL[0], SMALL[2], SMALL[4], SMALL[7], SMALL[9]):
        torch.manual_seed(0)
        network = build(config)
        image = picture(network.config, 16, 16)
        aim = network(image).detach() * 0.9 + 0.02
        adam, losses = torch.optim.Adam(network.parameters(), 1e-3), []
        for _ in range(6):
            loss = functional.mse_loss(network(image), aim)
            losses.append(float(loss.detach()))
            adam.zero_grad()
            loss.backward()
            adam.step()
        assert losses[-1] < 0.9 * losses[0], config


def test_ircnn_has_a_receptive_field_of_33_pixels() -> None:
    network = shaken(build({"network": "ircnn", "width": 6}))
    image = picture(network.config, 41, 41).requires_grad_()
    network(image)[:, :, 20, 20].sum().backward()
    assert image.grad is not None
    rows = image.grad.abs().sum((0, 1, 3)).nonzero().ravel()  # the paper: a receptive field of 33x33
    assert (int(rows.min()), int(rows.max())) == (20 - 16, 20 + 16)


def test_mimounet_pads_by_its_last_samples() -> None:
    network = shaken(build(SMALL[9]))
    image = picture(network.config, 10, 15)
    padded = functional.pad(image, (0, 1, 0, 2), mode="replicate")
    assert torch.equal(network(image), network(padded)[:, :, :10, :15])


def test_the_coefficients_of_a_butterfly() -> None:
    lattice = shaken(build({"network": "latticenet", "width": 16})).body[0]
    butterfly, one, other = lattice.analysis, torch.rand(1, 16, 5, 6), torch.rand(1, 16, 5, 6) * 3

    def weighed(layers: Callable[[torch.Tensor], torch.Tensor], statistics: list[float]) -> np.ndarray:
        return layers(torch.tensor(statistics, dtype=torch.float32)[None, :, None, None]).detach().numpy().ravel()

    def coefficients(part: nn.Module, value: torch.Tensor) -> np.ndarray:
        planes = value[0].numpy().astype(np.float64)
        means = weighed(part.of_means, [float(plane.mean()) for plane in planes])
        return (means + weighed(part.of_deviations, [float(plane.std()) for plane in planes])) / 2

    upper, lower = (value.detach().numpy()[0] for value in butterfly(one, other))
    by_one = coefficients(butterfly.one, one)[:, None, None] * one[0].numpy()
    by_other = coefficients(butterfly.other, other)[:, None, None] * other[0].numpy()
    np.testing.assert_allclose(upper, one[0].numpy() + by_other, rtol=1e-5)
    np.testing.assert_allclose(lower, other[0].numpy() + by_one, rtol=1e-5)


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"network": "carn", "scale": 5}, "scale is 2, 3 or 4, got 5"),
        ({"network": "carn", "width": 6, "groups": 4}, "network 'carn': .*divisible by groups"),
        ({"network": "latticenet", "width": 7}, "width is even and at least 2, got 7"),
        ({"network": "latticenet", "blocks": 0}, "blocks are at least 1, got 0"),
        ({"network": "mimounet", "width": 1}, "width is at least 2 and more than half of 3 channels, got 1"),
    ],
)
def test_what_cannot_be_built_is_refused(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        build(config)


def test_a_receiver_of_a_file_keeps_its_size(tmp_path: Path) -> None:
    save_network(tmp_path / "carn.safetensors", build({"network": "carn", "width": 4, "scale": 2}))
    with pytest.raises(InvalidInputError, match=r"carn\.safetensors enlarges images by 2; expected .* their size"):
        make_receiver(str(tmp_path / "carn.safetensors"))


def rgb(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).random((3, height, width), np.float32)


def test_spandrel_networks_may_enlarge(tmp_path: Path) -> None:
    pytest.importorskip("spandrel")
    # SRVGGNetCompact adds what it computes, here 1/64, to the nearest enlargement
    state = {"body.0.weight": torch.zeros(4, 3, 3, 3), "body.0.bias": torch.zeros(4), "body.1.weight": torch.zeros(4)}
    state |= {"body.2.weight": torch.zeros(4, 4, 3, 3), "body.2.bias": torch.zeros(4), "body.3.weight": torch.zeros(4)}
    state |= {"body.4.weight": torch.zeros(12, 4, 3, 3), "body.4.bias": torch.full((12,), 1 / 64)}
    save_file(state, tmp_path / "others.safetensors")
    network = load_foreign(f"spandrel:{tmp_path / 'others.safetensors'}")
    assert (network.channels, network.scale, network.factor) == (3, 2, 1)
    restored = foreign_restorer(network)(image := rgb(7, 10))
    assert restored.dtype == np.float32
    expected = np.minimum(image.repeat(2, axis=1).repeat(2, axis=2) + np.float32(1 / 64), 1)
    np.testing.assert_array_equal(restored, expected)
    with pytest.raises(InvalidInputError, match=r"others\.safetensors enlarges images by 2; expected .* their size"):
        make_receiver(f"spandrel:{tmp_path / 'others.safetensors'}")


@pytest.mark.filterwarnings("ignore:torch.meshgrid")
def test_spandrel_loads_swinir_and_pads_its_input(tmp_path: Path) -> None:
    pytest.importorskip("spandrel")
    from spandrel.architectures.SwinIR import SwinIR

    torch.manual_seed(0)
    options = {"depths": [2], "num_heads": [2], "embed_dim": 12, "mlp_ratio": 2, "window_size": 8, "img_size": 16}
    network = SwinIR(upscale=2, upsampler="pixelshuffledirect", **options).eval()
    save_file(network.state_dict(), tmp_path / "swinir.safetensors")
    foreign = load_foreign(f"spandrel:{tmp_path / 'swinir.safetensors'}")
    assert foreign.scale == 2
    restore = foreign_restorer(foreign)
    with torch.no_grad():
        expected = network(torch.from_numpy(image := rgb(16, 24))[None])[0].clamp(0, 1).numpy()
    np.testing.assert_allclose(restore(image), expected, atol=1e-6)
    assert restore(rgb(11, 13)).shape == (3, 22, 26)


def test_spandrel_networks_for_gray_change_only_luminance(tmp_path: Path) -> None:
    pytest.importorskip("spandrel")
    state = {}
    for index, (inputs, outputs) in enumerate([(1, 3), *[(3, 3)] * 6, (3, 1)]):  # KAIR's DnCNN returns x - n(x)
        name = f"model.{2 * index}"
        state |= {f"{name}.weight": torch.zeros(outputs, inputs, 3, 3), f"{name}.bias": torch.zeros(outputs)}
    state["model.14.bias"] -= 1 / 16
    save_file(state, tmp_path / "gray.safetensors")
    restore = foreign_restorer(load_foreign(f"spandrel:{tmp_path / 'gray.safetensors'}"))
    np.testing.assert_allclose(restore(image := rgb(9, 12) / 2), image + 1 / 16, atol=1e-6)
