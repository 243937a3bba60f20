"""From an image or a data set and a target to quantization tables."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Collection

import numpy as np
import numpy.typing as npt

from optcodec.design.deepn import quality_scale
from optcodec.design.histogram import MAX_STEP
from optcodec.design.methods import (
    DEFAULT_DISTORTION,
    LARGEST_STEPS,
    METHODS,
    SCALED,
    WATER_FILLING,
    Design,
    default_method,
)
from optcodec.design.search import Family, Joint, match_error, meet_size
from optcodec.design.statistics import DISTORTIONS, Source, Statistics, gather
from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.jpeg.writer import write_jpeg
from optcodec.scalars import whole_number
from optcodec.targets import (
    Bpp,
    MatchPsnr,
    MatchQuality,
    MatchSsim,
    MatchSwe,
    MaxBytes,
    Quality,
    Target,
    WaterLevel,
    largest_within,
    target_bytes,
)
from optcodec.vision.profile import SensitivityProfile

__all__ = ["DEFAULT_DISTORTION", "SamplingMismatchWarning", "check_sampling", "design_tables", "resolve"]

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]
SizeOf = Callable[[tuple[QuantTable, ...]], int]


class SamplingMismatchWarning(UserWarning):
    """A profile is used on images of another chroma sampling than it was estimated at."""


def design_tables(
    image_or_coefficients: Source,
    target: Target,
    *,
    profile: SensitivityProfile | None = None,
    method: str | None = None,
    distortion: str = DEFAULT_DISTORTION,
    subsampling: str = "4:4:4",
    qmax: int | None = None,
    threads: int | None = None,
) -> tuple[QuantTable, ...]:
    """Design quantization tables for an image, or one set of tables for many images.

    Parameters
    ----------
    image_or_coefficients : image, DctImage, CoefficientImage, or iterable of these
        Pixels (what `optcodec.load_picture` takes), coefficients, or the coefficients of a JPEG file, which is
        then not decoded to pixels. An iterable stands for one data set; see `optcodec.design.statistics.gather`.
    target : WaterLevel, Quality, MatchQuality, MatchSwe, Bpp or MaxBytes
        What to aim at. `WaterLevel` belongs to ``"opts"`` and ``"optd"``, `Quality` to ``"deepn"`` and ``"jpeg"``; the
        others go with every method. `Bpp` and `MaxBytes` are met by the real baseline file, which is written some
        five times; for a data set, by all files together.
    profile : SensitivityProfile, optional
        Used on its normalized scale. Needed by ``"opts"``; ``"rdopt"`` without one minds all errors alike; with the
        other methods it only weighs the error that `MatchSwe` and `MatchQuality` match.
    method : str, optional
        ``"rdopt"``, the default: of each frequency the step with the best trade between weighted error and bits, both
        counted from the coefficients; see `optcodec.design.rdopt`.
        ``"opts"``: OptS. ``"optd"``: OptD, which is OptS with all weights 1; a water level is then a squared error.
        With a `WaterLevel` they are the default, with a profile and without.
        ``"deepn"``: DeepN-JPEG; `Quality` 50 is the table as published, others scale it as libjpeg scales its own.
        ``"jpeg"``: the tables of T.81, Annex K; the default with a `Quality`.
    distortion : str
        Of ``"opts"`` and ``"optd"``: ``"empirical"``, the exact error, from histograms; ``"laplacian"``, eq. (14) of
        OptS, as published; ``"midpoint"``, the closed form of JPEG's rounding for the same Laplacian model.
    subsampling : str
        Of pixels; coefficients come with their own.
    qmax : int, optional
        Of ``"rdopt"``, ``"opts"`` and ``"optd"``: largest step, 1..255; by default 255, and 100 of the last two. Only
        where a target other than a water level cannot be met otherwise do all steps go beyond it, together.
    threads : int, optional
        At most so many; all processors by default. The result is the same.

    Returns
    -------
    tuple of QuantTable
        Luminance and chrominance; luminance alone for grey images.

    Raises
    ------
    InvalidInputError
        If arguments are wrong or do not go together.
    TargetNotMetError
        If no table meets the target; the message says what can be reached.

    Warns
    -----
    SamplingMismatchWarning
        If the profile was estimated at another chroma sampling. Its chrominance weights then belong to coefficients of
        another resolution: the tables are valid, but not the best ones.

    Notes
    -----
    ``distortion="laplacian"`` with ``qmax=100`` at a `WaterLevel` follows the published implementation of OptS to the
    table, up to its statistics: it neither rounds nor averages samples (see the tests).
    """
    statistics = gather(image_or_coefficients, subsampling=subsampling, threads=threads)

    def size_of(tables: tuple[QuantTable, ...]) -> int:
        return sum(len(write_jpeg(quantize(image, tables))) for image in statistics.images)

    return resolve(target, statistics, profile, method=method, distortion=distortion, qmax=qmax, size_of=size_of)


def resolve(
    target: Target,
    statistics: Statistics,
    profile: SensitivityProfile | None = None,
    *,
    method: str | None = None,
    distortion: str = DEFAULT_DISTORTION,
    qmax: int | None = None,
    size_of: SizeOf,
    distance_of: Callable[[tuple[QuantTable, ...]], float] | None = None,
    largest: tuple[float, str] = (0.0, ""),
) -> tuple[QuantTable, ...]:
    """Tables for statistics that are there already; otherwise as `design_tables`.

    Parameters
    ----------
    target, profile, method, distortion, qmax
        As in `design_tables`.
    statistics : Statistics
        Of the image or data set; `pixels` is what `Bpp` counts by.
    size_of : callable
        Bytes of the whole file, or files, with given tables. Called for `Bpp` and `MaxBytes` only: some five times, at
        most about twenty, and never twice for the same tables.
    distance_of, largest : callable, (float, str)
        Distance in pixels of the decoded file with given tables; the largest allowed, and what it is called. For
        `MatchPsnr` and `MatchSsim`, which go with one image.

    Returns
    -------
    tuple of QuantTable
        Luminance and chrominance; luminance alone for grey images.
    """
    if method is None:
        method = default_method(target, weighted=profile is not None)
    qmax = LARGEST_STEPS.get(method, MAX_STEP) if qmax is None else qmax
    qmax = whole_number(qmax, "qmax", 1, MAX_STEP)
    _check_options(method, distortion)
    if profile is not None:
        check_sampling(profile, statistics.samplings, stacklevel=4)
    design = Design.of(method, statistics, profile, distortion, qmax)
    families = METHODS[method](design)
    if isinstance(target, (WaterLevel, Quality)):
        return _tables(np.maximum(_at_level(target, families, method), design.least))
    if isinstance(target, (MatchQuality, MatchSwe)):
        return _tables(_at_error(target, families, design))
    if isinstance(target, (Bpp, MaxBytes)):
        return _tables(_at_size(target, families, design, size_of))
    if isinstance(target, (MatchPsnr, MatchSsim)) and distance_of is not None:
        return _at_distance(design.joint(families), distance_of, *largest)
    raise InvalidInputError(f"expected a target such as WaterLevel(0.1) or Bpp(1.0), got {target!r}")


def _check_options(method: str, distortion: str) -> None:
    if method not in METHODS:
        raise InvalidInputError(f"method is one of {', '.join(METHODS)}; got {method!r}")
    if distortion not in DISTORTIONS:
        raise InvalidInputError(f"distortion is one of {', '.join(DISTORTIONS)}; got {distortion!r}")


def check_sampling(profile: SensitivityProfile, samplings: Collection[str], *, stacklevel: int) -> None:
    """Warn if a profile was estimated at another chroma sampling than one of those it is used at.

    Parameters
    ----------
    profile : SensitivityProfile
        Its provenance says where it comes from.
    samplings : collection of str
        Such as ``{"4:2:0"}``.
    stacklevel : int
        As of `warnings.warn`; 2 is whoever calls this.
    """
    expected = profile.provenance.subsampling
    others = sorted(set(samplings) - {expected})
    if others:
        warnings.warn(
            f"profile {profile.name} was estimated at {expected}, but is used at {', '.join(others)}: "
            "its chrominance weights belong to coefficients of another resolution",
            SamplingMismatchWarning,
            stacklevel=stacklevel,
        )


def _tables(steps: Steps) -> tuple[QuantTable, ...]:
    return tuple(QuantTable(each.reshape(8, 8)) for each in steps)


def _at_level(target: WaterLevel | Quality, families: list[Family], method: str) -> Steps:
    """Tables whose level is known without a search."""
    takes = WaterLevel if method in WATER_FILLING else Quality if method in SCALED else None
    if takes is None or not isinstance(target, takes):
        own = f"a {takes.__name__} or " if takes else ""
        raise InvalidInputError(f"method {method!r} takes {own}a target to search for, got {target!r}")
    levels = target.levels if isinstance(target, WaterLevel) else 2 * (float(quality_scale(target.quality)),)
    return np.array([family.steps(level) for family, level in zip(families, levels, strict=False)])


def _at_error(target: MatchQuality | MatchSwe, families: list[Family], design: Design) -> Steps:
    errors, limits = design.errors, _limits(target, design.errors)
    if len(limits) == 1:
        return _within(design.joint(families), errors, limits[0], target)
    parts = enumerate(zip(families, errors, limits, strict=True))
    return np.concatenate([_within(design.joint([f], group), e[None], limit, target) for group, (f, e, limit) in parts])


def _limits(target: MatchQuality | MatchSwe, errors: Floats) -> list[float]:
    """Errors to stay within: of each table, or a single one of all tables together."""
    if isinstance(target, MatchSwe):
        return [target.swe] if target.chroma is None else [target.swe, target.chroma][: len(errors)]
    steps = [table.steps.ravel().astype(np.int64) for table in annex_k_tables(target.quality)]
    limits = [float(error[np.arange(64), each - 1].sum()) for error, each in zip(errors, steps, strict=False)]
    return [sum(limits)] if target.jointly else limits


def _within(joint: Joint, errors: Floats, limit: float, target: MatchQuality | MatchSwe) -> Steps:
    steps, error = match_error(joint, errors, limit)
    if isinstance(target, MatchSwe) and error < 0.99 * limit and (steps == MAX_STEP).all():
        raise TargetNotMetError(f"expected an SWE of {limit:g}, but that of the coarsest tables is {error:.6g}")
    return steps


def _at_size(target: Bpp | MaxBytes, families: list[Family], design: Design, size_of: SizeOf) -> Steps:
    pixels = design.statistics.pixels
    limit = target_bytes(target, pixels)
    joint = design.joint(families)
    try:
        steps, nbytes = meet_size(joint, design.bits, limit, lambda steps: size_of(_tables(steps)))
    except TargetNotMetError as error:
        raise TargetNotMetError(f"{target}: {error}") from None
    if isinstance(target, Bpp) and nbytes < 0.99 * limit:
        reached = 8 * nbytes / pixels
        raise TargetNotMetError(f"{target}: the nearest below is {reached:.4g} bpp ({nbytes} bytes)")
    return steps


def _at_distance(
    joint: Joint, distance_of: Callable[[tuple[QuantTable, ...]], float], limit: float, what: str
) -> tuple[QuantTable, ...]:
    """The coarsest tables of a line with which the decoded file keeps a distance."""
    found: dict[bytes, float] = {}

    def measure(level: float) -> float:
        steps = joint.steps(level)
        if steps.tobytes() not in found:
            found[steps.tobytes()] = distance_of(_tables(steps))
        return found[steps.tobytes()]

    def settled(low: float, high: float) -> bool:
        return np.array_equal(joint.steps(low), joint.steps(high))

    level, _ = largest_within(measure, limit, joint.bounds, enough=0.998 * limit, settled=settled, what=what)
    return _tables(joint.steps(level))
