"""Classifiers as readers of decoded pictures without gradients, so that the encoder chooses among whole files."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.change import Change, change_between
from optcodec.accuracy.classifier import Classifier
from optcodec.loop.reader import Reading

__all__ = ["ClassifierReader"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class ClassifierReader:
    """A classifier that reads the files, such as one in an ONNX file; see `optcodec.loop.reader.Reader`.

    Their loss is the divergence of its output from that on the original, in nats.

    Parameters
    ----------
    classifier : Classifier
        The network.
    """

    classifier: Classifier

    def __call__(self, original: Pixels, /) -> Reading:
        """What the classifier makes of decoded versions of a picture."""
        return _ClassifierReading(self.classifier, self.classifier(original))  # type: ignore[return-value]


@dataclass(frozen=True, eq=False)
class _ClassifierReading:
    """The reading of one picture, which has a loss only."""

    classifier: Classifier
    reference: npt.NDArray[np.float64]

    def loss(self, decoded: Pixels) -> float:
        """Divergence of the output from that on the original."""
        divergence = self._change(decoded).kl
        assert divergence is not None  # a classifier has one
        return divergence

    def loss_increase(self, decoded: Pixels) -> float:
        """By how much the cross-entropy has grown of the most likely class of the original."""
        increase = self._change(decoded).loss_increase
        assert increase is not None  # as the divergence
        return increase

    def agrees(self, decoded: Pixels) -> bool:
        """Whether the most likely class is that of the original."""
        change = self._change(decoded)
        return change.decision_before == change.decision_after

    def _change(self, decoded: Pixels) -> Change:
        return change_between("", (self.reference, self.classifier(decoded)), (0, 0))
