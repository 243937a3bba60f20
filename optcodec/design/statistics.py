"""What table design knows of one image or of a whole data set."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import zip_longest
from os import PathLike
from typing import Any, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.design.counting import count_coefficients, count_pixels, mean_deviation
from optcodec.design.histogram import MAX_STEP, Histogram
from optcodec.design.laplacian import LaplacianModel, deadzone_distortion, midpoint_distortion
from optcodec.errors import InvalidInputError
from optcodec.jpeg.dct import forward
from optcodec.jpeg.image import CoefficientImage, DctImage
from optcodec.jpeg.layout import thread_count
from optcodec.jpeg.quantize import dequantize, quantize
from optcodec.jpeg.tables import QuantTable
from optcodec.jpeg.writer import write_jpeg
from optcodec.pictures.pixels import ImageLike, Picture, load_picture

__all__ = ["DISTORTIONS", "Counts", "DctImages", "Source", "Statistics", "files_nbytes", "gather"]

Image: TypeAlias = "ImageLike | DctImage | CoefficientImage"
Source: TypeAlias = "Image | Iterable[Image] | Statistics"
# Types of a single image, although some of them can be iterated. An open file is a single image, too.
_SINGLE = (np.ndarray, str, PathLike, bytes, bytearray, memoryview, DctImage, CoefficientImage)

DISTORTIONS = ("laplacian", "midpoint", "empirical")


@dataclass(frozen=True, eq=False)
class Counts:
    """What is counted of images: it adds up exactly, in any order and in any groups.

    Parameters
    ----------
    components : tuple of Histogram
        One (Y) or three (Y, Cb, Cr); none where there is no image.
    pixels : int
        Number of pixels of all images.
    samplings : frozenset of str
        Chroma samplings met, without ``"grey"``.
    """

    components: tuple[Histogram, ...] = ()
    pixels: int = 0
    samplings: frozenset[str] = frozenset()

    def merged(self, other: Counts) -> Counts:
        """The counts of both."""
        pairs = zip_longest(self.components, other.components)
        components = tuple(one.merged(two) if one and two else one or two for one, two in pairs)
        return Counts(components, self.pixels + other.pixels, self.samplings | other.samplings)


@dataclass(frozen=True, eq=False)
class Statistics:
    """Coefficient statistics of one image or of a data set as a whole, as if its blocks were those of one image.

    Parameters
    ----------
    images : iterable of DctImage
        Where they come from. Gone through again where a method needs a second look: the Laplacian models (deviations
        from the common mean), and targets that are met by real files.
    components : tuple of Histogram
        One (Y) or three (Y, Cb, Cr).
    pixels : int
        Number of pixels of all images.
    samplings : frozenset of str
        Chroma samplings met, without ``"grey"``.
    threads : int
        Use at most so many; the results are the same.
    size_of : callable, optional
        Bytes of the files of all images with some tables; by default they are written here, one after the other.
    """

    images: Iterable[DctImage]
    components: tuple[Histogram, ...]
    pixels: int
    samplings: frozenset[str]
    threads: int = 1
    size_of: Callable[[tuple[QuantTable, ...]], int] | None = field(default=None, kw_only=True)

    @classmethod
    def of(cls, images: Iterable[DctImage], counts: Counts, **options: Any) -> Statistics:
        """Statistics from what was counted.

        Raises
        ------
        InvalidInputError
            If there was no image.
        """
        if not counts.components:
            raise InvalidInputError("expected at least one image to design tables for, got none")
        return cls(images, counts.components, counts.pixels, counts.samplings, **options)

    @cached_property
    def variance(self) -> npt.NDArray[np.float64]:
        """Population variance of each component and frequency, shape (components, 64)."""
        return np.array([component.variance for component in self.components])

    @cached_property
    def laplacian(self) -> LaplacianModel:
        """Laplacian model of each component and frequency."""
        total = np.zeros((len(self.components), 64))
        for image in self.images:
            for index, component in enumerate(image.components):
                centre = self.components[index].mean
                blocks = component.coefficients.size // 64
                total[index] += blocks * mean_deviation(component.coefficients, centre, threads=self.threads)
        blocks_of = np.array([[component.blocks] for component in self.components])
        return LaplacianModel(total / blocks_of, self.variance)

    @cached_property
    def empirical(self) -> npt.NDArray[np.float64]:
        """Exact mean squared error of steps 1..255, shape (components, 64, 255)."""
        return np.array([component.distortion for component in self.components])

    @cached_property
    def bits(self) -> npt.NDArray[np.float64]:
        """Entropy of steps 1..255 in bits per coefficient, shape (components, 64, 255); see `Histogram.bits`."""
        return np.array([component.bits for component in self.components])

    def distortion(self, model: str) -> npt.NDArray[np.float64]:
        """Mean squared error of steps 1..255 by a model of `DISTORTIONS`, shape (components, 64, 255)."""
        if model == "empirical":
            return self.empirical
        if model not in DISTORTIONS:
            raise InvalidInputError(f"distortion is one of {', '.join(DISTORTIONS)}; got {model!r}")
        if model not in self._modelled:
            closed_form = deadzone_distortion if model == "laplacian" else midpoint_distortion
            self._modelled[model] = closed_form(self.laplacian.scale[..., None], np.arange(1, MAX_STEP + 1))
        return self._modelled[model]

    @cached_property
    def _modelled(self) -> dict[str, npt.NDArray[np.float64]]:
        """Errors by closed forms that were asked for already."""
        return {}


def gather(source: Source, *, subsampling: str = "4:4:4", threads: int | None = None) -> Statistics:
    """Statistics of an image, or of a set of images.

    Parameters
    ----------
    source : image, DctImage, CoefficientImage, Statistics, or iterable of images
        Pixels (what `optcodec.load_picture` takes: uint8 array of shape (H, W, 3) or (H, W), Pillow image,
        path, file in memory), or coefficients. Those that are quantized already count by the values that they
        reconstruct. `Statistics` are returned as they are.
        An iterable stands for one data set; it is gone through more than once, and an iterator that cannot be is kept
        in memory. Grey images of a set count for luminance.
    subsampling : str
        Of pixels; coefficients come with their own.
    threads : int, optional
        At most so many; all processors by default. The result is the same.

    Returns
    -------
    Statistics

    Raises
    ------
    InvalidInputError
        If there is no image, or one that is not grey or YCbCr, or not of the kinds above.
    """
    if isinstance(source, Statistics):
        return source
    threads = thread_count(threads)
    images = DctImages(source, subsampling, threads)
    return Statistics.of(images, images.counted(), threads=threads)


def files_nbytes(images: Iterable[DctImage], tables: tuple[QuantTable, ...]) -> int:
    """Bytes of the baseline files of images with some tables, together."""
    return sum(len(write_jpeg(quantize(image, tables))) for image in images)


class DctImages:
    """A source as coefficients that are not quantized, as often as it is gone through.

    Those of pixels are made each time, and counted without keeping them.

    Parameters
    ----------
    source : Source
        Images, see `gather`.
    subsampling : str
        Of pixels.
    threads : int
        At most so many; the coefficients are the same.
    """

    def __init__(self, source: Source, subsampling: str, threads: int) -> None:
        self._subsampling, self._threads = subsampling, threads
        self._source: Iterable[Image]
        if isinstance(source, _SINGLE) or hasattr(source, "read") or not isinstance(source, Iterable):
            self._source = (_loaded(cast("Image", source)),)  # opened once
        else:
            self._source = [_loaded(image) for image in source] if iter(source) is source else source

    def __iter__(self) -> Iterator[DctImage]:
        for image in map(_loaded, self._source):
            if isinstance(image, DctImage):
                yield image
            else:
                yield forward(image.pixels, self._subsampling, threads=self._threads)

    def counted(self) -> Counts:
        """What is counted of all images."""
        total = Counts()
        for image in map(_loaded, self._source):
            total = total.merged(self._counted(image))
        return total

    def _counted(self, image: Picture | DctImage) -> Counts:
        if isinstance(image, DctImage):
            parts = (component.coefficients for component in image.components)
            histograms = tuple(count_coefficients(part, threads=self._threads) for part in parts)
            return Counts(histograms, image.width * image.height, frozenset({image.subsampling} - {"grey"}))
        histograms = count_pixels(image.pixels, self._subsampling, threads=self._threads)
        samplings = frozenset({self._subsampling}) if len(histograms) == 3 else frozenset[str]()
        return Counts(histograms, image.pixels.shape[0] * image.pixels.shape[1], samplings)


def _loaded(image: Image) -> Picture | DctImage:
    """Pixels as they are, or coefficients that are not quantized."""
    if isinstance(image, CoefficientImage):
        if image.is_rgb:
            raise InvalidInputError("tables are designed for grey or YCbCr images, got RGB components")
        image = dequantize(image)
    if not isinstance(image, DctImage):
        return load_picture(image)
    if len(image.components) not in (1, 3):
        raise InvalidInputError(f"tables are designed for grey or YCbCr images, got {len(image.components)} components")
    return image
