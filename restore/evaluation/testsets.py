"""Test sets: folders of lossless photographs, among them the usual ones of the literature, found by their names."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError, opened_image

__all__ = ["KNOWN_SETS", "TestSet", "find_set", "load_image"]

# Name in the literature: (other names of its folder, number of images of the complete set).
KNOWN_SETS: dict[str, tuple[tuple[str, ...], int]] = {
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
_IMAGE_FOLDERS = ("refimgs", "original", "hr", "gt", "gtmod12", "images")  # subfolders with the originals in archives
_SUFFIXES = frozenset({".png", ".bmp", ".tif", ".tiff", ".ppm", ".pgm"})  # lossless: a JPEG file is not an original
_MODES = frozenset({"1", "L", "P", "RGB"})  # modes of Pillow with 8 bits or fewer and no transparency


@dataclass(frozen=True)
class TestSet:
    """A set of original images.

    Parameters
    ----------
    name : str
        Name in the literature where the set is known, else the name of the folder.
    paths : tuple of Path
        Files of the images, sorted by name; at least one.
    expected : int or None
        Number of images of the complete set, if it is known.
    """

    __test__ = False  # pytest must not collect it as a test class

    name: str
    paths: tuple[Path, ...]
    expected: int | None = None


def find_set(name_or_folder: str | Path, data: Path | None = None) -> TestSet:
    """Find a test set by its folder, or by its name below a folder of data sets.

    Parameters
    ----------
    name_or_folder : str or path
        A folder, such as ``sets/live1/refimgs``; or a name in upper or lower case, such as ``LIVE1``.
    data : path, optional
        Folder of data sets, in which names are searched.

    Raises
    ------
    InvalidInputError
        If there is no such folder, or no lossless image in it.
    """
    folder = _find_folder(Path(name_or_folder), data)
    name = _known_name(folder)
    for candidate in (folder, *_subfolders(folder)):
        paths = tuple(sorted(path for path in candidate.iterdir() if path.suffix.lower() in _SUFFIXES))
        if paths:
            return TestSet(name or folder.name, paths, KNOWN_SETS[name][1] if name else None)
    raise InvalidInputError(f"{folder} has no originals; expected {', '.join(sorted(_SUFFIXES))}")


def load_image(path: Path, *, colour: bool) -> npt.NDArray[np.uint8]:
    """Load an original image: RGB, or its luminance.

    Parameters
    ----------
    path : path
        A file with at most 8 bits per sample.
    colour : bool
        True: RGB. False: Y of T.871 (full range), rounded to whole numbers.

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


def _find_folder(name_or_folder: Path, data: Path | None) -> Path:
    """The folder of a test set: the given folder itself, or the one with this name below `data`."""
    if name_or_folder.is_dir():
        return name_or_folder
    if data is not None and data.is_dir() and len(name_or_folder.parts) == 1:
        set_name = _known_name(name_or_folder) or name_or_folder.name
        for child in _subfolders(data, names=None):
            if (_known_name(child) or child.name).lower() == set_name.lower():
                return child
    where = f"or a set in {data}" if data is not None else "or a name with --data"
    raise InvalidInputError(f"no folder {name_or_folder}; expected a folder of originals {where}")


def _known_name(folder: Path) -> str | None:
    """The known set with the name of this folder, or, as for ``live1/refimgs``, of its parent; or None."""
    folder_names = [folder.name.lower()]
    if folder_names[0] in _IMAGE_FOLDERS:
        folder_names.append(folder.resolve().parent.name.lower())
    for name, (aliases, _) in KNOWN_SETS.items():
        if any(folder_name in (name.lower(), *aliases) for folder_name in folder_names):
            return name
    return None


def _subfolders(folder: Path, names: tuple[str, ...] | None = _IMAGE_FOLDERS) -> list[Path]:
    """The subfolders, sorted by name: those with one of the names (in lower case), or all of them for None."""
    folders = sorted(path for path in folder.iterdir() if path.is_dir())
    return [path for path in folders if names is None or path.name.lower() in names]
