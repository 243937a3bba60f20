"""Trained models: lists those in the package, and loads a model into ONNX Runtime (no torch needed)."""

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
from optcodec.shared import ShippedFiles, first_line, processor_count, real_number
from restore.runtime.context import Context

__all__ = ["Model", "Network", "find_model", "load_model", "session_of", "shipped_models"]

Floats = npt.NDArray[np.float32]

_FILES = ShippedFiles("a model", "a .json file", "restore", ("data", "models"))


@dataclass(frozen=True, eq=False)
class Network:
    """One network of a model, loaded into ONNX Runtime.

    Parameters
    ----------
    session : onnxruntime.InferenceSession
        Has an input ``image``, optionally an input ``condition``, and an output ``restored``.
    name : str
        Name of the network in error messages.
    """

    session: Any
    name: str

    def __call__(self, image: Floats, context: Context) -> Floats:
        """Run the network.

        Parameters
        ----------
        image : ndarray of float32, shape (planes, height, width)
            Decoded samples, 0..1. Height and width are multiples of 8, or of 16 for the chrominance network.
        context : Context
            What is known of the file; ignored by networks without an input ``condition``. Networks that were exported
            by earlier versions have an input ``table``, the quantization steps.

        Returns
        -------
        ndarray of float32, shape (restored, height, width)
            Restored samples, 0..1 up to over- and undershoot: one plane of one, Cb and Cr of three.

        Raises
        ------
        InvalidInputError
            If the network cannot be run on such an image, or its output has another shape.
        """
        tables = 1 if len(image) == 1 else 2
        inputs = {
            "image": image[None],
            "condition": context.condition(tables)[None],
            "table": context.tables[None, :tables],
        }
        used_inputs = {tensor.name: inputs[tensor.name] for tensor in self.session.get_inputs()}
        try:
            (restored,) = self.session.run(["restored"], used_inputs)
        except Exception as error:  # exceptions of ONNX Runtime have no common base class
            raise InvalidInputError(f"{self.name} does not run on {image.shape} samples: {first_line(error)}") from None
        expected = (1, max(1, len(image) - 1), *image.shape[1:])  # one plane of one; Cb and Cr of three
        if restored.shape != expected:
            raise InvalidInputError(f"{self.name} gives {restored.shape} samples; expected {expected}")
        result: Floats = restored[0]
        return result


@dataclass(frozen=True, eq=False)
class Model:
    """A loaded model: a network for luminance, and optionally one for chrominance.

    Parameters
    ----------
    name : str
        Name of the model.
    luminance : Network
        Restores Y.
    chrominance : Network or None
        Restores Cb and Cr from decoded Y, Cb and Cr; without it, Cb and Cr stay as they were decoded.
    border : int
        Receptive radius of a network: number of pixels around a tile that its restored samples depend on.
    after_luminance : bool
        Whether `chrominance` takes restored Y instead of the decoded one.
    max_sigma : float
        Largest standard deviation of noise on the decoded image that the networks were trained for, in units of 8-bit
        samples; 0 for JPEG files without noise.
    digest : str
        SHA-256 of the files of its networks, one behind the other, in hexadecimal.
    card : dict
        Model card: what the networks were trained on, and their results.
    source : str
        Name of a shipped model, or path of the .json file. Copies of the model (by `copy` or `pickle`) are loaded from
        there.
    threads : int, optional
        Maximum number of threads that the model was loaded with.
    """

    name: str
    luminance: Network = field(repr=False)
    chrominance: Network | None = field(repr=False)
    border: int
    card: Mapping[str, Any] = field(default_factory=dict, repr=False)
    source: str = ""
    threads: int | None = None
    after_luminance: bool = False
    max_sigma: float = 0.0
    digest: str = ""

    def __reduce__(self) -> tuple[Any, ...]:
        if not self.source:
            raise InvalidInputError(f"the model {self.name} was not loaded from a file, so that it cannot be copied")
        return partial(load_model, self.source, threads=self.threads), ()


def shipped_models() -> list[str]:
    """Names of the models that come with the package."""
    return list(_FILES.names)


def load_model(model: str | os.PathLike[str] = "default", *, threads: int | None = None) -> Model:
    """Load a model once, to restore many images with it.

    Parameters
    ----------
    model : str or path
        Name of a shipped model, or the .json file of another one, whose .onnx files are in the same folder.
    threads : int, optional
        Maximum number of threads; by default one for each processor. It does not change the results.

    Raises
    ------
    InvalidInputError
        If there is no such model, one of its files is missing or has another hash than in the index (.json), or ONNX
        Runtime is missing.
    """
    threads = None if threads is None else whole_number(threads, "threads", 1)
    folder, file = find_model(model)
    index = _index(folder, file)
    try:
        name, border, card, chrominance = (index[key] for key in ("name", "border", "card", "chrominance"))
        files = {"luminance": _read_verified(folder, index["luminance"])}
        if chrominance is not None:
            files["chrominance"] = _read_verified(folder, chrominance)
    except (KeyError, TypeError) as error:
        raise _not_a_model(file, f"no entry {error}" if isinstance(error, KeyError) else first_line(error)) from None
    is_after = index.get("after_luminance", False)
    if not isinstance(is_after, bool):
        raise InvalidInputError(f"{file}: after_luminance is true or false, got {is_after!r}")
    max_sigma = real_number(index.get("max_sigma", 0.0), f"{file}: max_sigma", or_zero=True)
    if not isinstance(border, int) or border < 0:
        raise InvalidInputError(f"{file}: border is a whole number from 0 on, got {border!r}")
    networks = {role: _network(f"{name} ({role})", data, _PLANES[role], threads) for role, data in files.items()}
    source = os.fspath(model) if model in shipped_models() else str(Path(model).resolve())
    both = networks["luminance"], networks.get("chrominance")
    digest = "".join(hashlib.sha256(data).hexdigest() for data in files.values())
    return Model(name, *both, border, card, source, threads, is_after, max_sigma, digest)


_PLANES = {"luminance": 1, "chrominance": 3}  # number of planes of the input


def find_model(model: str | os.PathLike[str]) -> tuple[Traversable, str]:
    """Folder and file name of the index (.json) of a model, from the name of a shipped model or a path."""
    names = shipped_models()
    if isinstance(model, str) and model in names:
        return _FILES.folder, f"{model}.json"
    path = Path(model)
    if path.suffix.lower() != ".json":
        raise InvalidInputError(f"no model {os.fspath(model)!r}; expected {', '.join([*names, 'a .json file'])}")
    return path.parent, path.name


def _index(folder: Traversable, file: str) -> Any:
    """The parsed index (.json) of a model."""
    data = _read(folder, file)
    try:
        return parse_json(data)
    except InvalidInputError as error:
        raise _not_a_model(file, str(error)) from None


def _not_a_model(file: str, reason: str) -> InvalidInputError:
    return InvalidInputError(f"{file} does not describe a model: {reason}; expected what `restore export` writes")


def _read(folder: Traversable, name: str) -> bytes:
    try:
        return (folder / name).read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot read {folder / name}: {error.strerror}") from None


def _read_verified(folder: Traversable, entry: Mapping[str, Any]) -> bytes:
    """Read the file that an entry of the index names, and check its hash."""
    name = entry["file"]
    if not isinstance(name, str) or Path(name).name != name or not name.isprintable():
        # such as /dev/zero, which never ends
        raise InvalidInputError(f"the index of a model names files beside it, got {name!r}")
    data = _read(folder, name)
    digest = hashlib.sha256(data).hexdigest()
    if digest != entry["sha256"]:
        expected = f"expected {str(entry['sha256'])[:12]}... of {entry['bytes']}"
        raise InvalidInputError(
            f"the weights in {entry['file']} are corrupted: SHA-256 {digest[:12]}... of {len(data)} bytes, {expected}"
        )
    return data


def session_of(data: bytes, threads: int | None = None) -> Any:
    """Load an ONNX file into ONNX Runtime; what that raises for other files has no common base class.

    Parameters
    ----------
    data : bytes
        The file.
    threads : int, optional
        Maximum number of threads; by default one for each processor.

    Returns
    -------
    onnxruntime.InferenceSession
    """
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads or processor_count()
    options.log_severity_level = 3  # errors only, which are raised as exceptions as well
    options.enable_mem_pattern = False  # a memory plan holds for one shape only, and tiles have several
    options.enable_cpu_mem_arena = False  # the arena would keep the memory of the largest tile, and is not faster
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def _network(name: str, data: bytes, planes: int, threads: int | None) -> Network:
    require_packages("onnxruntime")
    try:
        session = session_of(data, threads)
    except Exception as error:  # exceptions of ONNX Runtime have no common base class
        raise InvalidInputError(f"{name} is no ONNX model that can be run: {first_line(error)}") from None
    inputs = {tensor.name: tensor.shape for tensor in session.get_inputs()}
    outputs = [tensor.name for tensor in session.get_outputs()]
    fits = {"image"} <= set(inputs) <= {"image", "condition", "table"} and outputs == ["restored"]
    if not fits or inputs["image"][1:2] != [planes]:
        signature = f"inputs {inputs} and outputs {outputs}"
        raise InvalidInputError(f"{name} has {signature}; expected image with {planes} planes, condition, and restored")
    return Network(session, name)
