"""The benchmark of files that are made with networks in the loop: its figures, its views, and its 8-bit copies."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

pytest.importorskip("torchvision")

import torch
from torch import nn

from benchmarks.accuracy import loop_tables, network_loop, others
from benchmarks.accuracy import ways as all_ways
from benchmarks.accuracy.others import AS_DECODED, LOOKS
from optcodec.vision.datasets import LabelledImage
from optcodec.vision.models import TargetModel


def photo(way: str, bytes_share: float, divergence_share: float) -> dict[str, Any]:
    """What is stored of a photograph whose divergence falls with the root of its bytes."""
    files = {}
    for quality in all_ways.ways().get(way, all_ways.Way("loop")).levels:
        divergence = divergence_share / quality**0.5
        reads = {"net": {AS_DECODED: [1 + divergence, divergence, float(quality > 10)]}}
        file = {"nbytes": int(1000 * bytes_share * quality), "psnr_db": 20.0 + quality, "seconds": 0.5, "reads": reads}
        files[str(quality)] = file
    return {"pixels": 8000, "label": 3, "clean": {"net": {AS_DECODED: [1.0, 0.0, 1.0]}}, "files": files}


def test_half_of_the_bytes_at_equal_loss_is_minus_50_percent() -> None:
    rows = {
        name: {image: photo(name, share, 1.0) for image in ("a", "b", "c")}
        for name, share in ((network_loop.JPEG, 1.0), ("mine", 0.5))
    }
    figures = network_loop.summary(rows)
    assert "bd_rate" not in figures[network_loop.JPEG]["networks"]["net"][AS_DECODED]
    mine = figures["mine"]["networks"]["net"][AS_DECODED]
    loss = mine["bd_rate"]["loss"]
    assert [loss[end] for end in ("low", "value", "high")] == pytest.approx([-50] * 3, abs=0.1)
    assert mine["bd_rate"]["log_divergence"]["value"] == -50.0
    assert mine["top1"] == [0.0, 0.0, 100.0, 100.0]
    assert (mine["clean_top1"], figures["mine"]["nbytes"][0]) == (100.0, 2500.0)


def test_curves_that_hardly_overlap_are_not_compared() -> None:
    rows = {
        network_loop.JPEG: {"a": photo(network_loop.JPEG, 1.0, 1.0)},
        "mine": {"a": photo("mine", 1.0, 0.1)},
    }
    rate = network_loop.summary(rows)["mine"]["networks"]["net"][AS_DECODED]["bd_rate"]["loss"]
    assert rate["value"] is None
    assert "overlap" in rate["reason"]


def test_the_last_network_takes_no_part_with_others() -> None:
    found = network_loop.ways()
    assert found["loop, the first 4"].networks == network_loop.NETWORKS[:4]
    together = [way for way in found.values() if len(way.readers) > 1]
    assert together
    assert not any(network_loop.NETWORKS[-1] in way.networks for way in together)
    kinds = {way.kind for way in found.values()}
    assert kinds == {"jpeg", "peer", "tables", "tune", "without", "choose", "weights", "loop"}


def test_each_network_is_left_out_in_turn() -> None:
    found = [way for way in all_ways.ways().values() if way.kind == "without"]
    assert sorted(name for way in found for name in way.networks) == sorted(2 * network_loop.NETWORKS)
    tune = found[0].settings(whole=False)["tune"]
    assert tune.provenance.model.split(", ") == [n for n in network_loop.NETWORKS if n not in found[0].networks]


class Brightness(nn.Module):
    """Two classes: mean squares of the left and of the right half of a picture."""

    def __init__(self) -> None:
        super().__init__()
        self.conv = nn.Conv2d(3, 2, 1, bias=False)
        nn.init.constant_(self.conv.weight, 0.3)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        maps = self.conv(pictures).square()
        half = maps.shape[3] // 2
        return torch.stack([maps[..., :half].mean((1, 2, 3)), maps[..., half:].mean((1, 2, 3))], 1)


@pytest.fixture
def brightness() -> TargetModel:
    return TargetModel("brightness", Brightness().eval(), lambda image: torch.empty(0), resample=lambda batch: batch)


def test_an_8_bit_copy_rounds_weights_and_inputs(brightness: TargetModel) -> None:
    pixels = np.random.default_rng(0).integers(0, 200, (16, 16, 3)).astype(np.uint8)
    copied = others.eight_bit_copy(brightness, [pixels])
    plain, rounded = (others.log_probabilities(made, pixels) for made in (brightness, copied))
    assert torch.allclose(plain, rounded, atol=1e-2)
    brighter = np.minimum(pixels.astype(int) + 80, 255).astype(np.uint8)  # beyond the range that the copy has seen
    assert not torch.equal(others.log_probabilities(copied, brighter), others.log_probabilities(brightness, brighter))
    weights = brightness.module.conv.weight
    assert torch.equal(weights, torch.full_like(weights, 0.3))


def test_looks_differ_from_what_the_loop_sees(brightness: TargetModel) -> None:
    pixels = np.zeros((32, 32, 3), np.uint8)
    pixels[:, 8:12] = 255
    seen = {name: others.log_probabilities(brightness, pixels, look) for name, look in LOOKS.items()}
    same = {name for name, output in seen.items() if torch.equal(output, seen[AS_DECODED])}
    # the last two are about the decoder and about the network, not about the picture
    assert same == {AS_DECODED, "decoder with fast DCT, box upsampling", "8-bit copy of the network"}


def test_what_is_stored_of_a_file(brightness: TargetModel, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(network_loop, "NETWORKS", ("brightness", "other"))
    monkeypatch.setattr(network_loop, "target", lambda name, whole: brightness)
    monkeypatch.setattr(network_loop, "eight_bit", lambda name, whole: brightness)
    monkeypatch.setattr(all_ways, "QUALITIES", (10, 40))
    pixels = np.random.default_rng(1).integers(0, 255, (32, 48, 3)).astype(np.uint8)
    monkeypatch.setattr(network_loop, "picture", lambda image, whole: pixels)
    found = {network_loop.JPEG: all_ways.Way("jpeg"), "loop": all_ways.Way("loop", ("brightness",), "psnr")}
    monkeypatch.setattr(network_loop, "ways", lambda: found)
    monkeypatch.setattr(all_ways.Way, "settings", lambda way, whole: {"tune": "psnr", "effort": 3})
    image = LabelledImage(tmp_path / "photo.png", 1)
    for name in (network_loop.JPEG, "loop"):
        network_loop.measured((image, name), tmp_path, whole=True)
    rows = {
        name: {"photo": network_loop.json.loads((tmp_path / "whole" / "photo" / f"{file}.json").read_text())}
        for name, file in ((network_loop.JPEG, "default_JPEG"), ("loop", "loop"))
    }
    stored = rows["loop"]["photo"]
    assert list(stored["files"]) == ["10", "40"]
    plain = rows[network_loop.JPEG]["photo"]["files"]["10"]
    assert 0.9 * plain["nbytes"] < stored["files"]["10"]["nbytes"] <= plain["nbytes"]
    assert set(stored["clean"]["brightness"]) == set(LOOKS)
    assert set(stored["clean"]["other"]) == {AS_DECODED}
    assert stored["files"]["10"]["reads"]["brightness"][AS_DECODED][1] > 0


def test_tables_mark_the_networks_that_files_are_made_for() -> None:
    ways = {network_loop.JPEG: 1.0, "generic": 0.9, "loop, mobilenet_v2": 0.5, "loop, the first 2": 0.6}
    rows = {way: {image: photo(way, share, 1.0) for image in ("a", "b")} for way, share in ways.items()}
    for photos in rows.values():
        for one in photos.values():
            for reads in (one["clean"], *(file["reads"] for file in one["files"].values())):
                reads |= dict.fromkeys(network_loop.NETWORKS, reads["net"])
                del reads["net"]
    figures = {"images": 2, "networks": network_loop.NETWORKS, "ways": network_loop.summary(rows)}
    lines = loop_tables.rates(figures, "loss").splitlines()
    assert [line.split("|")[1].strip() for line in lines[2:]] == [
        "`dnn:generic`",
        "`loop`, MobileNetV2",
        "`loop`, SqueezeNet 1.1 and MobileNetV2",
    ]
    bold = [[cell.strip().startswith("**-") for cell in line.split("|")[2:-1]] for line in lines[2:]]
    assert bold == [[False] * 5, [False, True, False, False, False], [True, True, False, False, False]]
    assert lines[3].count("-50.0 [-50, -50]") == 5


def test_the_least_bytes_that_keep_the_decisions() -> None:
    figures = {"clean_top1": 80.0, "top1": [80.0, 60.0, 79.6, 85.0]}
    way = {"nbytes": [100, 200, 300, 400], "networks": {"net": {AS_DECODED: figures}}}
    assert loop_tables.least_bytes(way, "net") == 300
    figures["top1"] = [90.0, 90.0, 90.0, 70.0]
    assert loop_tables.least_bytes(way, "net") is None
