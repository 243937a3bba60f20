"""Receivers by name, for the command line: each turns the bytes of a JPEG file into an image.

- ``jpeg``: decoded by libjpeg-turbo (Pillow); ``centroid``: decoded at the centroids of the quantization cells;
  ``deblock`` and ``smooth``: the classical filters of `restore.evaluation.baselines`.
- The name of a shipped model, or the .json file of another one; with ``:unprojected`` appended, the restored luminance
  is not clipped to the quantization intervals; with ``:dnn``, it restores for a network (``restore run --for dnn``).
- ``FILE.safetensors``, or two files joined by ``+``: networks as `restore train` writes them.
- ``onnx:FILE``, ``torchscript:FILE``, ``spandrel:FILE``, ``dncnn:FILE`` and others: networks that others made, see
  `restore.evaluation.foreign`.
- ``package.module:function``: a function of the user's own, from the bytes of a JPEG file to an image.
"""

from __future__ import annotations

import re
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from optcodec import InvalidInputError, parse_json, require_packages
from optcodec.rates import decoded
from optcodec.shared import load_function, named_errors
from restore.evaluation.foreign import FOREIGN, check_foreign, is_foreign
from restore.evaluation.receiver import Planes, Receiver, Samples, decoded_planes, to_image
from restore.runtime.context import Context
from restore.runtime.decode import receive
from restore.runtime.image import decode_image
from restore.runtime.models import find_model, load_model, shipped_models
from restore.runtime.settings import Settings

__all__ = ["CLASSICAL", "check_receiver", "labelled_receiver", "make_receiver"]

_VARIANTS: dict[str, dict[str, Any]] = {  # what may be appended to the name of a model: arguments of `restore_image`
    "": {},
    ":unprojected": {"project": False},
    ":dnn": {"strength": "dnn"},
}
_OWN = re.compile(r"[\w.]+:\w+")  # the name of a function of the user's own
_NEED_SCIPY = ("deblock", "smooth")  # the filters of `restore.evaluation.baselines`


def make_receiver(text: str, *, colour: bool = False, threads: int | None = None) -> Receiver:
    """Make the receiver with this name.

    Parameters
    ----------
    text : str
        One of the names listed at the top of this module, or ``LABEL=NAME`` to call it LABEL in tables.
    colour : bool
        Whether the files are colour files: the size and operations of a model are then those of all its networks.
    threads : int, optional
        Maximum number of threads of a model or an ONNX file; by default one for each processor.

    Raises
    ------
    InvalidInputError
        If there is no such receiver, or a file or package that it needs is missing or damaged.
    """
    label, name = labelled_receiver(text)
    check_receiver(text)
    if name in CLASSICAL:
        receiver = CLASSICAL[name]
    elif is_foreign(name):
        from restore.evaluation.torch_receivers import foreign_receiver

        receiver = foreign_receiver(name, threads)
    elif name.endswith(".safetensors"):
        from restore.evaluation.torch_receivers import network_receiver

        receiver = network_receiver([Path(path) for path in name.split("+")])
    elif _is_model(name):
        receiver = _model_receiver(name, colour, threads)
    else:
        receiver = _own_receiver(name)
    return replace(receiver, name=label) if label else receiver


def labelled_receiver(text: str) -> tuple[str, str]:
    """Split ``LABEL=NAME`` into both; the label is empty where there is none."""
    label, separator, name = text.partition("=")
    return (label, name) if separator and "/" not in label else ("", text)  # a path may contain the sign "="


def check_receiver(text: str) -> None:
    """Check that there is a receiver of this name, as far as that can be told without its files.

    Raises
    ------
    InvalidInputError
        If there is none, or a package that it needs is missing.
    """
    _, name = labelled_receiver(text)
    if name in _NEED_SCIPY:
        require_packages("scipy.fft", extra="evaluate")
    elif is_foreign(name):
        check_foreign(name)
    elif name.endswith(".safetensors"):
        require_packages("torch", "safetensors.torch")
    elif _is_model(name):
        require_packages("onnxruntime")
    elif name not in CLASSICAL and not _OWN.fullmatch(name):
        names = ", ".join([*CLASSICAL, *shipped_models()])
        foreign = ", ".join(f"{kind}:FILE" for kind in FOREIGN if kind != "torch")
        expected = f"{names}, a .json or .safetensors file, {foreign}, torch:package.module:factory, or "
        expected += "package.module:function"
        raise InvalidInputError(f"no receiver {name!r}; expected {expected}")


def _is_model(name: str) -> bool:
    """Whether it names a shipped model, or the .json file of another."""
    model, _ = _variant(name)
    return model in shipped_models() or model.endswith(".json")


def _variant(name: str) -> tuple[str, dict[str, Any]]:
    """The name of a model without what is appended to it, and what that means."""
    suffix = next((suffix for suffix in _VARIANTS if suffix and name.endswith(suffix)), "")
    return name.removesuffix(suffix), _VARIANTS[suffix]


def _own_receiver(name: str) -> Receiver:
    """A function of the user's."""
    function = load_function(name, "a receiver")

    def receive_by_function(data: bytes) -> Samples:
        with named_errors(name):
            image: Samples = function(data)
        return image

    return Receiver(name, receive_by_function)


def _deblock_planes(planes: Planes, context: Context) -> Samples:
    """Filter the luminance. Chrominance is left alone: where it was subsampled, upsampling has smoothed its borders."""
    from restore.evaluation.baselines import deblock_plane

    return to_image(np.concatenate([deblock_plane(planes[0], context.tables[0])[None], planes[1:]]))


def _deblock(data: bytes) -> Samples:
    received = receive(data)
    return _deblock_planes(decoded_planes(received), received.context)


def _smooth(data: bytes) -> Samples:
    from restore.evaluation.baselines import smooth_image

    return smooth_image(receive(data))


CLASSICAL = {
    "jpeg": Receiver("jpeg", decoded, lambda planes, context: to_image(planes)),
    "centroid": Receiver("centroid", lambda data: decode_image(receive(data), centroid=True)),
    "deblock": Receiver("deblock", _deblock, _deblock_planes),
    "smooth": Receiver("smooth", _smooth),
}


def _model_receiver(name: str, colour: bool, threads: int | None) -> Receiver:
    """A shipped model or one of a .json file, run by `restore.restore_image`."""
    from restore.runtime.infer import restored_image
    from restore.runtime.picture import DecodedPicture
    from restore.runtime.restore import restore_image

    path, variant = _variant(name)
    model, settings = load_model(path, threads=threads), Settings(**variant)
    folder, file = find_model(path)
    index: dict[str, Any] = parse_json((folder / file).read_bytes())
    roles = ["luminance", "chrominance"] if colour and index["chrominance"] else ["luminance"]

    def count_macs() -> float:
        from restore.evaluation.macs import onnx_macs

        return sum(onnx_macs((folder / index[role]["file"]).read_bytes()) for role in roles)

    def restore(planes: Planes, context: Context) -> Samples:
        return restored_image(DecodedPicture(planes, context), model, settings)

    return Receiver(
        name,
        lambda data: restore_image(data, model=model, **variant),
        restore if model.max_sigma else None,
        nbytes=sum(index[role]["bytes"] for role in roles),
        count_macs=count_macs,
    )
