"""Senders: the encoders whose files networks are trained on, by name, so that a recipe can mix them."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from functools import cache, partial
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from optcodec.shared import PEERS, require_peers
from restore.channel.samples import annex_k_steps, encode_pillow

__all__ = ["SENDERS", "Sender", "check_packages", "varied_tables"]

Samples = npt.NDArray[np.uint8]
# File of RGB pixels, a chroma subsampling, and a quality factor; the generator is for senders that vary by chance.
Sender = Callable[[Samples, str, int, np.random.Generator], bytes]


def varied_tables(tables: npt.NDArray[np.uint16], rng: np.random.Generator) -> npt.NDArray[np.uint16]:
    """Move tables by a random share towards flat ones of the same geometric mean, and vary each entry by some 20 %."""
    logs = np.log(tables.astype(np.float64))
    centre = logs.mean(axis=(1, 2), keepdims=True)
    logs = centre + (logs - centre) * rng.uniform(0.0, 1.0) + rng.normal(0.0, 0.1, logs.shape)
    steps: npt.NDArray[np.uint16] = np.clip(np.rint(np.exp(logs)), 1, 255).astype(np.uint16)
    return steps


def _pillow(pixels: Samples, subsampling: str, quality: int, rng: np.random.Generator) -> bytes:
    return encode_pillow(Image.fromarray(pixels), subsampling, annex_k_steps(quality))


def _varied(pixels: Samples, subsampling: str, quality: int, rng: np.random.Generator) -> bytes:
    return encode_pillow(Image.fromarray(pixels), subsampling, varied_tables(annex_k_steps(quality), rng))


def _peer(pixels: Samples, subsampling: str, quality: int, rng: np.random.Generator, *, name: str) -> bytes:
    return PEERS[name](pixels, subsampling, quality)


def _optcodec(pixels: Samples, subsampling: str, quality: int, rng: np.random.Generator, *, tune: str) -> bytes:
    """The encoder of this package with a trellis, tuned for a measure, networks (``dnn``) or a receiver.

    Profiles were measured at 4:2:0: files for networks and receivers have that sampling, whatever is asked for.
    """
    if tune in ("dnn", "receiver"):
        subsampling = "4:2:0"
    arguments: dict[str, Any] = {"quality": quality, "subsampling": subsampling, "threads": 1}
    return optcodec.encode(pixels, effort=3, tune=_tuning(tune), **arguments).data


@cache
def _tuning(tune: str) -> Any:
    if tune == "dnn":
        return optcodec.load_profile("generic")
    return optcodec.load_utility_profile("deblock") if tune == "receiver" else tune


SENDERS: dict[str, Sender] = {
    "pillow": _pillow,
    "varied": _varied,
    **{name: partial(_peer, name=name) for name in ("mozjpeg", "mozjpeg-flat", "jpegli")},
    **{tune: partial(_optcodec, tune=tune) for tune in ("psnr", "ssim", "people", "dnn", "receiver")},
}


def check_packages(names: Iterable[str]) -> None:
    """Check that the packages of the senders with these names are installed.

    Raises
    ------
    InvalidInputError
        If one is missing.
    """
    require_peers(names)
