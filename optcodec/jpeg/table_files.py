"""Read and write quantization tables: as JSON, as text for ``cjpeg -qtables``, from a JPEG file, as Pillow's lists.

JSON, as `save_tables` writes it, one row of a table a line::

    {"format": "optcodec quantization tables 1",
     "subsampling": "4:4:4",
     "tables": [[[16, 11, ...], ...], [[17, 18, ...], ...]]}

The subsampling is that for which the tables were designed; it may be missing. There are one to four tables (luminance,
chrominance, ...) of 8 rows of 8 steps: row v, column u is the step of vertical frequency v and horizontal frequency u.
Instead of this object, `load_tables` also takes the JSON of a Pillow ``qtables`` list (``[[64 numbers], ...]``) or
dictionary (``{"0": [64 numbers], ...}``).

C header (``.h``): arrays of ``unsigned char`` for hardware encoders, of every table in the order of rows, and in the
zigzag order in which a file and most registers have it; it is written only.

Text: whole numbers between white space, 64 a table, row by row; ``#`` begins a comment that ends with its line.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.files import write_whole
from optcodec.jpeg.c_header import TITLES, c_header, rows_of
from optcodec.jpeg.image import SUBSAMPLINGS
from optcodec.jpeg.reading.structure import read_structure
from optcodec.jpeg.tables import QuantTable
from optcodec.jsontext import parse_json
from optcodec.notices import ignore

__all__ = ["from_pillow", "load_tables", "save_ladder", "save_tables", "tables_subsampling", "to_pillow"]

_FORMAT = "optcodec quantization tables 1"
_TEXT_SUFFIXES = (".txt", ".qtables")
_C_SUFFIX = ".h"
_MAX_STEP = 255  # of a baseline file


def load_tables(path: str | os.PathLike[str]) -> tuple[QuantTable, ...]:
    """Read quantization tables from a JSON, text or JPEG file; the format is recognized by the content.

    Parameters
    ----------
    path : str or path
        The file. From a JPEG file, the tables that its components use are read, in the order of their first use.

    Returns
    -------
    tuple of QuantTable
        One to four: luminance, chrominance, ...; steps in 1..255.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, or a table is not valid; the message says which table and step.
    """
    path = Path(path)
    try:
        content = path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror or error}") from None
    try:
        if content.startswith(b"\xff\xd8"):
            return _from_jpeg(content)
        try:
            text = content.decode("utf-8-sig")
        except UnicodeDecodeError:
            raise InvalidInputError("expected JSON, text or a JPEG file, found other bytes") from None
        return _from_json(text) if text.lstrip().startswith(("{", "[")) else _from_text(text)
    except OptcodecError as error:
        raise InvalidInputError(f"{path}: {error}") from None


def tables_subsampling(path: str | os.PathLike[str]) -> str | None:
    """Read the chroma subsampling for which the tables of a file were designed; None if the file does not have it.

    Only JSON written by `save_tables` has it. Other errors in the file are reported by `load_tables`.

    Raises
    ------
    InvalidInputError
        If the file has an unknown subsampling.
    """
    try:
        document = parse_json(Path(path).read_text("utf-8-sig"))
    except (OSError, ValueError):
        return None
    subsampling = document.get("subsampling") if isinstance(document, dict) else None
    if subsampling is not None and not (isinstance(subsampling, str) and subsampling in SUBSAMPLINGS):
        raise InvalidInputError(f"{path}: expected a subsampling of {', '.join(SUBSAMPLINGS)}, found {subsampling!r}")
    return subsampling


def save_tables(tables: Sequence[QuantTable], path: str | os.PathLike[str], *, subsampling: str | None = None) -> None:
    """Write quantization tables: as JSON to ``.json``, as text for cjpeg to ``.txt`` or ``.qtables``, as C to ``.h``.

    Parameters
    ----------
    tables : sequence of QuantTable
        One to four, with steps in 1..255.
    path : str or path
        The file to write. It appears when it is complete, or not at all.
    subsampling : str, optional
        The subsampling for which the tables were designed, such as ``"4:4:4"``; written to JSON, and to C as a comment.

    Raises
    ------
    InvalidInputError
        If a step is above 255, there are not one to four tables, the suffix is another one, or the file cannot be
        written.
    """
    path = Path(path)
    checked = _checked(table.steps.ravel().tolist() for table in tables)
    rows = [rows_of(table.steps) for table in checked]
    if path.suffix.lower() == ".json":
        blocks = ",\n".join(" [" + ",\n  ".join(f"[{row}]" for row in table) + "]" for table in rows)
        sampling = "" if subsampling is None else f'"subsampling": {json.dumps(subsampling)},\n'
        content = f'{{"format": "{_FORMAT}",\n{sampling}"tables": [\n{blocks}\n]}}\n'
    elif path.suffix.lower() in _TEXT_SUFFIXES:
        texts = (f"# {title}\n" + "\n".join(table) for title, table in zip(TITLES, rows, strict=False))
        content = "\n\n".join(texts).replace(",", "") + "\n"
    elif path.suffix.lower() == _C_SUFFIX:
        content = c_header({"": checked}, subsampling)
    else:
        expected = ", ".join((".json", *_TEXT_SUFFIXES, _C_SUFFIX))
        raise InvalidInputError(f"{path}: expected a name that ends in one of {expected}, got {path.suffix!r}")
    write_whole(path, content.encode())


def save_ladder(
    ladder: Mapping[int, Sequence[QuantTable]], path: str | os.PathLike[str], *, subsampling: str | None = None
) -> list[Path]:
    """Write sets of tables by quality: to one C header, or to a file of `save_tables` for each of them.

    Parameters
    ----------
    ladder : mapping of int to sequence of QuantTable
        Tables by quality.
    path : str or path
        ``NAME.h``, or the name from which those of the files are made: ``NAME-q50.json`` for quality 50 and
        ``NAME.json``.
    subsampling : str, optional
        As of `save_tables`.

    Returns
    -------
    list of path
        The files.

    Raises
    ------
    InvalidInputError
        As `save_tables`.
    """
    path = Path(path)
    if path.suffix.lower() == _C_SUFFIX:
        sets = {f"_q{quality}": tables for quality, tables in ladder.items()}
        write_whole(path, c_header(sets, subsampling).encode())
        return [path]
    files = [path.with_name(f"{path.stem}-q{quality}{path.suffix}") for quality in ladder]
    for file, tables in zip(files, ladder.values(), strict=True):
        save_tables(tables, file, subsampling=subsampling)
    return files


def to_pillow(tables: Sequence[QuantTable]) -> list[list[int]]:
    """Convert tables to the form that Pillow takes: ``image.save(path, qtables=to_pillow(tables))``.

    Returns
    -------
    list of list of int
        64 steps a table, row by row, which is the order of Pillow since version 8.3.
    """
    return [[int(step) for step in table.steps.ravel()] for table in tables]


def from_pillow(qtables: Sequence[Iterable[int]] | Mapping[int, Iterable[int]]) -> tuple[QuantTable, ...]:
    """Convert tables from Pillow: a ``qtables`` list, or the dictionary ``image.quantization`` of an open JPEG file.

    Raises
    ------
    InvalidInputError
        If a table is not 64 whole numbers in 1..255; the message says which table and step.
    """
    if isinstance(qtables, Mapping):
        qtables = [qtables[key] for key in sorted(qtables)]
    return _checked(list(table) for table in qtables)


def _checked(tables: Iterable[list[Any]]) -> tuple[QuantTable, ...]:
    """Make tables from lists of 64 steps, row by row; raise `InvalidInputError` if a list is not valid."""
    quant_tables = []
    for number, steps in enumerate(tables, start=1):
        if len(steps) != 64:
            raise InvalidInputError(f"table {number}: expected 64 steps, got {len(steps)}")
        for index, step in enumerate(steps):
            is_whole = isinstance(step, (int, np.integer)) and not isinstance(step, (bool, np.bool_))
            if not (is_whole and 1 <= step <= _MAX_STEP):
                position = f"table {number}, row {index // 8 + 1}, column {index % 8 + 1}"
                raise InvalidInputError(f"{position}: expected a whole number in 1..{_MAX_STEP}, got {step!r}")
        quant_tables.append(QuantTable(np.array(steps, np.uint16).reshape(8, 8)))
    if not 1 <= len(quant_tables) <= 4:
        raise InvalidInputError(f"expected 1 to 4 quantization tables, got {len(quant_tables)}")
    return tuple(quant_tables)


def _from_jpeg(content: bytes) -> tuple[QuantTable, ...]:
    structure = read_structure(content, partial=True, notify=ignore)  # the coefficients may be damaged
    if any(structure.zero_steps):
        raise InvalidInputError("quantization steps are at least 1, found 0")
    return _checked(table.steps.ravel().tolist() for table in structure.tables)


def _from_text(text: str) -> tuple[QuantTable, ...]:
    numbers: list[int] = []
    for line_number, line in enumerate(text.splitlines(), start=1):
        for word in line.partition("#")[0].split():
            position = f"line {line_number}, step {len(numbers) % 64 + 1} of table {len(numbers) // 64 + 1}"
            if not re.fullmatch(r"[0-9]{1,9}", word) or not 1 <= int(word) <= _MAX_STEP:
                raise InvalidInputError(f"{position}: expected a whole number in 1..{_MAX_STEP}, got {word!r}")
            numbers.append(int(word))
    return _checked(numbers[start : start + 64] for start in range(0, len(numbers), 64))


def _from_json(text: str) -> tuple[QuantTable, ...]:
    document = parse_json(text)
    if isinstance(document, dict) and "format" in document:
        if document["format"] != _FORMAT:
            raise InvalidInputError(f"expected format {_FORMAT!r}, found {document['format']!r}")
        document = document.get("tables")
    elif isinstance(document, dict):
        document = [document[key] for key in sorted(document)]
    if not isinstance(document, list):
        raise InvalidInputError(f"expected a list of tables, found {type(document).__name__}")
    return _checked((_flat(table, number) for number, table in enumerate(document, start=1)))


def _flat(table: Any, number: int) -> list[Any]:
    """Flatten a table of 8 rows of 8 steps; a flat list of steps is returned as it is."""
    if not isinstance(table, list):
        raise InvalidInputError(f"table {number}: expected a list of steps, found {type(table).__name__}")
    if not any(isinstance(row, list) for row in table):
        return table
    lengths = [len(row) if isinstance(row, list) else 0 for row in table]
    if lengths != [8] * 8:
        raise InvalidInputError(f"table {number}: expected 8 rows of 8 steps, got rows of {lengths}")
    return [step for row in table for step in row]
