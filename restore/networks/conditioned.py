"""`Conditioned`, the network of the shipped models: residual blocks at half resolution that know how the file was made.

A pixel-unshuffle by two turns each 2x2 pixels into channels, so that the same filters cost a quarter. The condition of
the file (quantization steps, statistics of the coefficients, subsampling, noise; see `restore.runtime.context`) is
turned into a few feature maps that repeat with the 8x8 blocks: they tell the network how coarse the quantization is,
how the encoder chose its indices, and where the block borders lie. The change that the network makes is scaled by the
quantization steps, down to no change at all for fine steps, and by a strength that the network derives from the
condition: how much of the change is right on average differs from file to file, and the statistics tell much of it.
A further factor, the caution, is learned afterwards, with everything else as it is, so that no file gets worse; see
`restore.training.caution`.
"""

from __future__ import annotations

import math
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.parts import with_zero_weights
from restore.runtime.context import SIGMA_UNIT, condition_size

__all__ = ["CAUTION_START", "CHANGE_UNIT", "Conditioned", "Residual"]

CHANGE_UNIT = 16 / 255  # change of a sample of 0..1 by an output of 1, if the error is one 8-bit sample
_HIDDEN = 32  # width of the hidden layer between the condition and its maps
CAUTION_START = 2.0  # its sigmoid, as a part of which caution begins; so it may grow by 14 % at most
# Means and standard deviations of the parts of the condition in the training: of steps, dead zones and activities.
_CENTRES, _SPREADS = (0.73, 1.08, 0.49), (0.15, 0.70, 0.24)


class Residual(nn.Module):
    """A residual block: two convolutions and a shortcut."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, features: Tensor) -> Tensor:
        out: Tensor = features + self.second(functional.relu(self.first(features)))
        return out


class Conditioned(nn.Module):
    """Restores luminance, or chrominance, of an image.

    Parameters
    ----------
    planes : int
        Planes of the input: 1 for luminance, 3 for Y, Cb, Cr.
    restored : int
        How many of them, counted from the last, are restored: 1 of 1 for luminance, 2 of 3 for chrominance.
    width : int
        Channels of the features.
    blocks : int
        Residual blocks, two convolutions each.
    tables : int
        Number of quantization tables in the condition; the last one belongs to the restored planes.
    maps : int
        Number of maps that are computed from the condition.
    period : int
        Period of the maps in pixels at half resolution: 4 for 8x8 blocks of a plane that is not subsampled, 8 where
        chrominance may be subsampled by two.
    threshold : float
        Geometric mean of the quantization steps up to which the network changes nothing.
    after_luminance : bool
        Whether the luminance among the input planes is the restored one, by a network for luminance.
    caution : int
        Width of the hidden layer between the condition and the caution; 0: no caution.
    """

    centres: Tensor  # of each number of the condition, see `_CENTRES`
    spreads: Tensor

    def __init__(
        self,
        planes: int = 1,
        restored: int = 1,
        width: int = 64,
        blocks: int = 4,
        tables: int = 1,
        maps: int = 8,
        period: int = 4,
        threshold: float = 4.5,
        after_luminance: bool = False,
        caution: int = 0,
    ) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "network": "conditioned", "planes": planes, "restored": restored, "width": width, "blocks": blocks,
            "tables": tables, "maps": maps, "period": period, "threshold": threshold,
            "after_luminance": after_luminance, **({"caution": caution} if caution else {}),
        }  # fmt: skip
        self.restored, self.maps, self.period, self.tables, self.threshold = restored, maps, period, tables, threshold
        self.condition = nn.Sequential(
            nn.Linear(condition_size(tables), _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, maps * period * period)
        )
        self.strength = with_zero_weights(nn.Linear(_HIDDEN, 1))
        self.caution: nn.Module | None = None
        if caution:
            first, last = nn.Linear(condition_size(tables, cells=16), caution), nn.Linear(caution, 1)
            self.caution = nn.Sequential(first, nn.ReLU(), with_zero_weights(last))
        for name, values, rest in (("centres", _CENTRES, 0.0), ("spreads", _SPREADS, 1.0)):
            numbers = [value for value in values for _ in range(64 * tables)]
            self.register_buffer(name, torch.tensor([*numbers, *[rest] * 3]), persistent=False)
        self.head = nn.Conv2d(4 * planes + maps, width, 3, padding=1)
        self.body = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.tail = with_zero_weights(nn.Conv2d(width, 4 * restored, 3, padding=1))

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        low = functional.pixel_unshuffle(image, 2)
        maps = self.tiled(self.period_of_maps(condition), low)
        # 16-bit floats would round bright samples to whole ones; "meta", on which work is counted, has no autocast
        with torch.autocast("cuda" if image.is_cuda else "cpu", enabled=False):
            head = self.head(torch.cat([low.float(), maps.float()], 1))
        features = self.body(head)
        change = functional.pixel_shuffle(self.tail(features).float(), 2)
        return image[:, -self.restored :] + change * self.scale(condition)

    def period_of_maps(self, condition: Tensor) -> Tensor:
        """One period of the maps, shape (N, maps, period, period)."""
        maps: Tensor = self.condition[2](self.hidden(condition)).view(-1, self.maps, self.period, self.period)
        return maps

    def hidden(self, condition: Tensor) -> Tensor:
        """The hidden layer, shape (N, width), from the condition with means of about 0 and deviations of about 1."""
        layer: Tensor = self.condition[:2]((condition - self.centres) / self.spreads)
        return layer

    def tiled(self, maps: Tensor, low: Tensor) -> Tensor:
        """Repeat maps to the size and type of the image at half resolution."""
        return maps.repeat(1, 1, low.shape[2] // self.period, low.shape[3] // self.period).to(low.dtype)

    def scale(self, condition: Tensor) -> Tensor:
        """The factor of the change, shape (N, 1, 1, 1): expected error, a learned strength from 0 to 2, and caution.

        A constant brings the outputs of the last convolution to the size of those of the others, with which Adam learns
        much faster.
        """
        strength = 2 * torch.sigmoid(self.strength(self.hidden(condition)).float())
        if self.caution is not None:
            strength = strength * self.caution_factor(self.pooled(condition))
        return strength[:, :, None, None] * self.expected_error(condition) * CHANGE_UNIT

    def pooled(self, condition: Tensor) -> Tensor:
        """The condition, as `hidden` takes it, with the mean of each 2x2 frequencies: what the caution is told."""
        numbers = (condition - self.centres) / self.spreads
        spectra = numbers[:, : 192 * self.tables].reshape(-1, 3 * self.tables, 8, 8)
        return torch.cat([functional.avg_pool2d(spectra, 2).flatten(1), numbers[:, 192 * self.tables :]], 1)

    def caution_factor(self, pooled: Tensor) -> Tensor:
        """The caution, shape (N, 1), from 0 for no change to 1.14; 1 before it is learned."""
        assert self.caution is not None
        start = torch.sigmoid(pooled.new_tensor(CAUTION_START))
        factor: Tensor = torch.sigmoid(self.caution(pooled).float() + CAUTION_START) / start
        return factor

    def expected_error(self, condition: Tensor) -> Tensor:
        """About the error of a decoded image with these steps and noise, in 8-bit samples, shape (N, 1, 1, 1).

        The mean error of decoded photographs grows about with the root of the steps. Below the threshold it is set to
        that of the noise.
        """
        logarithms = condition[:, 64 * self.tables - 64 : 64 * self.tables].mean(1)
        mean = torch.exp(8 * math.log(2) * logarithms)  # a power of two, for which not every converter has an operation
        beyond = functional.relu(mean - self.threshold)
        sigma = SIGMA_UNIT * condition[:, -1]
        return torch.sqrt(beyond + sigma.square())[:, None, None, None]
