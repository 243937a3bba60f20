"""Options of ``optcodec fit`` for what is tried, and options of ``optcodec encode`` for what was chosen."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.help import ExpertOption
from optcodec.console.options import SUBSAMPLINGS, with_options
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.accuracy.change import Network
    from optcodec.fit.bench import Point
    from optcodec.fit.run import Choices
    from optcodec.fit.ways import Way
    from optcodec.vision.models import TargetModel
    from optcodec.vision.profile import SensitivityProfile

__all__ = ["fit_ways", "planned_options", "way_options"]

_ROUNDS = {"weights": 0, "loop": None}  # methods with the network in the loop, and their numbers of gradients
_CHOOSE = "choose"
_PROFILE_METHODS = {"tables": "dnn", "trellis": "dnn+trellis", "crop": "dnn+crop"}
_METHODS = "jpeg", "psnr", *_PROFILE_METHODS.values(), *_ROUNDS, _CHOOSE
_FULL = "full"
_GENERIC = "generic"


def _words(expected: str, word: Callable[[str], Any]) -> Callable[[click.Context, click.Parameter, str | None], Any]:
    """A callback of an option that takes words separated by commas; `word` returns None for a wrong one."""

    def parsed(ctx: click.Context, option: click.Parameter, text: str | None) -> tuple[Any, ...] | None:
        if text is None:
            return None
        values = tuple(word(part.strip()) for part in text.split(","))
        if None in values or len(set(values)) < len(values):
            raise InvalidInputError(f"{option.opts[0]} is {expected}, each once; got {text!r}")
        return values

    return parsed


def _one_of(allowed: tuple[str, ...]) -> Callable[[str], str | None]:
    return lambda text: text if text in allowed else None


def _whole(least: int, most: int) -> Callable[[str], int | None]:
    def word(text: str) -> int | None:
        is_number = text.isascii() and text.isdigit() and len(text) <= len(str(most))
        return int(text) if is_number and least <= int(text) <= most else None

    return word


def _size(text: str) -> str | int | None:
    return text if text == _FULL else _whole(1, 65500)(text)


_OPTIONS = (
    click.option(
        "--profile",
        multiple=True,
        metavar="NAME|FILE",
        help='Sensitivity profile to try, such as one from "optcodec sensitivity"; it may be repeated. It is tried '
        "at the chroma subsampling that it was measured at.  [default: generic, and those of the network that are "
        "shipped]",
    ),
    click.option(
        "--methods",
        metavar="LIST",
        callback=_words(f"a list of {', '.join(_METHODS)}", _one_of(_METHODS)),
        help="What is tried: jpeg (default tables), psnr (a trellis for least squared error), dnn (tables for the "
        "profiles), dnn+trellis, dnn+crop (the same with --blocks crop:224/256), weights (the network weighs the "
        "blocks), loop (its gradients choose the coefficients, in seconds a file), choose (an ONNX file, which has no "
        "gradients, chooses among whole files).  [default: all that the network can do]",
    ),
    click.option(
        "--samplings",
        metavar="LIST",
        default="4:2:0,4:4:4",
        show_default=True,
        callback=_words(f"a list of {', '.join(SUBSAMPLINGS)}", _one_of(tuple(SUBSAMPLINGS))),
        help="Chroma subsamplings to try.",
    ),
    click.option(
        "--sizes",
        metavar="LIST",
        callback=_words("a list of full and lengths in pixels", _size),
        help="Resolutions to try: full, or lengths of the shorter side in pixels.  [default: full,256; with "
        "--agreement full, since places in smaller pictures are others]",
    ),
    click.option(
        "--qualities",
        cls=ExpertOption,
        metavar="LIST",
        callback=_words("a list of whole numbers in 1..100", _whole(1, 100)),
        help="Qualities among which the least one is looked for.  [default: 5 to 98, 25 of them]",
    ),
)


def way_options(function: Any) -> Any:
    """Add the options for what is tried to a command."""
    return with_options(function, *_OPTIONS)


def fit_ways(network: Network, model: TargetModel | None, options: dict[str, Any]) -> Choices:
    """What is tried, by the options of `way_options`.

    A network whose outputs are compared by ``--agreement`` takes no part in the coding, which needs classes.

    Raises
    ------
    InvalidInputError
        If the network cannot do a method, or a profile cannot be read.
    """
    from optcodec.fit.run import QUALITIES, Choices

    missing = _missing(model, options)
    methods = options["methods"] or [method for method in _METHODS if method not in missing]
    for method in [method for method in methods if method in missing]:
        raise InvalidInputError(f"the method {method} {missing[method]}; got {options['network']}")
    ways = _plain_ways(methods, options) + _network_ways(methods, network, model, options)
    sides = [None if size == _FULL else size for size in options["sizes"] or ()]
    sides = sides or ([None, 256] if options["agreement"] is None else [None])
    return Choices(ways, options["samplings"], sides, tuple(sorted(options["qualities"] or QUALITIES)))


def _missing(model: TargetModel | None, options: dict[str, Any]) -> dict[str, str]:
    """Methods that the network cannot do, and why."""
    if options["agreement"] is not None:
        return dict.fromkeys(
            (_PROFILE_METHODS["crop"], *_ROUNDS, _CHOOSE), "is for classifiers, and not with --agreement"
        )
    if model is None:
        return dict.fromkeys(_ROUNDS, "needs gradients, which ONNX files do not give")
    reasons = {_CHOOSE: "is for ONNX files"}
    if options["outputs"] == "probabilities":
        reasons |= dict.fromkeys(_ROUNDS, "needs a network of torch that gives logits, not probabilities")
    return reasons


def _plain_ways(methods: Sequence[str], options: dict[str, Any]) -> list[Way]:
    from optcodec.fit.ways import DEFAULT_JPEG, profile_ways, psnr_way

    ways = [DEFAULT_JPEG] if "jpeg" in methods else []
    ways += [psnr_way()] if "psnr" in methods else []
    for file, profile in _profiles(options).items():
        chosen = {part: name in methods for part, name in _PROFILE_METHODS.items()}
        ways += profile_ways(file, profile, **chosen)
    return ways


def _network_ways(
    methods: Sequence[str], network: Network, model: TargetModel | None, options: dict[str, Any]
) -> list[Way]:
    from optcodec.fit.ways import choosing_way, network_ways
    from optcodec.vision.profile import load_profile

    if not {_CHOOSE, *_ROUNDS}.intersection(methods):
        return []
    generic = load_profile(_GENERIC)  # with which encode starts by default
    profile = generic if generic.provenance.subsampling in options["samplings"] else None
    named = _network(options) | ({} if profile else {"tune": "psnr"})
    if model is None:
        from optcodec.accuracy.classifier import Classifier
        from optcodec.accuracy.reader import ClassifierReader

        assert isinstance(network, Classifier)  # nothing else is asked to choose
        return [choosing_way(ClassifierReader(network), profile, named)]
    from optcodec.vision.reader import NetworkReader

    rounds = [count for method, count in _ROUNDS.items() if method in methods]
    return network_ways(NetworkReader(model), profile, named, rounds)


def _profiles(options: dict[str, Any]) -> dict[str, SensitivityProfile]:
    """Profiles by their names, or by the paths of their files."""
    from optcodec.vision.profile import load_profile, shipped_profiles

    names = options["profile"]
    if not names:
        network = options["network"]
        names = [_GENERIC, *(name for name in shipped_profiles() if name in (network, f"{network}_420"))]
    return {_lasting(name): load_profile(name) for name in names}


def _network(options: dict[str, Any]) -> dict[str, Any]:
    """The network, as options of ``optcodec encode``."""
    weights = {} if options["weights"] is None else {"weights": [_lasting(options["weights"])]}
    details = {name: options[name] for name in ("input_range", "outputs") if options[name]}
    return {"network": [_lasting(options["network"])]} | weights | details


def _lasting(name: str) -> str:
    """A name; if it is that of a file, its whole path, so that a plan can be used in any folder."""
    return str(Path(name).resolve()) if Path(name).is_file() else name


def planned_options(point: Point, options: dict[str, Any]) -> dict[str, Any]:
    """Options of ``optcodec encode`` that code pictures as they were coded for a point."""
    opened = {name: options[name] for name in ("background", "to_rgb") if options[name]}
    return point.setting.options(point.quality) | {"pixels": True, "orient": "apply"} | opened
