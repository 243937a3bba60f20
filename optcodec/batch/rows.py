"""Rows of a manifest: what became of each file."""

from __future__ import annotations

import hashlib
import io
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, TypeAlias

from optcodec.batch.places import Place, digest
from optcodec.errors import InvalidInputError
from optcodec.jsontext import finite
from optcodec.pictures.opening import opened_image

if TYPE_CHECKING:
    from optcodec.batch.job import Coded

__all__ = ["COLUMNS", "STATES", "Row", "check_row", "coded_row", "copied_row", "failed_row", "record_of", "shard_row"]

Row: TypeAlias = dict[str, Any]

# Names of the entries in the order of the columns, each with its type in Parquet.
COLUMNS = {
    "source": "string",
    "output": "string",
    "state": "string",  # see `STATES`
    "source_nbytes": "int64",
    "source_sha256": "string",
    "nbytes": "int64",
    "sha256": "string",
    "width": "int64",
    "height": "int64",
    "bpp": "float64",
    "subsampling": "string",  # name of that of the coded file, or grey
    "kept": "string",  # why a JPEG file was kept
    "tables": "string",  # the same for files with the same quantization tables
    "loss": "float64",
    "losses": "floats",  # that of each network
    "psnr_db": "float64",  # null where no pixel differs, too
    "kl": "float64",  # divergence of what a network that only measures gives
    "seconds": "float64",
    "error": "string",
    "warnings": "strings",
}

STATES = ("coded", "kept", "copied", "failed", "shard")  # kept: a JPEG file, as it is; copied: no picture; shard: a tar
_TYPES: dict[str, type | tuple[type, ...]] = {"string": str, "int64": int, "float64": (int, float)}


def coded_row(source: Place, output: str | Place, coded: Coded, *, seconds: float, content: bytes | None = None) -> Row:
    """The row of a picture that was coded.

    Parameters
    ----------
    source, output : place
        The picture, and the coded file.
    coded : Coded
        What the job gave.
    seconds : float
        Time that it took.
    content : bytes, optional
        Of the source. Without it, hashes and tables are left out.
    """
    encoded, kept = coded.encoded, coded.kept
    named = {"source": str(source), "output": str(output), "state": "coded" if kept is None else "kept"}
    sizes = {"source_nbytes": coded.source_nbytes, "nbytes": encoded.nbytes, "bpp": encoded.bpp}
    psnr = None if coded.psnr_db is None else finite(coded.psnr_db)
    losses = None if encoded.losses is None else list(encoded.losses)
    read = {"loss": encoded.loss, "losses": losses}
    image = {"width": encoded.width, "height": encoded.height, "subsampling": encoded.subsampling}
    results = image | {"kept": kept, "psnr_db": psnr, "kl": coded.kl}
    hashes: Row = {}
    if content is not None:
        hashes = {"source_sha256": _sha256(content), "sha256": _sha256(encoded.data), "tables": _tables(encoded.data)}
    return _row(named | sizes | results | read | hashes | {"seconds": seconds, "warnings": list(coded.notices)})


def copied_row(source: Place, output: Place, nbytes: int, sha256: str) -> Row:
    """The row of a file that is no picture and was copied."""
    sizes = {"source_nbytes": nbytes, "source_sha256": sha256, "nbytes": nbytes, "sha256": sha256}
    return _row({"source": str(source), "output": str(output), "state": "copied"} | sizes)


def shard_row(source: Place, output: Place, error: str | None, *, near: Place) -> Row:
    """The row of a whole tar file, after the rows of its members; `near` has the same content as the source."""
    (source_nbytes, source_sha256), (nbytes, sha256) = digest(near) or (None, None), digest(output) or (None, None)
    sizes = {"source_nbytes": source_nbytes, "source_sha256": source_sha256, "nbytes": nbytes, "sha256": sha256}
    return _row({"source": str(source), "output": str(output), "state": "shard", "error": error} | sizes)


def failed_row(source: Place, output: str | Place, error: str, *, seconds: float | None = None) -> Row:
    """The row of a file that could not be read, coded or written."""
    named = {"source": str(source), "output": str(output), "state": "failed"}
    return _row(named | {"error": error, "seconds": seconds})


def check_row(row: Mapping[str, Any]) -> None:
    """Check that a row that was read is one.

    Raises
    ------
    InvalidInputError
        If an entry is missing, unknown, or of another type.
    """
    if row.keys() != COLUMNS.keys():
        wrong = sorted(row.keys() ^ COLUMNS.keys())
        raise InvalidInputError(f"expected the entries {', '.join(COLUMNS)}, found a difference in {', '.join(wrong)}")
    for name, value in row.items():
        kind = COLUMNS[name]
        if name in ("source", "output") or kind == "strings":
            texts = [value] if kind == "string" else value
            right = isinstance(texts, list) and all(isinstance(text, str) for text in texts)
        elif kind == "floats":
            right = value is None or (isinstance(value, list) and all(map(_is_finite, value)))
        else:
            right = value is None or (isinstance(value, _TYPES[kind]) and not isinstance(value, bool))
        if isinstance(value, (int, float)):
            right = right and math.isfinite(value) and (isinstance(value, float) or abs(value) < 1 << 63)
        if not right:
            raise InvalidInputError(f"expected as {name} a value of the type {kind}, found {value!r}")
    if row["state"] not in STATES:
        raise InvalidInputError(f"expected as state one of {', '.join(STATES)}, found {row['state']!r}")


def _is_finite(value: object) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool) and math.isfinite(value)


def record_of(row: Row) -> dict[str, Any]:
    """What ``optcodec encode --json`` prints of a picture, from its row."""
    names = {"input": "source", "output": "output", "input_nbytes": "source_nbytes", "nbytes": "nbytes", "bpp": "bpp"}
    same = dict.fromkeys(("width", "height", "subsampling", "loss", "losses", "kept", "psnr_db", "kl"))
    return {name: row[key] for name, key in (names | {key: key for key in same}).items()} | {"notices": row["warnings"]}


def _row(entries: Row) -> Row:
    """A row with all columns, in their order."""
    return {name: entries.get(name, [] if name == "warnings" else None) for name in COLUMNS}


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()


def _tables(data: bytes) -> str:
    """A short hash of the quantization tables of a JPEG file."""
    with opened_image(io.BytesIO(data), max_pixels=None) as image:
        tables = sorted(getattr(image, "quantization", {}).items())
    return _sha256(repr([(number, list(steps)) for number, steps in tables]).encode())[:12]
