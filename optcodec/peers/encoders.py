"""Other encoders, each as a function that gives the bytes of a file; their packages are imported when it is called."""

from __future__ import annotations

import io
from collections.abc import Iterable
from functools import partial
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec.extras import require_packages

if TYPE_CHECKING:
    from optcodec.peers.line import Peer

__all__ = ["PEERS", "encode_jpegli", "encode_mozjpeg", "encode_turbo", "require_peers"]

Pixels = npt.NDArray[np.uint8]


def encode_turbo(
    pixels: Pixels, subsampling: str, quality: int, *, optimize: bool = True, progressive: bool = False
) -> bytes:
    """Encode RGB or gray pixels by libjpeg-turbo, through Pillow.

    Parameters
    ----------
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB, or gray.
    subsampling : {"4:4:4", "4:2:2", "4:2:0"}
        Chroma subsampling; without effect on gray pixels.
    quality : int
        1..100.
    optimize : bool
        Huffman tables for the image, in place of those of T.81, Annex K.
    progressive : bool
        Write a progressive file.
    """
    from PIL import Image

    target = io.BytesIO()
    sampling = {"subsampling": subsampling} if pixels.ndim == 3 else {}  # Pillow takes it for colour only
    options = {"quality": quality, "optimize": optimize, "progressive": progressive, **sampling}
    Image.fromarray(pixels).save(target, "JPEG", **options)
    return target.getvalue()


def encode_mozjpeg(pixels: Pixels, subsampling: str, quality: int, *, table: int, progressive: bool = False) -> bytes:
    """Encode RGB or gray pixels by the mozjpeg of pyvips, with trellis quantization.

    Table 1 is flat (its best one for PSNR), table 3 is its default. The chroma subsampling is 4:2:0, or for all other
    values 4:4:4.
    """
    import pyvips

    height, width, bands = np.atleast_3d(pixels).shape
    image = pyvips.Image.new_from_memory(np.ascontiguousarray(pixels).tobytes(), width, height, bands, "uchar")
    data: bytes = image.jpegsave_buffer(
        Q=quality,
        subsample_mode="on" if subsampling == "4:2:0" else "off",
        optimize_coding=True,
        trellis_quant=True,
        overshoot_deringing=True,
        quant_table=table,
        interlace=progressive,
        optimize_scans=progressive,
    )
    return data


def encode_jpegli(pixels: Pixels, subsampling: str, quality: int, *, progressive: bool = False) -> bytes:
    """Encode RGB or gray pixels by jpegli, with adaptive quantization, its default."""
    import ajpegli

    level = 2 if progressive else 0
    return bytes(ajpegli.encode(pixels, quality=quality, progressive=level, subsampling=subsampling.replace(":", "")))


PEERS: dict[str, Peer] = {
    "pillow": encode_turbo,
    "mozjpeg": partial(encode_mozjpeg, table=3),
    "mozjpeg-flat": partial(encode_mozjpeg, table=1),
    "jpegli": encode_jpegli,
}
_PACKAGES = {"mozjpeg": "pyvips", "mozjpeg-flat": "pyvips", "jpegli": "ajpegli"}


def require_peers(names: Iterable[str], *, extra: str | None = None) -> None:
    """Check that the packages of the encoders with these names are installed; other names need none.

    Parameters
    ----------
    names : iterable of str
        Those of `PEERS` are checked.
    extra : str, optional
        The extra that the error recommends; see `optcodec.require_packages`.

    Raises
    ------
    InvalidInputError
        If a package is missing.
    """
    require_packages(*dict.fromkeys(_PACKAGES[name] for name in names if name in _PACKAGES), extra=extra)
