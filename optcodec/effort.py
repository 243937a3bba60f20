"""Coding with a trellis: from an image, a tuning and a target to a file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial

from optcodec.blocks.choice import BlockChoice, BlockContext
from optcodec.blocks.profile import UtilityProfile
from optcodec.design import check_sampling, gather, resolve
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import DctImage
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import QuantTable
from optcodec.kernels import prepare
from optcodec.notices import ignore
from optcodec.targets import Bpp, MatchQuality, MaxBytes, Quality, Target, WaterLevel, target_bytes
from optcodec.trellis.chroma import Planes
from optcodec.trellis.coder import Coder
from optcodec.trellis.field import QualityField
from optcodec.trellis.meet import Meeting
from optcodec.trellis.search import level_like
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
        What the file is made for: ``"psnr"`` (of RGB), ``"ssim"`` (of luminance), ``"people"``, a network, by the
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
        return [each for each in known if isinstance(each, UtilityProfile)]

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


def rdo_encoded(source: PixelSource | CoefficientSource, rdo: Rdo, wanted: Wanted) -> bytes:
    """The file of an image, by a trellis.

    Raises
    ------
    InvalidInputError
        If the field does not fit the image, or image or target are of a kind that is not handled.
    TargetNotMetError
        If the target cannot be met.
    """
    pixels = ("forward",) if isinstance(source, PixelSource) else ()
    prepare(*_KERNELS, *pixels, *(rdo.blocks.kernels if rdo.blocks else ()))
    if source.sampling != "grey":
        for receiver in rdo.receivers:
            receiver.check(subsampling=source.sampling)
    tune = rdo.tune or wanted.profile or next((each.tuning for each in rdo.receivers if each.tuning), "psnr")
    if isinstance(tune, SensitivityProfile):
        check_sampling(tune, {source.sampling} - {"grey"}, stacklevel=4)
        wanted = replace(wanted, profile=wanted.profile or tune)
    tuning = tuning_for(tune)
    kinds = (False, True) if source.progressive == "smaller" else (source.progressive,)
    coders = [_coder(replace(source, progressive=kind), rdo, tuning, wanted.target) for kind in kinds]
    files = [_data(coder, source, tuning.method, wanted) for coder in coders]
    if isinstance(wanted.target, (Bpp, MaxBytes)) and len(files) > 1:  # both as large as they may be
        errors = [
            sum(coder.errors(read_jpeg(data, max_pixels=None, notify=ignore)))
            for coder, data in zip(coders, files, strict=True)
        ]
        return files[errors.index(min(errors))]
    return min(files, key=len)


def _data(coder: Coder, source: PixelSource | CoefficientSource, usual: str | None, wanted: Wanted) -> bytes:
    """The file, baseline or progressive; `usual` is the method where none is named."""
    target, tables = wanted.target, wanted.tables
    if target is None and tables is None and usual is not None:
        target = MatchQuality(wanted.quality or 0, jointly=True)
        tables = _designed(coder, target, replace(wanted, method=usual))
    elif isinstance(target, (WaterLevel, Quality)):
        tables = _designed(coder, target, wanted)
    elif target is not None:
        return Meeting(coder, source, wanted.profile, wanted.method, usual).data(target)
    if tables is None:
        level = level_like(coder, wanted.quality or 0)
        tables = coder.tables((level, level))
    else:
        level = coder.level_of(tables)
    return coder.write(coder.coded(tables, (level, level)))


def _designed(coder: Coder, target: Target, wanted: Wanted) -> tuple[QuantTable, ...]:
    """Tables for plain rounding."""
    statistics = gather(coder.image, threads=coder.threads)
    return resolve(target, statistics, wanted.profile, method=wanted.method, size_of=len)


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
        partial(source.written, smallest=rdo.thorough or bool(source.progressive)),
        progressive=bool(source.progressive),
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
    budget = target_bytes(target, image.width * image.height) if isinstance(target, (Bpp, MaxBytes)) else None
    return blocks.field(BlockContext(source.pixels, image, tuning, blocks.profile, blocks.net, source.threads), budget)


def _check_colours(source: PixelSource | CoefficientSource) -> None:
    """Refuse files with RGB components: weights are those of luminance and chrominance."""
    if isinstance(source, CoefficientSource) and source.image.is_rgb:
        raise InvalidInputError("grey or YCbCr images can be tuned, got RGB components")
