"""Options of ``optcodec encode`` for what reads the files: networks, receivers, or a function of the user's own."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.help import ExpertOption
from optcodec.console.models import is_onnx, onnx_options, open_classifier, open_model
from optcodec.console.modules import find_modules_here
from optcodec.console.options import one_of, with_options
from optcodec.console.readers import joined, named_reader, reader_options
from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.accuracy.classifier import Classifier
    from optcodec.loop.reader import Reader, Readers
    from optcodec.targets import Target

__all__ = ["made_for", "measuring", "network_options", "reader_target", "readers", "running"]

_NO_FILE = "-"
_OF_TORCH, _OF_ONNX = ("views", "tile", "loss", "device"), ("input_range", "outputs")
_DETAILS = "weights", *_OF_TORCH, *_OF_ONNX
_OF_BOTH = "device", "input_range", "outputs"  # which --kl has like --network

_OPTIONS = (
    click.option(
        "--network",
        multiple=True,
        metavar="MODEL",
        help="Make the files for this network, whose gradients choose the coefficients (--effort 4), in some seconds a "
        "file: a classifier of torchvision, or package.module:factory; or an ONNX file, which has no gradients, but "
        "chooses among whole files. Repeat it for files that several networks read.",
    ),
    click.option(
        "--weights",
        multiple=True,
        metavar="FILE",
        help="Weights of the network: a file (.safetensors, .pth), or 'default' to download them; one for each "
        "--network, in the same order, - for none.",
    ),
    click.option(
        "--against",
        type=click.Path(path_type=Path),
        metavar="PICTURE",
        help="What --reader should restore from the file of a single input: the clean or the large picture.  [default: "
        "what it makes of the input without coding]",
    ),
    click.option(
        "--max-kl",
        type=float,
        metavar="X",
        help="Target: the smallest file on which the output of --network diverges by at most X nats from that on the "
        "original (Kullback-Leibler, mean of the views); with several networks, that of each. With "
        "--reader, the largest loss of that, such as the mean squared error of the restored picture.",
    ),
    click.option(
        "--max-loss",
        type=float,
        metavar="X",
        help="Target: the smallest file on which the loss of --network rises by at most X nats in each of the views "
        "(cross-entropy of the class that it decides for on the original); with several networks, that of each.",
    ),
    click.option(
        "--same-top1",
        is_flag=True,
        help="Target: the smallest file on which --network, with several each, decides for the same class as on the "
        "original.",
    ),
    click.option(
        "--loss",
        cls=ExpertOption,
        metavar="MODULE:FUNCTION",
        help="Loss of --network in place of the divergence, such as for a detector: a function of its output on coded "
        "and on original pictures that gives a loss for each picture of the batch, and that torch can differentiate. "
        "--max-kl is then the largest loss of that kind.",
    ),
    click.option(
        "--views",
        cls=ExpertOption,
        type=click.IntRange(1, 5),
        metavar="N",
        help="Number of views of a picture over which --network is averaged: as it is, shifted, mirrored, shifted the "
        "other way, scaled. With one, files are good for exactly these pixels only.  [default: 5]",
    ),
    click.option(
        "--tile",
        cls=ExpertOption,
        type=int,
        metavar="N",
        help="Let --network read larger pictures in tiles of NxN pixels that overlap, each a picture of its own to it: "
        "for networks that look at large pictures window by window, or that do not fit into memory with a whole one. "
        "The divergence is then the mean of the tiles, and --same-top1 about each of them.  [default: the whole "
        "picture at once]",
    ),
    click.option(
        "--device",
        cls=ExpertOption,
        metavar="NAME",
        help="Torch device of --network and --kl, such as 'cuda'.  [default: cpu]",
    ),
    *onnx_options,
)


def network_options(function: Any) -> Any:
    """Add the options for networks in the loop to a command."""
    return with_options(reader_options(function), *_OPTIONS)


def reader_target(options: dict[str, Any], other: Target | None) -> Target | None:
    """The target in the network's terms, or another one; at most one of them may be set."""
    kl, increase, same = options["max_kl"], options["max_loss"], options["same_top1"] or None
    own = {"--max-kl": kl, "--max-loss": increase, "--same-top1": same}
    one_of(own | {"another target (--bpp and the like)": other})
    if all(value is None for value in own.values()):
        return other
    from optcodec.loop.targets import MaxLoss, MaxLossIncrease, SameDecision

    if same:
        return SameDecision()
    return MaxLossIncrease(increase) if kl is None else MaxLoss(kl)


def readers(options: dict[str, Any], named: Sequence[str]) -> Readers | None:
    """The networks of ``--network``, and readers by their names; None without any.

    Raises
    ------
    InvalidInputError
        If there are weights or other details without a network, not as many weights as networks, or a network or
        reader cannot be loaded.
    """
    _check_details(options)
    networks, fidelity = _networks(options), options["fidelity"]
    others = [_restoring(name, options) for name in named]
    if options["against"] is not None and not others:
        raise InvalidInputError("--against needs --reader with a receiver")
    if not networks and not others:
        if fidelity is not None:
            raise InvalidInputError("--fidelity needs --network or --reader")
        return None
    return joined([*networks, *others], fidelity)


def _networks(options: dict[str, Any]) -> list[Reader]:
    """The readers of ``--network``."""
    names, weights = options["network"], options["weights"]
    if weights and len(weights) != len(names):
        given = f"got {len(weights)} for {len(names)}; {_NO_FILE} stands for none"
        raise InvalidInputError(f"expected one --weights for each --network, {given}")
    files = [None if file == _NO_FILE else file for file in weights or [None] * len(names)]
    return [_reader(name, file, options) for name, file in zip(names, files, strict=True)]


def _restoring(name: str, options: dict[str, Any]) -> Reader:
    """The reader of ``--reader``, with the picture of ``--against``."""
    reader, path = named_reader(name), options["against"]
    if path is None:
        return reader
    against = getattr(reader, "against", None)
    if against is None:
        raise InvalidInputError(f"--against is for receivers of another picture than the input; got --reader {name}")
    from optcodec.pictures.pixels import load_picture

    restored: Reader = against(load_picture(path, max_pixels=options["max_pixels"]).pixels)
    return restored


def _option(name: str) -> str:
    return f"--{name.replace('_', '-')}"


def _check_details(options: dict[str, Any]) -> None:
    """Refuse details of a network, or of a kind of network, that is not there."""
    for name in [name for name in _DETAILS if options[name] not in (None, ())]:
        measured = _split(options["kl"])[:1] if options["kl"] is not None and name in _OF_BOTH else ()
        networks = [*options["network"], *measured]
        if not networks:
            raise InvalidInputError(f"{_option(name)} needs --network with a model")
        got = f"got it with {' and '.join(networks)}"
        if name in _OF_TORCH and all(map(is_onnx, networks)):
            raise InvalidInputError(f"{_option(name)} is for networks of torch; {got}")
        if name in _OF_ONNX and not any(map(is_onnx, networks)) and not (measured and name == "outputs"):
            raise InvalidInputError(f"{_option(name)} is for ONNX files; {got}")


def _reader(network: str, weights: str | None, options: dict[str, Any]) -> Reader:
    if is_onnx(network):
        from optcodec.accuracy.reader import ClassifierReader

        return ClassifierReader(open_classifier(options | {"network": network, "weights": weights, "device": None})[0])
    from optcodec.vision.reader import NetworkReader

    views = {} if options["views"] is None else {"views": options["views"]}
    model = open_model(network, weights=weights, device=options["device"] or "cpu")
    reader = NetworkReader(model, _loss(options["loss"]), **views)
    if options["tile"] is None:
        return reader
    from optcodec.loop.tiled import TiledReader

    return TiledReader(reader, options["tile"])


def _loss(name: str | None) -> Callable[[Any, Any], Any] | None:
    if name is None:
        return None
    from optcodec.extras import load_function

    find_modules_here(name)
    return load_function(name, "a loss")


def measuring(options: dict[str, Any]) -> Classifier | None:
    """The classifier of ``--kl``, or None.

    Raises
    ------
    InvalidInputError
        If it cannot be opened, or what it gives for a picture is not what a classifier gives.
    """
    if options["kl"] is None:
        return None
    import numpy as np

    network, weights = _split(options["kl"])
    other = "device" if is_onnx(network) else "input_range"  # which is about --network then
    classifier, _ = open_classifier(options | {"network": network, "weights": weights, other: None})
    ramp = np.add.outer(np.arange(256), np.arange(256)) // 2
    try:
        classifier(ramp.astype(np.uint8))
    except InvalidInputError as error:
        raise InvalidInputError(f"--kl {options['kl']}: {error}") from None
    return classifier


def running(options: dict[str, Any], named: Sequence[str]) -> list[str]:
    """The names of all that runs on pictures: networks of ``--network`` and ``--kl``, and readers."""
    return [*options["network"], *named, *(() if options["kl"] is None else _split(options["kl"])[:1])]


def _split(text: str) -> tuple[str, str | None]:
    """The network and the weights of ``--kl``."""
    network, _, weights = (text, "", "") if is_onnx(text) else text.partition("@")
    return network, weights or None


def made_for(networks: list[str], named: list[str], records: list[dict[str, Any]], loss: str | None) -> str:
    """A line that says for whom the files are, and how well they are read: networks, and readers by their names."""
    of_network = ", divergence {:.3g} nats on average" if loss is None else f", {loss} {{:.3g}} on average"
    forms = [*[of_network] * len(networks), *[", loss {:.3g} on average"] * len(named)]
    read = [record["losses"] for record in records if record["losses"] is not None]
    columns = zip(forms, zip(*read, strict=True), strict=True) if read else ()
    means = [form.format(sum(losses) / len(losses)) for form, losses in columns] or [""] * len(forms)
    parts = [f"{name}{mean}" for name, mean in zip([*networks, *named], means, strict=True)]
    whom = (", and " if read else " and ").join(parts)
    if not networks:
        return f"made for {whom}; others may see these files worse than others of their size"
    others = 'which "optcodec verify --network" measures'
    return f"made for {whom}; other networks may read these files worse than others of their size, {others}"
