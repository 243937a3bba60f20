"""Labelled images for a network: list those of a folder, draw a random sample, and read them in batches."""

from __future__ import annotations

import csv
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol, TypeVar

import numpy as np

from optcodec.errors import InvalidInputError
from optcodec.limits import MAX_PIXELS
from optcodec.pictures.opening import IMAGE_SUFFIXES
from optcodec.pictures.pixels import load_picture

if TYPE_CHECKING:
    from PIL import Image
    from torch import Tensor

__all__ = ["Labelled", "LabelledImage", "batches", "find_images", "read_labels", "readable", "sample"]


class Labelled(Protocol):
    """An image and its class index, like `LabelledImage`; its path may be any place that somebody can open."""

    @property
    def path(self) -> Any:
        """Where the image is."""

    @property
    def label(self) -> int | None:
        """Its class index; None if the model's own prediction is used as the label."""


_Labelled = TypeVar("_Labelled", bound=Labelled)


@dataclass(frozen=True)
class LabelledImage:
    """An image file and its class index; None if the model's own prediction is used as the label."""

    path: Path
    label: int | None


def find_images(folder: str | Path, labels: str | Path) -> list[LabelledImage]:
    """List the images of a data set with their labels, in the order of their names.

    Parameters
    ----------
    folder : str or path
        Searched with all its subfolders for files with the suffix of an image.
    labels : str or path
        ``"folders"``: the first subfolder in the path of an image names its class. If all these names are numbers, they
        are the class indices; otherwise classes are numbered from 0 in sorted order, as by torchvision's ImageFolder.
        ``"self"``: no labels; the model's own prediction is used.
        Otherwise a CSV file with a header and the columns ``file`` (relative to the folder) and ``class_index``; other
        images are left out.

    Raises
    ------
    InvalidInputError
        If there is no image, a label is missing or not a whole number, or a file in the CSV does not exist.
    """
    root = Path(folder)
    if not root.is_dir():
        raise InvalidInputError(f"expected a folder of images, got {str(folder)!r}")
    if labels not in ("self", "folders"):
        return _from_csv(root, Path(labels))
    paths = sorted(path for path in root.rglob("*") if path.suffix.lower() in IMAGE_SUFFIXES and path.is_file())
    if not paths:
        raise InvalidInputError(f"no images in {root}: expected files ending in {', '.join(IMAGE_SUFFIXES)}")
    if labels == "self":
        return [LabelledImage(path, None) for path in paths]
    return _from_folders(root, paths)


def sample(images: list[_Labelled], count: int | None, *, seed: int = 0) -> list[_Labelled]:
    """Draw images at random, as evenly as possible from all classes; the same seed draws the same images.

    Parameters
    ----------
    images : list of LabelledImage or the like
        All images.
    count : int, optional
        Number of images to draw; None for all.
    seed : int
        Seed of numpy's default generator.

    Returns
    -------
    list
        In random order: first one of each class, then a second one of each class that has two, and so on.

    Raises
    ------
    InvalidInputError
        If the count is below 1, or there are fewer images.
    """
    if count is not None and not 1 <= count <= len(images):
        raise InvalidInputError(f"expected a sample of 1 to {len(images)} images, got {count}")
    shuffled = [images[i] for i in np.random.default_rng(seed).permutation(len(images))]
    seen: dict[int | None, int] = {}
    turns = []
    for image in shuffled:
        turns.append(0 if image.label is None else seen.get(image.label, 0))
        seen[image.label] = seen.get(image.label, 0) + 1
    order = sorted(range(len(shuffled)), key=turns.__getitem__)
    return [shuffled[i] for i in order[:count]]


def readable(
    images: list[LabelledImage],
    on_unreadable: Callable[[Path, str], None],
    *,
    max_pixels: int | None = MAX_PIXELS,
) -> list[LabelledImage]:
    """Check which images can be decoded, before other work starts; those images.

    Parameters
    ----------
    images : list of LabelledImage
        Each is decoded once.
    on_unreadable : callable
        Called with the path of each unreadable file, and the reason.
    max_pixels : int or None
        Images with more pixels are treated as unreadable; None allows every size.
    """
    good = []
    for image in images:
        try:
            _open(image.path, max_pixels)
        except InvalidInputError as error:
            on_unreadable(image.path, str(error))
        else:
            good.append(image)
    return good


def batches(
    images: Sequence[LabelledImage],
    preprocess: Callable[[Image.Image], Tensor],
    *,
    size: int = 16,
    on_unreadable: Callable[[Path, str], None] | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> Iterator[tuple[Tensor, Tensor | None]]:
    """Read and preprocess images, and stack them to batches.

    Parameters
    ----------
    images : list of LabelledImage
        Either all with a label or all without one.
    preprocess : callable
        Turns an RGB Pillow image into a tensor, with the same shape for all images of a batch.
    size : int
        Images in a batch. The last batch may have fewer, and one with unreadable files has as many fewer: which images
        share a batch does not depend on whether others can be read.
    on_unreadable : callable, optional
        Called with the path of each unreadable file and the reason; the file is then left out. Without it, the first
        unreadable file raises an error.
    max_pixels : int or None
        Images with more pixels are treated as unreadable; None allows every size.

    Yields
    ------
    tuple of (Tensor, Tensor or None)
        Images (N, 3, H, W), and labels (N,) or None.

    Raises
    ------
    InvalidInputError
        If a file cannot be read and there is no `on_unreadable`.
    """
    import torch

    if size < 1:
        raise InvalidInputError(f"a batch holds at least 1 image, got {size}")
    for first in range(0, len(images), size):
        pixels: list[Tensor] = []
        labels: list[int | None] = []
        for image in images[first : first + size]:
            try:
                pixels.append(preprocess(_open(image.path, max_pixels)))
                labels.append(image.label)
            except InvalidInputError as error:
                if on_unreadable is None:
                    raise
                on_unreadable(image.path, str(error))
        if pixels:
            yield torch.stack(pixels), None if labels[0] is None else torch.tensor(labels)


def _open(path: Path, max_pixels: int | None) -> Image.Image:
    from PIL import Image

    try:
        pixels = load_picture(path, max_pixels=max_pixels).pixels
    except InvalidInputError as error:
        raise InvalidInputError(f"cannot read the image {error}") from None
    return Image.fromarray(pixels).convert("RGB")


def _from_folders(root: Path, paths: list[Path]) -> list[LabelledImage]:
    names = [path.relative_to(root).parts[0] for path in paths]
    loose = [path for path in paths if path.parent == root]
    if loose:
        raise InvalidInputError(f"expected one folder for each class in {root}, but {loose[0].name} lies in none")
    classes = sorted(set(names))
    numbered = all(name.isascii() and name.isdigit() for name in classes)
    indices = {name: int(name) if numbered else i for i, name in enumerate(classes)}
    return [LabelledImage(path, indices[name]) for path, name in zip(paths, names, strict=True)]


def _from_csv(root: Path, path: Path) -> list[LabelledImage]:
    images = [LabelledImage(root / file, label) for file, label in read_labels(path).items()]
    missing = [str(image.path) for image in images if not image.path.is_file()]
    if missing:
        raise InvalidInputError(f"{path} names {len(missing)} files that are not there: {', '.join(missing[:5])}")
    return sorted(images, key=lambda image: image.path)


def read_labels(path: Path) -> dict[str, int]:
    """Class indices by name of file, from a CSV file with a header and the columns ``file`` and ``class_index``.

    Raises
    ------
    InvalidInputError
        If the file cannot be read, has no such columns, or a class is not a whole number.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, ValueError, csv.Error) as error:
        reason = getattr(error, "strerror", None) or error
        raise InvalidInputError(
            f"labels are 'self', 'folders' or a CSV file; cannot read {str(path)!r}: {reason}"
        ) from None
    if not rows or not {"file", "class_index"} <= rows[0].keys():
        columns = ", ".join(map(str, rows[0])) if rows else "no rows"
        raise InvalidInputError(f"expected the columns file and class_index in {path}, found {columns}")
    labels = {}
    for line, row in enumerate(rows, 2):
        try:
            labels[row["file"]] = int(row["class_index"])
        except (TypeError, ValueError):
            raise InvalidInputError(
                f"{path}, line {line}: expected a class index, got {row['class_index']!r}"
            ) from None
    return labels
