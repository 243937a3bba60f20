"""Targets of the encoder: one small frozen type for each thing that a user may ask of a file.

================ ==========================================================================================
WaterLevel       weighted error that each coefficient may have (OptS); a level that needs no search
Quality          quality factor of a scaled table (default JPEG, DeepN-JPEG); a level that needs no search
MatchQuality     the SWE of default JPEG at a quality factor, luminance and chrominance apart (Setting 1) or jointly
MatchSwe         a sensitivity weighted error, or one of luminance and one of chrominance
MatchPsnr        the peak signal-to-noise ratio of the decoded image, at least
MatchSsim        the structural similarity of the decoded image, at least
MatchSsimulacra2 the SSIMULACRA2 score of the decoded image, at least
MatchButteraugli the distance of the decoded image by butteraugli, at most (`optcodec.butteraugli`)
MatchMeasure     a measure of the user, computed from the file (`optcodec.match_measure`)
Bpp              bits per pixel of the whole file
MaxBytes         a file no larger than this
================ ==========================================================================================

A target that needs a search resolves to goals: what is measured of a file, and how large it may be. How closely each
measure is met is said in `optcodec.matching`.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, TypeVar

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.jpeg.tables import annex_k_tables, check_quality
from optcodec.lines import Candidate, Goal
from optcodec.matching import MET, Target, TargetLine, decoded_distance, error_goals, file_goal, size_goal
from optcodec.metrics import luminance_ssim, mean_square, ssimulacra2
from optcodec.scalars import real_number, whole_number

__all__ = [
    "Bpp",
    "FixedLevel",
    "MatchPsnr",
    "MatchQuality",
    "MatchSsim",
    "MatchSsimulacra2",
    "MatchSwe",
    "MaxBytes",
    "Quality",
    "Target",
    "WaterLevel",
]

C = TypeVar("C", bound=Candidate)


def _keep(target: object, **numbers: float) -> None:
    """Put checked numbers, which are plain ``int`` and ``float``, into a frozen target while it is constructed."""
    for name, number in numbers.items():
        object.__setattr__(target, name, number)


class FixedLevel(Target):
    """A target that is a level of a table design, which needs no search."""


@dataclass(frozen=True)
class WaterLevel(FixedLevel):
    """Largest weighted error ``s * D`` that one coefficient may have.

    Parameters
    ----------
    d : float
        Above 0. With a profile, on its normalized scale (0.005 is nearly transparent, 1 is coarse); for OptD a squared
        error in coefficient units.
    chroma : float, optional
        Another level for chrominance; `d` by default.
    """

    d: float
    chroma: float | None = None

    def __post_init__(self) -> None:
        _keep(self, d=real_number(self.d, "a water level"))
        if self.chroma is not None:
            _keep(self, chroma=real_number(self.chroma, "a water level"))

    @property
    def levels(self) -> tuple[float, float]:
        """Water level of luminance and of chrominance."""
        return self.d, self.d if self.chroma is None else self.chroma


@dataclass(frozen=True)
class Quality(FixedLevel):
    """JPEG quality factor 1..100, on the scale of the Independent JPEG Group."""

    quality: int

    def __post_init__(self) -> None:
        _keep(self, quality=check_quality(self.quality))


@dataclass(frozen=True)
class MatchQuality(Target):
    """The sensitivity weighted error of default JPEG at a quality factor, which is not exceeded.

    Parameters
    ----------
    quality : int
        1..100.
    jointly : bool
        Match the sum of all components, with one level for both tables. By default luminance and chrominance are
        searched apart (Setting 1 of OptS).
    """

    quality: int
    jointly: bool = False

    def __post_init__(self) -> None:
        _keep(self, quality=check_quality(self.quality))
        if not isinstance(self.jointly, bool):
            raise InvalidInputError(f"jointly is True or False, got {self.jointly!r}")

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """The errors that rounding with the tables of T.81, Annex K, makes."""
        errors = line.errors_of(annex_k_tables(self.quality))
        limits = (sum(errors),) if self.jointly else errors
        return error_goals(self, line, lambda candidate: candidate.errors, limits, start=line.level_like(self.quality))


@dataclass(frozen=True)
class MatchSwe(Target):
    """A sensitivity weighted error, which is approached from below.

    Parameters
    ----------
    swe : float
        At least 0 (nothing is lost), in the unit of `optcodec.metrics.swe` with the normalized profile; without a
        profile, with all weights 1 (64 times the squared error of a sample, summed over components).
    chroma : float, optional
        At least 0. With it, luminance is matched to `swe` and chrominance (Cb and Cr together) to this, apart from one
        another. A grey image has luminance only.
    """

    swe: float
    chroma: float | None = None

    def __post_init__(self) -> None:
        _keep(self, swe=real_number(self.swe, "an SWE", or_zero=True))
        if self.chroma is not None:
            _keep(self, chroma=real_number(self.chroma, "an SWE", or_zero=True))

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """The sensitivity weighted error, in total or of luminance and chrominance apart."""
        grey = len(line.errors_of(annex_k_tables(50))) == 1
        limits = (self.swe,) if self.chroma is None or grey else (self.swe, self.chroma)
        return error_goals(self, line, lambda candidate: candidate.swe, limits)


@dataclass(frozen=True)
class MatchPsnr(Target):
    """A peak signal-to-noise ratio of the decoded image: the smallest file that has at least so much.

    Parameters
    ----------
    psnr_db : float
        In dB, above 0, over the samples that libjpeg-turbo decodes: RGB, or grey. See `optcodec.metrics.psnr_db`.
    """

    psnr_db: float

    def __post_init__(self) -> None:
        _keep(self, psnr_db=real_number(self.psnr_db, "a PSNR in dB"))

    needs_file: ClassVar[bool] = True

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """The mean squared error of this PSNR."""
        limit = 255.0**2 / 10 ** (self.psnr_db / 10)
        distance = decoded_distance(line.reference(), mean_square)
        return (file_goal(line, distance, limit, f"{self}: a squared error"),)


@dataclass(frozen=True)
class MatchSsim(Target):
    """A structural similarity of the decoded image: the smallest file that has at least so much.

    Parameters
    ----------
    ssim : float
        Above 0, below 1: SSIM of the luminance (T.871) of what libjpeg-turbo decodes. See `optcodec.metrics.ssim`.
    """

    ssim: float

    def __post_init__(self) -> None:
        _keep(self, ssim=real_number(self.ssim, "an SSIM"))
        if self.ssim >= 1:
            raise InvalidInputError(f"an SSIM to match lies below 1, which equal images have; got {self.ssim!r}")

    needs_file: ClassVar[bool] = True

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """What this SSIM leaves to 1."""
        distance = decoded_distance(line.reference(), lambda one, other: 1 - luminance_ssim(one, other))
        return (file_goal(line, distance, 1 - self.ssim, f"{self}: 1 - SSIM"),)


@dataclass(frozen=True)
class MatchSsimulacra2(Target):
    """A score of SSIMULACRA2 of the decoded image: the smallest file that has at least so much.

    Parameters
    ----------
    score : float
        Above 0, below 100, which equal images have; 90 is hard to tell from the original, 70 is good, 50 fair. It is
        that of what libjpeg-turbo decodes; see `optcodec.metrics.ssimulacra2`, which takes a second or so for each of
        some ten files a megapixel.
    """

    score: float

    def __post_init__(self) -> None:
        _keep(self, score=real_number(self.score, "a score of SSIMULACRA2"))
        if self.score >= 100:
            raise InvalidInputError(f"a score of SSIMULACRA2 to match lies below 100; got {self.score!r}")

    needs_file: ClassVar[bool] = True

    def is_kept(self, reference: npt.NDArray[np.uint8], test: npt.NDArray[np.uint8]) -> bool:
        """Whether a picture has this score at least."""
        return ssimulacra2(reference, test) >= self.score

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """What this score leaves to 100."""
        distance = decoded_distance(line.reference(), lambda one, other: 100 - ssimulacra2(one, other))
        return (file_goal(line, distance, 100 - self.score, f"{self}: 100 - SSIMULACRA2"),)


@dataclass(frozen=True)
class Bpp(Target):
    """The largest number of bits of the whole file, headers included, per pixel.

    It is approached within 1 % where any table does; a picture that needs less even with the finest tables has these.

    Parameters
    ----------
    bpp : float
        Above 0.
    """

    bpp: float

    def __post_init__(self) -> None:
        _keep(self, bpp=real_number(self.bpp, "a number of bits per pixel"))

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """The size of the file."""
        return (size_goal(self, line, accepted=MET),)

    def budget(self, pixels: int) -> int:
        """Bytes that a file of so many pixels may have."""
        return max(int(self.bpp * pixels / 8), 1)


@dataclass(frozen=True)
class MaxBytes(Target):
    """The largest size of the whole file in bytes: of the files that are no larger, the one with the least error.

    It is approached within 1 % where any table does, with a trellis mostly within 0.2 %.

    Parameters
    ----------
    nbytes : int
        At least 1.
    """

    nbytes: int

    def __post_init__(self) -> None:
        _keep(self, nbytes=whole_number(self.nbytes, "a number of bytes", 1))

    def goals(self, line: TargetLine[C]) -> tuple[Goal, ...]:
        """The size of the file."""
        return (size_goal(self, line),)

    def budget(self, pixels: int) -> int:
        """The number of bytes, however many pixels there are."""
        return self.nbytes
