"""The job on one picture: from a file or its content to the bytes of a JPEG file, and what is to be said of it."""

from __future__ import annotations

import io
from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.change import change_of
from optcodec.batch.opening import Content, Opened, Opening, mended, open_image
from optcodec.cached import cached_property
from optcodec.encoder import EncodedJpeg, encoding
from optcodec.encoding import Encoding
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.metrics import psnr_db
from optcodec.notices import ignore
from optcodec.pictures.opening import opened_image
from optcodec.pictures.orientation import orientation_of, upright
from optcodec.pictures.pixels import Picture, load_picture
from optcodec.transcoding import recoded

if TYPE_CHECKING:
    from optcodec.accuracy.classifier import Classifier

__all__ = ["Coded", "Job", "check_coded"]

Pixels = npt.NDArray[np.uint8]


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
    kl : float, optional
        Divergence of what a classifier gives for the file from what it gives for the picture that was read, in nats, as
        of `optcodec.accuracy.change.Change`. None if it was not asked for, or the classifier does not take the picture.
    """

    encoded: EncodedJpeg
    source_nbytes: int
    kept: str | None
    notices: tuple[str, ...]
    psnr_db: float | None
    kl: float | None


@dataclass(frozen=True)
class Job:
    """What is done to each picture, a value that can be pickled; calling it does it to one of them.

    Its settings are checked once, with the first picture, as by `optcodec.encode_many`; wrong ones are the failure of
    each picture.

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
    classifier : Classifier, optional
        Measure by how much its output on each coded file diverges from that on the picture. With one, a job cannot be
        pickled.
    """

    opening: Opening
    settings: Mapping[str, Any]
    allow_larger: bool = False
    verify: bool = False
    psnr: bool = False
    classifier: Classifier | None = None

    def __call__(self, source: Content) -> Coded:
        """Code one picture.

        Raises
        ------
        OptcodecError
            If it cannot be read or coded, or does not decode afterwards.
        """
        opened = open_image(source, self.opening)
        image, kept, blocks = opened.image, None, self.settings.get("blocks")
        encoded: EncodedJpeg
        if isinstance(image, Picture):
            encoded = self._encoding(image)
        elif blocks is not None and blocks.needs_pixels:
            raise InvalidInputError("--blocks needs pixels, got the coefficients of a JPEG file; expected --pixels")
        else:
            # A damaged file must not be copied unchanged.
            larger = self.allow_larger or (self.opening.partial and bool(opened.notices))
            encoded = again = recoded(image, opened.data, self._encoding, self.settings, allow_larger=larger)
            kept = again.kept
        if self.verify:
            check_coded(encoded)
        notices = [*opened.notices]
        notices += [f"kept as it is, since {kept}; --allow-larger encodes it all the same"] if kept else []
        notices += _same_sampling(image, self.settings.get("subsampling"))
        notices += _left_out(image, self.settings.get("metadata"))
        psnr, kl, unmeasured = self._measured(opened, encoded)
        return Coded(encoded, opened.nbytes, kept, (*notices, *unmeasured), psnr, kl)

    @cached_property
    def _encoding(self) -> Encoding:
        """What is done to the pixels or coefficients of each picture: checked once, also by threads that share it."""
        return encoding(**self.settings)

    def _measured(self, opened: Opened, encoded: EncodedJpeg) -> tuple[float | None, float | None, tuple[str, ...]]:
        """PSNR and divergence, if they are asked for, and why one could not be measured: the file is written then."""
        if not self.psnr and self.classifier is None:
            return None, None, ()
        before, after = _pixels(opened, encoded)
        psnr = psnr_db(before, after) if self.psnr else None
        if self.classifier is None:
            return psnr, None, ()
        shown = [upright(pixels, opened.image.metadata)[0] for pixels in (before, after)]  # the file keeps orientation
        try:
            change = change_of(self.classifier, "", (shown[0], shown[1]), (opened.nbytes, encoded.nbytes))
        except OptcodecError as error:
            return psnr, None, (f"the divergence was not measured: {error}",)
        return psnr, change.kl, ()


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


def _pixels(opened: Opened, encoded: EncodedJpeg) -> tuple[Pixels, Pixels]:
    """Pixels of what was read and of the coded file, as they are stored; of JPEG files that are transcoded, decoded.

    Of damaged ones, those of the coefficients that were read: Pillow may refuse to decode the file.
    """
    if isinstance(opened.image, Picture):
        before = opened.image.pixels
    else:
        data = mended(opened.image) if opened.notices else opened.data
        before = load_picture(data, max_pixels=None, to_rgb=True).pixels
    return before, load_picture(encoded.data, max_pixels=None, to_rgb=True).pixels


def _same_sampling(image: CoefficientImage | Picture, asked: str | None) -> list[str]:
    """A notice that coefficients are not coded at another chroma subsampling that is asked for."""
    if isinstance(image, Picture) or asked in (None, image.subsampling) or image.subsampling == "grey":
        return []
    return [f"the chroma subsampling stays {image.subsampling}; --pixels decodes the file, and codes it at {asked}"]


def _left_out(image: CoefficientImage | Picture, metadata: bool | None) -> list[str]:
    """A notice that names the metadata of the image that the file does not have."""
    names, orientation = image.metadata.contents, orientation_of(image.metadata.exif)
    if not names or metadata or (metadata is None and not isinstance(image, Picture)):
        return []
    remark = ", which --metadata keeps" if metadata is None else ""
    remark += f"; the orientation ({orientation}) stays" if orientation != 1 else ""
    return [f"left out {', '.join(names)}{remark}"]
