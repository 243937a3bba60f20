"""From an image or a data set and a target to quantization tables."""

from __future__ import annotations

from collections.abc import Collection, Sequence

import numpy as np
import numpy.typing as npt

from optcodec.design.candidates import DesignedFile, Files
from optcodec.design.families import Family
from optcodec.design.histogram import MAX_STEP
from optcodec.design.line import DesignLine
from optcodec.design.methods import (
    DEFAULT_DISTORTION,
    METHODS,
    SCALED,
    WATER_FILLING,
    Design,
    default_method,
    scaled,
)
from optcodec.design.statistics import DISTORTIONS, Source, Statistics, files_nbytes, gather
from optcodec.errors import InvalidInputError
from optcodec.jpeg.tables import QuantTable, quality_scale
from optcodec.matching import Target, meet
from optcodec.notices import warn_user
from optcodec.scalars import whole_number
from optcodec.targets import FixedLevel, Quality, WaterLevel
from optcodec.vision.profile import SensitivityProfile

__all__ = [
    "DEFAULT_DISTORTION",
    "SamplingMismatchWarning",
    "check_sampling",
    "design_tables",
    "line_of_method",
    "rescaled",
    "resolve",
    "usual_subsampling",
]

Steps = npt.NDArray[np.int64]


class SamplingMismatchWarning(UserWarning):
    """A profile is used on images of another chroma sampling than it was estimated at."""


def design_tables(
    image_or_coefficients: Source,
    target: Target,
    *,
    profile: SensitivityProfile | None = None,
    method: str | None = None,
    distortion: str = DEFAULT_DISTORTION,
    subsampling: str | None = None,
    qmax: int | None = None,
    qmin: int = 1,
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
    subsampling : str, optional
        Of pixels; coefficients come with their own. By default that of the profile, without one 4:2:0, as in
        `optcodec.encode`.
    qmax : int, optional
        Of ``"rdopt"``, ``"opts"`` and ``"optd"``: largest step, 1..255; by default 255, and 100 of the last two. Only
        where a target other than a water level cannot be met otherwise do all steps go beyond it, together.
    qmin : int
        Smallest step, 1..255, for encoders that take no smaller ones.
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
    sampling = subsampling or usual_subsampling(profile)
    statistics = gather(image_or_coefficients, subsampling=sampling, threads=threads)
    if profile is not None:
        check_sampling(profile, statistics.samplings)

    def size_of(tables: tuple[QuantTable, ...]) -> int:
        return files_nbytes(statistics.images, tables)

    limits, files = (qmin, qmax), Files(statistics.size_of or size_of)
    return resolve(target, statistics, profile, method=method, distortion=distortion, limits=limits, files=files).tables


def resolve(
    target: Target,
    statistics: Statistics,
    profile: SensitivityProfile | None = None,
    *,
    method: str | None = None,
    distortion: str = DEFAULT_DISTORTION,
    limits: tuple[int, int | None] = (1, None),
    files: Files,
) -> DesignedFile:
    """Tables for statistics that are there already; otherwise as `design_tables`.

    Parameters
    ----------
    target, profile, method, distortion
        As in `design_tables`; `MatchPsnr` and what else is measured on a file go with a single image.
    statistics : Statistics
        Of the image or data set; `pixels` is what `Bpp` counts by.
    limits : (int, int or None)
        Smallest and largest step: `qmin` and `qmax` of `design_tables`.
    files : Files
        Writes the files with tables that are tried: some five, at most about twenty, and never two with the same
        tables. For a target that is an error or a level, no file is written.

    Returns
    -------
    DesignedFile
        With the tables; where there is a single image, also with the file.
    """
    _check_target(target, files)
    if method is None:
        method = default_method(target, weighted=profile is not None)
    _check_options(method, distortion)
    design = Design.of(method, statistics, profile, distortion, _checked(limits))
    line = DesignLine(design, METHODS[method](design), files)
    if isinstance(target, FixedLevel):
        return line.file_with(np.maximum(_at_level(target, line.families, method), design.least))
    return meet(line, target).candidate


def rescaled(
    target: Target,
    statistics: Statistics,
    tables: Sequence[QuantTable],
    profile: SensitivityProfile | None = None,
    *,
    files: Files,
) -> DesignedFile:
    """Tables that are given, scaled as a whole until a target is met; parameters and result as of `resolve`."""
    _check_target(target, files)
    design = Design.of("jpeg", statistics, profile)
    return meet(DesignLine(design, scaled(design, tables), files, only_scaled=True), target).candidate


def line_of_method(
    statistics: Statistics,
    method: str,
    profile: SensitivityProfile | None = None,
    distortion: str = DEFAULT_DISTORTION,
) -> DesignLine:
    """Tables of a method by their level, for files that are made otherwise; parameters as in `design_tables`."""
    _check_options(method, distortion)
    design = Design.of(method, statistics, profile, distortion)
    return DesignLine(design, METHODS[method](design), Files(len))


def _check_target(target: Target, files: Files) -> None:
    if not isinstance(target, Target) or (target.needs_file and files.write is None):
        raise InvalidInputError(f"expected a target such as WaterLevel(0.1) or Bpp(1.0), got {target!r}")


def _checked(limits: tuple[int, int | None]) -> tuple[int, int | None]:
    """The smallest and the largest step, or an `InvalidInputError`."""
    qmin = whole_number(limits[0], "qmin", 1, MAX_STEP)
    qmax = None if limits[1] is None else whole_number(limits[1], "qmax", 1, MAX_STEP)
    if qmax is not None and qmin > qmax:
        raise InvalidInputError(f"qmin is at most qmax; got {qmin} and {qmax}")
    return qmin, qmax


def _check_options(method: str, distortion: str) -> None:
    if method not in METHODS:
        raise InvalidInputError(f"method is one of {', '.join(METHODS)}; got {method!r}")
    if distortion not in DISTORTIONS:
        raise InvalidInputError(f"distortion is one of {', '.join(DISTORTIONS)}; got {distortion!r}")


def usual_subsampling(profile: SensitivityProfile | None) -> str:
    """The chroma subsampling of pixels by default: that of the profile, without one 4:2:0."""
    return "4:2:0" if profile is None else profile.provenance.subsampling


def check_sampling(profile: SensitivityProfile, samplings: Collection[str]) -> None:
    """Warn if a profile was estimated at another chroma sampling than one of those it is used at.

    Parameters
    ----------
    profile : SensitivityProfile
        Its provenance says where it comes from.
    samplings : collection of str
        Such as ``{"4:2:0"}``.
    """
    expected = profile.provenance.subsampling
    others = sorted(set(samplings) - {expected})
    if others:
        warn_user(
            f"profile {profile.name} was estimated at {expected}, but is used at {', '.join(others)}: "
            "its chrominance weights belong to coefficients of another resolution",
            SamplingMismatchWarning,
        )


def _at_level(target: FixedLevel, families: Sequence[Family], method: str) -> Steps:
    """Steps (tables, 64) whose level is known without a search."""
    level_type = WaterLevel if method in WATER_FILLING else Quality if method in SCALED else None
    if level_type is None or not isinstance(target, level_type):
        expected = f"a {level_type.__name__} or " if level_type else ""
        raise InvalidInputError(f"method {method!r} takes {expected}a target to search for, got {target!r}")
    levels = target.levels if isinstance(target, WaterLevel) else 2 * (float(quality_scale(target.quality)),)
    return np.array([family.steps(level) for family, level in zip(families, levels, strict=False)])
