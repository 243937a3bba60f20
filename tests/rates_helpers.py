"""Small pictures and senders for the tests of rates."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from optcodec.peers.encoders import encode_turbo
from tests.cli_helpers import photograph, save

HEIGHT, WIDTH = 72, 88


def folder_of(folder: Path, count: int = 3, *, name: str = "photos") -> Path:
    """A folder with different small pictures in colour."""
    pixels = photograph(HEIGHT + 12 * count, WIDTH + 8 * count)
    for index in range(count):
        part = pixels[12 * index : 12 * index + HEIGHT, 8 * index : 8 * index + WIDTH]
        save(folder / name / f"{index}.png", np.ascontiguousarray(part))
    return folder / name


def plain(pixels: np.ndarray, subsampling: str, quality: int) -> bytes:
    """A user's own encoder."""
    return encode_turbo(pixels, subsampling, quality, optimize=False)


def failing_for_dark(pixels: np.ndarray, subsampling: str, quality: int) -> bytes:
    """An encoder that fails for pictures whose first sample is 0."""
    if pixels.flat[0] == 0:
        raise RuntimeError("too dark")
    return plain(pixels, subsampling, quality)


def no_jpeg(pixels: np.ndarray, subsampling: str, quality: int) -> bytes:
    """An encoder that writes something else."""
    return b"GIF89a"


def inverted(data: bytes) -> np.ndarray:
    """A user's own receiver, a bad one."""
    from optcodec.rates import decoded

    return 255 - decoded(data)


def failing_receiver(data: bytes) -> np.ndarray:
    """A receiver that raises whatever it likes."""
    raise KeyError("no such network")


def halving(data: bytes) -> np.ndarray:
    """A receiver whose pictures are smaller."""
    from optcodec.rates import decoded

    return decoded(data)[::2, ::2]
