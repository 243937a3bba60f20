"""Rows of an accuracy run as if a network had been measured: the true rates and losses of each method are known."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.rows import Rows

PIXELS = 224 * 224
# bits per pixel of default JPEG at the quality factors 50, 65, 75, 85, 90, 95
RATES = {50.0: 0.9, 65.0: 1.15, 75.0: 1.4, 85.0: 1.9, 90.0: 2.4, 95.0: 3.4}


def synthetic_rows(
    factors: Mapping[str, float],
    *,
    images: int = 400,
    settings: Sequence[str] = ("1",),
    levels: Sequence[float] = tuple(RATES),
    spread: float = 0,
    noise: float = 0,
    seed: int = 1,
) -> Rows:
    """Rows in which each method has the losses of JPEG at a known multiple of its bytes.

        Parameters
        ----------
        factors : mapping of str to float
            Bytes of each method's files for the losses of JPEG; 1 is JPEG itself.
        images, seed : int
    Images differ in size, in how difficult they are, and in how much coding changes their loss.
        spread : float
    Standard deviation of the logarithm of the factor from image to image; its mean is that of ``factors``.
        noise : float
    Standard deviation of the difference between the effects of a method and of JPEG on an image.
    """
    rng = np.random.default_rng(seed)
    size = rng.lognormal(0, 0.3, images)
    margin = rng.normal(1.6, 1.6, images)  # below 0 the network's decision is wrong
    harm = rng.normal(1, 3, (len(levels), images))  # coding reduces the loss of some images
    varied = {method: np.exp(spread * rng.normal(0, 1, images) - spread**2 / 2) for method in factors}
    conditions, nbytes, losses, ranks = [], [], [], []
    for setting in settings:
        for method, factor in factors.items():
            for index, level in enumerate(levels):
                rate = RATES[level]
                conditions.append(Condition(method, setting, level))
                nbytes.append(np.rint(factor * varied[method] * rate * size * PIXELS / 8))
                image_noise = noise * rng.normal(0, 1, images) if noise else 0
                after = margin - 0.25 * (harm[index] + image_noise) * rate**-2.5
                losses.append(np.logaddexp(0, -after))
                ranks.append(_rank(after))
    before = np.logaddexp(0, -margin)
    loss, rank = np.array(losses, np.float32), np.array(ranks, np.int32)
    return Rows(
        tuple(conditions),
        tuple(f"{index:05d}.png" for index in range(images)),
        pixels=np.full(images, PIXELS, np.int64),
        labels=np.zeros(images, np.int64),
        reference_loss=before.astype(np.float32),
        reference_rank=_rank(margin),
        reference_predicted=_rank(margin),
        nbytes=np.array(nbytes, np.int64),
        loss=loss,
        rank=rank,
        predicted=rank,
        psnr_db=np.float32(30) + rank.astype(np.float32),
        swe=loss + np.float32(1),
    )


def _rank(margin: np.ndarray) -> np.ndarray:
    return np.where(margin > 0, 0, np.ceil(-3 * margin)).astype(np.int32)
