"""Sections of what ``optcodec compare --json`` printed: files of one picture, against its original."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from optcodec.rates.measures import MEASURES
from optcodec.report.curves import Interval
from optcodec.report.page.files import found, motifs
from optcodec.report.page.pictures import Named
from optcodec.report.page.sections import Chart, Charts, Line, Panel, Part, Point, Section, Table
from optcodec.report.page.words import listed, number_of, short_names, were

__all__ = ["compare_part"]

_Described = Mapping[str, tuple[str, str, int]]  # title, format, and 1 if more is better, else -1

_ALWAYS: _Described = {"psnr_db": ("PSNR dB", ".2f", 1), "ssim": ("SSIM", ".4f", 1), "swe": ("SWE", ".4g", -1)}
_FURTHER: _Described = {name: (each.title, f".{each.digits}f", 1) for name, each in MEASURES.items() if each.rises}


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
    measures = {name: about for name, about in {**_ALWAYS, **_FURTHER}.items() if name in _ALWAYS or name in files[0]}
    sections: list[Section] = [*_charts(files, names, measures), _table(files, names, measures)]
    original = found(reference, path)
    paths = [(name, found(str(each["path"]), path)) for name, each in zip(names, files, strict=True)]
    if original is not None:
        coded = [Named(name, file) for name, file in paths if file is not None]
        sections[1:1] = motifs([(original.stem, [Named("original", original), *coded])] if coded else [])
    compared = f"{were(len(files), 'file')} compared with {reference}; the SWE has the weights of {record['profile']}."
    return Part("What was compared", compared, [_headline(files, names, measures)], sections)


def _headline(files: Sequence[Mapping[str, Any]], names: Sequence[str], measures: _Described) -> str:
    """The smallest file, or several of one size, and which of the others it is no worse than."""
    sizes = [number_of(each["nbytes"]) for each in files]
    least = sizes.index(min(sizes))
    equal = [name for name, size in zip(names, sizes, strict=True) if size == sizes[least]]
    if len(equal) == len(files):
        return f"{listed(equal)} {'has' if len(equal) == 1 else 'have'} {files[least]['nbytes']:,} bytes."
    if len(equal) > 1:
        return f"{listed(equal)} are the smallest files, with {files[least]['nbytes']:,} bytes each."
    text = f"{names[least]} is the smallest file, with {files[least]['nbytes']:,} bytes"
    better = [
        index for index in range(len(files)) if index != least and _no_worse(files[least], files[index], measures)
    ]
    if better:
        index = max(better, key=lambda index: number_of(files[index]["nbytes"]))
        percent = 100 * (1 - files[least]["nbytes"] / files[index]["nbytes"])
        return f"{text}: {percent:.1f} % fewer than {names[index]}, and no worse by any measure."
    return f"{text}; by at least one measure every larger file is nearer to the original."


def _no_worse(one: Mapping[str, Any], other: Mapping[str, Any], measures: _Described) -> bool:
    known = [
        (sign * number_of(one[name]), sign * number_of(other[name]))
        for name, (_, _, sign) in measures.items()
        if one[name] is not None and other[name] is not None
    ]
    return bool(known) and all(mine >= theirs for mine, theirs in known)


def _charts(files: Sequence[Mapping[str, Any]], names: Sequence[str], measures: _Described) -> list[Section]:
    charts = []
    for name, (title, _, _) in measures.items():
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


def _table(files: Sequence[Mapping[str, Any]], names: Sequence[str], measures: _Described) -> Table:
    rows = [
        (
            name,
            f"{each['nbytes']:,}",
            f"{number_of(each['bpp']):.3f}",
            *(_text(each[measure], form) for measure, (_, form, _) in measures.items()),
        )
        for name, each in zip(names, files, strict=True)
    ]
    titles = [title for title, _, _ in measures.values()]
    note = "Less SWE (sensitivity weighted error) is better. Empty: equal pixels, or a picture that is too small."
    return Table("All figures", ("file", "bytes", "bits per pixel", *titles), rows, note)
