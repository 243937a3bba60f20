"""Encode images as JPEG: the whole pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Literal

from optcodec.cached import cached_property
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import MAX_LIBJPEG_SIDE, CoefficientImage, Metadata
from optcodec.jpeg.layout import thread_count
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.sources import CoefficientSource, Dct, PixelSource
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.jpeg.writer import Progressive, check_progressive
from optcodec.kernels import prepare
from optcodec.matching import Target, reference_pixels
from optcodec.notices import ignore, warn_user
from optcodec.pictures.alpha import Background
from optcodec.pictures.orientation import Orient, check_orient, minimal_exif, orientation_of
from optcodec.pictures.pixels import ImageLike, load_picture
from optcodec.values import Value

if TYPE_CHECKING:
    from optcodec.effort import Rdo
    from optcodec.vision.profile import SensitivityProfile

__all__ = ["EncodedJpeg", "UnreadableSizeWarning", "check_transcoding", "encode", "kept_metadata"]

DEFAULT_QUALITY = 75

Scans = Literal["together", "apart"]


class UnreadableSizeWarning(UserWarning):
    """A file is written that has more rows or columns than libjpeg, and whatever uses it, opens."""


@dataclass(frozen=True)
class EncodedJpeg(Value):
    """A JPEG file in memory.

    Parameters
    ----------
    data : bytes
        The file.
    width, height : int
        Its size in pixels.
    """

    data: bytes
    width: int
    height: int

    @property
    def nbytes(self) -> int:
        """Size of the file in bytes."""
        return len(self.data)

    @property
    def bpp(self) -> float:
        """Bits of the whole file, headers included, per pixel."""
        return 8 * self.nbytes / (self.width * self.height)

    @cached_property
    def coefficients(self) -> CoefficientImage:
        """The quantized coefficients, read back from the file when first asked for."""
        return read_jpeg(self.data, max_pixels=None, notify=ignore)


def encode(
    image: ImageLike | CoefficientImage,
    *,
    quality: int | None = None,
    tables: Sequence[QuantTable] | None = None,
    profile: SensitivityProfile | None = None,
    target: Target | None = None,
    method: str | None = None,
    rdo: bool | Rdo = False,
    subsampling: str | None = None,
    dct: Dct = "float",
    progressive: Progressive | None = None,
    scans: Scans = "together",
    restart_interval: int | None = None,
    metadata: bool | None = None,
    background: Background | None = None,
    orient: Orient = "keep",
    to_rgb: bool = False,
    threads: int | None = None,
) -> EncodedJpeg:
    """Encode an image as a plain JPEG file, baseline or progressive.

    Defaults: JPEG quality 75; for a `CoefficientImage`, the tables of its file, which loses nothing.

    Parameters
    ----------
    image : ndarray, Pillow image, path, bytes, binary file or CoefficientImage
        uint8 array of shape (height, width, 3), RGB, or (height, width), grey; an image file, by its name, its content
        or opened, and what `optcodec.load_picture` takes otherwise: all of these are coded from their pixels, with
        sides of at most 65500, as no libjpeg opens larger files. Or what `read_jpeg` gives, which is transcoded from
        its coefficients, without decoding pixels.
    quality : int, optional
        1..100: default JPEG (T.81, Annex K) at this quality factor. Excludes `tables` and `target`.
    tables : sequence of QuantTable, optional
        Luminance; luminance and chrominance; or one a component. Steps up to 255. Excludes `quality` and `target`.
    profile : SensitivityProfile, optional
        Weights of errors that the reader of the image minds; tables are designed for it. Needs a `target`.
    target : Target, optional
        What the file has to keep, such as ``MaxBytes(50_000)``; see `optcodec.targets`.
    method : str, optional
        How tables are designed for the target, see `optcodec.design.design_tables`; with `rdo`, by default tables
        that fit the trellis.
    rdo : bool or Rdo
        Choose indices by a trellis: those with the least weighted error plus bits, instead of the nearest ones. See
        `optcodec.Rdo` for what the error weighs. With `tables` these stay; with `quality` or nothing, tables and
        indices are made for about the error of default JPEG at that quality; for a `CoefficientImage`, without any of
        these, the tables of its file stay.
    subsampling : {"4:4:4", "4:2:2", "4:2:0", "4:4:0"}, optional
        4:2:0; with a profile, also one in `rdo`, what it was estimated at. Grey images and coefficients keep what they
        have.
    dct : {"float", "exact"}
        Floating point; or coefficient for coefficient what libjpeg-turbo makes with its accurate integer DCT.
    progressive : {False, True, "smaller"}, optional
        Baseline, progressive, or the smaller of both. By default baseline, and for a `CoefficientImage` what its file
        was.
    scans : {"together", "apart"}
        Of baseline files: all components interleaved in one scan, which every decoder reads; or luminance in a scan of
        its own where it is finer than chrominance. That saves 1 to 2 %, but some decoders show another picture, or
        refuse it. Without effect on progressive files.
    restart_interval : int, optional
        MCUs between restart markers, 0..65535; 0 for none. By default 0, and for a `CoefficientImage` what its file
        has.
    metadata : bool, optional
        Whether what the image carries is passed on: by default from a `CoefficientImage`, all of it, not from pixels,
        of which ICC profile and Exif can be. The orientation that Exif tells is never left out:
        without the rest of Exif, it gets a segment of its own.
    background : str or (int, int, int), optional
        Colour to lay under an image with alpha; without it such an image is refused.
    orient : {"keep", "apply"}
        Code pixels as their file stores them, so that the new file has the same orientation; or turn them upright
        first. Coefficients are not turned. See `optcodec.load_picture`.
    to_rgb : bool
        Convert CMYK pixels to sRGB, see `optcodec.load_picture`; without it they are refused. Coefficients are not
        converted: those of four components are refused with it.
    threads : int, optional
        At most so many; all processors by default. The bytes are the same.

    Returns
    -------
    EncodedJpeg

    Raises
    ------
    InvalidInputError
        If arguments are wrong or exclude one another, the image is of a kind that is not handled, or `MatchSsim` is
        asked for and scikit-image is missing.
    TargetNotMetError
        If no table meets the target.

    Warns
    -----
    UnreadableSizeWarning
        If coefficients are transcoded whose image has a side above 65500.
    """
    _check_choices(quality, tables, profile, target, method)
    _check_options(tables, dct, progressive, scans, threads, rdo)
    apart = scans == "apart"
    subsampling = subsampling or _sampling_of(profile, rdo)
    source: PixelSource | CoefficientSource
    if isinstance(image, CoefficientImage):
        check_transcoding(image, orient, to_rgb)
        _warn_of_size(image)
        kept = kept_metadata(image.metadata, metadata)
        interval = image.restart_interval if restart_interval is None else restart_interval
        kept_image = replace(image, metadata=kept, restart_interval=interval)
        kind = image.progressive if progressive is None else progressive
        source = CoefficientSource(kept_image, kind, threads, apart)
    else:
        picture = load_picture(image, background=background, orient=orient, to_rgb=to_rgb)
        kept = picture.metadata if metadata else Metadata(exif=_orientation_only(picture.metadata))
        interval = 0 if restart_interval is None else restart_interval
        source = PixelSource(picture.pixels, subsampling, dct, progressive or False, kept, interval, threads, apart)
    if tables is None and target is None and quality is None:
        quality, tables = (None, image.tables) if isinstance(image, CoefficientImage) else (DEFAULT_QUALITY, None)
    if rdo:
        from optcodec.effort import Wanted, rdo_encoded

        data = rdo_encoded(source, rdo, Wanted(quality, tables, target, profile, method))
    elif target is not None:
        data = _designed(source, target, profile, method)
    else:
        plain = annex_k_tables(DEFAULT_QUALITY if quality is None else quality)
        data = source.encoded(plain if tables is None else tables)
    return EncodedJpeg(data, *source.size)


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
    return minimal_exif(orientation_of(metadata.exif))


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


def _sampling_of(profile: SensitivityProfile | None, rdo: bool | Rdo) -> str:
    """What the profile was estimated at that tables or indices are chosen for; 4:2:0 without one."""
    measured = getattr(rdo, "subsampling", None) if profile is None else profile.provenance.subsampling
    return measured or "4:2:0"


def _check_choices(
    quality: int | None,
    tables: Sequence[QuantTable] | None,
    profile: SensitivityProfile | None,
    target: Target | None,
    method: str | None,
) -> None:
    """Refuse arguments that exclude one another, or lack their other half."""
    chosen = {"quality": quality, "tables": tables, "target": target}
    names = [name for name, value in chosen.items() if value is not None]
    if len(names) > 1:
        raise InvalidInputError(f"{' and '.join(names)} exclude one another; expected one of them")
    if target is None and (profile is not None or method is not None):
        wrong = "a profile" if profile is not None else "a method"
        raise InvalidInputError(f"{wrong} designs tables for a target, got none; expected one such as target=Bpp(1.0)")


def _check_options(
    tables: Sequence[QuantTable] | None,
    dct: str,
    progressive: Progressive | None,
    scans: str,
    threads: int | None,
    rdo: bool | Rdo,
) -> None:
    """Refuse arguments that are wrong in themselves."""
    if dct not in ("float", "exact"):
        raise InvalidInputError(f'dct is "float" or "exact"; got {dct!r}')
    if rdo and dct != "float":
        raise InvalidInputError(f'a trellis chooses from coefficients that are not rounded: dct="float", not {dct!r}')
    if progressive is not None:
        check_progressive(progressive)
    if scans not in ("together", "apart"):
        raise InvalidInputError(f'scans is "together" or "apart"; got {scans!r}')
    thread_count(threads)
    if tables is not None and not 1 <= len(tables) <= 4:
        raise InvalidInputError(f"one to four quantization tables are expected, got {len(tables)}")
    for table in tables or ():
        if not table.is_baseline:
            raise InvalidInputError(f"steps to encode with lie in 1..255, got {table.steps.max()}")


def _designed(
    source: PixelSource | CoefficientSource, target: Target, profile: SensitivityProfile | None, method: str | None
) -> bytes:
    """The file with tables that are designed for a target."""
    from optcodec.design import Files, check_sampling, gather, resolve

    prepare("histogram", *source.kernels)
    statistics = gather(source.coefficients(), threads=thread_count(source.threads))
    if profile is not None:
        check_sampling(profile, statistics.samplings)
    files = Files(lambda tables: len(source.encoded(tables)), source.encoded, lambda: reference_pixels(source))
    return resolve(target, statistics, profile, method=method, files=files).data
