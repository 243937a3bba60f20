"""One picture at all rates: files of all senders, the pictures that receivers make of them, and their measures."""

from __future__ import annotations

import io
import os
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.jpeg.image import sampling_factors
from optcodec.limits import MAX_PIXELS
from optcodec.metrics import bpp
from optcodec.pictures.pixels import load_picture
from optcodec.rates.measures import MeasureFunction
from optcodec.rates.rates import Rate
from optcodec.rates.rows import Curve, Failed, Row
from optcodec.rates.senders import Sender
from optcodec.targets import Quality

__all__ = ["DECODED", "Experiment", "Judge", "Original", "Part", "Reader", "Show", "decoded", "judge_by", "load_pixels"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Original:
    """A picture that is coded.

    Parameters
    ----------
    set, name : str
        Name of its set, and its own within the set; together different for all pictures.
    path : Path
        Its file.
    label : int, optional
        Index of its class, for networks.
    """

    set: str
    name: str
    path: Path
    label: int | None = None


@dataclass(frozen=True)
class Reader:
    """How files become pictures.

    Parameters
    ----------
    receiver : str
        Name of what restores or decodes.
    sigma : float
        Standard deviation of the noise on the decoded picture, in 8-bit units.
    read : callable
        Takes the bytes of a file and the original's name ``set/name``, which seeds noise; gives uint8 pixels of the
        shape of the original.
    """

    receiver: str
    sigma: float
    read: Callable[[bytes, str], Pixels]


# Takes an original and its pixels; gives a function from a picture to its measures by name.
Judge = Callable[[Original, Pixels], Callable[[Pixels], Mapping[str, float]]]
# Takes an original, its pixels, a rate and a sigma, and the pictures of all curves that have this sigma.
Show = Callable[[Original, Pixels, Rate, float, Mapping[Curve, Pixels]], None]


@dataclass(frozen=True)
class Part:
    """What was measured of some pictures, and what failed."""

    rows: tuple[Row, ...]
    failures: tuple[Failed, ...]


def decoded(data: bytes) -> Pixels:
    """The picture of a JPEG file as libjpeg-turbo (Pillow) decodes it: gray (height, width), or RGB.

    Raises
    ------
    InvalidInputError
        If it cannot be decoded.
    """
    from PIL import Image

    try:
        with Image.open(io.BytesIO(data)) as file:
            return np.asarray(file if file.mode == "L" else file.convert("RGB"))
    except (OSError, SyntaxError, ValueError) as error:  # which Pillow raises for what it cannot decode
        raise InvalidInputError(f"the file cannot be decoded: {error}") from None


DECODED = Reader("jpeg", 0.0, lambda data, name: decoded(data))


def judge_by(measures: Mapping[str, MeasureFunction]) -> Judge:
    """Measures of a picture against the original, by name."""
    return lambda original, pixels: lambda picture: {name: of(pixels, picture) for name, of in measures.items()}


def load_pixels(path: Path, max_pixels: int | None) -> Pixels:
    """Pixels of an original, RGB or gray; raises `InvalidInputError` for a file of another kind."""
    return load_picture(path, max_pixels=max_pixels).pixels


@dataclass(frozen=True)
class Experiment:
    """A function that measures one picture with all senders, at all rates, with all readers.

    Parameters
    ----------
    senders : tuple of Sender
        At least one; all names differ.
    rates : tuple of Rate
        At least one.
    judge : Judge
        The measures.
    readers : tuple of Reader
        At least one; all differ in receiver or sigma.
    subsampling : str
        Chroma subsampling of files whose sender has none of its own.
    reference : Sender, optional
        Whose bytes are the limit of rates of the kind ``bytes``.
    max_pixels : int or None
        Pictures with more pixels are refused; None allows every size.
    show : callable, optional
        Gets all pictures of a rate.

    Raises
    ------
    InvalidInputError
        If an argument is not as described.
    """

    senders: tuple[Sender, ...]
    rates: tuple[Rate, ...]
    judge: Judge
    readers: tuple[Reader, ...] = (DECODED,)
    subsampling: str = "4:2:0"
    reference: Sender | None = None
    max_pixels: int | None = MAX_PIXELS
    show: Show | None = None

    def __post_init__(self) -> None:
        _check_names("senders", [sender.name for sender in self.senders])
        _check_names("receivers", [Curve("", reader.receiver, reader.sigma).behind for reader in self.readers])
        _check_names("rates", [str(rate) for rate in self.rates])
        sampling_factors(self.subsampling)
        if self.reference is None and any(rate.kind == "bytes" for rate in self.rates):
            raise InvalidInputError("rates of the kind bytes are those of a reference sender; got none")

    def __call__(self, original: Original, gray: bool) -> Part:
        """Measure a picture, which is to be gray or coloured as the others of its set."""
        try:
            pixels = load_pixels(original.path, self.max_pixels)
            if (pixels.ndim == 2) != gray:
                kind, others = ("gray", "in colour") if pixels.ndim == 2 else ("in colour", "gray")
                expected = "expected one kind, whose measures can be averaged"
                raise InvalidInputError(f"it is {kind}, the first picture of {original.set} is {others}; {expected}")
            measure = self.judge(original, pixels)
        except (OptcodecError, MemoryError) as error:
            return Part((), (_failed(original, error),))
        rows: list[Row] = []
        failures: list[Failed] = []
        reference = cache(lambda quality: self._reference_nbytes(pixels, quality))
        for rate in self.rates:
            files = self._files(original, pixels, rate, lambda: reference(rate.value), failures)  # noqa: B023
            pictures: dict[Curve, Pixels] = {}
            for sender, data in files.items():
                rows += self._read(original, pixels, (sender, rate, data), measure, pictures, failures)
            self._show(original, pixels, rate, pictures, failures)
        return Part(tuple(rows), tuple(failures))

    def _reference_nbytes(self, pixels: Pixels, quality: float) -> int:
        assert self.reference is not None
        return len(self.reference.encode(pixels, self.subsampling, Quality(int(quality))))

    def _files(
        self,
        original: Original,
        pixels: Pixels,
        rate: Rate,
        reference: Callable[[], int],
        failures: list[Failed],
    ) -> dict[str, bytes]:
        """The files of a rate by sender; senders that fail are put into `failures`."""
        files = {}
        for sender in self.senders:
            try:
                target = rate.target(pixels.shape[0] * pixels.shape[1], reference)
                files[sender.name] = sender.encode(pixels, self.subsampling, target)
            except (OptcodecError, MemoryError) as error:
                failures.append(_failed(original, error, sender=sender.name, rate=rate))
        return files

    def _read(
        self,
        original: Original,
        pixels: Pixels,
        file: tuple[str, Rate, bytes],
        measure: Callable[[Pixels], Mapping[str, float]],
        pictures: dict[Curve, Pixels],
        failures: list[Failed],
    ) -> list[Row]:
        """Rows of a file for all readers; their pictures are put into `pictures`, what fails into `failures`."""
        (sender, rate, data), rows = file, []
        rate_bpp = bpp(len(data), pixels.shape[1], pixels.shape[0])
        for reader in self.readers:
            curve = Curve(sender, reader.receiver, reader.sigma)
            try:
                picture = reader.read(data, f"{original.set}/{original.name}")
                _check_picture(picture, pixels)
                values = dict(measure(picture))
            except (OptcodecError, MemoryError) as error:
                failures.append(_failed(original, error, sender=sender, receiver=curve.behind, rate=rate))
                continue
            pictures[curve] = picture
            rows.append(Row(original.set, original.name, curve, rate, len(data), rate_bpp, values))
        return rows

    def _show(
        self, original: Original, pixels: Pixels, rate: Rate, pictures: Mapping[Curve, Pixels], failures: list[Failed]
    ) -> None:
        """Hand over the pictures of a rate, those of each sigma together; what fails is put into `failures`."""
        if self.show is None:
            return
        for sigma in dict.fromkeys(curve.sigma for curve in pictures):
            alike = {curve: picture for curve, picture in pictures.items() if curve.sigma == sigma}
            try:
                self.show(original, pixels, rate, sigma, alike)
            except OptcodecError as error:
                failures.append(_failed(original, error, rate=rate))


def _check_names(what: str, names: list[str]) -> None:
    if not names or len(set(names)) < len(names):
        raise InvalidInputError(f"expected {what} that are all different, at least one; got {', '.join(names)}")


def _check_picture(picture: Pixels, original: Pixels) -> None:
    """Raise `InvalidInputError` unless a picture has the type and shape of the original."""
    if not isinstance(picture, np.ndarray) or picture.dtype != np.uint8 or picture.shape != original.shape:
        array = isinstance(picture, np.ndarray)
        actual = f"{picture.dtype} {picture.shape}" if array else f"a {type(picture).__name__}"
        raise InvalidInputError(f"it gives {actual}; expected uint8 {original.shape}, the shape of the original")


def _failed(original: Original, error: OptcodecError | MemoryError, **what: Any) -> Failed:
    reason = "there is not enough memory for it" if isinstance(error, MemoryError) else str(error)
    reason = reason.removeprefix(f"{os.fspath(original.path)}: ")
    return Failed(" ".join(reason.split()), original.set, original.name, **what)
