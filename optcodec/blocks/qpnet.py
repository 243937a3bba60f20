"""QP-NET: a small network that predicts the utility group of a block of 32x32 pixels from the pixels of the block.

Ye et al., "AccelIR: Task-aware Image Compression for Accelerating Neural Restoration", CVPR 2023: three
convolutions, average pooling and one fully connected layer, whose output is a distribution over the groups. Inference
needs neither torch nor any other optional package.
"""

from __future__ import annotations

import io
import json
import math
import os
import zipfile
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.errors import InvalidInputError
from optcodec.files import write_whole
from optcodec.jpeg.layout import in_parallel, thread_count
from optcodec.jsontext import parse_json
from optcodec.kernels import load
from optcodec.shipped import QPNETS
from optcodec.values import Value

__all__ = [
    "CONVOLUTIONS",
    "MACS_PER_BLOCK",
    "MOST_GROUPS",
    "QpNet",
    "load_qpnet",
    "save_qpnet",
    "shipped_qpnets",
    "weight_shapes",
]

Floats = npt.NDArray[np.float32]

# Output channels, input channels, side of the kernel and stride of each convolution, all without padding. Small kernels
# respond to texture, which decides the bytes of a block; optcodec/kernels/qpnet.py has the same numbers.
CONVOLUTIONS = {"first": (16, 3, 4, 4), "second": (16, 16, 3, 1), "third": (32, 16, 3, 2)}
MOST_GROUPS = 64
_SIDE = 32
_FORMAT = "optcodec qp-net 1"
_HEADER = "header"
_LARGEST_HEADER = 1 << 16  # bytes
_ROWS_PER_PART = 4


def _outputs_and_macs() -> tuple[list[int], list[int]]:
    """Number of outputs of each convolution for one block, and of its multiply-accumulate operations (MACs)."""
    side, numbers, macs = _SIDE, [], []
    for outputs, inputs, kernel, stride in CONVOLUTIONS.values():
        side = (side - kernel) // stride + 1
        numbers.append(side * side * outputs)
        macs.append(numbers[-1] * inputs * kernel * kernel)
    return numbers, macs


_OUTPUTS, _MACS = _outputs_and_macs()
_WORK = _SIDE * _SIDE * 3 + sum(_OUTPUTS)  # length of the kernel's work space: samples and outputs of one block
MACS_PER_BLOCK = sum(_MACS)  # of the convolutions: 150528


def weight_shapes(groups: int) -> dict[str, tuple[int, ...]]:
    """Shapes of the weights of a network by name, in the order of torch: outputs, inputs, rows, columns."""
    shapes: dict[str, tuple[int, ...]] = {}
    for name, (outputs, inputs, kernel, _) in CONVOLUTIONS.items():
        shapes[f"{name}.weight"], shapes[f"{name}.bias"] = (outputs, inputs, kernel, kernel), (outputs,)
    features = CONVOLUTIONS["third"][0]
    return shapes | {"dense.weight": (groups, features), "dense.bias": (groups,)}


@dataclass(frozen=True, eq=False)
class QpNet(Value):
    """A trained network.

    Parameters
    ----------
    groups : int
        Number M of utility groups, 2..64; group 0 has the largest utility.
    weights : mapping of str to ndarray of float32
        With the names and shapes of `weight_shapes`; finite.
    provenance : mapping
        The profile, the data and the training settings; only values that JSON can hold.
    card : mapping of str to float
        Accuracies on blocks that were not used for training.

    Raises
    ------
    InvalidInputError
        If a weight is missing, has another shape or is not finite, or JSON cannot hold the provenance or the card.
    """

    groups: int
    weights: Mapping[str, Floats]
    provenance: Mapping[str, Any]
    card: Mapping[str, float]

    def __post_init__(self) -> None:
        shapes = weight_shapes(_checked_groups(self.groups))
        if set(self.weights) != set(shapes):
            raise InvalidInputError(f"weights of a QP-NET are {sorted(shapes)}, got {sorted(self.weights)}")
        weights = {name: _checked_weights(name, self.weights[name], shape) for name, shape in shapes.items()}
        object.__setattr__(self, "weights", weights)
        for name in ("provenance", "card"):
            object.__setattr__(self, name, _checked_json(name, getattr(self, name)))

    def __repr__(self) -> str:
        return f"QpNet(groups={self.groups}, provenance={dict(self.provenance)!r})"

    def distributions(self, pixels: npt.NDArray[np.uint8], *, threads: int | None = None) -> Floats:
        """Predict the utility groups of the blocks of an image.

        Parameters
        ----------
        pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
            RGB or grey; grey is treated as R = G = B. Blocks that the border cuts are filled up by repeating the last
            samples.
        threads : int, optional
            Largest number of threads; all processors by default. The result is the same.

        Returns
        -------
        ndarray of float32, shape (ceil(height / 32), ceil(width / 32), groups)
            Probability of each group, 0..1; their sum is 1 for each block.

        Raises
        ------
        InvalidInputError
            If the pixels have another type or shape, or there are none.
        """
        samples = _checked_pixels(pixels)
        rows, columns = -(-samples.shape[0] // _SIDE), -(-samples.shape[1] // _SIDE)
        shares = np.empty((rows, columns, self.groups), np.float32)
        convolutions, dense = self._packed
        kernel = load("qpnet").distributions

        def work(part: int) -> None:
            first = part * _ROWS_PER_PART
            last = min(first + _ROWS_PER_PART, rows)
            kernel(samples, first, last, convolutions, dense, np.empty(_WORK, np.float32), shares)

        in_parallel(work, -(-rows // _ROWS_PER_PART), thread_count(threads))
        return shares

    @cached_property
    def _packed(self) -> tuple[Floats, Floats]:
        """Weights in the layout of the kernel: convolutions with outputs last, each followed by its biases, in one
        array; and the fully connected layer, one row for each group, with the bias at its end."""
        parts = []
        for name in CONVOLUTIONS:
            parts += [self.weights[f"{name}.weight"].transpose(2, 3, 1, 0).ravel(), self.weights[f"{name}.bias"]]
        dense = np.column_stack([self.weights["dense.weight"], self.weights["dense.bias"]])
        return np.concatenate(parts), np.ascontiguousarray(dense)


def _checked_pixels(pixels: npt.NDArray[np.uint8]) -> npt.NDArray[np.uint8]:
    """Check the pixels; C-contiguous, shape (height, width, 3 or 1)."""
    fits = isinstance(pixels, np.ndarray) and pixels.dtype == np.uint8 and pixels.size > 0
    if not fits or not (pixels.ndim == 2 or (pixels.ndim == 3 and pixels.shape[2] == 3)):
        wrong = f"{pixels.dtype} of shape {pixels.shape}" if isinstance(pixels, np.ndarray) else type(pixels).__name__
        raise InvalidInputError(f"expected uint8 pixels of shape (height, width) or (height, width, 3), got {wrong}")
    return np.ascontiguousarray(pixels if pixels.ndim == 3 else pixels[..., None])


def _checked_groups(groups: Any) -> int:
    if not isinstance(groups, int) or isinstance(groups, bool) or not 2 <= groups <= MOST_GROUPS:
        raise InvalidInputError(f"a QP-NET has 2..{MOST_GROUPS} groups, got {groups!r}")
    return groups


def _checked_weights(name: str, values: Any, shape: tuple[int, ...]) -> Floats:
    """Read-only copy, checked to be finite and of the shape."""
    array = np.array(values, np.float32, order="C")
    if array.shape != shape:
        raise InvalidInputError(f"{name} of a QP-NET has shape {shape}, got {array.shape}")
    if not np.isfinite(array).all():
        raise InvalidInputError(f"{name} of a QP-NET is finite, got {array[~np.isfinite(array)][0]}")
    array.flags.writeable = False
    return array


def _checked_json(name: str, values: Any) -> dict[str, Any]:
    """Copy of a mapping, checked to hold only JSON values."""
    try:
        copy: dict[str, Any] = json.loads(json.dumps(dict(values), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(
            f"{name} of a QP-NET is a mapping of JSON values, got {type(values).__name__}: {error}"
        ) from None
    return copy


def save_qpnet(net: QpNet, path: str | os.PathLike[str]) -> None:
    """Write a network as .npz: its weights, and the rest as JSON text in the array ``header``.

    Raises
    ------
    InvalidInputError
        If the file cannot be written. There is then no file, or the old one.
    """
    header = {"format": _FORMAT, "groups": net.groups, "provenance": dict(net.provenance), "card": dict(net.card)}
    text = np.frombuffer(json.dumps(header).encode(), np.uint8)
    if text.size > _LARGEST_HEADER:
        raise InvalidInputError(f"provenance and card take at most {_LARGEST_HEADER} bytes, got {text.size}")
    content = io.BytesIO()
    np.savez(content, **{_HEADER: text}, **net.weights)  # type: ignore[arg-type]
    write_whole(path, content.getvalue())


def shipped_qpnets() -> tuple[str, ...]:
    """Names of the networks that come with the package."""
    return QPNETS.names


def load_qpnet(name_or_path: str | os.PathLike[str]) -> QpNet:
    """Read a network.

    Parameters
    ----------
    name_or_path : str or path
        Name of a shipped network (see `shipped_qpnets`), or a file as `save_qpnet` writes it.

    Raises
    ------
    InvalidInputError
        If there is no such network, or the file does not hold one.
    """
    content = QPNETS.read(name_or_path)
    try:
        return _parse(content)
    except InvalidInputError as error:
        raise InvalidInputError(f"{os.fspath(name_or_path)}: {error}") from None


def _parse(content: bytes) -> QpNet:
    try:
        with zipfile.ZipFile(io.BytesIO(content)) as archive:
            header = parse_json(_member(archive, _HEADER, "u1", (None,)).tobytes(), "a QP-NET's header of JSON")
            if not isinstance(header, dict) or header.get("format") != _FORMAT:
                raise InvalidInputError(f"expected a header of format {_FORMAT!r}, found {str(header)[:80]!r}")
            shapes = weight_shapes(_checked_groups(header.get("groups")))
            weights = {name: _member(archive, name, "f4", shape) for name, shape in shapes.items()}
    except InvalidInputError:
        raise
    except Exception as error:  # zipfile, zlib and numpy raise many types of errors for a damaged file
        reason = (str(error) or type(error).__name__).splitlines()[0]
        raise InvalidInputError(f"expected a whole QP-NET file, found damage: {reason}") from None
    return QpNet(header["groups"], weights, header.get("provenance", {}), header.get("card", {}))


def _member(archive: zipfile.ZipFile, name: str, dtype: str, shape: tuple[int | None, ...]) -> npt.NDArray[Any]:
    """An array of a known type and shape (None: any length); sizes are compared before anything is unpacked."""
    entry = archive.getinfo(f"{name}.npy")
    most = _LARGEST_HEADER + 4 * math.prod(length or 0 for length in shape)
    if entry.file_size > most:
        raise InvalidInputError(f"{name} of a QP-NET takes at most {most} bytes, the file says {entry.file_size}")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):  # others may take gigabytes to unpack
        raise InvalidInputError(f"expected {name} stored or deflated, found the compression {entry.compress_type}")
    content = io.BytesIO(archive.read(entry))
    if np.lib.format.read_magic(content) != (1, 0):
        raise InvalidInputError(f"expected {name} as .npy of version 1.0, found another")
    actual_shape, fortran, actual_dtype = np.lib.format.read_array_header_1_0(content)
    rest = content.read()
    fits = len(actual_shape) == len(shape) and all(
        want in (None, have) for want, have in zip(shape, actual_shape, strict=True)
    )
    if (
        actual_dtype != np.dtype(dtype)
        or fortran
        or not fits
        or len(rest) != math.prod(actual_shape) * actual_dtype.itemsize
    ):
        raise InvalidInputError(
            f"expected {name} as {np.dtype(dtype)} of shape {shape}, found {actual_dtype} of shape {actual_shape}"
        )
    return np.frombuffer(rest, actual_dtype).reshape(actual_shape)
