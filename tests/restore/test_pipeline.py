"""``restore pipeline``: rows are what one gets by hand, and what cannot be restored is listed while the run goes on."""

from __future__ import annotations

import io
import json
from pathlib import Path
from typing import Any
from zlib import crc32

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import optcodec
from optcodec.peers.encoders import encode_turbo
from optcodec.rates import Rate
from restore.channel.samples import add_noise
from restore.cli import main
from restore.evaluation.evaluate import Conditions, evaluate
from restore.evaluation.figures import Crop
from restore.evaluation.measures import load_measures
from restore.evaluation.pipeline import Crops, readers_of
from restore.evaluation.receivers import make_receiver
from restore.evaluation.testsets import find_set
from restore.runtime.models import load_model
from restore.runtime.restore import restore_image
from tests.cli_helpers import messages, photograph, save
from tests.rates_helpers import folder_of
from tests.receiver_helpers import box, box_chrominance, save_model

pytest.importorskip("onnxruntime")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return folder_of(tmp_path, 2)


def run(folder: Path, *arguments: object) -> Result:
    rates = () if "--bpp" in arguments else ("--fixed", "15,40,75")
    command = ("pipeline", folder, "-o", folder.parent / "out.json", "--sender", "jpeg=pillow", *rates, *arguments)
    return CliRunner().invoke(main, [str(argument) for argument in command])


def document_of(folder: Path, *arguments: object, status: int = 0) -> dict[str, Any]:
    result = run(folder, *arguments, "--json")
    assert result.exit_code == status, result.output
    document: dict[str, Any] = json.loads(result.stdout)
    return document


def psnr(document: dict[str, Any]) -> dict[tuple[str, str, str, float, float], float]:
    keys = ("image", "sender", "receiver", "sigma")
    return {(*(row[key] for key in keys), row["rate"]["value"]): row["measures"]["psnr"] for row in document["rows"]}


def test_rows_are_those_of_restoring_by_hand(folder: Path) -> None:
    own = ("--sender", "mine=tests.rates_helpers:plain")
    receivers = ("--receiver", "jpeg", "--receiver", "tiny", "--receiver", "bad=tests.rates_helpers:inverted")
    document = document_of(folder, *own, *receivers, "--measure", "psnr,psnr_b")
    values, model = psnr(document), load_model("tiny")
    assert len(values) == len(document["rows"]) == 2 * 2 * 3 * 3
    for image in ("0.png", "1.png"):
        pixels = np.asarray(Image.open(folder / image))
        for sender, optimize in (("jpeg", True), ("mine", False)):
            data = encode_turbo(pixels, "4:2:0", 40, optimize=optimize)
            picture = np.asarray(Image.open(io.BytesIO(data)))
            by_hand = {"jpeg": picture, "tiny": restore_image(data, model=model), "bad": 255 - picture}
            for receiver, restored in by_hand.items():
                assert values[image, sender, receiver, 0.0, 40.0] == optcodec.psnr_db(pixels, restored)
    measured = load_measures(["psnr_b"])["psnr_b"]
    last = document["rows"][-1]
    assert last["measures"]["psnr_b"] == measured(pixels, 255 - np.asarray(Image.open(io.BytesIO(
        encode_turbo(pixels, "4:2:0", 75, optimize=False)))))  # fmt: skip
    pairs = {(r["sender"], r["receiver"], *r["against"].values()) for r in document["bd_rates"]}
    assert pairs == {
        ("jpeg", "tiny", "jpeg", "jpeg"),
        ("jpeg", "bad", "jpeg", "jpeg"),
        ("mine", "jpeg", "jpeg", "jpeg"),
        ("mine", "tiny", "jpeg", "jpeg"),
        ("mine", "tiny", "jpeg", "tiny"),
        ("mine", "bad", "jpeg", "jpeg"),
        ("mine", "bad", "jpeg", "bad"),
    }


def test_rows_agree_with_evaluate(folder: Path) -> None:
    """At the same qualities, `restore evaluate` finds the same pictures; its Huffman tables are those of Annex K."""
    document = document_of(folder, "--receiver", "jpeg", "--receiver", "tiny", "--measure", "psnr")
    receivers = [make_receiver(name) for name in ("jpeg", "tiny")]
    conditions = Conditions((15, 40, 75), colour=True)
    rows = list(evaluate([find_set(folder)], receivers, load_measures(["psnr"]), conditions))
    expected = {(row.image, "jpeg", row.receiver, 0.0, float(row.quality)): row.measures["psnr"] for row in rows}
    assert psnr(document) == expected


@pytest.mark.parametrize("gray", [False, True])
def test_noise_is_that_of_the_seed_and_the_same_for_all(folder: Path, gray: bool) -> None:
    if gray:
        for path in folder.iterdir():
            save(path, photograph(72, 88)[..., 0])
    receivers = ("--receiver", "plain=jpeg", "--receiver", "deblock")
    arguments = (*receivers, "--sigma", 0, "--sigma", 6, "--seed", 3, "--measure", "psnr")
    document = document_of(folder, "--sender", "mine=tests.rates_helpers:plain", *arguments)
    values = psnr(document)
    pixels = np.asarray(Image.open(folder / "1.png"))
    file = io.BytesIO(encode_turbo(pixels, "4:2:0", 40))
    with Image.open(file) as image:
        if not gray:
            image.draft("YCbCr", image.size)
        samples = np.asarray(image)
    noisy = add_noise(samples, 6.0, np.random.default_rng((3, crc32(b"photos/1.png"), 6000)))
    assert 5 < np.std(noisy.astype(float) - samples) < 7
    by_hand = values["1.png", "jpeg", "plain", 6.0, 40.0]
    picture = noisy if gray else np.asarray(Image.fromarray(noisy, "YCbCr").convert("RGB"))
    assert by_hand == pytest.approx(optcodec.psnr_db(pixels, picture), abs=0.02)  # other rounding in the conversion
    assert by_hand < values["1.png", "jpeg", "plain", 0.0, 40.0] - 0.5
    assert values["1.png", "mine", "plain", 6.0, 40.0] == by_hand, "both senders have the same samples, and noise"
    against = {(r["sender"], r["receiver"], r["sigma"], *r["against"].values()) for r in document["bd_rates"]}
    assert ("mine", "deblock", 6.0, "jpeg", "plain") in against
    assert ("mine", "deblock", 6.0, "jpeg", "deblock") in against


def test_receivers_that_noise_leaves_nothing_to(folder: Path) -> None:
    names = ("jpeg", "centroid", "tiny", "mine=tests.rates_helpers:inverted")
    receivers = [part for name in names for part in ("--receiver", name)]
    result = run(folder, *receivers, "--sigma", 0, "--sigma", 5, "--measure", "psnr")
    assert result.exit_code == 1
    needs = "it needs the JPEG file, of which the noise leaves only samples; expected sigma 0"
    assert messages(result) == [
        "Error: not everything could be measured:",
        f"  centroid, sigma 5: {needs}",
        "  tiny, sigma 5: it is a model for files without noise; expected sigma 0, or a model that was trained for "
        "noise",
        f"  mine, sigma 5: {needs}",
    ]
    rows = json.loads((folder.parent / "out.json").read_text())["rows"]
    assert {(row["receiver"], row["sigma"]) for row in rows} == {
        *((name, 0.0) for name in ("jpeg", "centroid", "tiny", "mine")),
        ("jpeg", 5.0),
    }
    alone = run(folder, "--receiver", "centroid", "--sigma", 5)
    assert (alone.exit_code, messages(alone)) == (1, [f"Error: centroid, sigma 5: {needs}"])


def test_receivers_that_fail(folder: Path) -> None:
    save(folder / "9.png", photograph(72, 88)[..., 0])
    names = ("jpeg", "raises=tests.rates_helpers:failing_receiver", "half=tests.rates_helpers:halving")
    receivers = [part for name in names for part in ("--receiver", name)]
    result = run(folder, *receivers, "--bpp", "0.01,1.5", "--measure", "psnr")
    assert result.exit_code == 1
    lines = messages(result)
    assert lines[0] == "Error: not everything could be measured:"
    assert lines[1].startswith("  photos/0.png and 1 other image jpeg at 0.01 bpp: expected a file size")
    assert lines[2:] == [
        "  photos/0.png and 1 other image raises at 1.5 bpp: tests.rates_helpers:failing_receiver raises KeyError: "
        "'no such network'",
        "  photos/0.png and 1 other image half at 1.5 bpp: it gives uint8 (36, 44, 3); expected uint8 (72, 88, 3), the "
        "shape of the original",
        "  photos/9.png: it is gray, the first picture of photos is in colour; expected one kind, whose measures can "
        "be averaged",
    ]
    assert len(json.loads((folder.parent / "out.json").read_text())["rows"]) == 2


def test_a_network_for_another_channel(folder: Path) -> None:
    """A network that enlarges pictures is left out at once, and listed; alone it is an error."""
    pytest.importorskip("torch")
    import restore

    network = Path(restore.__file__).parent / "data" / "tasks" / "sr4-16.safetensors"
    result = run(folder, "--receiver", "jpeg", "--receiver", network, "--measure", "psnr")
    assert result.exit_code == 1
    reason = f"{network} enlarges images by 4; expected a network that keeps their size"
    assert messages(result) == [
        f"{network} is left out: {reason}",
        "Error: not everything could be measured:",
        f"  {network}: {reason}",
    ]
    alone = run(folder, "--receiver", network, "--measure", "psnr")
    assert (alone.exit_code, messages(alone)) == (1, [f"Error: {reason}"])


@pytest.mark.parametrize(
    ("options", "status", "message"),
    [
        (("--receiver", "jpg"), 1, "no receiver 'jpg'; expected jpeg, centroid, deblock, smooth"),
        (("--receiver", "no.module:f"), 1, "expected a receiver as package.module:function"),
        (("--receiver", "jpeg", "--receiver", "jpeg"), 1, "expected receivers that are all different"),
        (("--measure", "vmaf"), 1, "measure is one of psnr"),
        (("--measure", "lpips", "--weights", "nowhere"), 1, "lpips needs the file alexnet.safetensors"),
        (("--crop", "0,0,8,8"), 2, "expected it with --crops"),
        (("--sigma", "-1"), 2, "-1.0 is not in the range"),
        (("--anchor", "other"), 1, "--anchor 'other' is not among the senders; expected one of jpeg"),
    ],
)
def test_bad_options(folder: Path, options: tuple[str, ...], status: int, message: str) -> None:
    result = run(folder, *options)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stdout == ""
    assert not (folder.parent / "out.json").exists()


def test_crops_side_by_side(folder: Path) -> None:
    crops = folder.parent / "crops"
    own = ("--receiver", "jpeg", "--receiver", "deblock", "--sigma", 0, "--sigma", 4, "--measure", "psnr")
    result = run(folder, *own, "--crops", crops, "--crop", "8,8,32,16", "--bpp", "1,2")
    assert result.exit_code == 0, result.output
    names = {path.name for path in crops.iterdir()}
    assert names == {
        f"photos-{image}-{rate}-bpp{noise}.png" for image in (0, 1) for rate in (1, 2) for noise in ("", "-sigma-4")
    }
    with Image.open(crops / "photos-0-1-bpp.png") as figure:
        assert figure.width > figure.height
    outside = run(folder, *own, "--crops", crops, "--crop", "80,8,32,16", "--bpp", "1")
    assert outside.exit_code == 1
    line = "  photos/0.png and 1 other image at 1 bpp: the crop 80,8,32,16 is not in the image of 88x72 pixels"
    assert messages(outside)[1:] == [line]


def test_crops_show_each_pair(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from optcodec.rates import Curve, Original

    shown: list[Any] = []
    monkeypatch.setattr("restore.evaluation.pipeline.crops_figure", lambda *a, **k: shown.append((a, k)))
    monkeypatch.setattr("restore.evaluation.pipeline.draw", lambda figure: b"png")
    pixels = photograph(200, 240)
    pictures = {Curve("a", "jpeg", 0.0): pixels, Curve("b", "net", 0.0): 255 - pixels}
    Crops(tmp_path)(Original("set", "sub/x y.png", tmp_path), pixels, Rate("bpp", 0.4), 0.0, pictures)
    ((_, named, crop), options) = shown[0]
    assert [name for name, _ in named] == ["a\njpeg", "b\nnet"]
    assert crop == Crop(56, 36, 128, 128)
    assert options == {"title": "set x y, 0.4 bpp"}
    assert (tmp_path / "set-x-y-0.4-bpp.png").read_bytes() == b"png"


def test_readers_have_names() -> None:
    readers, left_out = readers_of([make_receiver("jpeg"), make_receiver("n=smooth")], [0, 2.5])
    assert [(reader.receiver, reader.sigma) for reader in readers] == [("jpeg", 0.0), ("n", 0.0), ("jpeg", 2.5)]
    assert [failed.receiver for failed in left_out] == ["n, sigma 2.5"]


def test_without_the_plain_receiver_pairs_have_one_anchor(folder: Path) -> None:
    own = ("--sender", "mine=tests.rates_helpers:plain")
    result = run(folder, *own, "--receiver", "deblock", "--measure", "psnr")
    assert result.exit_code == 0, result.output
    said = "There is no --receiver jpeg: pairs are compared with the same receiver only."
    assert messages(result) == [said]
    (compared,) = json.loads((folder.parent / "out.json").read_text())["bd_rates"]
    assert (compared["sender"], compared["against"]) == ("mine", {"sender": "jpeg", "receiver": "deblock"})


def test_a_model_for_less_noise(folder: Path) -> None:
    """A model that was trained for noise up to sigma 10 restores sigma 5, and is listed once at sigma 20."""
    path = save_model(folder.parent, box(), box_chrominance())
    index = json.loads(path.read_text()) | {"max_sigma": 10}
    path.write_text(json.dumps(index))
    receivers = ("--receiver", "jpeg", "--receiver", f"net={path}")
    result = run(folder, *receivers, "--sigma", 5, "--sigma", 20, "--measure", "psnr")
    assert result.exit_code == 1
    assert messages(result) == [
        "Error: not everything could be measured:",
        "  photos/0.png and 1 other image net, sigma 20 at quality 15, quality 40, quality 75: the model mine takes a "
        "sigma of 0..10, for which it was trained; got 20",
    ]
    values = psnr(json.loads((folder.parent / "out.json").read_text()))
    assert ("0.png", "jpeg", "net", 5.0, 40.0) in values
    assert ("0.png", "jpeg", "jpeg", 20.0, 40.0) in values
