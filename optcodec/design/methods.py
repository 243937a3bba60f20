"""All methods of table design under one signature: from statistics and weights to families of tables."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.design.deepn import ScaledTable, deepn_steps
from optcodec.design.families import Family, Joint
from optcodec.design.histogram import MAX_STEP
from optcodec.design.opts import WaterFilling
from optcodec.design.rdopt import Lagrangian
from optcodec.design.statistics import Statistics
from optcodec.errors import InvalidInputError
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.targets import Quality, Target, WaterLevel
from optcodec.vision.profile import SensitivityProfile

__all__ = [
    "DEFAULT_DISTORTION",
    "LARGEST_STEPS",
    "METHODS",
    "SCALED",
    "WATER_FILLING",
    "Design",
    "default_method",
    "scaled",
]

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]

WATER_FILLING = ("opts", "optd")  # those that take a `WaterLevel`
SCALED = ("deepn", "jpeg")  # those that take a `Quality`
# Default of the largest step: that of the OptS reference, else the largest of a baseline table.
LARGEST_STEPS = {"opts": 100, "optd": 100}
DEFAULT_DISTORTION = "empirical"


@dataclass(frozen=True, eq=False)
class Design:
    """What a method designs its families of tables from.

    Parameters
    ----------
    statistics : Statistics
        Of the image or data set.
    weights : ndarray of float64, shape (3, 64), optional
        Of a profile.
    distortion : str
        Model of the error, see `optcodec.design.design_tables`.
    qmax : int
        Largest step.
    qmin : int
        Smallest step.
    """

    statistics: Statistics
    weights: Floats | None
    distortion: str
    qmax: int
    qmin: int = 1

    @classmethod
    def of(
        cls,
        method: str,
        statistics: Statistics,
        profile: SensitivityProfile | None,
        distortion: str = DEFAULT_DISTORTION,
        limits: tuple[int, int | None] = (1, None),
    ) -> Design:
        """Design with the normalized weights of a profile, and by default the largest step of the method."""
        weights = None if profile is None else profile.normalized().weights.reshape(3, 64)
        qmin, qmax = limits
        largest = LARGEST_STEPS.get(method, MAX_STEP) if qmax is None else qmax
        return cls(statistics, weights, distortion, max(largest, qmin), qmin)

    @property
    def groups(self) -> list[slice]:
        """Components that share a table: Y, and Cb with Cr."""
        return [slice(0, 1), slice(1, 3)][: 1 if len(self.statistics.components) == 1 else 2]

    @property
    def least(self) -> Steps:
        """Smallest steps (tables, 64) that are allowed, and with which all coefficients can be coded."""
        parts = self.statistics.components
        least = np.array([np.max([part.least_steps for part in parts[group]], axis=0) for group in self.groups])
        bounded: Steps = np.maximum(least, self.qmin)
        return bounded

    def joint(self, families: Sequence[Family], group: slice) -> Joint:
        """Families of the groups in a slice, with the limits of their steps."""
        most = max(int(family.steps(family.bounds[1]).max()) for family in families)
        return Joint(families, self.least[group], most)

    @property
    def error_weights(self) -> Floats:
        """Weights (components, 64) of the error that is matched; 1 without a profile."""
        count = len(self.statistics.components)
        return np.ones((count, 64)) if self.weights is None else self.weights[:count]

    @cached_property
    def errors(self) -> Floats:
        """True weighted error of steps 1..255, the components of a table together: shape (tables, 64, 255)."""
        return self._by_table(self.error_weights[..., None] * self.statistics.empirical)

    @cached_property
    def bits(self) -> Floats:
        """Estimate of the bits of all coefficients with steps 1..255: shape (tables, 64, 255)."""
        blocks = np.array([part.blocks for part in self.statistics.components])
        return self._by_table(blocks[:, None, None] * self.statistics.bits)

    def _by_table(self, values: Floats) -> Floats:
        """Sums over the components (first axis) that share a table."""
        return np.array([values[group].sum(axis=0) for group in self.groups])


def _opts(design: Design) -> list[Family]:
    if design.weights is None:
        raise InvalidInputError("method 'opts' needs a sensitivity profile, got none; 'optd' works without")
    return _water_filling(design, design.error_weights)


def _optd(design: Design) -> list[Family]:
    return _water_filling(design, np.ones((len(design.statistics.components), 64)))


def _water_filling(design: Design, weights: Floats) -> list[Family]:
    distortion = design.statistics.distortion(design.distortion)
    exact, variance = design.distortion == "empirical", design.statistics.variance
    return [WaterFilling(weights[g], variance[g], distortion[g], exact, design.qmax) for g in design.groups]


def _deepn(design: Design) -> list[Family]:
    families: list[Family] = []
    for group in design.groups:
        pooled, *others = design.statistics.components[group]
        for other in others:
            pooled = pooled.merged(other)
        families.append(ScaledTable(deepn_steps(np.sqrt(pooled.variance))))
    return families


def _jpeg(design: Design) -> list[Family]:
    return scaled(design, annex_k_tables(50))


def scaled(design: Design, tables: Sequence[QuantTable]) -> list[Family]:
    """Tables by the percentage that scales them; the last one is that of all components that have none."""
    chosen = [tables[min(index, len(tables) - 1)] for index in range(len(design.groups))]
    return [ScaledTable(table.steps.astype(np.int64).ravel()) for table in chosen]


def _rdopt(design: Design) -> list[Family]:
    bits = design.bits / design.statistics.components[0].blocks
    curves = (np.ascontiguousarray(values[..., : design.qmax]) for values in (design.errors, bits))
    return [Lagrangian(error, rate) for error, rate in zip(*curves, strict=True)]


METHODS: dict[str, Callable[[Design], list[Family]]] = {
    "opts": _opts,
    "optd": _optd,
    "deepn": _deepn,
    "jpeg": _jpeg,
    "rdopt": _rdopt,
}


def default_method(target: Target, *, weighted: bool) -> str:
    """The method where none is named: the one that takes the target and makes the smallest files.

    Parameters
    ----------
    target : WaterLevel, Quality, MatchQuality, MatchSwe, Bpp or MaxBytes
        `WaterLevel` belongs to OptS and OptD, `Quality` to default JPEG; the others to ``"rdopt"``.
    weighted : bool
        Whether there is a profile.
    """
    if isinstance(target, WaterLevel):
        return "opts" if weighted else "optd"
    return "jpeg" if isinstance(target, Quality) else "rdopt"
