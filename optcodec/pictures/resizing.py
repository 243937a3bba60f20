"""Reduce pictures to the resolution that their reader needs."""

from __future__ import annotations

from dataclasses import replace

from optcodec.pictures.pixels import Picture, samples_of

__all__ = ["shrunk"]


def shrunk(picture: Picture, short_side: int) -> Picture:
    """The picture with a shorter side of so many pixels, in the same proportions; as it is, if it is no larger.

    Pixels are averaged with the weights of a triangle (Pillow's "bilinear"), and the longer side is rounded down, as
    torchvision's preprocessing of classifiers does: where that reduces pictures to the same size, it then changes
    nothing.

    Parameters
    ----------
    picture : Picture
        RGB or grey.
    short_side : int
        In pixels, at least 1.
    """
    height, width = picture.pixels.shape[:2]
    if min(height, width) <= short_side:
        return picture
    from PIL import Image

    size = tuple(short_side * side // min(height, width) for side in (width, height))
    resized = Image.fromarray(picture.pixels).resize(size, Image.Resampling.BILINEAR)
    return replace(picture, pixels=samples_of(resized))
