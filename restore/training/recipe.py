"""How a network is trained, as a value that is a JSON file: the paper's schedule and ours lie in the package."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from optcodec import InvalidInputError, parse_json
from optcodec.shared import ShippedFiles
from restore.channel.degradation import Degradation
from restore.channel.problem import find_problem

__all__ = ["Recipe", "Validation", "load_recipe", "shipped_recipes"]

_FILES = ShippedFiles("a recipe", "a JSON file", "restore", ("data", "recipes"))


@dataclass(frozen=True)
class Validation:
    """Photographs to watch while training.

    Parameters
    ----------
    folder : str
        Under the data folder.
    images : int
        The first so many.
    qualities : tuple of int
        JPEG qualities.
    every : int
        Steps between two looks.
    lpips : {"", "alex", "vgg", "squeeze"}
        Network of the LPIPS that is watched beside the PSNR, whose weights must be at hand; "" watches none.
    """

    folder: str = "Val20"
    images: int = 6
    qualities: tuple[int, ...] = (10, 20, 40)
    every: int = 1000
    lpips: str = ""

    def __post_init__(self) -> None:
        for name in ("images", "every"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"validation: {name} is at least 1; got {getattr(self, name)}")
        if not self.qualities:
            raise InvalidInputError("validation: qualities are 1..100, at least one; got none")


@dataclass(frozen=True)
class Recipe:
    """All that a training depends on; with the same photographs and machine it gives the same weights again.

    Parameters
    ----------
    network : dict
        What `restore.networks.build` takes.
    photographs : dict of str to int
        Folders under the data folder, and how much each is shrunk (1: not at all).
    problem : str
        What happens to the patches before they are coded, see `restore.channel.problem`; the planes are then R, G, B.
        "" is nothing.
    degradation : Degradation
        What happens to the patches when they are coded.
    side, count, stride : int
        Side of a patch in pixels, patches in a batch, grid that patches are cut from.
    steps : int
        Batches in all; `--budget` replaces it.
    rate : float
        Learning rate of Adam at the start.
    schedule : {"cosine", "halving", "plateau"}
        To zero along half a cosine after a short rise; halved at `halvings` equal parts of the steps; or divided by ten
        when validation has not got better for three looks.
    halvings : int
        For "halving".
    clip : float
        Largest norm of the gradient; 0 leaves it.
    loss : {"mse", "balanced"}
        See `restore.training.losses`.
    perceptual : float
        Weight of the loss on features (stage 2), 0.05 to 0.2 in the paper; 0 is stage 1.
    features : {"vgg16", "squeezenet1_1"}
        Network of those features, see `restore.training.features`.
    adversarial : float
        Weight of what a critic says that is trained beside the network; 0 is no critic.
    sparsity : float
        Weight of the sum of the sizes of batch-norm scales, which network slimming lowers; 0 leaves them.
    precision : {"float32", "bfloat16"}
        Of the convolutions while training; weights and updates are always float32.
    seed : int
        Of patches, degradation and first weights.
    validation : Validation
        What is watched.
    """

    network: dict[str, Any]
    photographs: dict[str, int] = field(default_factory=lambda: {"Train400": 1})
    problem: str = ""
    degradation: Degradation = field(default_factory=Degradation)
    side: int = 40
    count: int = 128
    stride: int = 1
    steps: int = 10_000
    rate: float = 1e-3
    schedule: str = "cosine"
    halvings: int = 5
    clip: float = 0.0
    loss: str = "mse"
    perceptual: float = 0.0
    features: str = "vgg16"
    adversarial: float = 0.0
    sparsity: float = 0.0
    precision: str = "float32"
    seed: int = 0
    validation: Validation = field(default_factory=Validation)

    def __post_init__(self) -> None:
        if not isinstance(self.network, dict) or not isinstance(self.photographs, dict):
            raise InvalidInputError(f"network and photographs are objects; got {self.network!r}, {self.photographs!r}")
        for name in ("side", "count", "stride", "steps", "halvings", "seed"):
            if not isinstance(getattr(self, name), int):
                raise InvalidInputError(f"{name} is a whole number; got {getattr(self, name)!r}")
        if self.seed < 0:
            raise InvalidInputError(f"seed is at least 0; got {self.seed}")
        for name, known in (("schedule", ("cosine", "halving", "plateau")), ("precision", ("float32", "bfloat16"))):
            if getattr(self, name) not in known:
                raise InvalidInputError(f"{name} is one of {', '.join(known)}; got {getattr(self, name)!r}")
        for name in ("side", "count", "stride", "steps", "halvings"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"{name} is at least 1; got {getattr(self, name)}")
        for name in ("clip", "perceptual", "adversarial", "sparsity"):
            if not 0 <= getattr(self, name) < float("inf"):
                raise InvalidInputError(f"{name} is at least 0; got {getattr(self, name)}")
        if not 0 < self.rate < float("inf"):
            raise InvalidInputError(f"rate is above 0; got {self.rate}")
        if self.problem:
            find_problem(self.problem)
        if self.side % 8:
            raise InvalidInputError(f"side is a multiple of 8, the blocks of JPEG; got {self.side}")

    def to_json(self) -> dict[str, Any]:
        """Plain values for a JSON file."""
        return dataclasses.asdict(self)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Recipe:
        """The recipe of a JSON file.

        Raises
        ------
        InvalidInputError
            Unknown entries, or values out of their range.
        """
        try:
            values = dict(values)
            for name, part in (("degradation", Degradation), ("validation", Validation)):
                if name in values:
                    values[name] = part(**values[name])
            return cls(**values)
        except (TypeError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError(f"the recipe does not fit: {error}") from None


def shipped_recipes() -> list[str]:
    """Names of the recipes in the package."""
    return list(_FILES.names)


def load_recipe(name: str) -> Recipe:
    """A recipe by name, or from a JSON file.

    Raises
    ------
    InvalidInputError
        If there is none, or it is not JSON.
    """
    text = _FILES.read_text(name)
    try:
        document = parse_json(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} is not a JSON file: {error}") from None
    return Recipe.from_json(document)
