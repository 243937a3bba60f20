"""From an image and a budget to a weight for each 32x32 block: all ways to choose, behind one signature.

A way is a function of `Features` and a budget in bytes, and gives a `QualityField`. The trellis then realises it, and
meets the budget exactly; what an allocator makes of the budget only decides how blocks relate to one another.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec.blocks.allocate import ALLOCATORS
from optcodec.blocks.curves import BLOCK_SIDE, Curves, block_grid
from optcodec.blocks.slopes import weights_from_qualities
from optcodec.blocks.vaq import VAQ
from optcodec.cached import cached_property
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import DctImage
from optcodec.trellis.criterion import Criterion
from optcodec.trellis.field import QualityField
from optcodec.trellis.tuning import Tuning
from optcodec.values import Value

if TYPE_CHECKING:
    from optcodec.blocks.profile import UtilityProfile
    from optcodec.blocks.qpnet import QpNet

__all__ = ["WAYS", "BlockChoice", "Features", "allocated_qualities", "blocks_by", "pixels_of_blocks"]

Floats = npt.NDArray[np.float64]
_ALL = 1 + 1e-9  # what all blocks take at the highest quality, in any order of adding up
_HEADERS = 600  # bytes of a baseline file with two tables and four optimal Huffman codes, about


@dataclass(frozen=True, eq=False)
class Features:
    """What the ways look at.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        The image to be coded.
    image : DctImage
        Its coefficients.
    tuning : Tuning
        What errors weigh besides.
    profile : UtilityProfile, optional
        Groups and their curves.
    net : QpNet, optional
        Tells blocks' groups.
    threads : int, optional
        At most so many; all processors by default. The result is the same.
    """

    pixels: npt.NDArray[np.uint8]
    image: DctImage
    tuning: Tuning
    profile: UtilityProfile | None = None
    net: QpNet | None = None
    threads: int | None = None

    @cached_property
    def criterion(self) -> Criterion:
        """What errors weigh in all blocks alike."""
        return self.tuning.criterion(self.image)

    @cached_property
    def shares(self) -> Floats:
        """What QP-NET says of the blocks' groups (rows, columns, M)."""
        assert self.net is not None
        return self.net.distributions(self.pixels, threads=self.threads).astype(np.float64)

    @cached_property
    def curves(self) -> Curves:
        """Curves of the blocks that their groups lead one to expect."""
        assert self.profile is not None
        shares = self.shares.reshape(-1, self.profile.groups)
        shares = shares / shares.sum(axis=1, keepdims=True)  # of float32
        means = (shares @ getattr(self.profile, name) for name in ("nbytes", "before", "after"))
        return Curves(self.profile.qualities, *means)

    @property
    def exchange(self) -> Floats:
        """Weights (rows, columns) of errors by what is left of them after restoration."""
        assert self.profile is not None
        if self.profile.strength == 0:  # for this receiver all blocks are alike
            return np.ones(block_grid(self.image.width, self.image.height))
        logs: Floats = self.shares @ (self.profile.strength * np.log(self.profile.exchange))
        return np.exp(logs)


def pixels_of_blocks(width: int, height: int) -> npt.NDArray[np.int64]:
    """Pixels of each 32x32 block in raster order: fewer where the border of the image cuts it."""
    sides = (np.diff(np.append(np.arange(0, extent, BLOCK_SIDE), extent)) for extent in (height, width))
    return np.multiply.outer(*sides).ravel()


def _exchanged(features: Features, budget: float) -> QualityField:
    return QualityField.from_squares(features.image.width, features.image.height, features.exchange, BLOCK_SIDE)


def allocated_qualities(features: Features, budget: float, allocator: str) -> npt.NDArray[np.int64]:
    """Qualities (rows, columns) by an allocator on the expected curves, for a budget in bytes."""
    curves = features.curves
    size = features.image.width, features.image.height
    least, most = curves.nbytes[:, 0].sum(), _ALL * curves.nbytes[:, -1].sum()
    # A budget beyond what the curves span leaves blocks as they are: the trellis meets it, or says what the least is.
    usable = min(max(budget - _HEADERS, 1.001 * least), most)
    return ALLOCATORS[allocator](curves, usable, pixels_of_blocks(*size)).reshape(features.shares.shape[:2])


def _allocated(features: Features, budget: float, *, allocator: str) -> QualityField:
    """These qualities, realised as slopes."""
    qualities = allocated_qualities(features, budget, allocator)
    return weights_from_qualities(features.image, features.criterion, qualities, threads=features.threads)


def _adaptive(features: Features, budget: float, *, codec: str) -> QualityField:
    return VAQ[codec](features.pixels)


Way = Callable[[Features, float], QualityField]
WAYS: dict[str, Way] = {
    "exchange": _exchanged,
    **{name: partial(_allocated, allocator=name) for name in ALLOCATORS},
    **{name: partial(_adaptive, codec=name) for name in VAQ},
}
_WITHOUT_BUDGET = "exchange", *VAQ


@dataclass(frozen=True, eq=False)
class BlockChoice(Value):
    """How blocks are weighed.

    Parameters
    ----------
    way : str
        ``"exchange"``: by what is left of an error after restoration, as QP-NET tells it; ``"accelir"``,
        ``"lagrangian"``, ``"uniform"``: qualities by an allocator on the curves of QP-NET's groups, each realised as
        the slope that it has on the block's own curve; ``"x264"``, ``"libwebp"``: by variance, as these codecs do.
    profile : UtilityProfile, optional
        For the first four.
    net : QpNet, optional
        For the first four, with as many groups as the profile.

    Raises
    ------
    InvalidInputError
        If there is no such way, or what it needs is missing or does not fit.
    """

    way: str
    profile: UtilityProfile | None = None
    net: QpNet | None = None

    def __post_init__(self) -> None:
        if self.way not in WAYS:
            raise InvalidInputError(f"blocks are weighed by {', '.join(WAYS)}; got {self.way!r}")
        if self.way in VAQ:
            return
        if self.profile is None or self.net is None:
            raise InvalidInputError(f"blocks weighed by {self.way} need a utility profile and a QP-NET, got none")
        if self.profile.groups != self.net.groups:
            groups = self.profile.groups
            raise InvalidInputError(f"the profile has {groups} groups, its QP-NET {self.net.groups}; expected equal")

    @property
    def kernels(self) -> tuple[str, ...]:
        """What weighing will need, see `optcodec.kernels.prepare`."""
        return () if self.way in VAQ else ("qpnet",) if self.way == "exchange" else ("qpnet", "blockcurves")

    def field(self, features: Features, budget: float | None) -> QualityField:
        """Weights of the blocks of an image, for a budget in bytes.

        Raises
        ------
        InvalidInputError
            If the way needs a budget, and there is none.
        """
        if budget is None and self.way not in _WITHOUT_BUDGET:
            raise InvalidInputError(f"blocks weighed by {self.way} share a budget: expected a target in bytes or bpp")
        return WAYS[self.way](features, budget or 0.0)


def blocks_by(name: str, way: str | None = None) -> BlockChoice:
    """What a text names.

    Parameters
    ----------
    name : str
        ``qpnet:NET`` with the name of a shipped profile and QP-NET, or that of two files NET.json and NET.npz; or
        ``x264`` or ``libwebp``.
    way : str, optional
        For a QP-NET: ``exchange`` by default.

    Raises
    ------
    InvalidInputError
        If there is nothing of that name.
    """
    from optcodec.blocks.profile import load_utility_profile
    from optcodec.blocks.qpnet import load_qpnet, shipped_qpnets

    kind, _, net = name.partition(":")
    if kind != "qpnet" or not net:
        if name not in VAQ:
            raise InvalidInputError(f"blocks are chosen by {', '.join(VAQ)} or qpnet:NET, got {name!r}")
        if way is not None:
            raise InvalidInputError(f"{way} allocates by a QP-NET; expected qpnet:NET, got {name!r}")
        return BlockChoice(name)
    shipped = net in shipped_qpnets()
    profile = load_utility_profile(net if shipped else f"{net}.json")
    return BlockChoice(way or "exchange", profile, load_qpnet(net if shipped else f"{net}.npz"))
