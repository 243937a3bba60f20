"""Classifiers in ONNX files, run by ONNX Runtime; torch is not needed."""

from __future__ import annotations

import hashlib
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.classifier import Classifier
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.pictures.opening import first_line

if TYPE_CHECKING:
    from PIL import Image

__all__ = ["INPUT_RANGES", "fitted", "onnx_classifier"]

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.floating]

_MEAN, _STD = (0.485, 0.456, 0.406), (0.229, 0.224, 0.225)  # of ImageNet's training images, as torchvision has them
# By name: what is subtracted from samples in 0..255, and what they are then divided by.
INPUT_RANGES: dict[str, tuple[Any, Any]] = {
    "0..1": (0.0, 255.0),
    "-1..1": (127.5, 127.5),
    "0..255": (0.0, 1.0),
    "imagenet": (255 * np.array(_MEAN), 255 * np.array(_STD)),
}
_TYPES: dict[str, type[np.generic]] = {
    "tensor(float)": np.float32,
    "tensor(float16)": np.float16,
    "tensor(uint8)": np.uint8,
}


def onnx_classifier(
    path: str | PathLike[str], *, input_range: str | None = None, probabilities: bool = False
) -> Classifier:
    """Load a classifier from an ONNX file; it runs on the CPU, on the thread that calls it.

    Parameters
    ----------
    path : str or path
        A network with one input, RGB of shape (1 or N, 3, H, W) or (1 or N, H, W, 3), and one output of shape (N,
        classes), or (N, classes, rows, columns) for a map of classes. Pictures are resized and cropped to H x W, see
        `fitted`; where H or W is free, they stay as they are.
    input_range : str, optional
        What the network takes: ``"0..1"``, which is the default for floats; ``"-1..1"``; ``"0..255"``, the only one
        for uint8; or ``"imagenet"``, 0..1 minus the mean of ImageNet divided by its standard deviation.
    probabilities : bool
        Whether the outputs are probabilities instead of logits.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or has other inputs or outputs, the range does not exist or fit, or ONNX Runtime is
        missing; when a picture is classified, if the network does not take it.
    """
    require_packages("onnxruntime")
    file = Path(path)
    try:
        with file.open("rb") as content:
            digest = hashlib.file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise InvalidInputError(f"cannot read the network {file}: {error.strerror or error}") from None
    network = _network(file, input_range)
    return Classifier(str(path), network, probabilities, digest)


def fitted(image: Image.Image, height: int, width: int) -> Image.Image:
    """Resize an image so that it covers 8/7 of a size, and crop the middle, as torchvision does with 256 and 224."""
    from PIL import Image

    rows, columns = round(8 * height / 7), round(8 * width / 7)
    if rows * image.width >= columns * image.height:
        size = rows * image.width // image.height, rows
    else:
        size = columns, columns * image.height // image.width
    resized = image.resize(size, Image.Resampling.BILINEAR)
    left, top = (round((side - wanted) / 2) for side, wanted in zip(size, (width, height), strict=True))
    return resized.crop((left, top, left + width, top + height))


@dataclass(frozen=True, eq=False)
class _OnnxNetwork:
    """A network of ONNX Runtime, and how its input is made; height and width are None where they are free."""

    session: Any
    dtype: type[np.generic]
    channels_first: bool
    size: tuple[int, int] | None
    range: str

    def __call__(self, pixels: Pixels) -> Floats:
        """Outputs for RGB pixels (height, width, 3), shape (classes,) or (classes, rows, columns)."""
        batch = self._batch(pixels)
        try:
            (output,) = self.session.run(None, {self.session.get_inputs()[0].name: batch})
        except Exception as error:  # exceptions of ONNX Runtime have no common base class
            size = f"{pixels.shape[1]}x{pixels.shape[0]}"
            reason = first_line(error)
            raise InvalidInputError(f"the network does not take pictures of {size} pixels: {reason}") from None
        shape = np.shape(output)
        if len(shape) >= 2 and shape[0] == 1 and np.size(output) == shape[1]:
            return np.asarray(output).reshape(-1)
        if len(shape) != 4 or shape[0] != 1:
            expected = "(1, classes), or (1, classes, rows, columns) for a map"
            raise InvalidInputError(f"expected outputs of shape {expected}, got {shape}")
        return np.asarray(output[0])

    def _batch(self, pixels: Pixels) -> npt.NDArray[Any]:
        from PIL import Image

        if self.size is not None:
            pixels = np.asarray(fitted(Image.fromarray(pixels), *self.size))
        subtracted, divisor = INPUT_RANGES[self.range]
        samples = ((pixels - subtracted) / divisor).astype(self.dtype)
        return np.ascontiguousarray(samples.transpose(2, 0, 1) if self.channels_first else samples)[None]


def _network(file: Path, input_range: str | None) -> _OnnxNetwork:
    """Load a network, and check its input and output."""
    session = _session(file)
    inputs, outputs = session.get_inputs(), session.get_outputs()
    shape = inputs[0].shape if len(inputs) == 1 else []
    fits = len(inputs) == len(outputs) == 1 and len(shape) == 4 and inputs[0].type in _TYPES
    if not fits or 3 not in (shape[1], shape[3]) or (isinstance(shape[0], int) and shape[0] != 1):
        described = ", ".join(f"{item.name} {item.type} {item.shape}" for item in inputs)
        raise InvalidInputError(
            f"{file} has {len(outputs)} outputs and the inputs {described}; expected one output, and one input of RGB "
            "pictures, float or uint8, of shape (1, 3, height, width) or (1, height, width, 3)"
        )
    dtype, channels_first = _TYPES[inputs[0].type], shape[1] == 3
    height, width = shape[2:] if channels_first else shape[1:3]
    size = (height, width) if isinstance(height, int) and isinstance(width, int) else None
    return _OnnxNetwork(session, dtype, channels_first, size, _range(dtype, input_range))


def _range(dtype: type[np.generic], wanted: str | None) -> str:
    """The range of the samples that a network takes; raises `InvalidInputError` if there is none of that name."""
    known = ("0..255",) if dtype is np.uint8 else tuple(INPUT_RANGES)
    if wanted is not None and wanted not in known:
        kind = f"of type {np.dtype(dtype)}"
        raise InvalidInputError(f"the range of an input {kind} is {' or '.join(known)}, got {wanted!r}")
    return known[0] if wanted is None else wanted


def _session(file: Path) -> Any:
    import onnxruntime

    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1  # several pictures at a time, each on one thread
    options.log_severity_level = 3  # errors only, which are raised as exceptions as well
    try:
        return onnxruntime.InferenceSession(str(file), options, providers=["CPUExecutionProvider"])
    except Exception as error:  # exceptions of ONNX Runtime have no common base class
        raise InvalidInputError(f"{file} is no ONNX model that can be run: {first_line(error)}") from None
