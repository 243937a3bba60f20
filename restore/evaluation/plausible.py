"""Does a network restore what it is said to restore? Tried on a picture, when somebody else's network is loaded.

Weights of the same architecture are published for different formulas: the output is added to the image, subtracted from
it, or is the restored image; values are 0..1 or 0..255, colours R, G, B or B, G, R. With the wrong one, everything fits
and the pictures are spoiled. What is lost shows it: no network should be far below doing nothing.
"""

from __future__ import annotations

import io
from collections.abc import Callable

import numpy as np
from PIL import Image

import optcodec
from optcodec import InvalidInputError
from restore.channel.problem import Problem
from restore.evaluation.receiver import Samples

__all__ = ["check_restoration"]

_SIDE = 144
# dB that a network may lose against the received picture, enlarged bicubically: networks that are trained for pleasant
# pictures lose up to one; adding what should be subtracted loses six for noise, and more than two for JPEG at 10.
_MAX_LOSS = 2.0
_QUALITY = {"deblock": 10}  # of the JPEG coding; it hardly shows for other problems
_DEFAULT_QUALITY = 95


def check_restoration(name: str, problem: Problem, receive: Callable[[bytes], Samples]) -> None:
    """Check that a receiver does not make a picture much worse.

    Parameters
    ----------
    name : str
        Name of the network, for the message.
    problem : Problem
        What the network is to undo.
    receive : callable
        From the bytes of a JPEG file to the restored picture.

    Raises
    ------
    InvalidInputError
        If the restored picture is much farther from the clean one than the received picture.
    """
    clean = problem.reference(_picture())
    sent = problem.sent(clean, np.random.default_rng(0))
    file = io.BytesIO()
    Image.fromarray(sent).save(file, "JPEG", quality=_QUALITY.get(problem.name, _DEFAULT_QUALITY), subsampling="4:4:4")
    decoded = Image.open(file).convert("RGB")
    size = clean.shape[1], clean.shape[0]
    received = optcodec.psnr_db(clean, np.asarray(decoded.resize(size, Image.Resampling.BICUBIC)))
    restored = optcodec.psnr_db(clean, receive(file.getvalue()))
    if restored < received - _MAX_LOSS:
        raise InvalidInputError(
            f"{name} does not restore {problem.name}: a test picture has {received:.1f} dB as received and "
            f"{restored:.1f} dB as restored; expected a network that takes and returns R, G, B of 0..1, in its formula"
        )


def _picture() -> Samples:
    """A colour picture with soft slopes, round shapes with sharp borders, and fine waves."""
    y, x = np.mgrid[:_SIDE, :_SIDE] / _SIDE
    rng = np.random.default_rng(0)
    planes = np.stack([120 + 60 * np.sin(3 * x + phase) + 40 * np.cos(4 * y - phase) for phase in (0.0, 0.7, 1.9)])
    for _ in range(25):
        centre_y, centre_x = rng.uniform(0, 1, 2)
        radius_y, radius_x = rng.uniform(0.03, 0.2, 2)
        inside = ((y - centre_y) / radius_y) ** 2 + ((x - centre_x) / radius_x) ** 2 < 1
        waves = 15 * np.sin(2 * np.pi * (rng.uniform(5, 25) * x + rng.uniform(5, 25) * y))
        planes[:, inside] = rng.uniform(10, 245, (3, 1)) + waves[inside]
    return np.ascontiguousarray(np.rint(np.clip(planes, 0, 255)).astype(np.uint8).transpose(1, 2, 0))
