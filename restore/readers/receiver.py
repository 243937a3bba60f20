"""The receiver of this package as a reader: what it restores from a file, step by step in torch.

The steps are those of `restore.runtime.infer`, with networks in 32-bit floats and without rounding to whole samples, so
that the error of the restored picture has a gradient by the decoded samples.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec import Pace
from restore.readers.hinted import weighed
from restore.readers.regions import PACE, Region, regions, total_error
from restore.runtime.cells import DCT, interval_ends
from restore.runtime.change import is_constant
from restore.runtime.decode import Received, receive
from restore.runtime.hint import Hint
from restore.runtime.hinting import best_hint, hinted
from restore.runtime.image import TO_RGB
from restore.runtime.infer import decoded_planes
from restore.runtime.settings import GRID

if TYPE_CHECKING:
    from torch import Tensor, nn

    from restore.runtime.models import Model

__all__ = ["ReceiverReader"]

Samples = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_SIDE = 512  # of a region, in pixels
# RGB to Y, Cb, Cr, without the offset of 128 (T.871, clause 7).
_FROM_RGB = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)


@dataclass(frozen=True, eq=False)
class ReceiverReader:
    """Networks that restore JPEG files: their loss is the squared error of the restored picture against the original.

    Parameters
    ----------
    luminance : Module
        A network for luminance, in 32-bit floats.
    chrominance : Module, optional
        A network for chrominance.
    hints : Model, optional
        The same networks as a model of `restore.load_model`, if the file shall get a hint for it: the loss is that with
        the hint.
    """

    luminance: nn.Module
    chrominance: nn.Module | None = None
    hints: Model | None = None

    def __call__(self, original: Samples, /) -> _ReceiverReading:
        """What the networks make of files of a picture."""
        return _ReceiverReading(self, original)

    @property
    def border(self) -> int:
        """What the networks see around a region, in pixels."""
        from restore.export.model_files import receptive_radius

        radii = [receptive_radius(network) for network in (self.luminance, self.chrominance) if network is not None]
        return -(-sum(radii) // GRID) * GRID


@dataclass(frozen=True, eq=False)
class _ReceiverReading:
    """The reading of one picture, of one of its files; see `optcodec.Reading`."""

    reader: ReceiverReader
    original: Samples
    received: Received | None = None
    pace: Pace = PACE

    def of_file(self, data: bytes) -> _ReceiverReading:
        """The reading of a file: the networks are told its steps and statistics."""
        return replace(self, received=receive(data))

    def __call__(self, decoded: Samples, /) -> tuple[float, Floats]:
        """Mean squared error of the restored picture, and its gradient by decoded pixels."""
        received = self._file
        gradient = np.zeros((1 if received.is_gray else 3, *_padded(received)), np.float32)
        loss = self._added(gradient)
        gradient = gradient[:, : received.height, : received.width] / np.float32(self.original.size)
        by_pixel = gradient[0] if received.is_gray else np.tensordot(gradient, _FROM_RGB, ((0,), (0,)))
        return loss, np.ascontiguousarray(by_pixel)

    def loss(self, decoded: Samples) -> float:
        """Mean squared error of the restored picture."""
        return self._added(None)

    def sensitivity(self) -> Floats:
        """Errors count alike everywhere: what blocks weigh is the affair of the tuning."""
        return np.ones(self.original.shape[:2], np.float32)

    @property
    def left_nbytes(self) -> int:
        """Bytes of a hint; 0 without hints."""
        return 0 if self.reader.hints is None else Hint.nbytes(is_gray=self.original.ndim == 2)

    def left_in(self, data: bytes) -> bytes:
        """The file with a hint, if there are to be hints."""
        return data if self.reader.hints is None else hinted(data, self.original, self.reader.hints).data

    @property
    def _file(self) -> Received:
        assert self.received is not None, "the encoder tells which file is read"
        return self.received

    def _added(self, gradient: Floats | None) -> float:
        """Mean squared error; the gradient by the planes of the file, which have its grid, of the sum of squares."""
        received = self._file
        parts = regions(*_padded(received), _SIDE, self.reader.border)
        error_of = partial(self._squared_error, self._hint)
        return total_error(parts, partial(_decoded_planes, received), error_of, gradient) / self.original.size

    @property
    def _hint(self) -> Hint | None:
        """The hint that the file would get, of the model in 8 bits, which is fast."""
        model = self.reader.hints
        return None if model is None else best_hint(self._file, self.original, model)

    def _squared_error(self, hint: Hint | None, planes: Tensor, region: Region) -> Tensor:
        """Sum of the squared errors of the restored picture within a region, from the decoded planes around it."""
        import torch

        inner = _limited(region, self._file.extent)
        change, (rows, columns) = self._change(planes, inner), inner.within()
        if hint is not None:
            change = weighed(change, planes[0], (rows, columns), hint)
        decoded = planes[0, :, rows, columns]
        constant = torch.from_numpy(is_constant(_surroundings(self._file, inner)))
        final = torch.where(constant, decoded, decoded + change).clamp(0, 255)
        shown = self.original[tuple(slice(*span) for span in inner.inner)]  # blocks may end beyond the picture
        target = torch.from_numpy(shown.astype(np.float32))
        return (_image(final[:, : target.shape[0], : target.shape[1]]) - target).square().sum()

    def _change(self, planes: Tensor, inner: Region) -> Tensor:
        """The change of each plane within a region, (1 or 3, rows, columns), from the decoded planes around it."""
        import torch

        received, (rows, columns) = self._file, inner.within()
        condition = torch.from_numpy(received.context.condition(1))[None]
        luminance = 255 * self.reader.luminance(planes[:, :1] / 255, condition)
        restored = luminance[0]
        if not received.is_gray:
            restored = torch.cat([restored, self._chrominance(planes, luminance)])
        restored, decoded = restored[:, rows, columns], planes[0, :, rows, columns]
        projected = 1 if received.is_subsampled else len(restored)
        clipped = [_projected(restored[index], decoded[index], received, index, inner) for index in range(projected)]
        change: Tensor = torch.cat([torch.stack(clipped), restored[projected:]]) - decoded
        return change

    def _chrominance(self, planes: Tensor, luminance: Tensor) -> Tensor:
        """Restored Cb and Cr, (2, rows, columns), from decoded planes and the luminance that its network gave."""
        import torch

        from restore.networks.chain import after_luminance

        network = self.reader.chrominance
        if network is None:
            chrominance: Tensor = planes[0, 1:]
            return chrominance
        taken = planes[:, :1]
        if after_luminance(network):
            clipped = luminance.clamp(0, 255)
            taken = clipped + (clipped.round() - clipped).detach()
        condition = torch.from_numpy(self._file.context.condition(2))[None]
        restored: Tensor = 255 * network(torch.cat([taken, planes[:, 1:]], 1) / 255, condition)[0]
        return restored


def _padded(received: Received) -> tuple[int, int]:
    """Sides of the picture, rounded up to the grid."""
    height, width = (-(-side // GRID) * GRID for side in (received.height, received.width))
    return height, width


def _limited(region: Region, extent: tuple[int, int]) -> Region:
    """The region whose inner part ends within an extent."""
    (top, bottom), (left, right) = region.inner
    return Region(((top, min(bottom, extent[0])), (left, min(right, extent[1]))), region.seen)


def _decoded_planes(received: Received, region: Region) -> Tensor:
    """Decoded samples of the seen part, (1, 1 or 3, rows, columns), 0..255."""
    import torch

    return torch.from_numpy(decoded_planes(received, *region.seen))[None]


def _surroundings(received: Received, region: Region) -> Floats:
    """Decoded planes of an inner part, with one block more on each side."""
    rows, columns = ((start - 8, stop + 8) for start, stop in region.inner)
    return decoded_planes(received, rows, columns)


def _projected(plane: Tensor, decoded: Tensor, received: Received, index: int, region: Region) -> Tensor:
    """A plane with its coefficients clipped to the intervals of the file, see `restore.runtime.cells.project`.

    An interval moves with the index, so that its ends have the gradient of the decoded sample.
    """
    import torch

    blocks, growth = received.blocks(index, *region.inner), received.interval_growth(index)
    steps = received.steps(index)
    least, largest = (torch.from_numpy(end).float() for end in interval_ends(blocks, steps, growth))
    basis = torch.from_numpy(DCT).float()
    tiles, moving = (basis @ _tiles(one) @ basis.T for one in (plane - 128, decoded - decoded.detach()))
    clipped = torch.minimum(torch.maximum(tiles, least + moving), largest + moving)
    samples = basis.T @ clipped @ basis + 128
    return samples.transpose(1, 2).reshape(plane.shape)


def _tiles(plane: Tensor) -> Tensor:
    """Samples by block: (rows / 8, columns / 8, 8, 8)."""
    rows, columns = (side // 8 for side in plane.shape)
    return plane.reshape(rows, 8, columns, 8).transpose(1, 2)


def _image(planes: Tensor) -> Tensor:
    """Grey, (rows, columns), or RGB, (rows, columns, 3), of Y, or of Y, Cb and Cr."""
    import torch

    if len(planes) == 1:
        return planes[0]
    centred = torch.stack([planes[0], planes[1] - 128, planes[2] - 128], -1)
    return (centred @ torch.tensor(TO_RGB).T).clamp(0, 255)
