"""Compile kernels in processes of their own: ``python -P -m optcodec.kernels``."""

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

Object = tuple[bytes, dict[str, str]]  # machine code, and the text of each kernel's signature by name
_PACKAGE = Path(__file__).parents[1]


def compile_objects(stems: Sequence[str], loads: Sequence[int]) -> dict[str, Object]:
    """Objects of some files of kernels, made side by side, in one process for each processor.

    There numba neither optimizes nor assembles every function by itself (``NUMBA_OPT=0``): `export` optimizes all of
    them together, which takes a third of the time; and the settings of a numba in this process do not matter.

    Parameters
    ----------
    stems : sequence of str
        Names of the files.
    loads : sequence of int
        How much work each of them is, in any unit.

    Raises
    ------
    RuntimeError
        If a process fails; the message has the last line of what it said. ``python -m optcodec.kernels STEM >file``
        shows everything.
    """
    if getattr(sys, "frozen", False) or not sys.executable:  # no interpreter to start
        from optcodec.kernels.export import build

        return {stem: build(stem) for stem in stems}
    groups = _shared_out(stems, loads, processor_count())
    outputs = _run([[sys.executable, "-P", "-m", "optcodec.kernels", *group] for group in groups])
    return dict(zip(chain(*groups), map(unpack, chain(*map(split, outputs))), strict=True))


def _run(commands: Sequence[Sequence[str]]) -> list[bytes]:
    """What each command writes to stdout."""
    import subprocess

    # In the folder of this package, since numba reads its settings from a file in the current one, too.
    settings = {"NUMBA_OPT": "0", "NUMBA_DISABLE_JIT": "0", "NUMBA_BOUNDSCHECK": "0", "OPTCODEC_KERNELS": ""}
    environment = {**os.environ, **settings, "PYTHONPATH": os.pathsep.join(search_path())}
    options: dict[str, Any] = {"stdin": subprocess.DEVNULL, "stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    children: list[subprocess.Popen[bytes]] = []
    try:
        for command in commands:  # a session of their own: Ctrl-C reaches this process alone, which then ends them
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
    """Absolute folders in which this process looks for packages, without the current one.

    In the current folder lie somebody's photographs, and perhaps a file that happens to be called ``numba.py``. It
    stays only where this package lies in it.
    """
    try:
        current = os.path.realpath(os.getcwd())  # noqa: PTH109
    except OSError:  # it was removed, so that nothing can be found from there
        current = ""
    home = os.path.realpath(_PACKAGE.parent)
    path = []
    for entry in sys.path:
        if not current and not os.path.isabs(entry):  # noqa: PTH117
            continue
        place = os.path.abspath(entry)  # noqa: PTH100
        if os.path.realpath(place) != current or current == home:
            path.append(place)
    return path


def _shared_out(stems: Sequence[str], loads: Sequence[int], most: int) -> list[list[str]]:
    """Groups that take about equally long, the largest file first."""
    groups: list[list[str]] = [[] for _ in range(min(most, len(stems)))]
    totals = [0] * len(groups)
    for load, stem in sorted(zip(loads, stems, strict=True), reverse=True):
        place = totals.index(min(totals))
        groups[place].append(stem)
        totals[place] += load
    return groups


def pack(code: bytes, signatures: dict[str, str]) -> bytes:
    """One file: signatures as JSON, newline, object file."""
    return json.dumps(signatures).encode() + b"\n" + code


def unpack(content: bytes) -> Object:
    """Object and signatures of `pack`."""
    header, code = content.split(b"\n", 1)
    return code, json.loads(header)


def joined(contents: Sequence[bytes]) -> bytes:
    """Several packed objects, each behind its length as 8 bytes."""
    return b"".join(len(content).to_bytes(8, "big") + content for content in contents)


def split(output: bytes) -> list[bytes]:
    """The objects of `joined`."""
    contents, place = [], 0
    while place < len(output):
        size = int.from_bytes(output[place : place + 8], "big")
        place += 8 + size
        contents.append(output[place - size : place])
    if place != len(output):
        raise RuntimeError("the compiling process wrote something else than objects")
    return contents
