"""Networks as readers of decoded pictures, for the loop of the encoder; see `optcodec.loop.reader`."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.scalars import whole_number
from optcodec.values import Value
from optcodec.vision.models import TargetModel
from optcodec.vision.operating import divergence, loss_increase
from optcodec.vision.running import as_used
from optcodec.vision.views import VIEWS, seen

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["NetworkReader"]

Pixels = npt.NDArray[np.uint8]

_PROBES = 4  # random numbers for each output of which the sensitivity is a mean


@dataclass(frozen=True, eq=False)
class NetworkReader(Value):
    """A network that reads the files: their loss is how far its output moves from that on the original.

    Parameters
    ----------
    model : torch.nn.Module or TargetModel
        A network that takes RGB of shape (N, 3, H, W) in 0..1; normalization is inside. Pictures go to a module as they
        are; to what `optcodec.vision.models.load_model` gives, resized and cropped as the network expects, which is
        part of what is differentiated. It is copied, and runs in evaluation mode, where its parameters are.
    loss : callable, optional
        ``loss(output, reference)`` gives a loss for each picture, shape (N,), from the outputs on decoded and on
        original pictures. By default `optcodec.vision.operating.divergence`: of the classes' probabilities, in nats,
        of a picture or on average over a map of classes (N, classes, rows, columns).
    views : int
        1..5: over how many views of the picture the loss is averaged: as it is; shifted by 3 and 5 pixels; mirrored;
        shifted the other way by 6 and 2 pixels; and scaled by 0.9 and back. A file that is made for one view alone may
        lose most of its advantage where the network sees another one.

    Raises
    ------
    InvalidInputError
        If an argument is of another kind, or torch is missing; when a picture is read, if the network does not take it,
        or gives an output or a loss that is not finite or of another kind.

    Notes
    -----
    Sums of torch may differ in their last bits with the number of its threads, and then the files may. On the command
    line torch has one thread for each file.
    """

    model: nn.Module | TargetModel
    loss: Callable[[Any, Any], Tensor] | None = None
    views: int = len(VIEWS)
    _network: nn.Module = field(init=False, repr=False)

    def __post_init__(self) -> None:
        require_packages("torch")
        import torch

        module = self.model.module if isinstance(self.model, TargetModel) else self.model
        if not isinstance(module, torch.nn.Module):
            raise InvalidInputError(f"a network is a torch module or a TargetModel, got {type(module).__name__}")
        if self.loss is not None and not callable(self.loss):
            raise InvalidInputError(f"a loss is a function of two outputs, got {self.loss!r}")
        whole_number(self.views, "views", 1, len(VIEWS))
        object.__setattr__(self, "_network", as_used(module).requires_grad_(False))

    def __call__(self, original: Pixels, /) -> _NetworkReading:
        """What the network makes of decoded versions of a picture."""
        return _NetworkReading(self, original)

    def outputs(self, pictures: Tensor, views: int) -> Any:
        """Outputs on views of a picture (1, 3, H, W) in 0..1, one of the batch for each view."""
        import torch

        try:
            return self._network(torch.cat([self._prepared(view) for view in seen(pictures, views)]))
        except (RuntimeError, TypeError, ValueError) as error:
            size = f"{pictures.shape[3]}x{pictures.shape[2]}"
            reason = str(error).partition("\n")[0]
            raise InvalidInputError(f"the network does not take pictures of {size} pixels: {reason}") from None

    def tensor(self, pixels: Pixels) -> Tensor:
        """Pixels as a picture (1, 3, H, W) in 0..1, where the network is; three equal channels if they are grey."""
        import torch

        like = next(self._network.parameters(), torch.empty(0))
        planes = np.repeat(pixels[None], 3, 0) if pixels.ndim == 2 else pixels.transpose(2, 0, 1)
        picture = torch.from_numpy(np.array(planes, order="C"))[None].to(like.device, like.dtype)
        return picture / 255

    def _prepared(self, view: Tensor) -> Tensor:
        model = self.model
        if not isinstance(model, TargetModel):
            return view
        if model.resample is not None:
            return model.resample(view)
        _check_unchanged(model, view)
        return view


@dataclass(frozen=True, eq=False)
class _NetworkReading:
    """The reading of one picture; see `optcodec.loop.reader.Reading`."""

    reader: NetworkReader
    original: Pixels
    _reference: Any = field(init=False, repr=False)

    def __post_init__(self) -> None:
        reference = self._output(self.original, self.reader.views)
        if self.reader.loss is None:
            _check_logits(reference)
        object.__setattr__(self, "_reference", reference)

    def __call__(self, decoded: Pixels, /) -> tuple[float, npt.NDArray[np.float32]]:
        """Mean loss of the views of decoded pixels, and its gradient."""
        import torch

        picture = self.reader.tensor(decoded).requires_grad_(True)
        with torch.enable_grad():
            loss = self._mean_loss(picture)
            if not loss.requires_grad:
                raise InvalidInputError("expected a loss that torch can differentiate by pixels, got a detached one")
            (gradient,) = torch.autograd.grad(loss, picture, allow_unused=True)
        if gradient is None:
            raise InvalidInputError("the loss of the network does not depend on the pixels; expected one that does")
        planes = (gradient[0] / 255).float().cpu().numpy()
        by_pixel = planes.sum(0) if decoded.ndim == 2 else planes.transpose(1, 2, 0)
        return float(loss.detach()), np.ascontiguousarray(by_pixel)

    def loss(self, decoded: Pixels) -> float:
        """Mean loss of the views of decoded pixels."""
        import torch

        with torch.no_grad():
            return float(self._mean_loss(self.reader.tensor(decoded)))

    def sensitivity(self) -> npt.NDArray[np.float32] | None:
        """What a squared error of each pixel adds to the divergence; None for other losses.

        It is the diagonal of the Fisher information of the class probabilities p of all views, summed over the channels
        of a pixel, from random numbers e: of the derivative of ``sum(sqrt(p) e log p)`` the expected square.
        """
        import torch

        if self.reader.loss is not None:
            return None
        picture = self.reader.tensor(self.original).requires_grad_(True)
        random, total = torch.Generator().manual_seed(0), torch.zeros_like(picture)
        with torch.enable_grad():
            output = self.reader.outputs(picture, self.reader.views).log_softmax(1)
            weights = output.detach().div(2).exp()
            for _ in range(_PROBES):
                numbers = torch.randn(output.shape, generator=random).to(output)
                (gradient,) = torch.autograd.grad((weights * numbers * output).sum(), picture, retain_graph=True)
                total += gradient.square()
        squares: npt.NDArray[np.float32] = total[0].sum(0).float().cpu().numpy()
        return squares

    def loss_increase(self, decoded: Pixels) -> float:
        """By how much the cross-entropy has grown of the most likely class of the original, in the worst of the views.

        It falls in some views while it grows in others, so that a mean of them would hide how much.
        """
        output = self._output(decoded, self.reader.views)
        for logits in (output, self._reference):
            _check_logits(logits)
        return float(loss_increase(output, self._reference).max())

    def agrees(self, decoded: Pixels) -> bool:
        """Whether the most likely class is that of the original, both as they are."""
        output = self._output(decoded, 1)
        _check_logits(output, maps=False)
        _check_logits(self._reference, maps=False)
        return bool(output[0].argmax() == self._reference[0].argmax())

    def _output(self, decoded: Pixels, views: int) -> Any:
        """Output on views of decoded pixels, without gradients."""
        import torch

        with torch.no_grad():
            return self.reader.outputs(self.reader.tensor(decoded), views)

    def _mean_loss(self, picture: Tensor) -> Tensor:
        import torch

        views = self.reader.views
        output = self.reader.outputs(picture, views)
        losses = (self.reader.loss or divergence)(output, self._reference)
        if not isinstance(losses, torch.Tensor) or losses.shape != (views,):
            shape = tuple(getattr(losses, "shape", ())) or type(losses).__name__
            raise InvalidInputError(f"expected a loss for each of {views} views, got {shape}")
        if not bool(losses.isfinite().all()):
            raise InvalidInputError(f"losses of a network are finite, got {losses.tolist()}")
        return losses.mean()


def _check_logits(output: Any, *, maps: bool = True) -> None:
    """Refuse outputs that are no finite logits, of a picture or of a map."""
    if getattr(output, "ndim", 0) not in ((2, 4) if maps else (2,)):
        wrong = tuple(getattr(output, "shape", ())) or type(output).__name__
        hint = "name another loss" if maps else "there is no decision on the whole picture"
        raise InvalidInputError(f"expected logits of shape (N, classes), got {wrong}: {hint}")
    if not bool(output.isfinite().all()):
        raise InvalidInputError("the output of the network on the original is not finite; expected finite logits")


def _check_unchanged(model: TargetModel, view: Tensor) -> None:
    """Refuse pictures that are resized before the network in a way that torch cannot differentiate."""
    from PIL import Image

    pixels = (view.detach()[0] * 255).round().byte().cpu().permute(1, 2, 0).numpy()
    prepared = model.preprocess(Image.fromarray(pixels)).permute(1, 2, 0).cpu().numpy()
    if prepared.shape != pixels.shape or not np.array_equal(prepared, pixels):
        size = f"{pixels.shape[1]}x{pixels.shape[0]}"
        raise InvalidInputError(
            f"{model.name} changes pictures of {size} pixels before it reads them, and has no resample that torch can "
            "differentiate; expected a TargetModel with one"
        )
