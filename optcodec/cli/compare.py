"""``optcodec compare``: size and quality of coded files beside their reference."""

from __future__ import annotations

import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.cli.files import find_images, is_jpeg, read_bytes
from optcodec.cli.many import Done, available_cores, failure_records, for_each, report_failures
from optcodec.cli.show import columns, json_option, print_json
from optcodec.extras import require_packages

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from optcodec.vision.profile import SensitivityProfile

    Pixels = npt.NDArray[np.uint8]

__all__ = ["command"]

_LEAST_SIDE_FOR_SSIM = 11  # its window


@click.command()
@click.argument("reference", type=click.Path(path_type=Path))
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...", type=click.Path(path_type=Path))
@click.option("--profile", default="mobilenet_v2", show_default=True, help="Weights of the SWE: a name or a file.")
@click.option("--background", metavar="COLOUR", help="Composite transparent pixels on this colour.")
@json_option
def command(reference: Path, inputs: tuple[Path, ...], profile: str, background: str | None, as_json: bool) -> None:
    """Compare each FILE with the image REFERENCE: bytes, bits per pixel, PSNR, SSIM and SWE.

    The sensitivity weighted error (SWE) is on the normalized scale of the profile. That of a JPEG file is taken from
    its coefficients and those of the reference at the same chroma subsampling, that of other files at 4:4:4. Figures
    that do not exist are empty (null): the PSNR of equal pixels, the SSIM of images with fewer than 11 rows or columns.
    """
    from optcodec.pixels import load_picture
    from optcodec.vision.profile import load_profile

    require_packages("skimage.metrics")
    weights = load_profile(profile).normalized()
    original = load_picture(reference, background=background).pixels
    paths = [source.path for source in find_images(inputs)]

    def work(index: int) -> Done:
        picture = load_picture(paths[index], background=background)
        return Done(_record(paths[index], original, picture.pixels, weights), picture.notices)

    records, failures = for_each(paths, work, workers=available_cores(), label="compare")
    if as_json:
        about = {"reference": str(reference), "profile": weights.name}
        print_json(about | {"files": records, "failures": failure_records(failures)})
    else:
        click.echo(_text(records), nl=bool(records))
    report_failures(failures, len(paths))


def _record(path: Path, original: Pixels, pixels: Pixels, weights: SensitivityProfile) -> dict[str, Any]:
    from optcodec.metrics import bpp, psnr_db, ssim

    height, width = original.shape[:2]
    psnr = psnr_db(original, pixels)
    nbytes = path.stat().st_size
    return {
        "path": str(path),
        "nbytes": nbytes,
        "bpp": bpp(nbytes, width, height),
        "psnr_db": psnr if math.isfinite(psnr) else None,
        "ssim": ssim(original, pixels) if min(height, width) >= _LEAST_SIDE_FOR_SSIM else None,
        "swe": _swe(path, original, pixels, weights),
    }


def _swe(path: Path, original: Pixels, pixels: Pixels, weights: SensitivityProfile) -> float | None:
    """SWE of a file; None where its sampling has no name, so that the reference cannot be brought to it."""
    from optcodec.jpeg.dct import forward
    from optcodec.jpeg.image import SUBSAMPLINGS
    from optcodec.jpeg.reader import read_jpeg
    from optcodec.metrics import swe

    if not is_jpeg(path):
        return swe(forward(original), forward(pixels), weights)
    coded = read_jpeg(read_bytes(path))
    if coded.subsampling == "grey":
        return swe(forward(original), coded, weights)
    if coded.subsampling not in SUBSAMPLINGS:
        return None
    return swe(forward(original, coded.subsampling), coded, weights)


def _text(records: list[dict[str, Any]]) -> str:
    formats = {"nbytes": ",d", "bpp": ".3f", "psnr_db": ".2f", "ssim": ".4f", "swe": ".4g"}
    rows = [
        (
            record["path"],
            *("" if record[name] is None else format(record[name], form) for name, form in formats.items()),
        )
        for record in records
    ]
    return "" if not rows else columns(("file", "bytes", "bpp", "PSNR dB", "SSIM", "SWE"), rows)
