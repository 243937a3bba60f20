"""`optcodec.encode_many`: the bytes of `optcodec.encode`, for lists, arrays and iterators, with any threads."""

from __future__ import annotations

import io
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import optcodec
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


def test_images_are_taken_as_they_are_needed(monkeypatch: pytest.MonkeyPatch) -> None:
    """While the first image is not done, only few of the others are taken from their iterator."""
    from optcodec.batch import many

    taken, whole, first = [0], many.encode, threading.Lock()

    def pictures() -> Iterator[np.ndarray]:
        for _ in range(100):
            taken[0] += 1
            yield PICTURES[0]

    def slow(image: np.ndarray, **options: object) -> optcodec.EncodedJpeg:
        if first.acquire(blocking=False):
            time.sleep(0.2)
            assert taken[0] <= 4
        return whole(image, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(many, "encode", slow)
    assert len(optcodec.encode_many(pictures(), threads=2)) == 100


@pytest.mark.parametrize(
    ("images", "sizes"),
    [
        ([photograph(64, 64)] * 50, [6] * 8 + [2]),  # a quarter of what each thread would have
        ([np.zeros((512, 512, 3), np.uint8)] * 17, [2] * 8 + [1]),
        ([np.zeros((512, 1024, 3), np.uint8)] * 17, [1] * 17),  # large
        ([np.zeros((700, 512, 3), np.uint8), *[photograph(64, 64)] * 16], [1] + [2] * 8),
        (["a.png", "b.png"] * 8, [1] * 16),  # of a size that is not known
    ],
    ids=["small", "medium", "large", "mixed", "paths"],
)
def test_small_images_are_handed_over_together(
    images: list[object], sizes: list[int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Handing them over one by one costs more than a third of the time for 224x224 pixels."""
    from optcodec.batch import many

    parts: list[tuple[int, list[object]]] = []

    def in_order(work: object, calls: Iterator[tuple[int, list[object]]], workers: int) -> list[list[object]]:
        parts.extend(calls)
        return [part for _, part in parts]

    monkeypatch.setattr(many, "in_order", in_order)
    assert many.encode_many(images, threads=2) == images  # type: ignore[arg-type, comparison-overlap]
    assert [len(part) for _, part in parts] == sizes
    assert [first for first, _ in parts] == [sum(sizes[:place]) for place in range(len(sizes))]


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
