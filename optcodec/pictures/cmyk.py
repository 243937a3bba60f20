"""Convert CMYK images to RGB, with their ICC profile if they have a valid one."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["to_rgb"]


def to_rgb(image: Image.Image) -> tuple[Image.Image, str]:
    """Convert a CMYK image to sRGB.

    Parameters
    ----------
    image : Pillow image
        An image of mode CMYK in which 0 is no ink. (Adobe's JPEG files hold inverted values, which Pillow corrects.)

    Returns
    -------
    tuple of (Pillow image, str)
        The image in RGB, and a notice that says how it was converted.

    Raises
    ------
    InvalidInputError
        If the image has a profile, and Pillow was built without littleCMS.

    Notes
    -----
    With a profile, the conversion is relative colorimetric with black point compensation (ICC.1, 0.3): the white of the
    paper becomes white, and its darkest black becomes black. Without one, it is Pillow's plain rule, which does not
    model inks: ``R = (255 - C) * (255 - K) / 255``.
    """
    image.load()  # before the conversion, so that errors of a damaged file are not mistaken for those of its profile
    profile = image.info.get("icc_profile")
    if not profile:
        return image.convert("RGB"), "converted CMYK to RGB by Pillow's plain rule, as there is no ICC profile"
    converted = _by_profile(image, profile)
    if converted is None:
        return image.convert("RGB"), "converted CMYK to RGB by Pillow's plain rule, as its ICC profile cannot be used"
    return converted, "converted CMYK to sRGB with its ICC profile"


def _by_profile(image: Image.Image, profile: bytes) -> Image.Image | None:
    """Convert an image to sRGB; return None if the profile is damaged, or is not a CMYK profile."""
    from PIL import ImageCms, features

    if not features.check("littlecms2"):
        raise InvalidInputError("to convert with an ICC profile, expected a Pillow with littleCMS, got one without it")
    try:
        return ImageCms.profileToProfile(
            image,
            ImageCms.ImageCmsProfile(io.BytesIO(profile)),
            ImageCms.createProfile("sRGB"),
            renderingIntent=ImageCms.Intent.RELATIVE_COLORIMETRIC,
            outputMode="RGB",
            flags=ImageCms.Flags.BLACKPOINTCOMPENSATION,
        )
    except (OSError, ImageCms.PyCMSError):
        return None
