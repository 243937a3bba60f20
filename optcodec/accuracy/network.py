"""Run a classifier on images, and compare its output with the true classes."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.vision.estimate import cross_entropy

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Scores", "logits_of", "module_sha256", "score"]

Pixels = npt.NDArray[np.uint8]


@dataclass(frozen=True, eq=False)
class Scores:
    """Scores of a network on N images, each array of shape (N,); see `optcodec.accuracy.rows.Rows`."""

    loss: npt.NDArray[np.float32]
    rank: npt.NDArray[np.int32]
    predicted: npt.NDArray[np.int32]


def logits_of(module: nn.Module, pictures: Sequence[Pixels]) -> Tensor:
    """Logits of a network for some images.

    Parameters
    ----------
    module : torch.nn.Module
        Takes RGB of shape (N, 3, H, W) in 0..1.
    pictures : sequence of ndarray of uint8, shape (H, W, 3)
        All of the same size.

    Returns
    -------
    Tensor of float32, shape (N, classes)
        On the CPU.

    Raises
    ------
    InvalidInputError
        If the output of the network has another shape, or is not finite.
    """
    import torch

    like = next(module.parameters(), torch.empty(0))
    with torch.inference_mode():
        batch = torch.from_numpy(np.stack(pictures)).to(like.device).permute(0, 3, 1, 2)
        output = module(batch.to(like.dtype) / 255)
        if getattr(output, "ndim", 0) != 2 or len(output) != len(pictures):
            wrong = tuple(output.shape) if isinstance(output, torch.Tensor) else type(output).__name__
            raise InvalidInputError(f"expected logits of shape ({len(pictures)}, classes), got {wrong}")
        logits: Tensor = output.float().cpu()
    if not bool(logits.isfinite().all()):
        raise InvalidInputError("expected finite logits, got infinite or undefined ones")
    return logits


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
