"""Quantization tables as arrays of C, for the firmware of hardware encoders."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.tables import QuantTable

__all__ = ["TITLES", "c_header", "rows_of"]

TITLES = "luminance", "chrominance", "third table", "fourth table"
_NATURAL = "row v, column u is the step of vertical frequency v and horizontal frequency u"
_ZIGZAG = "in zigzag order, as in a file (DQT, ITU-T T.81, B.2.4.1)"


def c_header(sets: Mapping[str, Sequence[QuantTable]], subsampling: str | None = None) -> str:
    """A header file with sets of tables, each in the order of rows and in zigzag order.

    Parameters
    ----------
    sets : mapping of str to sequence of QuantTable
        By the ending of the names of their arrays, such as ``"_q50"``; all sets have the same number of tables, whose
        steps are in 1..255.
    subsampling : str, optional
        The subsampling for which the tables were designed, for a comment.
    """
    number = len(next(iter(sets.values())))
    made_for = "" if subsampling is None else f", for {subsampling}"
    parts = [f"/* Quantization tables of JPEG, written by optcodec{made_for}. */", "#ifndef OPTCODEC_TABLES_H"]
    parts += ["#define OPTCODEC_TABLES_H", f"#define OPTCODEC_TABLES {number}"]
    parts += ["", "/* Tables: " + ", ".join(TITLES[:number]) + ". */"]
    for ending, tables in sets.items():
        parts += ["", f"/* {_NATURAL} */", _array(f"optcodec_tables{ending}", [table.steps for table in tables])]
        parts += ["", f"/* {_ZIGZAG} */", _array(f"optcodec_tables_zigzag{ending}", [t.steps_zz for t in tables])]
    return "\n".join([*parts, "", "#endif", ""])


def rows_of(steps: npt.NDArray[np.uint16]) -> list[str]:
    """The steps of a table, eight a line."""
    return [", ".join(map(str, row)) for row in steps.reshape(8, 8).tolist()]


def _array(name: str, tables: Sequence[npt.NDArray[np.uint16]]) -> str:
    values = "},\n  {".join("\n    " + ",\n    ".join(rows_of(steps)) + "\n  " for steps in tables)
    return f"static const unsigned char {name}[OPTCODEC_TABLES][64] = {{\n  {{{values}}}\n}};"
