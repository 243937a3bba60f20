"""ONNX files with 32-bit floats and INT8: same results as in torch, and integer operations in ONNX Runtime."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optcodec import InvalidInputError

torch = pytest.importorskip("torch")
onnx = pytest.importorskip("onnx")
onnxruntime = pytest.importorskip("onnxruntime")
pytest.importorskip("safetensors")

from restore.compress.equalize import equalize  # noqa: E402
from restore.compress.quantize import best_range, quantize  # noqa: E402
from restore.export.onnx import to_onnx  # noqa: E402
from restore.networks import Conditioned, DnCNN, DualDomain  # noqa: E402
from restore.networks.operations import value_names, walk  # noqa: E402
from restore.networks.quantized import Quantized, TorchOperations  # noqa: E402
from restore.networks.weights import load_network, save_network  # noqa: E402
from tests.train_helpers import conditions  # noqa: E402

GRAY = {"width": 8, "blocks": 2}
CHROMA = {"planes": 3, "restored": 2, "width": 8, "blocks": 1, "tables": 2, "maps": 8, "period": 8}
NETWORKS = {
    "gray": lambda: Conditioned(**GRAY),
    "chroma": lambda: Conditioned(**CHROMA),
    "dncnn": lambda: DnCNN(4, 6),
    "pruned": lambda: DnCNN(4, [6, 3, 5], channels=3),
    "separable": lambda: DnCNN(4, 6, separable=True),
    "folded": lambda: DnCNN(4, 6, normalized=False),
}


def network_with_weights(make: Any) -> Any:
    """A network with random weights, none of whose values is negligible."""
    torch.manual_seed(0)
    network = make()
    for layer in network.modules():
        if isinstance(layer, torch.nn.Conv2d | torch.nn.Linear):
            torch.nn.init.normal_(layer.weight, 0, 1.2 / layer.weight[0].numel() ** 0.5)
            if layer.bias is not None:
                torch.nn.init.normal_(layer.bias, 0, 0.1)
        if isinstance(layer, torch.nn.BatchNorm2d):
            layer.running_mean.normal_(0, 0.1)
            layer.running_var.uniform_(0.5, 2)
    last = [layer for layer in network.modules() if isinstance(layer, torch.nn.Conv2d)][-1]
    # small, so that the change of the image is a few samples (0..255)
    torch.nn.init.normal_(last.weight, 0, 0.1 / last.weight[0].numel() ** 0.5)
    torch.nn.init.zeros_(last.bias)
    return network.eval()


def inputs(network: Any, height: int = 32, width: int = 48, seed: int = 0) -> tuple[Any, Any]:
    """Decoded samples and a condition."""
    rng = np.random.default_rng(seed)
    config = network.config.get("of", network.config)
    planes, tables = config.get("planes", config.get("channels")), config.get("tables", 1)
    image = rng.integers(0, 256, (1, planes, height, width)).astype(np.float32) / 255
    return torch.from_numpy(image), conditions(rng.uniform(1, 120, (1, tables, 8, 8)))


def session(model: bytes, optimized: Path | None = None) -> Any:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    if optimized:
        options.graph_optimization_level = onnxruntime.GraphOptimizationLevel.ORT_ENABLE_EXTENDED
        options.optimized_model_filepath = str(optimized)
    return onnxruntime.InferenceSession(model, options, ["CPUExecutionProvider"])


def run_session(model: Any, image: Any, condition: Any) -> np.ndarray:
    values = {"image": image.numpy(), "condition": condition.numpy()}
    result: np.ndarray = model.run(["restored"], {node.name: values[node.name] for node in model.get_inputs()})[0]
    return result


def calibrated(network: Any) -> Quantized:
    return quantize(network, [inputs(network, seed=seed) for seed in range(4)])


@pytest.mark.parametrize("name", NETWORKS)
def test_float_files_compute_what_torch_does(name: str) -> None:
    network = network_with_weights(NETWORKS[name])
    model = to_onnx(network)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    onnx_session = session(model)
    condition_input = ["condition"] if "tables" in network.config else []
    assert [node.name for node in onnx_session.get_inputs()] == ["image", *condition_input]
    for height, width in ((32, 48), (16, 16), (80, 24 if network.config.get("planes") == 1 else 32)):
        image, condition = inputs(network, height, width)
        with torch.no_grad():
            expected = network(image, condition).numpy()
        assert np.abs(run_session(onnx_session, image, condition) - expected).max() < 1e-5


@pytest.mark.parametrize("name", NETWORKS)
def test_int8_files_are_integer_operations_that_compute_what_torch_simulates(name: str, tmp_path: Path) -> None:
    quantized = calibrated(network_with_weights(NETWORKS[name]))
    model = to_onnx(quantized)
    onnx.checker.check_model(onnx.load_from_string(model), full_check=True)
    onnx_session = session(model, tmp_path / "optimized.onnx")
    kinds = Counter(node.op_type for node in onnx.load(tmp_path / "optimized.onnx").graph.node)
    convolutions = sum(isinstance(layer, torch.nn.Conv2d) for layer in quantized.modules())
    assert kinds["QLinearConv"] == convolutions
    assert (kinds["Conv"], kinds["QLinearAdd"]) == (0, len(getattr(quantized.inner, "body", [])))
    image, condition = inputs(quantized, seed=9)
    with torch.no_grad():
        expected, unquantized = quantized(image, condition).numpy(), quantized.inner(image, condition).numpy()
    step = quantized.ranges[quantized.names[-1]][0]
    difference = np.abs(run_session(onnx_session, image, condition) - expected) / step
    # a value between two levels may be rounded differently, with effects on later values
    assert difference.max() < 2.01
    assert np.mean(difference > 0.01) < 0.02
    changes = unquantized - image.numpy()[:, -expected.shape[1] :]
    error = np.sqrt(np.mean((expected - unquantized) ** 2)) / np.std(changes)
    assert error < 0.06


def test_filters_with_tiny_weights_keep_their_bias() -> None:
    network = network_with_weights(NETWORKS["folded"])
    first = network.layers[0]
    with torch.no_grad():
        first.weight[2] = 1e-20
        first.bias[2] = 0.3  # 10**17 steps, if the step were that of the weights
    quantized = calibrated(network)
    image, condition = inputs(quantized, seed=9)
    with torch.no_grad():
        expected = quantized(image, condition).numpy()
    step = quantized.ranges[quantized.names[-1]][0]
    assert np.abs(run_session(session(to_onnx(quantized)), image, condition) - expected).max() < 1.01 * step


def test_walking_in_torch_is_the_network_itself() -> None:
    for name in ("gray", "chroma", "folded"):
        network = network_with_weights(NETWORKS[name])
        image, condition = inputs(network)
        with torch.no_grad():
            assert torch.equal(walk(network, TorchOperations(image, condition)).tensor, network(image, condition))


def test_names_of_values() -> None:
    body = ["body.0.first", "body.0.second", "body.0"]
    assert value_names(Conditioned(width=8, blocks=1)) == ["maps", "head", *body, "tail"]
    assert value_names(DnCNN(3, 4, normalized=False)) == ["layers.0", "layers.2", "layers.4"]
    for network in (DnCNN(3, 4), DualDomain()):
        with pytest.raises(
            InvalidInputError, match="expected a conditioned network or a folded dncnn; got .*" + "network"
        ):
            value_names(network)


def test_sizes_of_exported_files() -> None:
    for width, blocks, limit in ((32, 3, 115_000), (64, 4, 366_000), (128, 3, 1_000_000)):
        network = Conditioned(width=width, blocks=blocks)
        torch.nn.init.normal_(network.tail.weight)
        assert len(to_onnx(Quantized(network.config))) <= limit


def test_decoded_samples_enter_without_loss() -> None:
    samples = np.arange(256, dtype=np.float32) / 255
    assert np.array_equal(np.rint(samples / np.float32(1 / 255)), np.arange(256))
    network = network_with_weights(NETWORKS["folded"])
    for layer in network.layers:
        if isinstance(layer, torch.nn.Conv2d):  # each layer passes on the centre of its first channel
            layer.weight.data.zero_()
            layer.bias.data.zero_()
            layer.weight.data[0, 0, 1, 1] = 1
    quantized = quantize(network, [(torch.from_numpy(samples).view(1, 1, 16, 16), conditions(torch.ones(1, 1, 8, 8)))])
    quantized.scales[:], quantized.zeros[:] = 1 / 255, 0  # the result is twice the image if nothing is lost
    image = torch.from_numpy(samples).view(1, 1, 16, 16)
    restored = run_session(session(to_onnx(quantized)), image, image)
    assert np.array_equal(np.rint(restored.ravel() * 255), 2 * np.arange(256))


def test_calibration_leaves_the_network_alone_and_its_scales_are_saved(tmp_path: Path) -> None:
    network = network_with_weights(NETWORKS["gray"]).train()
    before = {name: tensor.clone() for name, tensor in network.state_dict().items()}
    quantized = calibrated(network)
    assert network.training
    assert all(torch.equal(tensor, before[name]) for name, tensor in network.state_dict().items())
    assert quantized.config == {"network": "quantized", "of": network.config}
    for name in ("body.0.first", "body.1.first"):  # after a ReLU no level is spent on negative values
        assert quantized.ranges[name][1] == 0
    save_network(tmp_path / "a.safetensors", quantized)
    loaded = load_network(tmp_path / "a.safetensors")
    assert isinstance(loaded, Quantized)
    assert loaded.ranges == quantized.ranges
    image, condition = inputs(network)
    with torch.no_grad():
        assert torch.equal(loaded(image, condition), quantized(image, condition))
    assert to_onnx(loaded) == to_onnx(quantized)


@pytest.mark.parametrize("name", ["gray", "folded"])
def test_gradients_ignore_the_rounding_and_fine_tuning_keeps_the_scales(name: str) -> None:
    quantized = calibrated(network_with_weights(NETWORKS[name])).train()
    ranges = quantized.ranges
    image, condition = inputs(quantized)
    optimizer = torch.optim.Adam(quantized.parameters(), 1e-3)
    losses = []
    for _ in range(9):
        loss = (quantized(image, condition) - image).square().mean()
        optimizer.zero_grad()
        loss.backward()
        assert all(parameter.grad.abs().max() > 0 for parameter in quantized.parameters())
        optimizer.step()
        losses.append(loss.item())
    assert losses[-1] < 0.8 * losses[0]
    assert quantized.ranges == ranges


def test_equal_constants_are_stored_once() -> None:
    model = onnx.load_from_string(to_onnx(calibrated(network_with_weights(NETWORKS["gray"]))))
    contents = [(constant.data_type, tuple(constant.dims), constant.raw_data) for constant in model.graph.initializer]
    assert len(contents) == len(set(contents))
    assert (model.ir_version, model.opset_import[0].version) == (8, 17)


@pytest.mark.parametrize("name", ["gray", "chroma", "folded"])
def test_equalizing_narrows_ranges_and_keeps_the_output(name: str) -> None:
    network = network_with_weights(NETWORKS[name])
    spread = torch.tensor([2.0 ** -(index % 6) for index in range(8)])
    for layer in network.modules():  # some channels far narrower than others
        if isinstance(layer, torch.nn.Conv2d) and layer.out_channels > 4:
            layer.weight.data *= spread[: layer.out_channels, None, None, None]
            layer.bias.data *= spread[: layer.out_channels]
    image, condition = inputs(network, seed=9)
    batches = [inputs(network, seed=seed) for seed in range(4)]
    equalized = equalize(network, batches)
    with torch.no_grad():
        expected = network(image, condition)
        assert (equalized(image, condition) - expected).abs().max() < 1e-5
    ranges: dict[str, list[float]] = {}

    class Recorder(TorchOperations):
        def process_value(self, name: str, value: Any) -> Any:
            largest = value.abs().amax((0, 2, 3))
            ranges.setdefault(name, []).append((largest.max() / largest.min()).item())
            return value

    for candidate in (network, equalized):
        with torch.no_grad():
            walk(candidate, Recorder(image, condition))
    hidden = [name for name in ranges if name.endswith(".first") or name in ("layers.0", "layers.2")]
    assert len(hidden) == {"gray": 2, "chroma": 1, "folded": 2}[name]
    assert all(ranges[name][1] < ranges[name][0] ** 0.5 for name in hidden)


def test_equalizing_improves_folded_networks() -> None:
    network = network_with_weights(NETWORKS["folded"])
    middle = network.layers[2]
    for layer in (network.layers[0], middle):
        layer.weight.data[::2] *= 0.03
        layer.bias.data[::2] *= 0.03
    for layer in (middle, network.layers[4]):
        layer.weight.data[:, ::2] /= 0.03
    image, condition = inputs(network, seed=9)
    batches = [inputs(network, seed=seed) for seed in range(4)]
    equalized, plain = quantize(network, batches), Quantized(network.config)
    plain.inner.load_state_dict(network.state_dict())
    values: dict[str, Any] = {}

    class Recorder(TorchOperations):
        def process_value(self, name: str, value: Any) -> Any:
            values[name] = value
            return value

    with torch.no_grad():
        walk(network, Recorder(image, condition))
        for index, name in enumerate(plain.names[:-1]):  # the ranges that the values have as they are
            plain.scales[index], plain.zeros[index] = best_range(values[name].numpy().ravel())
        plain.scales[-1], plain.zeros[-1] = equalized.scales[-1], equalized.zeros[-1]
        expected = network(image, condition)
        errors = [(candidate(image, condition) - expected).square().mean().item() for candidate in (equalized, plain)]
    assert errors[0] < 0.3 * errors[1]
