"""What does a trellis gain for a network at equal bytes?

    OPTCODEC_DATA=DATA python benchmarks/rdo_accuracy.py [NETWORK ...]  (after rate_accuracy.py and beyond_opts.py)

As ``beyond_opts.py``, which is where tables without a trellis come from: 500 photographs at 4:2:0, each in as many
bytes as default JPEG takes at some qualities, compared by the mean increase of the loss. Indices chosen by a trellis
whose errors are weighed

- by the profile of plain OptS, on top of its tables (eq. 14, steps up to 100): from the test images, with labels;
- by the same profile, with tables that fit the trellis;
- by a profile at the operating point (quality 40), measured on other photographs without labels;
- by nothing but the squared error of RGB.

Writes ``results/rdo_accuracy_NETWORK_420.json`` and ``.npz``; BD-rates are against plain OptS.
"""

from __future__ import annotations

import sys

from accuracy_tables import NETWORKS
from networks import about_profile, beside, clean_profile, network, photographs, run, taken, unlabelled_profile, write

from optcodec.accuracy.grid import grid
from optcodec.blocks.tuning import TUNINGS
from optcodec.vision.profile import Provenance, SensitivityProfile

SUBSAMPLING = "4:2:0"
LEVELS = (10.0, 20.0, 50.0, 75.0)
PLAIN = "opts:laplacian"
BEST_TABLES = "rdopt, at quality 40"


def squared_error() -> SensitivityProfile:
    """Weights of the squared error of RGB, as a profile."""
    weights = TUNINGS["psnr"].weights.reshape(3, 8, 8)
    return SensitivityProfile("squared error of RGB", weights, Provenance(subsampling=SUBSAMPLING))


def measured(name: str) -> None:
    target, result = network(name), f"rdo_accuracy_{name}_420"
    images = photographs()
    clean = clean_profile(target, SUBSAMPLING)
    at_40 = unlabelled_profile(target, SUBSAMPLING, quality=40)
    parts = taken(f"rate_accuracy_{name}_420", {"jpeg": "jpeg", PLAIN: PLAIN, "mozjpeg": "mozjpeg"}, LEVELS)
    parts |= taken(f"beyond_opts_{name}_420", {BEST_TABLES: BEST_TABLES}, LEVELS)
    variants = {
        f"{PLAIN}+rdo": (f"{PLAIN}+rdo", clean),
        "rdo, profile of OptS": ("rdo", clean),
        "rdo, at quality 40": ("rdo", at_40),
        "rdo, squared error": ("rdo", squared_error()),
    }
    for variant, (method, profile) in variants.items():
        conditions = grid([method], ["bytes"], qualities=LEVELS)
        parts[variant], _ = run(f"{result}_{len(parts)}", target, images, conditions, profile, SUBSAMPLING)
    about = {"profiles": {"OptS": about_profile(clean), "at quality 40": about_profile(at_40)}}
    about |= {"data": "imagenet_sample", "labels": "labels.csv", "subsampling": SUBSAMPLING}
    print(write(result, target, beside(parts), about, baseline=PLAIN))


if __name__ == "__main__":
    for each in sys.argv[1:] or NETWORKS:
        measured(each)
