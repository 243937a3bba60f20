"""Are our sensitivity maps right, how large are their standard errors, and how long do they take?

    OPTCODEC_DATA=DATA python -m benchmarks.accuracy.sensitivity        (about 15 minutes on two cores)

DATA holds ``weights/`` and ``imagenet_sample/``; the folder ``reference/opts/senmap`` beside DATA holds the maps of the
authors of OptS. Writes ``results/sensitivity.json``:

* standard errors with 500 images, and seconds per image;
* rank correlation with the authors' maps, and with our own maps under other conditions (two halves of the sample, other
  images, other labels, random crops, filters disturbed by as much as rounding to 8 bits does): how much of the
  difference can each of these explain?
* which chroma map is Cb and which is Cr: finite differences on the real network, and the ratio of the two maps at low
  and at high frequencies, with the authors' labels as they are and exchanged;
* how the chroma weights change at 4:2:0;
* whether bfloat16 is accurate enough on this processor.
"""

from __future__ import annotations

import os
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from scipy.stats import spearmanr
from torchvision.transforms import RandomResizedCrop
from torchvision.transforms.functional import pil_to_tensor

from benchmarks.record import write_result
from optcodec.errors import InvalidInputError
from optcodec.jpeg.tables import NATURAL_ORDER
from optcodec.vision.datasets import LabelledImage, batches, find_images, sample
from optcodec.vision.estimate import estimate_sensitivity
from optcodec.vision.gradients import component_gradients, dct_energies
from optcodec.vision.models import TargetModel, load_model
from optcodec.vision.profile import SensitivityProfile, load_profile

NETWORKS = ("mobilenet_v2", "squeezenet1_1")
NAMES = ("Y", "Cb", "Cr")
THREADS = 2
LOW = np.add.outer(range(8), range(8)) <= 2
HIGH = np.minimum.outer(range(8), range(8)) >= 4


def authors_maps(data: Path, model: str) -> np.ndarray:
    """The authors' maps of Y, Cb and Cr by their own labels, shape (3, 8, 8) in natural order."""
    natural = np.empty((3, 64))
    folder = data.parent / "reference" / "opts" / "senmap"
    natural[:, NATURAL_ORDER] = [np.load(folder / f"{name}{model}.npy") for name in NAMES]
    return natural.reshape(3, 8, 8)


def estimate(target: TargetModel, images: list[LabelledImage], **options: Any) -> SensitivityProfile:
    """A profile of the network on these images."""
    return estimate_sensitivity(target.module, batches(images, target.preprocess), **options)


def timed(target: TargetModel, images: list[LabelledImage]) -> tuple[SensitivityProfile, dict[str, Any]]:
    """Profile, and seconds per image over batches of 16 that are already in memory, without the first batch."""
    profile = estimate(target, images)
    ready = list(batches(images[:160], target.preprocess))
    ends: list[float] = []
    estimate_sensitivity(target.module, ready, progress=lambda done, error: ends.append(time.perf_counter()))
    seconds = np.diff(ends) / 16
    start = time.perf_counter()
    for _ in batches(images[:64], target.preprocess):
        pass
    reading = (time.perf_counter() - start) / 64
    return profile, {
        "seconds_per_image_median": round(float(np.median(seconds)), 4),
        "seconds_per_image_spread": [round(float(value), 4) for value in (seconds.min(), seconds.max())],
        "seconds_per_image_reading": round(reading, 4),
    }


def errors_reached(profile: SensitivityProfile) -> dict[str, Any]:
    """Median and largest relative standard error of each component."""
    errors = profile.provenance.standard_errors
    assert errors is not None
    relative = errors / profile.weights
    by_component = {
        name: {"median": round(float(np.median(part)), 4), "max": round(float(part.max()), 4)}
        for name, part in zip(NAMES, relative, strict=True)
    }
    return {"images": profile.provenance.images, "relative_standard_errors": by_component}


def rank(a: np.ndarray, b: np.ndarray) -> float:
    """Rank correlation (Spearman) of two maps."""
    return round(float(spearmanr(a.ravel(), b.ravel()).statistic), 3)


def ranks(ours: np.ndarray, theirs: np.ndarray) -> dict[str, float]:
    """Rank correlations with the chroma labels of the other side as they are, and exchanged."""
    return {
        "Y": rank(ours[0], theirs[0]),
        "Cb_with_their_Cb": rank(ours[1], theirs[1]),
        "Cr_with_their_Cr": rank(ours[2], theirs[2]),
        "Cb_with_their_Cr": rank(ours[1], theirs[2]),
        "Cr_with_their_Cb": rank(ours[2], theirs[1]),
    }


def chroma_ratios(weights: np.ndarray) -> dict[str, float]:
    """Energy of the Cb map over that of the Cr map, at low (u + v <= 2) and high (u, v >= 4) frequencies."""
    return {
        name: round(float(weights[1][mask].sum() / weights[2][mask].sum()), 3)
        for name, mask in (("low", LOW), ("high", HIGH))
    }


def log_distance(ours: np.ndarray, theirs: np.ndarray) -> float:
    """RMS over frequencies of ln(Cb/Cr, ours) - ln(Cb/Cr, theirs)."""
    ratio = np.log(ours[1] / ours[2]) - np.log(theirs[1] / theirs[2])
    return round(float(np.sqrt(np.mean(ratio**2))), 3)


def finite_differences(target: TargetModel, images: list[LabelledImage]) -> dict[str, Any]:
    """Ratio of squared central differences of the loss in float64 to squared gradients, for each chroma component.

    ``Cb_against_Cr`` and ``Cr_against_Cb`` have the gradient of the other component instead.
    """
    module, rng = target.module.double().eval(), np.random.default_rng(0)
    ratios: dict[str, list[float]] = {"Cb": [], "Cr": [], "Cb_against_Cr": [], "Cr_against_Cb": []}
    for pixels, labels in batches(images, target.preprocess, size=1):
        image = (pixels.double() / 255).requires_grad_(True)
        assert labels is not None
        loss = torch.nn.functional.cross_entropy(module(image), labels)
        (gradient,) = torch.autograd.grad(loss, image)
        planes = component_gradients(gradient / 255, "4:4:4")
        for _ in range(6):
            row, column = 8 * rng.integers(0, 28, 2)
            v, u = rng.integers(0, 8, 2)
            cb, cr = (float(dct_energies(p[:, row : row + 8, column : column + 8])[0, v, u]) for p in planes[1:])
            for energy, other_energy, colour, name in (
                (cb, cr, (0, -0.344136, 1.772), "Cb"),
                (cr, cb, (1.402, -0.714136, 0), "Cr"),
            ):
                squared = difference(module, image.detach(), labels, (row, column, v, u), colour) ** 2
                ratios[name].append(squared / energy)
                ratios[f"{name}_against_{'Cr' if name == 'Cb' else 'Cb'}"].append(squared / other_energy)
    target.module.float()
    return {
        name: {"median": round(float(np.median(part)), 5), "p10_p90": np.quantile(part, [0.1, 0.9]).round(5).tolist()}
        for name, part in ratios.items()
    }


def difference(module: Any, image: Any, labels: Any, where: tuple[int, ...], colour: tuple[float, ...]) -> float:
    """d loss / d coefficient (v, u) of the block at (row, column) of a colour plane."""
    row, column, v, u = where
    k = 2 * np.arange(8) + 1
    basis = np.outer(np.cos(k * v * np.pi / 16), np.cos(k * u * np.pi / 16)) / 4 / np.sqrt(2) ** ((v == 0) + (u == 0))
    step = torch.zeros_like(image)
    step[0, :, row : row + 8, column : column + 8] = torch.tensor(np.multiply.outer(colour, basis) / 255)
    with torch.no_grad():
        up, down = (torch.nn.functional.cross_entropy(module(image + s * step), labels) for s in (1e-3, -1e-3))
    return float(up - down) / 2e-3


def cropped(target: TargetModel, images: list[LabelledImage]) -> np.ndarray:
    """Weights over random crops, as networks are trained on."""
    torch.manual_seed(0)
    crop = RandomResizedCrop(224)
    return estimate(replace(target, preprocess=lambda image: pil_to_tensor(crop(image))), images).weights


def disturbed(name: str, data: Path, images: list[LabelledImage]) -> np.ndarray:
    """Weights of the network after noise as large as the rounding of its filters to 8 bits."""
    target = load_model(name, weights=data / "weights" / f"{name}.safetensors")
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for filters in (p for p in target.module.parameters() if p.ndim == 4):
            step = filters.abs().amax((1, 2, 3), keepdim=True) / 127
            filters.add_((torch.rand(filters.shape, generator=generator) - 0.5) * step)
    return estimate(target, images).weights


def variants(target: TargetModel, data: Path, images: list[LabelledImage], weights: np.ndarray) -> dict[str, Any]:
    """Rank correlation of Y maps under other conditions with our map, and with the authors' map for MobileNetV2."""
    unlabelled = [LabelledImage(image.path, None) for image in images]
    other = sample(find_images(data / "nips2017_dev", data / "nips2017_dev" / "labels.csv"), None, seed=0)
    maps = {
        "first_half_of_the_images": estimate(target, images[:250]).weights,
        "second_half_of_the_images": estimate(target, images[250:]).weights,
        "nips2017_dev": estimate(target, other).weights,
        "labels_self": estimate(target, unlabelled).weights,
        "random_crops": cropped(target, images),
        "noise_of_8_bits_on_the_filters": disturbed(target.name, data, images),
    }
    authors = authors_maps(data, "mobilenet_v2")
    figures = {
        name: {"ours": rank(tested[0], weights[0]), "authors": rank(tested[0], authors[0])}
        for name, tested in maps.items()
    }
    halves = rank(maps["first_half_of_the_images"][0], maps["second_half_of_the_images"][0])
    return {**figures, "halves_with_each_other": halves}


def subsampled(full: np.ndarray, target: TargetModel, images: list[LabelledImage]) -> dict[str, Any]:
    """Chroma weights at 4:2:0 against those at 4:4:4, frequency by frequency."""
    weights = estimate(target, images, subsampling="4:2:0").weights
    assert np.allclose(weights[0], full[0], rtol=1e-4)
    figures: dict[str, Any] = {}
    for name, at_420, at_444 in zip(NAMES[1:], weights[1:], full[1:], strict=True):
        ratio = at_420 / at_444
        figures[name] = {
            "ratio_dc": round(float(ratio[0, 0]), 2),
            "ratio_min_median_max": [round(float(value), 2) for value in np.quantile(ratio, [0, 0.5, 1])],
            "rank_correlation": rank(at_420, at_444),
        }
    return figures


def bfloat16(target: TargetModel, images: list[LabelledImage]) -> dict[str, Any]:
    """Whether the estimate accepts bfloat16 on these images, or the error message that refuses it."""
    start = time.perf_counter()
    try:
        profile = estimate(target, images, dtype="bfloat16")
    except InvalidInputError as error:
        return {"accepted": False, "message": str(error)}
    seconds = time.perf_counter() - start
    return {"accepted": True, "images": profile.provenance.images, "seconds_with_comparison": round(seconds, 1)}


def network_figures(name: str, data: Path) -> dict[str, Any]:
    """All figures of a network."""
    folder = data / "imagenet_sample"
    target = load_model(name, weights=data / "weights" / f"{name}.safetensors")
    images = sample(find_images(folder, folder / "labels.csv"), None, seed=0)
    profile, seconds = timed(target, images)
    print(name, seconds, flush=True)
    weights, shipped = profile.weights, load_profile(name).weights
    authors = {model: authors_maps(data, model) for model in ("mobilenet_v2", "Alexnet")}
    return {
        **errors_reached(profile),
        **seconds,
        "largest_relative_deviation_from_the_shipped_profile": float(f"{np.abs(weights / shipped - 1).max():.2g}"),
        "rank_correlation": {f"authors_{model}": ranks(weights, maps) for model, maps in authors.items()},
        "rank_correlation_of_Y_made_differently": variants(target, data, images, weights),
        "chroma": {
            "finite_differences_squared_over_gradients_squared": finite_differences(target, images[:8]),
            "Cb_over_Cr": chroma_ratios(weights),
            "Cb_over_Cr_authors_by_label": {model: chroma_ratios(maps) for model, maps in authors.items()},
            "Cb_over_Cr_authors_exchanged": {model: chroma_ratios(maps[[0, 2, 1]]) for model, maps in authors.items()},
            "log_distance_authors_by_label": {model: log_distance(weights, maps) for model, maps in authors.items()},
            "log_distance_authors_exchanged": {
                model: log_distance(weights, maps[[0, 2, 1]]) for model, maps in authors.items()
            },
        },
        "subsampling_420_over_444": subsampled(weights, target, images),
        "bfloat16": bfloat16(target, images),
    }


def main() -> None:
    torch.set_num_threads(THREADS)
    data = Path(os.environ["OPTCODEC_DATA"])
    networks = {name: network_figures(name, data) for name in NETWORKS}
    path = write_result("sensitivity", {"threads": THREADS, "networks": networks}, packages=("torch", "torchvision"))
    print(path)


if __name__ == "__main__":
    main()
