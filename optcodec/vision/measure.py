"""Gradients of a torch model on one batch of images, as energies at each DCT frequency (OptS, eqs. (8) and (9))."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.jpeg.image import sampling_factors
from optcodec.jpeg.tables import check_quality
from optcodec.vision.gradients import component_gradients, dct_energies
from optcodec.vision.moments import Energies, Moments
from optcodec.vision.operating import compressed, divergence

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Loss", "Measure", "Part", "cross_entropy", "evaluation_mode"]

Loss = Callable[[Any, Any], "Tensor"]


def cross_entropy(output: Tensor, labels: Any) -> Tensor:
    """Cross-entropy of each image of a classifier.

    Parameters
    ----------
    output : Tensor, shape (N, classes)
        Logits.
    labels : array_like of int, shape (N,), optional
        Class indices; None for the most likely class of each image.

    Returns
    -------
    Tensor, shape (N,)
        In nats.
    """
    import torch
    from torch.nn.functional import cross_entropy as per_image

    if getattr(output, "ndim", 0) != 2:
        wrong = getattr(output, "shape", type(output).__name__)
        raise InvalidInputError(f"cross-entropy needs logits of shape (N, classes), got {wrong}: name another loss")
    if labels is None:
        return per_image(output, output.argmax(1), reduction="none")
    classes = torch.as_tensor(labels, device=output.device)
    are_indices = not classes.is_floating_point() and classes.shape == output.shape[:1]
    if not are_indices or not bool(((classes >= 0) & (classes < output.shape[1])).all()):
        raise InvalidInputError(f"expected {len(output)} labels in 0..{output.shape[1] - 1}, got {classes.tolist()}")
    return per_image(output, classes.long(), reduction="none")


@dataclass(frozen=True, eq=False)
class Part:
    """What one batch adds to an estimate.

    Parameters
    ----------
    moments : Moments
        Of the energies of its images.
    change : Moments, optional
        Of what bfloat16 takes from them.
    size : str
        Width and height of its images, such as ``"224x224"``.
    """

    moments: Moments
    change: Moments | None
    size: str


@dataclass(frozen=True)
class Measure:
    """What the gradients of a model say of batches of images.

    Parameters
    ----------
    model : torch.nn.Module
        In evaluation mode.
    loss : callable
        A loss for each image.
    subsampling : str
        Of the errors.
    quality : int or None
        Operating point.
    reduced : bool
        Whether torch may use bfloat16.
    """

    model: nn.Module
    loss: Loss
    subsampling: str
    quality: int | None
    reduced: bool

    @classmethod
    def of(cls, model: nn.Module, loss: Loss | None, *, subsampling: str, quality: int | None, dtype: str) -> Measure:
        """Check the options of `optcodec.vision.estimate.estimate_sensitivity` that are about single batches.

        Raises
        ------
        InvalidInputError
            If one of them is not as described there, or torch is missing.
        """
        sampling_factors(subsampling)
        if dtype not in ("float32", "bfloat16"):
            raise InvalidInputError(f"dtype is float32 or bfloat16, got {dtype!r}")
        if quality is not None:
            check_quality(quality)
        require_packages("torch")
        loss = loss or (cross_entropy if quality is None else divergence)
        return cls(model, loss, subsampling, quality, dtype == "bfloat16")

    def part(self, batch: Any, *, compare: bool) -> Part:
        """Measure a batch: images, or a pair (images, labels).

        Parameters
        ----------
        batch : array_like, or pair
            As in `optcodec.vision.estimate.estimate_sensitivity`.
        compare : bool
            Also measure what bfloat16 changes.
        """
        images, labels = _images_and_labels(batch)
        energies = self._energies(images, labels)
        change = Moments.of(self._energies(images, labels, exact=True) - energies) if compare else None
        return Part(Moments.of(energies), change, f"{images.shape[3]}x{images.shape[2]}")

    def _energies(self, images: Tensor, labels: Any, *, exact: bool = False) -> Energies:
        """Squared DCT gradients of each image of a batch, shape (N, 3, 8, 8), whichever modes of torch are on."""
        import torch

        like = next(self.model.parameters(), images.new_empty(0, dtype=torch.float32))
        with torch.enable_grad(), torch.autocast(like.device.type, enabled=False):
            return self._energies_like(like, images, labels, exact=exact)

    def _energies_like(self, like: Tensor, images: Tensor, labels: Any, *, exact: bool) -> Energies:
        """The same, where a tensor of the model is, and in its type."""
        import torch

        pixels, labels = self._seen(images.to(like.device, like.dtype), labels)
        pixels.requires_grad_(True)
        if isinstance(labels, torch.Tensor):
            labels = labels.to(like.device)  # other types of labels are passed to the loss unchanged
        with torch.autocast(like.device.type, torch.bfloat16, self.reduced and not exact):
            losses = self.loss(self.model(pixels), labels)
        if losses.shape != images.shape[:1]:
            raise InvalidInputError(
                f"expected a loss for each of {len(images)} images, got shape {tuple(losses.shape)}"
            )
        if not bool(losses.isfinite().all()):
            raise InvalidInputError(f"losses are finite, got {losses.tolist()}")
        # Each loss depends on one image only, so one backward pass of the sum gives the gradient of every loss.
        (gradient,) = torch.autograd.grad(losses.sum(), pixels, allow_unused=True) if losses.requires_grad else (None,)
        if gradient is None:
            raise InvalidInputError(
                "expected a loss that torch can differentiate with respect to the pixels, got a detached one"
            )
        parts = component_gradients(gradient / 255, self.subsampling)  # samples are 0..255, the model takes 0..1
        energies = torch.stack([dct_energies(part) for part in parts], 1)
        return energies.cpu().double().numpy()  # first to the CPU, since some devices have no float64

    def _seen(self, images: Tensor, labels: Any) -> tuple[Tensor, Any]:
        """Images for the model, compressed if there is a quality, and labels for the loss."""
        import torch

        if self.quality is None:
            return images, labels
        if self.loss is divergence:
            with torch.no_grad():
                labels = self.model(images)
        return compressed(images, self.subsampling, self.quality), labels


@contextmanager
def evaluation_mode(model: nn.Module) -> Iterator[None]:
    """Run a model in evaluation mode, in which images of a batch do not interact; modes are restored afterwards."""
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training


def _images_and_labels(batch: Any) -> tuple[Tensor, Any]:
    import torch

    images, labels = batch if isinstance(batch, (tuple, list)) else (batch, None)
    images = torch.as_tensor(images)
    if images.ndim != 4 or images.shape[1] != 3 or images.numel() == 0:
        raise InvalidInputError(f"expected images of shape (N, 3, H, W), got {tuple(images.shape)}")
    if images.dtype == torch.uint8:
        return images.float() / 255, labels
    if not images.is_floating_point():
        raise InvalidInputError(f"expected images in uint8, or floats in 0..1; got {images.dtype}")
    low, high = float(images.min()), float(images.max())
    if not (low >= 0 and high <= 1):
        raise InvalidInputError(f"expected float images in 0..1, got values from {low} to {high}")
    return images.detach(), labels
