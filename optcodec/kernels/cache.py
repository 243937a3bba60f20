"""Object files of kernels: compiled once, kept under the user's cache folder.

The name of an object is a hash of everything that it depends on: the source of all kernels it contains, the version of
the compiler, the processor and its features. Where the cache cannot be written or read, the kernels are compiled again
in each process; the results are the same.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import stat
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from itertools import chain
from pathlib import Path

from optcodec.kernels.target import processor

__all__ = ["joined_packed", "objects", "pack", "split_packed", "unpack"]

Object = tuple[bytes, dict[str, str]]  # machine code, and the text of each kernel's signature by name


def objects(stems: Sequence[str]) -> list[Object]:
    """Objects of several files of kernels; what must be compiled is compiled side by side."""
    found = {stem: _read(_object_path(stem)) for stem in stems}
    missing = [stem for stem, cached in found.items() if cached is None]
    if missing:
        text = f"optcodec: compiling {', '.join(missing)} kernels for this processor (once)"
        print(text, file=sys.stderr, flush=True)
    for stem, content in _compile(missing).items() if missing else ():
        _write(_object_path(stem), content)
        found[stem] = unpack(content)
    return [cached for cached in found.values() if cached is not None]


def _compile(stems: Sequence[str]) -> dict[str, bytes]:
    """Packed objects, made side by side in processes of their own, one for each processor.

    There numba neither optimizes nor assembles every function by itself (``NUMBA_OPT=0``): `export` optimizes all of
    them together, which takes a third of the time; and the settings of a numba in this process do not matter.
    """
    if getattr(sys, "frozen", False) or not sys.executable:  # no interpreter to start
        from optcodec.kernels.export import build

        return {stem: pack(*build(stem)) for stem in stems}
    import subprocess

    environment = {**os.environ, "NUMBA_OPT": "0", "NUMBA_DISABLE_JIT": "0", "PYTHONPATH": os.pathsep.join(sys.path)}
    command = [sys.executable, "-m", "optcodec.kernels"]
    groups = _shared_out(stems, os.cpu_count() or 1)
    children = [  # a session of their own: Ctrl-C reaches this process alone, which then ends them
        subprocess.Popen([*command, *group], stdout=subprocess.PIPE, env=environment, start_new_session=True)
        for group in groups
    ]
    try:
        outputs = [child.communicate()[0] for child in children]
    except BaseException:
        for child in children:
            child.kill()
        raise
    if any(child.returncode for child in children):
        raise RuntimeError(f"the {', '.join(stems)} kernels could not be compiled; the messages above say why")
    contents = (split_packed(output, len(group)) for output, group in zip(outputs, groups, strict=True))
    return dict(zip(chain(*groups), chain(*contents), strict=True))


def _shared_out(stems: Sequence[str], most: int) -> list[list[str]]:
    """Groups that take about equally long, the largest file first; the length of its source stands for its time."""
    groups: list[list[str]] = [[] for _ in range(min(most, len(stems)))]
    loads = [0] * len(groups)
    weights = {stem: sum(map(len, _sources(stem, set()))) for stem in stems}
    for stem in sorted(stems, key=weights.__getitem__, reverse=True):
        place = loads.index(min(loads))
        groups[place].append(stem)
        loads[place] += weights[stem]
    return groups


@functools.cache
def _object_path(stem: str) -> Path:
    digest = hashlib.sha256(f"{sys.platform} {processor()}".encode())
    for source in [*_versions(), *_sources("export", set()), *_sources(stem, {"export"})]:
        digest.update(source)
    return _cache_folder() / f"{stem}-{digest.hexdigest()[:32]}.kernel"


def _versions() -> list[bytes]:
    """What changes with the versions of the compiler; importlib.metadata would take 10 ms to tell them."""
    places = (getattr(find_spec(package), "origin", None) for package in ("numba", "llvmlite"))
    return [(Path(str(place)).parent / "_version.py").read_bytes() for place in places]


def _sources(stem: str, seen: set[str]) -> list[bytes]:
    """Source of a kernel file and of all kernel files that it imports, whose functions become part of its code."""
    text = (Path(__file__).parent / f"{stem}.py").read_bytes()
    sources = [text]
    for name in re.findall(rb"^from optcodec\.kernels\.(\w+) import", text, re.MULTILINE):
        if name.decode() not in seen:
            seen.add(name.decode())
            sources += _sources(name.decode(), seen)
    return sources


def _cache_folder() -> Path:
    given = os.environ.get("OPTCODEC_CACHE")
    if given:
        return Path(given)
    if sys.platform == "win32":
        base = os.environ.get("LOCALAPPDATA") or Path.home() / "AppData" / "Local"
    elif sys.platform == "darwin":
        base = Path.home() / "Library" / "Caches"
    else:
        base = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    return Path(base) / "optcodec"


def _read(path: Path) -> Object | None:
    """Object and signatures; None where there is no whole file that only this user can have written."""
    try:
        status = path.stat()
        content = path.read_bytes()
    except OSError:
        return None
    if hasattr(os, "getuid") and (status.st_uid != os.getuid() or status.st_mode & (stat.S_IWGRP | stat.S_IWOTH)):
        return None
    digest, _, rest = content.partition(b"\n")
    return unpack(content) if hashlib.sha256(rest).hexdigest().encode() == digest else None


def pack(code: bytes, signatures: dict[str, str]) -> bytes:
    """One file: sha256 of the rest, newline, signatures as JSON, newline, object file."""
    body = json.dumps(signatures).encode() + b"\n" + code
    return hashlib.sha256(body).hexdigest().encode() + b"\n" + body


def unpack(content: bytes) -> Object:
    """Object and signatures of `pack`."""
    _, header, code = content.split(b"\n", 2)
    return code, json.loads(header)


def joined_packed(contents: Sequence[bytes]) -> bytes:
    """Several packed objects, each behind its length as 8 bytes."""
    return b"".join(len(content).to_bytes(8, "big") + content for content in contents)


def split_packed(output: bytes, count: int) -> list[bytes]:
    """The objects of `joined_packed`."""
    contents, place = [], 0
    for _ in range(count):
        size = int.from_bytes(output[place : place + 8], "big")
        contents.append(output[place + 8 : place + 8 + size])
        place += 8 + size
    return contents


def _write(path: Path, content: bytes) -> None:
    import tempfile

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(dir=path.parent)
        try:
            with os.fdopen(handle, "wb") as file:
                file.write(content)
            Path(name).replace(path)
        finally:
            Path(name).unlink(missing_ok=True)
    except OSError:
        return  # a read-only home: this process keeps what it compiled, the next compiles again
