"""Receivers by name: networks of this package and published ones, shipped models, and their cost."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from safetensors.torch import save_file

import optcodec
from optcodec import InvalidInputError
from restore.evaluation.cost import measure_cost
from restore.evaluation.evaluate import Conditions, encoded
from restore.evaluation.macs import onnx_macs
from restore.evaluation.receivers import make_receiver
from restore.export.onnx import to_onnx
from restore.networks import Conditioned, build
from restore.networks.count import macs_per_pixel
from restore.networks.weights import save_network
from restore.runtime.decode import receive
from restore.runtime.image import decode_image
from restore.runtime.restore import restore_image
from tests.receiver_helpers import box, box_chrominance, brighter_by_table, save_model
from tests.train_helpers import conditions


def picture(height: int, width: int) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    return np.rint(128 + 35 * np.sin(x / 5) + 20 * np.cos(y / 4)).astype(np.uint8)


def shifting(path: Path, config: dict[str, Any], shift: float) -> Path:
    """The file of a network that adds a constant, in 8-bit units, to files of quality 30."""
    network = build(config)
    for parameter in network.parameters():
        torch.nn.init.zeros_(parameter)
    last = network.layers[-1] if config["network"] == "dncnn" else network.tail
    tables = [table.steps for table in optcodec.annex_k_tables(30)[: config.get("tables", 1)]]
    scale = network.scale(conditions([tables])).item() if isinstance(network, Conditioned) else 1
    torch.nn.init.constant_(last.bias, shift / 255 / scale)
    save_network(path, network)
    return path


def test_networks_restore_their_planes(tmp_path: Path) -> None:
    luma = shifting(tmp_path / "y.safetensors", {"network": "conditioned", "width": 4, "blocks": 1}, 3)
    chroma = {"network": "conditioned", "planes": 3, "restored": 2, "tables": 2, "width": 4, "blocks": 1}
    both = f"net={luma}+{shifting(tmp_path / 'c.safetensors', chroma, 5)}"
    gray = picture(21, 35)
    data = encoded(gray, 30, Conditions())
    plain = decode_image(receive(data))
    receiver = make_receiver(str(luma))
    assert np.array_equal(receiver.receive(data), plain + 3)
    assert receiver.nbytes == luma.stat().st_size
    tint = np.dstack([gray, gray, gray])
    data = encoded(tint, 30, Conditions(colour=True))
    shifted = make_receiver(both).receive(data).astype(int) - decode_image(receive(data))
    # T.871: Y + 3, Cb + 5, Cr + 5
    expected = [3 + 1.402 * 5, 3 - (0.344136 + 0.714136) * 5, 3 + 1.772 * 5]
    assert shifted.reshape(-1, 3).mean(axis=0) == pytest.approx(expected, abs=0.6)
    blind = shifting(tmp_path / "rgb.safetensors", {"network": "dncnn", "depth": 3, "width": 2, "channels": 3}, 1)
    with pytest.raises(InvalidInputError, match="takes 3 planes, the image has 1; expected --colour"):
        make_receiver(str(blind)).receive(encoded(gray, 30, Conditions()))


@pytest.mark.parametrize("suffix", ["safetensors", "pth"])
def test_published_networks_are_loaded_by_spandrel(tmp_path: Path, suffix: str) -> None:
    pytest.importorskip("spandrel")
    # KAIR's DnCNN of 8 layers gives x - n(x); this n is -4 units everywhere
    state = {}
    for index, (into, out) in enumerate([(1, 3), *[(3, 3)] * 6, (3, 1)]):
        state[f"model.{2 * index}.weight"] = torch.zeros(out, into, 3, 3)
        state[f"model.{2 * index}.bias"] = torch.zeros(out)
    state["model.14.bias"] += -4 / 255
    path = tmp_path / f"others.{suffix}"
    if suffix == "pth":
        torch.save({"params": state}, path)
    else:
        save_file(state, path)
    gray = picture(21, 35)
    data = encoded(gray, 30, Conditions())
    receiver = make_receiver(f"spandrel:{path}")
    assert np.array_equal(receiver.receive(data), decode_image(receive(data)) + 4)
    assert receiver.count_macs is not None
    assert receiver.count_macs() == 9 * (3 + 6 * 9 + 3)
    colour = encoded(np.dstack([gray] * 3), 30, Conditions(colour=True))
    difference = receiver.receive(colour).astype(int) - decode_image(receive(colour))
    assert np.abs(difference - 4).max() <= 1
    save_file({"weight": torch.zeros(3)}, tmp_path / "unknown.safetensors")
    with pytest.raises(InvalidInputError, match="no network that spandrel knows"):
        make_receiver(f"spandrel:{tmp_path / 'unknown.safetensors'}")


def test_code_in_weights_is_never_run(tmp_path: Path) -> None:
    pytest.importorskip("spandrel")

    class Trap:
        def __reduce__(self) -> Any:
            return Path.touch, (tmp_path / "sprung",)

    torch.save({"params": Trap()}, tmp_path / "trap.pth")
    with pytest.raises(InvalidInputError, match=r"trap\.pth cannot be read as tensors by name"):
        make_receiver(f"spandrel:{tmp_path / 'trap.pth'}")
    assert not (tmp_path / "sprung").exists()


def test_operations_by_hand() -> None:
    network = build({"network": "dncnn", "depth": 4, "width": 8}).eval()
    by_hand = 9 * (8 + 2 * 64 + 8)
    assert macs_per_pixel(lambda: network(torch.zeros(1, 1, 64, 64)), 64**2) == onnx_macs(to_onnx(network)) == by_hand
    for takes in ("condition", "table"):  # the second in files of earlier versions
        assert onnx_macs(brighter_by_table(3, takes)) == 0
    halved = build({"network": "conditioned", "width": 8, "blocks": 1, "maps": 4}).eval()
    assert onnx_macs(to_onnx(halved)) == 9 * (8 * 8 + 2 * 64 + 8 * 4) / 4


def test_cost_is_measured_in_a_child_process() -> None:
    data = encoded(picture(40, 56), 20, Conditions())
    cost = measure_cost("jpeg", data, colour=False, repeats=3)
    assert cost["model_nbytes"] is None
    assert cost["macs_per_pixel"] is None
    assert 0 < cost["seconds_one_thread"] < 1
    assert 2**23 < cost["peak_nbytes"] < 400 * 2**20
    with pytest.raises(InvalidInputError, match=r"cannot measure what jpeg costs: .*cannot identify image"):
        measure_cost("jpeg", b"no file", colour=False, repeats=1)


def test_modules_in_the_current_folder_are_not_executed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("json", "base64", "numpy", "PIL"):
        (tmp_path / f"{name}.py").write_text(f"open({str(tmp_path / 'executed')!r}, 'w')\nraise SystemExit(9)\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [entry for entry in sys.path if entry])
    assert measure_cost("jpeg", encoded(picture(8, 8), 20, Conditions()), colour=False, repeats=1)["threads"] >= 1
    assert not (tmp_path / "executed").exists()


def test_unknown_receivers_are_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"no receiver 'magic'; expected jpeg, centroid, deblock, smooth, "):
        make_receiver("label=magic")
    with pytest.raises(InvalidInputError, match="holds no network of ours"):
        make_receiver("missing.safetensors")


def test_models_run_as_in_restore_image(tmp_path: Path) -> None:
    path = save_model(tmp_path, box(), box_chrominance())
    gray = encoded(picture(40, 56), 20, Conditions())
    whole = make_receiver(str(path)).receive(gray)
    assert np.array_equal(whole, restore_image(gray, model=path))
    for suffix, project, strength in ((":unprojected", False, 1.0), (":dnn", True, "dnn")):
        receiver = make_receiver(f"{path}{suffix}")
        expected = restore_image(gray, model=path, project=project, strength=strength)
        assert np.array_equal(receiver.receive(gray), expected)
        assert not np.array_equal(expected, whole)
        assert receiver.restore is None
    luminance, both = (make_receiver(f"label={path}", colour=colour) for colour in (False, True))
    assert luminance.name == "label"
    assert (luminance.nbytes, both.nbytes) == (len(box()), len(box()) + len(box_chrominance()))
    assert luminance.count_macs is not None
    assert both.count_macs is not None
    assert (luminance.count_macs(), both.count_macs()) == (9, 9 + 9 * 3 * 2)
