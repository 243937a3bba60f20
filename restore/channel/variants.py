"""Variants of photographs for the training: with film grain or sensor noise, sharpened, and smooth all over.

Photographs of collections for research have hardly any grain: they were JPEG files before, or were downscaled. Networks
that know only such photographs take the grain of others for an error, and remove it. They also have detail in nearly
all parts: a picture of the sky alone, or one that is out of focus, is something else to a network.
"""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt
import scipy.ndimage

__all__ = ["sharpened", "smooth", "with_grain"]

Samples = npt.NDArray[np.uint8]
_GRAIN = 1.0, 10.0  # standard deviation of grain in samples, drawn evenly on a logarithmic scale
_BLUR = 0.8  # pixels: the largest standard deviation of the blur of grain
_AMOUNT = 0.3, 1.5  # of sharpening: by how much the detail grows
_FOCUS = 2.0, 16.0  # pixels: the standard deviation of the blur of a smooth picture, evenly on a logarithmic scale
_NOISE = 1.5  # samples: the largest standard deviation of the noise on it
_RADIUS = 0.5, 1.5  # pixels: the standard deviation of the blur beyond which there is detail


def with_grain(image: Samples, rng: np.random.Generator) -> Samples:
    """Add grain of a random strength and size to RGB pixels, shape (height, width, 3).

    A part of it is common to the three colours, and the rest is that of red and, negated, of blue.
    """
    sigma = math.exp(rng.uniform(*np.log(_GRAIN)))
    blur, colour = rng.uniform(0.0, _BLUR), rng.uniform(0.0, 0.5)
    noise = rng.standard_normal((2, *image.shape[:2]), dtype=np.float32)
    if blur > 0.3:  # below, nothing of the filter is left but its middle
        noise = scipy.ndimage.gaussian_filter(noise, (0, blur, blur), mode="wrap", truncate=3)
    gray, opposed = noise * np.float32(sigma / noise.std())
    colours = np.stack([gray + colour * opposed, gray, gray - colour * opposed], -1)
    return _to_samples(image + colours)


def sharpened(image: Samples, rng: np.random.Generator) -> Samples:
    """Sharpen RGB pixels, shape (height, width, 3), by an unsharp mask of a random amount and radius."""
    amount, radius = rng.uniform(*_AMOUNT), rng.uniform(*_RADIUS)
    values = image.astype(np.float32)
    return _to_samples(values + amount * (values - scipy.ndimage.gaussian_filter(values, (radius, radius, 0))))


def smooth(image: Samples, rng: np.random.Generator) -> Samples:
    """Take RGB pixels, shape (height, width, 3), out of focus, and add a little noise, by random amounts."""
    radius, sigma = math.exp(rng.uniform(*np.log(_FOCUS))), rng.uniform(0.0, _NOISE)
    blurred = scipy.ndimage.gaussian_filter(image.astype(np.float32), (radius, radius, 0), truncate=3)
    return _to_samples(blurred + np.float32(sigma) * rng.standard_normal(image.shape, dtype=np.float32))


def _to_samples(values: npt.NDArray[np.floating]) -> Samples:
    samples: Samples = np.clip(np.rint(values), 0, 255).astype(np.uint8)
    return samples
