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

# Images before the standard error is trusted: with fewer, a few images that are all easy look like certainty.
_FEWEST = 32
# Images that bfloat16 is compared with float32 on.
_TRIAL = 64


def cross_entropy(output: Tensor, labels: Any) -> Tensor:
    """Cross-entropy of each image of a classifier.

    Parameters
    ----------
    output : Tensor, shape (N, classes)
        Logits.
    labels : array_like of int, shape (N,), optional
        Class indices. None takes the class that the model itself finds most likely.

    Returns
    -------
    Tensor, shape (N,)
    """
    import torch
    from torch.nn.functional import cross_entropy as per_image

    if getattr(output, "ndim", 0) != 2:
        found = getattr(output, "shape", type(output).__name__)
        raise InvalidInputError(f"cross-entropy needs logits of shape (N, classes), got {found}: name another loss")
    if labels is None:
        return per_image(output, output.argmax(1), reduction="none")
    classes = torch.as_tensor(labels, device=output.device)
    whole = not classes.is_floating_point() and classes.shape == output.shape[:1]
    if not whole or not bool(((classes >= 0) & (classes < output.shape[1])).all()):
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
    """Estimate how much a model minds an error in each DCT coefficient.

    For each image, the gradient of its own loss with respect to each DCT coefficient is squared and summed over the
    blocks; the weights are the means over images (OptS, eqs. (8) and (9)).

    Parameters
    ----------
    model : torch.nn.Module
        Takes RGB images of shape (N, 3, H, W) in 0..1: normalization belongs into the model. It runs in evaluation
        mode, so that images of a batch do not interact, on the device and in the precision of its parameters. Its
        modes are put back afterwards.
    batches : iterable
        Of images, or of pairs (images, labels). Images: (N, 3, H, W), floats in 0..1 or uint8; labels: whatever the
        loss takes.
    loss : callable, optional
        ``loss(output, labels)`` gives one loss for each image, shape (N,); labels are None where a batch has none. By
        default `cross_entropy`, which then takes the model's own prediction; with a quality,
        `optcodec.vision.operating.divergence` from the output on the clean image, which needs no labels.
    subsampling : str
        Chroma subsampling that errors will be made at: ``"4:4:4"``, ``"4:2:2"``, ``"4:2:0"`` or ``"4:4:0"``.
    quality : int, optional
        Operating point, 1..100: gradients are taken on the images as default JPEG at this quality factor leaves them,
        not on clean ones, where the loss of a well-trained model is nearly flat. For files much smaller than default
        JPEG at quality 90.
    until_stderr : float, optional
        Stop as soon as the standard error of every weight is at most this part of the weight, and 32 images are done.
    dtype : str
        ``"float32"`` leaves the model's own precision; ``"bfloat16"`` lets torch use bfloat16 where it pays.
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
        raise InvalidInputError(f"until_stderr is a positive part of the weights, got {until_stderr}")
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
            labels = labels.to(like.device)  # other kinds of labels are the loss's own affair
        with torch.enable_grad(), torch.autocast(like.device.type, torch.bfloat16, self.reduced and not exact):
            losses = self.loss(self.model(pixels), labels)
        if losses.shape != images.shape[:1]:
            raise InvalidInputError(
                f"expected a loss for each of {len(images)} images, got shape {tuple(losses.shape)}"
            )
        if not bool(losses.isfinite().all()):
            raise InvalidInputError(f"losses are finite, got {losses.tolist()}")
        # Each loss depends on its own image only, so one backward pass of the sum gives every image its own gradient.
        (gradient,) = torch.autograd.grad(losses.sum(), pixels, allow_unused=True) if losses.requires_grad else (None,)
        if gradient is None:
            raise InvalidInputError("expected a loss that torch can differentiate by the pixels, got one cut off")
        parts = component_gradients(gradient / 255, self.subsampling)  # samples are 0..255, the model takes 0..1
        energies = torch.stack([dct_energies(part) for part in parts], 1)
        return energies.cpu().double().numpy()  # in this order: some devices have no float64

    def _seen(self, images: Tensor, labels: Any) -> tuple[Tensor, Any]:
        """What the model is to see, and what its output is to be compared with."""
        import torch

        if self.quality is None:
            return images, labels
        if self.loss is divergence:
            with torch.no_grad():
                labels = self.model(images)
        return compressed(images, self.subsampling, self.quality), labels


@dataclass
class _Moments:
    """Running mean and spread of each weight over images, by Welford's method in batches (Chan et al., 1979)."""

    count: int = 0
    mean: Energies = field(default_factory=lambda: np.zeros((3, 8, 8)))
    squares: Energies = field(default_factory=lambda: np.zeros((3, 8, 8)))

    def add(self, values: Energies) -> None:
        more = len(values)
        total = self.count + more
        mean = values.mean(0)
        shift = mean - self.mean
        self.squares += np.square(values - mean).sum(0) + shift**2 * (self.count * more / total)
        self.mean = self.mean + shift * (more / total)
        self.count = total

    def standard_error(self) -> Energies:
        """Of each mean; infinite for a single image."""
        if self.count < 2:
            return np.full(self.mean.shape, np.inf)
        return np.sqrt(self.squares / (self.count - 1) / self.count)

    def relative_error(self) -> float:
        """Largest standard error of a weight, as a part of the weight. A weight that was always 0 counts as known."""
        error = self.standard_error()
        return float(np.divide(error, self.mean, out=np.zeros_like(error), where=self.mean > 0).max())


def _refuse_change(trial: _Moments, moments: _Moments) -> None:
    """Refuse bfloat16 where its mean change of a weight, measured on the first images, exceeds the standard error."""
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
