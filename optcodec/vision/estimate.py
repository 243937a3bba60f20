"""Estimate a sensitivity profile from the gradients of a torch model (OptS, eqs. (8) and (9))."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec import __version__
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.jpeg.image import sampling_factors
from optcodec.jpeg.tables import check_quality
from optcodec.vision.gradients import component_gradients, dct_energies
from optcodec.vision.operating import compressed, divergence
from optcodec.vision.profile import Provenance, SensitivityProfile

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["Loss", "cross_entropy", "estimate_sensitivity"]

Loss = Callable[[Any, Any], "Tensor"]
Energies = npt.NDArray[np.float64]

# Fewest images for a reliable standard error: with fewer, a chance run of easy images would make it too small.
_FEWEST = 32
# Number of images on which bfloat16 is compared with float32.
_TRIAL = 64


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


def estimate_sensitivity(
    model: nn.Module,
    batches: Iterable[Any],
    *,
    loss: Loss | None = None,
    subsampling: str = "4:4:4",
    quality: int | None = None,
    until_stderr: float | None = None,
    dtype: str = "float32",
    progress: Callable[[int, float], None] | None = None,
) -> SensitivityProfile:
    """Estimate how much an error in each DCT coefficient changes the loss of a model.

    For each image, the gradient of its loss with respect to each DCT coefficient is squared and summed over the
    blocks; the weights are the means over images (OptS, eqs. (8) and (9)).

    Parameters
    ----------
    model : torch.nn.Module
        Takes RGB images of shape (N, 3, H, W) in 0..1; normalization must be part of the model. It runs in evaluation
        mode, so that images of a batch do not interact, on the device and in the precision of its parameters. The mode
        of each of its modules is restored afterwards.
    batches : iterable
        Batches of images, or pairs (images, labels). Images have shape (N, 3, H, W), and are floats in 0..1 or uint8;
        labels are passed to the loss.
    loss : callable, optional
        ``loss(output, labels)`` returns one loss for each image, shape (N,); labels are None for batches without them.
        By default `cross_entropy`, which uses the model's own prediction if there are no labels; with a quality,
        `optcodec.vision.operating.divergence` from the output on the clean image, which needs no labels.
    subsampling : str
        Chroma subsampling of the errors: ``"4:4:4"``, ``"4:2:2"``, ``"4:2:0"`` or ``"4:4:0"``.
    quality : int, optional
        Operating point, 1..100: gradients are computed on images compressed with default JPEG at this quality factor.
        On clean images the loss of a well-trained model is nearly flat. Use it for files much smaller than default JPEG
        at quality 90.
    until_stderr : float, optional
        Stop when at least 32 images are done and the relative standard error of every weight is at most this.
    dtype : str
        ``"float32"`` keeps the precision of the model; ``"bfloat16"`` allows torch to use bfloat16 where it is faster.
    progress : callable, optional
        Called after each batch with the number of images done and the largest relative standard error so far.

    Returns
    -------
    SensitivityProfile
        Weights in loss squared per coefficient unit squared, for samples in 0..255, with their standard errors. Its
        name is the class of the model.

    Raises
    ------
    InvalidInputError
        If an argument or a batch is not as described, a loss is not finite, bfloat16 changes a weight by more than
        its standard error, or torch is missing.
    """
    sampling_factors(subsampling)
    if until_stderr is not None and not until_stderr > 0:
        raise InvalidInputError(f"until_stderr is a relative standard error above 0, got {until_stderr}")
    if dtype not in ("float32", "bfloat16"):
        raise InvalidInputError(f"dtype is float32 or bfloat16, got {dtype!r}")
    if quality is not None:
        check_quality(quality)
    require_packages("torch")
    loss = loss or (cross_entropy if quality is None else divergence)
    measure = _Measure(model, loss, subsampling, quality, dtype == "bfloat16")
    moments, trial, sizes = _Moments(), _Moments(), set()
    with _evaluation_mode(model):
        for images, labels in map(_images_and_labels, batches):
            energies = measure(images, labels)
            moments.add(energies)
            sizes.add(f"{images.shape[3]}x{images.shape[2]}")
            if measure.reduced:
                if trial.count < _TRIAL:
                    trial.add(measure(images, labels, exact=True) - energies)
                if moments.count >= _FEWEST:
                    _refuse_change(trial, moments)
            worst = moments.relative_error()
            if progress is not None:
                progress(moments.count, worst)
            if until_stderr is not None and moments.count >= _FEWEST and worst <= until_stderr:
                break
    if measure.reduced:
        _refuse_change(trial, moments)
    return _profile(model, measure, moments, sizes)


def _profile(model: nn.Module, measure: _Measure, moments: _Moments, sizes: set[str]) -> SensitivityProfile:
    if not moments.count:
        raise InvalidInputError("expected at least one batch of images, got none")
    if not moments.mean.any():
        raise InvalidInputError(
            f"the loss of {moments.count} images does not depend on their pixels: all gradients are 0"
        )
    name = type(model).__name__
    provenance = Provenance(
        model=name,
        images=moments.count,
        loss=getattr(measure.loss, "__name__", type(measure.loss).__name__),
        image_size=sizes.pop() if len(sizes) == 1 else "",
        subsampling=measure.subsampling,
        quality=measure.quality,
        standard_errors=moments.standard_error() if moments.count > 1 else None,
        version=__version__,
    )
    return SensitivityProfile(name, moments.mean, provenance)


@dataclass(frozen=True)
class _Measure:
    """Squared DCT gradients of the images of a batch: ``measure(images, labels)`` has shape (N, 3, 8, 8)."""

    model: nn.Module
    loss: Loss
    subsampling: str
    quality: int | None
    reduced: bool

    def __call__(self, images: Tensor, labels: Any, *, exact: bool = False) -> Energies:
        import torch

        like = next(self.model.parameters(), images.new_empty(0, dtype=torch.float32))
        pixels, labels = self._seen(images.to(like.device, like.dtype), labels)
        pixels.requires_grad_(True)
        if isinstance(labels, torch.Tensor):
            labels = labels.to(like.device)  # other types of labels are passed to the loss unchanged
        with torch.enable_grad(), torch.autocast(like.device.type, torch.bfloat16, self.reduced and not exact):
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


@dataclass
class _Moments:
    """Running mean and sum of squared deviations of each weight over images, in batches (Chan et al., 1979)."""

    count: int = 0
    mean: Energies = field(default_factory=lambda: np.zeros((3, 8, 8)))
    squares: Energies = field(default_factory=lambda: np.zeros((3, 8, 8)))

    def add(self, values: Energies) -> None:
        added = len(values)
        total = self.count + added
        mean = values.mean(0)
        shift = mean - self.mean
        self.squares += np.square(values - mean).sum(0) + shift**2 * (self.count * added / total)
        self.mean = self.mean + shift * (added / total)
        self.count = total

    def standard_error(self) -> Energies:
        """Standard error of each mean; infinite for a single image."""
        if self.count < 2:
            return np.full(self.mean.shape, np.inf)
        return np.sqrt(self.squares / (self.count - 1) / self.count)

    def relative_error(self) -> float:
        """Largest relative standard error of a weight; weights that were 0 for every image are left out."""
        error = self.standard_error()
        return float(np.divide(error, self.mean, out=np.zeros_like(error), where=self.mean > 0).max())


def _refuse_change(trial: _Moments, moments: _Moments) -> None:
    """Raise `InvalidInputError` if bfloat16 changes a weight by more than its standard error, on the first images."""
    change, error = np.abs(trial.mean), moments.standard_error()
    worst = np.unravel_index(np.argmax(change - error), change.shape)
    if change[worst] > error[worst]:
        raise InvalidInputError(
            f"bfloat16 changes the weight {tuple(map(int, worst))} by {change[worst]:.3g}, "
            f"more than its standard error {error[worst]:.3g} after {moments.count} images: use float32"
        )


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


@contextmanager
def _evaluation_mode(model: nn.Module) -> Iterator[None]:
    modes = {module: module.training for module in model.modules()}
    model.eval()
    try:
        yield
    finally:
        for module, training in modes.items():
            module.training = training
