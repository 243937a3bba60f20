"""How well does a sensitivity profile work that was measured on another network, or on fewer or other images?

    OPTCODEC_DATA=DATA python -m benchmarks.accuracy.generalization [NETWORK]      (after beyond_opts.py)

RD-OPT designs tables at 4:2:0 for as many bytes as default JPEG needs. The profiles are measured at quality 40 without
labels: the network's own and the other network's (400 photographs of BSDS500), the shipped profile ``generic``, the
network's own from only 100 of the photographs, and its own from another set (``nips2017_dev``). Profiles on clean
images with true labels or the network's own, and weights without a network, are taken from the result of
`beyond_opts.py` on the same images. There are two test sets: ``imagenet_sample`` (500 photographs) and
``nips2017_dev`` (150 that were never JPEG files). Writes ``results/generalization_NETWORK_SET.json`` and ``.npz``.
"""

from __future__ import annotations

import sys
from typing import Any

from benchmarks.accuracy.beyond_opts import LEVELS, flat
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
from optcodec.accuracy.grid import grid
from optcodec.vision.models import TargetModel
from optcodec.vision.profile import SensitivityProfile, load_profile
from optcodec.vision.survey import ImageSample, sensitivity_of

SUBSAMPLING = "4:2:0"
KNOWN = {
    "jpeg": "jpeg",
    "rdopt, at quality 40": "own",
    "rdopt, flat": "no network",
    "rdopt, clean, labels": "own, clean images, true labels (test images)",
    "rdopt, clean, self": "own, clean images, own labels",
}


def profiles(target: TargetModel) -> dict[str, SensitivityProfile]:
    """The profiles that are compared, by label."""
    other = next(name for name in NETWORKS if name != target.name)
    return {
        "the other network's": load_profile(f"{other}_420"),
        "generic": load_profile("generic"),
        "own, 100 images": unlabelled_profile(target, SUBSAMPLING, quality=40, images=100),
        "own, from nips2017_dev": sensitivity_of(
            target, ImageSample(data() / "nips2017_dev", "self"), subsampling=SUBSAMPLING, quality=40
        ),
    }


def measure_network(name: str) -> None:
    """Measure all profiles for a network on both test sets, and write the results."""
    target = network(name)
    measured_profiles = profiles(target)
    shipped_profile = load_profile(f"{name}_420")
    shipped_profiles = {
        "jpeg": shipped_profile,
        "own": shipped_profile,
        **{key: measured_profiles[key] for key in ("the other network's", "generic")},
    }
    shipped_profiles["no network"] = flat(target, SUBSAMPLING)
    for folder, profiles_by_label, parts in (
        ("imagenet_sample", measured_profiles, rows_of_methods(f"beyond_opts_{name}_420", KNOWN, LEVELS)),
        ("nips2017_dev", shipped_profiles, {}),
    ):
        result = f"generalization_{name}_{folder}"
        for label, profile in profiles_by_label.items():
            method = "jpeg" if label == "jpeg" else "rdopt"
            conditions = grid([method], ["bytes"], qualities=LEVELS)
            part = f"{result}_{len(parts)}"
            parts[label], _ = run(part, target, photographs(folder), conditions, profile, SUBSAMPLING)
        about: dict[str, Any] = {"data": folder, "labels": "labels.csv", "subsampling": SUBSAMPLING}
        about |= {"profiles": {label: about_profile(profile) for label, profile in profiles_by_label.items()}}
        print(write(result, target, joined_rows(parts), about))


def main(names: list[str]) -> None:
    for name in names or NETWORKS:
        measure_network(name)


if __name__ == "__main__":
    main(sys.argv[1:])
