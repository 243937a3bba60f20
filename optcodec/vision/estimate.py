"""Estimate a sensitivity profile from the gradients of a torch model (OptS, eqs. (8) and (9))."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np

from optcodec import __version__
from optcodec.errors import InvalidInputError
from optcodec.vision.measure import Loss, Measure, Part, cross_entropy, evaluation_mode
from optcodec.vision.moments import Moments
from optcodec.vision.profile import Provenance, SensitivityProfile

if TYPE_CHECKING:
    from torch import nn

__all__ = ["Estimate", "Loss", "cross_entropy", "estimate_sensitivity"]

# Fewest images for a reliable standard error: with fewer, a chance run of easy images would make it too small.
_FEWEST = 32
# Number of images on which bfloat16 is compared with float32.
_TRIAL = 64


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
    measure = Measure.of(model, loss, subsampling=subsampling, quality=quality, dtype=dtype)
    estimate = Estimate(measure, until_stderr, progress)
    with evaluation_mode(model):
        for batch in batches:
            if estimate.add(measure.part(batch, compare=estimate.compares)):
                break
    return estimate.profile()


@dataclass
class Estimate:
    """An estimate to which the parts of batches are added, in the order of the batches.

    Parameters
    ----------
    measure : Measure
        What measures the batches, here or elsewhere.
    until_stderr : float, optional
        Stop when at least 32 images are done and the relative standard error of every weight is at most this.
    progress : callable, optional
        As in `estimate_sensitivity`.

    Raises
    ------
    InvalidInputError
        If `until_stderr` is not above 0.
    """

    measure: Measure
    until_stderr: float | None = None
    progress: Callable[[int, float], None] | None = None
    _moments: Moments = field(default_factory=Moments, init=False)
    _trial: Moments = field(default_factory=Moments, init=False)
    _sizes: set[str] = field(default_factory=set, init=False)

    def __post_init__(self) -> None:
        if self.until_stderr is not None and not self.until_stderr > 0:
            raise InvalidInputError(f"until_stderr is a relative standard error above 0, got {self.until_stderr}")

    @property
    def compares(self) -> bool:
        """Whether the next part shall also say what bfloat16 changes."""
        return self.measure.reduced and self._trial.count < _TRIAL

    def add(self, part: Part) -> bool:
        """Add the next batch; whether every weight is now known well enough.

        Raises
        ------
        InvalidInputError
            If bfloat16 changes a weight by more than its standard error.
        """
        if self.compares and part.change is not None:
            self._trial = self._trial.merged(part.change)
        self._moments = self._moments.merged(part.moments)
        self._sizes.add(part.size)
        count, worst = self._moments.count, self._moments.relative_error()
        if self.measure.reduced and count >= _FEWEST:
            _refuse_change(self._trial, self._moments)
        if self.progress is not None:
            self.progress(count, worst)
        return self.until_stderr is not None and count >= _FEWEST and worst <= self.until_stderr

    def profile(self) -> SensitivityProfile:
        """The profile of all parts, named after the class of the model.

        Raises
        ------
        InvalidInputError
            If there is none, no loss depends on the pixels, or bfloat16 changes a weight by more than its standard
            error.
        """
        moments, measure = self._moments, self.measure
        if measure.reduced:
            _refuse_change(self._trial, moments)
        if not moments.count:
            raise InvalidInputError("expected at least one batch of images, got none")
        if not moments.mean.any():
            raise InvalidInputError(
                f"the loss of {moments.count} images does not depend on their pixels: all gradients are 0"
            )
        name = type(measure.model).__name__
        provenance = Provenance(
            model=name,
            images=moments.count,
            loss=getattr(measure.loss, "__name__", type(measure.loss).__name__),
            image_size=next(iter(self._sizes)) if len(self._sizes) == 1 else "",
            subsampling=measure.subsampling,
            quality=measure.quality,
            standard_errors=moments.standard_error() if moments.count > 1 else None,
            version=__version__,
        )
        return SensitivityProfile(name, moments.mean, provenance)


def _refuse_change(trial: Moments, moments: Moments) -> None:
    """Raise `InvalidInputError` if bfloat16 changes a weight by more than its standard error, on the first images."""
    change, error = np.abs(trial.mean), moments.standard_error()
    worst = np.unravel_index(np.argmax(change - error), change.shape)
    if change[worst] > error[worst]:
        raise InvalidInputError(
            f"bfloat16 changes the weight {tuple(map(int, worst))} by {change[worst]:.3g}, "
            f"more than its standard error {error[worst]:.3g} after {moments.count} images: use float32"
        )
