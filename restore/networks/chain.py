"""Two networks in a row: one restores luminance, and the other one chrominance from that luminance."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional

from restore.networks.operations import configuration, plane_spec

__all__ = ["after_luminance", "restored_luminance"]


def after_luminance(network: nn.Module) -> bool:
    """Whether a network takes the restored luminance, and not the decoded one."""
    config = configuration(network)
    return bool(config.get("of", config).get("after_luminance", False))


@torch.no_grad()
def restored_luminance(luminance: nn.Module, planes: Tensor, condition: Tensor) -> Tensor:
    """Planes whose luminance a network has restored.

    Parameters
    ----------
    luminance : Module
        A network for luminance.
    planes : Tensor, shape (N, 3, H, W)
        Decoded Y, Cb, Cr, 0..1.
    condition : Tensor, shape (N, numbers)
        The condition of the network for chrominance, with two tables.

    Returns
    -------
    Tensor, shape (N, 3, H, W)
        Luminance is rounded to 8-bit samples, as the input of a network in an INT8 file is.
    """
    tables = plane_spec(configuration(luminance)).tables
    parts = [condition[:, 128 * part : 128 * part + 64 * tables] for part in range(3)]
    own = torch.cat([*parts, functional.pad(condition[:, -1:], (2, 0))], 1)
    restored = torch.round(luminance(planes[:, :1], own).clamp(0, 1) * 255) / 255
    return torch.cat([restored, planes[:, 1:]], 1)
