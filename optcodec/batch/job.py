"""The job on one picture: from a file or its content to the bytes of a JPEG file, and what is to be said of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from optcodec.batch.opening import Content, Opened, Opening, mended, open_image
from optcodec.encoder import EncodedJpeg, encode
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.metrics import psnr_db
from optcodec.notices import ignore
from optcodec.pictures.opening import opened_image
from optcodec.pictures.orientation import orientation_of
from optcodec.pictures.pixels import Picture, load_picture
from optcodec.transcode import recoded

__all__ = ["Coded", "Job", "check_coded"]


@dataclass(frozen=True)
class Coded:
    """What became of one picture.

    Parameters
    ----------
    encoded : EncodedJpeg
        The file.
    source_nbytes : int
        Size of the file that was read.
    kept : str, optional
        Why a JPEG file was kept as it is.
    notices : tuple of str
        What the user should know.
    psnr_db : float, optional
        PSNR of RGB against the picture that was read, in decibels; infinite if the pixels are the same. None if it was
        not asked for.
    """

    encoded: EncodedJpeg
    source_nbytes: int
    kept: str | None
    notices: tuple[str, ...]
    psnr_db: float | None


@dataclass(frozen=True)
class Job:
    """What is done to each picture, a value that can be pickled; calling it does it to one of them.

    Parameters
    ----------
    opening : Opening
        How pictures are opened.
    settings : mapping
        Arguments of `optcodec.encode`.
    allow_larger : bool
        Transcode JPEG files even if that makes them larger.
    verify : bool
        Decode each coded file again, with our own reader and with Pillow.
    psnr : bool
        Measure the PSNR of each coded file.
    """

    opening: Opening
    settings: Mapping[str, Any]
    allow_larger: bool = False
    verify: bool = False
    psnr: bool = False

    def __call__(self, source: Content) -> Coded:
        """Code one picture.

        Raises
        ------
        OptcodecError
            If it cannot be read or coded, or does not decode afterwards.
        """
        opened = open_image(source, self.opening)
        image, kept = opened.image, None
        encoded: EncodedJpeg
        if isinstance(image, Picture):
            encoded = encode(image, **self.settings)
        elif self.settings.get("blocks") is not None:
            raise InvalidInputError("--blocks needs pixels, got the coefficients of a JPEG file; expected --pixels")
        else:
            # A damaged file must not be copied unchanged.
            larger = self.allow_larger or (self.opening.partial and bool(opened.notices))
            encoded = again = recoded(image, opened.data, allow_larger=larger, **self.settings)
            kept = again.kept
        if self.verify:
            check_coded(encoded)
        measured = _psnr_db(opened, encoded) if self.psnr else None
        notices = [*opened.notices]
        notices += [f"kept as it is, since {kept}; --allow-larger encodes it all the same"] if kept else []
        notices += _left_out(image, self.settings.get("metadata"))
        return Coded(encoded, opened.nbytes, kept, tuple(notices), measured)


def check_coded(encoded: EncodedJpeg) -> None:
    """Decode a coded file with our own reader and with Pillow.

    Raises
    ------
    InvalidInputError
        If one of them cannot decode it, or finds another size.
    """
    expected = (encoded.width, encoded.height)
    try:
        image = read_jpeg(encoded.data, max_pixels=None, notify=ignore)
        sizes = {"our own reader": (image.width, image.height)}
        with opened_image(io.BytesIO(encoded.data), max_pixels=None) as opened:
            opened.load()
            sizes["Pillow"] = opened.size
    except OptcodecError as error:
        raise InvalidInputError(f"the coded file is not written, since it does not decode: {error}") from None
    for reader, size in sizes.items():
        if size != expected:
            found = f"{reader} finds {size[0]}x{size[1]} pixels in it, expected {expected[0]}x{expected[1]}"
            raise InvalidInputError(f"the coded file is not written, since {found}")


def _psnr_db(opened: Opened, encoded: EncodedJpeg) -> float:
    """PSNR of the coded file against what was read; of JPEG files that are transcoded, against their decoded pixels.

    Of damaged ones, those of the coefficients that were read: Pillow may refuse to decode the file.
    """
    if isinstance(opened.image, Picture):
        before = opened.image.pixels
    else:
        data = mended(opened.image) if opened.notices else opened.data
        before = load_picture(data, max_pixels=None, to_rgb=True).pixels
    return psnr_db(before, load_picture(encoded.data, max_pixels=None, to_rgb=True).pixels)


def _left_out(image: CoefficientImage | Picture, metadata: bool | None) -> list[str]:
    """A notice that names the metadata of the image that the file does not have."""
    names, orientation = image.metadata.contents, orientation_of(image.metadata.exif)
    if not names or metadata or (metadata is None and not isinstance(image, Picture)):
        return []
    remark = ", which --metadata keeps" if metadata is None else ""
    remark += f"; the orientation ({orientation}) stays" if orientation != 1 else ""
    return [f"left out {', '.join(names)}{remark}"]
