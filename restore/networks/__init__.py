"""The networks by name. Each has the same face, so that training, compression and export know none of them by name.

``network(image, table)`` takes planes (N, planes, H, W) float32 in 0..1, H and W multiples of 8, and quantization
tables (N, tables, 8, 8) in natural order, and gives the restored planes (N, restored, H, W). ``network.config`` is what
`build` needs to make it again.

Those of papers on other restoration take (N, channels, H, W) of any size of at least 8, look at no table, which may be
None, and give all planes, scale times as high and wide.
CARN, LatticeNet and MIMO-UNet come without weights, a recipe or a benchmark: they are here for measurements that are
still to be made, of files made for restoring networks (AccelIR).
"""

from __future__ import annotations

from typing import Any

from torch import nn

from optcodec import InvalidInputError
from restore.networks.carn import Carn
from restore.networks.compact import Compact
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
    "Compact",
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
    "compact": Compact,
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

# With three channels they are trained on RGB (see `restore.channel.problem`); the others on luminance, or Y, Cb and Cr.
TAKING_RGB = frozenset({"carn", "edsr", "ffdnet", "fsrcnn", "ircnn", "latticenet", "mimounet"})


def build(config: dict[str, Any]) -> nn.Module:
    """The network that a configuration describes, with fresh weights.

    Parameters
    ----------
    config : dict
        ``{"network": name, ...}``; the other entries are the arguments of the network's class.

    Raises
    ------
    InvalidInputError
        No such network, or arguments that it does not have.
    """
    arguments = dict(config) if isinstance(config, dict) else {}
    name = arguments.pop("network", None)
    if not isinstance(name, str) or name not in NETWORKS:
        raise InvalidInputError(f"network is one of {', '.join(NETWORKS)}; got {name!r}")
    try:
        return NETWORKS[name](**arguments)
    except (TypeError, ValueError, RuntimeError) as error:
        raise InvalidInputError(f"network {name!r}: {str(error).splitlines()[0]}") from None
