"""``optcodec demo``: compare files with default JPEG on photographs that come with scikit-image."""

from __future__ import annotations

import json
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.about import about
from optcodec.console.many import Done, process_files
from optcodec.console.models import one_thread_each, open_model
from optcodec.console.page import open_option, require_page_packages, write_page
from optcodec.console.show import columns, json_option, print_json
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.files import write_whole
from optcodec.limits import processor_count

if TYPE_CHECKING:
    import numpy as np
    import numpy.typing as npt

    from optcodec.cli.demo_ways import Comparison
    from optcodec.encoder import EncodedJpeg
    from optcodec.report.contact_sheet import Panel, SheetRow

__all__ = ["command"]

_QUALITY, _QUALITY_FOR_NETWORKS = 75, 20  # networks hardly mind the former, which is nothing to compare by


@click.command(short_help="Encode photographs by several methods, and show the results.")
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False), default="demo", metavar="[DIR]")
@click.option(
    "-q",
    "--quality",
    type=click.IntRange(1, 100),
    help=f"Quality of default JPEG.  [default: {_QUALITY}; with --network {_QUALITY_FOR_NETWORKS}]",
)
@click.option(
    "--network",
    metavar="MODEL",
    help="Compare files by what this network makes of them: a classifier of torchvision, or package.module:factory. It "
    "takes some minutes.",
)
@click.option(
    "--weights", metavar="FILE", help="Weights of the network (.safetensors, .pth), or 'default' to download them."
)
@open_option
@json_option
def command(folder: Path, quality: int, network: str | None, weights: str | None, show: bool, as_json: bool) -> None:
    """Encode photographs with several methods at an equal error, and write what they give to DIR: files, tables, a
    picture and a page for the browser.

    Default JPEG at the given quality sets the sensitivity weighted error (SWE) for MobileNetV2. Three methods then
    design tables for each photograph that reach the same SWE: OptD weights all errors equally, OptS weights them by
    the sensitivity of the network, and RD-OPT also minimizes the bits. All files are baseline JPEG with optimal
    Huffman tables, at the chroma subsampling of the profile. The page needs the extra "report".

    What counts in the end is what a network makes of the files. With --network, default JPEG sets the divergence of its
    output, and the network makes the smallest files with at most that divergence: it weighs the blocks, or its
    gradients choose the coefficients.
    """
    from optcodec.report.contact_sheet import contact_sheet, to_png

    require_packages("skimage", "matplotlib.figure", extra="demo")
    if show:
        require_page_packages()
    quality = quality or (_QUALITY if network is None else _QUALITY_FOR_NETWORKS)
    compared = _comparison(network, weights, quality)
    paths = _photographs()
    sheet: dict[str, SheetRow] = {}

    def work(index: int) -> Done:
        row, records = _coded(paths[index], compared, folder)
        sheet[row.name] = row
        return Done({"photograph": row.name, "methods": records})

    with one_thread_each([] if network is None else [network]):
        records, failures = process_files(paths, work, workers=processor_count(), label="demo")
    if failures:
        raise InvalidInputError(f"{failures[0].path}: {failures[0].message}")
    means = _mean_changes(records)
    title = f"{compared.headline} in {-means[compared.best]:.1f} % fewer bytes"
    picture = contact_sheet([sheet[path.stem] for path in paths], title=title, note=compared.note)
    write_whole(folder / "demo.png", to_png(picture))
    report = about("numpy", "pillow", "scikit-image") | compared.about
    report |= {"quality": quality, "subsampling": compared.subsampling, "photographs": records}
    report |= {"mean_change_percent": means}
    result = folder / "demo.json"
    write_whole(result, json.dumps(report, indent=2).encode() + b"\n")
    about_page = _page(result, show=show)
    if as_json:
        print_json(report)
    else:
        click.echo(_text(records, means, compared))
        click.echo(f"\nFiles, tables and the contact sheet demo.png are in {folder}")
        click.echo(about_page)


def _comparison(network: str | None, weights: str | None, quality: int) -> Comparison:
    """What is compared: by a network, if there is one."""
    from optcodec.cli.demo_ways import of_divergence, of_weighted_error

    if network is None:
        if weights is not None:
            raise InvalidInputError("--weights needs --network with a model")
        return of_weighted_error(quality)
    from optcodec.vision.reader import NetworkReader

    model = open_model(network, weights=weights, device="cpu")
    return of_divergence(model.name, lambda views: NetworkReader(model, views=views), quality)


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


def _coded(path: Path, compared: Comparison, folder: Path) -> tuple[SheetRow, list[dict[str, Any]]]:
    """Encode a photograph with each method, and write the files and the tables."""
    from optcodec.jpeg.table_files import save_tables
    from optcodec.pictures.pixels import load_picture
    from optcodec.report.contact_sheet import SheetRow

    pixels = load_picture(path).pixels
    coded = compared.code(pixels)
    panels = tuple(_panel(method, *file, pixels, compared) for method, file in coded.items())
    records = [
        {"method": method, "nbytes": panel.nbytes, "change_percent": 100 * (panel.nbytes / panels[0].nbytes - 1)}
        | {"bpp": panel.bpp, "psnr_db": panel.psnr_db, compared.error: panel.error}
        for method, panel in zip(coded, panels, strict=True)
    ]
    for method, (encoded, _) in coded.items():
        write_whole(folder / f"{path.stem}-{method}.jpg", encoded.data)
        save_tables(encoded.coefficients.tables, folder / f"{path.stem}-{method}.json")
    return SheetRow(path.stem, pixels, panels), records


def _panel(method: str, coded: EncodedJpeg, error: float, pixels: npt.NDArray[np.uint8], compared: Comparison) -> Panel:
    """Decode a file with Pillow, and measure it."""
    import io

    import numpy as np
    from PIL import Image

    from optcodec.metrics import psnr_db
    from optcodec.report.contact_sheet import Panel

    decoded = np.array(Image.open(io.BytesIO(coded.data)))
    return Panel(
        compared.names[method],
        decoded,
        coded.coefficients.tables,
        nbytes=coded.nbytes,
        bpp=coded.bpp,
        psnr_db=psnr_db(pixels, decoded),
        error=error,
        error_name=compared.short,
    )


def _mean_changes(records: Sequence[dict[str, Any]]) -> dict[str, float]:
    """Mean over the photographs of the change in bytes, in percent, by method."""
    changes: dict[str, float] = {}
    for record in records:
        for result in record["methods"]:
            method = result["method"]
            changes[method] = changes.get(method, 0.0) + result["change_percent"] / len(records)
    return changes


def _text(records: Sequence[dict[str, Any]], means: dict[str, float], compared: Comparison) -> str:
    rows = []
    for record in records:
        for result in record["methods"]:
            change = "" if result["method"] == "jpeg" else f"{result['change_percent']:+.1f} %"
            figures = (f"{result['bpp']:.3f}", f"{result['psnr_db']:.2f}", f"{result[compared.error]:.4g}")
            name = "JPEG" if result["method"] == "jpeg" else compared.names[result["method"]]
            rows.append((record["photograph"], name, f"{result['nbytes']:,}", change, *figures))
    others = [method for method in compared.names if method != "jpeg"]
    rows += [("mean", compared.names[method], "", f"{means[method]:+.1f} %", "", "", "") for method in others]
    return columns(("photograph", "method", "bytes", "change", "bpp", "PSNR dB", compared.short), rows, text=2)
