"""Encode images as JPEG: the whole pipeline."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from optcodec.effort import Request
from optcodec.encoding import DEFAULT_QUALITY, EncodedJpeg, Encoding
from optcodec.form import Form, Scans
from optcodec.jpeg.bitstream import Huffman
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.sources import Dct
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import Progressive
from optcodec.matching import Target
from optcodec.pictures.alpha import Background
from optcodec.pictures.orientation import Orient
from optcodec.pictures.pixels import ImageLike

if TYPE_CHECKING:
    from optcodec.blocks.choice import BlockChoice
    from optcodec.deprecated import Rdo
    from optcodec.effort import Tune
    from optcodec.loop.reader import Reader, Readers
    from optcodec.trellis.field import QualityField
    from optcodec.vision.profile import SensitivityProfile

__all__ = ["DEFAULT_QUALITY", "EncodedJpeg", "encode", "encoding"]


def encode(
    image: ImageLike | CoefficientImage,
    *,
    quality: int | None = None,
    tables: Sequence[QuantTable] | None = None,
    profile: SensitivityProfile | None = None,
    target: Target | None = None,
    method: str | None = None,
    effort: int | None = None,
    tune: Tune | None = None,
    field: QualityField | None = None,
    blocks: BlockChoice | None = None,
    reader: Reader | Readers | Sequence[Reader] | None = None,
    rounds: int | None = None,
    subsampling: str | None = None,
    dct: Dct = "float",
    progressive: Progressive | None = None,
    scans: Scans = "together",
    huffman: Huffman = "optimal",
    restart_interval: int | None = None,
    metadata: bool | None = None,
    background: Background | None = None,
    orient: Orient = "keep",
    to_rgb: bool = False,
    threads: int | None = None,
    overshoot: bool = True,
    rdo: bool | Rdo | None = None,
) -> EncodedJpeg:
    """Encode an image as a plain JPEG file, baseline or progressive.

    Defaults: JPEG quality 75; for a `CoefficientImage`, the tables of its file, which loses nothing.

    Parameters
    ----------
    image : ndarray, Tensor, Pillow image, path, bytes, binary file or CoefficientImage
        uint8 array of shape (height, width, 3), RGB, or (height, width), grey, or tensor of shape (3, height, width) or
        (1, height, width); an image file, by its name, its content or opened, and what `optcodec.load_picture` takes
        otherwise: all of these are coded from their pixels, with sides of at most 65500, as no libjpeg opens larger
        files. Or what `read_jpeg` gives, which is transcoded from
        its coefficients, without decoding pixels.
    quality : int, optional
        1..100: default JPEG (T.81, Annex K) at this quality factor. Excludes `tables` and `target`.
    tables : sequence of QuantTable, optional
        Luminance; luminance and chrominance; or one a component. Steps up to 255. Excludes `quality`. With a `target`,
        all steps are scaled by the same percentage until it is met, as in the rate control of a camera (effort 2).
    profile : SensitivityProfile, optional
        Weights of errors that the reader of the image minds; tables are designed for it. Needs a `target`, effort 3, or
        effort 2 with a `quality`.
    target : Target, optional
        What the file has to keep, such as ``MaxBytes(50_000)``; see `optcodec.targets`.
    method : str, optional
        How tables are designed for the target, see `optcodec.design.design_tables`; with effort 3, by default tables
        that fit the trellis.
    effort : {1, 2, 3, 4}, optional
        How much work goes into a small file. 1: fixed tables, default JPEG's or `tables`. 2: tables designed for the
        image and the target, or for no more error than default JPEG at `quality`. 3: tables designed to fit a trellis,
        which chooses indices: those with the least weighted error plus bits, instead of the nearest ones; the scans of
        progressive files by trial. With `tables` these stay; with `quality` or nothing, files have about the error of
        default JPEG at that quality; for a `CoefficientImage`, without any of these, the tables of its file stay.
        At equal PSNR of RGB, files of effort 3 are 31 % smaller than those of libjpeg-turbo with optimized Huffman
        tables (mean BD-rate of 31 photographs, baseline, 4:2:0; see docs/tuning.md). 4: as 3, but the gradient of a
        `reader`, or of what people see, at the decoded picture chooses the indices, in several rounds: of a size, or of
        as many bytes as a file of effort 3, the file that the reader minds least. By default 4 with `reader`, 3 with
        `tune`, `field` or `blocks`, or if `MaxBytes` is all that is asked for; 2 with another target, otherwise 1.
    tune : str, SensitivityProfile, UtilityProfile or Tuning, optional
        Whose errors efforts 3 and 4 weigh: ``"psnr"`` (of RGB), ``"ycbcr"`` (the same, but each component by itself,
        which is faster), ``"ssim"`` (of luminance), ``"people"`` (with effort 4 they are the
        reader), a network, by the profile that was measured on it, a receiver that restores, by its utility profile, or
        any weights. By default those of `profile`, then of the
        receiver that `blocks` is for, ``"people"`` if `MaxBytes` is all that is asked for, otherwise ``"psnr"``.
    field : QualityField, optional
        Where in the image errors count for more, with effort 3 or 4.
    blocks : BlockChoice, optional
        How 32x32 blocks are weighed besides, with effort 3 or 4; see `optcodec.blocks_by`.
    reader : Reader, sequence of Reader, or Readers, optional
        What reads the decoded picture, with effort 4: a network (`optcodec.NetworkReader`), or any function that says
        how bad decoded pixels are and what change of them would be better, see `optcodec.Reader`; the losses of several
        are added, by weights and with plain squared error beside them in `optcodec.Readers`. With it the target is a
        size, `MaxLoss`, `MaxLossIncrease` or `SameDecision`, which each reader keeps. By default a `PeopleReader` if
        ``tune="people"``.
    rounds : int, optional
        How many gradients of the reader choose indices, by default 16, for people 12; with 0, one gradient weighs the
        blocks, and the trellis chooses.
    subsampling : {"4:4:4", "4:2:2", "4:2:0", "4:4:0", "auto"}, optional
        4:2:0; with a profile, also one of `tune` or `blocks`, what it was estimated at. Grey images and coefficients
        keep what they have. With ``"auto"`` 4:2:0 or 4:4:4, whichever has less error at the size, or fewer bytes for
        the quality that is asked for: what the detail of chrominance is worth, and costs, is estimated from the
        picture. That is not for coefficients, nor for profiles; files for SSIM, which does not see chrominance, get
        4:2:0.
    dct : {"float", "exact"}
        Floating point; or coefficient for coefficient what libjpeg-turbo makes with its accurate integer DCT.
    progressive : {False, True, "smaller"}, optional
        Baseline, progressive, or the smaller of both. By default the smaller one if `MaxBytes` is all that is asked
        for, otherwise baseline, and for a `CoefficientImage` what its file
        was.
    scans : {"together", "apart"}
        Of baseline files: all components interleaved in one scan, which every decoder reads; or luminance in a scan of
        its own where it is finer than chrominance. That saves 1 to 2 %, but some decoders show another picture, or
        refuse it. Without effect on progressive files.
    huffman : {"optimal", "standard"}
        The Huffman tables that take the fewest bytes; or those of T.81, K.3, which hardware encoders have, to see what
        their files would be: baseline, effort 1 or 2, without overshoot.
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
    overshoot : bool
        Whether samples of white and black pixels may be coded as values beyond 255 and 0, where decoders clip them: so
        text on white rings less, and takes fewer bytes. False is there for measurements. Without effect with
        ``dct="exact"``; with `MatchSwe`, which counts errors of coefficients that nobody sees, too; on coefficients;
        and on pictures without white or black.
    rdo : bool or Rdo, optional
        Deprecated: write ``effort=3``, with `tune`, `field` and `blocks`.

    Returns
    -------
    EncodedJpeg

    Raises
    ------
    InvalidInputError
        If arguments are wrong or exclude one another, the image is of a kind that is not handled, a reader's answer is
        of the wrong kind or not finite, or `MatchSsim` is asked for and scikit-image is missing.
    TargetNotMetError
        If no table meets the target.

    Warns
    -----
    UnreadableSizeWarning
        If coefficients are transcoded whose image has a side above 65500.
    DeprecationWarning
        If `rdo` is set.
    """
    request = Request(quality, tables, target, profile, method, effort, tune, field, blocks, reader, rounds)
    form: dict[str, Any] = {"subsampling": subsampling, "dct": dct, "progressive": progressive, "scans": scans}
    form |= {"restart_interval": restart_interval, "metadata": metadata, "threads": threads}
    form |= {"huffman": huffman, "overshoot": overshoot}
    return Encoding.of(request, form, {"background": background, "orient": orient, "to_rgb": to_rgb}, rdo)(image)


def encoding(**options: Any) -> Encoding:
    """What `encode` does to an image with these options, which are checked once for many images."""
    values = {**(encode.__kwdefaults__ or {}), **options}
    request = Request(*(values.pop(name) for name in Request.__dataclass_fields__))
    form = {name: values.pop(name) for name in Form.__dataclass_fields__}
    opening, rdo = {name: values.pop(name) for name in ("background", "orient", "to_rgb")}, values.pop("rdo")
    if values:
        raise TypeError(f"encode() got an unexpected keyword argument {next(iter(values))!r}")
    return Encoding.of(request, form, opening, rdo)
