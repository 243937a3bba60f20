"""A small dual-domain network: one branch works on the DCT coefficients of the blocks of the file, one on pixels.

After DDCN (Guo and Chao, "Building dual-domain representations for compression artifacts reduction", ECCV 2016) and D3
(Wang et al., "D3: deep dual-domain based fast restoration of JPEG-compressed images", CVPR 2016), at the size of
`tiny` or a few times that: the branches run in parallel, and a few convolutions join them. As `Conditioned`, the
network is told how strong the noise is that was added to the decoded samples, which these papers do not treat.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.conditioned import Residual
from restore.networks.parts import with_zero_weights
from restore.runtime.context import SIGMA_UNIT

__all__ = ["DualDomain"]

_NOISE_REACH = 3  # standard deviations of the noise by which a coefficient may change (a choice)


def _dct() -> Tensor:
    """The 8x8 DCT (T.81, A.3.3) as a 1x1 convolution from 64 samples to 64 coefficients in natural order."""
    frequency, position = np.arange(8)[:, None], np.arange(8)[None]
    rows = np.cos((2 * position + 1) * frequency * np.pi / 16) / 2
    rows[0] /= np.sqrt(2)
    return torch.from_numpy(np.kron(rows, rows).astype(np.float32))[:, :, None, None]


class DualDomain(nn.Module):
    """Restores luminance with a DCT branch and a pixel branch, whose features are joined.

    Parameters
    ----------
    width : int
        Channels of the pixel branch, at half the resolution.
    blocks : int
        Residual blocks after the branches are joined; the pixel branch has one before.
    dct_width : int
        Channels of the DCT branch, at one eighth of the resolution.
    dct_blocks : int
        Residual blocks of the DCT branch.
    """

    dct: Tensor

    def __init__(self, width: int = 32, blocks: int = 1, dct_width: int = 64, dct_blocks: int = 1) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "network": "dualdomain", "width": width, "blocks": blocks,
            "dct_width": dct_width, "dct_blocks": dct_blocks,
        }  # fmt: skip
        self.register_buffer("dct", _dct(), persistent=False)
        self.told = nn.Conv2d(65, dct_width, 1)  # of steps and noise; files have the weights under this name
        self.dct_head = nn.Conv2d(64, dct_width, 3, padding=1)
        self.dct_body = nn.Sequential(*(Residual(dct_width) for _ in range(dct_blocks)))
        self.dct_tail = with_zero_weights(nn.Conv2d(dct_width, 64, 3, padding=1))
        self.head = nn.Conv2d(4, width, 3, padding=1)
        self.before = Residual(width)
        self.join = nn.Conv2d(width + 4, width, 3, padding=1)
        self.body = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.tail = with_zero_weights(nn.Conv2d(width, 4, 3, padding=1))  # an untrained network changes nothing

    def forward(self, image: Tensor, condition: Tensor) -> Tensor:
        dct_change = self._dct_branch(image, condition[:, :64, None, None], condition[:, -1:, None, None])
        features = self.before(self.head(functional.pixel_unshuffle(image, 2)))
        joined = self.join(torch.cat([features, functional.pixel_unshuffle(dct_change, 2).to(features.dtype)], 1))
        return image + dct_change + functional.pixel_shuffle(self.tail(self.body(joined)), 2)

    def _dct_branch(self, image: Tensor, logarithms: Tensor, noise: Tensor) -> Tensor:
        """The change that the DCT branch adds, where no coefficient changes by more than what may be its error.

        Without noise, the original coefficient lies in its quantization interval, half a step to each side, which both
        papers enforce. Noise has its own standard deviation in each coefficient, too, as the DCT is orthonormal; three
        of them are added to each side. The limit is expressed by ReLUs, which every runtime supports.

        Parameters
        ----------
        image : Tensor, shape (N, 1, H, W)
            Received samples, 0..1.
        logarithms : Tensor, shape (N, 64, 1, 1)
            log2(steps) / 8.
        noise : Tensor, shape (N, 1, 1, 1)
            Standard deviation of the noise in units of 16 samples.
        """
        coefficients = functional.conv2d(functional.pixel_unshuffle(image, 8), self.dct)
        features = self.dct_head(coefficients) + self.told(torch.cat([logarithms, noise], 1))
        change = self.dct_tail(self.dct_body(features)).float()
        limited = functional.relu(change + 0.5) - functional.relu(change - 0.5) - 0.5
        interval = (torch.exp2(8 * logarithms.float()) + 2 * _NOISE_REACH * SIGMA_UNIT * noise) / 255
        samples = functional.conv2d(limited * interval, self.dct.transpose(0, 1))
        return functional.pixel_shuffle(samples, 8)
