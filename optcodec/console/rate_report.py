"""Run an experiment of rates for a command: its result file, its tables, and the list of what failed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.progress import progress_bar
from optcodec.console.show import columns, count, print_json

if TYPE_CHECKING:
    from optcodec.rates.experiment import Experiment, Original, Part
    from optcodec.rates.rows import Failed

__all__ = ["check_output", "failure_lines", "measured", "report", "tables"]


def check_output(output: Path) -> None:
    """Refuse an output that is no .json file or cannot be written."""
    from optcodec.files import check_writable

    if output.suffix.lower() != ".json":
        raise click.BadParameter(f"{output} should end in .json", param_hint="-o/--output")
    check_writable(output)


def measured(
    experiment: Experiment, originals: Sequence[Original], options: Mapping[str, Any], about: Mapping[str, Any]
) -> Part:
    """Measure all pictures, with a progress bar; a run that was interrupted continues.

    Parameters
    ----------
    experiment : Experiment
        What is measured.
    originals : sequence of Original
        The pictures.
    options : mapping
        Those of `optcodec.console.rate_options`.
    about : mapping
        All that the rows depend on besides, as JSON values.
    """
    from optcodec.rates.run import measure_rates

    partial = partial_of(options["output"])
    with progress_bar(len(originals), "rates") as progress:
        return measure_rates(
            experiment, originals, partial=partial, about=about, workers=options["workers"], progress=progress
        )


def partial_of(output: Path) -> Path:
    """Folder for the finished pictures of a run."""
    return output.with_name(f"{output.name}.partial")


def report(document: dict[str, Any], output: Path, *, as_json: bool) -> None:
    """Write the result, print it, list what failed, and end with exit status 1 if anything did.

    Raises
    ------
    click.ClickException
        If nothing could be measured; then no file is written.
    """
    from optcodec.experiments.partial import remove_partial
    from optcodec.files import write_whole
    from optcodec.rates.rows import Failed

    lines = failure_lines([Failed(**record) for record in document["failures"]])
    if document["rows"]:
        write_whole(output, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    remove_partial(partial_of(output))
    if not document["rows"]:
        raise click.ClickException("\n  ".join(["nothing could be measured:", *lines]))
    if as_json:
        print_json({"output": str(output)} | document)
    else:
        click.echo(f"{output}: {tables(document)}")
    if lines:
        click.echo("\n  ".join(["Error: not everything could be measured:", *lines]), err=True)
        click.get_current_context().exit(1)


def failure_lines(failures: Sequence[Failed]) -> list[str]:
    """One line for all failures of a kind: of the same sender, receiver and rate, by the same reason but for numbers."""
    kinds: dict[tuple[str | None, str], list[Failed]] = {}
    for failed in failures:
        kinds.setdefault((failed.subject, re.sub(r"[\d.]+", "0", failed.reason)), []).append(failed)
    lines = []
    for (subject, _), members in kinds.items():
        first = members[0]
        parts = [f"{first.set}/{first.image}" if first.image else first.set, subject, first.reason]
        others = f" ({count(len(members) - 1, 'other image')} likewise)" if len(members) > 1 else ""
        lines.append(": ".join(part for part in parts if part) + others)
    return lines


def tables(document: Mapping[str, Any]) -> str:
    """The means, and the Bjøntegaard rates, as tables of text."""
    images = len({(row["set"], row["image"]) for row in document["rows"]})
    title = f"{count(images, 'image')}; means, 95 % intervals in brackets"
    compared = f"bytes at equal quality, in % of those of {document['anchor']} (BD-rate), 95 % intervals in brackets"
    parts = [f"{title}\n\n{_points(document)}"]
    if document["bd_rates"]:
        parts.append(f"{compared}\n\n{_bd_rates(document)}")
    return "\n\n".join(parts)


def _curve_columns(document: Mapping[str, Any]) -> list[str]:
    """Fields that tell curves apart; those that are equal everywhere are left out."""
    fields = ("set", "sender", "receiver", "sigma")
    return [
        field for field in fields if field == "sender" or len({str(record[field]) for record in document["points"]}) > 1
    ]


def _points(document: Mapping[str, Any]) -> str:
    from optcodec.rates.rates import Rate

    fields, measures = _curve_columns(document), document["measures"]
    lines = []
    for point in document["points"]:
        cells = [str(Rate(**point["rate"])), str(point["images"]), f"{point['bpp']['value']:.3f}"]
        values = [_figure(point["measures"][name], f".{kind['digits']}f") for name, kind in measures.items()]
        lines.append([*_cells(point, fields), *cells, *values])
    header = [*fields, "rate", "images", "bpp", *(kind["title"] for kind in measures.values())]
    return columns(header, lines, text=len(fields) + 1)


def _bd_rates(document: Mapping[str, Any]) -> str:
    fields, measures = _curve_columns(document), document["measures"]
    groups: dict[tuple[str, ...], dict[str, str]] = {}
    for record in document["bd_rates"]:
        against = record["against"]
        key = (*_cells(record, fields), f"{against['sender']} -> {against['receiver']}")
        groups.setdefault(key, {})[record["measure"]] = _figure(record, "+.1f")
    header = [*fields, "against", *(kind["title"] for kind in measures.values())]
    return columns(
        header, [[*key, *(figures[name] for name in measures)] for key, figures in groups.items()], text=len(fields) + 1
    )


def _cells(record: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    return [f"{record[field]:g}" if field == "sigma" else record[field] for field in fields]


def _figure(figure: Mapping[str, Any], form: str) -> str:
    if figure["value"] is None:
        return "-"
    value, *ends = (("" if figure[key] is None else format(figure[key], form)) for key in ("value", "low", "high"))
    return f"{value} [{', '.join(ends)}]"
