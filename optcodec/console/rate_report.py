"""Run an experiment of rates for a command: its result file, its tables, and the list of what failed."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.files import check_suffix
from optcodec.console.progress import progress_bar
from optcodec.console.rates import anchor_of, state_of
from optcodec.console.senders import labelled
from optcodec.console.show import columns, count, print_json
from optcodec.experiments.partial import remove_partial
from optcodec.files import check_writable, write_whole

if TYPE_CHECKING:
    from optcodec.rates.experiment import Experiment, Original, Part
    from optcodec.rates.measures import Measure
    from optcodec.rates.rows import Failed

__all__ = ["check_output", "failure_lines", "measure_and_report", "partial_of", "tables"]

# Options on which no row depends; of the pictures, names and sizes are compared.
_ABOUT_THE_RUN = ("output", "as_json", "workers", "inputs", "sets", "data", "crops", "crop", "anchor")


def check_output(output: Path) -> None:
    """Refuse an output that is no .json file or cannot be written."""
    check_suffix(output, (".json",))
    check_writable(output)


def partial_of(output: Path) -> Path:
    """Folder beside a result file for what is finished of an interrupted run."""
    return output.with_name(f"{output.name}.partial")


def measure_and_report(
    experiment: Experiment,
    originals: Sequence[Original],
    measures: Mapping[str, Measure],
    options: Mapping[str, Any],
    *,
    about: Mapping[str, Any],
    plain: str = "jpeg",
    left_out: Sequence[Failed] = (),
) -> None:
    """Measure all pictures, write and print the result, and list what failed; a run that was interrupted continues.

    Parameters
    ----------
    experiment : Experiment
        What is measured.
    originals : sequence of Original
        The pictures.
    measures : mapping of str to Measure
        Descriptions of the measures of the experiment.
    options : mapping
        All options of the command, which are those of `optcodec.console.rate_options` and its own.
    about : mapping
        Head of the result.
    plain : str
        Name of the receiver that only decodes.
    left_out : sequence of Failed
        What could not even begin, to be listed with the rest.

    Raises
    ------
    click.ClickException
        If nothing could be measured; then no file is written.
    """
    from optcodec.rates.experiment import Part
    from optcodec.rates.result import result_of
    from optcodec.rates.run import measure_rates

    output: Path = options["output"]
    anchor = anchor_of(options, experiment.senders)
    partial = partial_of(output)
    state = state_of(options, _ABOUT_THE_RUN)
    with progress_bar(len(originals), "rates") as progress:
        part = measure_rates(
            experiment, originals, partial=partial, about=state, workers=options["workers"], progress=progress
        )
    part = Part(part.rows, (*left_out, *part.failures))
    result = result_of(experiment, part, measures, anchor=anchor, plain=plain, seed=options["seed"])
    document = {**about, "encoders": dict(map(labelled, options["senders"])), **result}
    if part.rows:
        write_whole(output, (json.dumps(document, indent=1, allow_nan=False) + "\n").encode())
    remove_partial(partial)
    _tell(document, part, output, as_json=options["as_json"])


def _tell(document: Mapping[str, Any], part: Part, output: Path, *, as_json: bool) -> None:
    """Print the result, and list what failed."""
    lines = failure_lines(part.failures)
    if not part.rows:
        raise click.ClickException("\n  ".join(["nothing could be measured:", *lines]))
    if as_json:
        print_json({"output": str(output), **document})
    else:
        click.echo(f"{output}: {tables(document)}")
    if lines:
        click.echo("\n  ".join(["Error: not everything could be measured:", *lines]), err=True)
        click.get_current_context().exit(1)


def failure_lines(failures: Sequence[Failed]) -> list[str]:
    """One line for all failures of a receiver, of a sender, or of pictures that have one reason, apart from numbers."""
    kinds: dict[tuple[str | None, str], list[Failed]] = {}
    for failed in failures:
        kinds.setdefault((failed.receiver or failed.sender, re.sub(r"[\d.]+", "0", failed.reason)), []).append(failed)
    lines = []
    for (what, _), members in kinds.items():
        first = members[0]
        rates = ", ".join(dict.fromkeys(str(failed.rate) for failed in members if failed.rate is not None))
        images = list(dict.fromkeys(f"{failed.set}/{failed.image}" for failed in members if failed.image is not None))
        others = [f"and {count(len(images) - 1, 'other image')}"] if len(images) > 1 else []
        parts = [*images[:1], *others, *([what] if what else []), *([f"at {rates}"] if rates else [])]
        lines.append(f"{' '.join(parts)}: {first.reason}")
    return lines


def tables(document: Mapping[str, Any]) -> str:
    """The means, and the Bjøntegaard rates, as tables of text."""
    images = len({(row["set"], row["image"]) for row in document["rows"]})
    brackets = ", 95 % intervals in brackets" if images > 1 else ""
    title = f"{count(images, 'image')}; means{brackets}"
    compared = f"bytes at equal quality, in % of those of {document['anchor']} (BD-rate){brackets}"
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
        groups.setdefault(key, {})[record["measure"]] = _delta(record)
    header = [*fields, "against", *(kind["title"] for kind in measures.values())]
    return columns(
        header, [[*key, *(figures[name] for name in measures)] for key, figures in groups.items()], text=len(fields) + 1
    )


def _delta(record: Mapping[str, Any]) -> str:
    """A Bjøntegaard rate; with the number of images, where some could not be compared."""
    left_out = record["not_comparable"] if record["value"] is not None else 0
    part = f" ({record['images']} of {record['images'] + left_out})" if left_out else ""
    return _figure(record, "+.1f") + part


def _cells(record: Mapping[str, Any], fields: Sequence[str]) -> list[str]:
    return [f"{record[field]:g}" if field == "sigma" else record[field] for field in fields]


def _figure(figure: Mapping[str, Any], form: str) -> str:
    if figure["value"] is None:
        return "-"
    value, *ends = (("" if figure[key] is None else format(figure[key], form)) for key in ("value", "low", "high"))
    return f"{value} [{', '.join(ends)}]" if any(ends) else value
