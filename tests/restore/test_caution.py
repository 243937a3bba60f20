"""Caution: a factor of the change that is learned at the end, in torch and in the files."""

from __future__ import annotations

import dataclasses
import json
import math
from pathlib import Path

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")

import numpy as np  # noqa: E402
from click.testing import CliRunner  # noqa: E402
from PIL import Image  # noqa: E402

from optcodec import InvalidInputError  # noqa: E402
from restore.channel.mix import Mix  # noqa: E402
from restore.cli.caution import command  # noqa: E402
from restore.compress.quantize import quantize  # noqa: E402
from restore.export.onnx import to_onnx  # noqa: E402
from restore.networks import Conditioned, DnCNN  # noqa: E402
from restore.networks.operations import configuration  # noqa: E402
from restore.networks.weights import load_network, save_network  # noqa: E402
from restore.runtime.context import condition_size  # noqa: E402
from restore.training import caution as module  # noqa: E402
from restore.training.caution import Observations, careful, learn, observe, observed_recipe, with_caution  # noqa: E402
from restore.training.material import DataFolders, network_input, training_patches  # noqa: E402
from tests.train_helpers import one_thread, recipe, save_shapes, shaken  # noqa: E402

__all__ = ["one_thread"]  # fixture

CHROMA = {"planes": 3, "restored": 2, "tables": 2, "period": 8}


def conditions(count: int, tables: int = 1, seed: int = 0) -> torch.Tensor:
    """Conditions of any files, with coarse steps."""
    generator = torch.Generator().manual_seed(seed)
    numbers = torch.rand(count, condition_size(tables), generator=generator)
    numbers[:, : 64 * tables] = 0.6 + 0.2 * numbers[:, : 64 * tables]
    numbers[:, -1] = 0
    return numbers


@pytest.mark.parametrize("config", [{}, CHROMA], ids=["luminance", "chrominance"])
def test_the_factor_by_its_definition(config: dict[str, int]) -> None:
    network, some = shaken(Conditioned(width=8, blocks=1, caution=5, **config)), conditions(3, config.get("tables", 1))
    plain = Conditioned(width=8, blocks=1, **config).eval()
    plain.load_state_dict(network.state_dict(), strict=False)
    first, _, last = network.caution
    with torch.no_grad():
        ratios = (network.scale(some) / plain.scale(some)).flatten().tolist()
    for ratio, numbers in zip(ratios, ((some - network.centres) / network.spreads).tolist(), strict=True):
        cells = [
            sum(numbers[64 * part + 8 * (2 * v + y) + 2 * u + x] for y in (0, 1) for x in (0, 1)) / 4
            for part in range(3 * network.tables)
            for v in range(4)
            for u in range(4)
        ]
        told = torch.tensor([*cells, *numbers[-3:]])
        learned = float(last(torch.relu(first(told))).detach())
        assert ratio == pytest.approx((1 + math.exp(-2)) / (1 + math.exp(-2 - learned)), rel=1e-5)
    assert max(ratios) - min(ratios) > 0.01


@pytest.mark.parametrize("config", [{}, CHROMA], ids=["luminance", "chrominance"])
def test_the_files_are_as_cautious_as_the_network(config: dict[str, int]) -> None:
    network = shaken(Conditioned(width=8, blocks=1, caution=5, **config))
    samples = np.random.default_rng(1).integers(0, 256, (1, network.config["planes"], 32, 48))
    image, condition = torch.from_numpy(samples.astype(np.float32) / 255), conditions(1, network.tables)
    inputs = {"image": image.numpy(), "condition": condition.numpy()}
    with torch.no_grad():
        expected = network(image, condition).numpy()
    (found,) = onnxruntime.InferenceSession(to_onnx(network)).run(None, inputs)
    np.testing.assert_allclose(found, expected, atol=1e-5)
    quantized = quantize(network, [(image, condition)])
    with torch.no_grad():
        expected = quantized(image, condition).numpy()
    (found,) = onnxruntime.InferenceSession(to_onnx(quantized)).run(None, inputs)
    assert np.abs(found - expected).max() < 2 / 255


def test_caution_is_learned_where_files_get_worse() -> None:
    """The network does right where a number of the condition is small, and harm where it is large."""
    network, some = shaken(Conditioned(width=8, blocks=1)), conditions(600, seed=1)
    harmful = torch.arange(600) % 3 == 0
    some[:, 64:128] += torch.where(harmful, 1.5, 0.0)[:, None]
    ones = torch.ones(600, dtype=torch.float64)
    seen = Observations(some, 4 * ones, torch.where(harmful, 0.1, 1.0) * ones, ones)
    assert (seen.gains() < -0.5).sum() == 200
    cautious = learn(network, seen[torch.arange(400)])
    assert configuration(cautious) == configuration(network) | {"caution": 32}
    rest = seen[torch.arange(400, 600)]
    factors = cautious.caution_factor(cautious.pooled(rest.conditions))[:, 0].detach()
    gains = rest.gains(factors.double())
    assert gains.min() > -0.02
    assert factors[harmful[400:]].max() < 0.3
    assert factors[~harmful[400:]].min() > 0.9
    same = [
        name for name in network.state_dict() if torch.equal(network.state_dict()[name], cautious.state_dict()[name])
    ]
    assert same == list(network.state_dict())


def test_observations_are_those_of_the_patches(tmp_path: Path) -> None:
    data = DataFolders(save_shapes(tmp_path, 2, 112, 96))
    settings = recipe(mix=Mix({"pillow": 1}, versions=1), loss="relative", side=32, count=3)
    network, done = shaken(Conditioned(width=8, blocks=1)), []
    observe(network, settings, data, batches=2, progress=done.append).save(tmp_path / "kept" / "observations.npz")
    seen = Observations.load(tmp_path / "kept" / "observations.npz")
    assert done == [1, 2]
    assert seen.conditions.shape == (6, condition_size(1))
    patches = training_patches(settings, data)
    for number in (0, 1):
        batch = patches.batch(number)
        with torch.no_grad():
            restored = 255 * network(*network_input(batch, None)).double()
        before, after = (
            (torch.from_numpy(batch.clean) - one).square().mean((1, 2, 3))
            for one in (torch.from_numpy(batch.received).double(), restored)
        )
        rows = torch.arange(3 * number, 3 * number + 3)
        torch.testing.assert_close(seen[rows].errors, before)
        gains = 10 * torch.log10((before + 0.02) / (after + 0.02))
        torch.testing.assert_close(seen[rows].gains(), gains, rtol=1e-4, atol=1e-4)
        assert seen[rows].gains(0.0).abs().max() < 1e-12


def test_constant_areas_are_not_changed(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    Image.new("RGB", (112, 96), (90, 140, 60)).save(tmp_path / "photographs" / "flat.png")
    settings = recipe(mix=Mix({"pillow": 1}, versions=1), loss="relative", side=32, count=3)
    seen = observe(shaken(Conditioned(width=8, blocks=1)), settings, DataFolders(tmp_path), batches=1)
    assert seen.changes.tolist() == [0, 0, 0]


def test_a_network_learns_from_its_recipe(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = DataFolders(save_shapes(tmp_path, 2, 112, 96))
    settings = recipe(mix=Mix({"pillow": 1}, versions=1), loss="relative", side=32, count=5)
    monkeypatch.setattr(module, "observed_recipe", lambda recipe: recipe)
    network = shaken(Conditioned(width=8, blocks=1))
    cautious, record = careful(network, settings, data, batches=4)
    assert (record["patches"], record["held_out"]) == (20, 2)
    rest = observe(network, settings, data, batches=4)[torch.tensor([9, 19])]
    after = observe(cautious, settings, data, batches=4)[torch.tensor([9, 19])].gains()
    for name, gains in (("before", rest.gains()), ("after", after)):
        assert record[f"gain_db_{name}"] == pytest.approx(gains.mean().item(), abs=1e-3)
        assert record[f"least_db_{name}"] == pytest.approx(gains.min().item(), abs=1e-3)
        assert record[f"harmed_{name}"] == (gains < -0.02).sum()
    for wrong in (cautious, DnCNN(4, 8)):
        with pytest.raises(InvalidInputError, match="caution is for a network conditioned without it"):
            careful(wrong, settings, data, batches=4)


def test_the_command(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save_shapes(tmp_path, 2, 112, 96)
    settings = recipe(mix=Mix({"pillow": 1}, versions=1), loss="relative", side=32, count=5)
    monkeypatch.setattr(module, "observed_recipe", lambda recipe: recipe)
    path, out = tmp_path / "network.safetensors", tmp_path / "careful.safetensors"
    save_network(path, shaken(Conditioned(width=8, blocks=1)), recipe=settings.to_json())
    arguments = [str(path), "-o", str(out), "--data", str(tmp_path), "--batches", "4"]
    result = CliRunner().invoke(command, [*arguments, "--json"])
    assert result.exit_code == 0, result.output
    record = json.loads(result.stdout)
    assert (record["network"], record["held_out"]) == (str(out), 2)
    assert configuration(load_network(out))["caution"] == 32
    text = CliRunner().invoke(command, arguments).stdout
    assert text.startswith(f"{out}: of 2 patches that took no part {record['harmed_after']} lose (before: ")
    refused = CliRunner().invoke(command, [str(out), *arguments[1:]])
    assert str(refused.exception).startswith("caution is for a network conditioned without it; got {")


def test_what_is_observed(tmp_path: Path) -> None:
    settings = recipe(
        mix=Mix({"pillow": 1}, qualities=(10, 50, 80, 90), versions=1, drawings=3), loss="relative", side=32
    )
    assert settings.mix is not None
    observed = observed_recipe(settings)
    assert observed.mix is not None
    assert (observed.mix.drawings, observed.side, observed.seed) == (2000, 176, settings.seed + 1)
    assert observed.mix.first_drawing > settings.mix.drawings
    assert set(observed.mix.kinds) > set(settings.mix.kinds)
    assert list(observed.mix.qualities) == [10, 50, 80, 90, 80, 90, 80, 90]
    assert observed.mix.smooth == pytest.approx(0.25)
    grainy = observed_recipe(dataclasses.replace(settings, mix=dataclasses.replace(settings.mix, grainy=0.9)))
    assert grainy.mix is not None
    assert grainy.mix.smooth == pytest.approx(0.1)
    with pytest.raises(InvalidInputError, match="the recipe has no mix"):
        observed_recipe(recipe())


def test_networks_with_caution_are_stored(tmp_path: Path) -> None:
    network = shaken(Conditioned(width=8, blocks=1, caution=5))
    save_network(tmp_path / "network.safetensors", network)
    stored, some = load_network(tmp_path / "network.safetensors"), conditions(2)
    assert isinstance(stored, Conditioned)
    torch.testing.assert_close(stored.scale(some), network.scale(some), rtol=0, atol=0)


@pytest.mark.parametrize("before", [0, 4])
def test_a_quantized_network_takes_over_the_caution(before: int) -> None:
    """Of the network that it imitates; it may have another one before."""
    cautious, some = shaken(Conditioned(width=8, blocks=1, caution=5)), conditions(2)
    network = shaken(Conditioned(width=8, blocks=1, caution=before))
    image = torch.rand(2, 1, 16, 16)
    quantized = quantize(network, [(image, some)])
    with torch.no_grad():
        changes = [one(image, some) - image for one in (quantized, with_caution(quantized, cautious))]
        factors = cautious.caution_factor(cautious.pooled(some)) / (
            network.caution_factor(network.pooled(some)) if before else 1
        )
    assert changes[0].abs().mean() > 1e-3
    torch.testing.assert_close(changes[1], factors[:, :, None, None] * changes[0])
