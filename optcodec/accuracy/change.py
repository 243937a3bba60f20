"""What coding changed in one picture: its size in bytes, and what a network makes of it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.pairs import Pair
from optcodec.errors import InvalidInputError
from optcodec.notices import Notify
from optcodec.pictures.pixels import Picture, load_picture

__all__ = ["Change", "Network", "change_between", "change_of", "check_sizes", "measure_pair"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]


@dataclass(frozen=True)
class Change:
    """A picture before and after coding.

    Parameters
    ----------
    name : str
        Name of the original.
    nbytes_before, nbytes_after : int
        Sizes of the files.
    label : int or None
        Class index; None if it is not known.
    decision_before, decision_after : int or None
        Most likely class of the original and of the coded picture; None where a network gives something else.
    loss_before, loss_after : float or None
        Cross-entropy in nats, with the label; without one, with the decision on the original in its place. Of a map,
        the mean over its positions, as for `kl`. None where a network gives no classes, as for `kl`.
    kl : float or None
        Kullback-Leibler divergence of the class probabilities of the coded picture from those of the original, the sum
        of ``p log(p / q)`` with p of the original and q of the coded picture, in nats.
    map_agreement : float, optional
        Part of a map whose most likely class stayed, 0..1; of another output, the part that stayed, see
        `optcodec.accuracy.outputs.ComparedNetwork`.
    """

    name: str
    nbytes_before: int
    nbytes_after: int
    label: int | None
    decision_before: int | None
    decision_after: int | None
    loss_before: float | None
    loss_after: float | None
    kl: float | None
    map_agreement: float | None = None

    @property
    def agreement(self) -> float:
        """Part of what the network says that stayed, 0..1: of a map, of another output, or the only decision."""
        same = float(self.decision_after == self.decision_before)
        return same if self.map_agreement is None else self.map_agreement

    @property
    def loss_increase(self) -> float | None:
        """By how much the loss grew, in nats; negative if it fell, None if there is none."""
        if self.loss_before is None or self.loss_after is None:
            return None
        return self.loss_after - self.loss_before


class Network(Protocol):
    """What looks at pictures before and after coding: a `optcodec.accuracy.classifier.Classifier`, or a
    `optcodec.accuracy.outputs.ComparedNetwork`."""

    @property
    def name(self) -> str:
        """What it is called in results."""

    @property
    def weights_sha256(self) -> str:
        """SHA-256 of the file of weights in hexadecimal digits; empty if there is none."""

    def __call__(self, pixels: Pixels, /) -> Any:
        """What it makes of a picture, of shape (height, width, 3) or (height, width)."""

    def change(self, name: str, outputs: tuple[Any, Any], nbytes: tuple[int, int], label: int | None = None) -> Change:
        """Compare what it has made of a picture before and after coding; see `change_between`."""


def measure_pair(
    network: Network, pair: Pair, *, resized: bool = False, notify: Notify | None = None, **opening: Any
) -> Change:
    """Read an original and its coded file, and compare what a network makes of them; see `change_of`.

    Parameters
    ----------
    network : Network
        A `Classifier` or a `ComparedNetwork`.
    pair : Pair
        The files. Both are turned upright by their Exif orientation, which the encoder may have applied.
    resized : bool
        Whether a coded picture may have another size in the same proportions.
    notify : callable, optional
        Takes a sentence for each conversion that reading the files needed, such as of a palette to RGB.
    **opening
        ``background``, ``max_pixels`` and ``to_rgb`` of `optcodec.load_picture`, for both.

    Raises
    ------
    InvalidInputError
        If a file cannot be read, or the sizes do not fit.
    """
    pictures = [load_picture(path, orient="apply", **opening) for path in (pair.before, pair.after)]
    if notify is not None:
        for notice in dict.fromkeys(notice for picture in pictures for notice in picture.notices):
            notify(notice)
    sizes = _nbytes(pair.before), _nbytes(pair.after)
    check_sizes(*pictures, resized=resized)
    return change_of(network, pair.name, (pictures[0].pixels, pictures[1].pixels), sizes, pair.label)


def check_sizes(original: Picture, coded: Picture, *, resized: bool) -> None:
    """Refuse a coded picture of another size; with `resized`, only one whose proportions differ by over a pixel."""
    height, width = original.pixels.shape[:2]
    rows, columns = coded.pixels.shape[:2]
    if (rows, columns) == (height, width):
        return
    if not resized:
        raise InvalidInputError(
            f"the coded picture has {columns}x{rows} pixels; expected {width}x{height}, as the original has "
            "(--resized allows another size)"
        )
    if abs(rows * width - columns * height) > max(height, width):
        raise InvalidInputError(
            f"the coded picture has {columns}x{rows} pixels; expected the proportions of the original, {width}x{height}"
        )


def change_of(
    network: Network,
    name: str,
    pixels: tuple[Pixels, Pixels],
    nbytes: tuple[int, int],
    label: int | None = None,
) -> Change:
    """Compare what a network makes of a picture before and after coding.

    Parameters
    ----------
    network : Network
        A `Classifier` or a `ComparedNetwork`.
    name : str
        Name of the picture.
    pixels : tuple of two ndarrays of uint8, shape (height, width, 3) or (height, width)
        The original and the decoded picture.
    nbytes : tuple of two int
        Sizes of their files.
    label : int, optional
        Index of the true class.

    Raises
    ------
    InvalidInputError
        If the network does not take the pictures or its outputs are not finite, or the label is none of its classes.
    """
    return network.change(name, (network(pixels[0]), network(pixels[1])), nbytes, label)


def change_between(
    name: str, outputs: tuple[Floats, Floats], nbytes: tuple[int, int], label: int | None = None
) -> Change:
    """Compare what a classifier has made of a picture before and after coding.

    Parameters
    ----------
    name : str
        Name of the picture.
    outputs : tuple of two ndarrays of float64, shape (classes,) or (classes, rows, columns)
        Logarithms of the class probabilities, see `optcodec.accuracy.classifier.Classifier`.
    nbytes, label
        As of `change_of`.

    Raises
    ------
    InvalidInputError
        If the outputs differ in size, or the label is none of the classes.
    """
    before, after = outputs
    if before.shape != after.shape:
        raise InvalidInputError(f"the network has {before.size} outputs for the original, and {after.size} afterwards")
    if before.ndim == 3:
        return _change_of_maps(name, before, after, nbytes, label)
    if label is not None and not 0 <= label < before.size:
        raise InvalidInputError(f"the label is one of the classes 0..{before.size - 1} of the network, got {label}")
    decision = int(before.argmax())
    true = decision if label is None else label
    return Change(
        name,
        *nbytes,
        label,
        decision,
        int(after.argmax()),
        loss_before=float(-before[true]),
        loss_after=float(-after[true]),
        kl=max(float(np.exp(before) @ (before - after)), 0.0),  # rounding may leave -1e-17 of equal outputs
    )


def _change_of_maps(name: str, before: Floats, after: Floats, nbytes: tuple[int, int], label: int | None) -> Change:
    if label is not None:
        raise InvalidInputError(f"a label is for a network that gives one class for a picture, got {label} for a map")
    decisions = before.argmax(0)
    changed = -np.take_along_axis(after, decisions[None], 0)
    return Change(
        name,
        *nbytes,
        None,
        None,
        None,
        loss_before=float(-before.max(0).mean()),
        loss_after=float(changed.mean()),
        kl=max(float((np.exp(before) * (before - after)).sum(0).mean()), 0.0),
        map_agreement=float((after.argmax(0) == decisions).mean()),
    )


def _nbytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InvalidInputError(f"{path}: {error.strerror or error}") from None
