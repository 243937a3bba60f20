"""Computations of the OptS reference implementation where they differ from those of a JPEG encoder.

These are the statistics of pixels (nothing is rounded, chroma is decimated, planes are padded with mid grey), the true
errors of a table on these coefficients, and the two matching searches with the reference's rules for stopping. The
tables themselves are designed by the functions of optcodec.

The searches end when they know the d where a step changes to 1e-4, and return the side of the last midpoint.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from optcodec.design.laplacian import LaplacianModel, deadzone_distortion
from optcodec.design.opts import WaterFilling
from optcodec.design.statistics import Statistics, gather
from optcodec.jpeg.image import DctComponent, DctImage, sampling_factors
from optcodec.jpeg.tables import NATURAL_ORDER, annex_k_tables

MATRIX = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]])
QMAX = 100
COMPONENTS = ("Y", "Cb", "Cr")
GROUPS = (slice(0, 1), slice(1, 3))


def dct_matrix() -> np.ndarray:
    frequency, sample = np.mgrid[:8, :8]
    matrix = np.cos((2 * sample + 1) * frequency * np.pi / 16) / 2
    matrix[0] /= np.sqrt(2)
    return matrix


class ReferenceImage:
    """Coefficients of one picture as the reference computes them; blocks (rows, columns, 8, 8) in double precision."""

    def __init__(self, rgb: np.ndarray, subsampling: str) -> None:
        self.rgb, self.subsampling = rgb, subsampling
        self.factors = sampling_factors(subsampling)
        planes = np.moveaxis((rgb - 128.0) @ MATRIX.T, -1, 0)
        self.planes = [planes[0], *(_decimated(plane, *self.factors) for plane in planes[1:])]
        self.blocks = [_blocks(plane) for plane in self.planes]

    def statistics(self) -> Statistics:
        """Statistics by the functions of the package, one component at a time.

        A plane of the reference may have a row or column more than that of a JPEG file.
        """
        images = [self._single(index) for index in range(3)]
        joined = _Joined(tuple(image.components[0] for image in images))
        histograms = tuple(gather(image).components[0] for image in images)
        return Statistics((joined,), histograms, self.rgb.shape[0] * self.rgb.shape[1], frozenset())

    def _single(self, index: int) -> DctImage:
        blocks = self.blocks[index].astype(np.float32)
        rows, columns = blocks.shape[:2]
        return DctImage(8 * columns, 8 * rows, (DctComponent(1, 1, 1, blocks),))

    def psnr_rgb(self, steps: np.ndarray) -> float:
        """PSNR of the decoded picture in dB: chroma is replicated, 8-bit RGB is rounded half to even."""
        inverse = np.linalg.inv(MATRIX)
        inverse[np.abs(inverse) < 1e-5] = 0
        height, width = self.rgb.shape[:2]
        planes = []
        for index, blocks in enumerate(self.blocks):
            q = steps[min(index, 1)].reshape(8, 8)
            k = np.sign(blocks) * np.floor(np.abs(blocks) / q + 0.5)
            samples = dct_matrix().T @ (q * k) @ dct_matrix()
            plane = samples.swapaxes(1, 2).reshape(8 * blocks.shape[0], 8 * blocks.shape[1])
            if index > 0:
                plane = plane.repeat(self.factors[1], axis=0).repeat(self.factors[0], axis=1)
            planes.append(plane[:height, :width])
        rgb = np.rint(np.clip(np.stack(planes, axis=-1) @ inverse.T + 128, 0, 255))
        return float(10 * np.log10(255**2 / np.mean((rgb - self.rgb) ** 2)))


@dataclass(frozen=True)
class _Joined:
    """Statistics of components whose sizes no JPEG image could have together."""

    components: tuple[DctComponent, ...]


def _decimated(plane: np.ndarray, h: int, v: int) -> np.ndarray:
    """The top-left sample of each group.

    The reference first rounds sides up to a multiple of 4 and decimates in place: a row or column that is added by this
    keeps the samples that were at its index before.
    """
    if (h, v) == (1, 1):
        return plane
    height, width = plane.shape
    kept = plane[::v, ::h]
    rows, columns = (-(-side // 4) * 4 // factor for side, factor in ((height, v), (width, h)))
    result = plane[:rows, :columns].copy()
    result[: kept.shape[0], : kept.shape[1]] = kept[:rows, :columns]
    return result


def _blocks(plane: np.ndarray) -> np.ndarray:
    height, width = plane.shape
    padded = np.pad(plane, ((0, -height % 8), (0, -width % 8)))
    tiles = padded.reshape(padded.shape[0] // 8, 8, padded.shape[1] // 8, 8).swapaxes(1, 2)
    return dct_matrix() @ tiles @ dct_matrix().T


def natural(values_zz: list[float]) -> np.ndarray:
    """Reorder 64 values from zig-zag to row-major order."""
    result = np.empty(64)
    result[NATURAL_ORDER] = values_zz
    return result


def families(model: LaplacianModel, weights: np.ndarray) -> list[WaterFilling]:
    """The table families of OptS as published (eq. 14, qmax 100) for luminance and chrominance."""
    distortion = deadzone_distortion(model.scale[..., None], np.arange(1, 256))
    return [WaterFilling(weights[g], model.variance[g], distortion[g], False, QMAX) for g in GROUPS]


def match_opts(
    swe: Callable[[np.ndarray], float], family: WaterFilling, low: float, high: float, target: float
) -> tuple[np.ndarray, float]:
    """The bisection over d of Settings 1 and 2; returns the steps and the d of its last midpoint."""
    swe_low = swe(family.steps(low))
    for _ in range(50):
        middle = (low + high) / 2
        steps = family.steps(middle)
        swe_middle = swe(steps)
        if (swe_middle - target) * (swe_low - target) <= 0:
            high = middle
        else:
            low, swe_low = middle, swe_middle
        if high - low < 1e-4:
            break
    return steps, middle


def filled_to(ceiling: np.ndarray, target: float) -> float:
    """Start of Setting 1 for OptS: the d with sum min(d, s v) = target, as the last midpoint of a bisection."""
    low, high, middle = 0.0, float(ceiling.max()), 0.0
    while high - low > 1e-4:
        middle = (low + high) / 2
        if np.minimum(middle, ceiling).sum() < target:
            low = middle
        else:
            high = middle
    return middle


def match_quality(swe: Callable[[np.ndarray], float], group: int, target: float) -> int:
    """Integer bisection over the quality factor in Setting 2: the last one whose SWE is still above the target."""
    low, high = 1, 100
    while high - low > 1:
        middle = (low + high) // 2
        if swe(default_steps(middle, group)) > target:
            low = middle
        else:
            high = middle
    return low


def default_steps(quality: int, group: int) -> np.ndarray:
    """Steps of default JPEG for luminance (0) or chrominance (1)."""
    return annex_k_tables(quality)[group].steps.reshape(64).astype(np.int64)
