"""Quantization tables in files: JSON, the text of cjpeg's ``-qtables``, and any JPEG file; Pillow's lists.

JSON, as `save_tables` writes it, one row of a table a line::

    {"format": "optcodec quantization tables 1",
     "subsampling": "4:4:4",
     "tables": [[[16, 11, ...], ...], [[17, 18, ...], ...]]}

The subsampling that the tables were designed for may be missing. One to four tables (luminance, chrominance, ...)
of 8 rows of 8 steps: row v, column u is the step of vertical frequency v and horizontal frequency u. Instead of this
object, `load_tables` also takes the JSON of a Pillow ``qtables`` list (``[[64 numbers], ...]``) or dictionary
(``{"0": [64 numbers], ...}``).

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
from optcodec.jpeg.image import SUBSAMPLINGS
from optcodec.jpeg.reading.structure import read_structure
from optcodec.jpeg.tables import QuantTable
from optcodec.jsontext import parse_json
from optcodec.notices import ignore

__all__ = ["from_pillow", "load_tables", "save_tables", "tables_subsampling", "to_pillow"]

_FORMAT = "optcodec quantization tables 1"
_TEXT_SUFFIXES = (".txt", ".qtables")
_LARGEST = 255  # of a baseline file


def load_tables(path: str | os.PathLike[str]) -> tuple[QuantTable, ...]:
    """Read quantization tables from a file of any of the kinds above; its content tells which.

    Parameters
    ----------
    path : str or path
        From a JPEG file come the tables that its components use, in the order of their first use.

    Returns
    -------
    tuple of QuantTable
        One to four: luminance, chrominance, ...; steps in 1..255.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, or a table is not right; the message names the place.
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
    """Chroma subsampling that the tables of a file were designed for; None where the file does not say.

    Only JSON of `save_tables` does. A file that is not right is found out by `load_tables`.
    """
    try:
        document = parse_json(Path(path).read_text("utf-8-sig"))
    except (OSError, ValueError):
        return None
    found = document.get("subsampling") if isinstance(document, dict) else None
    if found is not None and not (isinstance(found, str) and found in SUBSAMPLINGS):
        raise InvalidInputError(f"{path}: expected a subsampling of {', '.join(SUBSAMPLINGS)}, found {found!r}")
    return found


def save_tables(tables: Sequence[QuantTable], path: str | os.PathLike[str], *, subsampling: str | None = None) -> None:
    """Write quantization tables: JSON to ``.json``, cjpeg's text to ``.txt`` or ``.qtables``.

    Parameters
    ----------
    tables : sequence of QuantTable
        One to four, with steps in 1..255.
    path : str or path
        Appears whole or not at all.
    subsampling : str, optional
        What the tables were designed for, such as ``"4:4:4"``; written to JSON only.

    Raises
    ------
    InvalidInputError
        If the tables or the suffix are not of these kinds, or the file cannot be written.
    """
    path = Path(path)
    checked = _checked(table.steps.ravel().tolist() for table in tables)
    rows = [[", ".join(map(str, row)) for row in table.steps.tolist()] for table in checked]
    if path.suffix.lower() == ".json":
        blocks = ",\n".join(" [" + ",\n  ".join(f"[{row}]" for row in table) + "]" for table in rows)
        sampling = "" if subsampling is None else f'"subsampling": {json.dumps(subsampling)},\n'
        content = f'{{"format": "{_FORMAT}",\n{sampling}"tables": [\n{blocks}\n]}}\n'
    elif path.suffix.lower() in _TEXT_SUFFIXES:
        titles = ("luminance", "chrominance", "third table", "fourth table")
        parts = (f"# {title}\n" + "\n".join(table) for title, table in zip(titles, rows, strict=False))
        content = "\n\n".join(parts).replace(",", "") + "\n"
    else:
        expected = ", ".join((".json", *_TEXT_SUFFIXES))
        raise InvalidInputError(f"{path}: expected a name that ends in one of {expected}, got {path.suffix!r}")
    write_whole(path, content.encode())


def to_pillow(tables: Sequence[QuantTable]) -> list[list[int]]:
    """Tables as Pillow takes them: ``image.save(path, qtables=to_pillow(tables))``.

    Returns
    -------
    list of list of int
        64 steps a table, row by row: the order of Pillow from version 8.3 on.
    """
    return [[int(step) for step in table.steps.ravel()] for table in tables]


def from_pillow(qtables: Sequence[Iterable[int]] | Mapping[int, Iterable[int]]) -> tuple[QuantTable, ...]:
    """Tables from Pillow: a ``qtables`` list, or the dictionary ``image.quantization`` of an open JPEG file.

    Raises
    ------
    InvalidInputError
        If a table is not 64 whole numbers in 1..255; the message names the place.
    """
    if isinstance(qtables, Mapping):
        qtables = [qtables[key] for key in sorted(qtables)]
    return _checked(list(table) for table in qtables)


def _checked(tables: Iterable[list[Any]]) -> tuple[QuantTable, ...]:
    """Tables from lists of 64 steps, row by row."""
    made = []
    for number, steps in enumerate(tables, start=1):
        place = f"table {number}"
        if len(steps) != 64:
            raise InvalidInputError(f"{place}: expected 64 steps, got {len(steps)}")
        for index, step in enumerate(steps):
            if (
                isinstance(step, (bool, np.bool_))
                or not isinstance(step, (int, np.integer))
                or not 1 <= step <= _LARGEST
            ):
                where = f"{place}, row {index // 8 + 1}, column {index % 8 + 1}"
                raise InvalidInputError(f"{where}: expected a whole number in 1..{_LARGEST}, got {step!r}")
        made.append(QuantTable(np.array(steps, np.uint16).reshape(8, 8)))
    if not 1 <= len(made) <= 4:
        raise InvalidInputError(f"expected 1 to 4 quantization tables, got {len(made)}")
    return tuple(made)


def _from_jpeg(content: bytes) -> tuple[QuantTable, ...]:
    structure = read_structure(content, partial=True, notify=ignore)  # of the picture nothing is taken
    if any(structure.zero_steps):
        raise InvalidInputError("quantization steps are at least 1, found 0")
    return _checked(table.steps.ravel().tolist() for table in structure.tables)


def _from_text(text: str) -> tuple[QuantTable, ...]:
    numbers: list[int] = []
    for line_number, line in enumerate(text.splitlines(), start=1):
        for word in line.partition("#")[0].split():
            place = f"line {line_number}, step {len(numbers) % 64 + 1} of table {len(numbers) // 64 + 1}"
            if not re.fullmatch(r"[0-9]{1,9}", word) or not 1 <= int(word) <= _LARGEST:
                raise InvalidInputError(f"{place}: expected a whole number in 1..{_LARGEST}, got {word!r}")
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
    """The 64 steps of a table that is written as 8 rows of 8, or as they are."""
    if not isinstance(table, list):
        raise InvalidInputError(f"table {number}: expected a list of steps, found {type(table).__name__}")
    if not any(isinstance(row, list) for row in table):
        return table
    lengths = [len(row) if isinstance(row, list) else 0 for row in table]
    if lengths != [8] * 8:
        raise InvalidInputError(f"table {number}: expected 8 rows of 8 steps, got rows of {lengths}")
    return [step for row in table for step in row]
