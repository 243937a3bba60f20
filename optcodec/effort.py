"""Encode with a trellis: from an image, a tuning and a target to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from optcodec.blocks.choice import BlockChoice, BlockContext
from optcodec.blocks.profile import UtilityProfile
from optcodec.design import Files, check_sampling, gather, line_of_method, resolve
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage, DctImage
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import prepare
from optcodec.matching import Target, meet
from optcodec.metrics import EQUAL_WEIGHTS
from optcodec.targets import FixedLevel, MatchQuality
from optcodec.trellis.chroma import Planes
from optcodec.trellis.coder import Coder, level_like
from optcodec.trellis.field import QualityField
from optcodec.trellis.line import CodedFile, TrellisLine
from optcodec.trellis.tuning import Tuning, tuning_for
from optcodec.values import Value
from optcodec.vision.profile import SensitivityProfile

__all__ = ["Rdo", "Wanted", "rdo_encoded"]

_KERNELS = "trellis", "dcsteps", "rates", "distortion", "quantize", "tridiagonal", "entropy", "huffman", "bits"


@dataclass(frozen=True, eq=False)
class Rdo(Value):
    """How indices are chosen: those with the least weighted squared error plus a price of their bits.

    Parameters
    ----------
    tune : str, SensitivityProfile, UtilityProfile or Tuning, optional
        What the file is tuned for: ``"psnr"`` (of RGB), ``"ssim"`` (of luminance), ``"people"``, a network, by the
        profile that was measured on it, a receiver that restores, by its utility profile, or any weights. By default
        the profile that tables are designed for, then the receiver that `blocks` is for, otherwise ``"psnr"``.
    field : QualityField, optional
        Where in the image errors count for more.
    blocks : BlockChoice, optional
        How 32x32 blocks are weighed besides, see `optcodec.blocks_by`.
    thorough : bool
        Take the time for what a trellis alone does not do: chrominance downsampled for the way decoders upsample it,
        luminance that makes up for errors of chrominance (both for PSNR of RGB); the scans of progressive files by
        trial.

    Raises
    ------
    InvalidInputError
        If there is no such tuning, or the field is none.
    """

    tune: str | SensitivityProfile | UtilityProfile | Tuning | None = None
    field: QualityField | None = None
    blocks: BlockChoice | None = None
    thorough: bool = False

    def __post_init__(self) -> None:
        if self.tune is not None:
            tuning_for(self.tune)
        if self.field is not None and not isinstance(self.field, QualityField):
            raise InvalidInputError(f"a field is a QualityField, got {type(self.field).__name__}")
        if self.blocks is not None and not isinstance(self.blocks, BlockChoice):
            raise InvalidInputError(f"blocks are weighed by a BlockChoice, got {type(self.blocks).__name__}")

    @property
    def profile(self) -> SensitivityProfile | None:
        """The profile that the file is tuned with, if it is one."""
        return self.tune if isinstance(self.tune, SensitivityProfile) else None

    @property
    def receivers(self) -> list[UtilityProfile]:
        """The utility profiles that the file is tuned, and its blocks are weighed with."""
        known = [self.tune, self.blocks and self.blocks.profile]
        return [profile for profile in known if isinstance(profile, UtilityProfile)]

    @property
    def subsampling(self) -> str | None:
        """The sampling that the profile of network or receiver was measured at, if there is one."""
        measured = ([self.profile] if self.profile else []) + self.receivers
        return measured[0].provenance.subsampling if measured else None


@dataclass(frozen=True)
class Wanted:
    """What a file is asked for, as in `optcodec.encode`: one of the first three."""

    quality: int | None
    tables: Sequence[QuantTable] | None
    target: Target | None
    profile: SensitivityProfile | None
    method: str | None


def rdo_encoded(source: PixelSource | CoefficientSource, rdo: bool | Rdo, wanted: Wanted) -> bytes:
    """The file of an image whose indices a trellis chooses.

    Raises
    ------
    InvalidInputError
        If `rdo` is something else, the field does not fit the image, or image or target are of a kind that is not
        handled.
    TargetNotMetError
        If the target cannot be met.
    """
    if not isinstance(rdo, (bool, Rdo)):
        raise InvalidInputError(f"rdo is True, False or an Rdo, got {rdo!r}")
    rdo = Rdo() if isinstance(rdo, bool) else rdo
    pixels = ("forward",) if isinstance(source, PixelSource) else ()
    prepare(*_KERNELS, *pixels, *(rdo.blocks.kernels if rdo.blocks else ()))
    if source.sampling != "grey":
        for receiver in rdo.receivers:
            receiver.check(subsampling=source.sampling)
    tunings = [receiver.tuning for receiver in rdo.receivers if receiver.tuning is not None]
    tune = rdo.tune or wanted.profile or (tunings[0] if tunings else "psnr")
    if isinstance(tune, SensitivityProfile):
        wanted = replace(wanted, profile=wanted.profile or tune)
    if wanted.profile is not None:
        check_sampling(wanted.profile, {source.sampling} - {"grey"})
    tuning = tuning_for(tune)
    coder = _coder(source, rdo, tuning, wanted.target)
    wanted = _with_tables(coder, wanted, tuning.method)
    weights = EQUAL_WEIGHTS if wanted.profile is None else wanted.profile.normalized()
    line = TrellisLine(coder, source, weights, method=wanted.method)
    method = wanted.method or tuning.method
    if wanted.target is not None and method is not None:
        statistics = gather(coder.image, threads=coder.threads)
        line = replace(line, designs=line_of_method(statistics, method, wanted.profile))
    kinds = (False, True) if source.progressive == "smaller" else (bool(source.progressive),)
    coders = [replace(coder, progressive=kind, write=partial(_written, source, rdo, kind)) for kind in kinds]
    files = [_file(replace(line, coder=one), wanted) for one in coders]
    if wanted.target is not None and wanted.target.budget(line.pixels) is not None:  # both as large as they may be
        return min(files, key=lambda file: sum(file.errors)).data
    return min(files, key=lambda file: file.nbytes).data


def _with_tables(coder: Coder, wanted: Wanted, default_method: str | None) -> Wanted:
    """What is asked for, with designed tables in place of a fixed level, or of a quality for a tuning with a method."""
    target, method = wanted.target, wanted.method
    if target is None and wanted.tables is None and default_method is not None:
        target, method = MatchQuality(wanted.quality or 0, jointly=True), default_method
    elif not isinstance(target, FixedLevel):
        return wanted
    statistics = gather(coder.image, threads=coder.threads)
    designed = resolve(target, statistics, wanted.profile, method=method, files=Files(len))
    return replace(wanted, target=None, tables=designed.tables)


def _file(line: TrellisLine, wanted: Wanted) -> CodedFile:
    """The file, baseline or progressive."""
    coder = line.coder
    if wanted.target is not None:
        return meet(line, wanted.target).candidate
    if wanted.tables is None:
        level = level_like(coder, wanted.quality or 0)
        return line.file_with(coder.tables((level, level)), (level, level))
    level = coder.level_of(wanted.tables)
    return line.file_with(tuple(wanted.tables), (level, level))


def _written(source: PixelSource | CoefficientSource, rdo: Rdo, progressive: bool, coded: CoefficientImage) -> bytes:
    """The file of indices that a trellis chose."""
    return replace(source, progressive=progressive).written(coded, smallest=rdo.thorough or progressive)


def _coder(source: PixelSource | CoefficientSource, rdo: Rdo, tuning: Tuning, target: Target | None) -> Coder:
    """The image with its weights, and how its files are written."""
    refine = None
    if rdo.thorough and tuning.of_rgb and isinstance(source, PixelSource) and source.sampling != "grey":
        planes = Planes(source.pixels, source.subsampling)
        image, refine = planes.image(), planes.refined
    else:
        _check_colours(source)
        image = source.unquantized()
    field = rdo.field
    if rdo.blocks is not None:
        chosen = _chosen(source, rdo.blocks, image, tuning, target)
        field = chosen if field is None else chosen.times(field)
    return Coder(
        image,
        tuning.criterion(image, field),
        tuning.step_ratio,
        partial(_written, source, rdo, bool(source.progressive)),
        apart=source.apart,
        bounded=isinstance(source, PixelSource),
        lattice=source.lattice if isinstance(source, CoefficientSource) else None,
        threads=source.threads,
        refine=refine,
    )


def _chosen(
    source: PixelSource | CoefficientSource,
    blocks: BlockChoice,
    image: DctImage,
    tuning: Tuning,
    target: Target | None,
) -> QualityField:
    """Weights of the 32x32 blocks."""
    if isinstance(source, CoefficientSource):
        raise InvalidInputError("blocks are weighed by their pixels, got coefficients of a file; expected pixels")
    budget = None if target is None else target.budget(image.width * image.height)
    return blocks.field(BlockContext(source.pixels, image, tuning, blocks.profile, blocks.net, source.threads), budget)


def _check_colours(source: PixelSource | CoefficientSource) -> None:
    """Refuse files with RGB components: weights are those of luminance and chrominance."""
    if isinstance(source, CoefficientSource) and source.image.is_rgb:
        raise InvalidInputError("grey or YCbCr images can be tuned, got RGB components")
