"""Degradation of images by JPEG coding and noise, and batches of degraded patches for the training.

`Patches` uses a new random generator for each batch, seeded by the number of the batch: batch 7 of seed 0 is the same
whatever was drawn before, so that a resumed training gives the same result as an uninterrupted one.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from optcodec import InvalidInputError
from restore.channel.problem import Problem
from restore.channel.samples import add_noise, annex_k_steps, decode, encode_pillow, to_ycc
from restore.channel.senders import varied_tables
from restore.runtime.context import Context
from restore.runtime.image import to_rgb

__all__ = ["Batch", "Degradation", "Patches", "load_photographs", "transmit"]

Samples = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Degradation:
    """The degradation y = C_Q(x) + n: JPEG coding with quantization tables Q, decoding, and Gaussian noise n.

    Parameters
    ----------
    qualities : sequence of int
        JPEG quality factors, 1..100, drawn with equal probability.
    sigmas : sequence of float
        Standard deviations of the noise in units of 8-bit samples, drawn with equal probability. The noisy image is
        rounded and clipped to 0..255.
    subsamplings : sequence of str
        Chroma subsampling of colour patches, drawn with equal probability.
    own_tables : float
        Share (0..1) of the patches whose quantization tables are not those of Annex K, but lie between them and flat
        tables, with each entry varied a little, to resemble designed tables.
    encoder : {"pillow", "optcodec", "rdo", "mixed"}
        libjpeg-turbo (through Pillow), optcodec, or optcodec with rate-distortion optimized quantization. "mixed": each
        patch by libjpeg-turbo or, with probability 1/2, by optcodec with tables and coefficients optimized for the
        quality.
    lossless : float
        Share (0..1) of the patches that are not coded at all; they are reported with steps of 1.
    """

    qualities: Sequence[int] = (10, 20, 30, 50)
    sigmas: Sequence[float] = (0.0,)
    subsamplings: Sequence[str] = ("4:2:0",)
    own_tables: float = 0.0
    encoder: str = "pillow"
    lossless: float = 0.0

    def __post_init__(self) -> None:
        if not self.qualities or any(not 1 <= quality <= 100 for quality in self.qualities):
            raise InvalidInputError(f"qualities are 1..100, at least one; got {list(self.qualities)}")
        if not self.sigmas or any(not 0 <= sigma <= 255 for sigma in self.sigmas):
            raise InvalidInputError(f"sigmas are 0..255, at least one; got {list(self.sigmas)}")
        samplings = ("4:4:4", "4:2:2", "4:2:0")
        if not self.subsamplings or not set(self.subsamplings) <= set(samplings):
            raise InvalidInputError(
                f"subsamplings are {', '.join(samplings)}, at least one; got {list(self.subsamplings)}"
            )
        for name in ("own_tables", "lossless"):
            if not 0 <= getattr(self, name) <= 1:
                raise InvalidInputError(f"{name} is a share, 0..1; got {getattr(self, name)}")
        if self.encoder not in ("pillow", "optcodec", "rdo", "mixed"):
            raise InvalidInputError(f"encoder is pillow, optcodec, rdo or mixed; got {self.encoder!r}")

    def __call__(self, image: Samples, rng: np.random.Generator) -> tuple[Samples, npt.NDArray[np.uint16]]:
        """Degrade an image.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width) or (height, width, 3)
            Gray, or Y, Cb, Cr.
        rng : Generator
            Generator of all random choices.

        Returns
        -------
        ndarray of uint8
            The degraded image, of the same shape.
        ndarray of uint16, shape (1 or 2, 8, 8)
            Quantization tables in natural order, luminance first.
        """
        received, tables = self._coded(image, rng)
        sigma = float(rng.choice(self.sigmas))
        if sigma:
            received = add_noise(received, sigma, rng)
        return received, tables

    def _coded(self, image: Samples, rng: np.random.Generator) -> tuple[Samples, npt.NDArray[np.uint16]]:
        """The image as it is decoded, and its tables."""
        planes = 1 if image.ndim == 2 else 2
        if self.lossless and rng.random() < self.lossless:
            return image, np.ones((planes, 8, 8), np.uint16)
        quality = int(rng.choice(self.qualities))
        tables = annex_k_steps(quality, planes)
        if rng.random() < self.own_tables:
            tables = varied_tables(tables, rng)
        subsampling = str(rng.choice(np.asarray(self.subsamplings)))
        if self.encoder == "mixed" and rng.random() < 0.5:
            coded = optcodec.encode(_to_rgb(image), quality=quality, subsampling=subsampling, tune="ycbcr")
            data, tables = coded.data, _steps_of(coded.coefficients)
        else:
            data = _encode(image, tables, subsampling, "pillow" if self.encoder == "mixed" else self.encoder)
        return decode(data, "L" if image.ndim == 2 else "YCbCr"), tables


def _steps_of(image: optcodec.CoefficientImage) -> npt.NDArray[np.uint16]:
    """Tables of luminance and of chrominance, which may be one in the file."""
    return np.stack([image.tables[component.table].steps for component in image.components[:2]])


def transmit(
    image: Samples, degradation: Degradation, problem: Problem | None, rng: np.random.Generator
) -> tuple[Samples, npt.NDArray[np.uint16]]:
    """Apply a problem, if there is one, and then a degradation; returns the image as received, and its tables.

    Without a problem, the image is gray or Y, Cb, Cr, as for `Degradation`. With a problem, it is RGB, and so is the
    result.
    """
    if problem is None:
        return degradation(image, rng)
    received, tables = degradation(to_ycc(problem.sent(image, rng)), rng)
    return _to_rgb(received), tables


def _encode(image: Samples, tables: npt.NDArray[np.uint16], subsampling: str, encoder: str) -> bytes:
    if encoder == "pillow":
        return encode_pillow(Image.fromarray(image, mode="L" if image.ndim == 2 else "YCbCr"), subsampling, tables)
    quant_tables = [optcodec.QuantTable(table) for table in tables]
    tune = "ycbcr" if encoder == "rdo" else None
    return optcodec.encode(_to_rgb(image), tables=quant_tables, subsampling=subsampling, tune=tune).data


def _to_rgb(image: Samples) -> Samples:
    """Convert Y, Cb, Cr to RGB; gray images stay as they are."""
    if image.ndim == 2:
        return image
    planes = image.astype(np.float32).transpose(2, 0, 1)
    return to_rgb(planes[0], planes[1:])


def load_photographs(folder: Path, *, mode: str, shrink: int = 1) -> list[Samples]:
    """Load all photographs of a folder.

    Parameters
    ----------
    folder : path
        Folder of the images, which are read in the order of their names.
    mode : {"L", "YCbCr", "RGB"}
        Colour space of the result, as in Pillow; "L" is luminance.
    shrink : int
        Downscales the images by this factor, by averaging squares, which removes the artifacts of earlier JPEG coding.

    Raises
    ------
    InvalidInputError
        If there is no such folder, it has no images, or one of them cannot be read.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is not a folder; expected one with photographs to train on")
    photographs = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in optcodec.IMAGE_SUFFIXES:
            with optcodec.opened_image(path) as file:
                image = file.convert("RGB").reduce(shrink) if shrink > 1 else file.convert("RGB")
                photographs.append(to_ycc(np.asarray(image)) if mode == "YCbCr" else np.asarray(image.convert(mode)))
    if not photographs:
        raise InvalidInputError(f"{folder} has no images; expected {', '.join(optcodec.IMAGE_SUFFIXES)}")
    return photographs


@dataclass(frozen=True)
class Batch:
    """A batch of patches, before and after the degradation.

    Attributes
    ----------
    clean, received : ndarray of uint8, shape (count, planes, side, side)
        Gray or Y, Cb, Cr. With a problem RGB; for super-resolution, clean patches are larger.
    tables : ndarray of uint16, shape (count, tables, 8, 8)
        Quantization tables of each patch, luminance first.
    """

    clean: Samples
    received: Samples
    tables: npt.NDArray[np.uint16]

    @property
    def conditions(self) -> npt.NDArray[np.float32]:
        """What the network gets besides the image, shape (count, numbers): the steps, and usual values of the rest."""
        return np.stack([Context.of_steps(steps).condition(len(steps)) for steps in self.tables])

    @property
    def reference(self) -> npt.NDArray[np.uint16]:
        """What the loss relates errors to."""
        return self.tables


class Patches:
    """Square patches at random positions of photographs, randomly flipped and rotated, each degraded separately.

    Parameters
    ----------
    photographs : list of ndarray of uint8
        All gray or all Y, Cb, Cr; or RGB with a problem. Photographs smaller than a patch are left out.
    degradation : Degradation
        Degradation of the patches.
    side : int
        Side of a patch in pixels, as it is coded.
    count : int
        Number of patches in a batch.
    seed : int
        Seed. All random choices depend only on it and on the number of the batch.
    stride : int
        Patches start at multiples of it, in pixels (the papers cut patches from a grid); 1 allows all positions.
    problem : Problem, optional
        Degradation of a patch before it is coded.
    """

    def __init__(
        self,
        photographs: list[Samples],
        degradation: Degradation,
        *,
        side: int,
        count: int,
        seed: int = 0,
        stride: int = 1,
        problem: Problem | None = None,
    ) -> None:
        self._problem, side = problem, side * (problem.scale if problem else 1)
        self._photographs = [image for image in photographs if min(image.shape[:2]) >= side]
        if not self._photographs:
            raise InvalidInputError(f"no photograph has the {side}x{side} pixels of a patch")
        self._degradation, self._side, self._count, self._seed, self._stride = degradation, side, count, seed, stride
        areas = np.array([image.shape[0] * image.shape[1] for image in self._photographs], np.float64)
        self._share = np.cumsum(areas / areas.sum())

    def batch(self, number: int) -> Batch:
        """The batch with this number; every call returns the same one."""
        rng = np.random.default_rng((self._seed, number))
        patches = [self._patch(rng) for _ in range(self._count)]
        pairs = [(patch, *transmit(patch, self._degradation, self._problem, rng)) for patch in patches]
        clean, received, tables = (np.stack(arrays) for arrays in zip(*pairs, strict=True))
        return Batch(_planes_first(clean), _planes_first(received), tables)

    def _patch(self, rng: np.random.Generator) -> Samples:
        image = self._photographs[int(np.searchsorted(self._share, rng.random()))]
        top, left = (
            self._stride * int(rng.integers((extent - self._side) // self._stride + 1)) for extent in image.shape[:2]
        )
        patch = image[top : top + self._side, left : left + self._side]
        patch = np.rot90(patch, int(rng.integers(4)))
        return np.ascontiguousarray(patch[:, ::-1] if rng.random() < 0.5 else patch)


def _planes_first(images: Samples) -> Samples:
    if images.ndim == 3:
        return images[:, None]
    return np.ascontiguousarray(images.transpose(0, 3, 1, 2))
