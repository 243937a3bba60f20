"""Utility profiles: groups of blocks by the gain of a receiver per byte, with the mean curves of each; JSON files."""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field, fields
from numbers import Real
from typing import Any, NamedTuple

import numpy as np
import numpy.typing as npt

from optcodec.blocks.curves import BLOCK_SIDE, Curves, checked_qualities
from optcodec.blocks.provenance import UtilityProvenance
from optcodec.errors import InvalidInputError
from optcodec.files import write_whole
from optcodec.jsontext import document_text, parse_document
from optcodec.shipped import UTILITY_PROFILES
from optcodec.trellis.tuning import Tuning
from optcodec.values import Value

__all__ = [
    "GroupCurves",
    "UtilityProfile",
    "UtilityProvenance",
    "build_profile",
    "load_utility_profile",
    "shipped_utility_profiles",
]

Floats = npt.NDArray[np.float64]

_FORMAT = "optcodec utility profile 1"
_CURVES = "nbytes", "psnr_db", "before", "after"
_FROM_ZERO = "nbytes", "before", "after"
# Least residual ratio relative to the largest. Some would be below 0: errors after restoration may rise with the bytes.
_LEAST_RATIO = 1 / 64


class GroupCurves(NamedTuple):
    """Means of each group at one quality, shape (groups,).

    Bytes, PSNR in dB after restoration, and mean squared errors before and after restoration.
    """

    nbytes: Floats
    psnr_db: Floats
    before: Floats
    after: Floats


@dataclass(frozen=True, eq=False)
class UtilityProfile(Value):
    """Groups of blocks with similar utility, and the mean curves of each group.

    Parameters
    ----------
    name : str
        Name of the profile.
    qualities : ndarray of int64, shape (Q,)
        Rising quality factors 1..100.
    nbytes, psnr_db, before, after : ndarray of float64, shape (groups, Q)
        Means over the blocks of a group, see `optcodec.blocks.curves.Curves`. Errors and bytes are not negative.
    utility : ndarray of float64, shape (groups,)
        Mean utility in dB per byte, falling.
    borders : ndarray of float64, shape (groups - 1,)
        Least utility in each group but the last, falling.
    tuning : Tuning, optional
        Weights of the trellis for this receiver, fitted on whole images (benchmarks/accelir/fit_receivers.py).
    strength : float
        Exponent of `exchange` in the weight of a block, 0..1, fitted in the same way; 1 would be right for small
        errors that are not correlated with the errors that the receiver leaves.
    provenance : UtilityProvenance
        Origin of the profile.

    Raises
    ------
    InvalidInputError
        If shapes do not fit together, or values are not finite, or not in order.
    """

    name: str
    qualities: npt.NDArray[np.int64]
    nbytes: Floats
    psnr_db: Floats
    before: Floats
    after: Floats
    utility: Floats
    borders: Floats
    tuning: Tuning | None = None
    strength: float = 0.5
    provenance: UtilityProvenance = field(default_factory=UtilityProvenance)

    def __post_init__(self) -> None:
        if not isinstance(self.name, str):
            raise InvalidInputError(f"name of a profile is of type str, got {self.name!r}")
        object.__setattr__(self, "qualities", checked_qualities(self.qualities))
        object.__setattr__(self, "utility", _numbers(self.utility, "utility"))
        groups = self.utility.size
        shapes: dict[str, tuple[int, ...]] = {"utility": (groups,), "borders": (max(groups - 1, 0),)}
        shapes |= dict.fromkeys(_CURVES, (groups, len(self.qualities)))
        for name, shape in shapes.items():
            values = _numbers(getattr(self, name), name)
            if values.shape != shape or not groups:
                raise InvalidInputError(f"{name} of {groups} groups has the shape {shape}, got {values.shape}")
            if name in _FROM_ZERO and values.min() < 0:
                raise InvalidInputError(f"{name} of a profile is not negative, got {values.min()}")
            object.__setattr__(self, name, values)
        for name in ("utility", "borders"):
            if (np.diff(getattr(self, name)) > 0).any():
                raise InvalidInputError(f"{name} of a profile falls from group to group, got {getattr(self, name)}")
        if self.tuning is not None and not isinstance(self.tuning, Tuning):
            raise InvalidInputError(f"tuning of a profile is a Tuning, got {type(self.tuning).__name__}")
        if not isinstance(self.strength, Real) or not 0 <= self.strength <= 1:
            raise InvalidInputError(f"strength of a profile lies in 0..1, got {self.strength!r}")
        object.__setattr__(self, "strength", float(self.strength))

    def __repr__(self) -> str:
        return f"UtilityProfile({self.name!r}, groups={self.groups}, task={self.provenance.task!r})"

    @property
    def groups(self) -> int:
        """Number of groups."""
        return len(self.utility)

    @property
    def exchange(self) -> Floats:
        """Residual ratio of each group, shape (groups,): the part of an error that stays after restoration.

        It is the fall of the mean squared error after restoration from the lowest to the middle quality, divided by the
        fall before restoration; at least 1/64 of the largest.
        """
        middle = len(self.qualities) // 2
        before, after = (errors[:, 0] - errors[:, middle] for errors in (self.before, self.after))
        ratio = np.divide(after, before, out=np.zeros_like(after), where=before > 0)
        return np.maximum(ratio, _LEAST_RATIO * ratio.max() if ratio.max() > 0 else 1.0)

    def at(self, quality: float) -> GroupCurves:
        """Means of each group at one quality, interpolated linearly between the measured ones.

        Raises
        ------
        InvalidInputError
            If the quality is outside the range of the measured ones.
        """
        low, high = self.qualities[[0, -1]].tolist()
        if not low <= quality <= high:
            raise InvalidInputError(f"a quality of profile {self.name} lies in {low}..{high}, got {quality}")
        curves = ([np.interp(quality, self.qualities, row) for row in getattr(self, name)] for name in _CURVES)
        return GroupCurves(*map(np.array, curves))

    def rank(self, curves: Curves) -> npt.NDArray[np.int64]:
        """Group of each block by its utility; group 0 has the largest."""
        return np.searchsorted(-self.borders, -curves.utility, side="left").astype(np.int64)

    def check(self, *, block: int = BLOCK_SIDE, subsampling: str | None = None) -> None:
        """Raise `InvalidInputError` unless the profile is for blocks of this side and for this chroma subsampling."""
        about = self.provenance
        if about.block != block:
            raise InvalidInputError(f"profile {self.name} is for blocks of {about.block} pixels; expected {block}")
        if subsampling not in (None, about.subsampling):
            raise InvalidInputError(f"profile {self.name} is for {about.subsampling} sampling; expected {subsampling}")

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the profile as JSON; numbers keep every digit.

        Raises
        ------
        InvalidInputError
            If the file cannot be written. There is then no file, or the old one.
        """
        document: dict[str, Any] = {"name": self.name} | asdict(self.provenance)
        for item in fields(self):
            value = getattr(self, item.name)
            if isinstance(value, np.ndarray):
                document[item.name] = value.tolist()
        document["strength"] = self.strength
        if self.tuning is not None:
            document["tuning"] = self.tuning.to_json()
        write_whole(path, document_text(_FORMAT, document).encode())


def build_profile(
    name: str,
    curves: Sequence[Curves],
    *,
    groups: int = 10,
    provenance: UtilityProvenance | None = None,
) -> UtilityProfile:
    """Sort blocks by utility, divide them into groups of equal size, and average the curves of each (AccelIR).

    Parameters
    ----------
    name : str
        Name of the profile.
    curves : sequence of Curves
        Curves of the blocks, one for each image.
    groups : int
        Number of groups, from 1 to the number of blocks. If it does not divide the number of blocks, the first groups
        have one block more.
    provenance : UtilityProvenance, optional
        Origin of the profile.

    Raises
    ------
    InvalidInputError
        If there are too few blocks, or curves of different qualities.
    """
    together = Curves.joined(curves)
    if not 1 <= groups <= len(together):
        raise InvalidInputError(f"the number of groups lies in 1..{len(together)}, that of the blocks; got {groups}")
    utility = together.utility
    members = np.array_split(np.argsort(-utility, kind="stable"), groups)
    nbytes, psnr_db, before, after = (
        np.stack([getattr(together, key)[group].mean(axis=0) for group in members]) for key in _CURVES
    )
    return UtilityProfile(
        name,
        together.qualities,
        nbytes,
        psnr_db,
        before,
        after,
        utility=np.array([utility[group].mean() for group in members]),
        borders=np.array([utility[group[-1]] for group in members[:-1]]),
        provenance=provenance or UtilityProvenance(blocks=len(together)),
    )


def shipped_utility_profiles() -> tuple[str, ...]:
    """Names of the profiles that come with the package."""
    return UTILITY_PROFILES.names


def load_utility_profile(
    name_or_path: str | os.PathLike[str], *, block: int = BLOCK_SIDE, subsampling: str | None = None
) -> UtilityProfile:
    """Read a profile.

    Parameters
    ----------
    name_or_path : str or path
        Name of a shipped profile (see `shipped_utility_profiles`), or a JSON file as `UtilityProfile.save` writes it.
    block : int
        Side of the blocks that it is needed for.
    subsampling : str, optional
        Sampling that it is needed for; any by default.

    Raises
    ------
    InvalidInputError
        If there is no such profile, the file does not hold one, or it is for other blocks or another sampling.
    """
    text = UTILITY_PROFILES.read_text(name_or_path)
    try:
        profile = _parse(text)
        profile.check(block=block, subsampling=subsampling)
    except InvalidInputError as error:
        raise InvalidInputError(f"{os.fspath(name_or_path)}: {error}") from None
    return profile


def _parse(text: str) -> UtilityProfile:
    """The profile of what `UtilityProfile.save` writes."""
    provenance_fields = {item.name for item in fields(UtilityProvenance)}
    profile_fields = {item.name for item in fields(UtilityProfile)} - {"provenance"}
    required, optional = profile_fields - {"tuning", "strength"}, provenance_fields | {"tuning", "strength"}
    document = parse_document(text, "a utility profile", format_name=_FORMAT, required=required, optional=optional)
    provenance_values = {key: document[key] for key in provenance_fields & document.keys()}
    if isinstance(provenance_values.get("images"), list):
        provenance_values["images"] = tuple(
            tuple(pair) if isinstance(pair, list) else pair for pair in provenance_values["images"]
        )
    profile_values = {key: document[key] for key in profile_fields & document.keys()}
    if "tuning" in profile_values:
        profile_values["tuning"] = Tuning.from_json(profile_values["tuning"])
    return UtilityProfile(**profile_values, provenance=UtilityProvenance(**provenance_values))


def _numbers(values: npt.ArrayLike, what: str) -> Floats:
    """Read-only copy as float64, checked to be finite."""
    try:
        array = np.array(values, np.float64)
    except (TypeError, ValueError):
        raise InvalidInputError(f"{what} of a profile is a regular list of numbers, got something else") from None
    if not np.isfinite(array).all():
        raise InvalidInputError(f"{what} of a profile is finite, got {array[~np.isfinite(array)][0]}")
    array.flags.writeable = False
    return array
