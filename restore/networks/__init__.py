"""The restoration networks, by name. All have the same interface, which training, compression and export use.

``network(image, condition)`` takes planes, float32, shape (N, planes, H, W), 0..1, where H and W are multiples of 8,
and what is known of the files, shape (N, numbers), see `restore.runtime.context`. It returns restored planes, shape
(N, restored, H, W). ``network.config`` is the configuration from which `build` makes the network again.

The networks in `TAKING_RGB`, from papers on other restoration problems, take images of shape (N, channels, H, W) and of
any size of at least 8. They ignore the condition, which may be None, and return all channels, scale times as high and
wide.
CARN takes published weights (`restore.networks.published`). LatticeNet and MIMO-UNet come without weights, a recipe or
a benchmark: they are here for coming measurements of files that are made for restoring networks (AccelIR).
"""

from __future__ import annotations

from typing import Any

from torch import nn

from optcodec import InvalidInputError
from restore.networks.carn import Carn
from restore.networks.conditioned import Conditioned
from restore.networks.dncnn import DnCNN
from restore.networks.dualdomain import DualDomain
from restore.networks.edsr import Edsr
from restore.networks.ffdnet import Ffdnet
from restore.networks.fsrcnn import Fsrcnn
from restore.networks.ircnn import Ircnn
from restore.networks.latticenet import LatticeNet
from restore.networks.mimounet import MimoUnet
from restore.networks.quantized import Quantized

__all__ = [
    "NETWORKS",
    "TAKING_RGB",
    "Carn",
    "Conditioned",
    "DnCNN",
    "DualDomain",
    "Edsr",
    "Ffdnet",
    "Fsrcnn",
    "Ircnn",
    "LatticeNet",
    "MimoUnet",
    "Quantized",
    "build",
]

NETWORKS: dict[str, type[nn.Module]] = {
    "carn": Carn,
    "conditioned": Conditioned,
    "dncnn": DnCNN,
    "dualdomain": DualDomain,
    "edsr": Edsr,
    "ffdnet": Ffdnet,
    "fsrcnn": Fsrcnn,
    "ircnn": Ircnn,
    "latticenet": LatticeNet,
    "mimounet": MimoUnet,
    "quantized": Quantized,
}

# Trained on RGB if they have three channels (see `restore.channel.problem`); the others on luminance, or on Y, Cb, Cr.
TAKING_RGB = frozenset({"carn", "edsr", "ffdnet", "fsrcnn", "ircnn", "latticenet", "mimounet"})


def build(config: dict[str, Any]) -> nn.Module:
    """Build the network that a configuration describes, with initial weights.

    Parameters
    ----------
    config : dict
        ``{"network": name, ...}``; the other entries are arguments of the class of the network.

    Raises
    ------
    InvalidInputError
        If there is no such network, or it has no such arguments.
    """
    arguments = dict(config) if isinstance(config, dict) else {}
    name = arguments.pop("network", None)
    if not isinstance(name, str) or name not in NETWORKS:
        raise InvalidInputError(f"network is one of {', '.join(NETWORKS)}; got {name!r}")
    try:
        return NETWORKS[name](**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError(f"network {name!r}: {str(error).splitlines()[0]}") from None
