"""Open the network that the verbs ``sensitivity``, ``accuracy``, ``verify`` and ``fit`` measure."""

from __future__ import annotations

import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.help import ExpertOption
from optcodec.console.modules import find_modules_here
from optcodec.console.options import with_options
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.accuracy.change import Network
    from optcodec.accuracy.classifier import Classifier
    from optcodec.accuracy.outputs import Agreement, ComparedNetwork
    from optcodec.vision.models import TargetModel

__all__ = [
    "agreement_option",
    "check_folders",
    "classifier_options",
    "is_onnx",
    "network_option",
    "one_thread_each",
    "onnx_options",
    "open_classifier",
    "open_compared",
    "open_model",
    "open_network",
]


onnx_options = (
    click.option(
        "--input-range",
        cls=ExpertOption,
        type=click.Choice(["0..1", "-1..1", "0..255", "imagenet"]),
        help="Samples that an ONNX file takes; imagenet: 0..1, minus ImageNet's mean, divided by its standard "
        "deviation.  [default: 0..1; for an input of uint8 0..255]",
    ),
    click.option(
        "--outputs",
        cls=ExpertOption,
        type=click.Choice(["logits", "probabilities"]),
        help="What the network gives: logits, or what a softmax has made of them.  [default: logits]",
    ),
)


_NETWORK = (
    click.option(
        "--network",
        required=True,
        metavar="MODEL",
        help="Classifier: a name in torchvision, package.module:factory, or an ONNX file, which ONNX Runtime runs.",
    ),
    click.option(
        "--weights", help="Weights of the network: a file (.safetensors, .pth), or 'default' to download them."
    ),
)


_AGREEMENT = click.option(
    "--agreement",
    metavar="boxes|MODULE:FUNCTION",
    help="Compare outputs other than classes. boxes: the part of the boxes that a detector finds in both pictures; its "
    "output is a mapping with boxes, and maybe labels and scores. Or a function of the output on the coded and on the "
    "original picture that says which part is the same, 0..1. --network is then package.module:factory, and the "
    "factory may return a function from RGB pixels to an output.",
)


def agreement_option(function: Any) -> Any:
    """Add ``--agreement`` to a command with ``--max-loss``, ``--max-kl``, ``--min-agreement`` and ``--labels``."""
    return with_options(function, _AGREEMENT)


def network_option(function: Any) -> Any:
    """Add ``--network`` and ``--weights``, one network to read the files, to a command."""
    return with_options(function, *_NETWORK)


def classifier_options(function: Any) -> Any:
    """Add the options for the kinds of networks that `open_classifier` opens to a command."""
    device = click.option(
        "--device", cls=ExpertOption, metavar="NAME", help="Torch device, such as 'cuda'.  [default: cpu]"
    )
    return with_options(function, *onnx_options, device)


def open_model(model: str, *, weights: str | None, device: str) -> TargetModel:
    """As `optcodec.vision.models.load_model`; the module may also lie in the working folder, as for ``python -m``."""
    from optcodec.vision.models import load_model

    find_modules_here(model)
    return load_model(model, weights=weights, device=device)


def is_onnx(network: str) -> bool:
    """Whether a network is named by an ONNX file."""
    return network.lower().endswith(".onnx")


@contextmanager
def one_thread_each(networks: Iterable[str]) -> Iterator[None]:
    """Limit torch to one thread for each file, if it runs a network: the same results with any number of threads."""
    if all(map(is_onnx, networks)):
        yield
        return
    from optcodec.vision.running import one_torch_thread

    with one_torch_thread():
        yield


def open_classifier(options: dict[str, Any]) -> tuple[Classifier, TargetModel | None]:
    """The network of ``--network``, ``--weights`` and the options of `classifier_options`, from an ONNX file, or by
    name as in `open_model`; and the model of torch, if it is one.

    Raises
    ------
    InvalidInputError
        If it cannot be opened, or an option is for the other kind.
    """
    network, probabilities = options["network"], options["outputs"] == "probabilities"
    if is_onnx(network):
        for name in ("weights", "device"):
            if options[name] is not None:
                raise InvalidInputError(f"--{name} is for networks of torch; got it with the ONNX file {network}")
        from optcodec.accuracy.onnx_classifier import onnx_classifier

        return onnx_classifier(network, input_range=options["input_range"], probabilities=probabilities), None
    if options["input_range"] is not None:
        raise InvalidInputError(
            f"--input-range is for ONNX files, since others take RGB in 0..1; got it with {network}"
        )
    from optcodec.accuracy.classifier import torch_classifier

    target = open_model(network, weights=options["weights"], device=options["device"] or "cpu")
    return torch_classifier(target, probabilities=probabilities), target


def open_network(options: dict[str, Any]) -> tuple[Network, TargetModel | None]:
    """What looks at the pictures: a classifier, and its model of torch, or what `open_compared` opens.

    Raises
    ------
    InvalidInputError
        If it cannot be opened, or an option is for the other kind.
    """
    if options["agreement"] is None:
        return open_classifier(options)
    of_classes = {"--max-loss": options["max_loss"], "--max-kl": options["max_kl"]}
    of_classes["--labels"] = None if options["labels"] == "self" else options["labels"]
    for option, value in of_classes.items():
        if value is not None:
            raise InvalidInputError(f"{option} is for outputs of classes; with --agreement, expected --min-agreement")
    return open_compared(options), None


def open_compared(options: dict[str, Any]) -> ComparedNetwork:
    """The network of ``--network``, whose outputs are compared by ``--agreement``: a function from pixels to an output
    of any kind, which the factory returns, or a network of torch as in `open_model`.

    Raises
    ------
    InvalidInputError
        If it cannot be opened, or an option is for another kind.
    """
    from optcodec.accuracy.outputs import ComparedNetwork
    from optcodec.extras import load_factory

    network, agreement = options["network"], _agreement(options["agreement"])
    if is_onnx(network):
        raise InvalidInputError(
            f"--agreement is for package.module:factory, which may return a function that runs {network}; got the file"
        )
    _refuse(options, ("input_range", "outputs"), "classifiers")
    made = None
    if ":" in network:
        find_modules_here(network)
        made = load_factory(network, "a network")()
        if _is_function(made):
            _refuse(options, ("weights", "device"), "networks of torch")
            return ComparedNetwork(network, made, agreement)
    target = _torch_model(network, made, options)
    from optcodec.accuracy.network import outputs_by

    return ComparedNetwork(target.name, outputs_by(target), agreement, target.weights_sha256)


def _torch_model(network: str, made: object, options: dict[str, Any]) -> TargetModel:
    """A network of torchvision by its name, or what a factory of that name has made."""
    from optcodec.vision.models import load_model, model_of

    opening = {"weights": options["weights"], "device": options["device"] or "cpu"}
    return model_of(made, network, **opening) if ":" in network else load_model(network, **opening)


def _agreement(name: str) -> Agreement:
    """The function of ``--agreement``."""
    from optcodec.accuracy.outputs import AGREEMENTS
    from optcodec.extras import load_function

    if name in AGREEMENTS:
        return AGREEMENTS[name]
    if ":" not in name:
        known = ", ".join(AGREEMENTS)
        raise InvalidInputError(f"--agreement is {known} or package.module:function, got {name!r}")
    find_modules_here(name)
    return load_function(name, "an agreement")


def _refuse(options: dict[str, Any], names: Iterable[str], kind: str) -> None:
    for name in names:
        if options[name] is not None:
            option = f"--{name.replace('_', '-')}"
            raise InvalidInputError(f"{option} is for {kind}; got it with --agreement and {options['network']}")


def _is_function(made: object) -> bool:
    """Whether a factory has made a function, not a network of torch: those can be called, too."""
    torch = sys.modules.get("torch")
    return callable(made) and not (torch is not None and isinstance(made, torch.nn.Module))


def check_folders(network: Network, folders: set[str]) -> None:
    """Refuse folders that are not one for each class, where their names are the labels."""
    import numpy as np

    from optcodec.vision.survey import check_class_folders

    check_class_folders(network.name, folders, lambda blank: (1, *network(np.asarray(blank)).shape))
