"""Make the sensitivity profiles that come with the package.

    OPTCODEC_DATA=DATA python -m benchmarks.accuracy.make_profiles [NAME ...]

``mobilenet_v2`` and ``squeezenet1_1`` are measured as in the OptS paper: gradients of the cross-entropy on clean images
at 4:4:4, with the true labels of all 500 images of ``imagenet_sample``. Those whose names end in ``_420`` are for small
files: gradients at 4:2:0, on the 400 photographs of ``BSDS500`` as default JPEG decodes them at quality 40, without
labels, and in the size that the photographs have, before the network resizes them. ``generic`` is the mean of these,
each scaled to the same sum. Writes ``optcodec/data/NAME.json`` with numbers of nine significant digits.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import replace
from functools import partial

import numpy as np

from benchmarks.accuracy.networks import data, mean_profile, network, unlabelled_profile
from benchmarks.accuracy.others import ALL, load
from benchmarks.accuracy.tables import NETWORKS
from benchmarks.record import ROOT
from optcodec.vision.models import in_full_size
from optcodec.vision.profile import SensitivityProfile
from optcodec.vision.survey import ImageSample, sensitivity_of

QUALITY = 40
FOLDER = ROOT / "optcodec" / "data"


def clean(name: str) -> SensitivityProfile:
    """The profile of a network on clean images, as in the OptS paper."""
    folder = data() / "imagenet_sample"
    return sensitivity_of(network(name), ImageSample(folder, folder / "labels.csv"))


def small_files(name: str) -> SensitivityProfile:
    """The profile of a network for small files, at 4:2:0."""
    target = in_full_size(network(name) if name in NETWORKS else load(name))
    return replace(unlabelled_profile(target, "4:2:0", quality=QUALITY, batch=1), name=f"{name}_420")


MAKERS: dict[str, Callable[[], SensitivityProfile]] = {
    **{name: partial(clean, name) for name in NETWORKS},
    **{f"{name}_420": partial(small_files, name) for name in ALL},
    "generic": partial(mean_profile, ALL),
}


def rounded(array: np.ndarray) -> np.ndarray:
    """The array with nine significant digits."""
    return np.array([float(f"{value:.9g}") for value in array.flat]).reshape(array.shape)


def main(names: list[str]) -> None:
    for name in names or MAKERS:
        profile = MAKERS[name]()
        errors = profile.provenance.standard_errors
        about = replace(profile.provenance, standard_errors=None if errors is None else rounded(errors))
        SensitivityProfile(name, rounded(profile.weights), about).save(FOLDER / f"{name}.json")
        known = "" if errors is None else f", errors up to {(errors / profile.weights).max():.1%}"
        print(f"{name}: {profile.provenance.images} images{known}")


if __name__ == "__main__":
    main(sys.argv[1:])
