"""Recipes: all settings of a training, as a value that is stored as a JSON file. Some recipes are in the package."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any

from optcodec import InvalidInputError, parse_json
from optcodec.shared import ShippedFiles
from restore.channel.degradation import Degradation
from restore.channel.mix import Mix
from restore.channel.problem import find_problem
from restore.channel.senders import SENDERS

__all__ = ["OPTIMIZERS", "Recipe", "Validation", "load_recipe", "shipped_recipes"]

OPTIMIZERS = "adam", "muon"

_FILES = ShippedFiles("a recipe", "a JSON file", "restore", ("data", "recipes"))


@dataclass(frozen=True)
class Validation:
    """Validation during a training: the images, the qualities, and how often.

    Parameters
    ----------
    folder : str
        Folder of the images, below the data folder.
    images : int
        Number of images to use, the first ones by name.
    qualities : tuple of int
        JPEG qualities at which the images are coded, 1..100.
    every : int
        Number of training steps between two validations.
    lpips : {"", "alex", "vgg", "squeeze"}
        Network of the LPIPS that is measured besides PSNR, whose weights must be available; "" means no LPIPS.
    senders : tuple of str
        Encoders whose files are restored, by the names of `restore.channel.senders.SENDERS`; others than Pillow only
        with a mix.
    """

    folder: str = "Val20"
    images: int = 6
    qualities: tuple[int, ...] = (10, 20, 40)
    every: int = 1000
    lpips: str = ""
    senders: tuple[str, ...] = ("pillow",)

    def __post_init__(self) -> None:
        for name in ("images", "every"):
            if getattr(self, name) < 1:
                raise InvalidInputError(f"validation: {name} is at least 1; got {getattr(self, name)}")
        if not self.qualities:
            raise InvalidInputError("validation: qualities are 1..100, at least one; got none")
        if not self.senders or not set(self.senders) <= SENDERS.keys():
            names = f"{', '.join(SENDERS)}, at least one"
            raise InvalidInputError(f"validation: senders are {names}; got {list(self.senders)}")


@dataclass(frozen=True)
class Recipe:
    """All settings of a training. With the same photographs and machine, it gives the same weights again.

    Parameters
    ----------
    network : dict
        Configuration of the network, as for `restore.networks.build`.
    luminance : str
        For a network for chrominance that takes the restored luminance: the name of the shipped network, or the path of
        the file of the network that restores it.
    photographs : dict of str to int
        Folders below the data folder, and the factor by which their images are downscaled (1: not at all).
    problem : str
        Restoration problem: the degradation of the patches before they are coded, see `restore.channel.problem`; the
        planes are then R, G, B. "" means JPEG alone.
    degradation : Degradation
        How the patches are coded, if there is no `mix`.
    mix : Mix, optional
        How whole photographs are coded, from which patches are cut, for networks that take the condition of a file.
    side, count, stride : int
        Side of a patch in pixels, patches in a batch, spacing in pixels of the grid that patches are cut from.
    steps : int
        Number of batches (training steps); the option `--budget` overrides it.
    rate : float
        Learning rate of Adam at the start.
    optimizer : {"adam", "muon"}
        Optimizer of the network, see `restore.training.learner`.
    schedule : {"cosine", "halving", "plateau"}
        Learning rate over time. "cosine": falls to zero along half a cosine after a short rise. "halving": halved
        `halvings` times at equal distances. "plateau": halved after five validations without progress.
    halvings : int
        Number of halvings of the schedule "halving".
    clip : float
        Limit for the norm of the gradient; 0 means no limit.
    loss : {"mse", "balanced", "relative"}
        Loss of samples, see `restore.training.losses`; "relative" with a `mix`.
    perceptual : float
        Weight of the feature loss of stage 2, 0.05 to 0.2 in the paper; 0 for stage 1.
    features : {"vgg16", "squeezenet1_1"}
        Network of the feature loss, see `restore.training.features`.
    adversarial : float
        Weight of the loss from a critic that is trained at the same time; 0 means no critic.
    sparsity : float
        Weight of the L1 penalty on batch-norm scales, for network slimming; 0 means no penalty.
    precision : {"float32", "bfloat16"}
        Precision of the convolutions in training; weights and updates are always float32.
    seed : int
        Seed of the patches, the degradation and the initial weights.
    validation : Validation
        The validation during the training.
    """

    network: dict[str, Any]
    luminance: str = ""
    photographs: dict[str, int] = field(default_factory=lambda: {"Train400": 1})
    problem: str = ""
    degradation: Degradation = field(default_factory=Degradation)
    mix: Mix | None = None
    side: int = 40
    count: int = 128
    stride: int = 1
    steps: int = 10_000
    rate: float = 1e-3
    optimizer: str = "adam"
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
        for name, kind in (("degradation", Degradation), ("validation", Validation)):
            if not isinstance(getattr(self, name), kind):
                raise InvalidInputError(f"{name} is an object; got {getattr(self, name)!r}")
        for name in ("side", "count", "stride", "steps", "halvings", "seed"):
            if not isinstance(getattr(self, name), int):
                raise InvalidInputError(f"{name} is a whole number; got {getattr(self, name)!r}")
        if self.seed < 0:
            raise InvalidInputError(f"seed is at least 0; got {self.seed}")
        for name, allowed in (
            ("schedule", ("cosine", "halving", "plateau")),
            ("precision", ("float32", "bfloat16")),
            ("optimizer", OPTIMIZERS),
        ):
            if getattr(self, name) not in allowed:
                raise InvalidInputError(f"{name} is one of {', '.join(allowed)}; got {getattr(self, name)!r}")
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
        self._check_combinations()

    def _check_combinations(self) -> None:
        """Check the entries that go together, or exclude one another."""
        if not isinstance(self.luminance, str):
            raise InvalidInputError(f"luminance is a name or a path; got {self.luminance!r}")
        if bool(self.luminance) != bool(self.network.get("after_luminance", False)):
            raise InvalidInputError("luminance is for a network with after_luminance; expected both, or neither")
        if (self.mix is not None) != (self.loss == "relative"):
            raise InvalidInputError('the loss "relative" is that of a mix of whole files; expected both, or neither')
        if self.mix is not None and self.problem:
            raise InvalidInputError(
                f"a mix is for networks that undo JPEG alone; got the problem {self.problem!r}, too"
            )
        if self.luminance and self.mix is None:
            raise InvalidInputError(f"luminance is for a mix of whole files; got {self.luminance!r} without a mix")
        senders = list(self.validation.senders)
        if self.mix is None and senders != ["pillow"]:
            raise InvalidInputError(f"validation: senders are for a mix of whole files; got {senders} without a mix")

    def to_json(self) -> dict[str, Any]:
        """The recipe as plain values for a JSON file."""
        return dataclasses.asdict(self)

    @property
    def max_sigma(self) -> float:
        """Largest standard deviation of the noise in the training, in units of 8-bit samples."""
        return max((self.mix or self.degradation).sigmas)

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Recipe:
        """Make a recipe from the values of a JSON file.

        Raises
        ------
        InvalidInputError
            If there are unknown entries, or values out of range.
        """
        try:
            values = dict(values)
            for name, kind in (("degradation", Degradation), ("mix", Mix), ("validation", Validation)):
                if values.get(name) is not None:
                    values[name] = kind(**values[name])
            return cls(**values)
        except (TypeError, ValueError) as error:
            if isinstance(error, InvalidInputError):
                raise
            raise InvalidInputError(f"the recipe does not fit: {error}") from None


def shipped_recipes() -> list[str]:
    """Names of the recipes in the package."""
    return list(_FILES.names)


def load_recipe(name: str) -> Recipe:
    """Load a shipped recipe by its name, or a recipe from a JSON file.

    Raises
    ------
    InvalidInputError
        If there is no such recipe, or the file is not a valid one.
    """
    text = _FILES.read_text(name)
    try:
        document = parse_json(text)
    except InvalidInputError as error:
        raise InvalidInputError(f"{name} is not a JSON file: {error}") from None
    return Recipe.from_json(document)
