"""`OptJpeg` as a transform of torchvision: what it draws, what it leaves alone, and the files behind it."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("torchvision")

import numpy as np  # noqa: E402
from PIL import Image  # noqa: E402
from skimage import data  # noqa: E402
from torch import Tensor  # noqa: E402
from torch.utils.data import DataLoader, Dataset  # noqa: E402
from torchvision import tv_tensors  # noqa: E402
from torchvision.transforms import v2  # noqa: E402

from optcodec import InvalidInputError, MaxBytes, annex_k_tables, encode  # noqa: E402
from optcodec.fit.plan import Plan  # noqa: E402
from optcodec.torch import OptJpeg  # noqa: E402
from tests.cli_helpers import run_json, save  # noqa: E402


def picture(size: int = 64, start: int = 100) -> Tensor:
    return torch.from_numpy(data.astronaut()[start : start + size, 150 : 150 + size].copy()).permute(2, 0, 1)


def decoded(image: Tensor, **options: Any) -> Tensor:
    pixels = np.ascontiguousarray(image.permute(1, 2, 0).numpy())
    file = encode(pixels[..., 0] if pixels.shape[2] == 1 else pixels, **options).data
    array = torch.from_numpy(np.asarray(Image.open(io.BytesIO(file))).copy())
    return array[None] if array.ndim == 2 else array.permute(2, 0, 1)


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"quality": 30},
        {"quality": 30, "subsampling": "4:4:4"},
        {"tables": annex_k_tables(20)},
        {"target": MaxBytes(1500)},
        {"quality": 40, "tune": "ssim"},
    ],
)
def test_images_are_those_of_files(options: dict[str, Any]) -> None:
    assert OptJpeg(**options)(picture()).equal(decoded(picture(), **options))


def test_tensors_are_encoded_as_they_are() -> None:
    image = picture()
    expected = encode(image.permute(1, 2, 0).numpy().copy(), quality=50).data
    for same in (image, tv_tensors.Image(image), image.permute(1, 2, 0), image.clone().requires_grad_(False)):
        assert encode(same, quality=50).data == expected
    assert encode(image[:1]).data == encode(image[0]).data == encode(image[0].numpy().copy()).data
    with pytest.raises(InvalidInputError, match="the image has dtype float32; expected uint8 samples"):
        encode(image / 255)
    with pytest.raises(InvalidInputError, match=r"the image has shape \(5, 64, 64\)"):
        encode(image[:1].repeat(5, 1, 1))


def test_qualities_are_drawn_within_bounds_and_repeatably() -> None:
    transform = OptJpeg((30, 33))
    known = {tuple(decoded(picture(), quality=quality).flatten().tolist()): quality for quality in range(30, 34)}
    torch.manual_seed(3)
    drawn = [known[tuple(transform(picture()).flatten().tolist())] for _ in range(40)]
    assert set(drawn) == {30, 31, 32, 33}
    torch.manual_seed(3)
    assert [known[tuple(transform(picture()).flatten().tolist())] for _ in range(40)] == drawn


def test_batches_and_gray_images() -> None:
    batch = torch.stack([picture(start=start) for start in (50, 100, 150, 200)])
    expected = torch.stack([decoded(image, quality=25) for image in batch])
    assert OptJpeg(25)(batch).equal(expected)
    clips = batch.reshape(2, 2, 3, 64, 64)
    assert OptJpeg(25)(clips).equal(expected.reshape(clips.shape))
    gray = picture()[:1]
    assert OptJpeg(25)(gray).equal(decoded(gray, quality=25))


def test_labels_and_boxes_stay_and_types_are_kept() -> None:
    boxes = tv_tensors.BoundingBoxes([[1, 2, 3, 4]], format="XYXY", canvas_size=(64, 64))
    sample = {"image": tv_tensors.Image(picture()), "boxes": boxes, "label": 7}
    found = v2.Compose([OptJpeg(10), v2.RandomHorizontalFlip(0)])(sample)
    assert type(found["image"]) is tv_tensors.Image
    assert found["image"].equal(decoded(picture(), quality=10))
    assert found["boxes"].equal(boxes)
    assert found["label"] == 7


class Pictures(Dataset[tuple[Tensor, int]]):
    """Eight pictures, coded when they are asked for."""

    transform = OptJpeg((30, 95))

    def __len__(self) -> int:
        return 8

    def __getitem__(self, index: int) -> tuple[Tensor, int]:
        return self.transform(picture(start=20 * index)), index


def test_loaders_give_the_same_for_the_same_seed() -> None:
    def epoch() -> list[Tensor]:
        loader = DataLoader(Pictures(), batch_size=4, generator=torch.Generator().manual_seed(5))
        torch.manual_seed(1)
        return [images for images, _ in loader]

    first, second = epoch(), epoch()
    assert len(first) == 2
    assert all(one.equal(other) for one, other in zip(first, second, strict=True))


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"quality": 0}, r"quality is a whole number in 1\.\.100, got 0"),
        ({"quality": (50, 40)}, r"quality is a number, or the least and the largest one; got \(50, 40\)"),
        ({"quality": (50,)}, r"quality is a number, or the least and the largest one; got \(50,\)"),
        ({"quality": 50.5}, r"quality is a number, or the least and the largest one; got 50\.5"),
        ({"quality": 50, "tables": annex_k_tables(50)}, "quality and tables exclude one another"),
        ({"quality": (5, 9), "target": MaxBytes(5)}, "quality and target exclude one another"),
    ],
)
def test_wrong_arguments(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        OptJpeg(**arguments)


@pytest.mark.parametrize(
    "images",
    [torch.zeros(3, 8, 8), *(torch.zeros(shape, dtype=torch.uint8) for shape in ((8, 8), (0, 3, 8, 8), (3, 0, 8)))],
)
def test_wrong_images(images: Tensor) -> None:
    with pytest.raises(InvalidInputError, match=r"expected images as uint8 of shape \(\.\.\., 3 or 1, height, width\)"):
        OptJpeg()(images)


def test_options_are_those_of_encode() -> None:
    with pytest.raises(TypeError, match="qualty"):
        OptJpeg(qualty=3)(picture())


@pytest.mark.parametrize(
    ("options", "arguments"),
    [
        ({"quality": 40, "subsampling": "4:2:0"}, ["-q", "40", "--subsampling", "4:2:0"]),
        ({"match_quality": 40, "profile": "mobilenet_v2"}, ["--match-quality", "40", "--profile", "mobilenet_v2"]),
        ({"quality": 40, "effort": 3, "tune": "people"}, ["-q", "40", "--effort", "3", "--tune", "people"]),
    ],
)
def test_a_plan_is_as_on_the_command_line(tmp_path: Path, options: dict[str, Any], arguments: list[str]) -> None:
    Plan(options, "a verdict").save(tmp_path / "plan.json")
    save(tmp_path / "a.png", np.ascontiguousarray(picture().permute(1, 2, 0).numpy()))
    run_json("encode", tmp_path / "a.png", "-o", tmp_path / "a.jpg", *arguments)
    expected = torch.from_numpy(np.asarray(Image.open(tmp_path / "a.jpg")).copy()).permute(2, 0, 1)
    assert OptJpeg(plan=tmp_path / "plan.json")(picture()).equal(expected)
    assert OptJpeg(plan=str(tmp_path / "plan.json"), threads=2)(picture()).equal(expected)


def test_plans_that_do_not_go_with_the_rest(tmp_path: Path) -> None:
    plan = tmp_path / "plan.json"
    Plan({"quality": 40, "short_side": 32}, "a verdict").save(plan)
    with pytest.raises(InvalidInputError, match=r"has --short-side, which is not about the coding of one picture's"):
        OptJpeg(plan=plan)
    Plan({"quality": 40}, "a verdict").save(plan)
    with pytest.raises(InvalidInputError, match=r"^plan and subsampling exclude one another; expected one$"):
        OptJpeg(plan=plan, subsampling="4:2:0")
    with pytest.raises(InvalidInputError, match=r"^quality and plan exclude one another; expected one of them$"):
        OptJpeg(50, plan=plan)
    with pytest.raises(InvalidInputError, match=r"^cannot read the plan none.json: "):
        OptJpeg(plan="none.json")


def test_a_quality_is_any_whole_number() -> None:
    assert torch.equal(OptJpeg(np.int64(30))(picture()), OptJpeg(30)(picture()))
