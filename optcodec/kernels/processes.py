"""Compile kernels in separate processes: ``python -P -m optcodec.kernels``."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from itertools import chain
from pathlib import Path
from typing import Any

from optcodec.limits import processor_count

__all__ = ["compile_objects", "joined", "pack", "search_path", "split", "unpack"]

Object = tuple[bytes, dict[str, str]]  # machine code, and by name the signature of each kernel as text
_PACKAGE = Path(__file__).parents[1]


def compile_objects(stems: Sequence[str], loads: Sequence[int]) -> dict[str, Object]:
    """Compile several files of kernels in parallel, in one process for each processor.

    In these processes, numba does not optimize every function by itself (``NUMBA_OPT=0``), since `export` optimizes all
    functions together, which takes a third of the time. The settings of numba in this process have no effect on them.

    Parameters
    ----------
    stems : sequence of str
        Names of the files.
    loads : sequence of int
        Amount of work of each file, in any unit.

    Returns
    -------
    dict
        The object of each file, by its name.

    Raises
    ------
    RuntimeError
        If a process fails; the message has the last line of its output. ``python -m optcodec.kernels STEM >file`` shows
        all of it.
    """
    if getattr(sys, "frozen", False) or not sys.executable:  # no interpreter to start
        from optcodec.kernels.export import build

        return {stem: build(stem) for stem in stems}
    groups = _shared_out(stems, loads, processor_count())
    outputs = _run([[sys.executable, "-P", "-m", "optcodec.kernels", *group] for group in groups])
    return dict(zip(chain(*groups), map(unpack, chain(*map(split, outputs))), strict=True))


def _run(commands: Sequence[Sequence[str]]) -> list[bytes]:
    """Run commands in parallel, and return what each of them writes to stdout."""
    import subprocess

    # The commands run in the folder of this package, since numba also reads settings from a file in the current folder.
    settings = {"NUMBA_OPT": "0", "NUMBA_DISABLE_JIT": "0", "NUMBA_BOUNDSCHECK": "0", "OPTCODEC_KERNELS": ""}
    environment = {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(search_path())}
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    children: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:  # in new sessions, so that Ctrl-C reaches only this process, which then ends them
            child = subprocess.Popen(command, cwd=_PACKAGE, env=environment, start_new_session=True, **options)
            children.append(child)
        outputs = [child.communicate() for child in children]
    except BaseException:
        for child in children:
            child.kill()
            child.communicate()
        raise
    for child, (_, messages) in zip(children, outputs, strict=True):
        if child.returncode:
            last = messages.decode(errors="replace").strip().splitlines()[-1:]
            raise RuntimeError(last[0] if last else f"the compiling process ended with status {child.returncode}")
    return [output for output, _ in outputs]


def search_path() -> list[str]:
    """List the absolute folders in which this process looks for packages, without the current folder.

    The current folder may hold any files of the user, perhaps one with the name ``numba.py``. It is listed only if this
    package lies in it.
    """
    try:
        current = os.path.realpath(os.getcwd())  # noqa: PTH109
    except OSError:  # the folder was removed, so relative entries of the path lead nowhere
        current = ""
    home = os.path.realpath(_PACKAGE.parent)
    path = []
    for entry in sys.path:
        if not current and not os.path.isabs(entry):  # noqa: PTH117
            continue
        folder = os.path.abspath(entry)  # noqa: PTH100
        if os.path.realpath(folder) != current or current == home:
            path.append(folder)
    return path


def _shared_out(stems: Sequence[str], loads: Sequence[int], most: int) -> list[list[str]]:
    """Distribute files over at most `most` groups of about equal work, beginning with the largest file."""
    groups: list[list[str]] = [[] for _ in range(min(most, len(stems)))]
    totals = [0] * len(groups)
    for load, stem in sorted(zip(loads, stems, strict=True), reverse=True):
        least = totals.index(min(totals))
        groups[least].append(stem)
        totals[least] += load
    return groups


def pack(code: bytes, signatures: dict[str, str]) -> bytes:
    """Write an object as one file: signatures as JSON, newline, object file."""
    return json.dumps(signatures).encode() + b"\n" + code


def unpack(content: bytes) -> Object:
    """Read the object that `pack` has written."""
    header, code = content.split(b"\n", 1)
    return code, json.loads(header)


def joined(contents: Sequence[bytes]) -> bytes:
    """Join several packed objects, each behind its length as 8 bytes."""
    return b"".join(len(content).to_bytes(8, "big") + content for content in contents)


def split(output: bytes) -> list[bytes]:
    """Split the output of `joined` into packed objects."""
    contents, end = [], 0
    while end < len(output):
        size = int.from_bytes(output[end : end + 8], "big")
        end += 8 + size
        contents.append(output[end - size : end])
    if end != len(output):
        raise RuntimeError("the compiling process wrote something else than objects")
    return contents
