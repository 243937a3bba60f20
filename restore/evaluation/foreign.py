"""Networks that others made, as functions from planes to planes: what they take and by how much they enlarge.

- ``onnx:FILE``: an ONNX file with one input and one output, in ONNX Runtime.
- ``torchscript:FILE``: a program that `torch.jit.save` wrote.
- ``spandrel:FILE``: weights of a published network that the package spandrel knows.
- ``carn:FILE``, ``dncnn:FILE``, ``edsr:FILE``, ``ffdnet:FILE``, ``ircnn:FILE``: published weights, as safetensors or as
  a torch file that holds only tensors, for the networks of this package in the formula of their papers.
- ``torch:package.module:factory``: a function of the user's own that returns a torch module (``factory@TEXT``: called
  with the text).

All take and return RGB, or gray, of 0..1, shape (1, planes, height, width).
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from optcodec import InvalidInputError, require_packages
from optcodec.shared import first_line, load_factory
from restore.evaluation.receiver import Planes
from restore.runtime.models import session_of

__all__ = ["FOREIGN", "ForeignNetwork", "check_foreign", "is_foreign", "load_foreign"]

_COUNT_SIDE = 128  # side of the image for which operations are counted, in pixels
_FACTORS = (1, 2, 4, 8, 16, 32, 64)  # that sides may have to be multiples of
_LEAST_SIDE = 33  # of the images on which a network is tried
FOREIGN = "onnx", "torchscript", "spandrel", "torch", "carn", "dncnn", "edsr", "ffdnet", "ircnn"
Run = Callable[[Planes], Planes]


@dataclass(frozen=True, eq=False)
class ForeignNetwork:
    """A network of somebody else's, on the CPU.

    Parameters
    ----------
    name : str
        Its name, as `load_foreign` takes it.
    function : callable
        From planes of 0..1, float32, shape (planes, height, width), to restored planes, which are not clipped.
    channels : {1, 3}
        Planes that it takes and returns: gray, or R, G, B.
    scale : int
        Ratio of the sides of output and input.
    factor : int
        Sides of the input are multiples of it.
    nbytes : int or None
        Size of its file.
    count_macs : callable or None
        Counts its multiply-accumulate operations per pixel of the input.
    module : torch.nn.Module or None
        The network, where it runs in torch.
    """

    name: str
    function: Run
    channels: int
    scale: int
    factor: int = 1
    nbytes: int | None = None
    count_macs: Callable[[], float] | None = None
    module: Any = None

    def run(self, planes: Planes) -> Planes:
        """Restore planes of any size; see `function`.

        Raises
        ------
        InvalidInputError
            If the network does not run on them.
        """
        height, width = planes.shape[1:]
        padded = np.pad(planes, ((0, 0), (0, -height % self.factor), (0, -width % self.factor)), mode="edge")
        try:
            restored = self.function(padded)
        except (RuntimeError, ValueError) as error:
            raise InvalidInputError(
                f"{self.name} does not run on {planes.shape} samples: {first_line(error)}"
            ) from None
        return np.ascontiguousarray(restored[:, : self.scale * height, : self.scale * width])


def is_foreign(name: str) -> bool:
    """Whether it is the name of such a network."""
    return name.partition(":")[0] in FOREIGN and ":" in name


def check_foreign(name: str) -> None:
    """Check that the packages are installed that such a network needs.

    Raises
    ------
    InvalidInputError
        If one is missing.
    """
    kind = name.partition(":")[0]
    if kind == "onnx":
        require_packages("onnxruntime")
    elif kind == "spandrel":
        require_packages("torch", "safetensors.torch", "spandrel", extra="evaluate")
    else:
        require_packages("torch", "safetensors.torch")


def load_foreign(name: str, threads: int | None = None) -> ForeignNetwork:
    """Load a network by its name, see the top of this module.

    Parameters
    ----------
    name : str
        Its name.
    threads : int, optional
        Maximum number of threads of ONNX Runtime; by default one for each processor.

    Raises
    ------
    InvalidInputError
        If a package or a file is missing, the file holds no such network, or the network takes neither RGB nor gray,
        has another number of planes at its output, or does not enlarge both sides by the same whole number.
    """
    check_foreign(name)
    kind, _, source = name.partition(":")
    if kind == "onnx":
        return _onnx(name, Path(source), threads)
    module = _module(kind, source)

    def function(planes: Planes) -> Planes:
        import torch

        with torch.no_grad():
            restored: Planes = module(torch.from_numpy(planes)[None])[0].float().numpy()
        return restored

    def count_macs(channels: int) -> float:
        import torch

        from restore.networks.count import macs_per_pixel

        return macs_per_pixel(lambda: module(torch.zeros(1, channels, _COUNT_SIDE, _COUNT_SIDE)), _COUNT_SIDE**2)

    channels, scale, factor = _tried(name, function)
    nbytes = None if kind == "torch" else Path(source).stat().st_size
    return ForeignNetwork(name, function, channels, scale, factor, nbytes, partial(count_macs, channels), module)


def _tried(name: str, function: Run) -> tuple[int, int, int]:
    """The planes that a network takes, by how much it enlarges, and what sides have to be multiples of."""
    reasons = []
    for channels in (3, 1):
        for factor in _FACTORS:
            odd = -(-_LEAST_SIDE // factor) | 1
            sides = odd * factor, (odd + 2) * factor
            try:
                scales = {_scale(function, (channels, *size)) for size in (sides, sides[::-1])}
            except (RuntimeError, ValueError, TypeError, AttributeError) as error:
                reasons.append(first_line(error))
                continue
            if len(scales) == 1:
                return channels, scales.pop(), factor
    raise InvalidInputError(f"{name} restores neither RGB nor gray images of any size: {reasons[0]}")


def _scale(function: Run, shape: tuple[int, ...]) -> int:
    """By how much a network enlarges planes of a shape; a `ValueError` if it does not restore them."""
    restored = function(np.full(shape, 0.5, np.float32))
    scale: int = max(1, restored.shape[-1] // shape[-1])
    if restored.shape != (shape[0], scale * shape[1], scale * shape[2]):
        raise ValueError(f"{shape} samples become {restored.shape}")
    return scale


def _onnx(name: str, path: Path, threads: int | None) -> ForeignNetwork:
    """A network in ONNX Runtime."""
    from restore.evaluation.macs import onnx_macs

    data = _read(path)
    try:
        session = session_of(data, threads)
    except Exception as error:  # exceptions of ONNX Runtime have no common base class
        raise InvalidInputError(f"{path} is no ONNX network that can be run: {first_line(error)}") from None
    inputs, output = session.get_inputs(), session.get_outputs()[0].name
    if len(inputs) != 1:
        raise InvalidInputError(f"{path} has the inputs {[tensor.name for tensor in inputs]}; expected an image alone")

    def function(planes: Planes) -> Planes:
        try:
            (restored,) = session.run([output], {inputs[0].name: planes[None]})
        except Exception as error:  # as above
            raise ValueError(first_line(error)) from None
        result: Planes = restored[0].astype(np.float32)
        return result

    channels, scale, factor = _tried(name, function)
    return ForeignNetwork(name, function, channels, scale, factor, len(data), lambda: onnx_macs(data))


def _module(kind: str, source: str) -> Any:
    """The torch module of a network."""
    import torch

    if kind == "torch":
        module = load_factory(source, "a torch module")()
        if not isinstance(module, torch.nn.Module):
            raise InvalidInputError(f"expected {source} to return a torch module, got {type(module).__name__}")
        return module.eval()
    if kind == "torchscript":
        _read(Path(source))
        try:
            with warnings.catch_warnings(action="ignore"):  # that new programs are better exported in another way
                program = torch.jit.load(source, map_location="cpu")  # type: ignore[no-untyped-call]
            return program.eval()
        except RuntimeError as error:
            raise InvalidInputError(f"{source} is no TorchScript program: {first_line(error)}") from None
    tensors = _load_tensors(Path(source))
    if kind == "spandrel":
        return _spandrel_module(Path(source), tensors)
    from restore.networks.published import published_network

    try:
        return published_network(kind, tensors)
    except InvalidInputError as error:
        raise InvalidInputError(f"{source}: {error}") from None


def _spandrel_module(path: Path, tensors: dict[str, Any]) -> Any:
    """A published network; spandrel pads images to the sides that it needs."""
    import spandrel  # type: ignore[import-untyped]

    try:
        with warnings.catch_warnings(action="ignore"):  # some networks were written for older versions of torch
            descriptor = spandrel.ModelLoader("cpu").load_from_state_dict(tensors).eval()
    except Exception as error:  # for tensors of an unknown network, spandrel raises many kinds of errors
        raise InvalidInputError(f"{path}: no network that spandrel knows ({type(error).__name__})") from None
    if not isinstance(descriptor, spandrel.ImageModelDescriptor):
        raise InvalidInputError(f"{path} is for {descriptor.purpose}; expected a network that takes an image alone")
    return descriptor


def _load_tensors(path: Path) -> dict[str, Any]:
    """Load the tensors of a file, by name, without running any code in it."""
    from pickle import UnpicklingError

    import safetensors
    import torch
    from safetensors.torch import load_file

    try:
        if path.suffix.lower() == ".safetensors":
            return load_file(path)
        contents = torch.load(path, map_location="cpu", weights_only=True)
    except (OSError, RuntimeError, EOFError, UnpicklingError, safetensors.SafetensorError):
        # not torch's message, which suggests to load the file without protection
        raise InvalidInputError(f"{path} cannot be read as tensors by name; expected a safetensors file") from None
    if not isinstance(contents, dict):
        raise InvalidInputError(f"{path} holds a {type(contents).__name__}; expected a dictionary of tensors")
    for key in ("params_ema", "params", "state_dict"):  # usual names of the weights in a training checkpoint
        if isinstance(contents.get(key), dict):
            return dict(contents[key])
    return contents


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}") from None
