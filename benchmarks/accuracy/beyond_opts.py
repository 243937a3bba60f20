"""Which sensitivity weights, which design rule and which tables beat OptS at equal bytes?

    OPTCODEC_DATA=DATA python -m benchmarks.accuracy.beyond_opts [NETWORK [VARIANT TO LEAVE OUT ...]]

Run `rate_accuracy.py` first: the methods that it has measured are taken from its result.

Every variant codes the same 500 photographs at 4:2:0, each into as many bytes as default JPEG needs for it at some
qualities. Profiles are measured and tables trained on other photographs (BSDS500, without labels). The only exception
is plain OptS, whose profile comes from the test images, as in the paper, which favours it. Variants are compared by the
mean increase of the loss; BD-rates are against plain OptS (eq. 14, steps up to 100).

Writes ``results/beyond_opts_NETWORK_420.json`` and ``.npz``. Variants that these files already have are not measured
again.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np
import torch

from benchmarks.accuracy.learned import Photo, secant_profile, trained_tables
from benchmarks.accuracy.networks import (
    about_profile,
    data,
    joined_rows,
    network,
    photographs,
    rows_of_methods,
    run,
    unlabelled_profile,
    write,
)
from benchmarks.accuracy.tables import NETWORKS
from benchmarks.record import has_result, load_result
from optcodec.accuracy.grid import grid
from optcodec.accuracy.rows import Rows
from optcodec.design.deepn import ScaledTable
from optcodec.jpeg.image import Metadata
from optcodec.jpeg.sources import PixelSource
from optcodec.jpeg.tables import QuantTable, quality_scale
from optcodec.vision.datasets import batches, find_images
from optcodec.vision.estimate import estimate_sensitivity
from optcodec.vision.models import TargetModel
from optcodec.vision.profile import Provenance, SensitivityProfile

SUBSAMPLING = "4:2:0"
LEVELS = (10.0, 20.0, 50.0, 75.0)
PLAIN = "opts:laplacian"
TRAINED = "trained tables"
TRAINED_AT = 35  # the trained tables have the rate of default JPEG at this quality
STEPS = 120
Weights = Callable[[TargetModel, str], SensitivityProfile]


def flat(target: TargetModel, subsampling: str) -> SensitivityProfile:
    """Weights that know no network: the squared error of samples, with chrominance counting half."""
    weights = np.ones((3, 8, 8))
    weights[1:] /= 2
    return SensitivityProfile("flat", weights, Provenance(subsampling=subsampling))


def fisher(target: TargetModel, subsampling: str) -> SensitivityProfile:
    """Weights by labels drawn from the network's own output distribution.

    This is the Fisher information, which for cross-entropy equals the Gauss-Newton approximation of the curvature.
    """
    generator = torch.Generator().manual_seed(0)

    def drawn(output: torch.Tensor, labels: object) -> torch.Tensor:
        classes = torch.multinomial(output.detach().softmax(1), 1, generator=generator)
        return -output.log_softmax(1).gather(1, classes)[:, 0]

    return estimate_sensitivity(target.module, _batches(target), loss=drawn, subsampling=subsampling)


def typical(target: TargetModel, subsampling: str) -> SensitivityProfile:
    """Geometric instead of arithmetic mean over images, so that a few images with a steep loss count less."""
    weights_by_image = [
        estimate_sensitivity(target.module, [batch], subsampling=subsampling).weights
        for batch in _batches(target, size=1)
    ]
    weights = np.exp(np.mean(np.log(np.maximum(weights_by_image, 1e-30)), 0))
    return SensitivityProfile("typical", weights, Provenance(subsampling=subsampling))


def secant(target: TargetModel, subsampling: str) -> SensitivityProfile:
    """The weights of `secant_profile` at quality 40."""
    return secant_profile(target, _photos(target, subsampling), 40)


WEIGHTS: dict[str, Weights] = {
    "flat": flat,
    "clean, self": unlabelled_profile,
    "clean, Fisher": fisher,
    "clean, typical image": typical,
    "at quality 40": lambda target, subsampling: unlabelled_profile(target, subsampling, quality=40),
    "at quality 75": lambda target, subsampling: unlabelled_profile(target, subsampling, quality=75),
    "secant": secant,
}


def scaled(tables: tuple[QuantTable, ...]) -> Callable[[np.ndarray, str, int], bytes]:
    """An encoder with the same tables for all images, scaled by a quality factor as libjpeg scales its own."""
    families = [ScaledTable(table.steps.astype(np.int64).ravel()) for table in tables]

    def encode(pixels: np.ndarray, subsampling: str, quality: int) -> bytes:
        level = float(quality_scale(quality))
        steps = [QuantTable(family.steps(level).reshape(8, 8).astype(np.uint16)) for family in families]
        return PixelSource(pixels, subsampling, "float", False, Metadata(), 0, 1).encoded(steps)

    return encode


def _batches(target: TargetModel, size: int = 16) -> Iterator[tuple[torch.Tensor, torch.Tensor | None]]:
    return batches(find_images(data() / "BSDS500", "self"), target.preprocess, size=size)


def _photos(target: TargetModel, subsampling: str) -> list[Photo]:
    photos_pixels = (images[0].permute(1, 2, 0).numpy() for images, _ in _batches(target, size=1))
    return [Photo.of(np.ascontiguousarray(photo), subsampling) for photo in photos_pixels]


KNOWN = {"jpeg": "jpeg", PLAIN: PLAIN, "opts": "opts", "rdopt": "rdopt, clean, labels"}


def earlier_result(result: str) -> tuple[dict[str, Rows], dict[str, Any]]:
    """Rows by variant, and the profiles and trained tables, of an earlier result; empty if there is none."""
    if not has_result(result):
        return {}, {"profiles": {}}
    document = load_result(result)
    names = [curve["method"] for curve in document["comparisons"]["curves"]]
    about: dict[str, Any] = {key: document[key] for key in ("profiles", "trained_tables") if key in document}
    return rows_of_methods(result, {name: name for name in names}, LEVELS), about


def measure_network(name: str, left_out: list[str]) -> None:
    """Measure all variants for a network, and write the result."""
    target = network(name)
    result = f"beyond_opts_{name}_420"
    images = photographs()
    earlier, about = earlier_result(result)
    parts = rows_of_methods(f"rate_accuracy_{name}_420", KNOWN, LEVELS) | earlier
    conditions = grid(["rdopt"], ["bytes"], qualities=LEVELS)
    for label, weights in WEIGHTS.items():
        variant = f"rdopt, {label}"
        if variant in parts or label in left_out:
            continue
        profile = weights(target, SUBSAMPLING)
        parts[variant], _ = run(f"{result}_{len(parts)}", target, images, conditions, profile, SUBSAMPLING)
        about["profiles"][label] = about_profile(profile)
    if TRAINED not in (*parts, *left_out):
        tables = trained_tables(target, _photos(target, SUBSAMPLING), TRAINED_AT, STEPS)
        conditions, peers = grid(["trained"], ["bytes"], qualities=LEVELS), {"trained": scaled(tables)}
        profile = flat(target, SUBSAMPLING)
        parts[TRAINED], _ = run(f"{result}_trained", target, images, conditions, profile, SUBSAMPLING, peers)
        about["trained_tables"] = [table.steps.tolist() for table in tables]
    about |= {"data": "imagenet_sample", "labels": "labels.csv", "subsampling": SUBSAMPLING}
    print(write(result, target, joined_rows(parts), about, baseline=PLAIN))


def main(names: list[str]) -> None:
    for name in names[:1] or NETWORKS:
        measure_network(name, names[1:])


if __name__ == "__main__":
    main(sys.argv[1:])
