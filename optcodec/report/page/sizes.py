"""Sections of what ``optcodec encode`` did: its ``--json``, or the manifest of a job."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from optcodec.batch.manifest import Earlier
from optcodec.batch.rows import record_of
from optcodec.console.show import count
from optcodec.jpeg.table_files import from_pillow, load_tables
from optcodec.jpeg.tables import QuantTable
from optcodec.report.curves import Interval
from optcodec.report.page.files import found
from optcodec.report.page.previews import previews
from optcodec.report.page.sections import Change, Heatmap, Part, Savings, Section, Table
from optcodec.report.page.words import change_sentence, interval_over, number_of, short_names, were

__all__ = ["encoded_part", "manifest_part", "table_heatmaps"]

_WORST = 10
_TRIED = 20  # files that are looked for to show the tables of one: of a large job, none may be at hand
_NOT_ROWS = ("failed", "copied", "shard")  # states of rows of a manifest that are about no coded picture


def encoded_part(record: Mapping[str, Any], path: str) -> Part:
    """The part of a page about what ``optcodec encode --json`` printed.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If the record is no such result, or has no pictures.
    """
    failures = [(str(each["path"]), str(each["error"])) for each in record["failures"]]
    return _part(record["files"], failures, path, None, {})


def manifest_part(manifest: Earlier, path: str) -> Part:
    """The part of a page about the manifest of a job; raises as `encoded_part` does."""
    rows = list(manifest.rows.values())
    records = [record_of(row) for row in rows if row["state"] not in _NOT_ROWS]
    failures = [(row["source"], row["error"] or "") for row in rows if row["state"] == "failed"]
    run = manifest.run
    options = [text for name, value in run.get("options", {}).items() if value for text in _spelled(name, value)]
    tables = None if run.get("tables") is None else from_pillow(run["tables"])
    part = _part(records, failures, path, tables, {"optcodec": str(run.get("optcodec", "not known"))})
    return replace(part, command=" ".join(["optcodec encode", *options]))


def _spelled(name: str, value: Any) -> list[str]:
    return [name] if value is True else [name, str(value.get("file") if isinstance(value, dict) else value)]


def _part(
    records: Sequence[Mapping[str, Any]],
    failures: Sequence[tuple[str, str]],
    path: str,
    tables: Sequence[QuantTable] | None,
    made: Mapping[str, str],
) -> Part:
    if not records:
        raise ValueError("it has no coded pictures")
    sizes = np.array([[number_of(each["input_nbytes"]), number_of(each["nbytes"])] for each in records])
    if sizes[:, 0].min() < 1:
        raise ValueError("expected inputs of at least 1 byte")
    percent = _percent(sizes)
    before, after = (f"{total:,.0f}" for total in sizes.sum(axis=0))
    headline = [f"{change_sentence('Coding', percent, 'the input files')}.", f"{before} bytes became {after}."]
    note = (
        "The change of all files together. The interval (95 %) says how far other pictures of the same kind may be "
        "from these. What the input files are, and how good the coded ones look, is not in these figures."
    )
    changes = [Change("coded files", percent, "subject")]
    sections: list[Section] = [Savings("Bytes saved, in % of those of the input files", changes, note)]
    order = np.argsort(-sizes[:, 1] / sizes[:, 0], kind="stable").tolist()
    sections += previews(len(order), lambda number: _pair(records[order[number]], path), ("original", "coded"))
    first = next((file for i in order[:_TRIED] if (file := found(str(records[i]["output"]), path)) is not None), None)
    if tables is None and first is not None:
        sections += table_heatmaps(_titled(load_tables(first), f"of {first.name}"))
    elif tables is not None:
        sections += table_heatmaps(_titled(tables, "of all files"))
    sections += [_worst([records[i] for i in order]), *_failed(failures)]
    compared = f"{were(len(records), 'picture')} coded as JPEG files, which are compared with the input files by size."
    return Part("What was coded", compared, headline, sections, made_with=made)


def _percent(sizes: np.ndarray[Any, np.dtype[np.float64]]) -> Interval:
    """Change in bytes of all files together, with an interval over the files."""

    def change(drawn: Any) -> Any:
        sums = drawn.sum(axis=1)
        return 100 * (sums[:, 1] / sums[:, 0] - 1)

    return interval_over(sizes, change)


def _pair(record: Mapping[str, Any], path: str) -> tuple[Path, Path] | None:
    """The files of a picture before and after; None if one is not at hand, or was replaced by the other."""
    before, after = found(str(record["input"]), path), found(str(record["output"]), path)
    return None if before is None or after is None or before == after else (before, after)


def _worst(records: Sequence[Mapping[str, Any]]) -> Table:
    rows = [
        (
            name,
            f"{each['input_nbytes']:,}",
            f"{each['nbytes']:,}",
            f"{100 * (each['nbytes'] / each['input_nbytes'] - 1):+.1f} %",
            f"{number_of(each['bpp']):.3f}",
        )
        for name, each in zip(short_names([str(each["input"]) for each in records[:_WORST]]), records, strict=False)
    ]
    note = f"The {len(rows)} of {count(len(records), 'picture')} that saved least, in comparison with their input file."
    columns = ("picture", "input bytes", "bytes", "change", "bits per pixel")
    return Table("Pictures that saved least", columns, rows, note)


def _failed(failures: Sequence[tuple[str, str]]) -> list[Table]:
    title = f"Not coded: {len(failures)}"
    return [Table(title, ("file", "reason"), failures[:_WORST], text=2)] if failures else []


def _titled(tables: Sequence[QuantTable], of: str) -> list[tuple[str, QuantTable]]:
    planes = ("Luminance", "Chrominance", "Second chrominance", "Fourth")
    return [(f"{plane} table {of}", table) for plane, table in zip(planes, tables, strict=False)]


def table_heatmaps(tables: Sequence[tuple[str, QuantTable]]) -> list[Section]:
    """Quantization tables with their titles, on one scale."""
    largest = max((float(table.steps.max()) for _, table in tables), default=1.0)
    note = (
        "Quantization steps in rows and columns of rising frequency; small steps keep more detail and cost more bits."
    )
    return [
        Heatmap(title, (), (), table.steps.tolist(), "d", logarithmic=True, largest=largest, note="" if index else note)
        for index, (title, table) in enumerate(tables)
    ]
