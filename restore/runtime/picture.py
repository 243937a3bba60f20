"""Pictures to be restored that are no JPEG files any more, such as a PNG file of a decoded and then noisy picture."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

from optcodec import Metadata
from restore.runtime.band import Span
from restore.runtime.cells import Floats
from restore.runtime.context import Context

__all__ = ["DecodedPicture", "decoded_picture"]


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


def decoded_picture(pixels: npt.NDArray[np.uint8], context: Context, metadata: Metadata) -> DecodedPicture:
    """A picture from pixels.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.
    context, metadata
        See `DecodedPicture`.
    """
    if pixels.ndim == 2:
        return DecodedPicture(pixels[None].astype(np.float32), context, metadata)
    red, green, blue = (pixels[..., index].astype(np.float32) for index in range(3))
    luminance = np.float32(0.299) * red + np.float32(0.587) * green + np.float32(0.114) * blue  # T.871, clause 7
    planes = luminance, (blue - luminance) / np.float32(1.772) + 128, (red - luminance) / np.float32(1.402) + 128
    return DecodedPicture(np.rint(np.stack(planes)), context, metadata)
