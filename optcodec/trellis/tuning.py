"""Tunings, what files are made for: weights of errors by frequency and component, and by the detail of a block."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from functools import lru_cache
from typing import Any, Protocol

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import DctImage
from optcodec.trellis.criterion import Criterion, field_factors
from optcodec.trellis.field import QualityField
from optcodec.values import Value
from optcodec.vision.profile import SensitivityProfile

__all__ = ["STEP_RATIO", "TUNINGS", "Masking", "Tuning", "falling_weights", "flat_weights", "tuning_for"]

Floats = npt.NDArray[np.float64]

# Level over weight and squared step at which steps fit the trellis. For plain rounding at a high rate it would be
# ln 2 / 6, the slope of the error of uniform quantization: Sullivan, "Efficient Scalar Quantization of Exponential and
# Laplacian Random Variables", IEEE Trans. Information Theory 42(5), 1996. Measured, see benchmarks/rates/ablation.py.
STEP_RATIO = 0.115
# For networks. A full trellis lowers the weighted error by a fifth more, but what it lowers is the energy of all small
# coefficients alike, which a network minds more than the weights say: benchmarks/accuracy/rdo_accuracy.py.
_NETWORK_RATIO = 0.04
# Where colour counts for a network, as a part of what luminance counts, so that chrominance does well with the table of
# luminance. Of networks that see colour, it is 0.8 or more.
_COLOUR = 0.25


@dataclass(frozen=True)
class Masking:
    """Errors count for less where there is more to see: weight ``(variance + floor) ** -exponent`` of a block.

    With a negative exponent they count for more there: a receiver restores what is smooth by itself.
    The blocks of chrominance all weigh the same.

    Parameters
    ----------
    exponent : float
        0 for none.
    floor : float
        In squared samples; the variance is that of the samples of a luminance block.
    """

    exponent: float
    floor: float

    def __post_init__(self) -> None:
        if not np.isfinite(self.exponent) or not 0 < self.floor < np.inf:
            raise InvalidInputError(f"masking has a finite exponent and a floor above 0, got {self}")


@dataclass(frozen=True, eq=False)
class Tuning(Value):
    """A measure that files are tuned for, as weights of squared errors.

    Parameters
    ----------
    weights : ndarray of float64, shape (3, 64)
        By component and row-major frequency. Those of chrominance are for full resolution.
    masking : Masking, optional
        Factors of blocks.
    step_ratio : float
        See `STEP_RATIO`; below it, steps are coarser, and less is left to the trellis.
    at_resolution : bool
        Whether the weights of chrominance are to be reduced by what upsampling smooths away.
    of_rgb : bool
        Whether it is the squared error of RGB that counts, to which errors of all components add up.
    one_table : bool
        Whether all components have the quantization table of luminance; see `optcodec.trellis.sharing`.
    full_chrominance : ndarray of float64, shape (2, 64), optional
        Weights of Cb and Cr in place of those of `weights` where chrominance is not subsampled.

    Raises
    ------
    InvalidInputError
        If weights have another shape, or are not finite, or from 0 on, or all 0; or another value is out of range.
    """

    weights: Floats
    masking: Masking | None = None
    step_ratio: float = STEP_RATIO
    at_resolution: bool = True
    of_rgb: bool = False
    one_table: bool = False
    full_chrominance: Floats | None = None

    def __post_init__(self) -> None:
        weights = _checked_weights("weights", self.weights, 3)
        if not 0 < self.step_ratio < np.inf:
            raise InvalidInputError(f"step_ratio is a finite number above 0, got {self.step_ratio!r}")
        switches = self.at_resolution, self.of_rgb, self.one_table
        if not all(isinstance(switch, bool) for switch in switches):
            raise InvalidInputError(f"at_resolution, of_rgb and one_table are True or False, got {switches}")
        object.__setattr__(self, "weights", weights)
        if self.full_chrominance is not None:
            chrominance = _checked_weights("full_chrominance", self.full_chrominance, 2)
            object.__setattr__(self, "full_chrominance", chrominance)

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file; those of full chrominance only if there are any."""
        values = asdict(self) | {"weights": self.weights.tolist()}
        chrominance = values.pop("full_chrominance")
        return values if chrominance is None else values | {"full_chrominance": chrominance.tolist()}

    @classmethod
    def from_json(cls, values: Any) -> Tuning:
        """The tuning of a JSON file.

        Raises
        ------
        InvalidInputError
            If the values are not those of one.
        """
        try:
            arguments = dict(values)
            masking = arguments.pop("masking", None)
            return cls(masking=None if masking is None else Masking(**masking), **arguments)
        except (TypeError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError(f"not a tuning: {error}") from None

    def criterion(self, image: DctImage, field: QualityField | None = None) -> Criterion:
        """Weights for an image, those of its blocks with a mean logarithm of 0.

        Raises
        ------
        InvalidInputError
            If the field does not have the size of the image, or the image is not grey or YCbCr.
        """
        count = len(image.components)
        if count not in (1, 3):
            raise InvalidInputError(f"grey or YCbCr images can be tuned, got {count} components")
        weights = self.weights[:count].copy()
        if count == 3 and self.full_chrominance is not None and _ratio(image) == (1, 1):
            weights[1:] = self.full_chrominance
        elif count == 3 and self.at_resolution:
            weights[1:] *= _upsampling(*_ratio(image))
        if self.masking is None and field is None:
            return Criterion(weights)
        if self.masking is not None:
            factors = _masked(image, self.masking)
        else:
            factors = [np.ones(part.coefficients.shape[:2]) for part in image.components]
        if field is not None:
            field.check_size(image.width, image.height)
            factors = [one * other for one, other in zip(factors, field.by_component(image), strict=True)]
        return Criterion(weights, field_factors(factors))


def _checked_weights(name: str, values: Any, components: int) -> Floats:
    """Weights as an array that cannot be changed."""
    weights = np.array(values, np.float64)
    is_one = weights.shape == (components, 64) and np.isfinite(weights).all() and weights.min() >= 0
    if not is_one or not weights.max() > 0:
        expected = f"({components}, 64), finite, from 0 on and not all 0"
        raise InvalidInputError(f"{name} of a tuning are {expected}; got others")
    weights.flags.writeable = False
    return weights


def _ratio(image: DctImage) -> tuple[int, int]:
    """How many times luminance is finer than chrominance, horizontally and vertically."""
    luminance, chrominance = image.components[:2]
    return luminance.h // chrominance.h, luminance.v // chrominance.v


def _masked(image: DctImage, masking: Masking) -> list[Floats]:
    """Factors of the blocks of each component: of luminance by its variance, of chrominance their mean."""
    blocks = image.components[0].coefficients
    flat = blocks.reshape(*blocks.shape[:2], 64)
    variance = np.einsum("rcf,rcf->rc", flat[..., 1:], flat[..., 1:], dtype=np.float64) / 64
    luminance = (variance + masking.floor) ** -masking.exponent
    mean = np.exp(np.log(luminance).mean())
    return [luminance, *(np.full(part.coefficients.shape[:2], mean) for part in image.components[1:])]


@lru_cache(maxsize=8)
def _upsampling(horizontal: int, vertical: int) -> Floats:
    """Energy (64,) of an error of each chrominance frequency after a decoder's upsampling, per pixel.

    Decoders weigh the nearer of two samples 3/4, the other 1/4 (libjpeg's "fancy upsampling", jdsample.c). A cosine
    within one block, with no error around it, is what is measured.
    """
    gains = [np.ones(8), np.ones(8)]
    for axis, factor in enumerate((vertical, horizontal)):
        if factor == 2:
            places = np.arange(8)
            for u in range(8):
                wave = np.zeros(24)
                wave[8:16] = np.cos((2 * places + 1) * u * np.pi / 16)
                halves = (0.75 * wave + 0.25 * np.roll(wave, side) for side in (1, -1))
                gains[axis][u] = sum((half**2).sum() for half in halves) / (2 * (wave**2).sum())
    return np.outer(*gains).ravel()


# T.871, section 7: squared entries of the columns of the YCbCr -> RGB matrix, against the three ones of Y.
_BLUE = (0.344136**2 + 1.772**2) / 3
_RED = (1.402**2 + 0.714136**2) / 3


def flat_weights(luminance: float, blue: float, red: float) -> Floats:
    """Equal weights of all frequencies: shares of what an error of Y, Cb and Cr adds to the squared error of RGB."""
    return np.repeat([[luminance], [_BLUE * blue], [_RED * red]], 64, axis=1)


def falling_weights(
    shares: tuple[float, float, float], half: tuple[float, float], dc: tuple[float, float], *, power: float = 1.0
) -> Floats:
    """Weights that fall with the square of the radial frequency.

    Parameters
    ----------
    shares : (float, float, float)
        As in `flat_weights`.
    half : (float, float)
        Radial frequency, in half cycles of a block, of half the weight: of luminance, of chrominance.
    dc : (float, float)
        Factor of DC.
    power : float
        The weights of luminance fall like the square to this power, so that it is not half of them at `half` if it is
        not 1.
    """
    weights = flat_weights(*shares)
    square = np.add.outer(np.arange(8) ** 2, np.arange(8) ** 2).ravel()
    for component, row in enumerate(weights):
        kind = min(component, 1)
        row /= (1 + square / half[kind] ** 2) ** (1.0 if kind else power)
        row[0] *= dc[kind]
    return weights


# Fitted on images that no benchmark sees, by bytes at equal measure: benchmarks/rates/fit_tunings.py.
TUNINGS: dict[str, Tuning] = {
    "psnr": Tuning(flat_weights(1.0, 1.0, 1.0), of_rgb=True),
    "ycbcr": Tuning(flat_weights(1.0, 1.0, 1.0)),
    # The loss of SSIM by a small error is the variance of the error over that of the image plus a constant (Wang et
    # al., 2004, eq. 13; C2 = (0.03 * 255)^2). It does not see chrominance, which keeps an eighth of its weight here.
    "ssim": Tuning(flat_weights(1.0, 0.12, 0.12), Masking(0.7, 70.2), 0.08),
    "people": Tuning(
        falling_weights((1.0, 0.264, 0.84), (1.92, 9.16), (2.7, 2.92), power=0.675),
        Masking(0.444, 62.0),
        0.072,
        full_chrominance=falling_weights((1.0, 0.144, 0.417), (1.0, 2.31), (1.0, 2.64))[1:],
    ),
}


class Tuned(Protocol):
    """What has a tuning: a utility profile."""

    @property
    def tuning(self) -> Tuning | None: ...


def tuning_for(tune: str | SensitivityProfile | Tuned | Tuning) -> Tuning:
    """The tuning of a name, of a network by its profile, or of a utility profile; a tuning stays as it is.

    Raises
    ------
    InvalidInputError
        If there is no such tuning.
    """
    if isinstance(tune, Tuning):
        return tune
    if not isinstance(tune, (str, SensitivityProfile)):
        tuning = getattr(tune, "tuning", None)
        if not isinstance(tuning, Tuning):
            raise InvalidInputError(f"{tune!r} has no tuning; expected one that was fitted for its receiver")
        return tuning
    if isinstance(tune, SensitivityProfile):
        weights = tune.normalized().weights.reshape(3, 64)
        colour = weights[1:, 0].mean() / max(weights[0, 0], 1e-300)
        one_table = bool(colour >= _COLOUR)
        return Tuning(weights, step_ratio=_NETWORK_RATIO, at_resolution=False, one_table=one_table)
    if tune not in TUNINGS:
        raise InvalidInputError(
            f"files are tuned for {', '.join(TUNINGS)}, or with a sensitivity profile; got {tune!r}"
        )
    return TUNINGS[tune]
