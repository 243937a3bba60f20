"""Pictures to be restored that are no JPEG files any more, such as a PNG file of a decoded and then noisy picture."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
import numpy.typing as npt

from optcodec import Metadata, Picture
from optcodec.shared import real_number
from restore.runtime.band import Span
from restore.runtime.cells import Floats
from restore.runtime.context import Context
from restore.runtime.noise import estimate_sigma

__all__ = ["DecodedPicture", "noisy_picture", "sample_planes"]


@dataclass(frozen=True, eq=False)
class DecodedPicture:
    """A picture in memory, with what is known of the file that it was decoded from.

    It has the attributes of `restore.runtime.decode.Received` that restoring without projection needs.

    Parameters
    ----------
    planes : ndarray of float32, shape (1 or 3, height, width)
        Gray, or Y, Cb, Cr, 0..255. The first block of the former file begins at the first row and column.
    context : Context
        Steps, dead zones and noise.
    metadata : Metadata
        ICC profile, Exif and all other metadata of the picture.
    """

    planes: Floats
    context: Context
    metadata: Metadata = field(default_factory=Metadata)

    @property
    def width(self) -> int:
        """Width in pixels."""
        return int(self.planes.shape[2])

    @property
    def height(self) -> int:
        """Height in pixels."""
        return int(self.planes.shape[1])

    @property
    def is_gray(self) -> bool:
        """Whether there is luminance only."""
        return len(self.planes) == 1

    @property
    def extent(self) -> tuple[int, int]:
        """Rows and columns, rounded up to whole blocks."""
        return -(-self.height // 8) * 8, -(-self.width // 8) * 8

    def release(self, row: int) -> None:
        """Nothing: the whole picture stays in memory."""

    def luminance(self, rows: Span, columns: Span) -> Floats:
        """Luminance of a region, shape (rows, columns); beyond the picture, the samples of its border are repeated."""
        plane: Floats = self._region(rows, columns)[0]
        return plane

    def chrominance(self, rows: Span, columns: Span) -> Floats:
        """Cb and Cr of a region, shape (2, rows, columns), like `luminance`."""
        planes: Floats = self._region(rows, columns)[1:]
        return planes

    def _region(self, rows: Span, columns: Span) -> Floats:
        down, across = (
            np.clip(np.arange(*span), 0, size - 1)
            for span, size in zip((rows, columns), self.planes.shape[1:], strict=True)
        )
        region: Floats = self.planes[:, down[:, None], across]
        return region


def noisy_picture(
    picture: Picture, sigma: float | Literal["auto"], steps: npt.NDArray[np.uint16] | None
) -> DecodedPicture:
    """A picture of pixels, with the noise on them.

    Parameters
    ----------
    picture : Picture
        From `optcodec.load_picture`: gray or RGB, whose first block of the former JPEG file begins at the first pixel.
    sigma : float or "auto"
        Standard deviation of the noise, in units of 8-bit samples; "auto" estimates it.
    steps : ndarray of uint16, shape (2, 8, 8), or None
        Quantization steps of the former JPEG file, if they are known.

    Raises
    ------
    InvalidInputError
        If `sigma` is something else.
    """
    planes = sample_planes(picture.pixels)
    number = estimate_sigma(planes[0]) if sigma == "auto" else real_number(sigma, "sigma", or_zero=True)
    known = np.ones((2, 8, 8), np.uint16) if steps is None else steps
    return DecodedPicture(planes, Context.of_steps(known[: 1 if len(planes) == 1 else 2], number), picture.metadata)


def sample_planes(pixels: npt.NDArray[np.uint8]) -> Floats:
    """Gray pixels as one plane, RGB as Y, Cb, Cr (T.871, clause 7), in whole samples, shape (1 or 3, height, width).

    Pillow's conversion rounds down, which makes pictures darker by half a sample.
    """
    if pixels.ndim == 2:
        return pixels[None].astype(np.float32)
    red, green, blue = (pixels[..., index].astype(np.float32) for index in range(3))
    luminance = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue
    colours = (blue - luminance) / np.float32(1.772) + 128, (red - luminance) / np.float32(1.402) + 128
    planes: Floats = np.clip(np.rint(np.stack([luminance, *colours])), 0, 255)
    return planes
