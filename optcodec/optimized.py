"""Encode with a trellis: from an image, a tuning and a target to a file."""

from __future__ import annotations

from dataclasses import replace
from functools import partial

from optcodec.blocks.choice import BlockChoice, BlockContext
from optcodec.design import Files, check_sampling, gather, line_of_method, resolve
from optcodec.effort import Request
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import CoefficientImage, DctImage
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.kernels import prepare
from optcodec.matching import Target, meet
from optcodec.metrics import EQUAL_WEIGHTS
from optcodec.search import met
from optcodec.targets import FixedLevel
from optcodec.trellis.chroma import KERNELS as CHROMA_KERNELS
from optcodec.trellis.chroma import Planes
from optcodec.trellis.coder import Coder, level_like
from optcodec.trellis.field import QualityField
from optcodec.trellis.line import CodedFile, TrellisLine
from optcodec.trellis.sharing import also_shared, better
from optcodec.trellis.tuning import Tuning, tuning_for
from optcodec.vision.profile import SensitivityProfile

__all__ = ["optimized", "trellis_files", "trellis_lines"]

_KERNELS = "trellis", "dcsteps", "rates", "distortion", "quantize", "entropy", "huffman", "bits"


def optimized(source: PixelSource | CoefficientSource, request: Request) -> bytes:
    """The file of an image whose indices a trellis chooses.

    Raises
    ------
    InvalidInputError
        If the field does not fit the image, or image or target are of a kind that is not handled.
    TargetNotMetError
        If the target cannot be met.
    """
    lines, request = trellis_lines(source, request)
    files = met(partial(_best, line, request) for line in lines)
    if request.target is not None and request.target.budget(lines[0].pixels) is not None:
        return min(files, key=lambda file: (sum(file.errors), file.nbytes)).data
    return min(files, key=lambda file: file.nbytes).data


def _best(line: TrellisLine, request: Request) -> CodedFile:
    """The best file of a line."""
    return better(trellis_files(line, request))


def trellis_lines(source: PixelSource | CoefficientSource, request: Request) -> tuple[list[TrellisLine], Request]:
    """The files of an image that a trellis can make, one line for each kind (baseline, progressive) that is asked for.

    Returned with them is the request, with tables in place of what they are designed for without a search.
    """
    pixels = ("forward", "clipped", "overshoot") if isinstance(source, PixelSource) else ()
    prepare(*_KERNELS, *pixels, *(request.blocks.kernels if request.blocks else ()))
    if source.sampling != "grey":
        for receiver in request.receivers:
            receiver.check(subsampling=source.sampling)
    tune = request.tuned_for
    if isinstance(tune, SensitivityProfile):
        request = replace(request, profile=request.profile or tune)
    if request.profile is not None:
        check_sampling(request.profile, {source.sampling} - {"grey"})
    tuning = tuning_for(tune)
    coder = _coder(source, request, tuning)
    request = _with_tables(coder, request)
    weights = EQUAL_WEIGHTS if request.profile is None else request.profile.normalized()
    line = TrellisLine(coder, source, weights, method=request.method)
    if request.target is not None and request.method is not None:
        statistics = gather(coder.image, threads=coder.threads)
        line = replace(line, designs=line_of_method(statistics, request.method, request.profile))
    kinds = (False, True) if source.progressive == "smaller" else (bool(source.progressive),)
    coders = [replace(coder, progressive=kind, write=partial(_written, source, kind)) for kind in kinds]
    return [replace(line, coder=one) for one in coders], request


def _with_tables(coder: Coder, request: Request) -> Request:
    """What is asked for, with designed tables in place of a fixed level."""
    target = request.target
    if not isinstance(target, FixedLevel):
        return request
    statistics = gather(coder.image, threads=coder.threads)
    designed = resolve(target, statistics, request.profile, method=request.method, files=Files(len))
    return replace(request, target=None, tables=designed.tables)


def trellis_files(line: TrellisLine, request: Request) -> list[CodedFile]:
    """The file of a line that is asked for; a small one of a target also with one table for all components."""
    coder, target = line.coder, request.target
    if target is not None:
        return also_shared(line, lambda line: meet(line, target).candidate)
    if request.tables is None:
        level = level_like(coder, request.quality or 0)
        return [line.file_with(coder.tables((level, level)), (level, level))]
    level = coder.level_of(request.tables)
    return [line.file_with(tuple(request.tables), (level, level))]


def _written(source: PixelSource | CoefficientSource, progressive: bool, coded: CoefficientImage) -> bytes:
    """The file of indices that a trellis chose."""
    return replace(source, progressive=progressive).written(coded, smallest=True)


def _coder(source: PixelSource | CoefficientSource, request: Request, tuning: Tuning) -> Coder:
    """The image with its weights, and how its files are written."""
    refine = None
    if tuning.of_rgb and isinstance(source, PixelSource) and source.sampling != "grey":
        prepare(*CHROMA_KERNELS)
        planes = Planes(source.pixels, source.subsampling, source.threads)
        image, refine = planes.image(), planes.refined
    else:
        _check_colours(source)
        image = source.unquantized()
    field = request.field
    if request.blocks is not None:
        chosen = _chosen(source, request.blocks, image, tuning, request.target)
        field = chosen if field is None else chosen.times(field)
    return Coder(
        image,
        tuning.criterion(image, field),
        tuning.step_ratio,
        partial(_written, source, bool(source.progressive)),
        apart=source.apart,
        bounded=isinstance(source, PixelSource),
        lattice=source.lattice if isinstance(source, CoefficientSource) else None,
        threads=source.threads,
        refine=refine,
        clipped=source.clipped if isinstance(source, PixelSource) else None,
        shared=tuning.one_table and request.method is None,
    )


def _chosen(
    source: PixelSource | CoefficientSource,
    blocks: BlockChoice,
    image: DctImage,
    tuning: Tuning,
    target: Target | None,
) -> QualityField:
    """Weights of the 32x32 blocks."""
    pixels = None if isinstance(source, CoefficientSource) else source.pixels
    if pixels is None and blocks.needs_pixels:
        raise InvalidInputError("blocks are weighed by their pixels, got coefficients of a file; expected pixels")
    budget = None if target is None else target.budget(image.width * image.height)
    return blocks.field(BlockContext(pixels, image, tuning, blocks.profile, blocks.net, source.threads), budget)


def _check_colours(source: PixelSource | CoefficientSource) -> None:
    """Refuse files with RGB components: weights are those of luminance and chrominance."""
    if isinstance(source, CoefficientSource) and source.image.is_rgb:
        raise InvalidInputError("grey or YCbCr images can be tuned, got RGB components")
