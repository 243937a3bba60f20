"""What the channels of the training share: JPEG coding by Pillow, the tables of a quality, and noise."""

from __future__ import annotations

import io

import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from restore.runtime.picture import sample_planes

__all__ = ["add_noise", "annex_k_steps", "decode", "encode_pillow", "to_ycc"]

Samples = npt.NDArray[np.uint8]


def annex_k_steps(quality: int, count: int = 2) -> npt.NDArray[np.uint16]:
    """Quantization steps of Annex K at a quality, shape (count, 8, 8): luminance first, then chrominance."""
    return np.stack([table.steps for table in optcodec.annex_k_tables(quality)[:count]]).astype(np.uint16)


def encode_pillow(image: Image.Image, subsampling: str, tables: npt.NDArray[np.uint16]) -> bytes:
    """Encode by libjpeg-turbo with given quantization tables.

    Parameters
    ----------
    image : Image
        Of mode L, YCbCr or RGB.
    subsampling : {"4:4:4", "4:2:2", "4:2:0"}
        Chroma subsampling; without effect on gray images.
    tables : ndarray of uint16, shape (1 or 2, 8, 8)
        Quantization steps in natural order.
    """
    target = io.BytesIO()
    options = {} if image.mode == "L" else {"subsampling": subsampling}  # Pillow takes it for colour only
    image.save(target, "JPEG", qtables=[table.ravel().tolist() for table in tables], **options)
    return target.getvalue()


def decode(data: bytes, mode: str) -> Samples:
    """Decode a JPEG file by libjpeg-turbo to samples of a mode: L, or YCbCr without conversion."""
    with Image.open(io.BytesIO(data)) as file:
        file.draft(mode, file.size)
        return np.asarray(file)


def to_ycc(rgb: Samples) -> Samples:
    """Convert RGB to Y, Cb, Cr, shape (height, width, 3), rounded to the nearest samples."""
    return np.ascontiguousarray(sample_planes(rgb).transpose(1, 2, 0).astype(np.uint8))


def add_noise(samples: Samples, sigma: float | npt.NDArray[np.float64], rng: np.random.Generator) -> Samples:
    """Add Gaussian noise to samples, rounded and clipped to 0..255.

    Parameters
    ----------
    samples : ndarray of uint8
        Of any shape.
    sigma : float or ndarray
        Standard deviation in units of 8-bit samples, of a shape that can be broadcast to that of the samples.
    rng : Generator
        Generator of the noise.
    """
    noisy: Samples = np.clip(np.rint(samples + sigma * rng.normal(0.0, 1.0, samples.shape)), 0, 255).astype(np.uint8)
    return noisy
