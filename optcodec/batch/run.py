"""Work on many files, on threads of this process; an error in one file does not stop the others."""

from __future__ import annotations

import threading
from collections.abc import Callable, Generator, Sequence
from dataclasses import dataclass, field
from typing import Any

from optcodec.batch.memory import Room, available_nbytes
from optcodec.batch.places import Place
from optcodec.errors import DiskFullError, OptcodecError
from optcodec.experiments.threads import in_order
from optcodec.pictures.opening import first_line

__all__ = ["NOT_BEGUN", "Done", "Failure", "outcomes", "reason_of"]

_NO_MEMORY = "there is not enough memory for it"
NOT_BEGUN = "not begun, since the disk is full"
_AHEAD = 16  # outcomes that may wait for that of a file before them, for each thread


@dataclass(frozen=True)
class Done:
    """Result for one file: the record for ``--json``, notices for stderr, bytes that are still to be written.

    `resumed` says that an earlier run has done the file.
    """

    record: dict[str, Any]
    notices: tuple[str, ...] = ()
    data: bytes = b""
    resumed: bool = False


@dataclass(frozen=True)
class Failure:
    """A file that failed, and the reason; `begun` is False if it was skipped because the disk was full.

    `full` says that the disk had no space for it.
    """

    path: Place
    message: str
    begun: bool = True
    full: bool = False
    notices: tuple[str, ...] = field(default=(), init=False)

    @classmethod
    def of(cls, path: Place, error: Exception) -> Failure:
        """The failure of a file by an exception."""
        return cls(path, reason_of(error, path), full=isinstance(error, DiskFullError))


def reason_of(error: Exception, source: Place) -> str:
    """Why a file failed, in one line; errors that are not ours, as decoders raise them, with their names."""
    if isinstance(error, MemoryError):
        return _NO_MEMORY
    text = str(error) if isinstance(error, OptcodecError) else f"{type(error).__name__}: {first_line(error)}"
    return text.removeprefix(f"{source}: ")


def outcomes(
    paths: Sequence[Place],
    work: Callable[[int], Done],
    *,
    workers: int,
    nbytes: Callable[[int], int] | None = None,
) -> Generator[Done | Failure, None, None]:
    """Call ``work(index)`` for every path, and yield the results in the order of the paths.

    Threads run in parallel, since kernels and file access release the interpreter lock. When a disk is full, the files
    that have not begun are skipped and counted as failures. An exception in the iteration, such as Ctrl-C, cancels the
    calls that have not begun, and waits for the others.

    Parameters
    ----------
    paths : sequence of Path, Url or Member
        The files, for messages.
    work : callable
        Takes the index of a path. If it raises an `OptcodecError` or a `MemoryError`, the file is a failure; any other
        exception ends the run.
    workers : int
        Number of threads.
    nbytes : callable, optional
        Takes the index of a path, and estimates the memory in bytes for its work. Work that does not fit into the
        available memory beside the running work waits. The results are the same. With one worker it is not called;
        otherwise by the thread that then calls `work`.
    """
    workers = min(workers, len(paths))
    room = Room(available_nbytes() if workers > 1 else None)
    full = threading.Event()

    def guarded(index: int) -> Done | Failure:
        try:
            with room.taking(0 if nbytes is None or workers == 1 else nbytes(index)):
                return Failure(paths[index], NOT_BEGUN, begun=False) if full.is_set() else work(index)
        except (OptcodecError, MemoryError) as error:
            if isinstance(error, DiskFullError):
                full.set()
            return Failure.of(paths[index], error)

    if workers <= 1:
        yield from map(guarded, range(len(paths)))
    else:
        yield from in_order(guarded, ((index,) for index in range(len(paths))), workers, ahead=_AHEAD)
