"""Networks as TFLite files, where litert-torch is installed (pip install 'optcodec[tflite]', about a gigabyte)."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from optcodec import InvalidInputError
from restore.cli import main
from restore.networks import Conditioned, DnCNN
from restore.networks.weights import save_network
from restore.runtime.context import condition_size
from tests.train_helpers import shaken

CHROMA = {"planes": 3, "restored": 2, "tables": 2, "period": 8, "width": 8, "blocks": 1, "after_luminance": True}


def exported(network: torch.nn.Module, folder: Path, *options: str) -> Path:
    save_network(folder / "network.safetensors", network)
    arguments = ["export", str(folder / "network.safetensors"), "-o", str(folder / "network.tflite"), *options]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.output
    return folder / "network.tflite"


@pytest.mark.parametrize("kind", ["dncnn", "luminance", "chrominance"])
def test_a_file_gives_what_the_network_gives(tmp_path: Path, kind: str) -> None:
    pytest.importorskip("litert_torch", reason="TFLite files need litert-torch")
    from ai_edge_litert.interpreter import Interpreter

    networks = {
        "dncnn": lambda: DnCNN(depth=3, width=8),
        "luminance": lambda: Conditioned(width=8, blocks=1),
        "chrominance": lambda: Conditioned(**CHROMA),
    }
    network = shaken(networks[kind]()).eval()
    path = exported(network, tmp_path, "--size", "96x64")
    rng = np.random.default_rng(1)
    planes, tables = (3, 2) if kind == "chrominance" else (1, 1)
    inputs = {"args_0": rng.random((1, planes, 64, 96), np.float32)}
    if kind != "dncnn":
        inputs["args_1"] = rng.random((1, condition_size(tables)), np.float32)
    (restored,) = Interpreter(str(path)).get_signature_runner()(**inputs).values()
    with torch.no_grad():
        expected = network(*map(torch.from_numpy, inputs.values())).numpy()
    assert restored.shape == expected.shape
    assert np.abs(expected - inputs["args_0"][:, -expected.shape[1] :]).max() > 0.05
    np.testing.assert_allclose(restored, expected, atol=2e-4)


@pytest.mark.parametrize(
    ("output", "options", "message"),
    [
        ("n.tflite", [], "a .tflite file takes images of one --size, others of any size; got"),
        ("n.onnx", ["--size", "64x64"], "a .tflite file takes images of one --size, others of any size; got"),
        ("n.tflite", ["--size", "64x64", "--int8"], "a .tflite file has 32-bit floats; expected no --int8"),
    ],
)
def test_options_that_do_not_go_together(tmp_path: Path, output: str, options: list[str], message: str) -> None:
    save_network(tmp_path / "network.safetensors", Conditioned(width=8, blocks=1))
    arguments = ["export", str(tmp_path / "network.safetensors"), "-o", str(tmp_path / output), *options]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 1
    assert message in result.stderr
    assert not (tmp_path / output).exists()


def test_an_output_of_another_kind_is_refused(tmp_path: Path) -> None:
    save_network(tmp_path / "network.safetensors", Conditioned(width=8, blocks=1))
    result = CliRunner().invoke(main, ["export", str(tmp_path / "network.safetensors"), "-o", str(tmp_path / "n.bin")])
    assert result.exit_code == 2
    assert f"{tmp_path / 'n.bin'} should end in one of .onnx, .json, .tflite" in result.stderr
    assert not (tmp_path / "n.bin").exists()


@pytest.mark.parametrize("size", ["64", "0x16", "64x65", "axb", "٦٤x64"])
def test_sizes_are_multiples_of_16(tmp_path: Path, size: str) -> None:
    save_network(tmp_path / "network.safetensors", Conditioned(width=8, blocks=1))
    arguments = ["export", str(tmp_path / "network.safetensors"), "-o", str(tmp_path / "n.tflite"), "--size", size]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 2
    assert "expected WIDTHxHEIGHT in pixels, multiples of 16" in result.stderr


def test_networks_of_other_kinds_are_refused() -> None:
    pytest.importorskip("litert_torch", reason="TFLite files need litert-torch")
    from restore.export.tflite import to_tflite

    with pytest.raises(InvalidInputError, match="is made of a network in 32-bit floats, got Linear"):
        to_tflite(torch.nn.Linear(3, 3), (64, 64))
