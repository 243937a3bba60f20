"""A manifest as a Parquet file, for the tools of data sets."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from optcodec.batch.rows import COLUMNS, Row
from optcodec.files import whole_file

__all__ = ["write_parquet"]

_ROWS_AT_ONCE = 1 << 16


def write_parquet(path: Path, rows: Iterable[Row]) -> None:
    """Write rows to a Parquet file, with the columns of `COLUMNS`; needs pyarrow.

    Raises
    ------
    DiskFullError, InvalidInputError
        If it cannot be written.
    """
    import pyarrow
    from pyarrow import parquet

    types = {"string": pyarrow.string(), "int64": pyarrow.int64(), "float64": pyarrow.float64()}
    types |= {"strings": pyarrow.list_(pyarrow.string()), "floats": pyarrow.list_(pyarrow.float64())}
    schema = pyarrow.schema([(name, types[kind]) for name, kind in COLUMNS.items()])
    waiting = [{name: _printable(value) for name, value in row.items()} for row in rows]
    with whole_file(path) as file, parquet.ParquetWriter(file, schema) as writer:
        for start in range(0, max(1, len(waiting)), _ROWS_AT_ONCE):
            writer.write_table(pyarrow.Table.from_pylist(waiting[start : start + _ROWS_AT_ONCE], schema))


def _printable(value: Any) -> Any:
    """A text that can be UTF-8: bytes of names of files that are not become question marks."""
    if isinstance(value, list):
        return [_printable(each) for each in value]
    return value.encode("utf-8", "replace").decode() if isinstance(value, str) else value
