"""One image, coded with a trellis at any level: what the searches for a target try."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from optcodec.blocks.criterion import Criterion
from optcodec.blocks.rdo import optimized, sampled, tables_for_level
from optcodec.jpeg.image import CoefficientImage, DctImage
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.tables import QuantTable

__all__ = ["Coder"]

Tables = Sequence[QuantTable]
Levels = tuple[float, float]  # of luminance, of chrominance

_SAMPLE_BLOCKS = 8192


@dataclass(frozen=True, eq=False)
class Coder:
    """An image and everything that does not change while a level is searched.

    Parameters
    ----------
    image : DctImage
        Coefficients.
    criterion : Criterion
        Weights of errors.
    step_ratio : float
        See `optcodec.blocks.tuning.STEP_RATIO`.
    write : callable
        File of a coefficient image.
    progressive : bool
        Whether the bits are those of a progressive file.
    least : int
        Smallest step.
    threads : int, optional
        At most so many; all processors by default. The results are the same.
    refine : callable, optional
        Takes the image, what it was coded to, and gives an image that is to be coded instead, with the same tables and
        levels; see `optcodec.blocks.chroma`.
    """

    image: DctImage
    criterion: Criterion
    step_ratio: float
    write: Callable[[CoefficientImage], bytes]
    progressive: bool = False
    least: int = 1
    threads: int | None = None
    refine: Callable[[DctImage, CoefficientImage], DctImage] | None = None

    def tables(self, levels: Levels) -> tuple[QuantTable, ...]:
        """Tables that fit the levels, see `tables_for_level`."""
        return tables_for_level(self.criterion, self.image, levels, self.step_ratio, self.least)

    def coded(self, tables: Tables, levels: Levels) -> CoefficientImage:
        """Best indices with given tables, where a bit is worth so much error."""
        coded = self._optimized(self.image, tables, levels)
        if self.refine is None:
            return coded
        return self._optimized(self.refine(self.image, coded), tables, levels)

    def _optimized(self, image: DctImage, tables: Tables, levels: Levels) -> CoefficientImage:
        settings = self.criterion, levels
        return optimized(image, tables, *settings, progressive=self.progressive, threads=self.threads)

    def errors(self, coded: CoefficientImage) -> list[float]:
        """Weighted error of each component."""
        return self.criterion.errors(self.image, coded)

    @cached_property
    def sample(self) -> Coder:
        """A coder of some MCU rows of the image, of a few thousand blocks; this one if there are no more."""
        image, criterion = sampled(self.image, self.criterion, _SAMPLE_BLOCKS)
        return self if image is self.image else replace(self, image=image, criterion=criterion, refine=None)

    def level_of(self, tables: Tables) -> float:
        """Error that a bit is worth with tables that were made otherwise: the mean, over indices that are not 0, of
        the logarithm of what `tables` would give each."""
        sample = self.sample
        plain = quantize(sample.image, tables)
        weights = sample.criterion.per_coefficient(sample.image)
        count, total = 0, 0.0
        for index, part in enumerate(plain.components):
            nonzero = np.count_nonzero(part.blocks.reshape(-1, 64), axis=0) + 1  # no image is all 0 then
            steps = plain.tables[part.table].steps.ravel()
            total += float(nonzero @ np.log(weights[index] * steps.astype(np.float64) ** 2))
            count += int(nonzero.sum())
        return float(self.step_ratio * np.exp(total / count))
