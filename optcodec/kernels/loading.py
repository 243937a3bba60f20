"""Load kernels: as machine code from the cache or, if that fails, compiled by numba in this process.

Both ways give the same functions with the same results. Machine code is loaded in milliseconds, but compiling it uses
internal functions of numba and llvmlite, which other versions may lack. If anything fails, kernels are compiled by the
public ``numba.njit`` for the rest of the process, and a line on stderr says why; that takes some seconds in each
process.
"""

from __future__ import annotations

import functools
import os
import threading
from dataclasses import dataclass
from pathlib import Path
from types import SimpleNamespace

from optcodec.errors import OptcodecError
from optcodec.kernels.mode import mode
from optcodec.kernels.notice import tell

__all__ = ["WarmUp", "load", "prepare", "warm_up"]

_objects: dict[str, tuple[bytes, dict[str, str]]] = {}
_failures: list[str] = []  # why machine code cannot be used in this process; empty if it can
_lock = threading.RLock()


def load(stem: str) -> SimpleNamespace:
    """Return the kernels of ``optcodec/kernels/<stem>.py`` as callables on numpy arrays.

    They release the interpreter lock, and check the type and layout of their arguments.

    Raises
    ------
    OptcodecError
        If they cannot be compiled at all.
    """
    with _lock:
        prepare(stem)
        if stem in _objects and not _failures:
            try:
                from optcodec.kernels.native import link

                return link(*_objects[stem])
            except Exception as error:
                _failures.append(_reason(error))
        from optcodec.kernels.plain import plain_kernels

        kernels = plain_kernels(stem)
        if _failures:
            _tell_once(_failures[0])
        return kernels


def prepare(*stems: str) -> None:
    """Read or compile the objects of several files together, so that `load` need not wait for each of them."""
    with _lock:
        missing = [stem for stem in dict.fromkeys(stems) if stem not in _objects]
        if mode() != "native" or _failures or not missing:
            return
        try:
            from optcodec.kernels.cache import objects

            _objects.update(objects(missing))
        except Exception as error:  # any error, since numba.njit can still be used
            _failures.append(_reason(error))


@functools.cache
def _tell_once(reason: str) -> None:
    tell(f"no machine code of kernels in this process ({reason}); numba.njit takes its place, slower")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if type(error) is RuntimeError else f"{type(error).__name__}: {text}"


@dataclass(frozen=True)
class WarmUp:
    """Result of `warm_up`.

    Parameters
    ----------
    folder : Path
        The folder with the compiled kernels.
    processor : str
        LLVM's name of the processor for which they are compiled.
    compiled : tuple of str
        Kernel files that were compiled by this call.
    kernels : dict of str to int
        Number of kernels in each kernel file, whether compiled by this call or before.
    """

    folder: Path
    processor: str
    compiled: tuple[str, ...]
    kernels: dict[str, int]


def warm_up() -> WarmUp:
    """Compile all kernels that are not in the cache, and load all kernels.

    Raises
    ------
    OptcodecError
        If kernels cannot be compiled, or cannot be stored for other processes.
    """
    if mode() != "native":
        raise OptcodecError(f"OPTCODEC_KERNELS is {mode()!r}, for which nothing is kept; expected 'native'")
    from optcodec.kernels.cache import cached_objects, exporting_stems
    from optcodec.kernels.store import FolderError, cache_folder, make_folder
    from optcodec.kernels.target import processor

    try:
        folder, stems = cache_folder(), exporting_stems()
        before = cached_objects(stems)
        if len(before) < len(stems):
            make_folder(folder)  # before compiling, since it may fail
        prepare(*stems)
        kernels = {} if _failures else {stem: len(vars(load(stem))) for stem in stems}
    except FolderError as error:
        raise OptcodecError(f"compiled kernels cannot be kept: {error}") from error
    except Exception as error:
        raise OptcodecError(f"there is no machine code of kernels to be kept: {_reason(error)}") from error
    if _failures:
        raise OptcodecError(f"there is no machine code of kernels to be kept: {_failures[0]}")
    not_stored = [stem for stem in stems if stem not in cached_objects(stems)]
    if not_stored:
        raise OptcodecError(f"the compiled {', '.join(not_stored)} kernels could not be kept in {folder}")
    return WarmUp(folder, processor()[0], tuple(stem for stem in stems if stem not in before), kernels)


def _forget_threads() -> None:
    """Replace the lock in a forked child: a thread that held it does not exist there, and cannot release it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
