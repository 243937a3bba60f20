"""`optcodec.encode_many`: the bytes of `optcodec.encode`, for lists, arrays and iterators, with any threads."""

from __future__ import annotations

import io
import weakref
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import optcodec
from optcodec.effort import Request
from tests.cli_helpers import photograph, save

PICTURES = [photograph(16 + number, 40 - number) for number in range(9)]


@pytest.mark.parametrize("threads", [None, 1, 3])
@pytest.mark.parametrize(
    "options",
    [{}, {"quality": 30, "progressive": "smaller"}, {"target": optcodec.MatchQuality(60), "effort": 3}],
    ids=["default", "progressive", "effort 3"],
)
def test_the_bytes_are_those_of_encode(threads: int | None, options: dict[str, object]) -> None:
    expected = [optcodec.encode(picture, **options) for picture in PICTURES]  # type: ignore[arg-type]
    assert optcodec.encode_many(PICTURES, threads=threads, **options) == expected


def test_all_that_encode_takes(tmp_path: Path) -> None:
    path = save(tmp_path / "a.png", PICTURES[0])
    with io.BytesIO() as file:
        Image.fromarray(PICTURES[1]).save(file, "jpeg")
        content = file.getvalue()
    images = [path, str(path), path.read_bytes(), PICTURES[0][..., 0], Image.fromarray(PICTURES[0])]
    images += [optcodec.read_jpeg(content)]
    assert optcodec.encode_many(images, threads=2) == [optcodec.encode(image) for image in images]


def test_an_array_is_a_batch() -> None:
    batch = np.stack([photograph(20, 30), photograph(20, 30)[::-1], photograph(20, 30)[:, ::-1]])
    assert optcodec.encode_many(batch) == [optcodec.encode(picture) for picture in batch]
    assert optcodec.encode_many(batch[:0]) == optcodec.encode_many([]) == []


@pytest.mark.parametrize("threads", [1, 3])
def test_images_are_taken_as_they_are_needed(threads: int) -> None:
    """Few images are in memory: those that threads work on, and what their iterator still refers to."""
    alive: weakref.WeakSet[optcodec.Picture] = weakref.WeakSet()
    most = 0

    def pictures() -> Iterator[optcodec.Picture]:
        nonlocal most
        for _ in range(60):
            picture = optcodec.Picture(PICTURES[0])
            alive.add(picture)
            most = max(most, len(alive))
            yield picture

    assert len(optcodec.encode_many(pictures(), threads=threads)) == 60
    assert most <= 2 * threads + 2


def test_options_are_checked_once(monkeypatch: pytest.MonkeyPatch) -> None:
    checked = []
    resolved = Request.resolved
    monkeypatch.setattr(Request, "resolved", lambda self, **form: checked.append(self) or resolved(self, **form))
    optcodec.encode_many(PICTURES, quality=50, threads=1)
    assert len(checked) == 1


def test_one_picture_is_not_many() -> None:
    torch = pytest.importorskip("torch")
    picture = torch.from_numpy(PICTURES[0].copy()).permute(2, 0, 1)
    with pytest.raises(optcodec.InvalidInputError, match=r"expected images of shape \(images, 3, height, width\), got"):
        optcodec.encode_many(picture)
    assert len(optcodec.encode_many(picture[None])) == 1


def test_a_column_of_pictures_is_many() -> None:
    """Such as one of pandas, which has a shape, too."""

    class Column(list):  # type: ignore[type-arg]
        shape = (len(PICTURES),)

    files = optcodec.encode_many(Column(PICTURES), quality=50)
    assert [file.data for file in files] == [optcodec.encode(picture, quality=50).data for picture in PICTURES]


def test_an_unknown_option_is_refused() -> None:
    with pytest.raises(TypeError, match=r"encode\(\) got an unexpected keyword argument 'qualty'"):
        optcodec.encode_many(PICTURES, qualty=50)


@pytest.mark.parametrize("threads", [1, 3])
def test_an_iterator_that_fails(threads: int) -> None:
    """Its error comes behind those of the images that it gave."""

    def pictures(*more: object) -> Iterator[object]:
        yield from (*PICTURES, *more)
        raise OSError("no more")

    with pytest.raises(OSError, match="no more"):
        optcodec.encode_many(pictures(), threads=threads)  # type: ignore[arg-type]
    with pytest.raises(optcodec.InvalidInputError, match="expected"):
        optcodec.encode_many(pictures(PICTURES[0].astype(float)), threads=threads)  # type: ignore[arg-type]


@pytest.mark.parametrize("place", [0, 4, 5, 31])
def test_the_image_that_fails_among_many_is_named(place: int) -> None:
    images = [PICTURES[0]] * 32
    images[place] = PICTURES[0].astype(float)
    with pytest.raises(optcodec.InvalidInputError) as caught:
        optcodec.encode_many(images, threads=2)
    assert caught.value.__notes__ == [f"This is about image {place}, counted from 0."]


@pytest.mark.parametrize("threads", [1, 3])
def test_the_image_that_fails_is_named(threads: int) -> None:
    with pytest.raises(optcodec.InvalidInputError) as caught:
        optcodec.encode_many([*PICTURES[:4], PICTURES[0].astype(float), b"nothing"], threads=threads)
    assert caught.value.__notes__ == ["This is about image 4, counted from 0."]


@pytest.mark.parametrize(
    ("images", "expected"),
    [
        (PICTURES[0], r"expected images of shape \(images, height, width, 3\), got \(16, 40, 3\)"),
        (np.zeros((2, 8, 8, 4), np.uint8), r"got \(2, 8, 8, 4\)"),
        (b"content", "expected a list of images, got one bytes"),
        ("a.png", "expected a list of images, got one str"),
        (Path("a.png"), "expected a list of images, got one PosixPath"),
        (Image.new("RGB", (8, 8)), "expected a list of images, got one Image"),
    ],
)
def test_one_image_is_no_list(images: object, expected: str) -> None:
    with pytest.raises(optcodec.InvalidInputError, match=expected):
        optcodec.encode_many(images)  # type: ignore[arg-type]


@pytest.mark.parametrize("threads", [0, -1, 1.5])
def test_numbers_of_threads(threads: object) -> None:
    with pytest.raises(optcodec.InvalidInputError, match="threads"):
        optcodec.encode_many(PICTURES, threads=threads)  # type: ignore[arg-type]
