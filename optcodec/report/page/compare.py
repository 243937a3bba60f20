"""Sections of what ``optcodec compare --json`` printed: files of one picture, against its original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optcodec.report.curves import Interval
from optcodec.report.page.files import found, motifs
from optcodec.report.page.pictures import Named
from optcodec.report.page.sections import Chart, Charts, Line, Panel, Part, Point, Section, Table
from optcodec.report.page.words import number_of, short_names

__all__ = ["compare_part"]

_MEASURES = {"psnr_db": ("PSNR dB", ".2f", 1), "ssim": ("SSIM", ".4f", 1), "swe": ("SWE", ".4g", -1)}


def compare_part(record: Mapping[str, Any], path: str) -> Part:
    """The part of a page about a comparison.

    Raises
    ------
    InvalidInputError, KeyError, TypeError, ValueError
        If the record is no such result, or has no files.
    """
    files, reference = record["files"], str(record["reference"])
    if not files:
        raise ValueError("it has no files")
    names = short_names([str(each["path"]) for each in files])
    sections: list[Section] = [*_charts(files, names), _table(files, names)]
    original = found(reference, path)
    paths = [(name, found(str(each["path"]), path)) for name, each in zip(names, files, strict=True)]
    if original is not None:
        coded = [Named(name, file) for name, file in paths if file is not None]
        sections[1:1] = motifs([(original.stem, [Named("original", original), *coded])] if coded else [])
    compared = f"{len(files)} files were compared with {reference}; the SWE has the weights of {record['profile']}."
    return Part("What was compared", compared, [_headline(files, names)], sections)


def _headline(files: Sequence[Mapping[str, Any]], names: Sequence[str]) -> str:
    """The smallest file, and which of the others it is no worse than."""
    order = sorted(range(len(files)), key=lambda index: number_of(files[index]["nbytes"]))
    least = order[0]
    text = f"{names[least]} is the smallest file, with {files[least]['nbytes']:,} bytes"
    if len(files) == 1:
        return f"{names[least]} has {files[least]['nbytes']:,} bytes."
    better = [index for index in order[1:] if _no_worse(files[least], files[index])]
    if better:
        index = max(better, key=lambda index: number_of(files[index]["nbytes"]))
        percent = 100 * (1 - files[least]["nbytes"] / files[index]["nbytes"])
        return f"{text}: {percent:.1f} % fewer than {names[index]}, and no worse by any measure."
    return f"{text}; by at least one measure every larger file is nearer to the original."


def _no_worse(one: Mapping[str, Any], other: Mapping[str, Any]) -> bool:
    known = [
        (sign * number_of(one[name]), sign * number_of(other[name]))
        for name, (_, _, sign) in _MEASURES.items()
        if one[name] is not None and other[name] is not None
    ]
    return bool(known) and all(mine >= theirs for mine, theirs in known)


def _charts(files: Sequence[Mapping[str, Any]], names: Sequence[str]) -> list[Section]:
    charts = []
    for name, (title, _, _) in _MEASURES.items():
        lines = [
            Line(label, [Point(number_of(each["bpp"]), Interval(value, value, value))], colour)
            for colour, (label, each) in enumerate(zip(names, files, strict=True))
            if each[name] is not None
            for value in [number_of(each[name])]
        ]
        charts += [Chart(f"{title} over rate", "bits per pixel", title, lines)] if lines else []
    return [Charts("Quality over rate", "", [Panel("", charts)])] if charts else []


def _text(value: Any, form: str) -> str:
    return "" if value is None else format(number_of(value), form)


def _table(files: Sequence[Mapping[str, Any]], names: Sequence[str]) -> Table:
    rows = [
        (
            name,
            f"{each['nbytes']:,}",
            f"{number_of(each['bpp']):.3f}",
            *(_text(each[measure], form) for measure, (_, form, _) in _MEASURES.items()),
        )
        for name, each in zip(names, files, strict=True)
    ]
    titles = [title for title, _, _ in _MEASURES.values()]
    note = "Less SWE (sensitivity weighted error) is better. Empty: equal pixels, or a picture that is too small."
    return Table("All figures", ("file", "bytes", "bits per pixel", *titles), rows, note)
