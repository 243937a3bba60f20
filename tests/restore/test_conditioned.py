"""`Conditioned`: its change is scaled by steps and noise, down to none, in torch and in its files."""

from __future__ import annotations

import math

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

import numpy as np  # noqa: E402

from optcodec import annex_k_tables  # noqa: E402
from restore.compress.imitate import _weight, imitate  # noqa: E402
from restore.compress.quantize import quantize  # noqa: E402
from restore.export.model_files import receptive_radius  # noqa: E402
from restore.export.onnx import to_onnx  # noqa: E402
from restore.networks import Conditioned, DnCNN  # noqa: E402
from restore.networks.conditioned import CHANGE_UNIT  # noqa: E402
from tests.train_helpers import conditions, one_thread, shaken  # noqa: E402

__all__ = ["one_thread"]  # fixture

CHROMA = {"planes": 3, "restored": 2, "tables": 2, "period": 8, "threshold": 8.0}


def steps(mean: float, tables: int = 1) -> np.ndarray:
    """Steps with this geometric mean, none of them equal to it."""
    return np.exp2(np.log2(mean) + np.linspace(-1, 1, 64).reshape(8, 8))[None].repeat(tables, 0)


def made(**config: object) -> Conditioned:
    return shaken(Conditioned(width=8, blocks=1, **config))  # type: ignore[arg-type]


def image(network: Conditioned, height: int = 32, width: int = 48) -> torch.Tensor:
    planes = network.config["planes"]
    samples = np.random.default_rng(1).integers(0, 256, (1, planes, height, width))
    return torch.from_numpy(samples.astype(np.float32) / 255)


@pytest.mark.parametrize(
    ("mean", "sigma", "error"),
    [
        (4.4, 0, 0),
        (2.0, 0, 0),
        (13.5, 0, 3),
        (20.5, 0, 4),
        (2.0, 5.0, 5),
        (13.5, 4.0, 5),  # variances are added
    ],
)
def test_the_scale_is_about_the_error_of_the_file(mean: float, sigma: float, error: float) -> None:
    scale = made().expected_error(conditions(steps(mean)[None], sigma))
    assert scale.shape == (1, 1, 1, 1)
    assert scale.item() == pytest.approx(error, rel=1e-4)


def test_the_scale_has_a_learned_strength() -> None:
    """It is 1 at first, and depends on the whole condition, within 0 and 2."""
    condition = conditions(steps(20)[None])
    first = Conditioned(width=8, blocks=1)
    assert first.scale(condition).item() == pytest.approx(CHANGE_UNIT * first.expected_error(condition).item())
    network = made()
    for index in (0, 70, 140):  # a step, a dead zone, an activity
        other = condition.clone()
        other[0, index] += 0.5
        with torch.no_grad():
            scales = torch.cat([network.scale(one) / network.expected_error(one) for one in (condition, other)])
        ratios = (scales.flatten() / CHANGE_UNIT).tolist()
        assert abs(ratios[0] - ratios[1]) > 1e-3
        assert all(0 < ratio < 2 for ratio in ratios)
    network.strength.bias.data += 100
    assert network.scale(condition).item() == pytest.approx(2 * CHANGE_UNIT * network.expected_error(condition).item())


def test_the_scale_of_chrominance_is_that_of_its_own_steps() -> None:
    network = made(**CHROMA)
    tables = np.stack([steps(100)[0], steps(17)[0]])
    assert network.expected_error(conditions(tables[None])).item() == pytest.approx(3, rel=1e-4)
    fine = np.stack([steps(100)[0], steps(7.9)[0]])
    assert network.scale(conditions(fine[None])).item() == 0


def test_the_scale_of_each_image_of_a_batch_is_its_own() -> None:
    network = made()
    several = conditions(np.stack([steps(mean) for mean in (2, 13.5, 80)]))
    pictures = image(network).expand(3, -1, -1, -1)
    with torch.no_grad():
        changes = (network(pictures, several) - pictures).flatten(1).abs().amax(1)
    assert changes[0] == 0
    assert 0 < changes[1] < changes[2]


@pytest.mark.parametrize("config", [{}, CHROMA])
@pytest.mark.parametrize("int8", [False, True])
@pytest.mark.parametrize(("quality", "sigma"), [(20, 0.0), (20, 9.0), (95, 9.0), (95, 0.0)])
def test_files_give_what_torch_gives(config: dict[str, object], int8: bool, quality: int, sigma: float) -> None:
    """With and without noise; the input itself, bit for bit, at fine steps without noise."""
    network = made(**config)
    tables = network.config["tables"]
    condition = conditions([[table.steps for table in annex_k_tables(quality)[:tables]]], sigma)
    picture = image(network)
    candidate = quantize(network, [(picture, condition)]) if int8 else network
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    session = onnxruntime.InferenceSession(to_onnx(candidate), options, ["CPUExecutionProvider"])
    (got,) = session.run(["restored"], {"image": picture.numpy(), "condition": condition.numpy()})
    with torch.no_grad():
        expected = candidate(picture, condition).numpy()
    scale = network.scale(condition).item()
    kept = picture.numpy()[:, -network.restored :]
    if quality == 95 and not sigma:
        assert scale == 0
        np.testing.assert_array_equal(got, kept)
        np.testing.assert_array_equal(expected, kept)
        return
    assert scale > 5 * CHANGE_UNIT
    change = np.abs(expected - kept).mean()
    assert change > 0.2 * scale
    level = candidate.ranges["tail"][0] * scale if int8 else 0  # type: ignore[operator]
    difference = np.abs(got - expected)
    # a value between two levels may be rounded differently, with effects on later values
    assert difference.max() < 2.01 * level + 1e-5
    assert difference.mean() < 0.02 * change + 1e-6


def test_maps_repeat_with_the_blocks_and_depend_on_all_that_is_known() -> None:
    network = made(**CHROMA)
    condition = conditions(steps(20, 2)[None])
    # a step, a dead zone and an activity of each table, subsampling, and noise
    for index in (0, 100, 150, 250, 300, 380, 384, 385, 386):
        other = condition.clone()
        other[0, index] += 0.5
        with torch.no_grad():
            assert not torch.equal(network.period_of_maps(other), network.period_of_maps(condition))
    maps = network.period_of_maps(condition)
    assert maps.shape == (1, 8, 8, 8)
    low = torch.zeros(1, 12, 16, 24)
    tiled = network.tiled(maps, low)
    assert torch.equal(tiled[..., 8:, 16:], maps)
    assert tiled.shape == (1, 8, 16, 24)


def test_samples_enter_with_all_their_bits_in_a_training_with_16_bit_floats() -> None:
    network, seen = made(), []
    network.head.register_forward_hook(lambda layer, inputs, output: seen.append((inputs[0], output)))
    picture, condition = image(network), conditions(steps(20)[None])
    with torch.no_grad():
        with torch.autocast("cpu", torch.bfloat16):
            network(picture, condition)
        network(picture, condition)
    (half, half_out), (full, _) = seen
    assert half_out.dtype == torch.float32
    assert torch.equal(half[:, :4], full[:, :4])


def test_the_receptive_radius_is_reached_and_not_passed() -> None:
    network = made()
    radius = receptive_radius(network)
    side = 16 * math.ceil((2 * radius + 2) / 16)
    picture = torch.zeros(1, 1, side, side)
    changed = picture.clone()
    changed[0, 0, side // 2, side // 2] = 1
    condition = conditions(steps(20)[None])
    with torch.no_grad():
        rows = torch.nonzero((network(changed, condition) - network(picture, condition))[0, 0])[:, 0]
    reach = max(side // 2 - int(rows.min()), int(rows.max()) - side // 2)
    assert radius - 1 <= reach <= radius


def test_imitation_counts_differences_relative_to_the_scale() -> None:
    """Fine files count as much as coarse ones, down to errors of one sample; those that are not changed do nothing."""
    network = made()
    picture = image(network)
    weights = _weight(network, conditions(np.stack([steps(mean) for mean in (2, 4.75, 13.5, 20.5)])))
    np.testing.assert_allclose(weights.flatten() * CHANGE_UNIT, [0, 1, 1 / 3, 1 / 4], rtol=1e-4)
    assert _weight(DnCNN(3, 2), conditions(steps(20)[None])).item() == 1
    rough = quantize(network, [(picture, conditions(steps(20)[None]))])
    unchanged = imitate(rough, network, [(picture, conditions(steps(2)[None]))], steps=1, rate=1.0)
    assert torch.equal(unchanged.inner.head.weight, rough.inner.head.weight)
