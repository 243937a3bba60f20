"""Have kernels ready: as machine code from the cache, or else compiled by numba in this process.

Both are the same functions with the same results. Machine code is loaded in milliseconds, but it is made with parts of
numba and llvmlite that other versions of these may lack. Where anything fails on that way, the other one is taken for
the rest of the process, with one line that says why; it rests on the public ``numba.njit``, and takes some seconds in
each process.
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
_failures: list[str] = []  # why there is no machine code in this process; empty as long as there is
_lock = threading.RLock()


def load(stem: str) -> SimpleNamespace:
    """Give the kernels of ``optcodec/kernels/<stem>.py`` as callables on numpy arrays.

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
    """Have the objects of several files ready, so that `load` need not wait for them one by one."""
    with _lock:
        missing = [stem for stem in dict.fromkeys(stems) if stem not in _objects]
        if mode() != "native" or _failures or not missing:
            return
        try:
            from optcodec.kernels.cache import objects

            _objects.update(objects(missing))
        except Exception as error:  # whatever it is: the other way does not depend on it
            _failures.append(_reason(error))


@functools.cache
def _tell_once(reason: str) -> None:
    tell(f"no machine code of kernels in this process ({reason}); numba.njit takes its place, slower")


def _reason(error: Exception) -> str:
    text = " ".join(str(error).split())
    return text if type(error) is RuntimeError else f"{type(error).__name__}: {text}"


@dataclass(frozen=True)
class WarmUp:
    """What `warm_up` did.

    Parameters
    ----------
    folder : Path
        Where the compiled kernels lie.
    processor : str
        The kind of processor that they are for.
    compiled : tuple of str
        Kernel files that had to be compiled.
    kernels : dict of str to int
        Number of kernels by kernel file, compiled now or before.
    """

    folder: Path
    processor: str
    compiled: tuple[str, ...]
    kernels: dict[str, int]


def warm_up() -> WarmUp:
    """Compile all kernels that are not in the cache, and load every one of them.

    Raises
    ------
    OptcodecError
        If they cannot be compiled, or cannot be kept for other processes.
    """
    if mode() != "native":
        raise OptcodecError(f"OPTCODEC_KERNELS is {mode()!r}, for which nothing is kept; expected 'native'")
    from optcodec.kernels.cache import exporting_stems, kept_objects
    from optcodec.kernels.store import FolderError, cache_folder, make_folder
    from optcodec.kernels.target import processor

    try:
        folder, stems = cache_folder(), exporting_stems()
        before = kept_objects(stems)
        if len(before) < len(stems):
            make_folder(folder)  # rather than compile for nothing
        prepare(*stems)
        kernels = {} if _failures else {stem: len(vars(load(stem))) for stem in stems}
    except FolderError as error:
        raise OptcodecError(f"compiled kernels cannot be kept: {error}") from error
    except Exception as error:
        raise OptcodecError(f"there is no machine code of kernels to be kept: {_reason(error)}") from error
    if _failures:
        raise OptcodecError(f"there is no machine code of kernels to be kept: {_failures[0]}")
    lost = [stem for stem in stems if stem not in kept_objects(stems)]
    if lost:
        raise OptcodecError(f"the compiled {', '.join(lost)} kernels could not be kept in {folder}")
    return WarmUp(folder, processor()[0], tuple(stem for stem in stems if stem not in before), kernels)


def _forget_threads() -> None:
    """In a forked child, the thread that held the lock is not there to release it."""
    global _lock
    _lock = threading.RLock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_threads)
