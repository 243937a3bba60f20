"""Files that hold a value: what is loaded is saved, and loaded again as the same; everything else is refused.

A format that is yet to come becomes one `Document` here.
"""

from __future__ import annotations

import atexit
import dataclasses
import io
import json
import random
import tempfile
import warnings
import zipfile
from collections.abc import Callable, Iterable, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

import numpy as np

import optcodec
import restore
from optcodec import QuantTable
from optcodec.batch.manifest import read_earlier
from optcodec.batch.rows import COLUMNS
from optcodec.blocks.profile import load_utility_profile
from optcodec.blocks.qpnet import load_qpnet, save_qpnet
from optcodec.errors import OptcodecError
from optcodec.jpeg.table_files import load_tables, save_tables, tables_subsampling, to_pillow
from optcodec.vision.profile import load_profile
from restore.training.recipe import load_recipe
from tests.fuzz.answers import changed_jpeg, without_numbers
from tests.fuzz.jpeg_damage import damaged_bytes
from tests.fuzz.jpeg_seeds import seed_files
from tests.fuzz.json_damage import changed_json
from tests.fuzz.kinds import Kind

__all__ = ["KINDS", "scratch_folder"]


@dataclasses.dataclass(frozen=True)
class Document:
    """A format.

    Parameters
    ----------
    seeds : callable
        Files that are right.
    change : callable
        Makes another file of one of them.
    load, save : callable
        Of a path; of a value and a path.
    suffix : str
        Of the file that is loaded.
    saved_as : tuple of str
        Suffixes of files that are saved.
    """

    seeds: Callable[[], tuple[bytes, ...]]
    change: Callable[[bytes, random.Random], bytes]
    load: Callable[[Path], Any]
    save: Callable[[Any, Path], None]
    suffix: str = ".json"
    saved_as: tuple[str, ...] = (".json",)

    def check(self, data: bytes) -> str:
        """Load, save and load again."""
        place = scratch_folder() / f"input{self.suffix}"
        place.write_bytes(data)
        try:
            value = self.load(place)
        except OptcodecError as error:
            return f"refused: {without_numbers(error).replace(without_numbers(place), 'FILE')}"
        for suffix in self.saved_as:
            saved = place.with_name(f"saved{suffix}")
            self.save(value, saved)
            assert same(self.load(saved), value), f"loaded again from {suffix}, the value is another"
        return "loaded, saved and loaded again"


@cache
def scratch_folder() -> Path:
    """A folder for files of this process."""
    folder = tempfile.TemporaryDirectory(prefix="optcodec-fuzz-")
    atexit.register(folder.cleanup)
    return Path(folder.name)


def same(one: Any, other: Any) -> bool:
    """Whether two values are equal, whatever arrays, mappings and values of ours they consist of."""
    if isinstance(one, np.ndarray):
        return isinstance(other, np.ndarray) and one.dtype == other.dtype and np.array_equal(one, other)
    if type(one) is not type(other):
        return False
    if dataclasses.is_dataclass(one):
        return all(same(getattr(one, item.name), getattr(other, item.name)) for item in dataclasses.fields(one))
    if isinstance(one, Mapping):
        return one.keys() == other.keys() and all(same(one[key], other[key]) for key in one)
    if isinstance(one, (list, tuple)):
        return len(one) == len(other) and all(map(same, one, other))
    return bool(one == other or (one != one and other != other))  # NaN, which JSON may hold, equals nothing


def _data_files(package: Any, pattern: str) -> tuple[bytes, ...]:
    """Files that come with a package."""
    return tuple(path.read_bytes() for path in sorted(Path(package.__file__).parent.glob(f"data/{pattern}")))


# ---- Quantization tables ---------------------------------------------------------------------------------------------


@cache
def _table_files() -> tuple[bytes, ...]:
    tables = [QuantTable(np.arange(64).reshape(8, 8) * 3 + first) for first in (1, 40, 66)]
    place, files = scratch_folder() / "seed", []
    for count, suffix in ((1, ".json"), (3, ".json"), (2, ".txt")):
        save_tables(tables[:count], place.with_suffix(suffix), subsampling="4:2:0" if count == 1 else None)
        files.append(place.with_suffix(suffix).read_bytes())
    lists = [table.steps.ravel().tolist() for table in tables[:2]]
    return (*files, json.dumps(lists).encode(), json.dumps(dict(enumerate(lists))).encode(), *seed_files()[:2])


def _changed_tables(data: bytes, source: random.Random) -> bytes:
    if data.startswith(b"\xff\xd8"):
        return changed_jpeg(data, source)
    if data.startswith((b"{", b"[")):
        return changed_json(data, source)
    words = data.split(b" ")
    for _ in range(source.choice([0, 1, 2])):
        words[source.randrange(len(words))] = source.choice(
            [
                b"",
                b"0",
                b"256",
                b"-1",
                b"1.5",
                b"9" * 5000,
                b"\xd9\xa3",
                b"#",
                b"\n\n",
                b"\x0b7",
                b"1e2",
                b"\0",
                b"7\x1c7",
            ]
        )
    return b" ".join(words) if source.random() < 0.5 else damaged_bytes(b" ".join(words), source)


def _loaded_tables(path: Path) -> tuple[QuantTable, ...]:
    try:
        return load_tables(path)
    finally:
        tables_subsampling_of(path)


def tables_subsampling_of(path: Path) -> str | None:
    """The subsampling that a file names; None where it is refused for that."""
    try:
        return tables_subsampling(path)
    except OptcodecError:
        return None


# ---- Networks for blocks ---------------------------------------------------------------------------------------------


def _changed_archive(data: bytes, source: random.Random) -> bytes:
    """An .npz with members changed, missing, doubled or packed; or with bytes changed."""
    members = _members(data) if source.random() < 0.6 else []
    if not members:
        return damaged_bytes(data, source)
    for _ in range(source.choice([1, 1, 2])):
        index = source.randrange(len(members))
        if source.random() < 0.5:
            index = next((at for at, (name, _) in enumerate(members) if name == "header.npy"), index)
        name, content = members[index]
        changed = _changed_member(name, content, source)
        members[index : index + 1] = source.choice([
            [(name, changed)], [(name, changed)], [(name, changed)], [], [(name, content), (name, changed)],
            [(source.choice(["x.npy", "../a.npy", "header.npy", "/"]), content)],
        ])  # fmt: skip
        if not members:
            break
    file = io.BytesIO()
    packing = source.choice([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_LZMA])
    with warnings.catch_warnings(), zipfile.ZipFile(file, "w", packing) as archive:
        warnings.simplefilter("ignore", UserWarning)  # a name may be there twice
        for name, content in members:
            archive.writestr(zipfile.ZipInfo(name), content, packing)  # with a date that is always the same
    return file.getvalue() if source.random() < 0.8 else damaged_bytes(file.getvalue(), source)


def _members(data: bytes) -> list[tuple[str, bytes]]:
    """Names and contents; none where the archive is broken."""
    try:
        with zipfile.ZipFile(io.BytesIO(data)) as archive:
            return [(name, archive.read(name)) for name in archive.namelist()]
    except Exception:  # zipfile raises almost anything on a broken file
        return []


def _changed_member(name: str, content: bytes, source: random.Random) -> bytes:
    """An array with another header, or other values; of the JSON header, other JSON."""
    start = content.find(b"\n") + 1
    if name == "header.npy" and source.random() < 0.8:
        text = np.frombuffer(changed_json(content[start:], source), np.uint8)
        file = io.BytesIO()
        np.save(file, text)
        return file.getvalue()
    way = source.randrange(4)
    if way == 0:
        return damaged_bytes(content[:start], source) + content[start:]
    if way == 1:
        return content[:start] + damaged_bytes(content[start:], source)
    if way == 2:
        return content[:start] + np.float32(source.choice([np.nan, np.inf, 1e38])).tobytes() + content[start + 4 :]
    return content.replace(*source.choice([
        (b"'<f4'", b"'>f4'"), (b"'<f4'", b"'|O8'"), (b"'<f4'", b"'<f8'"), (b"'<f4'", b"'<V4'"), (b"False", b"True "),
        (b"\x01\x00", b"\x02\x00"), (b"shape", b"shap3"), (b"{", b"[" * 90), (b"(", b"(-"), (b"16,", b"9**9**9,"),
        (b"(16", b"(99999999999999"),
    ]), 1)  # fmt: skip


# ---- Manifests of data sets ------------------------------------------------------------------------------------------


def _manifest_files() -> tuple[bytes, ...]:
    empty = dict.fromkeys(COLUMNS) | {"warnings": []}
    named = {"source": "in/a.png", "output": "out/a.jpg"}
    size = {"source_nbytes": 700, "nbytes": 300, "width": 24, "height": 16, "bpp": 6.25, "psnr_db": 34.5}
    rows = [
        empty | named | size | {"state": "coded", "seconds": 0.01, "warnings": ["left out Exif"], "sha256": "ab" * 32},
        empty | named | {"source": "in/b.jpg", "state": "failed", "error": "no such file"},
        empty | named | {"source": "in/c\udcff.tar", "state": "shard", "nbytes": 10240},
    ]
    run: dict[str, Any] = {"optcodec": "0.1.0", "options": {"--quality": 80, "--weights": ["a"]}, "tables": None}
    shared = run | {"tables": to_pillow([QuantTable(np.full((8, 8), 7))])}
    return _lines([{"run": run}, *rows]), _lines([{"run": run}, rows[1], {"run": shared}, *rows])


def _lines(entries: Iterable[Any]) -> bytes:
    return "".join(json.dumps(entry) + "\n" for entry in entries).encode()


def _changed_lines(data: bytes, source: random.Random) -> bytes:
    """A line changed, doubled or missing, the end missing, or any bytes changed."""
    lines = data.splitlines(keepends=True)
    way = source.randrange(8)
    if not lines or way == 0:
        return damaged_bytes(data, source)
    if way == 1:
        return data[: source.randrange(len(data) + 1)]
    index = source.randrange(len(lines))
    if way == 2:
        return b"".join(lines[:index] + lines[index + 1 :])
    if way == 3:
        return b"".join([*lines, lines[index]])
    lines[index] = changed_json(lines[index], source).replace(b"\n", b" ") + b"\n"
    return b"".join(lines)


def _loaded_manifest(path: Path) -> Any:
    earlier = read_earlier(path)
    return earlier.run, earlier.rows


def _save_manifest(value: Any, path: Path) -> None:
    run, rows = value
    path.write_bytes(_lines(([{"run": run}] if run else []) + list(rows.values())))


# ---- All of them -----------------------------------------------------------------------------------------------------


def _loaded_recipe(path: Path) -> Any:
    """The recipe as JSON has it, where a tuple is a list."""
    return json.loads(json.dumps(load_recipe(str(path)).to_json()))


def _write_json(value: Any, path: Path) -> None:
    path.write_text(json.dumps(value))


def _saved(value: Any, path: Path) -> None:
    value.save(path)


DOCUMENTS = {
    "tables": Document(_table_files, _changed_tables, _loaded_tables, save_tables, saved_as=(".json", ".txt")),
    "profile": Document(partial(_data_files, optcodec, "*.json"), changed_json, load_profile, _saved),
    "utility": Document(partial(_data_files, optcodec, "utility/*.json"), changed_json, load_utility_profile, _saved),
    "qpnet": Document(
        partial(_data_files, optcodec, "qpnet/*.npz"), _changed_archive, load_qpnet, save_qpnet, ".npz", (".npz",)
    ),
    "manifest": Document(
        _manifest_files, _changed_lines, _loaded_manifest, _save_manifest, ".jsonl", saved_as=(".jsonl",)
    ),
    "recipe": Document(partial(_data_files, restore, "recipes/*.json"), changed_json, _loaded_recipe, _write_json),
}
KINDS = {
    name: Kind(document.seeds, document.change, document.check, document.suffix) for name, document in DOCUMENTS.items()
}
