"""Lists of pictures: a line of JSON, or a row of a Parquet file, for each."""

from __future__ import annotations

import io
from collections.abc import Collection, Iterator
from pathlib import Path, PurePath, PurePosixPath
from typing import Any

from optcodec.batch.names import is_below
from optcodec.batch.places import Store, Url, place_of, read
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.jsontext import parse_json

__all__ = ["LIST_SUFFIXES", "listed"]

LIST_SUFFIXES = (".jsonl", ".ndjson", ".parquet")


def listed(place: Store) -> list[tuple[Store, PurePath]]:
    """The pictures of a list, and their names relative to the output folder.

    Parameters
    ----------
    place : Path or Url
        Each line or row has ``source``, the path or URL of a picture or tar file, and may have ``name``, the relative
        name. By default that is the path below the folder that all sources are in. A manifest of optcodec is such a
        list; its rows of members of a tar file, and of files that are no pictures, do not count.

    Raises
    ------
    InvalidInputError
        If the list cannot be read, or names no picture.
    """
    rows = list(_entries(place))
    shards = {row["source"] for row in rows if row.get("state") == "shard"}
    entries = [row for row in rows if row.get("state") != "copied" and not _is_member(row["source"], shards)]
    if not entries:
        raise InvalidInputError(f"{place}: expected the entry source with a path or URL for each picture, found none")
    sources = [row["source"] for row in entries]
    names = _relative(sources)
    chosen = [_name(place, row, name) for row, name in zip(entries, names, strict=True)]
    return [(place_of(source), name) for source, name in zip(sources, chosen, strict=True)]


def _name(place: Store, row: dict[str, Any], name: PurePath) -> PurePath:
    """The relative name of a picture; it must not lead out of the output folder."""
    given = row.get("name")
    if given is None:
        return name
    chosen = PurePosixPath(given) if isinstance(given, str) else None
    if chosen is None or not is_below(chosen) or "\0" in given:
        raise InvalidInputError(f"{place}: expected as name a path below the output folder, got {given!r}")
    return chosen


def _is_member(source: str, shards: Collection[str]) -> bool:
    """Whether a source is a member of one of these tar files."""
    return any(source[:end] in shards for end, sign in enumerate(source) if sign == "/")


def _entries(place: Store) -> Iterator[dict[str, Any]]:
    """Lines or rows with a source."""
    if place.name.lower().endswith(".parquet"):
        require_packages("pyarrow.parquet")
        yield from _parquet_entries(place)
        return
    for number, line in enumerate(io.BytesIO(read(place)), 1):
        if not line.strip():
            continue
        try:
            row = parse_json(line, "a JSON object with the entry source", surrogates=True)
        except InvalidInputError as error:
            raise InvalidInputError(f"{place}, line {number}: {error}") from None
        if isinstance(row, dict) and isinstance(row.get("source"), str) and "\0" not in row["source"]:
            yield row
        elif not isinstance(row, dict) or "run" not in row:
            raise InvalidInputError(f"{place}, line {number}: expected a JSON object with the entry source, a text")


def _parquet_entries(place: Store) -> Iterator[dict[str, Any]]:
    from pyarrow import ArrowException, parquet

    content = io.BytesIO(read(place))
    try:
        names = [name for name in ("source", "name", "state") if name in parquet.read_schema(content).names]
        rows: list[dict[str, Any]] = parquet.read_table(content, columns=names).to_pylist()
    except (ArrowException, OSError, ValueError) as error:
        raise InvalidInputError(f"{place}: expected a Parquet file with the column source: {error}") from None
    yield from (row for row in rows if isinstance(row.get("source"), str))


def _relative(sources: list[str]) -> list[PurePath]:
    """Paths below the folder that all sources are in."""
    paths = [PurePosixPath(source) if isinstance(place_of(source), Url) else Path(source) for source in sources]
    common = list(paths[0].parts[:-1])
    for path in paths:
        same = [left == right for left, right in zip(common, path.parts[:-1], strict=False)]
        common = common[: same.index(False) if False in same else len(same)]
    return [PurePosixPath(*path.parts[len(common) :]) for path in paths]
