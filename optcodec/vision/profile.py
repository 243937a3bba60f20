"""Sensitivity profiles: how strongly the loss of a DNN reacts to an error in each DCT coefficient; JSON files."""

from __future__ import annotations

import os
from dataclasses import dataclass, field, fields, replace
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.files import write_whole
from optcodec.jpeg.image import sampling_factors
from optcodec.jsontext import document_text, parse_document
from optcodec.shipped import PROFILES
from optcodec.values import Value, check_field_types

__all__ = ["Provenance", "SensitivityProfile", "load_profile", "shipped_profiles"]

_FORMAT = "optcodec sensitivity profile 1"
_REQUIRED = "name", "weights"


@dataclass(frozen=True, eq=False)
class Provenance(Value):
    """The origin of a profile's weights. Every field may be empty, since a profile can also be made by hand.

    Parameters
    ----------
    model : str
        The target DNN: its torchvision name, or ``package.module:factory``.
    weights_sha256 : str
        SHA-256 of the file that its weights were loaded from, in hexadecimal digits.
    data : str
        Name of the data set.
    images : int
        Number of images that the weights are averaged over.
    labels : str
        Source of the labels: ``"folders"``, the name of a CSV file, or ``"self"`` (the model's own prediction).
    loss : str
        Name of the per-image loss.
    seed : int, optional
        Seed of the sample of images.
    image_size : str
        ``"WIDTHxHEIGHT"`` in pixels if all images had one size, else empty. Weights are sums over the blocks of an
        image, so they grow with its area.
    subsampling : str
        Chroma subsampling that the weights were estimated at.
    quality : int, optional
        Quality factor of the JPEG files on which the gradients were computed; None for clean images.
    standard_errors : ndarray of float64, shape (3, 8, 8), optional
        Standard error of each weight, in the unit of the weights.
    version : str
        Version of optcodec that made the estimate.
    """

    model: str = ""
    weights_sha256: str = ""
    data: str = ""
    images: int = 0
    labels: str = ""
    loss: str = ""
    seed: int | None = None
    image_size: str = ""
    subsampling: str = "4:4:4"
    quality: int | None = None
    standard_errors: npt.NDArray[np.float64] | None = None
    version: str = ""

    def __post_init__(self) -> None:
        check_field_types(self, "a profile", {"seed": int | None, "quality": int | None, "standard_errors": None})
        sampling_factors(self.subsampling)
        if self.standard_errors is not None:
            object.__setattr__(self, "standard_errors", _checked(self.standard_errors, "standard errors"))


@dataclass(frozen=True, eq=False)
class SensitivityProfile(Value):
    """Weight of a squared error in each DCT coefficient: the squared change of a DNN's loss that it causes.

    The estimate follows OptS, eqs. (8) and (9): the squared derivative of one image's loss with respect to a
    coefficient, summed over the blocks of the image, averaged over images.

    Parameters
    ----------
    name : str
        Name of the profile, such as ``"mobilenet_v2"``.
    weights : array_like of float64, shape (3, 8, 8)
        Weights of Y, Cb and Cr in this order; ``weights[c, v, u]`` has vertical frequency ``v`` and horizontal
        frequency ``u``. Finite, not negative, not all zero. Unit: loss squared per (coefficient unit) squared, for
        samples in 0..255 and the orthonormal 8x8 DCT of JPEG. A grey image uses the weights of Y only.
    provenance : Provenance
        Origin of the weights.

    Raises
    ------
    InvalidInputError
        If the weights have another shape or a value that is not allowed.
    """

    name: str
    weights: npt.NDArray[np.float64]
    provenance: Provenance = field(default_factory=Provenance)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InvalidInputError(f"name of a profile is of type str, got {self.name!r}")
        weights = _checked(self.weights, "sensitivity weights")
        if not weights.any():
            raise InvalidInputError("expected at least one sensitivity weight above 0, got only zeros")
        object.__setattr__(self, "weights", weights)

    def __repr__(self) -> str:
        return f"SensitivityProfile({self.name!r}, subsampling={self.provenance.subsampling!r})"

    def normalized(self) -> SensitivityProfile:
        """The profile on the scale of the OptS reference implementation, for which water levels are 0.005..1.

        Returns
        -------
        SensitivityProfile
            Weights and standard errors divided by 10 times the largest luminance weight, which becomes 0.1.

        Raises
        ------
        InvalidInputError
            If all luminance weights are zero.
        """
        divisor = 10 * self.weights[0].max()
        if divisor == 0:
            raise InvalidInputError(f"profile {self.name} has no luminance weight above zero to normalize by")
        errors = self.provenance.standard_errors
        scaled = replace(self.provenance, standard_errors=None if errors is None else errors / divisor)
        return SensitivityProfile(self.name, self.weights / divisor, scaled)

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile as JSON; numbers keep every digit.

        Raises
        ------
        InvalidInputError
            If the file cannot be written. There is then no file, or the old one.
        """
        entries: dict[str, Any] = {"name": self.name}
        entries |= {item.name: getattr(self.provenance, item.name) for item in fields(Provenance)}
        if self.provenance.standard_errors is not None:
            entries["standard_errors"] = self.provenance.standard_errors.tolist()
        write_whole(path, document_text(_FORMAT, entries | {"weights": self.weights.tolist()}).encode())


def shipped_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package."""
    return PROFILES.names


def load_profile(name_or_path: str | os.PathLike[str]) -> SensitivityProfile:
    """Read a profile.

    Parameters
    ----------
    name_or_path : str or path
        Name of a shipped profile (see `shipped_profiles`), or a JSON file as `SensitivityProfile.save` writes it.

    Raises
    ------
    InvalidInputError
        If there is no such profile, or the file does not hold one.
    """
    text = PROFILES.read_text(name_or_path)
    try:
        return _parse(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"{os.fspath(name_or_path)}: {error}") from None


def _parse(text: str) -> SensitivityProfile:
    about = {item.name for item in fields(Provenance)}
    entries = parse_document(text, "a sensitivity profile", format_name=_FORMAT, required=_REQUIRED, optional=about)
    provenance = Provenance(**{name: entries[name] for name in about & entries.keys()})
    return SensitivityProfile(entries["name"], entries["weights"], provenance)


def _checked(values: npt.ArrayLike, what: str) -> npt.NDArray[np.float64]:
    """Read-only copy as float64, checked to be of shape (3, 8, 8), finite and not negative."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{what} are numbers of shape (3, 8, 8), got a list that is not regular") from None
    if array.shape != (3, 8, 8):
        raise InvalidInputError(f"{what} have shape (3, 8, 8) for Y, Cb and Cr, got {array.shape}")
    if not (np.isfinite(array) & (array >= 0)).all():
        wrong = array[~(np.isfinite(array) & (array >= 0))][0]
        raise InvalidInputError(f"{what} are finite and not negative, got {wrong}")
    array.flags.writeable = False
    return array
