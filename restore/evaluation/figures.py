"""Figures that compare receivers: crops side by side, above their error maps with a common colour scale."""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import numpy.typing as npt

import optcodec
from optcodec import InvalidInputError, require_packages

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure
    from matplotlib.image import AxesImage

__all__ = ["Crop", "crops_figure", "draw"]

Samples: TypeAlias = npt.NDArray[np.uint8]

_SIDE = 128  # of the middle that is drawn unless another part is asked for, in pixels
_WIDTH = 2.6  # width of a crop in inches
_DPI = 150
_SCALE_PERCENTILE = 99.5  # of the errors, where the colour scale ends: a few large errors must not darken the rest
_COLOUR_MAP = "magma"


@dataclass(frozen=True)
class Crop:
    """A rectangular part of an image.

    Parameters
    ----------
    left, top, width, height : int
        In pixels.
    """

    left: int
    top: int
    width: int
    height: int

    @classmethod
    def middle(cls, image: Samples) -> Crop:
        """The middle 128x128 pixels of an image, or as many as it has."""
        height, width = (min(_SIDE, extent) for extent in image.shape[:2])
        return cls((image.shape[1] - width) // 2, (image.shape[0] - height) // 2, width, height)

    def of(self, image: Samples) -> Samples:
        """Cut the part out of an image.

        Raises
        ------
        InvalidInputError
            If the part does not lie within the image.
        """
        bottom, right = self.top + self.height, self.left + self.width
        inside = min(self.left, self.top) >= 0 and min(self.width, self.height) >= 1
        if not inside or bottom > image.shape[0] or right > image.shape[1]:
            size = f"{image.shape[1]}x{image.shape[0]}"
            raise InvalidInputError(
                f"the crop {self.left},{self.top},{self.width},{self.height} is not in the image of {size} pixels"
            )
        return image[self.top : bottom, self.left : right]


def crops_figure(original: Samples, restored: Sequence[tuple[str, Samples]], crop: Crop, *, title: str) -> Figure:
    """Crops of the original and of the restored images, above the absolute errors of the latter.

    Parameters
    ----------
    original : ndarray of uint8, shape (H, W) or (H, W, 3)
        The whole image.
    restored : sequence of (str, ndarray of uint8)
        Names of receivers and their restored images, of the shape of the original; at least one.
    crop : Crop
        The part that is drawn.
    title : str
        Title above the whole figure.

    Returns
    -------
    Figure
        The PSNR below a name is that of the whole image. For colour, the error is the mean over the channels.
    """
    require_packages("matplotlib.figure")
    from matplotlib.backends.backend_agg import FigureCanvasAgg
    from matplotlib.figure import Figure

    original_crop = crop.of(original)
    errors = [_absolute_error(original_crop, crop.of(image)) for _, image in restored]
    largest = max(1.0, float(np.percentile(np.concatenate([error.ravel() for error in errors]), _SCALE_PERCENTILE)))
    count, aspect = len(restored) + 1, crop.height / crop.width
    figure = Figure(figsize=(_WIDTH * count, 2 * _WIDTH * aspect + 0.8), dpi=_DPI, layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots(2, count)
    names = ["original", *(f"{name}\n{optcodec.psnr_db(original, image):.2f} dB" for name, image in restored)]
    for axis, name, image in zip(
        axes[0], names, [original_crop, *(crop.of(image) for _, image in restored)], strict=True
    ):
        axis.imshow(image, cmap="gray", vmin=0, vmax=255, interpolation="nearest")
        axis.set_title(name, fontsize=9)
    for axis, error in zip(axes[1, 1:], errors, strict=True):
        error_map = axis.imshow(error, cmap=_COLOUR_MAP, vmin=0, vmax=largest, interpolation="nearest")
    for axis in axes.flat:
        axis.set_xticks([])
        axis.set_yticks([])
    _colour_bar(figure, axes[1, 0], error_map)
    figure.suptitle(title, fontsize=10)
    return figure


def _colour_bar(figure: Figure, cell: Axes, error_map: AxesImage) -> None:
    """Draw the colour bar of all error maps in the cell below the original."""
    cell.axis("off")
    bar = figure.colorbar(error_map, cax=cell.inset_axes((0.72, 0.08, 0.08, 0.84)), extend="max")
    bar.ax.yaxis.set_ticks_position("left")
    bar.set_label("absolute error, 8-bit units", fontsize=9)
    bar.ax.yaxis.set_label_position("left")


def draw(figure: Figure) -> bytes:
    """Render a figure as a PNG file; equal figures give equal bytes."""
    target = io.BytesIO()
    figure.savefig(target, format="png", metadata={"Software": None})
    return target.getvalue()


def _absolute_error(original: Samples, image: Samples) -> npt.NDArray[np.float64]:
    error = np.abs(original.astype(np.float64) - image)
    mean: npt.NDArray[np.float64] = error.mean(axis=2) if error.ndim == 3 else error
    return mean
