"""Encode many pictures that are in memory, several at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sized
from typing import Any

import numpy as np

from optcodec.encoder import EncodedJpeg, encode
from optcodec.errors import InvalidInputError
from optcodec.experiments.threads import in_order
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import thread_count
from optcodec.pictures.pixels import ImageLike

__all__ = ["encode_many"]

# Small images are handed to a thread several at a time: each handing over costs about a third of the time of encoding
# 224x224 pixels, since threads wait for each other's interpreter lock.
_SAMPLES_AT_A_TIME = 1 << 20
_PARTS_PER_WORKER = 4  # at least, if there are so many images, so that no thread is left without work at the end


def encode_many(
    images: Iterable[ImageLike | CoefficientImage], *, threads: int | None = None, **options: Any
) -> list[EncodedJpeg]:
    """Encode many images; each file has the same bytes as that of `optcodec.encode`.

    Threads work on different images, which is faster than several threads for each of many small images.

    Parameters
    ----------
    images : iterable of images, or ndarray
        What `optcodec.encode` takes, each; or a uint8 array of shape (images, height, width, 3), RGB. They are taken
        from an iterator when a thread is free, so that few of them are in memory at a time.
    threads : int, optional
        At most so many; all processors by default. As many images are encoded at a time, if there are so many.
    **options
        Those of `optcodec.encode`, the same for all images.

    Returns
    -------
    list of EncodedJpeg
        In the order of the images.

    Raises
    ------
    InvalidInputError
        If an array has another shape, or one image is given in place of many.
    OptcodecError
        Of the first image that cannot be encoded; a note says which one it is.
    """
    if isinstance(images, np.ndarray) and (images.ndim != 4 or images.shape[-1] != 3):
        raise InvalidInputError(f"expected images of shape (images, height, width, 3), got {images.shape}")
    if isinstance(images, (str, bytes, bytearray, memoryview)) or not isinstance(images, Iterable):
        raise InvalidInputError(f"expected a list of images, got one {type(images).__name__}")
    total = thread_count(threads)
    workers = min(total, max(1, len(images))) if isinstance(images, Sized) else total

    def work(first: int, some: list[ImageLike | CoefficientImage]) -> list[EncodedJpeg]:
        coded = []
        for index, image in enumerate(some, first):
            try:
                coded.append(encode(image, threads=total // workers, **options))
            except Exception as error:
                error.add_note(f"This is about image {index}, counted from 0.")
                raise
        return coded

    return [coded for part in in_order(work, _parts(images, workers), workers) for coded in part]


def _parts(
    images: Iterable[ImageLike | CoefficientImage], workers: int
) -> Iterator[tuple[int, list[ImageLike | CoefficientImage]]]:
    """Images that one thread encodes one after another, and the index of the first one.

    Of an iterator, which may make them one by one, and of what is no array, each is alone.
    """
    most = len(images) // (_PARTS_PER_WORKER * workers) if isinstance(images, Sized) else 1
    part: list[ImageLike | CoefficientImage] = []
    first = samples = 0
    for index, image in enumerate(images):
        if not part:
            first = index
        part.append(image)
        samples += image.size if isinstance(image, np.ndarray) else _SAMPLES_AT_A_TIME
        if len(part) >= most or samples >= _SAMPLES_AT_A_TIME:
            yield first, part
            part, samples = [], 0
    if part:
        yield first, part
