"""``optcodec demo``: compare designed tables with default JPEG on photographs that come with scikit-image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.about import about
from optcodec.console.many import Done, process_files
from optcodec.console.page import open_option, require_page_packages, write_page
from optcodec.console.show import columns, json_option, print_json
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.files import write_whole
from optcodec.limits import processor_count

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from optcodec.encoder import EncodedJpeg
    from optcodec.jpeg.image import DctImage
    from optcodec.report.contact_sheet import Panel, SheetRow
    from optcodec.vision.profile import SensitivityProfile

__all__ = ["command"]

_METHODS = {"jpeg": "JPEG", "optd": "OptD", "opts": "OptS", "rdopt": "RD-OPT"}
_DESIGNED = tuple(_METHODS)[1:]
_PROFILE = "mobilenet_v2"


@dataclass(frozen=True)
class _Job:
    """Settings for all photographs; ``weights`` is the profile on its normalized scale."""

    folder: Path
    quality: int
    profile: SensitivityProfile
    weights: SensitivityProfile

    @property
    def subsampling(self) -> str:
        """Chroma subsampling for all methods: that of the profile."""
        return self.profile.provenance.subsampling


@click.command(short_help="Encode photographs by four methods, and show the results.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="demo", metavar="[DIR]")
@click.option(
    "-q", "--quality", type=click.IntRange(1, 100), default=75, show_default=True, help="Quality of default JPEG."
)
@open_option
@json_option
def command(folder: Path, quality: int, show: bool, as_json: bool) -> None:
    """Encode photographs with four methods at an equal weighted error, and write what they give to DIR: files, tables,
    a picture and a page for the browser.

    Default JPEG at the given quality sets the sensitivity weighted error (SWE) for MobileNetV2. Three methods then
    design tables for each photograph that reach the same SWE: OptD weights all errors equally, OptS weights them by
    the sensitivity of the network, and RD-OPT also minimizes the bits. All files are baseline JPEG with optimal
    Huffman tables, at the chroma subsampling of the profile. The page needs the extra "report".
    """
    from optcodec.report.contact_sheet import contact_sheet, to_png
    from optcodec.vision.profile import load_profile

    require_packages("skimage", "matplotlib.figure", extra="demo")
    if show:
        require_page_packages()
    profile = load_profile(_PROFILE)
    job = _Job(folder, quality, profile, profile.normalized())
    paths = _photographs()
    sheet: dict[str, SheetRow] = {}

    def work(index: int) -> Done:
        row, records = _four_ways(paths[index], job)
        sheet[row.name] = row
        return Done({"photograph": row.name, "methods": records})

    records, failures = process_files(paths, work, workers=processor_count(), label="demo")
    if failures:
        raise InvalidInputError(f"{failures[0].path}: {failures[0].message}")
    means = _mean_changes(records)
    title = f"The same weighted error for MobileNetV2 in {-means['rdopt']:.1f} % fewer bytes"
    picture = contact_sheet([sheet[path.stem] for path in paths], title=title, note=_note(job))
    write_whole(folder / "demo.png", to_png(picture))
    report = _report(job, records, means)
    result = folder / "demo.json"
    write_whole(result, json.dumps(report, indent=2).encode() + b"\n")
    about_page = _page(result, show=show)
    if as_json:
        print_json(report)
    else:
        click.echo(_text(records, means))
        click.echo(f"\nFiles, tables and the contact sheet demo.png are in {folder}")
        click.echo(about_page)


def _report(job: _Job, records: Sequence[dict[str, Any]], means: dict[str, float]) -> dict[str, Any]:
    """Content of demo.json."""
    return {
        **about("numpy", "pillow", "scikit-image"),
        "profile": job.profile.name,
        "quality": job.quality,
        "subsampling": job.subsampling,
        "photographs": records,
        "mean_change_percent": means,
    }


def _page(result: Path, *, show: bool) -> str:
    """Write the page about a result, and say where it is, or what is missing for it."""
    from optcodec.report.page.reading import page_of

    try:
        require_page_packages()
    except InvalidInputError as error:
        return f"There is no page for the browser: {error}"
    page = result.with_suffix(".html")
    write_page(page, lambda: page_of([result]), show=show)
    return f"Open this page in a browser: {page}"


def _photographs() -> list[Path]:
    """Photographs inside the installed scikit-image."""
    from optcodec.report.page.demo import PHOTOGRAPHS, photograph_paths

    paths = photograph_paths()
    if not paths:
        raise InvalidInputError(f"scikit-image has none of the photographs {', '.join(PHOTOGRAPHS)}")
    return paths


def _four_ways(path: Path, job: _Job) -> tuple[SheetRow, list[dict[str, Any]]]:
    """Encode a photograph with each method, and write the files and the tables."""
    from optcodec.design import design_tables
    from optcodec.encoder import encode
    from optcodec.jpeg.dct import forward
    from optcodec.jpeg.table_files import save_tables
    from optcodec.metrics import swe
    from optcodec.pictures.pixels import load_picture
    from optcodec.report.contact_sheet import SheetRow
    from optcodec.targets import MatchSwe

    pixels = load_picture(path).pixels
    reference = forward(pixels, job.subsampling, threads=1)
    # Errors of coefficients are compared, and those that overshoot differ on purpose.
    form: dict[str, Any] = {"subsampling": job.subsampling, "threads": 1, "overshoot": False}
    coded = {"jpeg": encode(pixels, quality=job.quality, **form)}
    target = MatchSwe(swe(reference, coded["jpeg"].coefficients, job.weights))
    for method in _DESIGNED:
        tables = design_tables(reference, target, profile=job.profile, method=method)
        coded[method] = encode(pixels, tables=tables, **form)
    panels = tuple(_panel(method, encoded, pixels, reference, job) for method, encoded in coded.items())
    records = [
        {"method": method, "nbytes": panel.nbytes, "change_percent": 100 * (panel.nbytes / panels[0].nbytes - 1)}
        | {"bpp": panel.bpp, "psnr_db": panel.psnr_db, "swe": panel.swe}
        for method, panel in zip(coded, panels, strict=True)
    ]
    for method, encoded in coded.items():
        write_whole(job.folder / f"{path.stem}-{method}.jpg", encoded.data)
        save_tables(encoded.coefficients.tables, job.folder / f"{path.stem}-{method}.json")
    return SheetRow(path.stem, pixels, panels), records


def _panel(method: str, coded: EncodedJpeg, pixels: npt.NDArray[np.uint8], reference: DctImage, job: _Job) -> Panel:
    """Decode a file with Pillow, and measure it."""
    import io

    import numpy as np
    from PIL import Image

    from optcodec.metrics import psnr_db, swe
    from optcodec.report.contact_sheet import Panel

    decoded = np.array(Image.open(io.BytesIO(coded.data)))
    error = swe(reference, coded.coefficients, job.weights)
    name = f"JPEG q{job.quality}" if method == "jpeg" else _METHODS[method]
    tables, psnr = coded.coefficients.tables, psnr_db(pixels, decoded)
    return Panel(name, decoded, tables, nbytes=coded.nbytes, bpp=coded.bpp, psnr_db=psnr, swe=error)


def _mean_changes(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Mean over the photographs of the change in bytes, in percent, by method."""
    changes = dict.fromkeys(_METHODS, 0.0)
    for record in records:
        for result in record["methods"]:
            changes[result["method"]] += result["change_percent"] / len(records)
    return changes


def _note(job: _Job) -> str:
    return (
        f"SWE: sensitivity weighted error for MobileNetV2, equal in each row. All files are {job.subsampling} baseline "
        "JPEG with optimal Huffman tables. Bytes against default JPEG; PSNR in dB over RGB."
    )


def _text(records: Sequence[dict[str, Any]], means: dict[str, float]) -> str:
    rows = []
    for record in records:
        for result in record["methods"]:
            change = "" if result["method"] == "jpeg" else f"{result['change_percent']:+.1f} %"
            figures = (f"{result['bpp']:.3f}", f"{result['psnr_db']:.2f}", f"{result['swe']:.4g}")
            rows.append((record["photograph"], _METHODS[result["method"]], f"{result['nbytes']:,}", change, *figures))
    rows += [("mean", _METHODS[method], "", f"{means[method]:+.1f} %", "", "", "") for method in _DESIGNED]
    return columns(("photograph", "method", "bytes", "change", "bpp", "PSNR dB", "SWE"), rows, text=2)
