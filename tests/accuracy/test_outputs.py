"""Networks with other outputs than classes: detectors, and what a function of the user's own compares."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import InvalidInputError, MaxBytes, NetworkReader, encode
from optcodec.accuracy.boxes import box_agreement
from optcodec.accuracy.change import Change, change_of
from optcodec.accuracy.outputs import ComparedNetwork
from optcodec.accuracy.verification import Limits, verification_of
from tests.accuracy_helpers import crop, photographs
from tests.cli_helpers import messages, refusal, run, run_json, save
from tests.peers import pillow_pixels
from tests.without_packages import outcomes

MODULE = "optcodec_test_outputs"
SIDE, BRIGHT = 16, 100


def bright_squares(pixels: np.ndarray) -> dict[str, Any]:
    """A detector that finds the squares of 16x16 pixels with a bright middle, as large as they are bright."""
    assert pixels.ndim == 3, pixels.shape
    boxes, scores = [], []
    for top in range(0, pixels.shape[0] - SIDE + 1, SIDE):
        for left in range(0, pixels.shape[1] - SIDE + 1, SIDE):
            light = int(pixels[top + 8, left + 8].max())
            if light >= BRIGHT:
                boxes.append((left, top, left + light / 8, top + light / 8))
                scores.append(light / 255)
    return {"boxes": boxes, "scores": scores}


def detector() -> Any:
    return bright_squares


def mean_colours(pixels: np.ndarray) -> np.ndarray:
    return pixels.mean((0, 1))


def nearness(output: np.ndarray, reference: np.ndarray) -> float:
    """Another value if the arguments are exchanged."""
    return float(np.clip(1 - np.abs(output - reference).max() / (1 + reference.max()), 0, 1))


def two_outputs() -> Any:
    """A network of torch that gives a dictionary."""
    import torch

    class Network(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.weight = torch.nn.Parameter(torch.tensor([0.2, 0.3, 0.5]))

        def forward(self, pictures: Any) -> dict[str, Any]:
            light = torch.einsum("nchw,c->nhw", pictures, self.weight)
            return {"rows": light.mean(2), "columns": light.mean(1)}

    return Network()


def as_it_is() -> Any:
    import torch

    from optcodec.vision.models import TargetModel

    return TargetModel("profiles", two_outputs(), lambda image: torch.from_numpy(np.array(image)).permute(2, 0, 1))


def squared(output: Any, reference: Any) -> Any:
    return sum((output[name] - reference[name]).square().mean(1) for name in ("rows", "columns"))


def same_rows(output: Any, reference: Any) -> Any:
    return (output["rows"] - reference["rows"]).abs().max() < 0.04


DETECTOR = ComparedNetwork("squares", bright_squares, box_agreement)


@pytest.fixture(autouse=True)
def factories() -> Iterator[None]:
    made = ModuleType(MODULE)
    made.detector = detector
    made.colours = lambda: mean_colours
    made.model, made.same_rows = as_it_is, same_rows
    made.nearness = nearness
    made.twice = lambda output, reference: 2
    made.text = lambda output, reference: "much"
    made.number = lambda: 3
    sys.modules[made.__name__] = made
    yield
    del sys.modules[made.__name__]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    for image in photographs(tmp_path / "in", 4):
        save(tmp_path / "out" / f"{image.path.stem}.jpg", np.asarray(Image.open(image.path)), quality=5)
    return tmp_path


def arguments(folder: Path, network: str, agreement: str, *more: object) -> list[object]:
    folders = "--before", folder / "in", "--after", folder / "out"
    return ["verify", *folders, "--network", f"{MODULE}:{network}", "--agreement", agreement, *more]


def pictures(folder: Path, number: int) -> tuple[np.ndarray, np.ndarray]:
    before, after = (
        np.asarray(Image.open(folder / name)) for name in (f"in/{number:02d}.png", f"out/{number:02d}.jpg")
    )
    return before, after


def test_a_change_has_an_agreement_alone() -> None:
    pixels = crop("coffee"), pillow_pixels(encode(crop("coffee"), quality=5).data)
    change = change_of(DETECTOR, "a", pixels, (9, 3))
    part = box_agreement(bright_squares(pixels[1]), bright_squares(pixels[0]))
    assert 0 < part < 1
    assert change == Change("a", 9, 3, None, None, None, None, None, None, map_agreement=part)
    assert (change.agreement, change.loss_increase) == (part, None)


def test_gray_pictures_are_seen_as_rgb() -> None:
    assert change_of(DETECTOR, "a", (crop()[..., 0], crop()[..., 0]), (9, 3)).agreement == 1


def test_there_are_no_labels() -> None:
    with pytest.raises(InvalidInputError, match="a label is for a network that gives one class for a picture, got 2"):
        change_of(DETECTOR, "a", (crop(), crop()), (9, 3), 2)


def test_figures_are_those_of_agreement() -> None:
    parts = 0.5, 0.25, 1.0
    changes = [Change(str(part), 9, 3, *[None] * 6, map_agreement=part) for part in parts]
    verification = verification_of(changes)
    assert verification.agreement_percent.value == pytest.approx(100 * sum(parts) / 3)
    assert (verification.loss_increase, verification.kl) == (None, None)
    assert [change.name for change in verification.worst] == ["0.25", "0.5", "1.0"]
    assert [check.name for check in Limits(min_agreement=10).checks(verification)] == ["min_agreement"]
    for name in ("max_loss", "max_kl"):
        with pytest.raises(InvalidInputError, match=f"{name} limits what classes have, got a network that gives none"):
            Limits(**{name: 1.0}).checks(verification)


def test_verify_compares_boxes(folder: Path) -> None:
    report = run_json(*arguments(folder, "detector", "boxes"))
    parts = []
    for number in range(4):
        before, after = pictures(folder, number)
        parts.append(box_agreement(bright_squares(after), bright_squares(before)))
    assert min(parts) < max(parts)
    assert [file["map_agreement"] for file in report["files"]] == pytest.approx(parts)
    assert report["figures"]["agreement_percent"]["value"] == pytest.approx(25 * sum(parts))
    assert (report["figures"]["kl"], report["figures"]["loss_increase"]) == (None, None)
    assert report["network"] == f"{MODULE}:detector"
    worst = report["figures"]["worst"]
    assert worst == [f"{number:02d}.png" for number in np.argsort(parts, kind="stable")]
    text = run(*arguments(folder, "detector", "boxes")).stdout
    assert "Pictures that agree least:" in text
    assert f"{100 * min(parts):.1f} % same" in text
    assert "nats" not in text


def test_the_least_agreement_decides_the_exit_status(folder: Path) -> None:
    value = run_json(*arguments(folder, "detector", "boxes"))["figures"]["agreement_percent"]
    assert run(*arguments(folder, "detector", "boxes", "--min-agreement", value["low"])).exit_code == 0
    result = run(*arguments(folder, "detector", "boxes", "--min-agreement", value["value"]))
    assert result.exit_code == 1
    assert "--min-agreement" in messages(result)[0]
    assert "is not kept" in messages(result)[0]


def test_a_function_compares_the_coded_with_the_original(folder: Path) -> None:
    report = run_json(*arguments(folder, "colours", f"{MODULE}:nearness"))
    seen = [[mean_colours(each) for each in pictures(folder, number)] for number in range(4)]
    expected = [nearness(after, before) for before, after in seen]
    assert expected != pytest.approx([nearness(before, after) for before, after in seen], rel=1e-6)
    assert [file["map_agreement"] for file in report["files"]] == pytest.approx(expected)


def test_functions_do_without_torch(folder: Path) -> None:
    command = arguments(folder, "detector", "boxes")
    command[command.index("--network") + 1] = f"{__name__}:detector"
    (outcome,) = outcomes(["torch", "torchvision"], commands=[["optcodec", *command]])
    assert (outcome.status, outcome.lines) == (0, [])


def test_networks_of_torch_may_give_anything(folder: Path) -> None:
    torch = pytest.importorskip("torch")
    report = run_json(*arguments(folder, "model", f"{MODULE}:same_rows"))
    expected = []
    for number in range(4):
        batches = [torch.from_numpy(each.copy()).permute(2, 0, 1)[None] / 255 for each in pictures(folder, number)]
        before, after = (two_outputs()(batch) for batch in batches)
        expected.append(float(same_rows(after, before)))
    assert [file["map_agreement"] for file in report["files"]] == expected
    assert set(expected) == {0.0, 1.0}
    assert report["network"] == "profiles"


def test_files_are_made_for_any_output() -> None:
    pytest.importorskip("torch")
    reader = NetworkReader(two_outputs(), squared, views=2)
    trellis = encode(crop(), target=MaxBytes(900), effort=3)
    loop = encode(crop(), target=MaxBytes(900), reader=reader, rounds=3)
    losses = [reader(crop()).loss(pillow_pixels(file.data)) for file in (trellis, loop)]
    assert loop.nbytes <= 900
    assert losses[1] < 0.9 * losses[0]


def test_the_page_shows_what_stayed(folder: Path) -> None:
    pytest.importorskip("jinja2")
    result = folder / "result.json"
    report = run_json(*arguments(folder, "detector", "boxes"))
    result.write_text(json.dumps(report))
    run("report", result, "-o", folder / "page.html")
    page = (folder / "page.html").read_text()
    value = report["figures"]["agreement_percent"]
    assert f"{value['value']:.1f} % of what {MODULE}:detector sees stays as it is on the originals" in page
    assert "The pictures that agree least." in page


@pytest.mark.parametrize(
    ("network", "agreement", "more", "message"),
    [
        ("colours", "boxes", [], "a detector gives a mapping with boxes, and maybe labels and scores; got"),
        ("colours", "faces", [], "--agreement is boxes or package.module:function, got 'faces'"),
        ("colours", f"{MODULE}:none", [], f"expected an agreement as package.module:function, got '{MODULE}:none'"),
        ("colours", f"{MODULE}:twice", [], "an agreement is a number in 0..1, got 2"),
        ("colours", f"{MODULE}:text", [], "an agreement is a number in 0..1, got 'much'"),
        ("number", "boxes", [], "to return a torch module or a TargetModel, got int"),
        ("detector", "boxes", ["--max-kl", 1], "--max-kl is for outputs of classes; with --agreement, expected --min-"),
        ("detector", "boxes", ["--max-loss", 1], "--max-loss is for outputs of classes; with --agreement, expected --"),
        (
            "detector",
            "boxes",
            ["--labels", "folders"],
            "--labels is for outputs of classes; with --agreement, expected",
        ),
        ("detector", "boxes", ["--weights", "a.pth"], "--weights is for networks of torch; got it with --agreement a"),
        ("detector", "boxes", ["--outputs", "logits"], "--outputs is for classifiers; got it with --agreement and "),
    ],
)
def test_what_does_not_fit_is_refused(
    folder: Path, network: str, agreement: str, more: list[object], message: str
) -> None:
    result = run(*arguments(folder, network, agreement, *more))
    assert result.exit_code == 1
    assert message in "".join(messages(result))


def test_an_onnx_file_needs_a_function(folder: Path) -> None:
    folders = "--before", folder / "in", "--after", folder / "out"
    message = refusal("verify", *folders, "--network", "net.onnx", "--agreement", "boxes")
    assert "which may return a function that runs net.onnx; got the file" in message
