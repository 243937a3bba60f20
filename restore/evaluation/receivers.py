"""Receivers by name, for the command line: each turns the bytes of a JPEG file into an image.

- ``jpeg``: decoded by libjpeg-turbo (Pillow); ``centroid``: decoded at the centroids of the quantization cells;
  ``deblock`` and ``smooth``: the classical filters of `restore.evaluation.baselines`.
- The name of a shipped model, or the .json file of another one; with ``:unprojected`` appended, the restored luminance
  is not clipped to the quantization intervals.
- ``FILE.safetensors``, or two files joined by ``+``: networks as `restore train` writes them.
- ``spandrel:FILE``: a published network that the package spandrel can load.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from optcodec import InvalidInputError, parse_json, require_packages
from restore.evaluation.receiver import Planes, Receiver, Samples, decoded_planes, to_image
from restore.runtime.context import Context
from restore.runtime.decode import receive
from restore.runtime.image import decode_image
from restore.runtime.models import find_model, load_model, shipped_models

__all__ = ["CLASSICAL", "make_receiver"]

_UNPROJECTED = ":unprojected"
_SPANDREL = "spandrel:"
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
        Maximum number of threads of a model; by default one for each processor.

    Raises
    ------
    InvalidInputError
        If there is no such receiver, or a file or package that it needs is missing or damaged.
    """
    label, separator, name = text.partition("=")
    if not separator or "/" in label:  # a path may contain the sign "="
        label, name = "", text
    if name in CLASSICAL:
        if name in _NEED_SCIPY:
            require_packages("scipy.fft", extra="evaluate")
        receiver = CLASSICAL[name]
    elif name.startswith(_SPANDREL):
        require_packages("torch", "safetensors.torch", "spandrel", extra="evaluate")
        from restore.evaluation.torch_receivers import spandrel_receiver

        receiver = spandrel_receiver(Path(name.removeprefix(_SPANDREL)))
    elif name.endswith(".safetensors"):
        require_packages("torch", "safetensors.torch")
        from restore.evaluation.torch_receivers import network_receiver

        receiver = network_receiver([Path(path) for path in name.split("+")])
    elif name.removesuffix(_UNPROJECTED) in shipped_models() or name.removesuffix(_UNPROJECTED).endswith(".json"):
        receiver = _model_receiver(name, colour, threads)
    else:
        names = ", ".join([*CLASSICAL, *shipped_models()])
        expected = f"{names}, a .json or .safetensors file, or spandrel:FILE"
        raise InvalidInputError(f"no receiver {name!r}; expected {expected}")
    return replace(receiver, name=label) if label else receiver


def _decode_by_pillow(data: bytes) -> Samples:
    with Image.open(io.BytesIO(data)) as file:
        image: Samples = np.asarray(file if file.mode == "L" else file.convert("RGB"))
        return image


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
    "jpeg": Receiver("jpeg", _decode_by_pillow, lambda planes, context: to_image(planes)),
    "centroid": Receiver("centroid", lambda data: decode_image(receive(data), centroid=True)),
    "deblock": Receiver("deblock", _deblock, _deblock_planes),
    "smooth": Receiver("smooth", _smooth),
}


def _model_receiver(name: str, colour: bool, threads: int | None) -> Receiver:
    """A shipped model or one of a .json file, run by `restore.restore_image`."""
    from restore.runtime.infer import restored_image
    from restore.runtime.picture import DecodedPicture
    from restore.runtime.restore import restore_image

    path, project = name.removesuffix(_UNPROJECTED), not name.endswith(_UNPROJECTED)
    model = load_model(path, threads=threads)
    folder, file = find_model(path)
    index: dict[str, Any] = parse_json((folder / file).read_bytes())
    roles = ["luminance", "chrominance"] if colour and index["chrominance"] else ["luminance"]

    def count_macs() -> float:
        from restore.evaluation.macs import onnx_macs

        return sum(onnx_macs((folder / index[role]["file"]).read_bytes()) for role in roles)

    def restore(planes: Planes, context: Context) -> Samples:
        return restored_image(DecodedPicture(planes, context), model)

    return Receiver(
        name,
        lambda data: restore_image(data, model=model, project=project),
        restore if model.max_sigma else None,
        nbytes=sum(index[role]["bytes"] for role in roles),
        count_macs=count_macs,
    )
