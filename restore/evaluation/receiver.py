"""What a receiver is: something that takes a JPEG file, or decoded planes, and gives an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from restore.runtime.decode import Received, to_rgb

__all__ = ["Planes", "Receiver", "Restore", "Samples", "planes_of", "shown"]

Samples: TypeAlias = npt.NDArray[np.uint8]
Planes: TypeAlias = npt.NDArray[np.float32]
Restore: TypeAlias = Callable[[Planes, Planes], Samples]


@dataclass(frozen=True, eq=False)
class Receiver:
    """What becomes of a file.

    Parameters
    ----------
    name : str
        For tables.
    receive : callable
        Bytes of a JPEG file to uint8, shape (height, width) or (height, width, 3).
    restore : callable or None
        The same for decoded planes (1 or 3, height, width) of 0..255 and quantization tables (1 or 2, 8, 8), both
        float32, for images that noise was added to; None where the receiver needs the file.
    nbytes : int or None
        Size of its model files; None without a model.
    count_macs : callable or None
        Counts its multiplications and additions per pixel; None without a model.
    """

    name: str
    receive: Callable[[bytes], Samples]
    restore: Restore | None = None
    nbytes: int | None = None
    count_macs: Callable[[], float] | None = None


def planes_of(received: Received) -> Planes:
    """Decoded planes of a file, shape (1 or 3, height, width): Y, or Y, Cb and Cr at full size, 0..255."""
    rows, columns = (0, received.height), (0, received.width)
    luminance = received.luminance(rows, columns)[None]
    return luminance if received.is_gray else np.concatenate([luminance, received.chrominance(rows, columns)])


def shown(planes: Planes) -> Samples:
    """Planes of 0..255 as an image, gray or RGB."""
    if len(planes) == 1:
        gray: Samples = np.rint(np.clip(planes[0], 0, 255)).astype(np.uint8)
        return gray
    image: Samples = to_rgb(planes[0], planes[1:])
    return image
