"""How much a decoded picture is worse than its original to people, and what change of each pixel would be better."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.kernels import prepare
from optcodec.perception.planes import KERNELS, picture_of, pixel_gradient
from optcodec.perception.ssimulacra2 import Structure
from optcodec.perception.visibility import Visibility

__all__ = ["Perception"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Perception:
    """The original of pictures that are compared with it.

    The loss is ``S ** (1 - share) * V ** share``: S is what SSIMULACRA2 lacks of 100, and V the distance where
    differences are seen best.

    Parameters
    ----------
    structure : Structure
    visibility : Visibility
    share : float
        From 0 on, below 1.
    """

    structure: Structure
    visibility: Visibility
    share: float

    @classmethod
    def of(cls, original: Pixels, share: float) -> Perception:
        """The original, RGB of shape (height, width, 3) or grey of shape (height, width)."""
        prepare(*KERNELS)
        picture = picture_of(original)
        return cls(Structure.of(picture), Visibility.of(picture), share)

    def loss(self, decoded: Pixels) -> float:
        """Loss of decoded pixels; 0 for the original."""
        picture = picture_of(decoded)
        return self._joined(self.structure.distance(picture), self.visibility.distance(picture))

    def loss_with_gradient(self, decoded: Pixels) -> tuple[float, npt.NDArray[np.float32]]:
        """Loss of decoded pixels, and its derivative by each of them, in 0..255."""
        picture = picture_of(decoded)
        structural, slopes = self.structure.distance_with_slopes(picture)
        if structural == 0:
            return 0.0, np.zeros(decoded.shape, np.float32)
        # of both, derivatives of the logarithm are added, of which that of the structure lacks a factor
        factor = (1 - self.share) / structural
        visible = self.visibility.distance_with_slopes(picture, slopes[0], self.share / factor)
        loss = self._joined(structural, visible)
        return loss, np.float32(loss * factor) * pixel_gradient(decoded, picture, slopes)

    def visibility_map(self, decoded: Pixels) -> npt.NDArray[np.float32]:
        """How well the difference of each pixel is seen, shape (height, width): a squared distance."""
        return self.visibility.distance_map(picture_of(decoded))

    def _joined(self, structural: float, visible: float) -> float:
        return float(structural ** (1 - self.share) * visible**self.share)
