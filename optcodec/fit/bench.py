"""Code pictures in a setting, and measure what a network makes of them."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar

from optcodec.accuracy.change import Change, Network
from optcodec.accuracy.verification import Verification, verification_of
from optcodec.errors import OptcodecError
from optcodec.fit.ways import Setting
from optcodec.pictures.pixels import Picture, load_picture
from optcodec.vision.datasets import Labelled

__all__ = ["Bench", "Failures", "Original", "Point", "Run", "in_turn"]

T = TypeVar("T")
Failures = list[tuple[Any, str]]  # where each picture is, and the reason


class Run(Protocol):
    """How work on many pictures is done: one after another, or several at a time; the results are in their order."""

    def __call__(self, label: str, paths: Sequence[Any], work: Callable[[int], T]) -> tuple[list[T], Failures]:
        """Results of ``work(index)`` for all paths, and those for which it raised an `OptcodecError`, with the text."""


def in_turn(label: str, paths: Sequence[Any], work: Callable[[int], T]) -> tuple[list[T], Failures]:
    """One picture after another; see `Run`."""
    results, failures = [], []
    for index, path in enumerate(paths):
        try:
            results.append(work(index))
        except OptcodecError as error:
            failures.append((path, str(error)))
    return results, failures


@dataclass(frozen=True, eq=False)
class Original:
    """A picture, and what the network makes of it.

    Parameters
    ----------
    path : Path or other place
        Where it is.
    nbytes : int
        Size of its file.
    label : int or None
        Class index, if it is known.
    width, height : int
        In pixels, upright.
    outputs : ndarray of float64, shape (classes,), or of any kind
        What the network makes of it: logarithms of the class probabilities, or what a function compares.
    """

    path: Any
    nbytes: int
    label: int | None
    width: int
    height: int
    outputs: Any


@dataclass(frozen=True, eq=False)
class Point:
    """What was measured of a setting at a quality.

    Parameters
    ----------
    setting : Setting
        How the pictures were coded.
    quality : int
        Quality of the files, as of default JPEG.
    pixels : int
        Of all originals.
    verification : Verification or None
        What changed; None if a picture cannot be coded in this way.
    problem : str, optional
        Why it cannot.
    """

    setting: Setting
    quality: int
    pixels: int
    verification: Verification | None
    problem: str | None = None

    @property
    def nbytes(self) -> float:
        """Sum of the sizes of the files, infinite if there are none."""
        return float("inf") if self.verification is None else self.verification.nbytes_after

    @property
    def bpp(self) -> float | None:
        """Bits of the files for each pixel of the originals."""
        return None if self.verification is None else 8 * self.verification.nbytes_after / self.pixels


@dataclass(frozen=True, eq=False)
class Bench:
    """A network, and how pictures are opened and worked on.

    Parameters
    ----------
    network : Network
        A `optcodec.accuracy.classifier.Classifier` or a `optcodec.accuracy.outputs.ComparedNetwork`.
    opening : mapping
        ``background``, ``max_pixels`` and ``to_rgb`` of `optcodec.load_picture`. All pictures are turned upright.
    run : Run
        How many are worked on at a time.
    seed : int
        Of the intervals.
    opened : callable
        Takes where a picture is, and returns a path, or a binary file with the content.
    """

    network: Network
    opening: Mapping[str, Any] = field(default_factory=dict)
    run: Run = in_turn
    seed: int = 0
    opened: Callable[[Any], Path | BinaryIO] = Path

    def originals(self, images: Sequence[Labelled]) -> tuple[list[Original], Failures]:
        """The pictures that the network can read, and the others."""

        def work(index: int) -> Original:
            image = images[index]
            file = self.opened(image.path)
            picture = self._picture(file)
            height, width = picture.pixels.shape[:2]
            outputs = self.network(picture.pixels)
            self.network.change(image.path.name, (outputs, outputs), (0, 0), image.label)  # refuses a wrong label
            nbytes = file.stat().st_size if isinstance(file, Path) else file.seek(0, 2)
            return Original(image.path, nbytes, image.label, width, height, outputs)

        return self.run("originals", [image.path for image in images], work)

    def point(self, setting: Setting, quality: int, originals: Sequence[Original]) -> Point:
        """Code all pictures in a setting, and measure what changed."""

        def work(index: int) -> Change:
            return self._change(setting, quality, originals[index])

        label = f"{setting.name}, quality {quality}"
        changes, failures = self.run(label, [original.path for original in originals], work)
        pixels = sum(original.width * original.height for original in originals)
        if failures:
            path, reason = failures[0]
            return Point(setting, quality, pixels, None, f"{path}: {reason.removeprefix(f'{path}: ')}")
        return Point(setting, quality, pixels, verification_of(changes, seed=self.seed))

    def _change(self, setting: Setting, quality: int, original: Original) -> Change:
        data = setting.encoded(self._picture(self.opened(original.path)), quality).data
        outputs = original.outputs, self.network(load_picture(io.BytesIO(data)).pixels)
        sizes = original.nbytes, len(data)
        return self.network.change(original.path.name, outputs, sizes, original.label)

    def _picture(self, file: Path | BinaryIO) -> Picture:
        return load_picture(file, orient="apply", **self.opening)
