"""The form of a file that is to be written, whatever tables and indices are chosen for it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Literal

from optcodec.errors import InvalidInputError
from optcodec.jpeg.bitstream import Huffman
from optcodec.jpeg.image import MAX_LIBJPEG_SIDE, CoefficientImage, Metadata
from optcodec.jpeg.layout import thread_count
from optcodec.jpeg.sources import CoefficientSource, Dct, PixelSource
from optcodec.jpeg.writer import Progressive, check_huffman, check_progressive
from optcodec.notices import warn_user
from optcodec.pictures.orientation import Orient, check_orient, minimal_exif, orientation_of
from optcodec.pictures.pixels import Picture

__all__ = ["Form", "Scans", "UnreadableSizeWarning", "check_transcoding", "kept_metadata"]

Scans = Literal["together", "apart"]


class UnreadableSizeWarning(UserWarning):
    """A file is written that has more rows or columns than libjpeg, and whatever uses it, opens."""


@dataclass(frozen=True)
class Form:
    """How a file is written; see `optcodec.encode` for each option.

    Raises
    ------
    InvalidInputError
        If an option is wrong in itself.
    """

    subsampling: str
    dct: Dct
    progressive: Progressive | None
    scans: Scans
    restart_interval: int | None
    metadata: bool | None
    threads: int | None
    huffman: Huffman = "optimal"
    overshoot: bool = True

    def __post_init__(self) -> None:
        if self.dct not in ("float", "exact"):
            raise InvalidInputError(f'dct is "float" or "exact"; got {self.dct!r}')
        if self.progressive is not None:
            check_progressive(self.progressive)
        if self.scans not in ("together", "apart"):
            raise InvalidInputError(f'scans is "together" or "apart"; got {self.scans!r}')
        check_huffman(self.huffman, self.progressive or False)
        thread_count(self.threads)

    def of_coefficients(self, image: CoefficientImage) -> CoefficientSource:
        """The source of a file from coefficients, which keeps what the form leaves open; warns of its size."""
        _warn_of_size(image)
        interval = image.restart_interval if self.restart_interval is None else self.restart_interval
        kept = replace(image, metadata=kept_metadata(image.metadata, self.metadata), restart_interval=interval)
        progressive = image.progressive if self.progressive is None else self.progressive
        check_huffman(self.huffman, progressive)
        return CoefficientSource(kept, progressive, self.threads, self.scans == "apart", self.huffman)

    def of_pixels(self, picture: Picture) -> PixelSource:
        """The source of a file from pixels, baseline and without metadata where the form leaves that open."""
        return PixelSource(
            picture.pixels,
            self.subsampling,
            self.dct,
            self.progressive or False,
            picture.metadata if self.metadata else Metadata(exif=_orientation_only(picture.metadata)),
            0 if self.restart_interval is None else self.restart_interval,
            self.threads,
            self.scans == "apart",
            self.huffman,
            self.overshoot and self.huffman == "optimal",  # files of hardware encoders have none
        )


def kept_metadata(metadata: Metadata, wanted: bool | None) -> Metadata:
    """What is kept of a JPEG file's metadata: all, or with False only what the colours are, and the orientation."""
    if wanted is not False:
        return metadata
    has_jfif = metadata.segments is None or any(
        segment.marker == 0xE0 and not segment.content for segment in metadata.segments
    )
    segments = None if has_jfif else ()  # a file without a JFIF segment gets none, which would make it larger
    return Metadata(exif=_orientation_only(metadata), adobe_transform=metadata.adobe_transform, segments=segments)


def _orientation_only(metadata: Metadata) -> bytes | None:
    """Exif with the orientation, where it is not upright, and nothing else."""
    return None if metadata.exif is None else minimal_exif(orientation_of(metadata.exif))


def check_transcoding(image: CoefficientImage, orient: Orient, to_rgb: bool) -> None:
    """Refuse what can be done to pixels only."""
    got = "got the coefficients of a JPEG file; expected its pixels (a path, or --pixels)"
    check_orient(orient)
    if orient == "apply":
        raise InvalidInputError(f"pixels are turned upright, {got}")
    if to_rgb and len(image.components) == 4:
        raise InvalidInputError(f"pixels are converted to RGB, {got}")


def _warn_of_size(image: CoefficientImage) -> None:
    """Warn of a file that others cannot read."""
    if max(image.width, image.height) > MAX_LIBJPEG_SIDE:
        message = f"the image has {image.width}x{image.height} pixels; no libjpeg opens sides above {MAX_LIBJPEG_SIDE}"
        warn_user(message, UnreadableSizeWarning)
