"""Read from stdin and write to stdout: the path ``-`` on the command line."""

from __future__ import annotations

import io
import sys
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from pathlib import Path
from typing import BinaryIO

from optcodec.batch.places import STREAM, Place, read
from optcodec.errors import InvalidInputError
from optcodec.files import whole_file

__all__ = ["STREAM", "check_stdout", "content_of", "image_source", "is_stdout", "output_file", "read_bytes"]

# Largest input from stdin, pipes and devices, whose length is not known and which may never end. The samples of the
# largest image allowed by default take half of it.
MAX_STREAM_NBYTES = 1 << 30
_STDOUT = {STREAM, Path("/dev/stdout"), Path("/dev/fd/1"), Path("/proc/self/fd/1")}


def is_stdout(output: Path) -> bool:
    """Whether the path of an output stands for stdout."""
    return output in _STDOUT


def check_stdout(*, as_json: bool) -> None:
    """Refuse to write an image to stdout together with JSON, or to a terminal."""
    if as_json:
        raise InvalidInputError("--json prints to stdout, where the image goes; expected one of them, or -o FILE")
    if sys.stdout is not None and sys.stdout.isatty():
        raise InvalidInputError("stdout is a terminal, which cannot show an image; expected -o FILE, or a pipe")


def read_bytes(path: Path) -> bytes:
    """Content of a file or of stdin; raises `InvalidInputError` if it cannot be read, or is a stream without end."""
    try:
        if path != STREAM and path.is_file():
            return path.read_bytes()
        with nullcontext(sys.stdin.buffer) if path == STREAM else path.open("rb") as stream:
            content = stream.read(MAX_STREAM_NBYTES + 1)
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}") from None
    if len(content) > MAX_STREAM_NBYTES:
        reason = f"it has more than {MAX_STREAM_NBYTES:,} bytes; expected an image, or a file in place of the stream"
        raise InvalidInputError(f"cannot read {path}: {reason}")
    return content


def image_source(path: Path) -> Path | BinaryIO:
    """Something that `load_picture` can open several times: a path, or the content of stdin or a pipe in memory."""
    is_pipe = path == STREAM or (path.exists() and not path.is_file() and not path.is_dir())
    return io.BytesIO(read_bytes(path)) if is_pipe else path


def content_of(place: Place) -> Path | BinaryIO:
    """Something that can be read several times: a path, or the content of stdin, a pipe, a URL or a part of a shard."""
    return image_source(place) if isinstance(place, Path) else io.BytesIO(read(place))


@contextmanager
def output_file(target: Path, *, keep_times: bool = False) -> Iterator[BinaryIO]:
    """Open an output for writing, as `optcodec.files.whole_file`; for `STREAM`, write to stdout directly."""
    if target != STREAM:
        with whole_file(target, keep_times=keep_times) as file:
            yield file
        return
    stdout = sys.stdout.buffer
    yield stdout
    stdout.flush()
