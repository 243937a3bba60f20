"""Trained models, ready to run: which come with the package, and loading one without torch."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import partial
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError, parse_json, require_packages, whole_number
from optcodec.shared import ShippedFiles, processor_count

__all__ = ["Model", "Network", "find_model", "load_model", "shipped_models"]

Floats = npt.NDArray[np.float32]

_FILES = ShippedFiles("a model", "a .json file", "restore", ("data", "models"))


@dataclass(frozen=True, eq=False)
class Network:
    """One network of a model.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Has the input ``image``, maybe ``table``, and the output ``restored``.
    name : str
        Of its file, for messages.
    """

    session: Any
    name: str

    def __call__(self, image: Floats, tables: Floats) -> Floats:
        """Restore some planes.

        Parameters
        ----------
        image : ndarray of float32, shape (planes, height, width)
            Decoded samples, 0..1; sides are multiples of 8, for chrominance of 16.
        tables : ndarray of float32, shape (tables, 8, 8)
            Quantization steps; networks that do not ask for them never see them.

        Returns
        -------
        ndarray of float32, shape (restored, height, width)

        Raises
        ------
        InvalidInputError
            If the network cannot be run on such an image.
        """
        given = {"image": image[None], "table": tables[None]}
        feed = {part.name: given[part.name] for part in self.session.get_inputs()}
        try:
            (restored,) = self.session.run(["restored"], feed)
        except Exception as error:  # those of ONNX Runtime have no class in common
            raise InvalidInputError(f"{self.name} does not run on {image.shape} samples: {_line(error)}") from None
        expected = (1, max(1, len(image) - 1), *image.shape[1:])  # Cb and Cr of three planes
        if restored.shape != expected:
            raise InvalidInputError(f"{self.name} gives {restored.shape} samples; expected {expected}")
        result: Floats = restored[0]
        return result


@dataclass(frozen=True, eq=False)
class Model:
    """Networks for luminance and chrominance.

    Parameters
    ----------
    name : str
        What it is called.
    luminance : Network
        Restores Y.
    chrominance : Network or None
        Restores Cb and Cr, told of decoded Y; without it they stay as they were decoded.
    border : int
        Pixels around a tile that its samples depend on.
    card : dict
        What it was trained on and how it does.
    source : str
        Name of a shipped model, or the path of the .json file; a copy of the model (by `copy` or `pickle`) is loaded
        from there.
    threads : int, optional
        That it was loaded with.
    """

    name: str
    luminance: Network
    chrominance: Network | None
    border: int
    card: Mapping[str, Any] = field(default_factory=dict)
    source: str = ""
    threads: int | None = None

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.source:
            raise InvalidInputError(f"the model {self.name} was not loaded from a file, so that it cannot be copied")
        return partial(load_model, self.source, threads=self.threads), ()


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    return list(_FILES.names)


def load_model(model: str | os.PathLike[str] = "default", *, threads: int | None = None) -> Model:
    """Load a model, for many images.

    Parameters
    ----------
    model : str or path
        Name of a shipped model, or the .json file of another; its .onnx files lie beside it.
    threads : int, optional
        At most so many; all processors by default. The result is the same.

    Raises
    ------
    InvalidInputError
        If there is no such model, one of its files is missing or is not the one that its index tells of, or ONNX
        Runtime is missing.
    """
    threads = None if threads is None else whole_number(threads, "threads", 1)
    folder, file = find_model(model)
    index = _index(folder, file)
    try:
        name, border, card, chrominance = (index[key] for key in ("name", "border", "card", "chrominance"))
        files = {"luminance": _checked(folder, index["luminance"])}
        if chrominance is not None:
            files["chrominance"] = _checked(folder, chrominance)
    except (KeyError, TypeError) as error:
        raise _no_model(file, f"no entry {error}" if isinstance(error, KeyError) else _line(error)) from None
    if not isinstance(border, int) or border < 0:
        raise InvalidInputError(f"{file}: border is a whole number from 0 on, got {border!r}")
    networks = {role: _network(f"{name} ({role})", data, _PLANES[role], threads) for role, data in files.items()}
    source = os.fspath(model) if model in shipped_models() else str(Path(model).resolve())
    return Model(name, networks["luminance"], networks.get("chrominance"), border, card, source, threads)


_PLANES = {"luminance": 1, "chrominance": 3}  # of the input


def find_model(model: str | os.PathLike[str]) -> tuple[Traversable, str]:
    """Folder and name of the index of a model, by its name or its path."""
    known = shipped_models()
    if isinstance(model, str) and model in known:
        return _FILES.folder, f"{model}.json"
    path = Path(model)
    if path.suffix.lower() != ".json":
        raise InvalidInputError(f"no model {os.fspath(model)!r}; expected {', '.join([*known, 'a .json file'])}")
    return path.parent, path.name


def _index(folder: Traversable, file: str) -> Any:
    """What the .json file of a model says."""
    data = _read(folder, file)
    try:
        return parse_json(data)
    except InvalidInputError as error:
        raise _no_model(file, str(error)) from None


def _no_model(file: str, found: str) -> InvalidInputError:
    return InvalidInputError(f"{file} does not describe a model: {found}; expected what `restore export` writes")


def _read(folder: Traversable, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot read {folder / name}: {error.strerror}") from None


def _checked(folder: Traversable, entry: Mapping[str, Any]) -> bytes:
    """Content of the file that an entry of the index names, if it is that file."""
    name = entry["file"]
    if not isinstance(name, str) or Path(name).name != name or not name.isprintable():  # /dev/zero has no end
        raise InvalidInputError(f"the index of a model names files beside it, got {name!r}")
    data = _read(folder, name)
    found = hashlib.sha256(data).hexdigest()
    if found != entry["sha256"]:
        expected = f"expected {str(entry['sha256'])[:12]}... of {entry['bytes']}"
        raise InvalidInputError(
            f"the weights in {entry['file']} are corrupted: SHA-256 {found[:12]}... of {len(data)} bytes, {expected}"
        )
    return data


def _network(name: str, data: bytes, planes: int, threads: int | None) -> Network:
    require_packages("onnxruntime")
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or processor_count()
    options.log_severity_level = 3  # errors, which are raised as well
    options.enable_mem_pattern = False  # made for one shape only, and tiles have several
    options.enable_cpu_mem_arena = False  # keeps what the largest tile took, and is not faster
    try:
        session = onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])
    except Exception as error:  # those of ONNX Runtime have no class in common
        raise InvalidInputError(f"{name} is no ONNX model that can be run: {_line(error)}") from None
    inputs = {part.name: part.shape for part in session.get_inputs()}
    outputs = [part.name for part in session.get_outputs()]
    fits = {"image"} <= set(inputs) <= {"image", "table"} and outputs == ["restored"]
    if not fits or inputs["image"][1:2] != [planes]:
        found = f"inputs {inputs} and outputs {outputs}"
        raise InvalidInputError(f"{name} has {found}; expected image with {planes} planes, table, and restored")
    return Network(session, name)


def _line(error: Exception) -> str:
    return (str(error).splitlines() or [type(error).__name__])[0]
