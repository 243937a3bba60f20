"""``optcodec compare``: size and quality of coded files, measured against a reference image."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.batch.opening import is_jpeg, needed_nbytes
from optcodec.console.about import about
from optcodec.console.files import InputPath, find_images
from optcodec.console.many import Done, failure_records, process_files, report_failures
from optcodec.console.options import max_pixels_option, to_rgb_option
from optcodec.console.show import columns, json_option, print_json
from optcodec.console.streams import STREAM, image_source, read_bytes
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.jsontext import finite
from optcodec.limits import processor_count

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from optcodec.notices import Notify
    from optcodec.pictures.pixels import Picture
    from optcodec.rates.measures import MeasureFunction
    from optcodec.vision.profile import SensitivityProfile

    Pixels = npt.NDArray[np.uint8]

__all__ = ["command"]

_LEAST_SIDE_FOR_SSIM = 11  # pixels: the side of the window of SSIM
_NBYTES_PER_PIXEL = 170  # of memory at the peak, while SSIM is computed


@click.command(short_help="Compare coded files with their original: PSNR, SSIM, SWE.")
@click.argument("reference", type=InputPath())
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...", type=InputPath())
@click.option(
    "--profile",
    default="mobilenet_v2",
    show_default=True,
    metavar="NAME|FILE",
    help="Sensitivity profile with the weights of the SWE.",
)
@click.option(
    "--measure",
    "measures",
    metavar="LIST",
    help="Further measures, separated by commas: psnr_y, psnr_b, ssim_y, ms_ssim, fsim, ssimulacra2, butteraugli, "
    "butteraugli_3.",
)
@click.option("--background", metavar="COLOUR", help="Composite transparent pixels on this colour, such as white.")
@to_rgb_option
@max_pixels_option
@json_option
def command(
    reference: Path, inputs: tuple[Path, ...], profile: str, measures: str | None, as_json: bool, **opening: Any
) -> None:
    """Compare each FILE with the image REFERENCE: bytes, bits per pixel, PSNR, SSIM and SWE. One may be - for stdin.

    The sensitivity weighted error (SWE) is on the normalized scale of the profile. For a JPEG file, its
    coefficients are compared with those of the reference at the same chroma subsampling; for other files, both are
    transformed at 4:4:4. Undefined values are empty (null in JSON): the PSNR of equal pixels, the SSIM of images
    with fewer than 11 rows or columns, and other measures of images that are too small for them. Pixels are
    compared as stored; the orientation in the Exif data is not applied.
    """
    from optcodec.pictures.pixels import load_picture
    from optcodec.rates.measures import load_measures
    from optcodec.vision.profile import load_profile

    require_packages("skimage.metrics")
    further = {} if measures is None else load_measures(measures.split(","))
    paths = [source.path for source in find_images(inputs)]
    if reference == STREAM and STREAM in paths:
        raise InvalidInputError("stdin holds one image; expected another REFERENCE or another FILE than -")
    weights = load_profile(profile).normalized()
    original = load_picture(image_source(reference), **opening)

    def work(index: int) -> Done:
        data = read_bytes(paths[index])
        picture = load_picture(io.BytesIO(data), **opening)
        notices = [*picture.notices, *_of_orientation(original, picture)]
        record = {"path": str(paths[index])} | _record(data, original.pixels, picture.pixels)
        record["swe"] = _swe(data, original.pixels, picture.pixels, weights, notices.append)
        record |= _further(further, original.pixels, picture.pixels, notices.append)
        return Done(record, tuple(notices))

    def nbytes(index: int) -> int:
        return needed_nbytes(paths[index], _NBYTES_PER_PIXEL)

    records, failures = process_files(paths, work, workers=processor_count(), label="compare", nbytes=nbytes)
    if as_json:
        record = about("numpy", "pillow") | {"reference": str(reference), "profile": weights.name}
        print_json(record | {"files": records, "failures": failure_records(failures)})
    else:
        click.echo(_text(records, further), nl=bool(records))
    report_failures(failures, len(paths))


def _of_orientation(original: Picture, picture: Picture) -> tuple[str, ...]:
    """A notice if the orientations differ; raises `InvalidInputError` if the stored shapes differ as well."""
    from optcodec.pictures.orientation import orientation_of

    reference, here = (orientation_of(image.metadata.exif) for image in (original, picture))
    if reference == here:
        return ()
    remark = f"is shown with orientation {here}, the reference with {reference}; pixels are compared as stored"
    shapes = [image.pixels.shape for image in (original, picture)]
    if shapes[0] != shapes[1]:
        raise InvalidInputError(f"images to compare have one shape, got {shapes[0]} and {shapes[1]}; this one {remark}")
    return (remark,)


def _record(data: bytes, original: Pixels, pixels: Pixels) -> dict[str, Any]:
    from optcodec.metrics import bpp, psnr_db, ssim

    height, width = original.shape[:2]
    return {
        "nbytes": len(data),
        "bpp": bpp(len(data), width, height),
        "psnr_db": finite(psnr_db(original, pixels)),
        "ssim": ssim(original, pixels) if min(height, width) >= _LEAST_SIDE_FOR_SSIM else None,
    }


def _further(
    measures: Mapping[str, MeasureFunction], original: Pixels, pixels: Pixels, notify: Notify
) -> dict[str, float | None]:
    """Further measures by name; None, with a notice, where a picture is too small for one."""
    from optcodec.metrics import TooSmallError

    figures: dict[str, float | None] = {}
    for name, measure in measures.items():
        try:
            figures[name] = finite(measure(original, pixels))
        except TooSmallError as error:
            figures[name] = None
            notify(f"{error}")
    return figures


def _swe(data: bytes, original: Pixels, pixels: Pixels, weights: SensitivityProfile, notify: Notify) -> float | None:
    """SWE of a file; None for unusual sampling factors, at which the reference cannot be transformed."""
    from optcodec.jpeg.dct import forward
    from optcodec.jpeg.image import SUBSAMPLINGS
    from optcodec.jpeg.reading.reader import read_jpeg
    from optcodec.metrics import swe

    if not is_jpeg(io.BytesIO(data)):
        return swe(forward(original), forward(pixels), weights)
    coded = read_jpeg(data, max_pixels=None, notify=notify)  # `load_picture` has checked the size
    if coded.subsampling == "grey":
        return swe(forward(original), coded, weights)
    if coded.subsampling not in SUBSAMPLINGS:
        return None
    return swe(forward(original, coded.subsampling), coded, weights)


def _text(records: list[dict[str, Any]], further: Iterable[str]) -> str:
    from optcodec.rates.measures import MEASURES

    formats = {"nbytes": ",d", "bpp": ".3f", "psnr_db": ".2f", "ssim": ".4f", "swe": ".4g"}
    formats |= {name: f".{MEASURES[name].digits}f" for name in further}
    titles = ["file", "bytes", "bpp", "PSNR dB", "SSIM", "SWE", *(MEASURES[name].title for name in further)]
    rows = [
        (
            record["path"],
            *("" if record[name] is None else format(record[name], form) for name, form in formats.items()),
        )
        for record in records
    ]
    return "" if not rows else columns(titles, rows)
