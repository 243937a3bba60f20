"""``optcodec blocks profile``: files that it writes and keeps, continuing an interrupted run, and errors."""

from __future__ import annotations

import hashlib
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optcodec import __version__
from optcodec.blocks.profile import build_profile, load_utility_profile
from optcodec.errors import InvalidInputError
from optcodec.receivers.survey import BlockSurvey, read_part
from tests.blur_task import BlurTask
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save

TASK = ("--task", "tests.blur_task:factory")
FAST = (*TASK, "--offsets", 1, "--groups", 3)


@pytest.fixture
def images(tmp_path: Path) -> list[Path]:
    return [
        save(tmp_path / "in/a.png", photograph(70, 100)),
        save(tmp_path / "in/b.png", photograph(96, 64)[::-1]),
    ]


@pytest.fixture
def calls(monkeypatch: pytest.MonkeyPatch) -> list[int]:
    """List to which the size of every restored file is added."""
    plain, sizes = BlurTask.restored, []

    def counting(self: BlurTask, data: bytes) -> np.ndarray:
        sizes.append(len(data))
        return plain(self, data)

    monkeypatch.setattr(BlurTask, "restored", counting)
    return sizes


def test_a_profile_of_a_folder(tmp_path: Path, images: list[Path]) -> None:
    output = tmp_path / "out/p.json"
    record = run_json("blocks", "profile", tmp_path / "in", "-o", output, *FAST, "--seed", 3)
    profile = load_utility_profile(output)
    assert record == {
        "output": str(output),
        "task": "blur",
        "images": 2,
        "blocks": 6 + 6,
        "utility": profile.utility.tolist(),
        "failures": [],
    }
    about = profile.provenance
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in images]
    assert about.images == tuple(zip(("a.png", "b.png"), digests, strict=True))
    assert (about.task, about.network, about.scale, about.encoder) == ("blur", TASK[1], 1, "jpeg")
    assert (about.blocks, about.block, about.grids, about.stride) == (12, 32, 1, 32)
    assert (about.subsampling, about.seed, about.isolated, about.version) == ("4:2:0", 3, False, __version__)
    assert profile.name == "p"
    assert profile.groups == 3
    assert profile.qualities.tolist() == list(range(15, 100, 5))
    assert not output.with_name("p.json.parts").exists()


def test_text_for_people(tmp_path: Path, images: list[Path]) -> None:
    result = run("blocks", "profile", images[0], "-o", tmp_path / "p.json", *FAST)
    assert result.exit_code == 0
    lines = result.stdout.splitlines()
    assert lines[0] == f"{tmp_path / 'p.json'}: blur, 6 blocks of 1 image"
    assert lines[2].split("  ") == ["group", "dB per byte", "bytes at 15", "bytes at 95", "dB at 15", "dB at 95"]
    assert len(lines) == 4 + 3
    profile = load_utility_profile(tmp_path / "p.json")
    assert lines[4].split() == ["0", f"{profile.utility[0]:.5f}"] + [
        f"{values[0, end]:.2f}" for values in (profile.nbytes, profile.psnr_db) for end in (0, -1)
    ]


def test_options_are_those_of_the_survey(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", photograph(60, 70))
    options = ("--encoder", "rdo", "--subsampling", "4:4:4", "--offsets", 2, "--seed", 9, "--isolated")
    run_json("blocks", "profile", path, "-o", tmp_path / "p.json", *TASK, "--groups", 2, *options)
    settings = {"encoder": "rdo", "subsampling": "4:4:4", "seed": 9, "isolated": True, "grids": 2}
    survey = BlockSurvey(BlurTask(), TASK[1], tmp_path / "other", **settings)  # type: ignore[arg-type]
    image = survey.image(path)
    profile, expected = load_utility_profile(tmp_path / "p.json"), build_profile("p", [image.curves], groups=2)
    assert profile.provenance == survey.provenance([image])
    assert profile.provenance.stride == 28
    np.testing.assert_array_equal(profile.nbytes, expected.nbytes)
    np.testing.assert_array_equal(profile.after, expected.after)


def test_an_interrupted_run_continues(
    tmp_path: Path, images: list[Path], calls: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    reference, output = tmp_path / "q.json", tmp_path / "p.json"
    run_json("blocks", "profile", *images, "-o", reference, *FAST)
    assert len(calls) == 2 * 17
    with monkeypatch.context() as patch:
        patch.setattr("optcodec.receivers.survey.read_part", lambda part: 1 / 0 if any(folder.glob("*")) else None)
        folder = tmp_path / "p.json.parts"
        assert isinstance(run("blocks", "profile", *images, "-o", output, *FAST).exception, ZeroDivisionError)
    assert len(list(folder.iterdir())) == 1
    assert not output.exists()
    assert len(calls) == 3 * 17
    run_json("blocks", "profile", *images, "-o", output, *FAST)
    assert len(calls) == 4 * 17
    assert output.read_text().replace('"name": "p"', '"name": "q"') == reference.read_text()
    assert not folder.exists()


def test_parts_that_are_kept(tmp_path: Path, images: list[Path], calls: list[int]) -> None:
    arguments = ("blocks", "profile", *images, "-o", tmp_path / "p.json", *FAST, "--keep-parts")
    run_json(*arguments)
    parts = {path.name.split("-")[0]: path for path in (tmp_path / "p.json.parts").iterdir()}
    part = parts[hashlib.sha256(images[1].read_bytes()).hexdigest()[:32]]
    with np.load(part, allow_pickle=False) as arrays:
        assert set(arrays) == {"qualities", "nbytes", "before", "after", "blocks"}
    curves, blocks = read_part(part) or pytest.fail("no part")
    assert (len(curves), blocks.shape, blocks.dtype) == (6, (6, 32, 32, 3), np.uint8)
    assert abs(blocks[1].astype(float) - photograph(96, 64)[::-1][:32, 32:]).mean() < 8  # apart from the noise
    run_json(*arguments)
    assert len(calls) == 2 * 17
    run_json(*arguments, "--seed", 1)
    assert len(calls) == 4 * 17
    assert len(list((tmp_path / "p.json.parts").iterdir())) == 4


@pytest.mark.parametrize("kind", ["empty", "cut", "text", "flipped", "other arrays", "an array"])
def test_broken_parts_are_measured_again(tmp_path: Path, images: list[Path], kind: str) -> None:
    survey = BlockSurvey(BlurTask(), "blur", tmp_path / "parts")
    first = survey.image(images[0])
    content = first.part.read_bytes()
    if kind == "other arrays":
        np.savez(first.part, qualities=[1, 2])
    elif kind == "an array":
        with first.part.open("wb") as file:
            np.save(file, np.zeros(3))
    else:
        flipped = bytes(byte ^ 255 if 200 <= offset < 300 else byte for offset, byte in enumerate(content))
        contents = {"empty": b"", "cut": content[: len(content) // 2], "text": b"text", "flipped": flipped}
        first.part.write_bytes(contents[kind])
    assert read_part(first.part) is None
    np.testing.assert_array_equal(survey.image(images[0]).curves.after, first.curves.after)
    assert first.part.read_bytes() == content


def test_noise_differs_from_image_to_image_and_is_that_of_the_seed(tmp_path: Path) -> None:
    flat = np.full((64, 64, 3), 90, np.uint8)
    paths = [save(tmp_path / f"{value}.png", flat + value) for value in (0, 1)]
    noisy = []
    for folder, seed in (("one", 1), ("again", 1), ("other", 2)):
        survey = BlockSurvey(BlurTask(), "blur", tmp_path / folder, seed=seed)
        noisy.append([(read_part(survey.image(path).part) or pytest.fail("no part"))[1] for path in paths])
    np.testing.assert_array_equal(noisy[0], noisy[1])
    assert (noisy[0][0] != noisy[2][0]).any()
    assert (noisy[0][0] + 1 != noisy[0][1]).any()


def test_images_that_cannot_be_measured_are_named(tmp_path: Path, images: list[Path]) -> None:
    grey = save(tmp_path / "in/grey.png", photograph(70, 100)[..., 0])
    small = save(tmp_path / "in/small.png", photograph(31, 100))
    result = run("blocks", "profile", tmp_path / "in", "-o", tmp_path / "p.json", *FAST)
    assert result.exit_code == 1
    expected = "blocks are measured in RGB images, uint8 of shape (height, width, 3); got a grey image"
    assert messages(result) == [
        "Error: 2 of 4 files failed:",
        f"  {grey}: {expected}",
        f"  {small}: blocks of blur have 32x32 pixels; the image is smaller: 100x31",
    ]
    assert len(load_utility_profile(tmp_path / "p.json").provenance.images) == 2
    assert len(list((tmp_path / "p.json.parts").iterdir())) == 2  # a run with other options may use all of them


def test_nothing_is_written_without_images(tmp_path: Path) -> None:
    small = save(tmp_path / "small.png", photograph(31, 100))
    assert "smaller: 100x31" in refusal("blocks", "profile", small, "-o", tmp_path / "p.json", *FAST)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["small.png"]


def test_too_many_groups_lose_nothing_that_was_measured(tmp_path: Path, images: list[Path]) -> None:
    line = refusal("blocks", "profile", *images, "-o", tmp_path / "p.json", *FAST, "--groups", 13)
    assert line == "Error: the number of groups lies in 1..12, that of the blocks; got 13"
    assert len(list((tmp_path / "p.json.parts").iterdir())) == 2


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (
            "nowhere:factory",
            "expected a task as package.module:factory, got 'nowhere:factory': No module named 'nowhere'",
        ),
        ("tests.blur_task:no_task", "to return a task (name, scale, reference, sent, restored), got int"),
    ],
)
def test_no_such_task(tmp_path: Path, images: list[Path], task: str, message: str) -> None:
    assert message in refusal("blocks", "profile", images[0], "--task", task, "-o", tmp_path / "p.json")


def test_a_task_in_a_file_of_the_user(tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "own_blur.py").write_text("from tests.blur_task import factory\n")
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    arguments = (*FAST[2:], "--task", "own_blur:factory")
    assert run_json("blocks", "profile", images[0], "-o", tmp_path / "p.json", *arguments)["blocks"] == 6


@pytest.mark.parametrize("method", ["reference", "sent", "restored"])
def test_a_task_that_raises_is_named(
    tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch, method: str
) -> None:
    def broken(self: BlurTask, *arguments: object) -> np.ndarray:
        raise RuntimeError("boom\nand more")

    monkeypatch.setattr(BlurTask, method, broken)
    line = refusal("blocks", "profile", images[0], "-o", tmp_path / "p.json", *FAST)
    assert line == f"Error: {images[0]}: blur raises RuntimeError: boom"
    result = run("blocks", "profile", *images, "-o", tmp_path / "p.json", *FAST)
    assert result.exit_code == 1
    assert messages(result)[0] == "Error: 2 of 2 files failed:"


def test_a_task_that_cannot_be_made_is_named(tmp_path: Path, images: list[Path]) -> None:
    arguments = ("--task", "tests.blur_task:impossible")
    line = refusal("blocks", "profile", images[0], "-o", tmp_path / "p.json", *arguments)
    assert line == "Error: tests.blur_task:impossible raises ValueError: no network is at hand"


def test_a_task_that_needs_torch_says_so(tmp_path: Path, images: list[Path], monkeypatch: pytest.MonkeyPatch) -> None:
    def missing(self: BlurTask, data: bytes) -> np.ndarray:
        raise ModuleNotFoundError("No module named 'torch'", name="torch")

    monkeypatch.setattr(BlurTask, "restored", missing)
    line = refusal("blocks", "profile", images[0], "-o", tmp_path / "p.json", *FAST)
    assert line == "Error: torch is needed for this, and is not installed: pip install 'optcodec[torch]'"


@pytest.mark.parametrize(
    "options", [["--groups", 0], ["--offsets", 65], ["--encoder", "webp"], ["--subsampling", "4:1:1"], ["--seed", -1]]
)
def test_usage(tmp_path: Path, images: list[Path], options: list[object]) -> None:
    result = run("blocks", "profile", images[0], "-o", tmp_path / "p.json", *TASK, *options)
    assert result.exit_code == 2


def test_output_that_cannot_be_written_is_refused_first(tmp_path: Path, images: list[Path], calls: list[int]) -> None:
    assert "it is a folder" in refusal("blocks", "profile", images[0], "-o", tmp_path / "in", *FAST)
    assert calls == []


def test_grids_of_a_survey_are_checked_before_anything_is_measured(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"number of grids lies in 1\.\.64, got 65"):
        BlockSurvey(BlurTask(), "blur", tmp_path, grids=65)


def test_transparent_images_are_named(tmp_path: Path) -> None:
    path = tmp_path / "alpha.png"
    Image.fromarray(np.dstack([photograph(40, 40), np.full((40, 40), 9, np.uint8)])).save(path)
    assert "transparent pixels" in refusal("blocks", "profile", path, "-o", tmp_path / "p.json", *FAST)
