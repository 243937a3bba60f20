"""Operating point of a profile: compress images with default JPEG, and measure the change in a model's output."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np

from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import Metadata
from optcodec.jpeg.sources import PixelSource
from optcodec.jpeg.tables import annex_k_tables

if TYPE_CHECKING:
    from torch import Tensor

__all__ = ["compressed", "divergence", "loss_increase"]


def compressed(images: Tensor, subsampling: str, quality: int) -> Tensor:
    """Compress images with default JPEG, and decode them.

    Parameters
    ----------
    images : Tensor, shape (N, 3, H, W)
        RGB in 0..1; rounded to 8 bits before encoding.
    subsampling : str
        Chroma subsampling of the files.
    quality : int
        Quality factor of the files, 1..100.

    Returns
    -------
    Tensor, shape (N, 3, H, W)
        Multiples of 1/255, on the device and in the precision of ``images``.
    """
    import torch
    from PIL import Image

    pixels = (images.detach() * 255).round().to("cpu", torch.uint8).permute(0, 2, 3, 1).contiguous().numpy()
    tables = annex_k_tables(quality)
    files = [PixelSource(image, subsampling, "float", False, Metadata(), 0, 1).encoded(tables) for image in pixels]
    decoded = np.stack([np.asarray(Image.open(io.BytesIO(file)).convert("RGB")) for file in files])
    return torch.from_numpy(decoded).permute(0, 3, 1, 2).to(images.device, images.dtype) / 255


def divergence(output: Tensor, reference: Tensor) -> Tensor:
    """Kullback-Leibler divergence of the class probabilities of each image from those of a reference.

    Parameters
    ----------
    output, reference : Tensor, shape (N, classes) or (N, classes, rows, columns)
        Logits; of a map, the mean over its positions is taken.

    Returns
    -------
    Tensor, shape (N,)
        In nats.
    """
    from torch.nn.functional import kl_div

    if getattr(output, "ndim", 0) not in (2, 4):
        wrong = getattr(output, "shape", type(output).__name__)
        raise InvalidInputError(f"a divergence needs logits of shape (N, classes), got {wrong}: name another loss")
    return _of_image(kl_div(output.log_softmax(1), reference.log_softmax(1), reduction="none", log_target=True).sum(1))


def loss_increase(output: Tensor, reference: Tensor) -> Tensor:
    """By how much the cross-entropy of each image has grown, of the class that is most likely in a reference.

    Parameters
    ----------
    output, reference : Tensor, shape (N, classes) or (N, classes, rows, columns)
        Logits; of a map, the mean over its positions is taken.

    Returns
    -------
    Tensor, shape (N,)
        In nats; negative where it fell.
    """
    classes = reference.argmax(1, keepdim=True)
    return _of_image((reference.log_softmax(1) - output.log_softmax(1)).gather(1, classes).squeeze(1))


def _of_image(values: Tensor) -> Tensor:
    """Values of images, shape (N,), from those of images or of all positions of maps."""
    return values if values.ndim == 1 else values.mean((1, 2))
