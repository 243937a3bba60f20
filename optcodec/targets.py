"""What the encoder aims at, one small frozen type each, and the one search that they share.

============== ========================================================================================
WaterLevel     weighted error that each coefficient may have (OptS), no search
Quality        quality factor of a scaled table (default JPEG, DeepN-JPEG), no search
MatchQuality   the SWE of default JPEG at a quality factor, luminance and chrominance apart (Setting 1) or jointly
MatchSwe       a sensitivity weighted error, or one of luminance and one of chrominance
MatchPsnr      the peak signal-to-noise ratio of the decoded image, at least
MatchSsim      the structural similarity of the decoded image, at least
Bpp            bits per pixel of the whole file
MaxBytes       a file no larger than this
============== ========================================================================================
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass

from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.jpeg.tables import check_quality
from optcodec.scalars import real_number, whole_number

__all__ = [
    "Bpp",
    "MatchPsnr",
    "MatchQuality",
    "MatchSsim",
    "MatchSwe",
    "MaxBytes",
    "Quality",
    "Target",
    "WaterLevel",
    "largest_within",
    "target_bytes",
]


def _keep(target: object, **numbers: float) -> None:
    """Put checked numbers, which are plain ``int`` and ``float``, into a frozen target that is being made."""
    for name, number in numbers.items():
        object.__setattr__(target, name, number)


@dataclass(frozen=True)
class WaterLevel:
    """Largest weighted error ``s * D`` that one coefficient may have.

    Parameters
    ----------
    d : float
        Above 0. With a profile, on its normalized scale (0.005 is nearly transparent, 1 is coarse); for OptD a squared
        error in coefficient units.
    chroma : float, optional
        Another level for chrominance; `d` if it is not given.
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
class Quality:
    """JPEG quality factor 1..100, on the scale of the Independent JPEG Group."""

    quality: int

    def __post_init__(self) -> None:
        _keep(self, quality=check_quality(self.quality))


@dataclass(frozen=True)
class MatchQuality:
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


@dataclass(frozen=True)
class MatchSwe:
    """A sensitivity weighted error, which is approached from below.

    Parameters
    ----------
    swe : float
        At least 0 (nothing is lost), in the unit of `optcodec.metrics.swe` with the normalized profile; without a
        profile, with all weights 1 (64 times the squared error of a sample, summed over components).
    chroma : float, optional
        At least 0. Where it is given, luminance is matched to `swe` and chrominance (Cb and Cr together) to this, apart
        from one another. A grey image has luminance only.
    """

    swe: float
    chroma: float | None = None

    def __post_init__(self) -> None:
        _keep(self, swe=real_number(self.swe, "an SWE", or_zero=True))
        if self.chroma is not None:
            _keep(self, chroma=real_number(self.chroma, "an SWE", or_zero=True))


@dataclass(frozen=True)
class MatchPsnr:
    """A peak signal-to-noise ratio of the decoded image, which is reached or exceeded by as little as can be.

    Parameters
    ----------
    psnr_db : float
        In dB, above 0, over the samples that libjpeg-turbo decodes: RGB, or grey. See `optcodec.metrics.psnr_db`.
    """

    psnr_db: float

    def __post_init__(self) -> None:
        _keep(self, psnr_db=real_number(self.psnr_db, "a PSNR in dB"))


@dataclass(frozen=True)
class MatchSsim:
    """A structural similarity of the decoded image, which is reached or exceeded by as little as can be.

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


@dataclass(frozen=True)
class Bpp:
    """Bits of the whole file, headers included, per pixel; met within 1 % from below, with a trellis within 0.5 %.

    Parameters
    ----------
    bpp : float
        Above 0.
    """

    bpp: float

    def __post_init__(self) -> None:
        _keep(self, bpp=real_number(self.bpp, "a number of bits per pixel"))


@dataclass(frozen=True)
class MaxBytes:
    """A size of the whole file in bytes that is never exceeded, and approached within 1 % where any table does.

    With a trellis within 0.5 %.

    Parameters
    ----------
    nbytes : int
        At least 1.
    """

    nbytes: int

    def __post_init__(self) -> None:
        _keep(self, nbytes=whole_number(self.nbytes, "a number of bytes", 1))


def target_bytes(target: Bpp | MaxBytes, pixels: int) -> int:
    """Bytes that a file of so many pixels may have."""
    return target.nbytes if isinstance(target, MaxBytes) else max(int(target.bpp * pixels / 8), 1)


Target = WaterLevel | Quality | MatchQuality | MatchSwe | MatchPsnr | MatchSsim | Bpp | MaxBytes


def largest_within(
    measure: Callable[[float], float],
    limit: float,
    bounds: tuple[float, float],
    *,
    enough: float,
    propose: Callable[[float, float], float] | None = None,
    settled: Callable[[float, float], bool] | None = None,
    what: str = "a measure",
) -> tuple[float, float]:
    """Bisect for the largest level whose measure stays within a limit.

    Parameters
    ----------
    measure : callable
        Of a level; should not fall where the level grows. Where it does all the same, the result still keeps the
        limit, but a larger level may too.
    limit : float
        Largest measure allowed.
    bounds : tuple of float
        Lowest and highest level, both above 0.
    enough : float
        A measure from here to the limit ends the search.
    propose : callable, optional
        Next level to try between two others; their geometric mean if it is not given. At most every other step
        follows it, so that it cannot hold up the search.
    settled : callable, optional
        Whether nothing else can be found between two levels that were measured, which ends the search.
    what : str
        What is measured, for the message of the error.

    Returns
    -------
    tuple of float
        Highest level known to keep the limit, and lowest level above it known to exceed it (the same level again where
        the upper bound keeps the limit, or where `enough` was reached).

    Raises
    ------
    TargetNotMetError
        If the lowest level already exceeds the limit.

    Notes
    -----
    Bounded: ends after at most 128 measures, or when the levels differ by less than one part in 10^12.
    """
    low, high = bounds
    reached = measure(low)
    if reached > limit:
        raise TargetNotMetError(
            f"expected {what} of at most {limit:.10g}, but the nearest that can be reached is {reached:.10g}"
        )
    if reached >= enough:
        return low, low
    if measure(high) <= limit:
        return high, high
    for step in range(126):
        if high <= low * (1 + 1e-12) or (settled is not None and settled(low, high)):
            break
        middle = math.sqrt(low * high)
        if propose is not None and step % 2 == 0:
            proposed = propose(low, high)
            middle = proposed if low < proposed < high else middle
        found = measure(middle)
        if found > limit:
            high = middle
        else:
            low = middle
            if found >= enough:
                return low, low
    return low, high
