"""The type `Receiver`: it turns a JPEG file, or decoded planes, into an image."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from restore.runtime.context import Context
from restore.runtime.decode import Received
from restore.runtime.image import to_rgb

__all__ = ["Planes", "Receiver", "Restore", "Samples", "decoded_planes", "noisy_planes", "to_image"]

Samples: TypeAlias = npt.NDArray[np.uint8]
Planes: TypeAlias = npt.NDArray[np.float32]
Restore: TypeAlias = Callable[[Planes, Context], Samples]


@dataclass(frozen=True, eq=False)
class Receiver:
    """A receiver: turns the bytes of a JPEG file into an image.

    Parameters
    ----------
    name : str
        Name of the receiver in tables.
    receive : callable
        Takes the bytes of a JPEG file, returns the image: uint8, shape (height, width) or (height, width, 3).
    restore : callable or None
        The same for images to which noise was added after decoding: takes decoded planes, shape (1 or 3, height,
        width), float32, 0..255, and the context of the file. None where the receiver needs the file.
    nbytes : int or None
        Size of its model files; None without a model.
    count_macs : callable or None
        Counts the multiply-accumulate operations of its model per pixel; None without a model.
    """

    name: str
    receive: Callable[[bytes], Samples]
    restore: Restore | None = None
    nbytes: int | None = None
    count_macs: Callable[[], float] | None = None


def decoded_planes(received: Received) -> Planes:
    """Decoded planes of a file, shape (1 or 3, height, width): Y, or Y, Cb and Cr at full size, 0..255."""
    rows, columns = (0, received.height), (0, received.width)
    luminance = received.luminance(rows, columns)[None]
    return luminance if received.is_gray else np.concatenate([luminance, received.chrominance(rows, columns)])


def noisy_planes(samples: Samples, tables: npt.NDArray[np.generic], sigma: float) -> tuple[Planes, Context]:
    """What `Receiver.restore` takes, of decoded samples to which noise was added.

    Parameters
    ----------
    samples : ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray, or Y, Cb, Cr.
    tables : ndarray, shape (1 or 2, 8, 8)
        Quantization steps of the file, luminance first.
    sigma : float
        Standard deviation of the noise, in 8-bit units.
    """
    planes = samples[None] if samples.ndim == 2 else samples.transpose(2, 0, 1)
    return planes.astype(np.float32), Context.of_steps(tables, sigma)


def to_image(planes: Planes) -> Samples:
    """Round planes of 0..255, gray or Y, Cb, Cr, to an image, gray or RGB."""
    if len(planes) == 1:
        gray: Samples = np.rint(np.clip(planes[0], 0, 255)).astype(np.uint8)
        return gray
    image: Samples = to_rgb(planes[0], planes[1:])
    return image
