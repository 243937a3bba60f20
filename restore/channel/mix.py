"""The mix of a training: by which encoders, and how often, photographs are coded."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from optcodec import InvalidInputError
from restore.channel.drawings import ALL_KINDS, FIRST_KINDS
from restore.channel.senders import SENDERS

__all__ = ["Mix"]


@dataclass(frozen=True)
class Mix:
    """How photographs are coded for a training.

    Parameters
    ----------
    senders : dict of str to float
        Shares of the encoders, by the names of `restore.channel.senders.SENDERS`.
    qualities : sequence of int
        Quality factors, 1..100, drawn with equal probability.
    subsamplings : sequence of str
        Chroma subsamplings, drawn with equal probability.
    twice : float
        Share (0..1) of the files that were coded before, with another quality: on the same grid of blocks, on another
        grid (after cropping), or at another size.
    known : float
        Share (0..1) of the files coded twice on a grid of blocks whose first coding the network is told, if that was
        the coarser one.
    grainy, sharpened, smooth : float
        Shares (0..1) of the files whose photograph has grain added, is sharpened, or is out of focus, see
        `restore.channel.variants`.
    versions : int
        Number of files of each photograph.
    drawings : int
        Number of drawings besides the photographs, see `restore.channel.drawings`.
    first_drawing : int
        Number of the first of them.
    kinds : sequence of str
        Kinds of the drawings, of `restore.channel.drawings.DRAWING_KINDS`, in turn.
    sigmas : sequence of float
        Standard deviations of Gaussian noise that is added to the decoded image, in units of 8-bit samples, drawn with
        equal probability; the network is told which.
    blind : float
        Share (0..1) of the patches whose network is not told the file, but gets steps of 1: what is known of a picture
        that is no JPEG file any more.
    """

    senders: dict[str, float]
    qualities: Sequence[int] = tuple(range(5, 94))
    subsamplings: Sequence[str] = ("4:2:0", "4:2:0", "4:4:4")
    twice: float = 0.0
    known: float = 0.75
    grainy: float = 0.0
    sharpened: float = 0.0
    versions: int = 12
    drawings: int = 0
    sigmas: Sequence[float] = (0.0,)
    blind: float = 0.0
    smooth: float = 0.0
    first_drawing: int = 0
    kinds: Sequence[str] = FIRST_KINDS

    def __post_init__(self) -> None:
        if not isinstance(self.senders, dict) or not self.senders:
            raise InvalidInputError(f"senders are shares by name, at least one; got {self.senders!r}")
        for name, share in self.senders.items():
            if name not in SENDERS:
                raise InvalidInputError(f"senders are {', '.join(SENDERS)}; got {name!r}")
            if not isinstance(share, (int, float)) or not 0 < share < float("inf"):
                raise InvalidInputError(f"the share of a sender is a number above 0; got {share!r} for {name}")
        if not self.qualities or any(not 1 <= quality <= 100 for quality in self.qualities):
            raise InvalidInputError(f"qualities are 1..100, at least one; got {list(self.qualities)}")
        if not self.subsamplings or not set(self.subsamplings) <= {"4:4:4", "4:2:0"}:
            raise InvalidInputError(f"subsamplings are 4:4:4 and 4:2:0, at least one; got {list(self.subsamplings)}")
        if not self.kinds or not set(self.kinds) <= set(ALL_KINDS):
            raise InvalidInputError(f"kinds are of {', '.join(ALL_KINDS)}, at least one; got {list(self.kinds)}")
        for name in ("twice", "known", "grainy", "sharpened", "smooth", "blind"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInputError(f"{name} is a share, 0..1; got {getattr(self, name)}")
        if self.grainy + self.sharpened + self.smooth > 1:
            shares = f"{self.grainy}, {self.sharpened}, {self.smooth}"
            raise InvalidInputError(f"grainy, sharpened and smooth add up to at most 1; got {shares}")
        if not self.sigmas or any(not 0 <= sigma <= 255 for sigma in self.sigmas):
            raise InvalidInputError(f"sigmas are 0..255, at least one; got {list(self.sigmas)}")
        if self.versions < 1 or min(self.drawings, self.first_drawing) < 0:
            raise InvalidInputError(
                f"versions are at least 1, drawings 0; got {self.versions}, {self.drawings} from {self.first_drawing}"
            )
