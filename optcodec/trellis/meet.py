"""From a target to the search that meets it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from optcodec.cached import cached_property
from optcodec.design import DEFAULT_DISTORTION, METHODS, Design, Joint, gather
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.matching import PixelDistance
from optcodec.metrics import EQUAL_WEIGHTS, Weighted, swe_by_component
from optcodec.targets import Bpp, MatchPsnr, MatchQuality, MatchSsim, MatchSwe, MaxBytes, Target, target_bytes
from optcodec.trellis.coder import Coder, Levels
from optcodec.trellis.search import START, Aim, bytes_of, fitted, fitted_apart, level_like
from optcodec.vision.profile import SensitivityProfile

__all__ = ["Meeting"]

_BPP_TOLERANCE = 0.01  # to which a number of bits per pixel counts as met


@dataclass(frozen=True, eq=False)
class Meeting:
    """One image to be coded for a target.

    Parameters
    ----------
    coder : Coder
        The image, with a tuning.
    source : PixelSource or CoefficientSource
        Where it comes from.
    profile : SensitivityProfile, optional
        Weights of the error that `MatchSwe` matches, and of methods that design tables with them.
    method : str, optional
        How tables are designed.
    usual : str, optional
        How they are designed without a method; by default those that fit the trellis. Where luminance and chrominance
        are matched apart, it is always these.
    distortion : str
        Model of the error that a method designs with, see `optcodec.design.design_tables`.
    """

    coder: Coder
    source: PixelSource | CoefficientSource
    profile: SensitivityProfile | None
    method: str | None = None
    usual: str | None = None
    distortion: str = DEFAULT_DISTORTION

    def data(self, target: Target) -> bytes:
        """The file that meets the target.

        Raises
        ------
        InvalidInputError
            If the target is not one to search for.
        TargetNotMetError
            If it cannot be met.
        """
        if self.method is not None and self.method not in METHODS:
            raise InvalidInputError(f"method is one of {', '.join(METHODS)}; got {self.method!r}")
        if isinstance(target, (Bpp, MaxBytes)):
            return self._of_size(target)
        if isinstance(target, (MatchPsnr, MatchSsim)):
            distance = PixelDistance.of(target, self.source)
            aim = Aim(lambda _, data: distance(data), distance.limit, distance.what)
            return fitted(self.coder, aim, self._plan).data
        if isinstance(target, (MatchQuality, MatchSwe)):
            return self._of_error(target)
        raise InvalidInputError(f"expected a target such as Bpp(1.0) or MatchPsnr(36.0), got {target!r}")

    def _of_size(self, target: Bpp | MaxBytes) -> bytes:
        limit = target_bytes(target, self.coder.image.width * self.coder.image.height)
        aim = Aim(bytes_of, limit, f"{target}: a file size in bytes", rising=False)
        fit = fitted(self.coder, aim, self._plan)
        return fit.within(limit, _BPP_TOLERANCE if isinstance(target, Bpp) else 1.0, aim.what).data

    def _of_error(self, target: MatchQuality | MatchSwe) -> bytes:
        """File of an error in coefficients."""
        what, start = f"{target}: a weighted error", START
        if isinstance(target, MatchQuality):
            start = level_like(self.coder, target.quality)
        limits = self._limits(target)

        def error_of(components: slice) -> Callable[[CoefficientImage, bytes], float]:
            return lambda coded, _: sum(self._errors(coded, target)[components])

        if len(limits) == 1:
            return fitted(self.coder, Aim(error_of(slice(None)), limits[0], what), self._plan, start).data
        if self.method is not None:
            raise InvalidInputError(
                f"luminance and chrominance are matched apart without a method, got {self.method!r}"
            )
        luminance = Aim(error_of(slice(0, 1)), limits[0], what, moving=(True, False))
        chrominance = Aim(error_of(slice(1, 3)), limits[1], what, moving=(False, True))
        return fitted_apart(self.coder, (luminance, chrominance), start).data

    def _limits(self, target: MatchQuality | MatchSwe) -> list[float]:
        """Errors to stay within: of luminance and of chrominance, or of both together."""
        grey = len(self.coder.image.components) == 1
        if isinstance(target, MatchSwe):
            return [target.swe] if target.chroma is None or grey else [target.swe, target.chroma]
        found = self._errors(quantize(self.coder.image, annex_k_tables(target.quality)), target)
        return [sum(found)] if target.jointly or grey else [found[0], sum(found[1:])]

    def _errors(self, coded: CoefficientImage, target: MatchQuality | MatchSwe) -> Sequence[float]:
        """What is matched: the error that the tuning weighs, or a sensitivity weighted one."""
        if isinstance(target, MatchQuality):
            return self.coder.errors(coded)
        weights: Weighted = EQUAL_WEIGHTS if self.profile is None else self.profile.normalized()
        return swe_by_component(self.coder.image, coded, weights)

    def _plan(self, level: float) -> tuple[tuple[QuantTable, ...], Levels]:
        """Tables and levels, as functions of one number."""
        if self.method is None and self.usual is None:
            return self.coder.tables((level, level)), (level, level)
        tables = tuple(QuantTable(steps.reshape(8, 8)) for steps in self._joint.steps(level))
        own = self.coder.level_of(tables)
        return tables, (own, own)

    @cached_property
    def _joint(self) -> Joint:
        """Families of tables of the method."""
        method = self.method or self.usual or ""
        statistics = gather(self.coder.image, threads=self.coder.threads)
        design = Design.of(method, statistics, self.profile, self.distortion)
        return design.joint(METHODS[method](design))
