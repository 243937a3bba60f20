"""Restoration problems: degradations of an image before its JPEG coding, which the receiver is to undo."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt
from PIL import Image

from optcodec import InvalidInputError, require_packages
from restore.channel.samples import add_noise

__all__ = ["PROBLEMS", "Problem", "find_problem"]

Samples = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Problem:
    """A restoration problem: sent = clip(round(downscaled(blurred(clean)) + noise)).

    Parameters
    ----------
    name : str
        Name in tables and of files.
    scale : int
        Factor by which the image is downscaled, with Pillow's bicubic filter, which is widened with the scale like that
        of MATLAB's imresize.
    blur : float
        Standard deviation of the Gaussian blur, in pixels.
    sigma : float
        Standard deviation of the Gaussian noise, in units of 8-bit samples.
    """

    name: str
    scale: int = 1
    blur: float = 0.0
    sigma: float = 0.0

    @property
    def modules(self) -> tuple[str, ...]:
        """Optional packages that `sent` imports."""
        return ("scipy.ndimage",) if self.blur else ()

    def reference(self, clean: Samples) -> Samples:
        """The image that the restored one is compared with: the clean image, cut to multiples of the scale."""
        height, width = (extent - extent % self.scale for extent in clean.shape[:2])
        if min(height, width) == 0:
            raise InvalidInputError(f"{self.name} needs at least {self.scale}x{self.scale} pixels, got {clean.shape}")
        return np.ascontiguousarray(clean[:height, :width])

    def sent(self, clean: Samples, rng: np.random.Generator) -> Samples:
        """Degrade a clean image to the one that is coded and sent.

        Parameters
        ----------
        clean : ndarray of uint8, shape (height, width, 3)
            RGB, as `reference` gives it.
        rng : Generator
            Generator of the noise.

        Returns
        -------
        ndarray of uint8, shape (height / scale, width / scale, 3)
        """
        image = clean
        if self.blur:
            require_packages(*self.modules, extra="torch")
            from scipy.ndimage import gaussian_filter

            blurred = gaussian_filter(image.astype(np.float32), (self.blur, self.blur, 0.0), mode="reflect")
            image = np.rint(np.clip(blurred, 0, 255)).astype(np.uint8)
        if self.scale > 1:
            size = image.shape[1] // self.scale, image.shape[0] // self.scale
            image = np.asarray(Image.fromarray(image).resize(size, Image.Resampling.BICUBIC))
        if self.sigma:
            image = add_noise(image, self.sigma, rng)
        return image


# The problems of AccelIR (Ye et al., CVPR 2023): super-resolution x4, denoising of sigma 25, deblurring, and JPEG.
PROBLEMS = {
    problem.name: problem
    for problem in (
        Problem("sr4", scale=4),
        Problem("denoise25", sigma=25.0),
        Problem("deblur1.5", blur=1.5),
        Problem("deblock"),
    )
}


def find_problem(name: str) -> Problem:
    """The problem with this name.

    Raises
    ------
    InvalidInputError
        If there is no such problem.
    """
    if name not in PROBLEMS:
        raise InvalidInputError(f"problem is one of {', '.join(PROBLEMS)}; got {name!r}")
    return PROBLEMS[name]
