"""Code JPEG files anew: the result is never larger, and what need not change stays as it is."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optcodec.encoder import EncodedJpeg, encoding
from optcodec.encoding import Encoding
from optcodec.errors import TargetNotMetError
from optcodec.form import check_transcoding, kept_metadata
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.metadata.writer import with_metadata
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.segments import file_bytes
from optcodec.limits import MAX_PIXELS
from optcodec.matching import Target
from optcodec.notices import Notify, warn_of

__all__ = ["Transcoded", "recoded", "transcode"]

_MEETS = "it meets the target already"
_NOT_SMALLER = "the new file would not be smaller"


@dataclass(frozen=True)
class Transcoded(EncodedJpeg):
    """A JPEG file that was coded anew from another one.

    Parameters
    ----------
    data, width, height, loss, losses, subsampling
        As of `EncodedJpeg`.
    original_nbytes : int
        Size of the other file in bytes.
    kept : str, optional
        Why the scans of the other file were kept as they are; None if they were coded anew.
    """

    original_nbytes: int
    kept: str | None = None


def transcode(
    data: bytes | bytearray | memoryview,
    *,
    allow_larger: bool = False,
    max_pixels: int | None = MAX_PIXELS,
    strict: bool = False,
    partial: bool = False,
    notify: Notify | None = None,
    **options: Any,
) -> Transcoded:
    """Code a JPEG file anew from its coefficients, without decoding it to pixels; it never grows.

    The file itself is returned where the new file would not be smaller, or where the file is no larger than a target
    (`Bpp`, `MaxBytes`) allows. A file that does not meet a `MatchMeasure` is coded anew even if it grows. A progressive
    file stays progressive, and what it carries besides the image stays, unless the options say otherwise.

    Parameters
    ----------
    data : bytes, bytearray or memoryview
        The whole file.
    allow_larger : bool
        Code it anew in any case.
    max_pixels : int or None
        Larger images are refused; None allows every size.
    strict, partial, notify
        As of `read_jpeg`. What is left of a file that ends early is coded anew in any case.
    **options
        Those of `encode`. With ``progressive=False``, ``huffman="standard"`` or a ``restart_interval``, which are asked
        for for the sake of a decoder, files of another form are coded anew even where that is larger. With
        ``metadata=False`` what the file carries is left out in any case.

    Returns
    -------
    Transcoded

    Raises
    ------
    MalformedJpegError, UnsupportedJpegError
        As `read_jpeg`.
    InvalidInputError, TargetNotMetError
        As `encode`.
    """
    content, notices = file_bytes(data), list[str]()
    image = read_jpeg(content, max_pixels=max_pixels, strict=strict, partial=partial, notify=notices.append)
    if notify is None:
        warn_of(notices)
    else:
        for notice in notices:
            notify(notice)
    larger = allow_larger or bool(partial and notices)
    return recoded(image, content, encoding(**options), options, allow_larger=larger)


def recoded(
    image: CoefficientImage,
    original: bytes,
    how: Encoding,
    options: Mapping[str, Any],
    *,
    allow_larger: bool = False,
) -> Transcoded:
    """`transcode` of a file that is read already.

    Parameters
    ----------
    image : CoefficientImage
        What `read_jpeg` gave.
    original : bytes
        The file.
    how : Encoding
        What is done to it.
    options : mapping
        Those of `encode` that it was made of.
    allow_larger : bool
        As of `transcode`.
    """
    check_transcoding(image, options.get("orient", "keep"), options.get("to_rgb", False))
    target: Target | None = options.get("target")
    about, pixels = (image.width, image.height, len(original)), image.width * image.height
    may_keep = not allow_larger and _has_form(image, options)
    if may_keep:
        original = _with_wanted_metadata(image, original, options)
        if isinstance(target, Target):
            may_keep = target.allows(original, pixels)
            if may_keep and target.budget(pixels) is not None:
                return Transcoded(original, *about, _MEETS, subsampling=image.subsampling)
    try:
        encoded = how(image)
    except TargetNotMetError:
        if may_keep:
            return Transcoded(original, *about, _MEETS, subsampling=image.subsampling)
        raise
    if may_keep and encoded.nbytes >= len(original):
        return Transcoded(original, *about, _NOT_SMALLER, subsampling=image.subsampling)
    loss, losses, sampling = encoded.loss, encoded.losses, encoded.subsampling
    return Transcoded(encoded.data, *about, loss=loss, losses=losses, subsampling=sampling)


def _has_form(image: CoefficientImage, options: Mapping[str, Any]) -> bool:
    """Whether the file is in the form that is asked for for the sake of a decoder."""
    becomes_baseline = options.get("progressive") is False and image.progressive
    if becomes_baseline or options.get("huffman") == "standard":
        return False
    return options.get("restart_interval") in (None, image.restart_interval)


def _with_wanted_metadata(image: CoefficientImage, original: bytes, options: Mapping[str, Any]) -> bytes:
    """The file with what it is to carry."""
    wanted = kept_metadata(image.metadata, options.get("metadata"))
    if wanted == image.metadata:
        return original
    return with_metadata(original, wanted, [part.id for part in image.components])
