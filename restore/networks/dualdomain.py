"""A small dual-domain network: one branch sees the DCT coefficients of the file's own blocks, one the pixels.

After DDCN (Guo and Chao, "Building dual-domain representations for compression artifacts reduction", ECCV 2016) and D3
(Wang et al., "D3: deep dual-domain based fast restoration of JPEG-compressed images", CVPR 2016), at the size of
`tiny`: the branches run beside each other and a few convolutions join them.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.compact import Residual

__all__ = ["DualDomain"]


def _dct() -> Tensor:
    """The 8x8 DCT (ITU-T T.81, A.3.3) as a 1x1 convolution over 64 samples: 64 coefficients in natural order."""
    frequency, place = np.arange(8)[:, None], np.arange(8)[None]
    rows = np.cos((2 * place + 1) * frequency * np.pi / 16) / 2
    rows[0] /= np.sqrt(2)
    return torch.from_numpy(np.kron(rows, rows).astype(np.float32))[:, :, None, None]


class DualDomain(nn.Module):
    """Restores the luminance.

    Parameters
    ----------
    width : int
        Channels of the features of pixels, at half the resolution.
    blocks : int
        Residual blocks after the branches are joined; there is one before.
    dct_width : int
        Channels of the features of coefficients, at one eighth of the resolution.
    dct_blocks : int
        Residual blocks of that branch.
    """

    dct: Tensor

    def __init__(self, width: int = 32, blocks: int = 1, dct_width: int = 64, dct_blocks: int = 1) -> None:
        super().__init__()
        self.config: dict[str, Any] = {
            "network": "dualdomain", "width": width, "blocks": blocks,
            "dct_width": dct_width, "dct_blocks": dct_blocks,
        }  # fmt: skip
        self.register_buffer("dct", _dct(), persistent=False)
        self.told = nn.Conv2d(64, dct_width, 1)
        self.dct_head = nn.Conv2d(64, dct_width, 3, padding=1)
        self.dct_body = nn.Sequential(*(Residual(dct_width) for _ in range(dct_blocks)))
        self.dct_tail = nn.Conv2d(dct_width, 64, 3, padding=1)
        self.head = nn.Conv2d(4, width, 3, padding=1)
        self.before = Residual(width)
        self.join = nn.Conv2d(width + 4, width, 3, padding=1)
        self.body = nn.Sequential(*(Residual(width) for _ in range(blocks)))
        self.tail = nn.Conv2d(width, 4, 3, padding=1)
        for tail in (self.dct_tail, self.tail):  # an untrained network changes nothing
            nn.init.zeros_(tail.weight)
            assert tail.bias is not None
            nn.init.zeros_(tail.bias)

    def forward(self, image: Tensor, table: Tensor) -> Tensor:
        moved = self._in_cells(image, table.flatten(1)[:, :, None, None])
        seen = self.before(self.head(functional.pixel_unshuffle(image, 2)))
        joined = self.join(torch.cat([seen, functional.pixel_unshuffle(moved, 2).to(seen.dtype)], 1))
        return image + moved + functional.pixel_shuffle(self.tail(self.body(joined)), 2)

    def _in_cells(self, image: Tensor, steps: Tensor) -> Tensor:
        """What the DCT branch adds to the image: each coefficient moves by half a step at most.

        What was quantized lies in the cell that it fell into, which both papers build in. The limit is written with
        ReLUs, which every runtime has.
        """
        coefficients = functional.conv2d(functional.pixel_unshuffle(image, 8), self.dct)
        features = self.dct_head(coefficients) + self.told(torch.log2(steps) / 8)
        wanted = self.dct_tail(self.dct_body(features)).float()
        limited = functional.relu(wanted + 0.5) - functional.relu(wanted - 0.5) - 0.5
        back = functional.conv2d(limited * (steps / 255), self.dct.transpose(0, 1))
        return functional.pixel_shuffle(back, 8)
