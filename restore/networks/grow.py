"""Growing: a larger network starts with all that a smaller one has learned."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor, nn

from restore.networks import Conditioned, build

__all__ = ["grown"]

_FREE = "width", "blocks", "caution"  # what may differ


@torch.no_grad()
def grown(network: nn.Module, config: dict[str, Any]) -> nn.Module:
    """A network of this configuration that restores as ``network`` does, if it differs by more channels or blocks only.

    The old channels take nothing from the new ones, and the new blocks change nothing; all other weights of these are
    random, so that training can make use of them, as in Net2Net (Chen, Goodfellow, Shlens, ICLR 2016). Caution is left
    behind: it has to be learned again, after all else.

    Parameters
    ----------
    network : Module
        The smaller network.
    config : dict
        Configuration of the larger one, see `restore.networks.build`.

    Returns
    -------
    Module
        ``network`` itself if the configuration is of something else than a larger `Conditioned` network.
    """
    larger = build(config)
    if not (isinstance(network, Conditioned) and isinstance(larger, Conditioned) and _fits(network, larger)):
        return network
    old = network.state_dict()
    for name, weights in larger.state_dict().items():
        if name in old:
            _fill(weights, old[name])
        elif name.startswith("body.") and ".second." in name:
            weights.zero_()
    return larger.eval()


def _fits(network: Conditioned, larger: Conditioned) -> bool:
    """Whether the one has more channels or blocks than the other, not fewer of any, and is the same otherwise."""
    rest = [{name: value for name, value in each.config.items() if name not in _FREE} for each in (network, larger)]
    sizes = [(each.config["width"], each.config["blocks"]) for each in (network, larger)]
    (width, blocks), (new_width, new_blocks) = sizes
    return rest[0] == rest[1] and new_width >= width and new_blocks >= blocks and sizes[0] != sizes[1]


def _fill(weights: Tensor, old: Tensor) -> None:
    """Put weights into the first channels of larger ones, which take nothing from the channels that are new."""
    if weights.ndim > 1:
        weights[: old.shape[0], old.shape[1] :] = 0
    weights[tuple(slice(extent) for extent in old.shape)] = old
