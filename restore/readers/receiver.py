"""The receiver of this package as a reader: what it restores from a file, step by step in torch.

The steps are those of `restore.runtime.infer`, with networks in 32-bit floats and without rounding to whole samples, so
that the error of the restored picture has a gradient by the decoded samples.
"""

from __future__ import annotations

import json
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from optcodec import InvalidInputError, Pace, require_packages
from restore.readers.regions import PACE, Region, regions, total_error
from restore.runtime.cells import DCT, interval_ends
from restore.runtime.change import is_constant
from restore.runtime.decode import Received, receive
from restore.runtime.infer import decoded_planes
from restore.runtime.models import find_model
from restore.runtime.settings import GRID

if TYPE_CHECKING:
    from torch import Tensor, nn

__all__ = ["ReceiverReader", "deblock"]

Samples = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float32]

_SIDE = 512  # of a region, in pixels
# RGB to Y, Cb, Cr, and Y, Cb, Cr to RGB, without the offset of 128 (T.871, clause 7).
_FROM_RGB = np.array([[0.299, 0.587, 0.114], [-0.168736, -0.331264, 0.5], [0.5, -0.418688, -0.081312]], np.float32)
_TO_RGB = ((1.0, 0.0, 1.402), (1.0, -0.344136286, -0.714136286), (1.0, 1.772, 0.0))


@dataclass(frozen=True, eq=False)
class ReceiverReader:
    """Networks that restore JPEG files: their loss is the squared error of the restored picture against the original.

    Parameters
    ----------
    luminance : Module
        A network for luminance, in 32-bit floats.
    chrominance : Module, optional
        A network for chrominance.
    """

    luminance: nn.Module
    chrominance: nn.Module | None = None

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
    def _file(self) -> Received:
        assert self.received is not None, "the encoder tells which file is read"
        return self.received

    def _added(self, gradient: Floats | None) -> float:
        """Mean squared error; the gradient by the planes of the file, which have its grid, of the sum of squares."""
        received = self._file
        parts = regions(*_padded(received), _SIDE, self.reader.border)
        planes_of = partial(_decoded_planes, received)
        return total_error(parts, planes_of, self._squared_error, gradient) / self.original.size

    def _squared_error(self, planes: Tensor, region: Region) -> Tensor:
        """Sum of the squared errors of the restored picture within a region, from the decoded planes around it."""
        import torch

        received = self._file
        condition = torch.from_numpy(received.context.condition(1))[None]
        luminance = 255 * self.reader.luminance(planes[:, :1] / 255, condition)
        restored = luminance[0]
        if not received.is_gray:
            restored = torch.cat([restored, self._chrominance(planes, luminance)])
        inner = _limited(region, received.extent)
        rows, columns = inner.within()
        final = _final_planes(restored[:, rows, columns], planes[0, :, rows, columns], received, inner)
        shown = self.original[tuple(slice(*span) for span in inner.inner)]  # blocks may end beyond the picture
        target = torch.from_numpy(shown.astype(np.float32))
        return (_image(final[:, : target.shape[0], : target.shape[1]]) - target).square().sum()

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


def _final_planes(restored: Tensor, decoded: Tensor, received: Received, region: Region) -> Tensor:
    """The planes of an inner part, 0..255, from what the networks gave."""
    import torch

    projected = 1 if received.is_subsampled else len(restored)
    planes = [_projected(restored[index], decoded[index], received, index, region) for index in range(projected)]
    rows, columns = ((start - 8, stop + 8) for start, stop in region.inner)
    constant = torch.from_numpy(is_constant(decoded_planes(received, rows, columns)))
    return torch.where(constant, decoded, torch.cat([torch.stack(planes), restored[projected:]])).clamp(0, 255)


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
    return (centred @ torch.tensor(_TO_RGB).T).clamp(0, 255)


def deblock(names: str = "default") -> ReceiverReader:
    """The receiver of a shipped model, or of networks of one's own.

    Parameters
    ----------
    names : str
        Name of a shipped model, or one or two files of `restore train`, with a comma between them: the network for
        luminance, and the one for chrominance.

    Raises
    ------
    InvalidInputError
        If there is no such model or network, or a package that it needs is not installed.
    """
    require_packages("torch", "safetensors.torch", extra="torch")
    from restore.networks.weights import load_network

    if names.partition(",")[0].endswith(".safetensors"):
        paths = [Path(name) for name in names.split(",")]
    else:
        folder, file = find_model(names)
        index: dict[str, Any] = json.loads((folder / file).read_text())
        roles = (index[role] for role in ("luminance", "chrominance"))
        paths = [Path(str(folder / role["file"])).with_suffix(".safetensors") for role in roles if role is not None]
    networks = [load_network(path) for path in paths]
    _check_planes(paths, networks)
    return ReceiverReader(*networks)


def _check_planes(paths: list[Path], networks: list[nn.Module]) -> None:
    from restore.networks.operations import configuration, plane_spec

    expected = ((1, 1), (3, 2))
    found = [plane_spec(configuration(network)) for network in networks]
    if len(found) > len(expected):
        raise InvalidInputError(f"a receiver has at most a network for luminance and one for chrominance, got {paths}")
    for path, spec, planes in zip(paths, found, expected, strict=False):
        if (spec.planes, spec.restored) != planes:
            message = f"{path} takes {spec.planes} planes and restores {spec.restored}"
            raise InvalidInputError(f"{message}; expected {planes[0]} and {planes[1]}")
