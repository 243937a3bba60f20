"""Tar files, as WebDataset has them: pictures are coded, all other members are copied, and the order stays."""

from __future__ import annotations

import copy
import gzip
import io
import shutil
import tarfile
import zlib
from collections.abc import Generator, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePath, PurePosixPath
from tempfile import TemporaryDirectory
from typing import BinaryIO

from optcodec.batch.names import SuffixRule, output_names
from optcodec.batch.places import Member, Place, Store, copied, opened, whole
from optcodec.batch.run import Done, Failure
from optcodec.batch.sources import Found, has_suffix, is_compressed
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.files import PART_START
from optcodec.pictures.opening import IMAGE_SUFFIXES, first_line

__all__ = ["Shard", "fetched", "pictures_in", "read_shard", "unpacked", "write_shard"]


@dataclass(frozen=True)
class Shard:
    """The members of a tar file.

    Parameters
    ----------
    place : Path or Url
        The tar file.
    local : Path
        The same on this machine, without compression.
    infos : sequence of TarInfo
        All members, in their order.
    pictures : sequence of Member
        Those that are pictures, by their suffix.
    names : sequence of str
        The names of the coded pictures.
    """

    place: Store
    local: Path
    infos: Sequence[tarfile.TarInfo]
    pictures: Sequence[Member]
    names: Sequence[str]

    @property
    def others(self) -> int:
        """Number of files that are no pictures."""
        return sum(info.isfile() for info in self.infos) - len(self.pictures)


@contextmanager
def fetched(place: Store) -> Iterator[Path]:
    """A tar file on this machine while the block runs: the same, or a copy in the system's temporary folder.

    Its members are read in any order, some more than once, and what is far away is only read once like this.

    Raises
    ------
    DiskFullError, InvalidInputError
        If it cannot be copied.
    """
    if isinstance(place, Path):
        yield place
        return
    with TemporaryDirectory(prefix=PART_START) as folder:
        path = Path(folder) / place.name
        copied(place, path)
        yield path


@contextmanager
def unpacked(near: Path, place: Store) -> Iterator[Path]:
    """A tar file without compression while the block runs: the same, or a file in the system's temporary folder.

    Parameters
    ----------
    near : Path
        The tar file on this machine, see `fetched`.
    place : Path or Url
        Where it comes from, for messages.

    Raises
    ------
    DiskFullError, InvalidInputError
        If it cannot be decompressed.
    """
    if not is_compressed(near):
        yield near
        return
    with TemporaryDirectory(prefix=PART_START) as folder:
        path = Path(folder) / "shard.tar"
        with opened(near) as file, whole(path) as new:
            try:
                with gzip.open(file) as content:
                    shutil.copyfileobj(content, new)
            except (gzip.BadGzipFile, EOFError, zlib.error) as error:
                raise InvalidInputError(f"{place}: expected a tar file in gzip: {first_line(error)}") from None
        yield path


@contextmanager
def pictures_in(found: Found) -> Iterator[tuple[dict[Place, PurePath], list[Failure]]]:
    """All pictures of a data set, which can be read in any order while the block runs.

    Tar files that are compressed are decompressed for this, all of them, into the system's temporary folder.

    Yields
    ------
    tuple of (dict, list of Failure)
        The files, then the members of tar files, in their order. Each has its relative name, in which that of its tar
        file is a folder. And the tar files that cannot be read.
    """
    names: dict[Place, PurePath] = {item.source: item.name for item in found.pictures}
    failures: list[Failure] = []
    with ExitStack() as stack:
        for item in found.shards:
            try:
                names |= {member: item.name / member.name for member in _members(item.source, stack)}
            except OptcodecError as error:
                failures.append(Failure.of(item.source, error))
        yield names, failures


def _members(place: Store, stack: ExitStack) -> list[Member]:
    """The pictures of a tar file, which is decompressed until the stack ends."""
    local = place
    if is_compressed(PurePosixPath(place.name)):
        local = stack.enter_context(unpacked(stack.enter_context(fetched(place)), place))
    with _tar(local, place) as tar:
        return _pictures(place, local, _infos(tar))


def read_shard(place: Store, local: Path, rule: SuffixRule | None) -> Shard:
    """Read which members a tar file has.

    Parameters
    ----------
    place : Path or Url
        A tar file.
    local : Path
        The same on this machine, without compression; see `unpacked`.
    rule : {"keep", "number"}, optional
        As of `optcodec.batch.names.output_names`.

    Raises
    ------
    InvalidInputError
        If it is no such file, ends early, or two of its members would have one name.
    """
    with _tar(local, place) as tar:
        infos = _infos(tar)
    pictures = _pictures(place, local, infos)
    names = [str(name) for name in output_names([PurePosixPath(picture.name) for picture in pictures], rule)]
    source_of: dict[str, str] = {info.name: info.name for info in infos if info.isfile() and not _is_picture(info)}
    for picture, name in zip(pictures, names, strict=True):
        if name in source_of:
            both = f"{source_of[name]} and {picture.name} would both be written to {name}"
            raise InvalidInputError(f"{place}: {both}; expected two names, or --suffix keep or number")
        source_of[name] = picture.name
    return Shard(place, local, infos, pictures, names)


def write_shard(
    shard: Shard, target: Store, outcomes: Iterator[Done | Failure], *, copy_others: bool
) -> Generator[tuple[Place, Done | Failure], None, None]:
    """Write a tar file with the coded pictures; it appears when the iteration ends, complete or not at all.

    Parameters
    ----------
    shard : Shard
        The tar file that is read.
    target : Path or Url
        The new one.
    outcomes : iterator of Done or Failure
        For each picture, in the order of `Shard.pictures`. A picture that failed is left out.
    copy_others : bool
        Copy members that are no pictures, or leave out the files among them.

    Yields
    ------
    tuple of (Member, Done or Failure)
        What became of each picture, once it is written.
    """
    pictures = iter(zip(shard.pictures, shard.names, outcomes, strict=True))
    with _tar(shard.local, shard.place) as source, whole(target) as file, tarfile.open(fileobj=file, mode="w") as tar:
        for info in shard.infos:
            if _is_picture(info):
                member, name, outcome = next(pictures)
                if isinstance(outcome, Done):
                    tar.addfile(_renamed(info, name, len(outcome.data)), io.BytesIO(outcome.data))
                yield member, replace(outcome, data=b"") if isinstance(outcome, Done) else outcome
            elif copy_others or not info.isfile():
                tar.addfile(_renamed(info, info.name, info.size), _content(source, info))


def _infos(tar: tarfile.TarFile) -> list[tarfile.TarInfo]:
    """All members. A hard link is a file with the content of the one that it names, which may get another name."""
    infos: list[tarfile.TarInfo] = []
    files: dict[str, tarfile.TarInfo] = {}
    for member in tar.getmembers():
        info = member
        if member.islnk() and member.linkname in files:
            info = copy.copy(files[member.linkname])
            info.name, info.pax_headers = member.name, member.pax_headers
        if info.isfile():
            files[info.name] = info
        infos.append(info)
    return infos


def _pictures(place: Store, local: Store, infos: Sequence[tarfile.TarInfo]) -> list[Member]:
    path = local if isinstance(local, Path) and local != place else None
    return [Member(place, info.name, info.offset_data, info.size, path) for info in infos if _is_picture(info)]


@contextmanager
def _tar(local: Store, place: Store) -> Iterator[tarfile.TarFile]:
    """Open a tar file that is not compressed; errors are about its place."""
    with opened(local) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as tar:
                yield tar
        except tarfile.TarError as error:
            raise InvalidInputError(f"{place}: expected a tar file without compression: {first_line(error)}") from None


def _content(source: tarfile.TarFile, info: tarfile.TarInfo) -> BinaryIO | None:
    return source.extractfile(info) if info.isfile() else None  # type: ignore[return-value]


def _is_picture(info: tarfile.TarInfo) -> bool:
    return info.isfile() and not info.issparse() and has_suffix(PurePosixPath(info.name), IMAGE_SUFFIXES)


def _renamed(info: tarfile.TarInfo, name: str, nbytes: int) -> tarfile.TarInfo:
    """A header with all that another one says, apart from name and size."""
    renamed = copy.copy(info)
    renamed.name, renamed.size = name, nbytes
    renamed.pax_headers = {key: text for key, text in info.pax_headers.items() if key not in ("path", "size")}
    if info.issparse():
        renamed.type, renamed.pax_headers = tarfile.REGTYPE, {}
    return renamed
