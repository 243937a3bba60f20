"""``optcodec blocks train``: its training blocks, its output and its errors."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest

from optcodec import Bpp, blocks_by, encode
from optcodec.blocks.curves import Curves
from optcodec.blocks.profile import UtilityProfile, load_utility_profile
from optcodec.blocks.qpnet import load_qpnet
from optcodec.receivers.survey import BlockSurvey, read_part
from optcodec.receivers.train_qpnet import Labelled, QpNetRecipe, train_qpnet
from tests.blur_task import BlurTask
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save

pytest.importorskip("torch")

TASK = "tests.blur_task:factory"
IMAGES = 9  # the first and the eighth are for validation


def profiled(folder: Path, *options: object, groups: int = 3) -> Path:
    """Measure a profile of the images of a folder; its parts are kept."""
    output = folder / "p.json"
    arguments = ("--task", TASK, "--offsets", 1, "--keep-parts", "--groups", groups)
    run_json("blocks", "profile", folder / "in", "-o", output, *arguments, *options)
    return output


@pytest.fixture(scope="module")
def measured(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a profile of images of 6 blocks, the last one of 2, and with parts of two seeds."""
    folder = tmp_path_factory.mktemp("measured")
    pixels = photograph(70, 400)
    for number in range(IMAGES):
        width = 100 if number < IMAGES - 1 else 40
        save(folder / f"in/{number}.png", pixels[:, 30 * number : 30 * number + width])
    profiled(folder, "--seed", 1)
    profiled(folder)
    return folder


@pytest.fixture
def folder(tmp_path: Path, measured: Path) -> Path:
    """A copy of the folder `measured`."""
    return Path(shutil.copytree(measured, tmp_path / "copy"))


def parts_of(folder: Path, seed: int = 0) -> list[Path]:
    """The parts of the images, in the order of the images."""
    survey = BlockSurvey(BlurTask(), TASK, folder / "p.json.parts", seed=seed)
    return [survey.image(folder / f"in/{number}.png").part for number in range(IMAGES)]


def labelled(profile: UtilityProfile, parts: Sequence[Path]) -> Labelled:
    measured_parts = [read_part(part) or pytest.fail("no part") for part in parts]
    return np.concatenate([blocks for _, blocks in measured_parts]), profile.rank(
        Curves.joined([curves for curves, _ in measured_parts])
    )


@pytest.mark.parametrize(("epochs", "halve_every"), [(3, 1), (8, 2)])
def test_the_network_is_that_of_the_parts_of_the_profile(folder: Path, epochs: int, halve_every: int) -> None:
    profile, parts = load_utility_profile(folder / "p.json"), parts_of(folder)
    assert len(list((folder / "p.json.parts").iterdir())) == 2 * IMAGES
    record = run_json("blocks", "train", folder / "p.json", "-o", folder / "p.npz", "--epochs", epochs, "--seed", 5)
    net = load_qpnet(folder / "p.npz")
    check, train = [parts[0], parts[7]], [*parts[1:7], parts[8]]
    expected = train_qpnet(
        *labelled(profile, train),
        3,
        validation=labelled(profile, check),
        recipe=QpNetRecipe(epochs, seed=5, halve_every=halve_every),
    )
    for name, values in expected.weights.items():
        np.testing.assert_array_equal(net.weights[name], values)
    assert net.card == expected.card
    origin = {"profile": "p", "task": "blur", "network": TASK, "images": 7, "validation_images": 2}
    assert net.provenance == origin | {"card": ["validation"]} | expected.provenance
    counts = {"images": 7, "blocks": 38, "validation_images": 2, "validation_blocks": 12}
    about = {"output": str(folder / "p.npz"), "profile": "p", "task": "blur", "groups": 3}
    assert record == about | counts | {"validation": expected.card}


def test_the_whole_chain(folder: Path) -> None:
    source, net = folder / "in/1.png", f"qpnet:{folder / 'p'}"
    result = run("blocks", "train", folder / "p.json", "-o", folder / "p.npz", "--epochs", 2)
    assert result.stdout.splitlines()[-1] == f"use: optcodec encode IMAGE --blocks {net}"
    (record,) = run_json("encode", source, "--blocks", net, "--bpp", 1.2)["files"]
    assert 1.2 * 0.97 <= record["bpp"] <= 1.2
    expected = encode(source, target=Bpp(1.2), effort=3, blocks=blocks_by(net))
    assert source.with_suffix(".jpg").read_bytes() == expected.data


def test_text_for_people(folder: Path) -> None:
    result = run("blocks", "train", folder / "p.json", "-o", folder / "p.npz", "--epochs", 1)
    assert messages(result) == []
    card = load_qpnet(folder / "p.npz").card
    assert result.stdout.splitlines()[:2] == [
        f"{folder / 'p.npz'}: 3 groups of blur, trained on 38 blocks of 7 images",
        "validation, 12 blocks of 2 images that also chose the epoch: "
        f"top-1 {100 * card['top1']:.1f} %, within one group {100 * card['within_one']:.1f} %, "
        f"rank correlation {card['rank_correlation']:.3f}",
    ]


def test_a_network_that_is_not_beside_its_profile_says_so(folder: Path) -> None:
    output = folder / "q.npz"
    result = run("blocks", "train", folder / "p.json", "-o", output, "--epochs", 1)
    assert messages(result) == [f"{output}: --blocks expects the profile {folder / 'p.json'} beside it, as q.json"]
    assert "use:" not in result.stdout


def test_parts_of_another_folder(folder: Path) -> None:
    (folder / "p.json.parts").rename(folder / "moved")
    arguments = ("blocks", "train", folder / "p.json", "-o", folder / "p.npz", "--epochs", 1)
    assert str(folder / "p.json.parts") in refusal(*arguments)
    assert run_json(*arguments, "--parts", folder / "moved")["blocks"] == 38


def test_the_same_image_twice_is_not_for_training_and_validation(folder: Path) -> None:
    for number in range(2, IMAGES):
        (folder / f"in/{number}.png").unlink()
    shutil.copy(folder / "in/0.png", folder / "in/5.png")
    profile = profiled(folder)
    assert load_utility_profile(profile).provenance.blocks == 3 * 6
    record = run_json("blocks", "train", profile, "-o", folder / "p.npz", "--epochs", 1)
    assert (record["blocks"], record["images"]) == (6, 1)
    assert (record["validation_blocks"], record["validation_images"]) == (6, 1)


def remove_all(folder: Path) -> None:
    shutil.rmtree(folder / "p.json.parts")


def remove_some(folder: Path) -> None:
    for part in parts_of(folder)[:2] + parts_of(folder, 1)[4:]:
        part.unlink()


def cut_first_part(folder: Path) -> None:
    remove_other(folder, 1)
    part = parts_of(folder)[3]
    part.write_bytes(part.read_bytes()[:1000])


def remove_other(folder: Path, seed: int = 0) -> None:
    for part in parts_of(folder, seed):
        part.unlink()


@pytest.mark.parametrize(
    ("damage", "expected"),
    [
        (remove_all, "PARTS: no parts; expected those that optcodec blocks profile --keep-parts keeps"),
        (remove_some, "PARTS: whole parts of 7 of the 9 images of PROFILE; expected all"),
        (cut_first_part, "PARTS: whole parts of 8 of the 9 images of PROFILE; expected all"),
        (remove_other, "PARTS: parts of other settings than those of PROFILE; expected parts of this profile"),
    ],
)
def test_parts_that_are_not_those_of_the_profile(folder: Path, damage: object, expected: str) -> None:
    damage(folder)  # type: ignore[operator]
    line = refusal("blocks", "train", folder / "p.json", "-o", folder / "p.npz")
    assert line.replace(f"{folder / 'p.json.parts'}", "PARTS").replace(f"{folder / 'p.json'}", "PROFILE") == (
        f"Error: {expected}"
    )
    assert not (folder / "p.npz").exists()


@pytest.mark.parametrize(
    ("images", "groups", "expected"),
    [
        (1, 3, "training takes two images at least, one for validation; got 1"),
        (2, 7, "training takes a block for each of 7 groups at least, got 6 blocks of 1 image"),
        (2, 1, "a QP-NET has 2..64 groups, got 1"),
    ],
)
def test_too_little_to_learn_from(folder: Path, images: int, groups: int, expected: str) -> None:
    for number in range(images, IMAGES):
        (folder / f"in/{number}.png").unlink()
    profile = profiled(folder, groups=groups)
    assert refusal("blocks", "train", profile, "-o", folder / "p.npz").endswith(f" {expected}")


def test_torch_that_is_missing(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torch", None)
    line = refusal("blocks", "train", folder / "p.json", "-o", folder / "p.npz")
    assert line == "Error: torch is needed for this, and is not installed: pip install 'optcodec[torch]'"


def test_output_that_cannot_be_written_is_refused_first(folder: Path) -> None:
    (folder / "a folder.npz").mkdir()
    line = refusal("blocks", "train", folder / "none.json", "-o", folder / "a folder.npz")
    assert line == f"Error: cannot write {folder / 'a folder.npz'}: it is a folder"


def test_files_that_are_not_profiles(folder: Path) -> None:
    assert "none.json': No such file" in refusal("blocks", "train", folder / "none.json", "-o", folder / "p.npz")
    assert "0.png': not text" in refusal("blocks", "train", folder / "in/0.png", "-o", folder / "p.npz")


@pytest.mark.parametrize("options", [["-o", "p.json"], ["--epochs", 0], ["--seed", -1], ["--seed", 2**32]])
def test_usage(folder: Path, options: list[object]) -> None:
    result = run("blocks", "train", folder / "p.json", "-o", folder / "p.npz", *options)
    assert result.exit_code == 2
    assert not (folder / "p.npz").exists()


class Terminal(io.StringIO):
    """A stream that claims to be a terminal, so that progress bars are drawn."""

    def isatty(self) -> bool:
        return True


def test_progress_by_epoch(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    from optcodec.cli.blocks_train import command

    monkeypatch.setenv("TERM", "xterm")
    monkeypatch.setattr(sys, "stderr", terminal := Terminal())
    command([str(folder / "p.json"), "-o", str(folder / "p.npz"), "--epochs", "2"], standalone_mode=False)
    shown = re.sub("\x1b\\[[0-9;?]*[A-Za-z]", "", terminal.getvalue())
    assert re.search(r" 0/2 epochs .* 2/2 epochs, validation loss \d\.\d{3} ", shown, re.DOTALL)


def test_profile_and_train_name_one_another() -> None:
    for verb, other in (("profile", "train"), ("train", "profile")):
        assert f'"optcodec blocks {other}' in " ".join(run("blocks", verb, "--help").stdout.split())
