"""Weights and tables that are learned at an operating point; `beyond_opts.py` compares them with those of the package.

`secant_profile`: how much the error at each frequency adds to the loss between the clean and the coded image (the
gradient times the error, integrated over the straight path between the two), divided by the mean square of that error
and smoothed, since it is noisy.

`trained_tables`: one pair of tables for all images, by gradient descent on the loss of coded images plus rate. The
rounding passes gradients straight through; the rate is the entropy of each frequency, held constant. This is the
recipe of Luo et al., "The Rate-Distortion-Accuracy Tradeoff: JPEG Case Study" (2020), and of J4D, "Learned JPEG
Compression for DNN Vision" (2026), without the random rounding of the latter.
"""

from __future__ import annotations

import io
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import torch
from PIL import Image
from scipy.ndimage import gaussian_filter
from scipy.optimize import brentq

from optcodec.design import Statistics, gather
from optcodec.jpeg.image import DctImage
from optcodec.jpeg.quantize import dequantize, quantize
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.jpeg.writer import write_jpeg
from optcodec.shared import forward
from optcodec.vision.gradients import component_gradients, dct_gradients
from optcodec.vision.models import TargetModel
from optcodec.vision.operating import divergence
from optcodec.vision.profile import Provenance, SensitivityProfile

BATCH = 16
LEAST = 0.01  # least weight, as a part of the mean of the luminance weights: noise makes some secants negative
Tables = tuple[QuantTable, ...]


@dataclass(frozen=True)
class Photo:
    """Pixels (height, width, 3) of a photograph, their DCT coefficients, and the statistics of these."""

    pixels: np.ndarray
    dct: DctImage
    statistics: Statistics

    @classmethod
    def of(cls, pixels: np.ndarray, subsampling: str) -> Photo:
        dct = forward(pixels, subsampling)
        return cls(pixels, dct, gather(dct))


def products(target: TargetModel, photos: list[Photo], tables: Tables, path_points: tuple[float, ...]) -> Iterator[Any]:
    """For each batch: gradient times error (N, 3, 64), averaged over points of the path, and squared error (N, 3, 64).

    ``path_points`` are positions between the clean image (0) and the coded one (1).
    """
    module = target.module.eval()
    for start in range(0, len(photos), BATCH):
        part = photos[start : start + BATCH]
        coded = [quantize(photo.dct, tables) for photo in part]
        decoded = np.stack([np.asarray(Image.open(io.BytesIO(write_jpeg(image)))) for image in coded])
        clean, end = (_tensor(pixels) for pixels in (np.stack([photo.pixels for photo in part]), decoded))
        errors = [_errors(photo.dct, dequantize(image)) for photo, image in zip(part, coded, strict=True)]
        with torch.no_grad():
            reference = module(clean)
        first = np.zeros((len(part), 3, 64))
        for fraction in path_points:
            pixels = (clean + fraction * (end - clean)).requires_grad_(True)
            (gradient,) = torch.autograd.grad(divergence(module(pixels), reference).sum(), pixels)
            for c, plane in enumerate(component_gradients(gradient / 255, part[0].dct.subsampling)):
                slopes = dct_gradients(plane).reshape(len(part), -1, 64).numpy()
                first[:, c] += (slopes * np.stack([error[c] for error in errors])).sum(1) / len(path_points)
        yield first, np.array([[np.square(component).mean(0) for component in error] for error in errors])


def secant_profile(target: TargetModel, photos: list[Photo], quality: int) -> SensitivityProfile:
    """Secant weights (see the module's docstring) at the tables of default JPEG at a quality."""
    parts = list(products(target, photos, annex_k_tables(quality), (0.5, 1.0)))
    first, square = (np.concatenate(parts_of_batches) for parts_of_batches in zip(*parts, strict=True))
    weights = 2 * first.mean(0) / np.maximum(square.mean(0), 1e-9)
    certainty = np.square(square.mean(0) / np.maximum(first.std(0), 1e-12))
    smooth = _smooth(weights * certainty) / _smooth(certainty)
    weights = np.maximum(smooth / smooth[0].mean(), LEAST).reshape(3, 8, 8)
    return SensitivityProfile("secant", weights, Provenance(subsampling=photos[0].dct.subsampling))


def trained_tables(target: TargetModel, photos: list[Photo], quality: int, steps: int) -> Tables:
    """Tables with as many bits as default JPEG at a quality, trained for the least divergence of the network."""
    bits = sum((_grouped_bits(photo.statistics) for photo in photos), np.zeros((2, 64, 255))) / len(photos)
    limit = _rate(bits, np.log([table.steps.ravel() for table in annex_k_tables(quality)])).sum()
    rng = np.random.default_rng(0)
    moments = np.zeros((2, 2, 64))
    last: list[np.ndarray] = []
    logs = _scaled_to_rate(bits, np.full((2, 64), np.log(40.0)), limit)
    slope = np.zeros((2, 64))
    for step in range(1, steps + 1):
        batch = [photos[index] for index in rng.choice(len(photos), BATCH, replace=False)]
        ((first, _),) = products(target, batch, _tables(logs), (1.0,))
        # Limit the weight of a few images with a huge divergence, which would dominate the others.
        gentle = first * np.minimum(1, 3 / np.maximum(np.abs(first).sum((1, 2), keepdims=True), 1e-9))
        loss = gentle.mean(0)
        loss = np.stack([loss[0], loss[1] + loss[2]])
        rate = (_rate(bits, logs + 0.05) - _rate(bits, logs - 0.05)) / 0.1
        slope += (loss - slope) / min(step, 20)
        gradient = loss - rate * (slope * rate).sum() / np.square(rate).sum()
        moments[0] += 0.1 * (gradient - moments[0])  # Adam
        moments[1] += 0.02 * (np.square(gradient) - moments[1])
        move = moments[0] / (1 - 0.9**step) / (np.sqrt(moments[1] / (1 - 0.98**step)) + 1e-5)
        logs = _scaled_to_rate(bits, logs - (0.06 * (1 - step / steps) + 0.005) * move, limit)
        last = [*last, logs][-steps // 2 :]
    return _tables(np.mean(last, 0))


def _tensor(pixels: np.ndarray) -> torch.Tensor:
    return torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255


def _errors(before: DctImage, after: DctImage) -> list[np.ndarray]:
    """Errors of the coefficients of each component, shape (blocks, 64)."""
    pairs = zip(before.components, after.components, strict=True)
    return [(b.coefficients - a.coefficients).reshape(-1, 64) for a, b in pairs]


def _smooth(weights: np.ndarray) -> np.ndarray:
    return np.stack([gaussian_filter(part.reshape(8, 8), 1.0, mode="nearest").ravel() for part in weights])


def _grouped_bits(statistics: Statistics) -> np.ndarray:
    """Bits of all coefficients of each frequency at steps 1..255, for luminance and chrominance: shape (2, 64, 255)."""
    blocks = np.array([component.blocks for component in statistics.components])[:, None, None]
    weighted = blocks * statistics.bits
    return np.stack([weighted[0], weighted[1] + weighted[2]])


def _rate(bits: np.ndarray, logs: np.ndarray) -> np.ndarray:
    """Bits (2, 64) at the steps exp(logs), which need not be integers: interpolated linearly."""
    steps = np.clip(np.exp(logs), 1, 255) - 1
    below = np.minimum(steps.astype(int), 253)
    low, high = (np.take_along_axis(bits, (below + k)[..., None], 2)[..., 0] for k in (0, 1))
    return np.asarray(low + (high - low) * (steps - below))


def _scaled_to_rate(bits: np.ndarray, logs: np.ndarray, limit: float) -> np.ndarray:
    """Logarithms of the steps, all shifted by the same amount so that the rate equals the limit."""
    largest = np.log(255.0)
    shift = brentq(lambda s: _rate(bits, np.clip(logs + s, 0, largest)).sum() - limit, -5, 5, xtol=1e-4)
    return np.asarray(np.clip(logs + shift, 0, largest))


def _tables(logs: np.ndarray) -> Tables:
    return tuple(QuantTable(np.clip(np.rint(np.exp(component_logs)), 1, 255).reshape(8, 8)) for component_logs in logs)
