"""Data sets for sensitivity: folders, labels, samples and batches; unreadable images are left out and reported."""

from __future__ import annotations

import os
from collections import Counter
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec.errors import InvalidInputError
from optcodec.vision.datasets import LabelledImage, batches, find_images, readable, sample
from optcodec.vision.models import TargetModel
from optcodec.vision.survey import ImageSample, sensitivity_of

torch = pytest.importorskip("torch")


def write_images(folder: Path, names: list[str], mode: str = "RGB") -> None:
    for i, name in enumerate(names):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        pixels = np.random.default_rng(i).integers(0, 256, (16, 16, 3), np.uint8)
        Image.fromarray(pixels).convert(mode).save(folder / name)


def labels_by_name(images: list[LabelledImage], root: Path) -> dict[str, int | None]:
    return {image.path.relative_to(root).as_posix(): image.label for image in images}


def test_one_folder_for_every_class(tmp_path: Path) -> None:
    write_images(tmp_path, ["b/2.png", "b/x/1.JPG", "a/1.png", "c/1.webp"])
    (tmp_path / "a" / "notes.txt").write_text("no image")
    images = find_images(tmp_path, "folders")
    assert labels_by_name(images, tmp_path) == {"a/1.png": 0, "b/2.png": 1, "b/x/1.JPG": 1, "c/1.webp": 2}
    assert [image.path for image in images] == sorted(image.path for image in images)


def test_folders_that_are_numbers_are_the_class_indices(tmp_path: Path) -> None:
    write_images(tmp_path, ["7/a.png", "012/a.png"])
    assert labels_by_name(find_images(tmp_path, "folders"), tmp_path) == {"7/a.png": 7, "012/a.png": 12}


def test_a_csv_of_labels(tmp_path: Path) -> None:
    write_images(tmp_path / "images", ["b.png", "a.png", "unnamed.png"])
    csv = tmp_path / "labels.csv"
    csv.write_text("class_index,file,more\n3,b.png,x\n5,a.png,y\n")
    assert labels_by_name(find_images(tmp_path / "images", csv), tmp_path / "images") == {"a.png": 5, "b.png": 3}


def test_the_labels_of_the_data_set() -> None:
    if "OPTCODEC_DATA" not in os.environ:
        pytest.skip("OPTCODEC_DATA is not set: it names the folder with imagenet_sample")
    folder = Path(os.environ["OPTCODEC_DATA"]) / "imagenet_sample"
    images = find_images(folder, folder / "labels.csv")
    assert sorted(image.label for image in images if image.label is not None) == list(range(0, 1000, 2))


def test_no_labels(tmp_path: Path) -> None:
    write_images(tmp_path, ["b.png", "x/a.png"])
    assert labels_by_name(find_images(tmp_path, "self"), tmp_path) == {"b.png": None, "x/a.png": None}


def test_wrong_folders_and_labels(tmp_path: Path) -> None:
    write_images(tmp_path / "some", ["a/1.png", "loose.png"])
    (tmp_path / "none").mkdir()
    csv = tmp_path / "labels.csv"
    with pytest.raises(InvalidInputError, match="expected a folder of images, got"):
        find_images(tmp_path / "some" / "loose.png", "self")
    with pytest.raises(InvalidInputError, match=r"no images in .*none: expected files ending in \.bmp"):
        find_images(tmp_path / "none", "self")
    with pytest.raises(InvalidInputError, match=r"one folder for each class .* but loose\.png lies in none"):
        find_images(tmp_path / "some", "folders")
    with pytest.raises(InvalidInputError, match=r"'self', 'folders' or a CSV file; cannot read .*No such file"):
        find_images(tmp_path / "some", csv)
    for text, message in {
        "": "columns file and class_index in .*, found no rows",
        "file,label\na/1.png,3\n": "found file, label",
        "file,class_index\na/1.png,cat\n": "line 2: expected a class index, got 'cat'",
        "file,class_index\na/1.png,3\na/2.png\n": "line 3: expected a class index, got None",
        "file,class_index\na/1.png,3\na/2.png,4\n": "names 1 files that are not there: .*a/2.png",
    }.items():
        csv.write_text(text)
        with pytest.raises(InvalidInputError, match=message):
            find_images(tmp_path / "some", csv)
    csv.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InvalidInputError, match="cannot read"):
        find_images(tmp_path / "some", csv)


def labelled(*counts: int) -> list[LabelledImage]:
    return [LabelledImage(Path(f"{label}/{i}.png"), label) for label, count in enumerate(counts) for i in range(count)]


def test_a_sample_is_balanced_and_seeded() -> None:
    images = labelled(50, 3, 10, 2)
    chosen = sample(images, 14, seed=1)
    counts = Counter(image.label for image in chosen)
    assert (counts[1], counts[3], {counts[0], counts[2]}) == (3, 2, {4, 5})
    assert len(set(chosen)) == 14
    assert chosen == sample(images, 14, seed=1)
    assert chosen != sample(images, 14, seed=2)
    assert {image.label for image in sample(images, 4, seed=3)} == {0, 1, 2, 3}
    assert set(sample(images, None)) == set(images)


def test_a_sample_without_labels_is_a_plain_one() -> None:
    images = [LabelledImage(Path(f"{i}.png"), None) for i in range(20)]
    assert len(set(sample(images, 15, seed=4))) == 15
    assert sample(images, 5, seed=4) == sample(images, 15, seed=4)[:5]
    assert {image for seed in range(30) for image in sample(images, 5, seed=seed)} == set(images)


@pytest.mark.parametrize("count", [0, -1, 11])
def test_a_sample_larger_than_the_whole(count: int) -> None:
    with pytest.raises(InvalidInputError, match=f"expected a sample of 1 to 10 images, got {count}"):
        sample(labelled(10), count)


def to_tensor(image: Image.Image) -> Any:
    return torch.from_numpy(np.asarray(image).transpose(2, 0, 1).copy())


def test_batches(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{i}/a.png" for i in range(5)])
    write_images(tmp_path, ["5/grey.png"], "L")
    images = find_images(tmp_path, "folders")
    stacked = list(batches(images, to_tensor, size=4))
    assert [tuple(pixels.shape) for pixels, _ in stacked] == [(4, 3, 16, 16), (2, 3, 16, 16)]
    assert torch.cat([labels for _, labels in stacked]).tolist() == [0, 1, 2, 3, 4, 5]
    with Image.open(images[1].path) as first:
        assert np.array_equal(stacked[0][0][1].numpy().transpose(1, 2, 0), np.asarray(first))
    assert [labels for _, labels in batches(find_images(tmp_path, "self"), to_tensor, size=6)] == [None]
    with pytest.raises(InvalidInputError, match="at least 1 image, got 0"):
        next(batches(images, to_tensor, size=0))


def test_unreadable_images_are_named_and_left_out(tmp_path: Path) -> None:
    write_images(tmp_path, [f"{i}/a.png" for i in range(4)])
    (tmp_path / "1" / "a.png").write_bytes((tmp_path / "1" / "a.png").read_bytes()[:60])
    (tmp_path / "3" / "a.png").write_text("no image")
    images = find_images(tmp_path, "folders")
    unreadable: list[tuple[Path, str]] = []
    stacked = list(
        batches(images, to_tensor, size=2, on_unreadable=lambda path, reason: unreadable.append((path, reason)))
    )
    assert [labels.tolist() for _, labels in stacked if labels is not None] == [[0], [2]]  # others keep their batch
    assert [path.parent.name for path, _ in unreadable] == ["1", "3"]
    assert all("cannot read the image" in reason for _, reason in unreadable)
    with pytest.raises(InvalidInputError, match=r"cannot read the image .*a\.png"):
        list(batches(images, to_tensor))


def test_images_that_would_lose_something_are_named_and_left_out(tmp_path: Path) -> None:
    """As `optcodec.load_picture` refuses them: a network should not see what an encoder would not take."""
    write_images(tmp_path, ["0.png"])
    Image.new("RGBA", (16, 16), (9, 8, 7, 100)).save(tmp_path / "1.png")
    Image.new("CMYK", (16, 16)).save(tmp_path / "2.tif")
    Image.fromarray(np.full((16, 16), 700, np.uint16)).save(tmp_path / "3.png")
    Image.new("RGBA", (16, 16), (9, 8, 7, 255)).save(tmp_path / "4.png")
    images, expected = find_images(tmp_path, "self"), ["transparent pixels", "CMYK colours", "16 bits a sample"]
    for read in (readable, lambda images, told: list(batches(images, to_tensor, on_unreadable=told))):
        unreadable: list[tuple[Path, str]] = []
        read(images, lambda path, reason, to=unreadable: to.append((path, reason)))
        assert [path.name for path, _ in unreadable] == ["1.png", "2.tif", "3.png"]
        for (path, reason), what in zip(unreadable, expected, strict=True):
            assert reason.startswith(f"cannot read the image {path}: the image has {what}")


@pytest.fixture
def target() -> TargetModel:
    torch.manual_seed(0)
    nn = torch.nn
    module = nn.Sequential(nn.Conv2d(3, 4, 5), nn.Tanh(), nn.AdaptiveAvgPool2d(1), nn.Flatten(), nn.Linear(4, 3))
    return TargetModel("small", module, to_tensor, "00" * 32)


def test_a_survey_from_folder_to_profile(tmp_path: Path, target: TargetModel) -> None:
    write_images(tmp_path / "set", [f"{name}/{i}.png" for name in "abc" for i in range(4)])
    calls: list[int] = []
    survey = ImageSample(tmp_path / "set", images=6, seed=5, batch=4)
    profile = sensitivity_of(target, survey, subsampling="4:2:0", progress=lambda done, error: calls.append(done))
    about = profile.provenance
    assert (profile.name, about.model, about.weights_sha256) == ("small", "small", "00" * 32)
    assert (about.data, about.labels, about.images, about.seed) == ("set", "folders", 6, 5)
    assert (about.subsampling, about.image_size, about.loss) == ("4:2:0", "16x16", "cross_entropy")
    assert calls == [4, 6]
    assert np.array_equal(sensitivity_of(target, survey, subsampling="4:2:0").weights, profile.weights)
    assert not np.array_equal(sensitivity_of(target, survey).weights[1:], profile.weights[1:])


def test_folders_that_cannot_be_the_classes_of_the_model(tmp_path: Path, target: TargetModel) -> None:
    write_images(tmp_path, [f"{name}/1.png" for name in "ab"])
    with pytest.raises(InvalidInputError, match=r"class of small, whose output has shape \(1, 3\); found 2 folders"):
        sensitivity_of(target, ImageSample(tmp_path))
    assert sensitivity_of(target, ImageSample(tmp_path, labels="self")).provenance.labels == "self"
    (tmp_path / "a").rename(tmp_path / "0")
    (tmp_path / "b").rename(tmp_path / "2")
    assert sensitivity_of(target, ImageSample(tmp_path)).provenance.images == 2
    (tmp_path / "2").rename(tmp_path / "3")
    with pytest.raises(InvalidInputError, match=r"expected 2 labels in 0\.\.2, got"):
        sensitivity_of(target, ImageSample(tmp_path))


def test_a_survey_has_a_limit_of_pixels(tmp_path: Path, target: TargetModel) -> None:
    write_images(tmp_path, ["a.png", "b.png"])
    Image.fromarray(np.zeros((60, 70, 3), np.uint8)).save(tmp_path / "wide.png")
    reasons: list[str] = []
    survey = ImageSample(tmp_path, labels="self", max_pixels=60 * 70 - 1)
    profile = sensitivity_of(target, survey, on_unreadable=lambda path, reason: reasons.append(reason))
    assert profile.provenance.images == 2
    assert len(reasons) == 1
    assert "wide.png: the image has 70x60 = 4,200 pixels; expected at most 4,199" in reasons[0]


def test_a_survey_tells_of_unreadable_images(tmp_path: Path, target: TargetModel) -> None:
    write_images(tmp_path, [f"{i}.png" for i in range(3)])
    (tmp_path / "1.png").write_text("no image")
    names: list[str] = []
    survey = ImageSample(tmp_path, labels="self")
    profile = sensitivity_of(target, survey, on_unreadable=lambda path, reason: names.append(path.name))
    assert (names, profile.provenance.images) == (["1.png"], 2)
    with pytest.raises(InvalidInputError, match=r"cannot read the image .*1\.png"):
        sensitivity_of(target, survey)
