"""Find the input images of a command, and choose the paths of its output files."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath
from typing import Any

import click

from optcodec.batch.names import check_targets
from optcodec.batch.places import Store
from optcodec.batch.sources import files_in, has_suffix
from optcodec.console.streams import STREAM, is_stdout
from optcodec.errors import InvalidInputError
from optcodec.files import check_writable
from optcodec.pictures.opening import IMAGE_SUFFIXES, JPEG_SUFFIXES

__all__ = [
    "IMAGE_SUFFIXES",
    "JPEG_SUFFIXES",
    "InputPath",
    "OutputPath",
    "Source",
    "check_folders",
    "check_jpeg_name",
    "check_suffix",
    "find_images",
    "folder_is_meant",
    "goes_to_folder",
    "note_folder",
    "output_paths",
]


@dataclass(frozen=True)
class Source:
    """An input file, and its path relative to the output folder; files of an input folder keep their subfolders."""

    path: Path
    name: Path


_FOLDER = "optcodec.console.files.folder"


def note_folder(ctx: click.Context | None, output: object) -> None:
    """Remember that an output was written with a slash at the end, which a `Path` does not keep."""
    if ctx is not None and isinstance(output, str) and output.endswith(("/", os.sep)):
        ctx.meta[_FOLDER] = True


def folder_is_meant() -> bool:
    """Whether the output of this command was written as a folder, which need not exist yet."""
    return bool(click.get_current_context().meta.get(_FOLDER))


class InputPath(click.Path):
    """The path of an input. No text is refused: it would stand for the current folder."""

    def __init__(self) -> None:
        super().__init__(path_type=Path)

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path that a text names."""
        if value == "":
            raise InvalidInputError("expected a file or a folder, got ''")
        return super().convert(value, param, ctx)


class OutputPath(InputPath):
    """The path of an output; see `folder_is_meant`."""

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> Any:
        """The path that a text names."""
        note_folder(ctx, value)
        return super().convert(value, param, ctx)


def find_images(inputs: Iterable[Path], suffixes: Sequence[str] = IMAGE_SUFFIXES) -> list[Source]:
    """Input files of a command line; every file is listed once.

    Parameters
    ----------
    inputs : iterable of Path
        Files, ``-`` for stdin, and folders. A folder stands for the files with one of the suffixes in it and its
        subfolders, in sorted order.
    suffixes : sequence of str
        In lower case; upper case in names of files matches too.

    Raises
    ------
    InvalidInputError
        If a folder has no such file. Whether the other files exist is not checked here.
    """
    sources: dict[Path, Source] = {}
    for item in inputs:
        if item == STREAM:
            sources[item] = Source(item, Path("stdin"))
            continue
        if not item.is_dir():
            sources.setdefault(item.absolute(), Source(item, Path(item.name)))
            continue
        images = [path for path in files_in(item) if has_suffix(path, suffixes)]
        if not images:
            raise InvalidInputError(f"{item}: no images in this folder; expected {', '.join(suffixes)}")
        for path in images:
            sources.setdefault(path.absolute(), Source(path, path.relative_to(item)))
    return list(sources.values())


def goes_to_folder(sources: Sequence[Source], inputs: Iterable[Path], output: Path) -> bool:
    """Whether the output is a folder: for several files, for an input that is a folder, or as it is written."""
    return len(sources) > 1 or any(path.is_dir() for path in (output, *inputs)) or folder_is_meant()


def output_paths(
    sources: Sequence[Source],
    output: Path | None,
    *,
    suffix: str,
    folder: bool,
    force: bool,
    earlier: Collection[str] = (),
) -> list[Path]:
    """Path of the output file for each input.

    Parameters
    ----------
    sources : sequence of Source
        From `find_images`.
    output : Path or None
        Value of ``-o``: a file or folder, or ``-`` for stdout; None to write each file beside its source.
    suffix : str
        Suffix of the output files, such as ``".jpg"``.
    folder : bool
        Whether ``output`` must be a folder, since several files are expected.
    force : bool
        Allow outputs to replace the inputs that they are made from, and, without ``output``, files that are no inputs.
    earlier : collection of str
        Files that an earlier run of the same job wrote, which may be replaced.

    Raises
    ------
    InvalidInputError
        If an output would replace an input, two outputs would have the same name, or one cannot be written.
    """
    if output is None:
        targets = [_beside(source.path, suffix) for source in sources]
    elif is_stdout(output):
        if folder:
            got = len(sources) if len(sources) > 1 else "a folder, a list or a tar file"
            raise InvalidInputError(f"stdout takes one image, got {got}; expected -o FOLDER")
        return [STREAM]
    elif folder or output.is_dir():
        targets = [output / source.name.with_suffix(suffix) for source in sources]
    else:
        targets = [output]
    check_targets([source.path for source in sources], targets, force=force)
    for target in [] if output is not None or force else targets:
        if target.exists() and str(target) not in earlier:
            raise InvalidInputError(f"{target} exists; expected an output named with -o, or --force to replace it")
    check_folders(targets)
    return targets


def check_folders(targets: Sequence[Path]) -> None:
    """Raise `InvalidInputError` before the work starts if a folder cannot be written to; each is checked once."""
    checked = targets if len(targets) == 1 else [target for target in targets if not target.is_dir()]
    for target in {target.parent: target for target in reversed(checked)}.values():
        check_writable(target)


def check_jpeg_name(output: Store | None) -> None:
    """Refuse the suffix of another format, such as .png, for a JPEG file; a name without a suffix is allowed.

    Raises
    ------
    InvalidInputError
        If the suffix is not that of a JPEG file, unless the path is a device or a pipe.
    """
    if output is None or PurePath(output.name).suffix.lower() in ("", *JPEG_SUFFIXES):
        return
    if isinstance(output, Path) and output.exists() and not output.is_file():
        return
    raise InvalidInputError(f"{output}: the output is a JPEG file; expected a name with {', '.join(JPEG_SUFFIXES)}")


def check_suffix(path: Path, suffixes: Sequence[str], hint: str = "-o/--output") -> None:
    """Raise a `click.BadParameter` of the option `hint` if the name of an output has another suffix."""
    if path.suffix.lower() not in suffixes:
        expected = " or ".join(suffixes) if len(suffixes) < 3 else f"one of {', '.join(suffixes)}"
        raise click.BadParameter(f"{path} should end in {expected}", param_hint=hint)


def _beside(path: Path, suffix: str) -> Path:
    if path == STREAM:
        raise InvalidInputError("the output cannot be written beside stdin; expected -o FILE, or -o - for stdout")
    beside = path.with_suffix(suffix)
    return path.with_suffix(f".opt{suffix}") if beside == path else beside
