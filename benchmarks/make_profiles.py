"""Make the sensitivity profiles that come with the package.

    OPTCODEC_DATA=DATA python benchmarks/make_profiles.py

DATA holds ``weights/NAME.safetensors`` and ``imagenet_sample/`` with its ``labels.csv``. All 500 images, true labels,
cross-entropy, 4:4:4, float32. Writes ``optcodec/data/NAME.json``, numbers to nine significant digits.
"""

from __future__ import annotations

import os
from dataclasses import replace
from pathlib import Path

import numpy as np

from optcodec.vision.models import load_model
from optcodec.vision.profile import SensitivityProfile
from optcodec.vision.survey import Survey, sensitivity_of

NETWORKS = ("mobilenet_v2", "squeezenet1_1")


def rounded(array: np.ndarray) -> np.ndarray:
    return np.array([float(f"{value:.9g}") for value in array.flat]).reshape(array.shape)


def make(name: str, data: Path) -> SensitivityProfile:
    target = load_model(name, weights=data / "weights" / f"{name}.safetensors")
    survey = Survey(data / "imagenet_sample", data / "imagenet_sample" / "labels.csv", seed=0)
    profile = sensitivity_of(target, survey)
    errors = profile.provenance.standard_errors
    assert errors is not None
    about = replace(profile.provenance, standard_errors=rounded(errors))
    return SensitivityProfile(profile.name, rounded(profile.weights), about)


def main() -> None:
    data = Path(os.environ["OPTCODEC_DATA"])
    for name in NETWORKS:
        profile = make(name, data)
        path = Path(__file__).parents[1] / "optcodec" / "data" / f"{name}.json"
        profile.save(path)
        errors = profile.provenance.standard_errors
        print(f"{path.name}: {profile.provenance.images} images, errors up to {(errors / profile.weights).max():.1%}")


if __name__ == "__main__":
    main()
