"""Networks that give a map of classes, as for segmentation: measured, verified, and in the loop."""

from __future__ import annotations

import math
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import InvalidInputError, MaxBytes, NetworkReader, encode
from optcodec.accuracy.change import Change, change_of
from optcodec.accuracy.classifier import Classifier, log_probabilities, torch_classifier
from optcodec.accuracy.onnx_classifier import onnx_classifier
from optcodec.accuracy.verification import verification_of
from tests.accuracy_helpers import crop, photographs
from tests.cli_helpers import messages, refusal, run, run_json, save
from tests.peers import pillow_pixels

torch = pytest.importorskip("torch")
WEIGHTS = np.random.default_rng(5).normal(0, 3, (4, 3))
NET = "optcodec_test_maps:segmenter"


def by_colour(pixels: np.ndarray) -> np.ndarray:
    """Logits of four classes of each four pixels, from their mean colour."""
    rows, columns = pixels.shape[0] // 2, pixels.shape[1] // 2
    means = pixels.reshape(rows, 2, columns, 2, 3).mean((1, 3)) / 255
    return np.einsum("kc,hwc->khw", WEIGHTS, means)


def module() -> Any:
    """The same as a torch module."""
    mixing = torch.nn.Conv2d(3, 4, 1, bias=False)
    with torch.no_grad():
        mixing.weight.copy_(torch.from_numpy(WEIGHTS)[..., None, None])
    return torch.nn.Sequential(torch.nn.AvgPool2d(2), mixing)


def preprocess(image: Image.Image) -> Any:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


NETWORK = Classifier("by colour", by_colour)


@pytest.fixture(autouse=True)
def factories() -> Iterator[None]:
    from optcodec.vision.models import TargetModel

    made = ModuleType("optcodec_test_maps")
    made.segmenter = lambda: TargetModel("segmenter", module(), preprocess, resample=lambda batch: batch)
    made.squared = lambda output, reference: (output - reference).square().mean((1, 2, 3))
    made.number = 3
    sys.modules[made.__name__] = made
    yield
    del sys.modules[made.__name__]


def coded(quality: int = 10) -> np.ndarray:
    return pillow_pixels(encode(crop(), quality=quality).data)


def by_hand(before: np.ndarray, after: np.ndarray) -> tuple[float, float, float]:
    """Agreement, loss increase and divergence, position by position."""
    same, increase, kl = 0, 0.0, 0.0
    _, rows, columns = before.shape
    for row in range(rows):
        for column in range(columns):
            p, q = (np.exp(x[:, row, column]) / np.exp(x[:, row, column]).sum() for x in (before, after))
            same += int(p.argmax() == q.argmax())
            increase += math.log(p.max() / q[p.argmax()])
            kl += sum(float(a) * math.log(a / b) for a, b in zip(p, q, strict=True))
    return same / (rows * columns), increase / (rows * columns), kl / (rows * columns)


def test_a_change_is_the_mean_over_the_map() -> None:
    change = change_of(NETWORK, "a", (crop(), coded()), (9, 3))
    agreement, increase, kl = by_hand(by_colour(crop()), by_colour(coded()))
    assert 0.5 < agreement < 1
    assert change.agreement == pytest.approx(agreement)
    assert change.loss_increase == pytest.approx(increase)
    assert change.kl == pytest.approx(kl)
    assert (change.label, change.decision_before, change.decision_after) == (None, None, None)


def test_probabilities_are_the_same_as_their_logits() -> None:
    logits = by_colour(crop())
    powers = np.exp(logits)
    expected = np.log(powers / powers.sum(0))
    np.testing.assert_allclose(log_probabilities(logits), expected)
    np.testing.assert_allclose(log_probabilities(powers / powers.sum(0), probabilities=True), expected)
    with pytest.raises(InvalidInputError, match=r"expected logits, got numbers in .* that sum to 1, like"):
        log_probabilities(powers / powers.sum(0))


def test_a_label_is_for_one_class() -> None:
    with pytest.raises(InvalidInputError, match="a label is for a network that gives one class for a picture, got 2 f"):
        change_of(NETWORK, "a", (crop(), coded()), (9, 3), 2)


def test_agreement_is_the_mean_part_of_the_maps() -> None:
    changes = [Change("a", 9, 3, None, None, None, 0.1, 0.2, 0.3, map_agreement=part) for part in (0.5, 0.75, 1.0)]
    figure = verification_of(changes).agreement_percent
    assert figure.value == 75
    assert 50 <= figure.low < 75 < figure.high <= 100
    always = verification_of(changes[2:] * 20).agreement_percent
    assert (always.value, always.high) == (100, 100)
    assert always.low == pytest.approx(83.16, abs=0.01)
    assert Change("a", 9, 3, None, 1, 2, 0.1, 0.2, 0.3).agreement == 0
    assert Change("a", 9, 3, None, 1, 1, 0.1, 0.2, 0.3).agreement == 1


def test_torch_networks_give_maps() -> None:
    from optcodec.vision.models import TargetModel

    network = torch_classifier(TargetModel("segmenter", module(), preprocess))
    np.testing.assert_allclose(network(crop()), NETWORK(crop()), rtol=1e-4, atol=1e-5)


def test_onnx_files_give_maps(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = tmp_path / "net.onnx"
    save_onnx(path)
    np.testing.assert_allclose(onnx_classifier(path)(crop()), NETWORK(crop()), rtol=1e-4, atol=1e-5)


def save_onnx(path: Path) -> None:
    import onnx
    from onnx import TensorProto, helper, numpy_helper

    nodes = [
        helper.make_node("AveragePool", ["image"], ["means"], kernel_shape=[2, 2], strides=[2, 2]),
        helper.make_node("Conv", ["means", "weights"], ["logits"]),
    ]
    graph = helper.make_graph(
        nodes,
        "map",
        [helper.make_tensor_value_info("image", TensorProto.FLOAT, (1, 3, "height", "width"))],
        [helper.make_tensor_value_info("logits", TensorProto.FLOAT, None)],
        [numpy_helper.from_array(WEIGHTS[..., None, None].astype(np.float32), "weights")],
    )
    onnx.save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8), path)


# ---- In the loop -----------------------------------------------------------------------------------------------------


def test_the_loss_is_the_mean_divergence_of_the_map() -> None:
    reading = NetworkReader(module(), views=1)(crop())
    kl = change_of(NETWORK, "a", (crop(), coded()), (9, 3)).kl
    assert reading.loss(coded()) == pytest.approx(kl, rel=1e-4)
    loss, gradient = reading(coded())
    assert loss == pytest.approx(kl, rel=1e-4)
    moved = np.clip(coded() - 2e3 * gradient / np.abs(gradient).max() / 1e3, 0, 255).round().astype(np.uint8)
    assert reading.loss(moved) < kl


def test_files_are_better_for_the_map_at_equal_bytes() -> None:
    target = MaxBytes(3000)
    trellis = encode(crop(), target=target, effort=3)
    for rounds in (0, 4):
        loop = encode(crop(), target=target, reader=NetworkReader(module(), views=2), rounds=rounds)
        losses = [change_of(NETWORK, "a", (crop(), pillow_pixels(file.data)), (9, 3)).kl for file in (trellis, loop)]
        assert loop.nbytes <= 3000
        assert losses[1] < (0.9 if rounds else 1.0) * losses[0]


def test_maps_have_no_one_decision() -> None:
    with pytest.raises(InvalidInputError, match=r"got \(1, 4, 32, 32\): there is no decision on the whole picture"):
        NetworkReader(module(), views=1)(crop()).agrees(crop())


# ---- On the command line ---------------------------------------------------------------------------------------------


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for image in photographs(tmp_path / "in", 4):
        save(tmp_path / "out" / f"{image.path.stem}.jpg", np.asarray(Image.open(image.path)), quality=10)
    return tmp_path


def test_verify_compares_maps(folder: Path) -> None:
    arguments = "verify", "--before", folder / "in", "--after", folder / "out", "--network", NET
    report = run_json(*arguments)
    parts = []
    for number in range(4):
        pair = [np.asarray(Image.open(folder / name)) for name in (f"in/{number:02d}.png", f"out/{number:02d}.jpg")]
        parts.append(by_hand(*map(by_colour, pair)))
    assert [file["map_agreement"] for file in report["files"]] == pytest.approx([part[0] for part in parts], abs=2e-3)
    assert [file["kl"] for file in report["files"]] == pytest.approx([part[2] for part in parts], rel=1e-4)
    assert report["figures"]["agreement_percent"]["value"] == pytest.approx(
        25 * sum(part[0] for part in parts), abs=0.2
    )
    assert f"{100 * parts[0][0]:.1f} % same" in run(*arguments).stdout
    result = run(*arguments, "--min-agreement", 99.9)
    assert result.exit_code == 1
    assert "--min-agreement 99.9 is not kept" in messages(result)[0]


def test_fit_finds_options_for_maps(folder: Path) -> None:
    options = "--max-loss", "8%", "--samplings", "4:2:0", "--sizes", "full", "--methods", "jpeg,psnr,weights"
    report = run_json("fit", "--network", NET, "--data", folder / "in", "-o", folder / "plan.json", *options)
    assert report["chosen"]["figures"]["agreement_percent"]["value"] >= 92
    assert {point["method"] for point in report["points"]} == {
        *("default JPEG", "psnr with trellis", "network weighs blocks"),
    }


def test_any_loss_may_be_named(folder: Path) -> None:
    picture = folder / "in/00.png"
    options = "--network", NET, "--rounds", 2, "--views", 1, "--max-bytes", 1000
    report = run_json("encode", picture, *options, "--loss", "optcodec_test_maps:squared")

    def squared(output: Any, reference: Any) -> Any:
        return (output - reference).square().mean((1, 2, 3))

    reader = NetworkReader(module(), squared, views=1)
    original = np.asarray(Image.open(picture))
    decoded = pillow_pixels(picture.with_suffix(".jpg").read_bytes())
    assert report["files"][0]["loss"] == pytest.approx(reader(original).loss(decoded), rel=1e-5)
    shown = run("encode", picture, *options, "--loss", "optcodec_test_maps:squared", "--force").stdout
    loss = report["files"][0]["loss"]
    assert f"made for {NET}, optcodec_test_maps:squared {loss:.3g} on average; other " in shown


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--loss", "optcodec_test_maps:squared"], "--loss needs --network with a model"),
        (
            ["--network", NET, "--loss", "optcodec_test_maps:none"],
            "expected a loss as package.module:function, got ",
        ),
        (
            ["--network", NET, "--loss", "optcodec_test_maps:number"],
            "expected a function as a loss, optcodec_test_",
        ),
        (["--network", "net.onnx", "--loss", "a:b"], "--loss is for networks of torch; got it with net.onnx"),
        (["--network", NET, "--same-top1", "--views", 1], "there is no decision on the whole picture"),
    ],
)
def test_bad_options_are_refused(folder: Path, options: list[object], message: str) -> None:
    assert message in refusal("encode", folder / "in/00.png", *options)
