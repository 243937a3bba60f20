"""Originals and the files that were coded from them: two folders, matched by the paths of their files."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from optcodec.errors import InvalidInputError
from optcodec.vision.datasets import LabelledImage, find_images, read_labels

__all__ = ["Pair", "Unpaired", "find_pairs"]


@dataclass(frozen=True)
class Pair:
    """An original, the file that was coded from it, and its class.

    Parameters
    ----------
    name : str
        Path of the original within its folder, with ``/`` between folders.
    before, after : Path
        The original and the coded file.
    label : int or None
        Class index; None if there are no labels.
    """

    name: str
    before: Path
    after: Path
    label: int | None


@dataclass(frozen=True)
class Unpaired:
    """A file that cannot be compared, and the reason."""

    path: Path
    reason: str


def find_pairs(before: Path, after: Path, labels: str | Path = "self") -> tuple[list[Pair], list[Unpaired]]:
    """Match originals and coded files: those whose paths within the two folders differ by the suffix at most.

    Parameters
    ----------
    before, after : Path
        Folders of the originals and of the coded files, neither within the other. Files with the suffix of an image
        count, those in subfolders, too.
    labels : str or Path
        As in `optcodec.vision.datasets.find_images`, for the originals. A CSV file may name other files as well.

    Returns
    -------
    tuple of (list of Pair, list of Unpaired)
        In the order of their names. Unpaired are files without counterpart or label, and those of which several have
        the same path apart from the suffix.

    Raises
    ------
    InvalidInputError
        If a folder has no images or lies within the other, or the labels cannot be read or are those of other files.
    """
    _check_apart(before, after)
    originals = _by_stem(before, _labelled(before, labels))
    coded = _by_stem(after, find_images(after, "self"))
    pairs: list[Pair] = []
    unpaired: list[Unpaired] = []
    for stem, images in originals.items():
        results = coded.pop(stem, [])
        reason = _problem(stem, images, results, before, after) or _without_label(images[0], labels)
        if reason:
            unpaired += [Unpaired(image.path, reason) for image in images]
        else:
            name = images[0].path.relative_to(before).as_posix()
            pairs.append(Pair(name, images[0].path, results[0].path, images[0].label))
    for stem, results in coded.items():
        reason = f"has no original; expected one named {stem} with any suffix in {before}"
        unpaired += [Unpaired(image.path, reason) for image in results]
    return pairs, unpaired


def _check_apart(before: Path, after: Path) -> None:
    first, second = before.resolve(), after.resolve()
    if first == second:
        raise InvalidInputError(f"originals and coded files lie in one folder, {before}; expected two")
    if first in second.parents or second in first.parents:
        raise InvalidInputError(
            f"of {before} and {after}, one lies within the other, so that it is not clear which files are originals; "
            "expected folders beside one another"
        )


def _labelled(folder: Path, labels: str | Path) -> list[LabelledImage]:
    """All originals; those whose class is not known have none."""
    if labels in ("self", "folders"):
        return find_images(folder, labels)
    images = find_images(folder, "self")
    classes = read_labels(Path(labels))
    names = [image.path.relative_to(folder).as_posix() for image in images]
    if not any(name in classes for name in names):
        raise InvalidInputError(f"{labels} has labels of other files; expected names such as {names[0]}")
    return [LabelledImage(image.path, classes.get(name)) for image, name in zip(images, names, strict=True)]


def _by_stem(folder: Path, images: Sequence[LabelledImage]) -> dict[str, list[LabelledImage]]:
    """The images by their paths within a folder, without suffix."""
    groups: dict[str, list[LabelledImage]] = defaultdict(list)
    for image in images:
        groups[image.path.relative_to(folder).with_suffix("").as_posix()].append(image)
    return dict(groups)


def _problem(
    stem: str, images: Sequence[LabelledImage], results: Sequence[LabelledImage], before: Path, after: Path
) -> str | None:
    """Why originals of one name cannot be matched; None if they can."""
    for folder, what, group in ((before, "originals", images), (after, "coded files", results)):
        if len(group) > 1:
            names = " and ".join(image.path.name for image in group)
            return f"{folder} has {len(group)} {what} of one name without suffix, {names}; expected one"
    return None if results else f"has no coded file; expected one named {stem} with any suffix in {after}"


def _without_label(image: LabelledImage, labels: str | Path) -> str | None:
    if labels == "self" or image.label is not None:
        return None
    return f"has no label; expected a row for it in {labels}"
