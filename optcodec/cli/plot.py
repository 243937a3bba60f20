"""``optcodec plot``: draw rate-accuracy curves from the result files of ``optcodec accuracy``."""

from __future__ import annotations

from pathlib import Path

import click

from optcodec.console.show import json_option, print_json
from optcodec.extras import require_packages
from optcodec.files import write_whole

__all__ = ["command"]


@click.command()
@click.argument("results", nargs=-1, required=True, metavar="RESULT...", type=click.Path(path_type=Path))
@click.option("-o", "--output", required=True, type=click.Path(path_type=Path), help="Figure: .png, .svg or .pdf.")
@click.option("--setting", "settings", multiple=True, help="Draw only this setting; may be repeated.  [default: all]")
@json_option
def command(results: tuple[Path, ...], output: Path, settings: tuple[str, ...], as_json: bool) -> None:
    """Draw accuracy and loss against the rate, from result files of "optcodec accuracy".

    The figure has one row for each result and setting. Bands show 95 % intervals.
    """
    from optcodec.report.curves import FORMATS, draw_to, rate_accuracy_figure, read_result

    if output.suffix.lower() not in FORMATS:
        raise click.BadParameter(f"{output} should end in one of {', '.join(FORMATS)}", param_hint="-o/--output")
    require_packages("matplotlib.figure")
    figure = rate_accuracy_figure([read_result(path) for path in results], settings=settings)
    drawn = draw_to(figure, output.suffix.lower())
    write_whole(output, drawn)
    if as_json:
        print_json({"results": [str(path) for path in results], "output": str(output), "nbytes": len(drawn)})
    else:
        click.echo(f"{output}: {len(drawn):,} bytes")
