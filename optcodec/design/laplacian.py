"""Laplacian model of DCT coefficients, with the squared error of two quantizers in closed form."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError

__all__ = ["LaplacianModel", "deadzone_distortion", "midpoint_distortion"]

Floats = npt.NDArray[np.float64]


@dataclass(frozen=True, eq=False)
class LaplacianModel:
    """Coefficients of each frequency as samples of the density exp(-|y| / scale) / (2 scale).

    Parameters
    ----------
    scale : array_like of float64, shape (components, 64)
        lambda of OptS: the mean absolute deviation from the mean. (The paper's eq. (12) does not remove the mean, its
        published implementation does.) Frequencies are row-major. That of the DC is of no use: it is not Laplacian.
    variance : array_like of float64, shape (components, 64)
        Population variance of the coefficients themselves; that of the model is 2 scale^2.

    Raises
    ------
    InvalidInputError
        If the shapes differ, or a value is negative or not finite.
    """

    scale: Floats
    variance: Floats

    def __post_init__(self) -> None:
        for name in ("scale", "variance"):
            values = np.array(getattr(self, name), np.float64)
            if values.ndim != 2 or values.shape[1] != 64 or values.shape != np.shape(self.scale):
                raise InvalidInputError(f"expected a {name} of shape (components, 64), got {values.shape}")
            if not (np.isfinite(values) & (values >= 0)).all():
                raise InvalidInputError(f"a {name} is finite and not negative, got {values.min()}")
            values.flags.writeable = False
            object.__setattr__(self, name, values)


def deadzone_distortion(scale: npt.ArrayLike, step: npt.ArrayLike) -> Floats:
    """Mean squared error of the uniform quantizer with optimal dead zone: eq. (14) of OptS, evaluated stably.

    Parameters
    ----------
    scale : array_like
        lambda = E|y| of the Laplacian source; not negative.
    step : array_like
        Quantization step q, above 0; broadcasts against ``scale``.

    Returns
    -------
    ndarray of float64

    Notes
    -----
    The paper has D = 2 l^2 - 2q (l + z - q/2) / (exp(z/l) (1 - exp(-q/l))), z = q - l + q / (exp(q/l) - 1), which
    cancels for q << l. With h = q / 2l it becomes D = 2 l^2 (1 - exp g(h)), where
    g = ln cosh h - 2 ln(sinh h / h) + 1 - h coth h = -h^2/6 - h^4/20 + 11 h^6/567 - ... loses nothing.

    JPEG rounds to nearest instead, with a smaller error (`midpoint_distortion`).
    """
    return _closed_form(scale, step, _deadzone_exponent, _DEADZONE_SERIES)


def midpoint_distortion(scale: npt.ArrayLike, step: npt.ArrayLike) -> Floats:
    """Mean squared error of JPEG's quantizer: round to nearest, reconstruct at multiples of the step.

    Takes and returns what `deadzone_distortion` does.

    Notes
    -----
    D = 2 l^2 - l q / sinh(q / 2l), from integrating the density over the bins; here 2 l^2 (1 - exp(-ln(sinh h / h)))
    with h = q / 2l.
    """
    return _closed_form(scale, step, _midpoint_exponent, _MIDPOINT_SERIES)


# Coefficients of h^2, h^4, ... h^12 in the exponents below; six terms give 12 digits for h up to 0.1.
_DEADZONE_SERIES = (-1 / 6, -1 / 20, 11 / 567, -7 / 1080, 337 / 155925, -36623 / 49754250)
_MIDPOINT_SERIES = (-1 / 6, 1 / 180, -1 / 2835, 1 / 37800, -1 / 467775, 691 / 3831077250)
_SMALL = 0.1
_NOTHING = 1e-150  # a scale whose square is 0


def _closed_form(
    scale: npt.ArrayLike, step: npt.ArrayLike, exponent: Callable[[Floats], Floats], series: tuple[float, ...]
) -> Floats:
    """2 l^2 (1 - exp(exponent(q / 2l))), with the exponent from its series where h is small; 0 where l is."""
    scales, steps = np.broadcast_arrays(np.asarray(scale, np.float64), np.asarray(step, np.float64))
    some = scales > _NOTHING
    h = steps / np.where(some, 2 * scales, 1.0)
    square = np.minimum(h, _SMALL) ** 2
    near = np.zeros_like(h)
    for coefficient in reversed(series):
        near = (near + coefficient) * square
    far = exponent(np.maximum(h, _SMALL))
    result: Floats = -2 * scales**2 * np.expm1(np.where(h < _SMALL, near, far))
    return result


def _log_sinhc(h: Floats) -> Floats:
    """ln(sinh h / h), without overflow."""
    result: Floats = h + np.log1p(-np.exp(-2 * h)) - np.log(2 * h)
    return result


def _deadzone_exponent(h: Floats) -> Floats:
    log_cosh = h + np.log1p(np.exp(-2 * h)) - np.log(2.0)
    result: Floats = log_cosh - 2 * _log_sinhc(h) + 1 - h / np.tanh(h)
    return result


def _midpoint_exponent(h: Floats) -> Floats:
    return -_log_sinhc(h)
