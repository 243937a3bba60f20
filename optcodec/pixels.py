"""What people hand over as an image -> checked 8-bit samples, and what else the file carried.

Taken: grey and RGB with 8 bits a sample, as numpy array, Pillow image or path. Palette and black-and-white images are
expanded to RGB or grey, which loses nothing. Everything that would lose something (alpha, 16 bits, CMYK) is refused,
unless the caller says how: ``background`` for alpha. The orientation in Exif is kept as metadata, never applied.
"""

from __future__ import annotations

import io
import re
from dataclasses import dataclass, field
from os import PathLike
from typing import TYPE_CHECKING, Any, BinaryIO, TypeAlias

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import MAX_SIDE, Metadata
from optcodec.limits import MAX_PIXELS
from optcodec.openimage import first_line, opened_image
from optcodec.values import Value

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["Background", "ImageLike", "Picture", "decoded_pixels", "load_picture"]

ImageLike: TypeAlias = "npt.NDArray[np.uint8] | Image.Image | str | PathLike[str] | Picture"
Background: TypeAlias = str | tuple[int, int, int]

_EXPECTED = "expected uint8 samples of shape (height, width) or (height, width, 3)"
_MODES = {"L": "L", "RGB": "RGB", "1": "L", "P": "RGB", "LA": "LA", "RGBA": "RGBA", "PA": "RGBA"}
_NO_MODE = {
    "CMYK": "has CMYK colours; expected RGB or grey: convert it with its ICC profile first",
    "I;16": "has 16 bits a sample; expected 8",
    "I": "has 32 bits a sample; expected 8",
    "F": "has floating-point samples; expected 8-bit whole numbers",
}
_DEEP = re.compile(r"\b(RGB[AX]?|LA?|I|CMYK);16")  # Pillow's raw modes of 16 bits a sample; "BGR;16" is 5-6-5 bits


@dataclass(frozen=True, eq=False)
class Picture(Value):
    """An image that can be encoded.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width) or (height, width, 3)
        Grey or RGB samples; sides of 1..65535.
    metadata : Metadata
        ICC profile, Exif and density of the file.
    notices : tuple of str
        What was done to the image so that it could be encoded, one sentence each; most images have none.

    Raises
    ------
    InvalidInputError
        If dtype, shape or size are others.
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
    image: ImageLike | BinaryIO, *, background: Background | None = None, max_pixels: int | None = MAX_PIXELS
) -> Picture:
    """Check an image, or read it from a file.

    Parameters
    ----------
    image : ndarray, Pillow image, str, path, binary file or Picture
        Array: uint8 of shape (height, width), (height, width, 3) or, with ``background``, (height, width, 4).
        File: anything that Pillow opens. Of several frames the first is taken. A `Picture` is given back.
    background : str or tuple of int, optional
        Colour on which transparent pixels are composited: a name (``"white"``), ``"#rrggbb"`` or (R, G, B).
    max_pixels : int or None
        Files of larger images are refused before they are decoded; None allows every size. Without effect on arrays and
        images that are in memory.

    Returns
    -------
    Picture
        Samples, metadata, and notices of any conversion.

    Raises
    ------
    InvalidInputError
        If the file cannot be decoded, or the image is not of a kind that JPEG holds: the message says what was found
        and what is expected.

    Notes
    -----
    Compositing is ``(alpha * sample + (255 - alpha) * background) / 255``, rounded, on the gamma-coded samples, as
    browsers do.
    """
    colour = None if background is None else _colour(background)
    if isinstance(image, Picture):
        return image
    if isinstance(image, np.ndarray):
        return _from_array(image, colour)
    from PIL import Image

    if isinstance(image, Image.Image):
        return _from_pillow(image, colour)
    if isinstance(image, (str, PathLike)) or hasattr(image, "read"):
        with opened_image(image, max_pixels=max_pixels) as opened:
            return _from_pillow(opened, colour)
    raise InvalidInputError(
        f"an image is a numpy array, a Pillow image, a path or a binary file; got {type(image).__name__}"
    )


def decoded_pixels(data: bytes, mode: str = "RGB") -> npt.NDArray[np.uint8]:
    """Pixels of a JPEG file in memory, as Pillow (libjpeg-turbo) decodes it.

    Parameters
    ----------
    data : bytes
        A file that this package wrote: however large, it is decoded.
    mode : {"RGB", "L", "YCbCr"}
        Of Pillow. YCbCr is what the file holds, chrominance upsampled; the others are converted to.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3) or (height, width)
    """
    from PIL import Image, JpegImagePlugin

    with JpegImagePlugin.JpegImageFile(io.BytesIO(data)) as file:
        if mode == "YCbCr":
            file.draft(mode, file.size)
        return np.asarray(file if file.mode == mode else Image.Image.convert(file, mode))


def _check_dtype(array: npt.NDArray[Any]) -> None:
    if array.dtype == np.uint8:
        return
    found = f"has dtype {array.dtype}"
    if array.dtype.kind == "f" and not np.isfinite(array).all():
        found += " and holds NaN or infinity"
    raise InvalidInputError(f"the image {found}; {_EXPECTED}")


def _shape_hint(shape: tuple[int, ...]) -> str:
    if len(shape) == 3 and shape[2] == 4:
        return "; a fourth channel is taken as alpha if a background is given"
    if len(shape) == 3 and shape[0] in (1, 3):
        return " (channels come last)"
    return ""


def _from_array(array: npt.NDArray[Any], colour: npt.NDArray[np.uint8] | None) -> Picture:
    _check_dtype(array)
    if colour is not None and array.ndim == 3 and array.shape[2] == 4:
        array = _composite(array[..., :3], array[..., 3], colour)
    return Picture(np.ascontiguousarray(array))


def _from_pillow(image: Image.Image, colour: npt.NDArray[np.uint8] | None) -> Picture:
    if 0 in image.size:
        raise InvalidInputError(f"the image has {image.width}x{image.height} pixels; expected sides of 1..{MAX_SIDE}")
    mode = _working_mode(image)
    notices = []
    if getattr(image, "n_frames", 1) > 1:
        notices.append(f"took the first of {getattr(image, 'n_frames', 1)} frames")
    metadata = _metadata(image)
    try:
        converted = image if image.mode == mode else image.convert(mode)
        samples = np.array(converted)
    except MemoryError:
        raise
    except Exception as error:  # Pillow's decoders raise almost anything on a broken file
        raise InvalidInputError(f"cannot be decoded: {first_line(error)}") from error
    if mode != image.mode and image.mode in ("1", "P", "PA"):
        kind = "black and white" if image.mode == "1" else "palette"
        notices.append(f"expanded {kind} to {'grey' if mode == 'L' else 'RGB'}")
    if mode in ("LA", "RGBA"):
        samples, said = _without_alpha(samples, colour)
        notices.append(said)
    return Picture(np.ascontiguousarray(samples), metadata, tuple(notices))


def _working_mode(image: Image.Image) -> str:
    """Pillow mode in which the samples are taken; raises for images that would lose something by it."""
    if any(
        _DEEP.search(str(part)) for tile in getattr(image, "tile", ()) for part in tile
    ):  # Pillow opens 16-bit RGB under the mode "RGB" and keeps the upper bytes only
        raise InvalidInputError(f"the image {_NO_MODE['I;16']}")
    if image.mode not in _MODES:
        family = "I;16" if image.mode.startswith("I;16") else image.mode
        reason = _NO_MODE.get(family, f"has Pillow's mode {image.mode}; expected RGB or grey")
        raise InvalidInputError(f"the image {reason}")
    if "transparency" in image.info and image.mode in ("1", "L", "P", "RGB"):
        return "LA" if image.mode in ("1", "L") else "RGBA"
    return _MODES[image.mode]


def _without_alpha(
    samples: npt.NDArray[np.uint8], colour: npt.NDArray[np.uint8] | None
) -> tuple[npt.NDArray[np.uint8], str]:
    """Samples without their last channel, and what was done."""
    alpha = samples[..., -1]
    body = samples[..., 0] if samples.shape[2] == 2 else samples[..., :3]
    if (alpha == 255).all():
        return body, "dropped an alpha channel that is opaque everywhere"
    if colour is None:
        raise InvalidInputError(
            "the image has transparent pixels, which JPEG cannot hold; "
            "expected an opaque image or a background to composite it on (background='white', --background white)"
        )
    red, green, blue = (int(value) for value in colour)
    return _composite(body, alpha, colour), f"composited transparent pixels on #{red:02x}{green:02x}{blue:02x}"


def _composite(
    body: npt.NDArray[np.uint8], alpha: npt.NDArray[np.uint8], colour: npt.NDArray[np.uint8]
) -> npt.NDArray[np.uint8]:
    if body.ndim == 2:
        if (colour == colour[0]).all():
            weight = alpha.astype(np.uint32)
            return ((body * weight + int(colour[0]) * (255 - weight) + 127) // 255).astype(np.uint8)
        body = np.repeat(body[..., None], 3, axis=2)
    weight = alpha[..., None].astype(np.uint32)
    return ((body * weight + colour * (255 - weight) + 127) // 255).astype(np.uint8)


def _colour(background: Background) -> npt.NDArray[np.uint8]:
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


def _metadata(image: Image.Image) -> Metadata:
    """ICC profile, Exif and density; Pillow's Exif bytes may start with the header of the APP1 segment."""
    exif = image.info.get("exif")
    exif = exif.removeprefix(b"Exif\0\0") if isinstance(exif, bytes) else None
    density = (0, 1, 1)
    dpi = image.info.get("dpi")
    if dpi is not None and all(np.isfinite(value) and 0.5 <= value < 65535.5 for value in map(float, dpi)):
        density = (1, round(float(dpi[0])), round(float(dpi[1])))
    return Metadata(icc_profile=image.info.get("icc_profile") or None, exif=exif or None, density=density)
