"""The cache of compiled kernels: object files that are compiled once and stored in the user's cache folder.

The name of an object is a hash of everything that it depends on: the source of all kernels in it, the version of the
compiler, the processor and its features. If the cache cannot be written or read, kernels are compiled again in each
process; the results are the same.
"""

from __future__ import annotations

import functools
import hashlib
import re
import sys
from collections.abc import Sequence
from importlib.machinery import PathFinder
from importlib.util import find_spec
from pathlib import Path

from optcodec.kernels.notice import tell
from optcodec.kernels.processes import Object, compile_objects, pack, search_path, unpack
from optcodec.kernels.store import FolderError, cache_folder, make_folder, read_object, write_object
from optcodec.kernels.target import processor

__all__ = ["Object", "cached_objects", "exporting_stems", "objects"]

_FOLDER = Path(__file__).parent
_ADVICE = "OPTCODEC_CACHE names another folder"


def objects(stems: Sequence[str]) -> dict[str, Object]:
    """Return the objects of several files of kernels; those that are not in the cache are compiled in parallel."""
    available = cached_objects(stems)
    missing = [stem for stem in stems if stem not in available]
    if missing:
        folder = _prepare_folder(missing)
        compiled = compile_objects(missing, [sum(map(len, _sources(stem, set()))) for stem in missing])
        if folder:
            _store(folder, compiled)
        available.update(compiled)
    return available


def cached_objects(stems: Sequence[str]) -> dict[str, Object]:
    """Return those objects of some files of kernels that are in the cache."""
    try:
        folder = cache_folder()
    except FolderError:
        return {}
    contents = {stem: read_object(folder, _file_name(stem)) for stem in stems}
    return {stem: unpack(content) for stem, content in contents.items() if content is not None}


def exporting_stems() -> list[str]:
    """List all files of kernels that `optcodec.kernels.load` can load."""
    return [path.stem for path in sorted(_FOLDER.glob("*.py")) if re.search(rb"^@export\(", path.read_bytes(), re.M)]


def _prepare_folder(stems: Sequence[str]) -> Path | None:
    """Create the cache folder; return None if that fails. Tell the user what is compiled, and whether only once."""
    text = f"compiling {', '.join(stems)} kernels for this processor"
    try:
        folder = cache_folder()
        make_folder(folder)
    except FolderError as error:
        tell(f"{text}, in every process: {error}; {_ADVICE}")
        return None
    tell(f"{text} (once)")
    return folder


def _store(folder: Path, compiled: dict[str, Object]) -> None:
    try:
        for stem, (code, signatures) in compiled.items():
            write_object(folder, _file_name(stem), pack(code, signatures))
    except FolderError as error:
        tell(f"the kernels could not be kept: {error}; {_ADVICE}")


@functools.cache
def _file_name(stem: str) -> str:
    digest = hashlib.sha256(f"{sys.platform} {processor()}".encode())
    for source in [*_versions(), *_sources("export", set()), *_sources(stem, {"export"})]:
        digest.update(source)
    return f"{stem}-{digest.hexdigest()[:32]}.kernel"


def _versions() -> list[bytes]:
    """Read the files with the versions of numba and llvmlite, since importlib.metadata would take 10 ms."""
    path, versions = search_path(), []
    for package in ("numba", "llvmlite"):
        spec = PathFinder.find_spec(package, path) or find_spec(package)
        versions.append((Path(str(getattr(spec, "origin", None))).parent / "_version.py").read_bytes())
    return versions


def _sources(stem: str, seen: set[str]) -> list[bytes]:
    """Read the source of a kernel file and of all kernel files that it imports, which are compiled with it."""
    text = (_FOLDER / f"{stem}.py").read_bytes()
    sources = [text]
    for name in re.findall(rb"^from optcodec\.kernels\.(\w+) import", text, re.MULTILINE):
        if name.decode() not in seen:
            seen.add(name.decode())
            sources += _sources(name.decode(), seen)
    return sources
