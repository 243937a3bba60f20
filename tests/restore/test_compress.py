"""Pruning, slimming, separable convolutions, folding, counting, and the whole compression."""

from __future__ import annotations

import copy
import dataclasses
import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optcodec import InvalidInputError
from tests.cli_helpers import photograph

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("onnx")

from safetensors.torch import save_file  # noqa: E402

from restore.channel.degradation import Degradation  # noqa: E402
from restore.compress import route as route_module  # noqa: E402
from restore.compress.prune import filter_norms, prune  # noqa: E402
from restore.compress.route import Plan, compress, trained_recipe  # noqa: E402
from restore.compress.separable import separate, separate_weights  # noqa: E402
from restore.compress.slim import slim  # noqa: E402
from restore.networks import Conditioned, DnCNN  # noqa: E402
from restore.networks.count import count  # noqa: E402
from restore.networks.fold import fold, layers  # noqa: E402
from restore.networks.weights import load_network, save_network  # noqa: E402
from restore.training.material import DataFolders  # noqa: E402
from restore.training.recipe import Recipe, Validation  # noqa: E402


def trained(seed: int = 0, **config: Any) -> DnCNN:
    """A network whose batch norms have statistics of some images."""
    torch.manual_seed(seed)
    network = DnCNN(**{"depth": 5, "width": 8, **config})
    for layer in network.modules():
        if isinstance(layer, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(layer.weight, 0.5, 2)
            torch.nn.init.normal_(layer.bias)
            layer.running_mean.normal_()
            layer.running_var.uniform_(0.5, 2)
    return network.eval()


@torch.no_grad()
def output(network: Any, channels: int = 1) -> Any:
    torch.manual_seed(1)
    return network(torch.rand(2, channels, 16, 24))


def same_weights(one: Any, other: dict[str, Any]) -> bool:
    state = one.state_dict()
    return list(state) == list(other) and all(torch.equal(state[name], other[name]) for name in other)


@pytest.mark.parametrize("config", [{}, {"separable": True}, {"normalized": False}, {"channels": 3, "depth": 3}])
def test_folding_changes_nothing_but_the_norms(config: dict[str, Any]) -> None:
    network = trained(**config)
    before = copy.deepcopy(network.state_dict())
    folded = fold(network)
    assert folded.config == {**network.config, "normalized": False}
    assert not any(isinstance(layer, torch.nn.BatchNorm2d) for layer in folded.modules())
    expected = output(network, config.get("channels", 1))
    assert (output(folded, config.get("channels", 1)) - expected).abs().max() < 1e-6 * expected.abs().max()
    assert same_weights(network, before)


@settings(max_examples=20)
@given(st.data())
def test_pruning_filters_without_output_does_not_change_the_result(data: st.DataObject) -> None:
    network = trained()
    width = data.draw(st.integers(1, 8))
    kept_filters = []
    for convolution, norm in layers(network):
        if norm is None:
            continue
        dead = data.draw(st.lists(st.integers(0, 7), min_size=8 - width, max_size=8 - width, unique=True))
        kept_filters.append([index for index in range(8) if index not in dead])
        for tensor in (convolution.weight, norm.weight, norm.bias):
            tensor.data[dead] = 0
    before = copy.deepcopy(network.state_dict())
    for smaller in (prune(network, width), slim(network, width)):
        assert smaller.config["width"] == [8, width, width, width]
        assert torch.allclose(output(smaller), output(network), rtol=1e-6, atol=1e-6)
        for index, ((old, _), (new, _)) in enumerate(zip(layers(network)[1:-1], layers(smaller)[1:-1], strict=True)):
            inputs = kept_filters[index - 1] if index else list(range(8))
            assert torch.equal(new.weight, old.weight[kept_filters[index]][:, inputs])
    assert same_weights(network, before)


def test_the_two_scores_of_filters() -> None:
    network = trained(depth=3, width=4)
    convolution, norm = layers(network)[1]
    for index, size in enumerate((3.0, -1.0, 4.0, -2.0)):
        convolution.weight.data[index] = size
        norm.weight.data[index] = 1 / size
    assert filter_norms(convolution, norm).tolist() == [3.0 * 36, 36.0, 4.0 * 36, 2.0 * 36]
    assert layers(prune(network, 2))[1][0].weight[:, 0, 0, 0].tolist() == [3.0, 4.0]
    assert layers(slim(network, 2))[1][0].weight[:, 0, 0, 0].tolist() == [-1.0, -2.0]
    assert torch.equal(layers(slim(network, 2))[1][1].running_var, norm.running_var[[1, 3]])


@pytest.mark.parametrize(
    ("network", "width", "message"),
    [
        (DnCNN(4, 8, separable=True), 4, "expected a dense dncnn with batch norms"),
        (DnCNN(4, 8, normalized=False), 4, "expected a dense dncnn with batch norms"),
        (DnCNN(4, [8, 8, 6]), 7, "width is 1..6, the filters of the narrowest layer; got 7"),
        (DnCNN(4, 8), 0, "width is 1..8, the filters of the narrowest layer; got 0"),
    ],
)
def test_what_cannot_be_pruned(network: DnCNN, width: int, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        prune(network, width)


def test_separable_weights_are_nearest() -> None:
    torch.manual_seed(0)
    weights = torch.randn(6, 4, 3, 3, dtype=torch.float64)
    depthwise, pointwise = separate_weights(weights)
    assert (depthwise.shape, pointwise.shape) == ((4, 1, 3, 3), (6, 4, 1, 1))
    product = pointwise[:, :, 0, 0, None, None] * depthwise[None, :, 0]
    left = (weights - product).square().sum((0, 2, 3))
    for channel in range(4):  # the error is the energy of the other singular values (Eckart and Young)
        values = np.linalg.svd(weights[:, channel].reshape(6, 9).numpy(), compute_uv=False)
        assert left[channel].item() == pytest.approx(float((values[1:] ** 2).sum()), rel=1e-9)
    image = torch.randn(1, 4, 7, 9, dtype=torch.float64)
    one = torch.nn.functional.conv2d(image, product, padding=1)
    two = torch.nn.functional.conv2d(torch.nn.functional.conv2d(image, depthwise, padding=1, groups=4), pointwise)
    assert torch.allclose(one, two)


@pytest.mark.parametrize("normalized", [True, False])
def test_separable_weights_of_rank_one_are_exact(normalized: bool) -> None:
    network = trained(normalized=normalized)
    for convolution, _ in layers(network)[1:-1]:
        convolution.weight.data = convolution.weight[:, :, :1, :1] * torch.rand(1, 8, 3, 3)
    separated = separate(network)
    assert separated.config == {**network.config, "separable": True}
    assert torch.allclose(output(separated), output(network), rtol=1e-5, atol=1e-5)
    with pytest.raises(InvalidInputError, match="expected a dense dncnn"):
        separate(separated)


def test_counts_by_hand() -> None:
    dense = count(DnCNN())
    assert dense.macs == 9 * (64 + 15 * 64 * 64 + 64)  # 554 kMAC per pixel
    assert dense.parameters == dense.macs + 65 + 15 * 2 * 64
    assert count(DnCNN(separable=True)).macs == 9 * (64 + 64) + 15 * (9 * 64 + 64 * 64)
    assert count(fold(DnCNN(5, 8))).parameters == 9 * (8 + 3 * 64 + 8) + 4 * 8 + 1
    # multiplications on the condition, once per image: its hidden layer for the maps and for the strength
    condition_macs = 2 * 195 * 32 + 32 * 8 * 16 + 32
    conditioned = count(Conditioned(width=32, blocks=3))
    assert conditioned.macs == pytest.approx(
        9 / 4 * (12 * 32 + 6 * 32 * 32 + 32 * 4) + condition_macs / 1024**2, abs=1e-9
    )
    assert str(count(DnCNN(3, 2))) == "79 parameters, 72 MAC per pixel"


@pytest.fixture(scope="module")
def data(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("data")
    (folder / "photos").mkdir()
    Image.fromarray(photograph(48, 64)).save(folder / "photos" / "a.png")
    return folder


@pytest.fixture
def network(tmp_path: Path) -> Path:
    path = tmp_path / "network.safetensors"
    save_network(path, trained(), recipe=RECIPE.to_json())
    return path


RECIPE = Recipe(
    {"network": "dncnn", "depth": 5, "width": 8}, photographs={"photos": 1}, degradation=Degradation((20,)),
    side=16, count=2, steps=2, precision="bfloat16", validation=Validation("photos", 1, (20,)),
)  # fmt: skip
PLAN = Plan(steps=2, share=0.25, width=3, patches=4)
STAGES = ["full", "separable", "prune-1", "prune-2", "slim", "fold", "int8", "int8-tuned"]


def test_the_route_and_its_resumption(
    tmp_path: Path, data: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder, begun = tmp_path / "out", []
    plan = Plan(steps=2, share=0.25, width=3, patches=4, separable=True)
    records = compress(network, folder, data, plan=plan, announce=begun.append)
    assert [record["stage"] for record in records] == begun == STAGES
    widths = {name: load_network(folder / name / "network.safetensors") for name in STAGES[:6]}
    widths_by_stage = [
        widths[name].config["width"] for name in ("full", "separable", "prune-1", "prune-2", "slim", "fold")
    ]
    assert widths_by_stage == [8, 8, [8, 6, 6, 6], [8, 4, 4, 4], [8, 3, 3, 3], [8, 3, 3, 3]]
    by_name = {record["stage"]: record for record in records}
    assert by_name["slim"]["parameters"] == 9 * (8 + 8 * 3 + 2 * 9 + 3) + 9 + 3 * 6
    assert by_name["fold"]["psnr_q20"] == pytest.approx(by_name["slim"]["psnr_q20"], abs=0.01)
    for name in STAGES:
        assert (folder / name / "network.onnx").stat().st_size == by_name[name]["bytes"]
    assert json.loads((folder / "route.json").read_text()) == {"stages": records}

    def never(*arguments: Any, **options: Any) -> None:
        raise AssertionError("trained again")

    (folder / "int8-tuned" / "network.safetensors").unlink()
    trained_last = []
    monkeypatch.setattr(route_module, "quantize", never)
    real = route_module.train

    def once(recipe: Recipe, photos: DataFolders, place: Path, **options: Any) -> Any:
        trained_last.append((place.name, recipe.precision, recipe.rate))
        return real(recipe, photos, place, **options)

    monkeypatch.setattr(route_module, "train", once)
    assert compress(network, folder, data, plan=plan) == records
    assert trained_last == [("int8-tuned", "float32", plan.quantized_rate)]


def test_a_plan_without_rates_keeps_those_of_the_recipe(
    tmp_path: Path, data: Path, network: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    recipe, seen = dataclasses.replace(RECIPE, rate=3e-4, schedule="plateau"), {}

    def untrained(stage_recipe: Recipe, photos: DataFolders, place: Path, *, network: Any, **options: Any) -> Any:
        seen[place.name] = stage_recipe.rate, stage_recipe.schedule
        place.mkdir(parents=True)
        save_network(place / "network.safetensors", network)
        return network

    monkeypatch.setattr(route_module, "train", untrained)
    rates = {"rate": None, "quantized_rate": None}
    compress(network, tmp_path / "kept", data, plan=dataclasses.replace(PLAN, **rates), recipe=recipe)
    assert seen == dict.fromkeys(["prune-1", "prune-2", "slim", "int8-tuned"], (3e-4, "plateau"))
    compress(network, tmp_path / "changed", data, plan=PLAN, recipe=recipe)
    assert seen == {**dict.fromkeys(["prune-1", "prune-2", "slim"], (5e-4, "cosine")), "int8-tuned": (1e-4, "cosine")}


def test_another_plan_network_or_recipe_needs_another_folder(tmp_path: Path, data: Path, network: Path) -> None:
    folder = tmp_path / "out"
    folder.mkdir()
    compress(network, folder, data, plan=PLAN)
    save_network(tmp_path / "other.safetensors", trained(1), recipe=RECIPE.to_json())
    other = Plan(steps=2, share=0.25, width=2, patches=4)
    for path, plan in ((network, other), (tmp_path / "other.safetensors", PLAN)):
        with pytest.raises(InvalidInputError, match="stages of another network, plan or recipe"):
            compress(path, folder, data, plan=plan)
    with pytest.raises(InvalidInputError, match="stages of another network, plan or recipe"):
        compress(network, folder, data, plan=PLAN, recipe=dataclasses.replace(RECIPE, seed=RECIPE.seed + 1))


def test_networks_that_cannot_be_compressed_are_refused(tmp_path: Path, data: Path, network: Path) -> None:
    for wrong in (Conditioned(width=8, blocks=1), DnCNN(4, 8, separable=True), DnCNN(4, 8, normalized=False)):
        save_network(tmp_path / "wrong.safetensors", wrong, recipe=RECIPE.to_json())
        with pytest.raises(InvalidInputError, match="expected a dense dncnn with batch norms"):
            compress(tmp_path / "wrong.safetensors", tmp_path / "out", data)
    with pytest.raises(InvalidInputError, match=r"width is 1\.\.5, the filters that pruning leaves; got 32"):
        compress(network, tmp_path / "out", data)
    save_network(tmp_path / "mute.safetensors", trained())
    save_network(tmp_path / "named.safetensors", trained(), recipe="paper")
    save_file({"a": torch.zeros(3)}, tmp_path / "other.safetensors")
    for name, reason in (
        ("mute", "its header has none"),
        ("named", "its header has a name only, paper"),
        ("other", "its header has no provenance"),
        ("missing", "No such file"),
    ):
        with pytest.raises(
            InvalidInputError, match=rf"{name}\.safetensors holds no recipe \({reason}.*\); expected a file"
        ):
            trained_recipe(tmp_path / f"{name}.safetensors")
    with pytest.raises(InvalidInputError, match=r"steps times share is below 1; got 10 times 0\.1"):
        Plan(steps=10)


def test_the_commands(tmp_path: Path, data: Path, network: Path) -> None:
    from restore.cli import main

    result = CliRunner().invoke(
        main, ["compress", str(network), "-o", str(tmp_path / "out"), "--data", str(data), "--width", "4", "--json"]
    )
    assert result.exit_code == 0, result.output
    records = json.loads(result.stdout)["stages"]
    assert [record["stage"] for record in records] == [
        "full", "prune-1", "prune-2", "prune-3", "prune-4", "slim", "fold", "int8", "int8-tuned"
    ]  # fmt: skip
    last = tmp_path / "out" / "int8-tuned" / "network.safetensors"
    written = CliRunner().invoke(main, ["export", str(last), "-o", str(tmp_path / "a.onnx"), "--json"])
    assert written.exit_code == 0, written.output
    assert (tmp_path / "a.onnx").read_bytes() == (last.parent / "network.onnx").read_bytes()
    assert json.loads(written.stdout)["nbytes"] == records[-1]["bytes"]
    quantized = CliRunner().invoke(
        main, ["export", str(network), "-o", str(tmp_path / "b.onnx"), "--int8", "--patches", "2", "--data", str(data)]
    )
    assert quantized.exit_code == 0, quantized.output
    assert b"QuantizeLinear" in (tmp_path / "b.onnx").read_bytes()
    for arguments, message in (
        ([str(last), "--int8", "--data", str(data)], "is quantized to 8 bits already"),
        ([str(network), "--int8"], "expected --data or OPTCODEC_DATA"),
        ([str(network), "--patches", "3"], "expected it with --int8"),
    ):
        refused = CliRunner().invoke(
            main, ["export", *arguments, "-o", str(tmp_path / "c.onnx")], env={"OPTCODEC_DATA": None}
        )
        assert refused.exit_code == 1
        assert message in refused.stderr
    assert not (tmp_path / "c.onnx").exists()
