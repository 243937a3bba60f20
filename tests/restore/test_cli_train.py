"""The command `restore train`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import torch
from click.testing import CliRunner
from PIL import Image

from optcodec import InvalidInputError
from restore.channel.mix import Mix
from restore.cli.train import command
from restore.networks import build
from restore.networks.weights import load_network, save_network
from restore.training.recipe import shipped_recipes
from tests.cli_helpers import photograph
from tests.train_helpers import SMALL, data, log, one_thread, recipe, weights_of

__all__ = ["data", "one_thread"]  # fixtures


def invoked(*arguments: object) -> Any:
    """The result of the command."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments], env={"OPTCODEC_DATA": None})


def written(folder: Path, **options: Any) -> Path:
    """A recipe as a file."""
    path = folder / "recipe.json"
    path.write_text(json.dumps(recipe(**options).to_json()))
    return path


def test_the_command_trains_and_reports_the_psnr(data: Path, tmp_path: Path) -> None:
    out = tmp_path / "run"
    result = invoked(written(tmp_path), "-o", out, "--data", data, "--threads", 1, "--json")
    assert result.exit_code == 0, result.output
    summary = json.loads(result.stdout)
    assert summary["network"] == str(out / "network.safetensors")
    assert summary["steps"] == 6
    assert summary["seen"]["psnr_q10"] == float(log(out)[-1]["psnr_q10"])
    # the training is finished: only the summary is printed
    text = invoked(written(tmp_path), "-o", out, "--data", data)
    assert text.stdout == f"{out / 'network.safetensors'}: 6 steps, {summary['seen']['psnr_q10']:.2f} dB at q10\n"


def started(data: Path, folder: Path, width: int) -> tuple[torch.nn.Module, torch.nn.Module]:
    """A network of another width, and what a training gives that starts from it and learns next to nothing."""
    start, out = build({**SMALL, "width": width}), folder / "run"
    save_network(folder / "start.safetensors", start)
    result = invoked(written(folder, rate=1e-9), "-o", out, "--data", data, "--start", folder / "start.safetensors")
    assert result.exit_code == 0, result.output
    return start, load_network(out / "network.safetensors")


def test_the_command_starts_from_a_network_of_another_size(data: Path, tmp_path: Path) -> None:
    start, trained = started(data, tmp_path, width=12)
    assert trained.config == start.config
    for name, tensor in weights_of(trained).items():
        torch.testing.assert_close(tensor, start.state_dict()[name], rtol=0, atol=1e-8)


def test_the_command_starts_from_a_smaller_network(data: Path, tmp_path: Path) -> None:
    start, trained = started(data, tmp_path, width=4)
    assert trained.config == build(SMALL).config
    torch.testing.assert_close(trained.head.weight[:4], start.head.weight, rtol=0, atol=1e-8)


def test_a_network_of_another_kind_is_refused(data: Path, tmp_path: Path) -> None:
    start, out = tmp_path / "start.safetensors", tmp_path / "run"
    save_network(start, build({"network": "dncnn"}))
    result = invoked(written(tmp_path), "-o", out, "--data", data, "--start", start)
    assert isinstance(result.exception, InvalidInputError)
    expected = f"{start} has a network of the kind dncnn; the recipe trains one of the kind conditioned"
    assert str(result.exception) == expected
    assert not out.exists()


def test_coded_files_are_kept_where_the_option_says(tmp_path: Path) -> None:
    (tmp_path / "photographs").mkdir()
    Image.fromarray(photograph(112, 128)).save(tmp_path / "photographs" / "a.png")
    how = written(tmp_path, mix=Mix({"pillow": 1}, versions=1), loss="relative", steps=2)
    for number, option in enumerate(([], ["--files", tmp_path / "shared"])):
        result = invoked(how, "-o", tmp_path / f"run{number}", "--data", tmp_path, *option, "--json")
        assert result.exit_code == 0, result.output
        assert list(json.loads(result.stdout)["seen"])[2:] == ["psnr_pillow_q10"]
    assert len(list((tmp_path / "run0" / "files").rglob("*.npz"))) == 1
    assert len(list((tmp_path / "shared").rglob("*.npz"))) == 1
    assert not (tmp_path / "run1" / "files").exists()


def test_a_folder_that_cannot_be_written_is_named_before_anything_is_read(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    result = invoked(written(tmp_path), "-o", tmp_path / "file" / "run", "--data", tmp_path)
    assert isinstance(result.exception, InvalidInputError)
    assert str(result.exception) == f"cannot write {tmp_path / 'file/run/network.safetensors'}: Not a directory"


def test_the_command_names_its_recipes() -> None:
    result = invoked("--list")
    assert result.exit_code == 0
    assert result.stdout.split() == shipped_recipes()
    assert {"tiny", "paper", "perceptual", "gan", "dual"} < set(shipped_recipes())


def test_the_command_needs_data(tmp_path: Path) -> None:
    result = invoked("tiny", "-o", tmp_path)
    assert result.exit_code == 2
    assert "--data" in result.stderr
    refused = invoked("tiny", "-o", tmp_path, "--data", tmp_path)
    assert isinstance(refused.exception, InvalidInputError)
    assert "is not a folder; expected one with photographs" in str(refused.exception)
