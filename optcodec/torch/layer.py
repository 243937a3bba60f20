"""`DifferentiableJpeg`: JPEG coding as a layer of a network, with gradients, a rate, and tables that can be trained."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Sequence
from numbers import Integral
from typing import Literal, NamedTuple, Self

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import sampling_factors
from optcodec.jpeg.table_files import save_tables
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.torch.dct import coefficients_of, indices_of, samples_of
from optcodec.torch.samples import downsampled, rgb_of, rounded, upsampled, ycbcr_of

__all__ = ["CodedImages", "DifferentiableJpeg", "Rounding"]

Rounding = Literal["straight-through", "soft"]
_MAX_STEP = 255.0
# Which cell a coefficient lies in depends on the step. Indices above this are taken to follow it, like c / q, others to
# stay: an index times its error is right on average, but varies too much where the index is large. On a photograph, the
# derivative of the squared error by all steps is 0.80 of that by finite differences (0.55 of low frequencies at quality
# 30); with all indices that follow it is 0.52, with all that stay -0.05.
_LARGE = 1.5
_LEAST_SCALE = 0.05  # of a Laplacian, in units of coefficients: no frequency is so silent that a value costs much more
_LARGEST_RATIO = 60.0  # of a step and the mean magnitude, beyond which nothing but 0 occurs


class CodedImages(NamedTuple):
    """What `DifferentiableJpeg` returns.

    Parameters
    ----------
    images : Tensor of float32, shape (N, 3 or 1, H, W)
        As decoded, 0..1.
    bpp : Tensor of float32, shape (N,)
        Estimate of the bits per pixel of the entropy-coded data, without headers.
    """

    images: Tensor
    bpp: Tensor


class DifferentiableJpeg(nn.Module):
    """Encodes and decodes images as our encoder and libjpeg-turbo do, with gradients.

    Colour conversion, sampling, transform, quantization and decoding have the arithmetic of libjpeg-turbo: with
    straight-through rounding, the decoded images are exactly those of ``optcodec.encode(image, tables=layer.tables(),
    dct="exact")``. Every rounding passes the gradient on as if it did nothing.

    Parameters
    ----------
    tables : int or sequence of QuantTable
        Tables of luminance and chrominance, or the quality of those of default JPEG.
    subsampling : {"4:4:4", "4:2:2", "4:2:0", "4:4:0"}
        Chroma subsampling of images with three planes.
    rounding : {"straight-through", "soft"}
        How indices are rounded: to whole numbers; or by x + (x - [x])^3 around the nearest whole number [x], whose
        derivative is not 1 everywhere, but that of the values themselves (Shin and Song, "JPEG-resistant adversarial
        images", NIPS workshop 2017). Soft indices are not those of the file.
    learnable : bool
        Whether the steps are parameters, which an optimizer trains. They are trained as logarithms, and rounded to
        whole numbers from 1 to 255 wherever they are used.

    Raises
    ------
    InvalidInputError
        If an argument is wrong.
    """

    def __init__(
        self,
        tables: int | Sequence[QuantTable] = 75,
        *,
        subsampling: str = "4:2:0",
        rounding: Rounding = "straight-through",
        learnable: bool = False,
    ) -> None:
        super().__init__()
        chosen = _tables_of(tables)
        if rounding not in ("straight-through", "soft"):
            raise InvalidInputError(f'rounding is "straight-through" or "soft"; got {rounding!r}')
        self.factors, self.subsampling, self.rounding = sampling_factors(subsampling), subsampling, rounding
        steps = torch.tensor(np.array([table.steps for table in chosen]), dtype=torch.float32)
        self.log_steps = nn.Parameter(steps.log(), requires_grad=learnable)

    def _apply(self, fn: Callable[[Tensor], Tensor], recurse: bool = True) -> Self:
        """Move the layer to a device. Its steps stay in float32, as other types would change them."""

        def moved(tensor: Tensor) -> Tensor:
            other = fn(tensor)
            return other if other.dtype == tensor.dtype else tensor.to(other.device)

        super()._apply(moved, recurse)  # type: ignore[no-untyped-call]
        return self

    def steps(self) -> Tensor:
        """The steps, shape (tables, 8, 8): whole numbers in 1..255; gradients pass the rounding."""
        return rounded(self.log_steps.exp().clamp(1, _MAX_STEP))

    def tables(self) -> tuple[QuantTable, ...]:
        """The tables, for `optcodec.encode` and for files."""
        return tuple(QuantTable(steps.astype(np.uint16)) for steps in self.steps().detach().cpu().numpy())

    def save(self, path: str | os.PathLike[str]) -> None:
        """Write the tables to a file, see `optcodec.jpeg.table_files.save_tables`."""
        save_tables(self.tables(), path, subsampling=self.subsampling)

    def forward(self, images: Tensor) -> CodedImages:
        """Encode and decode.

        Parameters
        ----------
        images : Tensor of float32, shape (N, 3 or 1, H, W)
            RGB or gray, 0..1; rounded to 8 bits first.
        """
        is_right = images.ndim == 4 and images.shape[1] in (1, 3) and images.is_floating_point() and images.numel() > 0
        if not is_right:
            got = f"{images.dtype} of shape {tuple(images.shape)}"
            raise InvalidInputError(f"expected floats of shape (N, 3, H, W) or (N, 1, H, W), got {got}")
        with torch.autocast(images.device.type, enabled=False):  # what is exact in float32 is not in fewer bits
            return self._coded_images(images)

    def _coded_images(self, images: Tensor) -> CodedImages:
        height, width = images.shape[2:]
        pixels = rounded(images.float().clamp(0, 1) * 255)
        if images.shape[1] == 1:
            luminance, bits = self._coded(pixels, 0)
            return CodedImages(luminance[:, :, :height, :width] / 255, bits / (height * width))
        h, v = self.factors
        samples = ycbcr_of(pixels)
        chroma = downsampled(_filled_columns(samples[:, 1:], 8 * h), h, v)
        luminance, bits = self._coded(samples[:, :1], 0)
        decoded, chroma_bits = self._coded(chroma, 1)
        inside = decoded[:, :, : -(-height // v), : -(-width // h)]
        planes = torch.cat([luminance[:, :, :height, :width], upsampled(inside, h, v, height, width)], 1)
        return CodedImages(rgb_of(planes) / 255, (bits + chroma_bits) / (height * width))

    def _coded(self, samples: Tensor, table: int) -> tuple[Tensor, Tensor]:
        """Planes (N, C, H, W) as decoded, in whole blocks, and the bits (N,) of their coefficients."""
        steps = self.steps()[min(table, len(self.log_steps) - 1)]
        filled = functional.pad(samples, (0, -samples.shape[3] % 8, 0, -samples.shape[2] % 8), mode="replicate")
        images, planes, rows, columns = filled.shape
        blocks = (filled - 128).reshape(images, planes, rows // 8, 8, columns // 8, 8).transpose(3, 4)
        coefficients = coefficients_of(blocks)
        is_exact = self.rounding == "straight-through"
        indices = indices_of(blocks, coefficients, steps) if is_exact else _softly_rounded(coefficients / steps)
        fixed = coefficients.detach()
        without = fixed / steps.detach() - fixed / steps  # zero; takes the gradient of the steps from indices
        used = indices + torch.where(indices.detach().abs() < _LARGE, without, 0)
        restored = samples_of(used, steps, exact=is_exact)
        bits = _laplacian_bits(indices + without, coefficients, steps)
        return restored.transpose(3, 4).reshape(filled.shape), bits


def _tables_of(tables: object) -> list[QuantTable]:
    """The tables of a quality, or those that are given, checked."""
    if isinstance(tables, Integral):
        return list(annex_k_tables(int(tables)))
    chosen = list(tables) if isinstance(tables, Sequence) else []
    if not 1 <= len(chosen) <= 2 or not all(isinstance(table, QuantTable) for table in chosen):
        raise InvalidInputError(f"expected a quality, or one or two tables, got {tables!r}")
    if not all(table.is_baseline for table in chosen):
        largest = max(int(table.steps.max()) for table in chosen)
        raise InvalidInputError(f"expected tables with steps up to 255, got {largest}")
    return chosen


def _softly_rounded(values: Tensor) -> Tensor:
    nearest = values.detach().round()
    return nearest + (values - nearest) ** 3


def _filled_columns(planes: Tensor, factor: int) -> Tensor:
    """Repeat the last column up to a multiple, as our encoder does before it averages samples."""
    return functional.pad(planes, (0, -planes.shape[3] % factor, 0, 0), mode="replicate")


def _laplacian_bits(indices: Tensor, coefficients: Tensor, steps: Tensor) -> Tensor:
    """Bits (N,) of indices (N, C, rows, columns, 8, 8), if each frequency of an image has a Laplacian distribution.

    With the mean magnitude b of the coefficients, the step q and r = q / b, an index k has the probability
    1 - exp(-r / 2) where it is 0, and exp(-|k| r) sinh(r / 2) elsewhere: the integral of the density over its interval.
    Of DC, the differences between neighbouring blocks are coded. Between 0 and 1, bits are interpolated. The gradient
    of a step is that of the entropy of this distribution: indices that become zero do not show in that of their bits.
    """
    size = _differences(indices).abs()
    magnitudes = _differences(coefficients).abs().mean((2, 3), keepdim=True).clamp(min=_LEAST_SCALE)
    zero, first, r = _bits_of_zero_and_one(steps.detach() / magnitudes)
    other = first + (size - 1) * r / math.log(2)
    bits = torch.where(size < 1, zero + (first - zero) * size, other).sum((1, 2, 3, 4, 5))
    zero, first, r = _bits_of_zero_and_one(steps / magnitudes.detach())
    silent, decay = -torch.expm1(-r / 2), torch.exp(-r)
    excess = 2 * torch.sinh(r / 2) * (decay / (1 - decay)) ** 2 * r / math.log(2)  # of indices beyond 1
    entropy = (silent * zero + (1 - silent) * first + excess).sum((1, 2, 3, 4, 5)) * indices[0, 0, ..., 0, 0].numel()
    return bits + (entropy - entropy.detach())


def _bits_of_zero_and_one(ratio: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Bits of the indices 0 and 1 for a ratio of step and mean magnitude, and the ratio."""
    r = ratio.clamp(max=_LARGEST_RATIO)
    zero = -torch.log2(-torch.expm1(-r / 2))
    return zero, r / math.log(2) - torch.log2(torch.sinh(r / 2)), r


def _differences(values: Tensor) -> Tensor:
    """The values, of DC the differences to the block on the left (T.81, F.1.1.5.1)."""
    dc = values[..., 0, 0]
    changes = torch.cat([dc[..., :1], dc[..., 1:] - dc[..., :-1]], -1)
    mask = torch.zeros(8, 8, device=values.device)
    mask[0, 0] = 1
    return values * (1 - mask) + changes[..., None, None] * mask
