"""Classifiers as functions from pixels to outputs, whatever runs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.change import Change, change_between
from optcodec.accuracy.network import logits_by
from optcodec.errors import InvalidInputError
from optcodec.vision.models import TargetModel

__all__ = ["Classifier", "as_rgb", "log_probabilities", "torch_classifier"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

_ROUNDING = 0.1  # how far the sum of probabilities may be from 1: with 8-bit outputs, it is some percent
_LEAST = float(np.finfo(np.float32).tiny)  # in place of a probability of 0, whose logarithm is infinite


@dataclass(frozen=True, eq=False)
class Classifier:
    """A network that says to which class a picture belongs, or each part of it.

    Parameters
    ----------
    name : str
        What it is called in results.
    outputs : callable
        From RGB pixels, an array of uint8 of shape (height, width, 3), to outputs of shape (classes,), or of shape
        (classes, rows, columns): a map, as of networks for segmentation. It resizes and crops as the network requires,
        and may be called by several threads at once.
    probabilities : bool
        Whether the outputs are probabilities; otherwise they are logits.
    weights_sha256 : str
        SHA-256 of the file of weights in hexadecimal digits; empty if there is none.
    """

    name: str
    outputs: Callable[[Pixels], npt.NDArray[np.floating]]
    probabilities: bool = False
    weights_sha256: str = ""

    def __call__(self, pixels: Pixels) -> Floats:
        """Logarithms of the class probabilities of a picture; see `log_probabilities`.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
            RGB or gray samples; gray ones are given as three equal channels.
        """
        return log_probabilities(self.outputs(as_rgb(pixels)), probabilities=self.probabilities)

    def change(
        self, name: str, outputs: tuple[Floats, Floats], nbytes: tuple[int, int], label: int | None = None
    ) -> Change:
        """Compare what the network has made of a picture before and after coding.

        The arguments and errors are those of `optcodec.accuracy.change.change_between`.
        """
        return change_between(name, outputs, nbytes, label)


def as_rgb(pixels: Pixels) -> Pixels:
    """Pixels (height, width, 3); gray ones (height, width) are given as three equal channels."""
    return np.repeat(pixels[..., None], 3, axis=2) if pixels.ndim == 2 else pixels


def torch_classifier(target: TargetModel, *, probabilities: bool = False) -> Classifier:
    """The classifier of a torch module, from `optcodec.vision.models.load_model`; a copy of it is run."""
    logits = logits_by(target, maps=True)
    return Classifier(target.name, lambda pixels: logits(pixels)[0].numpy(), probabilities, target.weights_sha256)


def log_probabilities(outputs: npt.ArrayLike, *, probabilities: bool = False) -> Floats:
    """Logarithms of class probabilities.

    Parameters
    ----------
    outputs : array_like, shape (classes,) or (classes, rows, columns)
        Logits, of which the softmax is taken; or probabilities, which are divided by their sum.
    probabilities : bool
        Whether the outputs are probabilities. Those of 0 count as the smallest normal 32-bit float, 1.2e-38.

    Returns
    -------
    ndarray of float64, of the same shape

    Raises
    ------
    InvalidInputError
        If the outputs have another shape, fewer than two classes, or are not finite; if they are no probabilities
        although they should be; or if they look like probabilities although they should be logits, since the softmax
        of probabilities would hide nearly every change.
    """
    values = np.asarray(outputs, np.float64)
    if values.ndim not in (1, 3) or len(values) < 2 or not values.size:
        expected = "expected outputs for two classes or more, shape (classes,) or (classes, rows, columns)"
        raise InvalidInputError(f"{expected}, got {values.shape}")
    if not np.isfinite(values).all():
        raise InvalidInputError("the output of the network is not finite; expected finite numbers")
    if _are_probabilities(values) is not probabilities:
        raise InvalidInputError(_mismatch(values, probabilities))
    if probabilities:
        return np.asarray(np.log(np.maximum(values / values.sum(0), _LEAST)))
    shifted = values - values.max(0)
    return np.asarray(shifted - np.log(np.exp(shifted).sum(0)))


def _are_probabilities(values: Floats) -> bool:
    return bool(values.min() >= 0 and abs(values.sum(0) - 1).max() <= _ROUNDING)


def _mismatch(values: Floats, probabilities: bool) -> str:
    """What is wrong with outputs that are of the other kind."""
    sums = values.sum(0)
    described = f"numbers in {values.min():.3g}..{values.max():.3g} that sum to {sums.max():.3g}"
    if probabilities:
        return f"expected probabilities, from 0 on with the sum 1, got {described}"
    return f"expected logits, got {described}, like probabilities (for these, say --outputs probabilities)"
