"""Receivers by name: each takes the bytes of a JPEG file and gives the image that it shows.

- ``jpeg``: as decoded by libjpeg-turbo (Pillow); ``centroid``: at the centroids of the cells; ``deblock`` and
  ``smooth``: see `restore.evaluation.baselines`.
- a model of the package, or the .json file of another; with ``:unprojected`` behind it, without projection.
- ``FILE.safetensors``, or two of them with ``+`` in between: networks of ours, as `restore train` leaves them.
- ``spandrel:FILE``: a network of others, of the many kinds that spandrel knows.
"""

from __future__ import annotations

import io
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from optcodec import InvalidInputError, parse_json, require_packages
from restore.evaluation.receiver import Planes, Receiver, Samples, planes_of, shown
from restore.runtime.decode import decode_image, receive
from restore.runtime.models import find_model, load_model, shipped_models

__all__ = ["CLASSICAL", "make_receiver"]

_UNPROJECTED = ":unprojected"
_SPANDREL = "spandrel:"
_FILTERS = ("deblock", "smooth")  # those of `restore.evaluation.baselines`, with SciPy


def make_receiver(given: str, *, colour: bool = False, threads: int | None = None) -> Receiver:
    """The receiver that a text names.

    Parameters
    ----------
    given : str
        One of the above, or ``LABEL=`` and one of them.
    colour : bool
        Whether it is for colour files: a model's size and operations are then those of all its networks.
    threads : int, optional
        At most so many for shipped models; all by default.

    Raises
    ------
    InvalidInputError
        If nothing has that name, or what it needs is missing or broken.
    """
    label, separator, name = given.partition("=")
    if not separator or "/" in label:  # a path may have the sign in it
        label, name = "", given
    if name in CLASSICAL:
        if name in _FILTERS:
            require_packages("scipy.fft", extra="evaluate")
        receiver = CLASSICAL[name]
    elif name.startswith(_SPANDREL):
        require_packages("torch", "safetensors.torch", "spandrel", extra="evaluate")
        from restore.evaluation.torch_receivers import spandrel_receiver

        receiver = spandrel_receiver(Path(name.removeprefix(_SPANDREL)))
    elif name.endswith(".safetensors"):
        require_packages("torch", "safetensors.torch")
        from restore.evaluation.torch_receivers import network_receiver

        receiver = network_receiver([Path(part) for part in name.split("+")])
    elif name.removesuffix(_UNPROJECTED) in shipped_models() or name.removesuffix(_UNPROJECTED).endswith(".json"):
        receiver = _shipped(name, colour, threads)
    else:
        known = ", ".join([*CLASSICAL, *shipped_models()])
        expected = f"{known}, a .json or .safetensors file, or spandrel:FILE"
        raise InvalidInputError(f"no receiver {name!r}; expected {expected}")
    return replace(receiver, name=label) if label else receiver


def _pillow(data: bytes) -> Samples:
    with Image.open(io.BytesIO(data)) as file:
        image: Samples = np.asarray(file if file.mode == "L" else file.convert("RGB"))
        return image


def _deblock_planes(planes: Planes, tables: Planes) -> Samples:
    """Luminance is filtered. Chrominance stays: where it is subsampled, its upsampling has smoothed its borders."""
    from restore.evaluation.baselines import deblocked

    return shown(np.concatenate([deblocked(planes[0], tables[0])[None], planes[1:]]))


def _deblock(data: bytes) -> Samples:
    received = receive(data)
    return _deblock_planes(planes_of(received), received.tables)


def _smooth(data: bytes) -> Samples:
    from restore.evaluation.baselines import smooth

    return smooth(receive(data))


CLASSICAL = {
    "jpeg": Receiver("jpeg", _pillow, lambda planes, tables: shown(planes)),
    "centroid": Receiver("centroid", lambda data: decode_image(receive(data), centroid=True)),
    "deblock": Receiver("deblock", _deblock, _deblock_planes),
    "smooth": Receiver("smooth", _smooth),
}


def _shipped(name: str, colour: bool, threads: int | None) -> Receiver:
    """A model of the package or of a .json file, as the product runs it."""
    from restore.runtime.infer import restore_image

    path, project = name.removesuffix(_UNPROJECTED), not name.endswith(_UNPROJECTED)
    model = load_model(path, threads=threads)
    folder, file = find_model(path)
    index: dict[str, Any] = parse_json((folder / file).read_bytes())
    roles = ["luminance", "chrominance"] if colour and index["chrominance"] else ["luminance"]

    def count() -> float:
        from restore.evaluation.macs import onnx_macs

        return sum(onnx_macs((folder / index[role]["file"]).read_bytes()) for role in roles)

    return Receiver(
        name,
        lambda data: restore_image(data, model=model, project=project),
        nbytes=sum(index[role]["bytes"] for role in roles),
        count_macs=count,
    )
