"""The critic (discriminator) of an adversarial training, which tells restored patches from clean ones."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn.utils.parametrizations import spectral_norm

__all__ = ["Critic"]


class Critic(nn.Module):
    """A patch critic (Isola et al., CVPR 2017) with spectral normalization (Miyato et al., ICLR 2018).

    Its input includes the received planes, so that it judges the restoration and not the scene.

    Parameters
    ----------
    planes : int
        Number of received planes.
    restored : int
        Number of planes of a candidate (restored or clean).
    width : int
        Channels of the first convolution; the others have twice as many.
    """

    def __init__(self, planes: int, restored: int, width: int = 32) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            spectral_norm(nn.Conv2d(planes + restored, width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(width, 2 * width, 4, stride=2, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * width, 2 * width, 3, padding=1)),
            nn.LeakyReLU(0.2),
            spectral_norm(nn.Conv2d(2 * width, 1, 3, padding=1)),
        )

    def forward(self, received: Tensor, candidate: Tensor) -> Tensor:
        """Scores, shape (N, 1, H / 4, W / 4): the larger, the cleaner this part of the candidate looks."""
        scores: Tensor = self.layers(torch.cat([received, candidate], 1))
        return scores
