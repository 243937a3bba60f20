"""Hints: a few numbers in a JPEG file that make what its receiver restores better, left by a sender with the original.

Video has the like: the post-filter hint of ITU-T H.265 (Annex D), and the adaptive loop filters of ITU-T H.266 (8.8.5),
whose cross-component part inspired the last two terms here. The receiver replaces the change c that its networks make
to a decoded plane p, of which L is the luminance, by

    w0 c + w1 H(p) + w2 V(p) + w3 H(L) + w4 V(L)

where H and V are second differences along rows and columns, and the last two terms are for Cb and Cr only. The hint has
the weights of each plane. It is only right for the coefficients and the networks that it was made for, of which it has
a fingerprint; to other files and models it says nothing, and other decoders skip it. In the file it is a segment::

    APP10   ``hint\\0``, fingerprint (4), weights as signed bytes: 3 (gray), or 3 and twice 5 (Y, Cb, Cr)

The unit of w0 is 1/32, of the others 1/256.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec import Metadata
from optcodec.shared import CarriedSegment

if TYPE_CHECKING:
    from restore.runtime.change import Change
    from restore.runtime.decode import Received
    from restore.runtime.models import Model

__all__ = ["TERMS", "UNITS", "Hint", "fingerprint", "hint_of", "terms", "without_hints"]

Floats = npt.NDArray[np.float32]

_MARKER, _SIGNATURE = 0xEA, b"hint\0"
_HEAD_NBYTES, _FINGERPRINT_NBYTES = 4, 4  # the head: marker and length
TERMS = {1: (3,), 3: (3, 5, 5)}  # number of planes: numbers of terms
UNITS = (1 / 32, *[1 / 256] * 4)  # of the weights of a plane
_LIMITS = -128, 127


@dataclass(frozen=True)
class Hint:
    """Weights of the terms of each plane, in their units.

    Parameters
    ----------
    weights : sequence of sequences of int
        Of each plane: 3 for luminance, 5 for Cb and for Cr, -128..127.
    """

    weights: Sequence[Sequence[int]]

    @classmethod
    def nearest(cls, weights: Sequence[npt.NDArray[np.float64]]) -> Hint:
        """The hint whose weights are nearest to these, which have the unit 1."""
        units = np.array(UNITS)
        return cls([np.clip(np.rint(row / units[: len(row)]), *_LIMITS).astype(int).tolist() for row in weights])

    @classmethod
    def of_no_change(cls, *, is_gray: bool) -> Hint:
        """The hint with which the decoded picture stays as it is."""
        return cls([[0] * number for number in TERMS[1 if is_gray else 3]])

    @staticmethod
    def nbytes(*, is_gray: bool) -> int:
        """Bytes that the segment of a hint takes in a file."""
        return _HEAD_NBYTES + len(_SIGNATURE) + _FINGERPRINT_NBYTES + sum(TERMS[1 if is_gray else 3])

    def segment(self, mark: bytes) -> CarriedSegment:
        """The segment of a file with this fingerprint."""
        numbers = np.array([number for row in self.weights for number in row], np.int8)
        return CarriedSegment(_MARKER, _SIGNATURE + mark + numbers.tobytes())

    def weigh(self, change: Change) -> Floats:
        """The change of the planes of a tile that the hint makes of that of the networks."""
        weighed = np.empty_like(change.planes)
        for index, row in enumerate(self.weights):
            factors = np.multiply(row, UNITS[: len(row)], dtype=np.float32)
            weighed[index] = np.tensordot(factors, terms(change, index), 1)
        return weighed


def terms(change: Change, index: int) -> Floats:
    """The terms of a plane of a tile, shape (3 or 5, rows, columns): the change of the networks, then differences."""
    planes = (0,) if index == 0 else (index, 0)
    differences = (part for plane in planes for part in _second_differences(change.surroundings[plane]))
    return np.stack([change.planes[index], *differences])


def _second_differences(plane: Floats) -> tuple[Floats, Floats]:
    """Second differences along rows and along columns, of a plane with 8 pixels more on each side than they have."""
    twice = 2 * plane[8:-8, 8:-8]
    along = plane[8:-8, 7:-9] + plane[8:-8, 9:-7] - twice
    down = plane[7:-9, 8:-8] + plane[9:-7, 8:-8] - twice
    return along, down


def hint_of(received: Received, model: Model) -> Hint | None:
    """The hint in a file, if it has one that is for its coefficients and for this model."""
    counts = TERMS[1 if received.is_gray else 3]
    for segment in received.metadata.segments or ():
        body = segment.payload[len(_SIGNATURE) :]
        if not _is_hint(segment) or len(body) != _FINGERPRINT_NBYTES + sum(counts):
            continue
        if body[:_FINGERPRINT_NBYTES] == fingerprint(received, model):
            numbers = np.frombuffer(body, np.int8, offset=_FINGERPRINT_NBYTES)
            return Hint([row.tolist() for row in np.split(numbers, np.cumsum(counts)[:-1])])
    return None


def fingerprint(received: Received, model: Model) -> bytes:
    """What a hint is for: the networks of a model, and the size, the steps and the coefficients of a file."""
    return hashlib.sha256(model.digest.encode() + received.fingerprint).digest()[:_FINGERPRINT_NBYTES]


def without_hints(metadata: Metadata) -> Metadata:
    """Metadata without hints, for a picture that was restored."""
    if not any(_is_hint(segment) for segment in metadata.segments or ()):
        return metadata
    return replace(metadata, segments=tuple(s for s in metadata.segments or () if not _is_hint(s)))


def _is_hint(segment: CarriedSegment) -> bool:
    return segment.marker == _MARKER and segment.payload.startswith(_SIGNATURE)
