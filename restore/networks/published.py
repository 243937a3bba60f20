"""Published weights for the networks of this package, whatever their layers are called in the file.

The published DnCNN and IRCNN subtract their output from the image, ours add it: the last convolution changes its sign.
FFDNet, CARN and EDSR get the formula of the paper (`published`), which ours change by default.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from torch import Tensor, nn

from optcodec import InvalidInputError
from restore.networks import build

__all__ = ["published_network"]

Tensors = Mapping[str, Tensor]

# The large EDSR multiplies the change of each residual block by 0.1 (section 3.3 of its paper), its baseline does not.
_SCALED_WIDTH, _SCALE = 256, 0.1
_SHIFTS = re.compile(r"(sub|add)_mean\.")  # the mean colour as layers, which is a constant of our networks
_CARN_NAMES = (
    (r"^entry\.", "head."),
    (r"^exit\.", "tail.6."),
    (r"^upsample\.up4\.body\.([03])\.", r"tail.\1."),
    (r"^b([123])\.b([123])\.body\.", r"body.steps.{\1}.steps.{\2}.layers."),
    (r"^b([123])\.c([123])\.body\.0\.", r"body.steps.{\1}.joins.{\2}."),
    (r"^c([123])\.body\.0\.", r"body.joins.{\1}."),
)
_EDSR_NAMES = (
    (r"^head\.0\.", "head."),
    (r"^body\.(\d+)\.body\.0\.", r"body.\1.first."),
    (r"^body\.(\d+)\.body\.2\.", r"body.\1.second."),
    (r"^tail\.0\.", "tail."),
    (r"^tail\.1\.", "tail.4."),
)


def published_network(kind: str, tensors: Tensors) -> nn.Module:
    """Build the network of published weights; its depth, width and planes are those of the weights.

    Parameters
    ----------
    kind : {"carn", "dncnn", "edsr", "ffdnet", "ircnn"}
        "carn" and "edsr" for super-resolution x4, with the names of the layers as in the code of their authors (CARN)
        or in PyTorch (EDSR); of CARN's parts for several scales, that for x4 is taken. The others are sequences of
        convolutions, in the order of the numbers in their names, with batch norms folded.
    tensors : mapping of str to Tensor
        The weights by name.

    Returns
    -------
    Module
        In evaluation mode; from and to samples of 0..1.

    Raises
    ------
    InvalidInputError
        If the weights are not those of such a network.
    """
    weights = {name: tensor.float() for name, tensor in tensors.items() if not _SHIFTS.match(name)}
    network, state = (_sequence if kind in ("dncnn", "ffdnet", "ircnn") else _named)(kind, weights)
    expected = {name: tuple(tensor.shape) for name, tensor in network.state_dict().items()}
    actual = {name: tuple(tensor.shape) for name, tensor in state.items()}
    wrong = sorted(name for name in expected.keys() | actual.keys() if expected.get(name) != actual.get(name))
    if wrong:
        shapes = f"{wrong[0]} has shape {actual.get(wrong[0])}, the network {expected.get(wrong[0])}"
        raise InvalidInputError(f"the weights are not those of {kind}: {shapes}")
    network.load_state_dict(state)
    return network.eval()


def _sequence(kind: str, tensors: Tensors) -> tuple[nn.Module, dict[str, Tensor]]:
    """A network of convolutions in sequence, and its weights by our names."""
    names = sorted((name.removesuffix(".weight") for name in tensors if name.endswith(".weight")), key=_by_number)
    kernels = [tensors[f"{name}.weight"] for name in names]
    if len(kernels) < 2 or any(kernel.ndim != 4 for kernel in kernels) or len(tensors) != 2 * len(names):
        raise InvalidInputError(
            f"the weights are not those of {kind}: expected convolutions with a bias, and no others"
        )
    width, restored = kernels[0].shape[0], kernels[-1].shape[0]
    sizes: dict[str, Any] = {"network": kind, "width": width, "channels": restored}
    if kind == "ffdnet":
        level = 25.0 if kernels[0].shape[1] > restored else 0.0
        sizes |= {"depth": len(names), "level": level, "channels": restored // 4, "published": True}
    elif kind == "dncnn":
        sizes |= {"depth": len(names), "normalized": False}
    network = build(sizes)
    ours = [name for name, layer in network.named_modules() if isinstance(layer, nn.Conv2d)]
    if len(ours) != len(names):
        raise InvalidInputError(f"{kind} has {len(ours)} convolutions; got {len(names)}")
    signs = [1.0] * len(ours)
    if kind != "ffdnet":
        signs[-1] = -1.0
    state = {
        f"{our}.{part}": sign * tensors[f"{name}.{part}"]
        for our, name, sign in zip(ours, names, signs, strict=True)
        for part in ("weight", "bias")
        if f"{name}.{part}" in tensors
    }
    return network, state


def _named(kind: str, tensors: Tensors) -> tuple[nn.Module, dict[str, Tensor]]:
    """CARN or EDSR, and their weights by our names."""
    rules = _CARN_NAMES if kind == "carn" else _EDSR_NAMES
    state = {}
    for name, tensor in tensors.items():
        if not name.startswith(("upsample.up2.", "upsample.up3.")):  # CARN's parts for other scales
            state[_renamed(name, rules)] = tensor
    if "head.weight" not in state:
        raise InvalidInputError(f"the weights are not those of {kind}: no first convolution; got {sorted(tensors)[:3]}")
    width = state["head.weight"].shape[0]
    sizes = {"network": kind, "width": width, "published": True}
    if kind == "edsr":
        if width == _SCALED_WIDTH:
            state = {name: tensor * (_SCALE if ".second." in name else 1) for name, tensor in state.items()}
        return build(sizes | {"blocks": sum(name.endswith(".first.weight") for name in state)}), state
    inner = state.get("body.steps.0.steps.0.layers.0.weight")
    groups = 1 if inner is None else width // inner.shape[1]
    is_recursive = "body.steps.0.steps.1.layers.0.weight" not in state
    return build(sizes | {"groups": groups, "recursive": is_recursive}), state


def _renamed(name: str, rules: tuple[tuple[str, str], ...]) -> str:
    """A name of ours; the numbers in braces are one less, since CARN counts from 1."""
    for pattern, ours in rules:
        name = re.sub(pattern, ours, name)
    return re.sub(r"\{(\d)\}", lambda match: str(int(match[1]) - 1), name)


def _by_number(name: str) -> list[Any]:
    """Order of names by the numbers in them: "conv2" comes before "conv10"."""
    return [int(part) if part.isdigit() else part for part in re.split(r"(\d+)", name)]
