"""Chroma subsampling by the picture and its rate: 4:2:0 or 4:4:4, chosen before anything is coded.

4:4:4 codes four times as many samples of chrominance. It pays where the detail that 4:2:0 cannot keep weighs more than
what the samples cost:

    detail > threshold * (cost at 4:4:4 - cost at 4:2:0),    cost = error of quantized chrominance + level * bits

The detail is the energy of chrominance at the frequencies that 4:2:0 does not have. (Averages of 2x2 pixels lose more,
but decoders interpolate; with that loss, fewer choices are right.) The level is the error that a bit is worth at the
rate that is asked for. Errors are those of RGB, in files for people as well. All of it is estimated from the
coefficients of some MCUs of the picture, bits by their entropy.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt

from optcodec.butteraugli import MatchButteraugli
from optcodec.effort import Request
from optcodec.errors import InvalidInputError
from optcodec.jpeg.dct import forward
from optcodec.jpeg.image import DctImage, Metadata
from optcodec.jpeg.quantize import table_indices
from optcodec.jpeg.sources import CoefficientSource, PixelSource
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.kernels import load, prepare
from optcodec.matching import Target
from optcodec.pictures.pixels import decoded_pixels
from optcodec.samplings import AUTO
from optcodec.targets import MatchPsnr, MatchQuality, MatchSsim, MatchSsimulacra2, MatchSwe, Quality, WaterLevel
from optcodec.trellis.coder import DEAD_ZONE
from optcodec.trellis.steps import ac_steps
from optcodec.trellis.tuning import STEP_RATIO, TUNINGS

__all__ = ["check_automatic", "with_subsampling"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]
Singles = npt.NDArray[np.float32]
Steps = Sequence[Singles]  # (64,) of each component

COARSE, FINE = "4:2:0", "4:4:4"
# Thresholds, fitted on photographs and pages: benchmarks/rates/subsampling.py. Without a trellis, chrominance is
# averaged at 4:2:0, which loses more than that detail.
ROUNDED, OPTIMIZED = 0.8, 0.7
_NEAREST = 0.5  # magnitude over step below which a coefficient becomes 0 by rounding, as `DEAD_ZONE` by the trellis
# Pixels of the sample: a part of the picture, but neither too few for statistics nor more than they need.
_PART, _LEAST, _MOST = 0.25, 1 << 14, 1 << 16
_MCU, _MCUS_IN_A_ROW = 16, 8
_GOLDEN = 0.6180339887498949  # its multiples, modulo 1, spread evenly
_HEADER_BITS = 3000
_LEVELS, _HALVINGS = (1e-2, 1e5), 10
_TYPICAL = 50  # quality where only a reader knows what rate it needs
_LOW = np.add.outer(np.arange(8), np.arange(8)).ravel() <= 4  # frequencies of most indices that are not 0
_LOST = (np.maximum(*np.indices((8, 8))) >= 4).ravel()  # frequencies of 4:4:4 that 4:2:0 does not have
_ALL = np.full(64, 1e9, np.float32)  # steps with which every index is 0


def check_automatic(request: Request) -> None:
    """Refuse to choose the sampling of a file whose profile was measured at one.

    Raises
    ------
    InvalidInputError
        If the request has such a profile.
    """
    fixed = request.subsampling
    if fixed is not None:
        raise InvalidInputError(
            f"the profile that the file is made for was measured at {fixed}, which leaves no choice; "
            f"expected subsampling {fixed} or none, got {AUTO}"
        )


def with_subsampling(source: PixelSource | CoefficientSource, request: Request, quality: int) -> PixelSource:
    """The source with the sampling that suits the picture and its rate.

    Parameters
    ----------
    source : PixelSource
        Pixels; of grey ones nothing is subsampled.
    request : Request
        What is asked for, with its effort.
    quality : int
        Quality factor if neither quality, tables nor a target are asked for.

    Raises
    ------
    InvalidInputError
        If the source has coefficients, or the request has a profile that was measured at one sampling.
    """
    if not isinstance(source, PixelSource):
        raise InvalidInputError(
            f"coefficients of a JPEG file keep their subsampling, got {AUTO}; expected none, or pixels "
            "(a path in Python, --pixels on the command line)"
        )
    check_automatic(request)
    if source.pixels.ndim == 2 or _sees_luminance(request):
        return replace(source, subsampling=COARSE)
    return replace(source, subsampling=FINE if worth(source.pixels, request, quality) > _threshold(request) else COARSE)


def _sees_luminance(request: Request) -> bool:
    """Whether the file is made for a measure that does not see chrominance."""
    tuned = request.effort is not None and request.effort >= 3 and request.tuned_for == "ssim"
    return tuned or isinstance(request.target, MatchSsim)


def _threshold(request: Request) -> float:
    return OPTIMIZED if request.effort is not None and request.effort >= 3 else ROUNDED


def worth(pixels: Pixels, request: Request, quality: int) -> float:
    """Detail of chrominance that 4:2:0 loses, over what the samples of 4:4:4 cost.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        RGB.
    request, quality
        As of `with_subsampling`.

    Returns
    -------
    float
        From 0 on; infinite if 4:4:4 costs nothing.
    """
    prepare("forward", "subsampling")
    sample = _Sample.of(pixels, _NEAREST if _threshold(request) is ROUNDED else DEAD_ZONE)
    detail = sample.detail()
    if detail <= 0:
        return 0.0
    level, tables = _rate(sample, request, quality)
    costs = []
    for image in (sample.fine, sample.coarse):
        error, bits = sample.cost(image, _fitting(image, level) if tables is None else tables, (1, 2))
        costs.append(error + level * bits)
    return detail / (costs[0] - costs[1]) if costs[0] > costs[1] else np.inf


@dataclass(frozen=True, eq=False)
class _Sample:
    """Some MCUs of a picture, as an image of its own.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3)
        Theirs; the sides are multiples of 16.
    share : float
        Part of the pixels of the picture.
    fine, coarse : DctImage
        Coefficients at 4:4:4, and at 4:2:0.
    threshold : float
        Magnitude over step below which indices are 0.
    """

    pixels: Pixels
    share: float
    fine: DctImage
    coarse: DctImage
    threshold: float

    @classmethod
    def of(cls, pixels: Pixels, threshold: float) -> _Sample:
        """The sample of a picture; it does not depend on threads."""
        some = _some_mcus(pixels)
        fine, coarse = (forward(some, sampling, threads=1) for sampling in (FINE, COARSE))
        return cls(some, some.size / pixels.size, fine, coarse, threshold)

    def detail(self) -> float:
        """Energy of chrominance at the frequencies that 4:2:0 does not have: the error where their indices are 0."""
        weights = TUNINGS["psnr"].weights * _LOST
        return sum(_estimated(self.fine, part, _ALL, weights[part], _NEAREST)[0] for part in (1, 2))

    def cost(self, image: DctImage, steps: Steps, parts: Sequence[int]) -> tuple[float, float]:
        """Error and bits of some components, with the steps of each."""
        weights = _weights(image)
        costs = [_estimated(image, part, steps[part], weights[part], self.threshold) for part in parts]
        return sum(error for error, _ in costs), sum(bits for _, bits in costs)


def _some_mcus(pixels: Pixels) -> Pixels:
    """MCUs from all over a picture, short rows of them below one another; the whole picture if it is small."""
    height, width = pixels.shape[:2]
    if min(height, width) < _MCU:
        pixels = np.pad(pixels, ((0, -height % _MCU), (0, -width % _MCU), (0, 0)), "edge")
    rows, columns = pixels.shape[0] // _MCU, pixels.shape[1] // _MCU
    across = min(_MCUS_IN_A_ROW, columns)
    count = int(min(max(_PART * height * width, _LEAST), _MOST)) // (_MCU**2 * across)
    if count >= rows * (columns // across):
        return np.ascontiguousarray(pixels[: _MCU * rows, : _MCU * columns])
    places = (
        (_MCU * (i * rows // count), int(columns // across * (i * _GOLDEN % 1)) * across * _MCU) for i in range(count)
    )
    return np.concatenate([pixels[y : y + _MCU, x : x + _MCU * across] for y, x in places])


def _weights(image: DctImage) -> Floats:
    """What errors of coefficients (3, 64) add to the squared error of RGB, which is 1 for those of luminance."""
    return TUNINGS["psnr"].criterion(image).per_coefficient(image)


def _fitting(image: DctImage, level: float) -> Steps:
    """Steps of each component that fit a level."""
    luminance, chrominance = ac_steps(_weights(image), (level, level), STEP_RATIO).astype(np.float32)
    return luminance, chrominance, chrominance


def _of_tables(tables: Sequence[QuantTable]) -> Steps:
    """Steps of each component."""
    return tuple(tables[index].steps.astype(np.float32).ravel() for index in table_indices(3, len(tables)))


def _estimated(image: DctImage, part: int, steps: Singles, weights: Floats, threshold: float) -> tuple[float, float]:
    """Error and bits of a component."""
    blocks, cost = image.components[part].coefficients.reshape(-1, 64), np.empty(2)
    space = np.empty((64, 16), np.int64), np.empty(64)
    load("subsampling").estimated_cost(blocks, steps, threshold, weights, *space, cost)
    return float(cost[0]), float(cost[1])


def _rate(sample: _Sample, request: Request, quality: int) -> tuple[float, Steps | None]:
    """The error that a bit is worth, and the steps of each component where they are known."""
    target, tables = request.target, request.tables
    if target is None and tables is None:
        quality = quality if request.quality is None else request.quality
        if request.effort == 1:
            tables = annex_k_tables(quality)
        else:
            target = MatchQuality(quality, jointly=True)
    if target is not None:
        return _level_for(sample, target), None
    assert tables is not None
    steps = _of_tables(tables)
    return STEP_RATIO * float(np.exp(2 * np.log(steps[0][_LOW]).mean())), steps


def _level_for(sample: _Sample, target: Target) -> float:
    """Level of the files that meet a target."""
    whole = sample.pixels.shape[0] * sample.pixels.shape[1]
    budget = target.budget(round(whole / sample.share))
    if budget is not None:
        return _level(sample, sample.coarse, (8 * budget - _HEADER_BITS) * sample.share, of_bits=True)
    if isinstance(target, WaterLevel):
        return STEP_RATIO * 12 * target.d  # the error of rounding is a twelfth of the squared step
    if isinstance(target, MatchPsnr):  # at 4:4:4, since errors of subsampling are none of quantization
        return _level(sample, sample.fine, 255.0**2 / 10 ** (target.psnr_db / 10) * whole)
    if isinstance(target, MatchSwe):
        return _level(sample, sample.coarse, (target.swe + (target.chroma or 0)) / 64 * whole)
    tables = annex_k_tables(_quality_for(sample, target))
    limit = replace(sample, threshold=_NEAREST).cost(sample.coarse, _of_tables(tables), (0, 1, 2))[0]
    return _level(sample, sample.coarse, limit)


def _level(sample: _Sample, image: DctImage, limit: float, *, of_bits: bool = False) -> float:
    """Level at which the sample has so much error, or so many bits."""
    low, high = _LEVELS
    for _ in range(_HALVINGS):
        level = float(np.sqrt(low * high))
        error, bits = sample.cost(image, _fitting(image, level), (0, 1, 2))
        is_lower = bits > limit if of_bits else error < limit
        low, high = (level, high) if is_lower else (low, level)
    return float(np.sqrt(low * high))


def _quality_for(sample: _Sample, target: Target) -> int:
    """Quality factor of default JPEG that is like a target."""
    if isinstance(target, (MatchQuality, Quality)):
        return target.quality
    if not isinstance(target, (MatchButteraugli, MatchSsimulacra2)):
        return _TYPICAL
    source = PixelSource(sample.pixels, COARSE, "float", False, Metadata(), 0, 1)
    low, high = 1, 100
    while low < high:
        middle = (low + high) // 2
        if target.is_kept(sample.pixels, decoded_pixels(source.encoded(annex_k_tables(middle)))):
            high = middle
        else:
            low = middle + 1
    return low
