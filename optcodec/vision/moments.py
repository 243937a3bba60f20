"""Mean and spread of the energies of many images, from those of their batches."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import numpy.typing as npt

__all__ = ["Energies", "Moments"]

Energies = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class Moments:
    """Mean and sum of squared deviations of each weight over images (Chan et al., 1979).

    Sums of floats depend on their order: the moments of batches are merged in the order of the batches, wherever each
    was computed.

    Parameters
    ----------
    count : int
        Number of images.
    mean, squares : ndarray, shape (3, 8, 8)
        Of each weight.
    """

    count: int = 0
    mean: Energies = field(default_factory=lambda: np.zeros((3, 8, 8)))
    squares: Energies = field(default_factory=lambda: np.zeros((3, 8, 8)))

    @classmethod
    def of(cls, values: Energies) -> Moments:
        """Moments of a batch of shape (N, 3, 8, 8)."""
        mean = values.mean(0)
        return cls(len(values), mean, np.square(values - mean).sum(0))

    def merged(self, other: Moments) -> Moments:
        """Moments of these images and of further ones."""
        total = self.count + other.count
        shift = other.mean - self.mean
        squares = self.squares + (other.squares + shift**2 * (self.count * other.count / total))
        return Moments(total, self.mean + shift * (other.count / total), squares)

    def standard_error(self) -> Energies:
        """Standard error of each mean; infinite for a single image."""
        if self.count < 2:
            return np.full(self.mean.shape, np.inf)
        return np.sqrt(self.squares / (self.count - 1) / self.count)

    def relative_error(self) -> float:
        """Largest relative standard error of a weight; weights that were 0 for every image are left out."""
        error = self.standard_error()
        return float(np.divide(error, self.mean, out=np.zeros_like(error), where=self.mean > 0).max())
