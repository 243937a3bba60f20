"""Decode a JPEG file to pixels: as nearly all readers of files do it, or without their rounding on the way."""

from __future__ import annotations

from contextlib import suppress
from typing import Literal

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError, UnsupportedJpegError
from optcodec.jpeg.image import CoefficientImage, DctComponent
from optcodec.jpeg.quantize import dequantize
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.writer import write_jpeg
from optcodec.limits import MAX_PIXELS
from optcodec.notices import Notify
from optcodec.pictures.orientation import check_orient, upright
from optcodec.pictures.pixels import load_picture

__all__ = ["decode"]

Floats = npt.NDArray[np.float32]

_NOT_INTERPOLATED = 2  # columns of samples up to which libjpeg repeats samples (jdsample.c: jinit_upsampler)
_BASIS = np.cos(np.outer(np.arange(8), 2 * np.arange(8) + 1) * (np.pi / 16)) / 2  # T.81, A.3.3: frequency, sample
_BASIS[0] /= np.sqrt(2)
_RGB_OF_YCBCR = np.array([[1, 0, 1.402], [1, -0.344136286, -0.714136286], [1, 1.772, 0]], np.float32)  # T.871, 7


def decode(
    data: bytes | bytearray | memoryview,
    *,
    dct: Literal["exact", "float"] = "exact",
    orient: Literal["keep", "apply"] = "keep",
    partial: bool = False,
    max_pixels: int | None = MAX_PIXELS,
    notify: Notify | None = None,
) -> npt.NDArray[np.uint8]:
    """Decode a JPEG file in memory.

    The whole file is checked: where other decoders show grey areas or the pixels of another place, there is an error.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        The whole file: gray, YCbCr or RGB; see `optcodec.read_jpeg` for what it may be.
    dct : {"exact", "float"}
        The pixels of libjpeg-turbo with its accurate integer DCT, which is what nearly all readers of JPEG files see.
        Or floating point: samples are neither rounded nor clipped before the colours are converted, which is closer to
        what the file says by up to some levels. Chrominance is interpolated in the same way in both.
    orient : {"keep", "apply"}
        "keep" returns the pixels as the file stores them, "apply" turned upright by the orientation in its Exif.
    partial : bool
        Also decode a file that ends too early, as `optcodec.read_jpeg` does.
    max_pixels : int or None
        Larger images are refused before memory is allocated for them; None allows every size.
    notify : callable, optional
        Called with one sentence for each breach of T.81 that was tolerated; by default each is a `JpegWarning`.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB, or gray where the file has one component.

    Raises
    ------
    MalformedJpegError
        If the file is damaged, or ends too early.
    UnsupportedJpegError
        If it is a kind of JPEG file that is not read here, or has four components.
    InvalidInputError
        If an argument is wrong.

    See Also
    --------
    restore.decode_centroids : Decodes to the centroids of the quantization cells, which are nearer to the original.
    restore.restore_image : Decodes and takes back what quantization did, with a network.
    """
    if dct not in ("exact", "float"):
        raise InvalidInputError(f'dct is "exact" or "float", got {dct!r}')
    check_orient(orient)
    image = read_jpeg(data, partial=partial, max_pixels=max_pixels, notify=notify)
    if len(image.components) not in (1, 3):
        raise UnsupportedJpegError(f"expected 1 or 3 components, found {len(image.components)}")
    pixels = _float_pixels(image) if dct == "float" else _exact_pixels(image, None if partial else bytes(data))
    return upright(pixels, image.metadata)[0] if orient == "apply" else pixels


def _exact_pixels(image: CoefficientImage, data: bytes | None) -> npt.NDArray[np.uint8]:
    """Pixels as libjpeg-turbo decodes them: of the file, or of one with the same coefficients where that is damaged."""
    if data is not None:
        with suppress(InvalidInputError):  # such as a file without EOI, of which all coefficients are there
            return load_picture(data, max_pixels=None).pixels
    return load_picture(write_jpeg(image), max_pixels=None).pixels


def _float_pixels(image: CoefficientImage) -> npt.NDArray[np.uint8]:
    """Pixels that are rounded once, at the end."""
    size, components = (image.height, image.width), dequantize(image).components
    most = max(component.v for component in components), max(component.h for component in components)
    planes = np.stack([_plane(component, most, size) for component in components])
    if len(planes) == 3 and not image.is_rgb:
        planes[1:] -= 128
        planes = np.einsum("ij,jhw->ihw", _RGB_OF_YCBCR, planes)
    pixels = np.clip(np.rint(planes), 0, 255).astype(np.uint8)
    return pixels[0] if len(pixels) == 1 else np.ascontiguousarray(pixels.transpose(1, 2, 0))


def _plane(component: DctComponent, most: tuple[int, int], size: tuple[int, int]) -> Floats:
    """Samples of a component at the size of the image; those that only pad the last blocks do not count."""
    own = component.v, component.h
    extent = [-(-length * mine // all_) for length, mine, all_ in zip(size, own, most, strict=True)]
    plane = _samples(component.coefficients)[: extent[0], : extent[1]]
    factors = [all_ / mine for all_, mine in zip(most, own, strict=True)]
    if not set(factors) <= {1, 2} or (factors[1] == 2 and extent[1] <= _NOT_INTERPOLATED):
        places = (np.arange(length) * mine // all_ for length, mine, all_ in zip(size, own, most, strict=True))
        repeated: Floats = plane[np.ix_(*places)]
        return repeated
    for axis in (0, 1):
        plane = _doubled(plane, axis) if factors[axis] == 2 else plane
    return plane[: size[0], : size[1]]


def _samples(blocks: Floats) -> Floats:
    """Inverse DCT of blocks (rows, columns, 8, 8), as one plane; sums in a fixed order, unlike products of matrices."""
    half = np.einsum("rcuv,vx->rcux", blocks, _BASIS)
    samples = np.einsum("uy,rcux->rycx", _BASIS, half).astype(np.float32) + np.float32(128)
    plane: Floats = samples.reshape(8 * blocks.shape[0], 8 * blocks.shape[1])
    return plane


def _doubled(plane: Floats, axis: int) -> Floats:
    """Twice as many samples along an axis, with weights of 3/4 and 1/4; those at the ends are repeated (jdsample.c)."""
    lines = np.moveaxis(plane, axis, 0)
    before, behind = np.concatenate([lines[:1], lines[:-1]]), np.concatenate([lines[1:], lines[-1:]])
    pairs = np.stack([(3 * lines + before) / 4, (3 * lines + behind) / 4], 1)
    doubled: Floats = np.moveaxis(pairs.reshape(2 * len(lines), *lines.shape[1:]), 0, axis)
    return doubled
