"""Networks that others trained, in the AccelIR benchmarks: fine-tuning, and files with them in the loop."""

from __future__ import annotations

import importlib
import json
import sys
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import click
import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from optcodec import encode
from optcodec.pictures.pixels import decoded_pixels
from optcodec.receivers.block_bits import file_block_bits
from optcodec.trellis.tuning import tuning_for
from restore.channel.problem import find_problem
from restore.tasks import RestorationTask

torch = pytest.importorskip("torch")
safetensors = pytest.importorskip("safetensors.torch")
for package in ("pyvips", "ajpegli", "bjontegaard"):
    pytest.importorskip(package)

FINE, LOOP, CASES, TRAIN, FIT = (
    importlib.import_module(f"benchmarks.accelir.{name}")
    for name in ("fine_tune", "loop", "case", "train_tasks", "fit_receivers")
)
TASKS = importlib.import_module("benchmarks.receiver.tasks")
NAME = "ircnn_color25"  # the network of de-noising that stands for the published one
SHAPES = {"weight": (3, 3, 3, 3), "bias": (3,)}
NETS = """
from pathlib import Path
import torch
from safetensors.torch import load_file

class Network(torch.nn.Module):
    def __init__(self, tensors):
        super().__init__()
        for name, tensor in tensors.items():
            self.register_parameter(f"p_{name}", torch.nn.Parameter(tensor, requires_grad=False))

    def forward(self, planes):
        return torch.nn.functional.conv2d(planes, self.p_weight, self.p_bias, padding=1)

def load(name):
    return Network(load_file(Path(__file__).parent / f"{name}.safetensors"))
"""


@pytest.fixture
def nets(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A folder with a published network, which changes nothing, and its module; OPTCODEC_DATA has photographs."""
    folder = tmp_path / "nets"
    folder.mkdir()
    (folder / "nets.py").write_text(NETS, "utf-8")
    weight = torch.zeros(3, 3, 3, 3)
    for channel in range(3):
        weight[channel, channel, 1, 1] = 1
    file = folder / f"{NAME}.safetensors"
    safetensors.save_file({"weight": weight, "bias": torch.zeros(3)}, file, {"kind": "identity"})
    for name, top in {"photographs": 0, "Val20": 200}.items():
        (tmp_path / name).mkdir()
        Image.fromarray(np.ascontiguousarray(astronaut()[top : top + 64, 100:180])).save(tmp_path / name / "a.png")
    monkeypatch.setenv("OPTCODEC_DATA", str(tmp_path))
    monkeypatch.syspath_prepend(str(folder))
    monkeypatch.delitem(sys.modules, "nets", raising=False)
    load = FINE.load_recipe
    small: dict[str, Any] = {"photographs": {"photographs": 1}, "side": 32, "count": 4, "precision": "float32"}
    monkeypatch.setattr(FINE, "load_recipe", lambda problem: replace(load(problem), **small))
    monkeypatch.setattr(FINE, "EVERY", 2)
    monkeypatch.setattr(FINE, "RATE", 3e-3)
    return folder


def test_a_network_is_tuned_in_the_layout_of_its_file(nets: Path, tmp_path: Path) -> None:
    figures = FINE.figures_of(NAME, nets, tmp_path / "work", 100)
    path = tmp_path / "work" / f"{NAME}.safetensors"
    with safetensors.safe_open(path, "pt") as file:
        assert file.metadata() == {"kind": "identity"}
    assert {name: weights.shape for name, weights in safetensors.load_file(path).items()} == SHAPES
    assert list(figures["before"]) == list(figures["after"]) == list(FINE.CODINGS)
    assert figures["after"]["not coded"] > figures["before"]["not coded"] + 0.2
    assert figures["digests"]["from"] == CASES.digest_of(nets / f"{NAME}.safetensors")
    assert figures["digests"]["to"] == CASES.digest_of(path)
    assert FINE.figures_of(NAME, nets, tmp_path / "work", 100) == figures
    with pytest.raises(click.UsageError, match="has 100 steps, 200 are asked for"):
        FINE.figures_of(NAME, nets, tmp_path / "work", 200)


def test_an_interrupted_training_goes_on_with_the_same_result(
    nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def tuned(folder: str, steps: Callable[[Any], Any]) -> dict[str, Any]:
        network, work = importlib.import_module("nets").load(NAME).requires_grad_(True), tmp_path / folder
        work.mkdir(exist_ok=True)
        with monkeypatch.context() as patched:
            patched.setattr(FINE, "tracked", lambda numbers, *rest: steps(numbers))
            FINE.tune(network, FINE.recipe_of("denoise25", 6), work)
        return {name: tensor.tolist() for name, tensor in network.state_dict().items()}

    whole = tuned("whole", lambda numbers: numbers)
    part = tuned("parts", lambda numbers: numbers[:5])  # of these, 4 are in the checkpoint
    assert part != whole
    assert tuned("parts", lambda numbers: numbers) == whole


def test_networks_of_the_package_are_trained_and_measured(
    nets: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    small = {"photographs": {"photographs": 1}, "side": 32, "count": 4, "steps": 3, "precision": "float32"}
    load = TRAIN.load_recipe
    monkeypatch.setattr(TRAIN, "load_recipe", lambda problem: replace(load(problem), **small))
    monkeypatch.setattr(TRAIN, "FOLDER", tmp_path)
    monkeypatch.setattr("benchmarks.record.RESULTS", tmp_path)
    rows = {name: TRAIN.trained(name, tmp_path, tmp_path / "work") for name in ("denoise25-16", "denoise25-ircnn")}
    for name, row in rows.items():
        stored = safetensors.load_file(tmp_path / f"{name}.safetensors")
        assert {weights.dtype for weights in stored.values()} == {torch.float16}
        assert list(row["psnr_db"]) == list(FINE.CODINGS)
        assert row["psnr_db"]["not coded"] > 15
        assert (row["problem"], row["steps"]) == ("denoise25", 3)
    assert TRAIN.recipe_of("denoise25-16").network["width"] == 16
    assert TRAIN.recipe_of("denoise25-16").network["from_mean"]
    assert TRAIN.recipe_of("denoise25-ircnn").network == {"network": "ircnn", "width": 32}
    (tmp_path / "accelir_tasks.json").write_text(json.dumps({"networks": rows}))
    (tmp_path / "denoise25-16.safetensors").write_bytes(b"another network")
    assert TRAIN.known_rows() == {"denoise25-ircnn": rows["denoise25-ircnn"]}


def test_weights_are_fitted_to_the_mean_of_two_receivers() -> None:
    photo = np.ascontiguousarray(astronaut()[:64, 100:180])
    same, inverted = (
        RestorationTask(find_problem("deblock"), receive, "receiver")
        for receive in (decoded_pixels, lambda data: 255 - decoded_pixels(data))
    )
    data = encode(photo, quality=80).data
    values = [FIT.Bench(tasks, [photo], (1.0,)).quality(data, 0) for tasks in ((same,), (inverted,), (same, inverted))]
    assert values[0] > values[1] + 10
    assert values[2] == pytest.approx((values[0] + values[1]) / 2)


def test_rows_of_networks_that_are_not_measured_again_stay() -> None:
    earlier = {
        "bpp": 1.2,
        "side": 256,
        "networks": {"carn_m": 1, "rlfn_x4": 2},
        "digests": {"carn_m": "a", "rlfn_x4": "b"},
    }
    now = {"bpp": 1.2, "side": 256, "networks": {"rlfn_x4": 3}, "digests": {"rlfn_x4": "c"}}
    both = LOOP.with_earlier(now, earlier)
    assert both == earlier | {"networks": {"carn_m": 1, "rlfn_x4": 3}, "digests": {"carn_m": "a", "rlfn_x4": "c"}}
    with pytest.raises(click.UsageError, match="another rate or size"):
        LOOP.with_earlier(now | {"side": 128}, earlier)


def test_groups_count_only_where_they_gain_more_than_chance() -> None:
    noise = np.random.default_rng(0).normal(0, 0.02, 30)
    none = np.linspace(0.5, 0.9, 30)
    assert FIT.useful_strength({0.0: none, 0.5: none + 0.02 + noise, 1.0: none + 0.01 + noise}) == 0.5
    assert FIT.useful_strength({0.0: none, 0.5: none + 0.002 + noise - noise.mean()}) == 0.0
    assert FIT.useful_strength({0.0: none, 0.5: none - 0.1}) == 0.0


def test_a_receiver_without_a_network_enlarges_what_is_decoded() -> None:
    photo = np.ascontiguousarray(astronaut()[:64, 100:180])
    data = encode(photo, quality=80).data
    np.testing.assert_array_equal(
        TASKS.receiver_task("denoise25", TASKS.NO_NETWORK).restored(data), decoded_pixels(data)
    )
    enlarged = Image.fromarray(decoded_pixels(data)).resize((320, 256), Image.Resampling.BICUBIC)
    np.testing.assert_array_equal(TASKS.receiver_task("sr4", TASKS.NO_NETWORK).restored(data), np.asarray(enlarged))


def test_files_without_the_loop_come_near_to_its_bits_by_block(monkeypatch: pytest.MonkeyPatch) -> None:
    """For a receiver that gives black where a picture is dark, as its left half, where bits are of no use to it."""

    class Bright(torch.nn.Module):
        def forward(self, planes: Any) -> Any:
            return planes * (planes > 0.4)

    def receive(data: bytes) -> Any:
        decoded = decoded_pixels(data)
        return decoded * (decoded > 102)

    texture = np.random.default_rng(0).integers(0, 90, (96, 128, 1), np.uint8).repeat(3, 2)
    photo = texture + np.where(np.arange(128) < 64, 0, 120).astype(np.uint8)[:, None]
    task = RestorationTask(find_problem("deblock"), receive, "bright", Bright())
    tools: Any = SimpleNamespace(tuning=tuning_for("psnr"))
    case = CASES.Case(task, photo, tools)
    files: list[bytes] = []
    made = LOOP.trellis_file
    monkeypatch.setattr(
        LOOP, "trellis_file", lambda *args, **options: files.append(made(*args, **options)) or files[-1]
    )
    nbytes, fields = LOOP._bits_of_the_loop(case, case.budget(1.2))
    wanted, *found = (file_block_bits(data) for data in (LOOP._looped(case, case.budget(1.2)), *files))
    away = [float(np.abs(bits / bits.sum() - wanted / wanted.sum()).sum()) for bits in found]
    assert len(files) == LOOP._TURNS
    assert min(away) < 0.5 * away[0]
    best = max(files[1:], key=lambda data: float(case.measured(data)[0]))
    assert (nbytes, fields.tolist()) == (len(best), pytest.approx(case.measured(best).tolist()))
