"""Distances in pixels that a decoded file is matched by."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.writer import write_jpeg
from optcodec.metrics import luminance_ssim, mean_square
from optcodec.pictures.pixels import decoded_pixels
from optcodec.targets import MatchPsnr, MatchSsim

__all__ = ["PixelDistance"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class PixelDistance:
    """How far a decoded file may be from the pixels that it was made from.

    Parameters
    ----------
    reference : ndarray of uint8, shape (height, width, 3) or (height, width)
        The pixels.
    between : callable
        Distance of two arrays of pixels.
    limit : float
        Largest distance allowed.
    what : str
        What the distance is, for messages.
    """

    reference: Pixels
    between: Callable[[Pixels, Pixels], float]
    limit: float
    what: str

    @classmethod
    def of(cls, target: MatchPsnr | MatchSsim, source: PixelSource | CoefficientSource) -> PixelDistance:
        """What a target asks for: of pixels, or of those that a JPEG file decodes to."""
        if isinstance(source, PixelSource):
            reference = source.pixels
        else:
            reference = decoded_pixels(write_jpeg(source.image), "L" if source.sampling == "grey" else "RGB")
        if isinstance(target, MatchPsnr):
            return cls(reference, mean_square, 255.0**2 / 10 ** (target.psnr_db / 10), f"{target}: a squared error")
        return cls(reference, lambda a, b: 1 - luminance_ssim(a, b), 1 - target.ssim, f"{target}: 1 - SSIM")

    def __call__(self, data: bytes) -> float:
        """Distance of a file."""
        return self.between(self.reference, decoded_pixels(data, "RGB" if self.reference.ndim == 3 else "L"))
