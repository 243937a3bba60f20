"""What an error weighs: by component and frequency, and by block."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage, DctImage
from optcodec.jpeg.overshoot import Blocks
from optcodec.kernels import load

__all__ = ["Criterion", "field_factors"]

Floats = npt.NDArray[np.float64]
Field = npt.NDArray[np.float32]

_LEAST_FACTOR = 1e-3  # of a block, against the largest: what weighs less does not move the mean
_SMALLEST = 1e-6  # of a weight, against the largest: keeps steps and costs finite


@dataclass(frozen=True, eq=False)
class Criterion:
    """A weighted squared error, and how to sum it.

    Parameters
    ----------
    weights : ndarray of float64, shape (components, 64)
        Weight of a squared coefficient error by component and row-major frequency, for the mean over the blocks of the
        component, as in `optcodec.metrics.swe`. Finite, at least 0, not all 0.
    fields : sequence of ndarray of float32, shape (rows, columns), optional
        A further factor for each block of each component; 1 by default. Finite, at least 0.

    Raises
    ------
    InvalidInputError
        If a weight is negative or not finite, or all are 0.
    """

    weights: Floats
    fields: Sequence[Field] | None = None

    def __post_init__(self) -> None:
        weights = np.array(self.weights, np.float64)
        if weights.ndim != 2 or weights.shape[1:] != (64,):
            raise InvalidInputError(f"weights have shape (components, 64), got {weights.shape}")
        _check("weights", weights)
        object.__setattr__(self, "weights", np.maximum(weights, _SMALLEST * weights.max()))
        for field in self.fields or ():
            _check("weights of blocks", field)

    def times(self, factors: Sequence[Floats]) -> Criterion:
        """The weights with a further factor for each block of each component, see `field_factors`."""
        before = self.fields or [np.ones(values.shape, np.float32) for values in factors]
        products = [old * values for old, values in zip(before, factors, strict=True)]
        return Criterion(self.weights, field_factors(products))

    def per_coefficient(self, image: DctImage) -> Floats:
        """Weights (components, 64) of single coefficients of an image.

        Their errors are summed over all blocks, those of luminance counting once: where chrominance has fewer blocks,
        each of them counts for more.
        """
        blocks = np.array([[part.coefficients.size // 64] for part in image.components])
        weights: Floats = self.weights[: len(blocks)] * (blocks[0] / blocks)
        return weights

    def scales(self, image: DctImage) -> list[Field]:
        """Factors (blocks,) of each component's blocks.

        Raises
        ------
        InvalidInputError
            If a field is not of the shape of its component.
        """
        shapes = [part.coefficients.shape[:2] for part in image.components]
        if self.fields is None:
            return [np.ones(rows * columns, np.float32) for rows, columns in shapes]
        field_shapes = [field.shape for field in self.fields]
        if field_shapes != shapes:
            raise InvalidInputError(f"weights of blocks have the shapes {shapes}, got {field_shapes}")
        return [np.ascontiguousarray(field, np.float32).ravel() for field in self.fields]

    def errors(self, original: DctImage, coded: CoefficientImage, others: Blocks | None = None) -> list[float]:
        """Weighted squared error of the coefficients of each component, see `per_coefficient`.

        Blocks of luminance may be given to take the place of those of the original.
        """
        errors = []
        weights, scales = self.per_coefficient(original), self.scales(original)
        for index, (before, after) in enumerate(zip(original.components, coded.components, strict=True)):
            steps = coded.tables[after.table].steps.astype(np.float32).ravel()
            blocks, indices, factors = before.coefficients.reshape(-1, 64), after.blocks.reshape(-1, 64), scales[index]
            parts = [(blocks, indices, factors)]
            if others is not None and index == 0:
                rest = factors.copy()
                rest[others.numbers] = 0
                replaced = others.coefficients, indices[others.numbers], factors[others.numbers]
                parts = [(blocks, indices, rest), replaced]
            error, weight = load("distortion").weighted_error, weights[index]
            errors.append(float(sum(error(*pair, steps, weight, scale, np.empty(64)) for *pair, scale in parts)))
        return errors

    def dead_zone_error(self, image: DctImage, steps: Floats, threshold: float) -> float:
        """Weighted squared error if what is below a threshold, in steps, became 0, and the rest was rounded.

        `steps` has shape (1 or 2, 64): luminance, and chrominance. They need not be whole.
        """
        total = 0.0
        weights, scales = self.per_coefficient(image), self.scales(image)
        single = steps.astype(np.float32)
        for index, part in enumerate(image.components):
            arguments = single[min(index, 1)], threshold, weights[index], scales[index], np.empty(64)
            total += float(load("distortion").dead_zone_error(part.coefficients.reshape(-1, 64), *arguments))
        return total


def field_factors(factors: Sequence[Floats]) -> list[Field]:
    """Weights of the blocks of each component, divided so that those of luminance have a mean logarithm of 0."""
    mean = np.exp(np.log(np.maximum(factors[0], _LEAST_FACTOR * factors[0].max())).mean())
    return [(blocks / mean).astype(np.float32) for blocks in factors]


def _check(what: str, values: npt.NDArray[np.floating]) -> None:
    if not np.isfinite(values).all():
        raise InvalidInputError(f"{what} are finite, got NaN or infinity")
    if values.min() < 0:
        raise InvalidInputError(f"{what} are at least 0, got {values.min():g}")
    if not values.max() > 0:
        raise InvalidInputError(f"{what} are not all 0, but these are")
