"""Composite transparent pixels on a background colour, since JPEG has no alpha channel."""

from __future__ import annotations

from typing import TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError

__all__ = ["Background", "colour_of", "composited", "without_alpha"]

Background: TypeAlias = str | tuple[int, int, int]


def without_alpha(
    samples: npt.NDArray[np.uint8], colour: npt.NDArray[np.uint8] | None
) -> tuple[npt.NDArray[np.uint8], str]:
    """Remove the alpha channel from samples.

    Parameters
    ----------
    samples : ndarray of uint8, shape (height, width, 2) or (height, width, 4)
        Grey or RGB samples; the last channel is alpha.
    colour : ndarray of uint8, shape (3,), or None
        Background, which transparent pixels need.

    Returns
    -------
    tuple of (ndarray of uint8, str)
        Grey or RGB samples, and a notice that says what was done.

    Raises
    ------
    InvalidInputError
        If there are transparent pixels and no background.
    """
    alpha = samples[..., -1]
    opaque = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    if (alpha == 255).all():
        return opaque, "dropped an alpha channel that is opaque everywhere"
    if colour is None:
        raise InvalidInputError(
            "the image has transparent pixels, which JPEG cannot hold; expected opaque ones, "
            "as optcodec encode --background white or background='white' of load_picture gives"
        )
    red, green, blue = (int(value) for value in colour)
    return composited(opaque, alpha, colour), f"composited transparent pixels on #{red:02x}{green:02x}{blue:02x}"


def composited(
    samples: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8], colour: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    """Composite grey or RGB samples on a colour; grey samples stay grey if the colour is grey, else they become RGB."""
    if samples.ndim == 2:
        if (colour == colour[0]).all():
            weight = alpha.astype(np.uint32)
            return ((samples * weight + int(colour[0]) * (255 - weight) + 127) // 255).astype(np.uint8)
        samples = np.repeat(samples[..., None], 3, axis=2)
    weight = alpha[..., None].astype(np.uint32)
    return ((samples * weight + colour * (255 - weight) + 127) // 255).astype(np.uint8)


def colour_of(background: Background) -> npt.NDArray[np.uint8]:
    """Return red, green and blue of a background colour; raise `InvalidInputError` if it is not a colour."""
    if isinstance(background, str):
        from PIL import ImageColor

        try:
            return np.array(ImageColor.getrgb(background)[:3], np.uint8)
        except ValueError:
            pass
    elif len(background) == 3 and all(0 <= value <= 255 for value in background):
        return np.array(background, np.uint8)
    raise InvalidInputError(
        f"a background is a colour such as 'white', '#ffffff' or (255, 255, 255); got {background!r}"
    )
