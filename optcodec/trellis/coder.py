"""One image and its weights, coded with a trellis at any level."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage, DctImage
from optcodec.jpeg.overshoot import Blocks, Clipped
from optcodec.jpeg.quantize import quantize, table_indices
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.trellis.criterion import Criterion
from optcodec.trellis.indices import SAMPLE_BLOCKS, ScanForm, choose_indices, optimized, sampled
from optcodec.trellis.steps import ac_steps, tables_for_level

__all__ = ["DEAD_ZONE", "LEVEL_BOUNDS", "Coder", "Levels", "level_like"]

Tables = Sequence[QuantTable]
Levels = tuple[float, float]  # of luminance, of chrominance

LEVEL_BOUNDS = 1e-9, 1e12
# The search for a level without files: how level and error grow together, when to stop, and after how many steps.
_GROWTH, _CLOSE, _STEPS = 1.2, 0.01, 12
# Below it most coefficients become 0. For quality factors 20..90 this gives the error of a trellis within some 0.3 dB,
# within 1 dB where blocks are masked; targets are searched in closed loop.
DEAD_ZONE = 0.74
_DEAD_ZONE_AT_LOW_RATIOS, _LOW_RATIO = 0.58, 0.045  # networks, for which less is left to the trellis
_INDICES = np.array([2047.5, *63 * [1023.5]])  # first that are too large


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
        See `optcodec.trellis.tuning.STEP_RATIO`.
    write : callable
        File of a coefficient image.
    progressive : bool
        Whether the bits are those of a progressive file.
    apart : bool
        Whether luminance may have scans of its own.
    bounded : bool
        Whether all coefficients are those of 8-bit samples, which any steps can code; others are checked.
    lattice : sequence of QuantTable, optional
        Tables that the coefficients were quantized with before: steps are then multiples of these, which the
        coefficients fall on. Other steps would mostly add an error and save nothing.
    threads : int, optional
        At most so many; all processors by default. The results are the same.
    refine : callable, optional
        Takes the image, what it was coded to, and gives an image that is to be coded instead, with the same tables and
        levels; see `optcodec.trellis.chroma`.
    clipped : Clipped, optional
        Samples of luminance whose errors count from one side only, since decoders clip them.
    shared : bool
        Whether chrominance has the table of luminance; see `optcodec.trellis.sharing`.
    """

    image: DctImage
    criterion: Criterion
    step_ratio: float
    write: Callable[[CoefficientImage], bytes]
    progressive: bool = False
    apart: bool = False
    bounded: bool = True
    lattice: Tables | None = None
    threads: int | None = None
    refine: Callable[[DctImage, CoefficientImage], DctImage] | None = None
    clipped: Clipped | None = None
    shared: bool = False

    def tables(self, levels: Levels) -> tuple[QuantTable, ...]:
        """Tables that fit the levels, see `tables_for_level`."""
        sample = self.sample
        tables = tables_for_level(sample.criterion, sample.image, levels, self.step_ratio, self.least)
        if self.lattice is None:
            return tables[:1] if self.shared else tables
        return tuple(_multiple(table, before) for table, before in zip(tables, self.lattice, strict=True))

    def coded(self, tables: Tables, levels: Levels) -> CoefficientImage:
        """Best indices with some tables, where a bit is worth so much error.

        Raises
        ------
        InvalidInputError
            If a step is too small for 8-bit JPEG to code a coefficient, which only happens to files that were coded
            before.
        """
        if not self.bounded:
            self._check_range(tables)
        image = self.image
        if self.refine is not None:
            image = self.refine(image, optimized(image, tables, self.criterion, levels, self.form))
        return optimized(image, tables, self.criterion, levels, self.form, self.clipped)

    def coded_like(self, before: CoefficientImage, levels: Levels) -> CoefficientImage:
        """Best indices with the tables of a coded image, and with the bits that symbols have in it.

        Unlike those of `coded`, they follow the level without jumps.

        Parameters
        ----------
        before : CoefficientImage
            What `coded` gave for nearly the same levels.
        levels : (float, float)
            Error that a bit is worth in luminance, and in chrominance.
        """
        image = self.image if self.refine is None else self.refine(self.image, before)
        nearest = None if self.clipped is None else self.clipped.nearest(image, before)
        return choose_indices(image, before, self.criterion, levels, self.form.rates(before), self.form, nearest)

    def _check_range(self, tables: Tables) -> None:
        for index, table in enumerate(table_indices(len(self._largest), len(tables))):
            if (self._largest[index] / tables[table].steps.ravel() >= _INDICES).any():
                raise InvalidInputError("a coefficient has more than 10 bits; 8-bit JPEG codes -1023..1023")

    @cached_property
    def least(self) -> int:
        """Smallest step with which everything can be coded: 10 bits of AC, 11 of differences of DC."""
        if self.bounded:
            return 1
        direct = [part.coefficients[..., 0, 0] for part in self.image.components]
        widest = max(float(values.max()) - float(values.min()) for values in direct)
        return max(1, math.ceil(widest / 2045), math.ceil(float(self._largest.max()) / 1023))

    @cached_property
    def _largest(self) -> npt.NDArray[np.float32]:
        """Largest magnitude of each coefficient (components, 64)."""
        return np.array([abs(part.coefficients.reshape(-1, 64)).max(axis=0) for part in self.image.components])

    @property
    def form(self) -> ScanForm:
        """Which scans the file will have."""
        return ScanForm(self.progressive, self.apart, self.threads)

    def errors(self, coded: CoefficientImage) -> list[float]:
        """Weighted error of each component; where samples are clipped, only what is seen of it."""
        return self.criterion.errors(self.image, coded, self._nearest(coded))

    def nearest(self, coded: CoefficientImage) -> DctImage:
        """Of the images that are shown like this one, that which is nearest to what it was coded to."""
        blocks = self._nearest(coded)
        return self.image if blocks is None else blocks.placed_in(self.image)

    def _nearest(self, coded: CoefficientImage) -> Blocks | None:
        """The blocks in which this image differs from that image."""
        return None if self.clipped is None else self.clipped.nearest(self.image, coded)

    @cached_property
    def sample(self) -> Coder:
        """A coder of some MCU rows of the image, of a few thousand blocks; this one if there are no more."""
        image, criterion = sampled(self.image, self.criterion, SAMPLE_BLOCKS)
        if image is self.image:
            return self
        return replace(self, image=image, criterion=criterion, refine=None, clipped=None)

    def level_of(self, tables: Tables) -> float:
        """Level that fits tables which were not made by `tables`: the geometric mean, over all indices that are not 0,
        of the level for which `tables` would choose the step of the index."""
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


def _multiple(table: QuantTable, before: QuantTable) -> QuantTable:
    """The largest multiples of earlier steps that are not above others, but at least these steps themselves."""
    return QuantTable(before.steps * np.clip(table.steps // before.steps, 1, 255 // before.steps))


def level_like(coder: Coder, quality: int) -> float:
    """Level at which the error is about that of default JPEG at a quality factor.

    It is found on a sample of the image, with a dead zone in place of the trellis: no file is written.
    """
    sample = coder.sample
    criterion, image = sample.criterion, sample.image
    default = np.array([table.steps.ravel() for table in annex_k_tables(quality)], np.float64)
    limit = criterion.dead_zone_error(image, default, 0.5)  # rounding to nearest
    weights = criterion.per_coefficient(image)
    level = 2 * limit / sum(part.coefficients.size for part in image.components) + 1e-6
    dead_zone = DEAD_ZONE if coder.step_ratio > _LOW_RATIO else _DEAD_ZONE_AT_LOW_RATIOS
    for _ in range(_STEPS):
        steps = ac_steps(weights, (level, level), coder.step_ratio, coder.least)
        steps = steps[[0, 0]] if coder.shared and len(steps) > 1 else steps
        factor = limit / max(criterion.dead_zone_error(image, steps, dead_zone), 1e-9)
        level = min(max(level * factor**_GROWTH, LEVEL_BOUNDS[0]), LEVEL_BOUNDS[1])
        if abs(factor - 1) < _CLOSE:
            break
    return level
