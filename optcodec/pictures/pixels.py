"""Load an input image as checked 8-bit samples and metadata.

Grey and RGB images with 8 bits a sample are accepted as numpy array, Pillow image, path, open file, or file in memory.
Palette and black-and-white images are expanded to RGB or grey without loss. An image that would lose information
(alpha, 16 bits, CMYK) is refused, unless the caller says how to convert it: ``background`` for alpha, ``to_rgb`` for
CMYK. The orientation stays in the metadata, or is applied to the pixels, as the caller chooses.
"""

from __future__ import annotations

import io
from dataclasses import dataclass, field, replace
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.extras import is_tensor
from optcodec.jpeg.image import MAX_SIDE, Metadata
from optcodec.limits import MAX_PIXELS
from optcodec.pictures.alpha import Background, colour_of, composited, without_alpha
from optcodec.pictures.cmyk import to_rgb as cmyk_to_rgb
from optcodec.pictures.metadata import metadata_of, orientation_of_tiff
from optcodec.pictures.opening import first_line, has_deep_samples, opened_image
from optcodec.pictures.orientation import Orient, check_orient, orientation_of, turned_density, upright
from optcodec.values import Value

if TYPE_CHECKING:
    import torch
    from PIL import Image

__all__ = ["ImageLike", "Picture", "decoded_pixels", "load_picture", "samples_of"]

ImageLike: TypeAlias = (
    "npt.NDArray[np.uint8] | Image.Image | str | PathLike[str] | bytes | bytearray | memoryview | BinaryIO | Picture |"
    " torch.Tensor"
)

_EXPECTED = "expected uint8 samples of shape (height, width) or (height, width, 3)"
_MODES = {"L": "L", "RGB": "RGB", "1": "L", "P": "RGB", "LA": "LA", "RGBA": "RGBA", "PA": "RGBA"}
_NO_MODE = {
    "CMYK": "has CMYK colours; expected RGB or grey, as optcodec encode --to-rgb or to_rgb=True of load_picture gives",
    "I;16": "has 16 bits a sample; expected 8",
    "I": "has 32 bits a sample; expected 8",
    "F": "has floating-point samples; expected 8-bit whole numbers",
}
_PIXELS_AT_ONCE = 1 << 18  # that Pillow is asked for: its copies of them are small beside a picture that is larger


@dataclass(frozen=True, eq=False)
class Picture(Value):
    """An image that can be encoded.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey or RGB samples; sides of 1..65535.
    metadata : Metadata
        Metadata of the file: ICC profile, Exif, density, and more.
    notices : tuple of str
        One sentence for each conversion that was necessary; most images need none.

    Raises
    ------
    InvalidInputError
        If `pixels` has another dtype, shape or size.
    """

    pixels: npt.NDArray[np.uint8]
    metadata: Metadata = field(default_factory=Metadata)
    notices: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        pixels = self.pixels
        _check_dtype(pixels)
        if not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
            raise InvalidInputError(f"the image has shape {pixels.shape}; {_EXPECTED}{_shape_hint(pixels.shape)}")
        height, width = pixels.shape[:2]
        if not (1 <= width <= MAX_SIDE and 1 <= height <= MAX_SIDE):
            raise InvalidInputError(f"the image has {width}x{height} pixels; expected sides of 1..{MAX_SIDE}")


def load_picture(
    image: ImageLike,
    *,
    background: Background | None = None,
    max_pixels: int | None = MAX_PIXELS,
    orient: Orient = "keep",
    to_rgb: bool = False,
) -> Picture:
    """Load and check an image.

    Parameters
    ----------
    image : ndarray, Tensor, Pillow image, str, path, bytes, bytearray, memoryview, binary file or Picture
        An array is uint8 of shape (height, width) or (height, width, 1) for grey, (height, width, 3) for RGB, or with
        ``background`` (height, width, 4) for RGBA. A tensor of torch has its channels first, as in torchvision:
        (3, height, width) or (1, height, width); other shapes are taken as those of arrays. A path, the bytes of a
        file, or an open file can have any format that Pillow reads; if it has several frames, the first one is used. A
        `Picture` is returned as it is, except that `orient` is applied.
    background : str or tuple of int, optional
        Colour on which transparent pixels are composited: a name (``"white"``), ``"#rrggbb"`` or (R, G, B).
    max_pixels : int or None
        Files of larger images are refused before they are decoded; None allows every size. Arrays and Pillow images are
        not affected.
    orient : {"keep", "apply"}
        "keep" leaves the pixels as the file stores them, and the orientation in the Exif of the metadata. "apply" turns
        the pixels upright and sets the orientation in Exif to 1. Pillow always turns TIFF files. Arrays have no
        orientation.
    to_rgb : bool
        Convert CMYK images to sRGB: with their ICC profile, relative colorimetric with black point compensation, or by
        Pillow's plain rule if they have none. The profile is then dropped. Other images are not affected.

    Returns
    -------
    Picture
        Samples, metadata, and a notice of each conversion.

    Raises
    ------
    InvalidInputError
        If the file cannot be decoded, or JPEG cannot hold the image; the message says what was found and what is
        expected.

    Notes
    -----
    Compositing is ``(alpha * sample + (255 - alpha) * background) / 255``, rounded, on the gamma-coded samples, as in
    browsers.
    """
    check_orient(orient)
    colour = None if background is None else colour_of(background)
    if isinstance(image, Picture):
        picture = image
    elif isinstance(image, np.ndarray):
        return _from_array(image, colour)
    elif is_tensor(image):
        return _from_array(_channels_last(image.detach().cpu().numpy()), colour)
    else:
        picture = _from_image(image, colour, max_pixels, to_rgb)
    return _upright(picture) if orient == "apply" else picture


def decoded_pixels(data: bytes, mode: str = "RGB") -> npt.NDArray[np.uint8]:
    """Decode a JPEG file in memory with Pillow (libjpeg-turbo).

    Parameters
    ----------
    data : bytes
        A file that this package wrote; it is decoded whatever its size.
    mode : {"RGB", "L", "YCbCr"}
        Pillow's mode of the result. YCbCr is stored in the file, and its chrominance is upsampled; the other modes are
        converted from it.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3) or (height, width)
        Read-only.
    """
    from PIL import Image, JpegImagePlugin

    with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as file:
        if mode == "YCbCr":
            file.draft(mode, file.size)
        samples = samples_of(file if file.mode == mode else Image.Image.convert(file, mode))
    samples.flags.writeable = False  # readers of the user's own may not change what others read after them
    return samples


def _check_dtype(array: npt.NDArray[Any]) -> None:
    if array.dtype == np.uint8:
        return
    description = f"has dtype {array.dtype}"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        description += " and holds NaN or infinity"
    raise InvalidInputError(f"the image {description}; {_EXPECTED}")


def _shape_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[2] == 4:
        return "; load_picture takes a fourth channel as alpha if a background is given"
    if len(shape) == 3 and shape[0] in (1, 3):
        return " (channels come last)"
    return ""


def _channels_last(array: npt.NDArray[Any]) -> npt.NDArray[Any]:
    """The samples of a tensor in the order of an array."""
    if array.ndim != 3 or array.shape[0] not in (1, 3):
        return array
    moved = array.transpose(1, 2, 0)
    if moved.flags.c_contiguous:  # as torchvision makes tensors of Pillow images
        return moved
    samples = np.empty((*array.shape[1:], len(array)), array.dtype)
    for channel, plane in enumerate(array):  # a quarter of the time of a transposed copy
        samples[..., channel] = plane
    return samples


def _from_array(array: npt.NDArray[Any], colour: npt.NDArray[np.uint8] | None) -> Picture:
    _check_dtype(array)
    if colour is not None and array.ndim == 3 and array.shape[2] == 4:
        array = composited(array[..., :3], array[..., 3], colour)
    elif array.ndim == 3 and array.shape[2] == 1:
        array = array[..., 0]
    return Picture(np.ascontiguousarray(array))


def _from_image(image: Any, colour: npt.NDArray[np.uint8] | None, max_pixels: int | None, to_rgb: bool) -> Picture:
    """Load a picture from a Pillow image or a file."""
    from PIL import Image

    if isinstance(image, Image.Image):
        return _from_pillow(image, colour, to_rgb)
    if isinstance(image, (bytes, bytearray, memoryview)):
        image = io.BytesIO(bytes(image))
    if isinstance(image, (str, PathLike)) or hasattr(image, "read"):
        with opened_image(image, max_pixels=max_pixels) as opened:
            return _from_pillow(opened, colour, to_rgb)
    raise InvalidInputError(
        "an image is a numpy array of uint8, a Pillow image, a path, a binary file or its bytes; "
        f"got {type(image).__name__}"
    )


def _upright(picture: Picture) -> Picture:
    """Turn the pixels of a picture upright, by the orientation in its metadata."""
    orientation = orientation_of(picture.metadata.exif)
    if orientation == 1:
        return picture
    pixels, metadata = upright(picture.pixels, picture.metadata)
    notices = (*picture.notices, f"turned the pixels upright, from orientation {orientation}")
    return Picture(pixels, metadata, notices)


def _from_pillow(image: Image.Image, colour: npt.NDArray[np.uint8] | None, to_rgb: bool) -> Picture:
    if 0 in image.size:
        raise InvalidInputError(f"the image has {image.width}x{image.height} pixels; expected sides of 1..{MAX_SIDE}")
    is_cmyk = to_rgb and image.mode == "CMYK"
    mode = _working_mode(image, is_cmyk)
    notices = []
    if getattr(image, "n_frames", 1) > 1:
        notices.append(f"took the first of {getattr(image, 'n_frames', 1)} frames")
    orientation = orientation_of_tiff(image)
    try:
        if is_cmyk:
            converted, notice = cmyk_to_rgb(image)
            notices.append(notice)
        else:
            converted = image if image.mode == mode else image.convert(mode)
        samples = samples_of(converted)
    except (MemoryError, InvalidInputError):
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on a broken file
        raise InvalidInputError(f"cannot be decoded: {first_line(error)}") from error
    metadata = metadata_of(image)  # after decoding, since a file may have metadata behind its pixels
    if orientation != 1:
        metadata = replace(metadata, density=turned_density(metadata.density, orientation))
        notices.append(f"turned the pixels upright, from orientation {orientation}, as Pillow does with TIFF files")
    if mode != image.mode and image.mode in ("1", "P", "PA"):
        kind = "black and white" if image.mode == "1" else "palette"
        notices.append(f"expanded {kind} to {'grey' if mode == 'L' else 'RGB'}")
    if mode in ("LA", "RGBA"):
        samples, notice = without_alpha(samples, colour)
        notices.append(notice)
    if is_cmyk:
        metadata = replace(metadata, icc_profile=None)
    return Picture(np.ascontiguousarray(samples), metadata, tuple(notices))


def samples_of(image: Image.Image) -> npt.NDArray[np.uint8]:
    """The samples of a Pillow image, some rows at a time: Pillow makes two copies of what it is asked for."""
    width, height = image.size
    rows = max(1, _PIXELS_AT_ONCE // width)
    if rows >= height:
        return np.array(image)
    samples = np.empty((height, width, *np.asarray(image.crop((0, 0, 1, 1))).shape[2:]), np.uint8)
    for top in range(0, height, rows):
        samples[top : top + rows] = np.asarray(image.crop((0, top, width, min(top + rows, height))))
    return samples


def _working_mode(image: Image.Image, is_cmyk: bool) -> str:
    """Choose the Pillow mode to which an image is converted; refuse images that would lose information by that."""
    if has_deep_samples(image):
        raise InvalidInputError(f"the image {_NO_MODE['I;16']}")
    if is_cmyk:
        return "RGB"
    if image.mode not in _MODES:
        family = "I;16" if image.mode.startswith("I;16") else image.mode
        reason = _NO_MODE.get(family, f"has Pillow's mode {image.mode}; expected RGB or grey")
        raise InvalidInputError(f"the image {reason}")
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        return "LA" if image.mode in ("1", "L") else "RGBA"
    return _MODES[image.mode]
