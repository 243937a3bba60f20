"""One file of a data set: coded, or a row that says why not."""

from __future__ import annotations

import io
import time
from pathlib import Path

from optcodec.batch.job import Job
from optcodec.batch.names import same_file
from optcodec.batch.opening import Content
from optcodec.batch.places import Place, Store, digest, read
from optcodec.batch.rows import Row, coded_row, failed_row
from optcodec.batch.run import reason_of

__all__ = ["attempt", "code_one", "is_finished"]


def code_one(
    source: Place, target: str | Place, job: Job, *, hashed: bool, content: Content | None = None
) -> tuple[Row, bytes]:
    """Code one picture; nothing is written.

    Parameters
    ----------
    source, target : place
        The picture, and where the coded file will be.
    job : Job
        What is done to it.
    hashed : bool
        Whether the row has hashes.
    content : Path or binary file, optional
        The content of the source, if it has been read already, or a path.

    Returns
    -------
    tuple of (row, bytes)
        What became of it, and the coded file.

    Raises
    ------
    OptcodecError
        If it cannot be read or coded.
    """
    begun = time.perf_counter()
    if content is None:
        content = source if isinstance(source, Path) else io.BytesIO(read(source))
    data: bytes | None = None
    if hashed:
        data = read(content) if isinstance(content, Path) else content.read()
        content = io.BytesIO(data)
    coded = job(content)
    row = coded_row(source, target, coded, seconds=time.perf_counter() - begun, content=data)
    return row, coded.encoded.data


def attempt(
    source: Place, target: str | Place, job: Job, *, hashed: bool = True, content: Content | None = None
) -> tuple[Row, bytes]:
    """As `code_one`, but whatever goes wrong is a row with the state ``failed``, and no bytes."""
    begun = time.perf_counter()
    try:
        return code_one(source, target, job, hashed=hashed, content=content)
    except Exception as error:
        seconds = time.perf_counter() - begun
        return failed_row(source, target, reason_of(error, source), seconds=seconds), b""


def is_finished(row: Row, source: Place, target: Store, *, near: Place | None = None) -> bool:
    """Whether a row of an earlier run is true of the files: the output is what was written, from what the source is.

    Of a picture that was replaced by its coded file, the source is gone, and the output alone counts. If there is a
    copy of the source that is `near`, that is read in its place.
    """
    if row["state"] == "failed" or row["error"] is not None or row["output"] != str(target):
        return False
    if digest(target) != (row["nbytes"], row["sha256"]):
        return False
    return same_file(source, target) or digest(near or source) == (row["source_nbytes"], row["source_sha256"])
