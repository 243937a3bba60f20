"""Networks with outputs of any kind, such as detectors: a function says which part of an output coding has left."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.boxes import box_agreement
from optcodec.accuracy.change import Change
from optcodec.accuracy.classifier import as_rgb
from optcodec.errors import InvalidInputError

__all__ = ["AGREEMENTS", "Agreement", "ComparedNetwork"]

Pixels = npt.NDArray[np.uint8]
Agreement = Callable[[Any, Any], Any]

AGREEMENTS: dict[str, Agreement] = {"boxes": box_agreement}


@dataclass(frozen=True, eq=False)
class ComparedNetwork:
    """A network whose outputs on coded and on original pictures are compared by a function.

    Parameters
    ----------
    name : str
        What it is called in results.
    outputs : callable
        From RGB pixels, an array of uint8 of shape (height, width, 3), to an output of any kind. It may be called by
        several threads at once.
    agreement : callable
        ``agreement(output, reference)`` says which part of the output on the original picture, the reference, is the
        same on the coded one: a number in 0..1, such as `optcodec.accuracy.boxes.box_agreement`.
    weights_sha256 : str
        SHA-256 of the file of weights in hexadecimal digits; empty if there is none.
    """

    name: str
    outputs: Callable[[Pixels], Any]
    agreement: Agreement
    weights_sha256: str = ""

    def __call__(self, pixels: Pixels) -> Any:
        """The output for a picture of shape (height, width, 3) or (height, width)."""
        return self.outputs(as_rgb(pixels))

    def change(self, name: str, outputs: tuple[Any, Any], nbytes: tuple[int, int], label: int | None = None) -> Change:
        """Compare the outputs on a picture before and after coding.

        Parameters
        ----------
        name : str
            Name of the picture.
        outputs : tuple of two outputs
            On the original and on the coded picture.
        nbytes : tuple of two int
            Sizes of their files.
        label : None
            There are none for such a network.

        Raises
        ------
        InvalidInputError
            If there is a label, or the agreement is no number in 0..1.
        """
        if label is not None:
            raise InvalidInputError(f"a label is for a network that gives one class for a picture, got {label}")
        before, after = outputs
        part = _checked(self.agreement(after, before))
        return Change(name, *nbytes, None, None, None, None, None, None, map_agreement=part)


def _checked(value: Any) -> float:
    try:
        part = float(value)
    except (TypeError, ValueError):
        part = float("nan")
    if not 0 <= part <= 1:
        raise InvalidInputError(f"an agreement is a number in 0..1, got {value!r}")
    return part
