"""All methods that choose a weight for each 32x32 block of an image, behind one signature.

A method (a *way*) takes a `BlockContext` and a budget in bytes, and returns a `QualityField`. The trellis then encodes
with these weights, and meets the budget exactly; an allocator uses the budget only for the relation between blocks.
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
from optcodec.trellis.field import QualityField, check_crop
from optcodec.trellis.tuning import Tuning
from optcodec.values import Value

if TYPE_CHECKING:
    from optcodec.blocks.profile import UtilityProfile
    from optcodec.blocks.qpnet import QpNet

__all__ = ["WAYS", "BlockChoice", "BlockContext", "allocated_qualities", "blocks_by", "pixels_of_blocks"]

Floats = npt.NDArray[np.float64]
_ALL = 1 + 1e-9  # tolerance for rounding of the sum over all blocks, which depends on the order of adding
_HEADERS = 600  # approximate bytes of the headers of a baseline file: two tables, four optimal Huffman codes


@dataclass(frozen=True, eq=False)
class BlockContext:
    """An image and everything that the choice of its block weights depends on.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width), or None
        The image to be encoded; None if only its coefficients are known, which not all ways can do with.
    image : DctImage
        Its coefficients.
    tuning : Tuning
        Weights of errors that are the same for all blocks.
    profile : UtilityProfile, optional
        The utility groups and their curves.
    net : QpNet, optional
        Predicts the utility group of each block.
    threads : int, optional
        Largest number of threads; all processors by default. The result is the same.
    """

    pixels: npt.NDArray[np.uint8] | None
    image: DctImage
    tuning: Tuning
    profile: UtilityProfile | None = None
    net: QpNet | None = None
    threads: int | None = None

    @cached_property
    def criterion(self) -> Criterion:
        """Weights of errors that are the same for all blocks."""
        return self.tuning.criterion(self.image)

    @cached_property
    def shares(self) -> Floats:
        """Probabilities of the groups for each block by QP-NET, shape (rows, columns, groups)."""
        assert self.net is not None
        assert self.pixels is not None
        return self.net.distributions(self.pixels, threads=self.threads).astype(np.float64)

    @cached_property
    def curves(self) -> Curves:
        """Expected curve of each block: the curves of the groups, averaged with the block's probabilities."""
        assert self.profile is not None
        shares = self.shares.reshape(-1, self.profile.groups)
        shares = shares / shares.sum(axis=1, keepdims=True)  # sums of float32 are not exactly 1
        means = (shares @ getattr(self.profile, name) for name in ("nbytes", "before", "after"))
        return Curves(self.profile.qualities, *means)

    @property
    def residual_weights(self) -> Floats:
        """Weights (rows, columns) of errors: the part of them that stays after restoration, by the block's groups."""
        assert self.profile is not None
        if self.profile.strength == 0:  # this receiver gains nothing from different weights
            return np.ones(block_grid(self.image.width, self.image.height))
        logs: Floats = self.shares @ (self.profile.strength * np.log(self.profile.exchange))
        return np.exp(logs)


def pixels_of_blocks(width: int, height: int) -> npt.NDArray[np.int64]:
    """Number of pixels of each 32x32 block in raster order; fewer where the border of the image cuts the block."""
    sides = (np.diff(np.append(np.arange(0, extent, BLOCK_SIDE), extent)) for extent in (height, width))
    return np.multiply.outer(*sides).ravel()


def _by_residual(context: BlockContext, budget: float) -> QualityField:
    return QualityField.from_squares(context.image.width, context.image.height, context.residual_weights, BLOCK_SIDE)


def allocated_qualities(context: BlockContext, budget: float, allocator: str) -> npt.NDArray[np.int64]:
    """Qualities (rows, columns) by an allocator on the expected curves, for a budget in bytes."""
    curves = context.curves
    size = context.image.width, context.image.height
    least, most = curves.nbytes[:, 0].sum(), _ALL * curves.nbytes[:, -1].sum()
    # A budget outside the range of the curves is clipped to it: only the trellis can meet it, or raise an error.
    usable = min(max(budget - _HEADERS, 1.001 * least), most)
    return ALLOCATORS[allocator](curves, usable, pixels_of_blocks(*size)).reshape(context.shares.shape[:2])


def _by_allocator(context: BlockContext, budget: float, *, allocator: str) -> QualityField:
    """Weights with which the trellis gives each block the slope of its allocated quality."""
    qualities = allocated_qualities(context, budget, allocator)
    return weights_from_qualities(context.image, context.criterion, qualities, threads=context.threads)


def _by_variance(context: BlockContext, budget: float, *, codec: str) -> QualityField:
    assert context.pixels is not None
    return VAQ[codec](context.pixels)


Way = Callable[[BlockContext, float], QualityField]
WAYS: dict[str, Way] = {
    "exchange": _by_residual,
    **{name: partial(_by_allocator, allocator=name) for name in ALLOCATORS},
    **{name: partial(_by_variance, codec=name) for name in VAQ},
}
_CROP = "crop"
_WITHOUT_BUDGET = "exchange", *VAQ


@dataclass(frozen=True, eq=False)
class BlockChoice(Value):
    """A method that chooses the weights of 32x32 blocks.

    Parameters
    ----------
    way : str
        ``"exchange"``: by the part of an error that stays after restoration, predicted by QP-NET. ``"accelir"``,
        ``"lagrangian"``, ``"uniform"``: an allocator chooses qualities from the curves of QP-NET's groups, and each
        block gets the rate-distortion slope that it has at its quality. ``"x264"``, ``"libwebp"``: by variance, as
        these codecs do. ``"crop"``: by what a reader sees that crops, see `QualityField.of_crop`.
    profile : UtilityProfile, optional
        Needed for the first four.
    net : QpNet, optional
        Needed for the first four, with the same number of groups as the profile.
    part : float, optional
        Needed for ``"crop"``: the part of the shorter side, above 0..1.

    Raises
    ------
    InvalidInputError
        If there is no such way, profile, net or part are missing or of no use, or the numbers of groups differ.
    """

    way: str
    profile: UtilityProfile | None = None
    net: QpNet | None = None
    part: float | None = None

    def __post_init__(self) -> None:
        if self.way not in (*WAYS, _CROP):
            raise InvalidInputError(f"blocks are weighed by {', '.join(WAYS)}, {_CROP}; got {self.way!r}")
        if (self.part is not None) != (self.way == _CROP):
            raise InvalidInputError(f"a part of the shorter side goes with {_CROP}; got {self.part!r} with {self.way}")
        if self.part is not None:
            check_crop(self.part)
        if not self.needs_net:
            return
        if self.profile is None or self.net is None:
            raise InvalidInputError(f"blocks weighed by {self.way} need a utility profile and a QP-NET, got none")
        if self.profile.groups != self.net.groups:
            groups = self.profile.groups
            raise InvalidInputError(f"the profile has {groups} groups, its QP-NET {self.net.groups}; expected equal")

    @property
    def needs_net(self) -> bool:
        """Whether it is about a utility profile and a QP-NET."""
        return self.way not in (*VAQ, _CROP)

    @property
    def needs_pixels(self) -> bool:
        """Whether coefficients of the image are not enough."""
        return self.way != _CROP

    @property
    def kernels(self) -> tuple[str, ...]:
        """Kernels that `field` will call, for `optcodec.kernels.prepare`."""
        return () if not self.needs_net else ("qpnet",) if self.way == "exchange" else ("qpnet", "blockcurves")

    def field(self, context: BlockContext, budget: float | None) -> QualityField:
        """Weights of the blocks of an image, for a budget in bytes.

        Raises
        ------
        InvalidInputError
            If the way needs a budget, and there is none.
        """
        if self.part is not None:
            return QualityField.of_crop(context.image.width, context.image.height, self.part)
        if budget is None and self.way not in _WITHOUT_BUDGET:
            raise InvalidInputError(f"blocks weighed by {self.way} share a budget: expected a target in bytes or bpp")
        return WAYS[self.way](context, budget or 0.0)


def blocks_by(name: str, way: str | None = None) -> BlockChoice:
    """Make a `BlockChoice` from text, as on the command line.

    Parameters
    ----------
    name : str
        ``x264``, ``libwebp``; ``qpnet:NET``, where NET is the name of a shipped utility profile and QP-NET, or the
        common path of two files NET.json and NET.npz; or ``crop:PART``, where PART is a number such as ``0.875``, or
        two as ``224/256``.
    way : str, optional
        Only with a QP-NET, see `BlockChoice`; ``"exchange"`` by default.

    Raises
    ------
    InvalidInputError
        If the name is none of these, a file cannot be read, or a way is set without a QP-NET.
    """
    from optcodec.blocks.profile import load_utility_profile
    from optcodec.blocks.qpnet import load_qpnet, shipped_qpnets

    kind, _, rest = name.partition(":")
    if kind != "qpnet" or not rest:
        if name not in VAQ and (kind != _CROP or not rest):
            raise InvalidInputError(f"blocks are chosen by {', '.join(VAQ)}, qpnet:NET or crop:PART, got {name!r}")
        if way is not None:
            raise InvalidInputError(f"{way} allocates by a QP-NET; expected qpnet:NET, got {name!r}")
        return BlockChoice(kind, part=_part(rest)) if rest else BlockChoice(name)
    shipped = rest in shipped_qpnets()
    profile = load_utility_profile(rest if shipped else f"{rest}.json")
    return BlockChoice(way or "exchange", profile, load_qpnet(rest if shipped else f"{rest}.npz"))


def _part(text: str) -> float:
    """A part as a number, or as two of which it is the ratio."""
    number, _, whole = text.partition("/")
    try:
        return float(number) / float(whole or 1)
    except (ValueError, ArithmeticError):
        raise InvalidInputError(f"crop:PART has a number, or two as in 224/256; got {text!r}") from None
