"""``optcodec plot``: draw the curves of result files, of a network's accuracy or of the quality of pictures."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.files import check_suffix
from optcodec.console.show import json_option, print_json
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.files import write_whole

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["command"]

_TAKEN = "expected results of optcodec accuracy, optcodec rates or restore pipeline"


@click.command(short_help="Draw curves from result files.")
@click.argument("results", nargs=-1, required=True, metavar="RESULT...", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path),
    help="Figure: .png, .svg or .pdf.  [default: a .png file beside the first result]",
)
@click.option("--setting", "settings", multiple=True, help="Of an accuracy, draw "
              "only this setting; may be repeated.  [default: all]")  # fmt: skip
@json_option
def command(results: tuple[Path, ...], output: Path | None, settings: tuple[str, ...], as_json: bool) -> None:
    """Draw curves against the rate, from result files of "optcodec accuracy", "optcodec rates" or "restore pipeline".

    Of an accuracy: accuracy and loss, one row for each result and setting. Of rates: a panel for each measure, one row
    for each result, set of pictures and noise. Bands and bars show 95 % intervals.
    """
    from optcodec.report.curves import FORMATS, draw_to

    output = results[0].with_suffix(".png") if output is None else output
    check_suffix(output, FORMATS)
    require_packages("matplotlib.figure")
    drawn = draw_to(_figure(results, settings), output.suffix.lower())
    write_whole(output, drawn)
    if as_json:
        print_json({"results": [str(path) for path in results], "output": str(output), "nbytes": len(drawn)})
    else:
        click.echo(f"{output}: {len(drawn):,} bytes")


def _figure(paths: tuple[Path, ...], settings: tuple[str, ...]) -> Figure:
    """The figure of results that are all of one kind."""
    from optcodec.report.curves import rate_accuracy_figure, result_in
    from optcodec.report.rate_curves import is_rates, rates_figure, rates_in

    documents = {path: _document(path) for path in paths}
    kinds = {path: is_rates(document) for path, document in documents.items()}
    if not any(kinds.values()):
        return rate_accuracy_figure([result_in(documents[path], path) for path in paths], settings=settings)
    if not all(kinds.values()):
        other = next(path for path, rates in kinds.items() if not rates)
        raise InvalidInputError(f"results of one figure are of one kind: {other} is not of rates, as others are")
    if settings:
        raise InvalidInputError("--setting is one of an accuracy; results of rates have none")
    return rates_figure([rates_in(documents[path], path) for path in paths])


def _document(path: Path) -> dict[str, Any]:
    """The JSON object of a result that curves can be drawn of."""
    from optcodec.report.documents import read_document
    from optcodec.report.rate_curves import is_rates

    try:
        document = read_document(path)
    except InvalidInputError as error:
        raise InvalidInputError(f"{error}; {_TAKEN}") from None
    if not (isinstance(document, dict) and (is_rates(document) or "uncompressed" in document)):
        raise InvalidInputError(f"{path} is no result that curves can be drawn of; {_TAKEN}")
    return document
