"""Functions that the accuracy benchmarks share: load networks, images and profiles, run encoders, write results.

OPTCODEC_DATA is the folder with ``weights/NAME.safetensors``, ``imagenet_sample/`` (500 photographs with labels, for
testing) and ``BSDS500/`` (400 photographs without labels, for measuring sensitivity).
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Sequence
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import RESULTS, write_result
from optcodec.accuracy.coder import Peer
from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.pipeline import Pipeline
from optcodec.accuracy.rows import Rows
from optcodec.accuracy.run import measure, profile_sha256
from optcodec.accuracy.statistics import summarize
from optcodec.console.progress import progress_bar
from optcodec.experiments.partial import remove_partial
from optcodec.shared import encode_jpegli, encode_mozjpeg
from optcodec.vision.datasets import LabelledImage, find_images
from optcodec.vision.models import TargetModel, load_model
from optcodec.vision.profile import Provenance, SensitivityProfile, load_profile
from optcodec.vision.survey import ImageSample, sensitivity_of

BUDGETS = (10.0, 20.0, 35.0, 50.0, 75.0, 90.0, 95.0)  # quality factors of default JPEG whose bytes are matched
_PER_FILE = ("nbytes", "loss", "rank", "predicted", "psnr_db", "swe", "met")  # arrays of `Rows`
PACKAGES = ("numpy", "pillow", "torch", "torchvision", "bjontegaard")


def data() -> Path:
    """The folder OPTCODEC_DATA."""
    return Path(os.environ["OPTCODEC_DATA"])


def network(name: str) -> TargetModel:
    """A target network with the weights in OPTCODEC_DATA."""
    return load_model(name, weights=data() / "weights" / f"{name}.safetensors")


def photographs(folder: str = "imagenet_sample") -> list[LabelledImage]:
    """The labelled photographs of a test set."""
    return find_images(data() / folder, data() / folder / "labels.csv")


def clean_profile(target: TargetModel, subsampling: str) -> SensitivityProfile:
    """The profile of the OptS paper: gradients on clean images with true labels. At 4:4:4 it is shipped."""
    if subsampling == "4:4:4":
        return load_profile(target.name)
    folder = data() / "imagenet_sample"
    return sensitivity_of(target, ImageSample(folder, folder / "labels.csv"), subsampling=subsampling)


def unlabelled_profile(
    target: TargetModel, subsampling: str, *, quality: int | None = None, images: int | None = None, batch: int = 16
) -> SensitivityProfile:
    """A profile that is measured without labels on BSDS500, that is, on other photographs than those of the test."""
    survey = ImageSample(data() / "BSDS500", "self", images=images, batch=batch)
    return sensitivity_of(target, survey, subsampling=subsampling, quality=quality)


def mean_profile(names: Sequence[str]) -> SensitivityProfile:
    """The mean of the shipped profiles for small files of some networks, each scaled to the same sum."""
    parts = [load_profile(f"{name}_420") for name in names]
    weights = np.mean([part.weights / part.weights.sum() for part in parts], axis=0)
    shared = ("data", "images", "labels", "loss", "image_size", "subsampling", "quality")
    about = Provenance(model=", ".join(names), **{key: getattr(parts[0].provenance, key) for key in shared})
    return SensitivityProfile("generic", weights, about)


PEERS: dict[str, Peer] = {
    "mozjpeg": partial(encode_mozjpeg, table=3, progressive=False),
    "jpegli": partial(encode_jpegli, progressive=False),
}


def run(
    name: str,
    target: TargetModel,
    images: list[LabelledImage],
    conditions: Iterable[Condition],
    profile: SensitivityProfile,
    subsampling: str,
    peers: dict[str, Peer] | None = None,
) -> tuple[Rows, dict[str, float]]:
    """Measure all images under all conditions; return the rows and the seconds of each stage.

    An interrupted run continues from the file ``results/NAME.partial``.
    """
    pipeline = Pipeline(target, tuple(conditions), profile, subsampling, peers=peers or {})
    partial = RESULTS / f"{name}.partial"
    with progress_bar(len(images), name) as progress:
        measured = measure(pipeline, images, partial=partial, progress=progress)
    remove_partial(partial)
    return measured.rows, {stage: round(seconds, 1) for stage, seconds in measured.seconds.items()}


def write(name: str, target: TargetModel, rows: Rows, figures: dict[str, Any], *, baseline: str = "jpeg") -> Path:
    """Write summary and rows of a run in the formats of ``optcodec accuracy``; return the path of the summary."""
    rows.save(RESULTS / f"{name}.npz")
    about = {"model": target.name, "weights_sha256": target.weights_sha256, "rows": f"{name}.npz"}
    figures = about | {"images": len(rows.images)} | figures | summarize(rows, baseline=baseline)
    return write_result(name, figures, packages=PACKAGES)


def about_profile(profile: SensitivityProfile) -> dict[str, Any]:
    """What the result says of a profile: its name, hash and provenance."""
    source = profile.provenance
    return {
        "name": profile.name,
        "sha256": profile_sha256(profile),
        "data": source.data,
        "images": source.images,
        "labels": source.labels,
        "quality": source.quality,
    }


def joined_rows(parts: dict[str, Rows]) -> Rows:
    """Join rows of several runs on the same images into one; the keys of ``parts`` become the names of the methods."""
    first = next(iter(parts.values()))
    conditions = tuple(Condition(name, c.setting, c.level) for name, rows in parts.items() for c in rows.conditions)
    arrays: dict[str, Any] = {
        name: np.concatenate([getattr(rows, name) for rows in parts.values()]) for name in _PER_FILE
    }
    return replace(first, conditions=conditions, **arrays)


def of_method(rows: Rows, method: str, levels: Iterable[float] = BUDGETS) -> Rows:
    """The rows of one method at equal bytes."""
    wanted = {Condition(method, "bytes", level) for level in levels}
    places = [place for place, condition in enumerate(rows.conditions) if condition in wanted]
    arrays = {name: getattr(rows, name)[places] for name in _PER_FILE}
    return replace(rows, conditions=tuple(rows.conditions[place] for place in places), **arrays)


def rows_of_methods(result: str, names: dict[str, str], levels: Iterable[float]) -> dict[str, Rows]:
    """Rows of some methods from an earlier result, under new names."""
    rows = Rows.load(RESULTS / f"{result}.npz")
    return {name: of_method(rows, method, levels) for method, name in names.items()}
