"""Test sets: folders of photographs that the papers measure on, known by their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError, opened_image

__all__ = ["KNOWN", "TestSet", "find_set", "load_image"]

# Name as papers write it, other names of its folder, and how many images it has when complete.
KNOWN: dict[str, tuple[tuple[str, ...], int]] = {
    "Set5": ((), 5),
    "Set12": ((), 12),
    "Set14": ((), 14),
    "BSD68": (("cbsd68",), 68),
    "BSD100": (("b100",), 100),
    "Classic5": (("classic-5",), 5),
    "LIVE1": (("live-1",), 29),
    "Kodak": (("kodak24", "kodim"), 24),
    "McMaster": (("mcm", "mcm18"), 18),
    "Urban100": ((), 100),
    "ICB": ((), 15),
    "DIV2K": (("div2k_valid_hr",), 100),
}
_PARTS = ("refimgs", "original", "hr", "gt", "gtmod12", "images")  # where archives put the originals in their folder
_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})  # lossless: a JPEG is no original
_MODES = frozenset({"1", "L", "P", "RGB"})  # of Pillow: 8 bits or fewer, without transparency


@dataclass(frozen=True)
class TestSet:
    """Originals to measure on.

    Parameters
    ----------
    name : str
        As papers write it, or that of the folder.
    paths : tuple of Path
        Images in the order of their names, at least one.
    expected : int or None
        How many the set has when complete, where that is known.
    """

    __test__ = False  # it is no test of pytest

    name: str
    paths: tuple[Path, ...]
    expected: int | None = None


def find_set(given: str | Path, data: Path | None = None) -> TestSet:
    """A test set by its folder, or by its name below a folder of data sets.

    Parameters
    ----------
    given : str or path
        A folder, such as ``sets/live1/refimgs``; or a name in any case, such as ``LIVE1``.
    data : path, optional
        Folder of data sets, in which a name is looked for.

    Raises
    ------
    InvalidInputError
        If there is no such folder, or no lossless image in it.
    """
    folder = _folder(Path(given), data)
    name = _known_name(folder)
    for candidate in (folder, *_children(folder)):
        paths = tuple(sorted(path for path in candidate.iterdir() if path.suffix.lower() in _SUFFIXES))
        if paths:
            return TestSet(name or folder.name, paths, KNOWN[name][1] if name else None)
    raise InvalidInputError(f"{folder} has no originals; expected {', '.join(sorted(_SUFFIXES))}")


def load_image(path: Path, *, colour: bool) -> npt.NDArray[np.uint8]:
    """An original as it is encoded: RGB, or its luminance.

    Parameters
    ----------
    path : path
        An image of 8 bits a sample.
    colour : bool
        RGB; otherwise Y of T.871 (full range), rounded, which is what gray figures are measured on.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3) or (height, width)

    Raises
    ------
    InvalidInputError
        If the file cannot be read, has more than 8 bits, or transparency.
    """
    with opened_image(path) as file:
        if file.mode not in _MODES:
            raise InvalidInputError(f"the image has the mode {file.mode}; expected gray or RGB of 8 bits")
        return np.asarray(file.convert("RGB" if colour else "L"))


def _folder(given: Path, data: Path | None) -> Path:
    """The folder meant, itself or below that of the data sets."""
    if given.is_dir():
        return given
    if data is not None and data.is_dir() and len(given.parts) == 1:
        wanted = _known_name(given) or given.name
        for child in _children(data, parts=None):
            if (_known_name(child) or child.name).lower() == wanted.lower():
                return child
    where = f"or a set in {data}" if data is not None else "or a name with --data"
    raise InvalidInputError(f"no folder {given}; expected a folder of originals {where}")


def _known_name(folder: Path) -> str | None:
    """The set that a folder, or for ``live1/refimgs`` the one above it, is named after."""
    names = [folder.name.lower()]
    if names[0] in _PARTS:
        names.append(folder.resolve().parent.name.lower())
    for name, (others, _) in KNOWN.items():
        if any(each in (name.lower(), *others) for each in names):
            return name
    return None


def _children(folder: Path, parts: tuple[str, ...] | None = _PARTS) -> list[Path]:
    """Folders below, in the order of names; those only where archives put originals, unless ``parts`` is None."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path for path in folders if parts is None or path.name.lower() in parts]
