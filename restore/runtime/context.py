"""What a network is told of a file besides its samples."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

__all__ = ["SIGMA_UNIT", "Context", "condition_size"]

SIGMA_UNIT = 16.0  # samples
_PARTS = 3  # numbers of each frequency: its step, dead zone, and activity
_USUAL_EXCESS = 0.3  # dead zone of files of which only the steps are known: that of most files of libjpeg


def condition_size(tables: int, cells: int = 64) -> int:
    """Length of the condition for a number of quantization tables, with so many numbers for the frequencies."""
    return cells * _PARTS * tables + 3


@dataclass(frozen=True, eq=False)
class Context:
    """What is known of a file: how coarse its quantization is, how its encoder chose the indices, and their strength.

    Parameters
    ----------
    steps : ndarray, shape (tables, 8, 8)
        Quantization steps in natural order, luminance first: one table for gray images, two for colour.
    dead_zones : ndarray, shape (tables, 8, 8)
        Excess of zeros, see `restore.runtime.statistics`.
    activities : ndarray, shape (tables, 8, 8)
        Strength of the coefficients, see there; all 0 where it is not known.
    subsampling : (float, float)
        Ratios of the sampling factors of luminance and chrominance, vertical and horizontal.
    sigma : float
        Standard deviation of noise that was added to the decoded image, in units of 8-bit samples.
    """

    steps: npt.NDArray[np.generic]
    dead_zones: npt.NDArray[np.float32]
    activities: npt.NDArray[np.float32]
    subsampling: tuple[float, float] = (1.0, 1.0)
    sigma: float = 0.0

    @classmethod
    def of_steps(cls, steps: npt.NDArray[np.generic], sigma: float = 0.0) -> Context:
        """The context of a file of which only the steps are known, and perhaps the noise."""
        shape = np.shape(steps)
        return cls(steps, np.full(shape, _USUAL_EXCESS, np.float32), np.zeros(shape, np.float32), sigma=sigma)

    @property
    def tables(self) -> npt.NDArray[np.float32]:
        """The steps, as float32."""
        return self.steps.astype(np.float32)

    def condition(self, tables: int) -> npt.NDArray[np.float32]:
        """The context as the vector that networks take, for a network that uses this number of tables.

        With T tables it has 192 T + 3 numbers: log2(steps) / 8 of all tables, their dead zones, their activities / 8,
        log2 of the vertical and the horizontal subsampling (0 with one table, that of luminance), and the noise in
        units of 16 samples.
        """
        scaled = np.log2(self.steps[:tables].astype(np.float64)) / 8
        subsampling = np.log2(self.subsampling) if tables > 1 else np.zeros(2)
        statistics = np.ravel(self.dead_zones[:tables]), np.ravel(self.activities[:tables]) / 8
        return np.concatenate([scaled.ravel(), *statistics, subsampling, [self.sigma / SIGMA_UNIT]]).astype(np.float32)
