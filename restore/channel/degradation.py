"""What happens to an image on its way: JPEG, and noise. And patches of photographs that it happened to.

A degradation is a value; `Patches` draws from it with a generator of its own for each batch, so that batch 7 of seed 0
is the same whatever was drawn before, and a resumed training goes on as if it had never stopped.
"""

from __future__ import annotations

import io
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from optcodec import InvalidInputError
from restore.channel.problem import Problem

__all__ = ["Batch", "Degradation", "Patches", "arrived", "load_photographs"]

Samples = npt.NDArray[np.uint8]


@dataclass(frozen=True)
class Degradation:
    """y = C_Q(x) + n: JPEG at a quality, decoded, plus Gaussian noise.

    Parameters
    ----------
    qualities : sequence of int
        Drawn from evenly; JPEG quality factors 1..100.
    sigmas : sequence of float
        Standard deviations of the noise in units of 8-bit samples, drawn from evenly; the noisy image is rounded and
        clipped to 0..255 only where there is noise.
    subsamplings : sequence of str
        Sampling of colour patches, drawn from evenly.
    own_tables : float
        Share of the patches whose tables are not those of Annex K but between them and flat ones, each entry moved a
        little, as designed tables are.
    encoder : {"pillow", "optcodec", "rdo", "mixed"}
        libjpeg-turbo through Pillow, our encoder, or ours with rate-distortion optimized quantization. Mixed: every
        other patch by libjpeg-turbo, the rest by ours with tables and indices chosen for the quality.
    """

    qualities: Sequence[int] = (10, 20, 30, 50)
    sigmas: Sequence[float] = (0.0,)
    subsamplings: Sequence[str] = ("4:2:0",)
    own_tables: float = 0.0
    encoder: str = "pillow"

    def __post_init__(self) -> None:
        if not self.qualities or any(not 1 <= quality <= 100 for quality in self.qualities):
            raise InvalidInputError(f"qualities are 1..100, at least one; got {list(self.qualities)}")
        if not self.sigmas or any(not 0 <= sigma <= 255 for sigma in self.sigmas):
            raise InvalidInputError(f"sigmas are 0..255, at least one; got {list(self.sigmas)}")
        known = ("4:4:4", "4:2:2", "4:2:0")
        if not self.subsamplings or not set(self.subsamplings) <= set(known):
            raise InvalidInputError(f"subsamplings are {', '.join(known)}, at least one; got {list(self.subsamplings)}")
        if not 0 <= self.own_tables <= 1:
            raise InvalidInputError(f"own_tables is a share, 0..1; got {self.own_tables}")
        if self.encoder not in ("pillow", "optcodec", "rdo", "mixed"):
            raise InvalidInputError(f"encoder is pillow, optcodec, rdo or mixed; got {self.encoder!r}")

    def __call__(self, image: Samples, rng: np.random.Generator) -> tuple[Samples, npt.NDArray[np.uint16]]:
        """The image as it arrives, and the tables that it was quantized with.

        Parameters
        ----------
        image : ndarray of uint8, shape (height, width) or (height, width, 3)
            Gray, or Y, Cb, Cr.
        rng : Generator
            Where all choices come from.

        Returns
        -------
        ndarray of uint8
            The same shape.
        ndarray of uint16, shape (1 or 2, 8, 8)
            Quantization tables in natural order, luminance first.
        """
        quality = int(rng.choice(self.qualities))
        tables = _tables(quality, 1 if image.ndim == 2 else 2)
        if rng.random() < self.own_tables:
            tables = _moved(tables, rng)
        subsampling = str(rng.choice(np.asarray(self.subsamplings)))
        if self.encoder == "mixed" and rng.random() < 0.5:
            coded = optcodec.encode(_as_rgb(image), quality=quality, subsampling=subsampling, rdo=True)
            data, tables = coded.data, np.stack([table.steps for table in coded.coefficients.tables])
        else:
            data = _encoded(image, tables, subsampling, "pillow" if self.encoder == "mixed" else self.encoder)
        received = _decoded(data, image.ndim)
        sigma = float(rng.choice(self.sigmas))
        if sigma:
            noisy = received + rng.normal(0.0, sigma, received.shape)
            received = np.clip(np.rint(noisy), 0, 255).astype(np.uint8)
        return received, tables


def arrived(
    image: Samples, degradation: Degradation, problem: Problem | None, rng: np.random.Generator
) -> tuple[Samples, npt.NDArray[np.uint16]]:
    """What a degradation gives, see there; of RGB with a problem, which comes first, as RGB."""
    if problem is None:
        return degradation(image, rng)
    sent = Image.fromarray(problem.sent(image, rng)).convert("YCbCr")
    received, tables = degradation(np.asarray(sent), rng)
    return _as_rgb(received), tables


def _tables(quality: int, count: int) -> npt.NDArray[np.uint16]:
    annex_k = optcodec.annex_k_tables(quality)
    return np.stack([table.steps for table in annex_k[:count]]).astype(np.uint16)


def _moved(tables: npt.NDArray[np.uint16], rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Tables part of the way to flat ones of the same geometric mean, each entry within some 20 % of that."""
    logs = np.log(tables.astype(np.float64))
    centre = logs.mean(axis=(1, 2), keepdims=True)
    logs = centre + (logs - centre) * rng.uniform(0.0, 1.0) + rng.normal(0.0, 0.1, logs.shape)
    steps: npt.NDArray[np.uint16] = np.clip(np.rint(np.exp(logs)), 1, 255).astype(np.uint16)
    return steps


def _encoded(image: Samples, tables: npt.NDArray[np.uint16], subsampling: str, encoder: str) -> bytes:
    if encoder == "pillow":
        target = io.BytesIO()
        mode = "L" if image.ndim == 2 else "YCbCr"
        # Pillow takes tables in natural order, and needs to be told of sampling for colour only
        options = {} if mode == "L" else {"subsampling": subsampling}
        Image.fromarray(image, mode=mode).save(
            target, "JPEG", qtables=[table.ravel().tolist() for table in tables], **options
        )
        return target.getvalue()
    quant = [optcodec.QuantTable(table) for table in tables]
    return optcodec.encode(_as_rgb(image), tables=quant, subsampling=subsampling, rdo=encoder == "rdo").data


def _as_rgb(image: Samples) -> Samples:
    """Y, Cb, Cr as RGB; gray stays."""
    return image if image.ndim == 2 else np.asarray(Image.fromarray(image, mode="YCbCr").convert("RGB"))


def _decoded(data: bytes, dimensions: int) -> Samples:
    with Image.open(io.BytesIO(data)) as file:
        file.draft("L" if dimensions == 2 else "YCbCr", file.size)
        return np.asarray(file)


def load_photographs(folder: Path, *, mode: str, shrink: int = 1) -> list[Samples]:
    """All photographs of a folder.

    Parameters
    ----------
    folder : path
        Read in the order of the names.
    mode : {"L", "YCbCr", "RGB"}
        Luminance only, or what the planes are.
    shrink : int
        Averages squares of this side, which takes the traces of an earlier JPEG away.

    Raises
    ------
    InvalidInputError
        If there is no such folder, nothing in it that is an image, or one that cannot be read.
    """
    if not folder.is_dir():
        raise InvalidInputError(f"{folder} is not a folder; expected one with photographs to train on")
    photographs = []
    for path in sorted(folder.iterdir()):
        if path.suffix.lower() in optcodec.IMAGE_SUFFIXES:
            with optcodec.opened_image(path) as file:
                image = file.convert("RGB").reduce(shrink) if shrink > 1 else file.convert("RGB")
                photographs.append(np.asarray(image.convert(mode)))
    if not photographs:
        raise InvalidInputError(f"{folder} has no images; expected {', '.join(optcodec.IMAGE_SUFFIXES)}")
    return photographs


@dataclass(frozen=True)
class Batch:
    """Patches before and after.

    Attributes
    ----------
    clean, received : ndarray of uint8, shape (count, planes, side, side)
        Gray or Y, Cb, Cr; with a problem RGB, and then clean ones may be larger.
    tables : ndarray of uint16, shape (count, tables, 8, 8)
        What each was quantized with.
    """

    clean: Samples
    received: Samples
    tables: npt.NDArray[np.uint16]


class Patches:
    """Square patches of photographs, flipped and turned, each degraded on its own.

    Parameters
    ----------
    photographs : list of ndarray of uint8
        Gray or Y, Cb, Cr, all alike, or RGB with a problem; those smaller than a patch are left out.
    degradation : Degradation
        What happens to each patch.
    side : int
        Side of a patch in pixels, as it is coded.
    count : int
        Patches in a batch.
    seed : int
        With the number of the batch, all that the choices depend on.
    stride : int
        Patches begin at multiples of it (the papers cut a grid); 1 is anywhere.
    problem : Problem, optional
        What happens to a patch before it is coded.
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
        """Batch of that number: always the same one."""
        rng = np.random.default_rng((self._seed, number))
        drawn = [self._patch(rng) for _ in range(self._count)]
        pairs = [(patch, *arrived(patch, self._degradation, self._problem, rng)) for patch in drawn]
        clean, received, tables = (np.stack(part) for part in zip(*pairs, strict=True))
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
