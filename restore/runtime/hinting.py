"""Make a hint: restore a file as its receiver will, and find the weights with which the result is best."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optcodec import MAX_PIXELS, InvalidInputError, load_picture
from optcodec.shared import segments_of, with_metadata
from restore.runtime.change import Change, is_constant, pixels_of
from restore.runtime.decode import Received, receive
from restore.runtime.hint import TERMS, Hint, fingerprint, terms, without_hints
from restore.runtime.image import TO_RGB
from restore.runtime.infer import changes
from restore.runtime.models import Model, load_model
from restore.runtime.picture import sample_planes

__all__ = ["Hinted", "add_hint", "best_hint", "hinted"]

Samples = npt.NDArray[np.uint8]
# Draws the weights of terms that hardly vary to those without a hint: a mean square of so much, in squared samples.
_PRIOR = 1e-3


@dataclass(frozen=True)
class Hinted:
    """A file with a hint, or the same file without one if none helps.

    Parameters
    ----------
    data : bytes
        The JPEG file.
    hint : Hint, optional
        What was left in it.
    before, after : float
        Mean squared error of the restored pixels, without the hint and with it.
    """

    data: bytes
    hint: Hint | None
    before: float
    after: float


def add_hint(
    data: bytes,
    original: str | os.PathLike[str] | bytes | Samples,
    *,
    model: str | os.PathLike[str] | Model = "default",
    threads: int | None = None,
    max_pixels: int | None = MAX_PIXELS,
) -> bytes:
    """Leave a hint in a JPEG file, with which the receiver restores it better.

    The hint is a segment of 16 bytes (gray) or 26 bytes, which other decoders skip; coefficients, tables and all other
    segments stay as they are. Only `restore_image` with the same model and without an earlier coding uses it. It makes
    the squared error of the restored picture smaller, or there is none; with a hint it is at most that of the decoded
    picture.

    Parameters
    ----------
    data : bytes
        The JPEG file, gray or YCbCr.
    original : path, bytes or ndarray of uint8
        The picture before it was coded, as `optcodec.load_picture` takes it, of the size of the file.
    model : str, path or Model
        The receiver, as for `restore_image`.
    threads, max_pixels
        As for `restore_image`.

    Returns
    -------
    bytes
        The file with the hint in place of an earlier one, or without one if it does not help.

    Raises
    ------
    InvalidInputError
        If the original has another size, or as `restore_image`.
    MalformedJpegError, UnsupportedJpegError
        If the file breaks T.81, or is neither gray nor YCbCr.

    Examples
    --------
    >>> from optcodec import encode
    >>> from restore import add_hint, restore_image
    >>> hinted = add_hint(encode("photo.png", quality=30).data, "photo.png")  # doctest: +SKIP
    >>> pixels = restore_image(hinted)  # doctest: +SKIP
    """
    if isinstance(model, Model) and threads is not None:
        raise InvalidInputError(f"a loaded model has its threads already, got threads={threads}; expected None")
    loaded = model if isinstance(model, Model) else load_model(model, threads=threads)
    return hinted(data, load_picture(original, max_pixels=max_pixels).pixels, loaded, max_pixels=max_pixels).data


def hinted(
    data: bytes,
    original: Samples,
    model: Model,
    *,
    max_pixels: int | None = MAX_PIXELS,
    notify: Callable[[str], None] | None = None,
) -> Hinted:
    """A file with the hint that suits it best, and what the hint does.

    Parameters
    ----------
    data, model, max_pixels
        As for `add_hint`.
    original : ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.
    notify : callable, optional
        Called with one sentence for each kind of breach that was tolerated; by default each is a `JpegWarning`.

    Raises
    ------
    InvalidInputError, MalformedJpegError, UnsupportedJpegError
        As `add_hint`.
    """
    received = receive(data, max_pixels=max_pixels, notify=notify)
    target = _target(original, received)
    fit, before, decoded = _Fit.of(target), 0.0, 0.0
    for change in changes(received, model):
        fit.add(change)
        before += _squared_error(change, change.planes, target)
        decoded += _squared_error(change, np.zeros_like(change.planes), target)
    hint = fit.hint()
    after = sum(_squared_error(each, hint.weigh(each), target) for each in changes(received, model))
    if decoded < after:
        hint, after = Hint.of_no_change(is_gray=received.is_gray), decoded
    kept, errors = hint if after < before else None, (before / target.size, min(before, after) / target.size)
    return Hinted(_with_hint(data, received, model, kept), kept, *errors)


def best_hint(received: Received, original: Samples, model: Model) -> Hint:
    """The hint with which the restored picture is nearest to the original, gray or RGB as the file.

    Its weights are those of least squares, rounded.
    """
    fit = _Fit.of(original)
    for change in changes(received, model):
        fit.add(change)
    return fit.hint()


def _target(original: Samples, received: Received) -> Samples:
    """The original as the file has it: gray for a gray file, RGB for others."""
    if original.shape[:2] != (received.height, received.width):
        got = f"{original.shape[1]}x{original.shape[0]}"
        raise InvalidInputError(
            f"the original has {got} pixels; expected those of the file, {received.width}x{received.height}"
        )
    if received.is_gray:
        gray: Samples = np.rint(sample_planes(original)[0]).astype(np.uint8)
        return gray
    return original if original.ndim == 3 else np.repeat(original[..., None], 3, axis=2)


@dataclass
class _Fit:
    """Sums of products of all terms with one another, and with the error of the decoded picture, in RGB or gray.

    Attributes
    ----------
    original : ndarray of uint8, shape (height, width) or (height, width, 3)
        Gray or RGB.
    squares, products : ndarray of float64, shapes (terms, terms) and (terms,)
        The terms of all planes, one plane behind the other.
    """

    original: Samples
    squares: npt.NDArray[np.float64]
    products: npt.NDArray[np.float64]

    @classmethod
    def of(cls, original: Samples) -> _Fit:
        """The sums of no tile yet."""
        number = sum(TERMS[_planes(original)])
        return cls(original, np.zeros((number, number)), np.zeros(number))

    def add(self, change: Change) -> None:
        """Count a tile."""
        rows, columns = _within(change, self.original)
        height, width = rows.stop - rows.start, columns.stop - columns.start
        varies = ~is_constant(change.surroundings)[:, :height, :width]
        by_plane = [
            (terms(change, index)[:, :height, :width] * mask).reshape(-1, mask.size)
            for index, mask in enumerate(varies)
        ]
        every = np.concatenate(by_plane).astype(np.float64)
        to_pixels = _to_pixels(len(varies))
        centred = change.decoded[:, :height, :width].reshape(len(varies), -1) - _middles(len(varies))
        pixels = self.original[rows, columns].reshape(height * width, -1).T
        errors = to_pixels.T @ (pixels - to_pixels @ centred)  # along each plane
        plane = _plane_of_term(len(varies))
        self.squares += (every @ every.T) * (to_pixels.T @ to_pixels)[np.ix_(plane, plane)]
        self.products += (every * errors[plane]).sum(axis=1)

    def hint(self) -> Hint:
        """The hint with the least squared error."""
        counts = TERMS[_planes(self.original)]
        ends = np.cumsum(counts)
        start = np.zeros(ends[-1])
        start[ends - counts] = 1  # the change as the networks make it
        prior = _PRIOR * self.original.size * np.eye(len(start))
        weights = start + np.linalg.solve(self.squares + prior, self.products - self.squares @ start)
        return Hint.nearest(np.split(weights, ends[:-1]))


def _planes(original: Samples) -> int:
    """Number of planes of a gray picture, or one in RGB."""
    return 1 if original.ndim == 2 else 3


def _to_pixels(planes: int) -> npt.NDArray[np.float64]:
    """The matrix from Y, or from Y, Cb - 128 and Cr - 128, to gray or RGB."""
    return np.eye(1) if planes == 1 else np.array(TO_RGB)


def _middles(planes: int) -> npt.NDArray[np.float64]:
    """What `_to_pixels` has subtracted from each plane, shape (planes, 1)."""
    return np.array([[0.0], [128.0], [128.0]][:planes])


def _plane_of_term(planes: int) -> npt.NDArray[np.intp]:
    """The number of the plane of each term."""
    return np.repeat(np.arange(planes), TERMS[planes])


def _squared_error(change: Change, planes: npt.NDArray[np.float32], target: Samples) -> float:
    """Squared error of the pixels of a tile whose planes change so."""
    rows, columns = _within(change, target)
    pixels = pixels_of(change, planes)[: rows.stop - rows.start, : columns.stop - columns.start]
    inside = target[rows, columns]
    difference = pixels.reshape(inside.shape).astype(np.float32) - inside
    return float(np.square(difference).sum(dtype=np.float64))


def _within(change: Change, picture: npt.NDArray[np.generic]) -> tuple[slice, slice]:
    """Rows and columns of a tile that lie within the picture."""
    (top, bottom), (left, right) = change.region
    return slice(top, min(bottom, picture.shape[0])), slice(left, min(right, picture.shape[1]))


def _with_hint(data: bytes, received: Received, model: Model, hint: Hint | None) -> bytes:
    """The file with a hint behind its other segments, in place of earlier ones."""
    ids, kept = [component.id for component in received.source.components], without_hints(received.metadata)
    if hint is None:
        return data if kept is received.metadata else with_metadata(data, kept, ids)
    segments = (*segments_of(kept, ids), hint.segment(fingerprint(received, model)))
    return with_metadata(data, replace(kept, segments=segments), ids)
