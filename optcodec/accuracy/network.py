"""Run a classifier on images, and compare its output with the true classes."""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.vision.estimate import cross_entropy
from optcodec.vision.running import as_used

if TYPE_CHECKING:
    from torch import Tensor, nn

    from optcodec.vision.models import TargetModel

__all__ = ["Scores", "logits_by", "logits_of", "module_sha256", "outputs_by", "prepared_pixels", "score"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of a network on N images, each array of shape (N,); see `optcodec.accuracy.rows.Rows`."""

    loss: npt.NDArray[np.float32]
    rank: npt.NDArray[np.int32]
    predicted: npt.NDArray[np.int32]


def logits_of(module: nn.Module, pictures: Sequence[Pixels], *, maps: bool = False) -> Tensor:
    """Logits of a network for some images.

    Parameters
    ----------
    module : torch.nn.Module
        Takes RGB of shape (N, 3, H, W) in 0..1.
    pictures : sequence of ndarray of uint8, shape (H, W, 3)
        All of the same size.
    maps : bool
        Whether the output may also be a map of logits, as of networks for segmentation.

    Returns
    -------
    Tensor of float32, shape (N, classes) or (N, classes, rows, columns)
        On the CPU.

    Raises
    ------
    InvalidInputError
        If the network does not take such images, or its output has another shape, or is not finite.
    """
    import torch

    output = _output_of(module, pictures)
    if getattr(output, "ndim", 0) not in ((2, 4) if maps else (2,)) or len(output) != len(pictures):
        wrong = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
        raise InvalidInputError(f"expected logits of shape ({len(pictures)}, classes), got {wrong}")
    with torch.inference_mode():
        logits: Tensor = output.float().cpu()
    if not bool(logits.isfinite().all()):
        raise InvalidInputError("expected finite logits, got infinite or undefined ones")
    return logits


def _output_of(module: nn.Module, pictures: Sequence[Pixels]) -> Any:
    """What a network gives for a batch of pictures, whatever that is."""
    import torch

    like = next(module.parameters(), torch.empty(0))
    with torch.inference_mode():
        batch = torch.from_numpy(np.stack(pictures)).to(like.device).permute(0, 3, 1, 2)
        try:
            return module(batch.to(like.dtype) / 255)
        except RuntimeError as error:
            size, reason = f"{batch.shape[3]}x{batch.shape[2]}", str(error).partition("\n")[0]
            raise InvalidInputError(f"the network does not take pictures of {size} pixels: {reason}") from None


def logits_by(target: TargetModel, *, maps: bool = False) -> Callable[[Pixels], Tensor]:
    """A function from pixels, gray or RGB, to what `logits_of` gives for them; a copy of the network is run."""
    module = as_used(target.module)
    return lambda pixels: logits_of(module, [_prepared(target, pixels)], maps=maps)


def outputs_by(target: TargetModel) -> Callable[[Pixels], Any]:
    """A function from pixels, gray or RGB, to what a network gives for a batch of this picture alone, whatever that is.

    A copy of the network is run.
    """
    module = as_used(target.module)
    return lambda pixels: _output_of(module, [_prepared(target, pixels)])


def _prepared(target: TargetModel, pixels: Pixels) -> Pixels:
    """A picture, gray or RGB, as the preprocessing of a network gives it."""
    from PIL import Image

    return prepared_pixels(target, target.preprocess(Image.fromarray(pixels).convert("RGB")))


def prepared_pixels(target: TargetModel, prepared: Tensor) -> Pixels:
    """What the preprocessing of a network gives, as pixels (H, W, 3).

    Raises
    ------
    InvalidInputError
        If it is no tensor of uint8 of shape (3, H, W).
    """
    import torch

    wrong = None
    if not isinstance(prepared, torch.Tensor):
        wrong = type(prepared).__name__
    elif prepared.dtype != torch.uint8 or prepared.ndim != 3 or len(prepared) != 3:
        wrong = f"{str(prepared.dtype).removeprefix('torch.')} of shape {tuple(prepared.shape)}"
    if wrong is not None:
        raise InvalidInputError(
            f"expected preprocessing of {target.name} to give uint8 of shape (3, H, W), got {wrong}"
        )
    return np.ascontiguousarray(prepared.cpu().numpy().transpose(1, 2, 0))


def score(logits: Tensor, label: int) -> Scores:
    """Compare logits with the true class, which is the same for all these images.

    Raises
    ------
    InvalidInputError
        If the label is not the index of a class.
    """
    import torch

    loss = cross_entropy(logits, torch.full((len(logits),), label))
    rank = (logits > logits[:, label, None]).sum(1)
    return Scores(loss.numpy(), rank.int().numpy(), logits.argmax(1).int().numpy())


def module_sha256(module: nn.Module) -> str:
    """SHA-256 of the names and contents of all tensors of a network, in hexadecimal digits."""
    import torch

    digest = hashlib.sha256()
    for name, tensor in module.state_dict().items():
        digest.update(name.encode())
        digest.update(tensor.detach().cpu().reshape(-1).view(torch.uint8).numpy().tobytes())
    return digest.hexdigest()
