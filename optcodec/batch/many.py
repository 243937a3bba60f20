"""Encode many pictures that are in memory, several at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sized
from functools import cache
from typing import Any

import numpy as np

from optcodec.encoder import encoding
from optcodec.encoding import EncodedJpeg, Encoding
from optcodec.errors import InvalidInputError
from optcodec.extras import is_tensor
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import on_threads, thread_count
from optcodec.pictures.pixels import ImageLike

__all__ = ["encode_many"]


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
    if is_tensor(images) and images.ndim != 4:
        raise InvalidInputError(f"expected images of shape (images, 3, height, width), got {tuple(images.shape)}")
    if isinstance(images, (str, bytes, bytearray, memoryview)) or not isinstance(images, Iterable):
        raise InvalidInputError(f"expected a list of images, got one {type(images).__name__}")
    total = thread_count(threads)
    workers = min(total, max(1, len(images))) if isinstance(images, Sized) else total

    @cache
    def coded() -> Encoding:
        return encoding(threads=total // workers, **options)

    def work(numbered: tuple[int, ImageLike | CoefficientImage]) -> EncodedJpeg:
        index, image = numbered
        try:
            return coded()(image)
        except Exception as error:
            error.add_note(f"This is about image {index}, counted from 0.")
            raise

    return on_threads(work, enumerate(images), workers)
