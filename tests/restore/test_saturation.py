"""INT8 files have the same results on processors that add pairs of products in 16 bits: no such pair ever saturates.

Such a processor is emulated here. How the runtime packs weights decides which products form pairs; several orders are
tried, and the bound on weights holds for any.
"""

from __future__ import annotations

from importlib import resources

import numpy as np
import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("onnx")
pytest.importorskip("safetensors")

from restore import shipped_models  # noqa: E402
from restore.compress.quantize import quantize  # noqa: E402
from restore.export.onnx import to_onnx  # noqa: E402
from restore.networks import Conditioned, DnCNN  # noqa: E402
from tests.saturation import Layer, exact_sums, layers, saturating_sums  # noqa: E402
from tests.train_helpers import conditions  # noqa: E402


def extreme(layer: Layer) -> np.ndarray:
    """Inputs of a layer, shape (positions, n): random, all at maximum, and at maximum where a filter is positive."""
    rng = np.random.default_rng(0)
    flat = layer.weights.reshape(len(layer.weights), -1)
    worst = np.where(flat > 0, 255, 0)
    return np.vstack([rng.integers(0, 256, (9, flat.shape[1])), np.full((1, flat.shape[1]), 255), worst, 255 - worst])


def assert_exact(model: bytes, count: int) -> None:
    int8_layers = list(layers(model))
    assert len(int8_layers) == count
    for layer in int8_layers:
        values = extreme(layer)
        flat = layer.weights.reshape(len(layer.weights), -1)
        channels_last = np.arange(flat.shape[1]).reshape(layer.weights.shape[1], -1).T.ravel()
        largest_first = np.argsort(-np.abs(flat).max(axis=0))
        for order in (np.arange(flat.shape[1]), channels_last, largest_first):
            pair = values[:, order], flat[:, order]
            assert np.array_equal(saturating_sums(*pair), exact_sums(*pair)), layer.name


def test_the_emulation_saturates() -> None:
    """A pair of products 255 * 127 overflows 16 bits, a pair of 255 * 64 does not."""
    white = np.full((1, 3), 255)
    assert saturating_sums(white, np.full((1, 3), 127)).item() == 2**15 - 1 + 255 * 127
    assert saturating_sums(white, np.full((1, 3), -127)).item() == -(2**15) - 255 * 127
    assert saturating_sums(white, np.full((1, 3), 64)).item() == 3 * 255 * 64


NETWORKS = {
    "conditioned": (lambda: Conditioned(width=8, blocks=2), (1, 1), 6),
    "chroma": (lambda: Conditioned(planes=3, restored=2, width=8, blocks=1, tables=2, maps=8, period=8), (3, 2), 4),
    "dncnn": (lambda: DnCNN(4, 6), (1, 1), 4),
    "separable": (lambda: DnCNN(4, 6, separable=True), (1, 1), 6),
}


@pytest.mark.parametrize("name", NETWORKS)
def test_exported_files_never_saturate(name: str) -> None:
    make, (planes, tables), count = NETWORKS[name]
    torch.manual_seed(1)
    network = make().eval()
    for parameter in network.parameters():  # all of one sign: what saturates most
        parameter.data.copy_(parameter.data.abs() + 0.01)
    batch = torch.rand(2, planes, 16, 16), conditions(torch.full((2, tables, 8, 8), 40.0))
    assert_exact(to_onnx(quantize(network, [batch])), count)


def test_shipped_files_never_saturate() -> None:
    folder = resources.files("restore") / "data" / "models"
    files = [entry for entry in folder.iterdir() if entry.name.endswith(".onnx")]
    assert len(files) >= len(shipped_models())
    for file in files:
        model = file.read_bytes()
        assert_exact(model, len(list(layers(model))))
        assert len(list(layers(model))) > 5
