"""How much does trellis quantization reduce the loss of a network at equal bytes?

    OPTCODEC_DATA=DATA python -m benchmarks.accuracy.rdo_accuracy [NETWORK ...]

Run `rate_accuracy.py` and `beyond_opts.py` first: methods without a trellis are taken from their results.

The setting is that of `beyond_opts.py`: 500 photographs at 4:2:0, each coded into as many bytes as default JPEG needs
for it at some qualities, compared by the mean increase of the loss. A trellis chooses the indices

- on top of the tables of plain OptS (eq. 14, steps up to 100), whose profile comes from the test images with labels;
- on top of the tables of RD-OPT, with a profile at the operating point (quality 40) from other photographs, no labels.

Both are measured twice: with the price of a bit that `optcodec.trellis.tuning` has for networks, and as a full trellis,
with the price that is best for the weighted error. The last variant replaces RD-OPT's tables by those that fit the full
trellis. Writes ``results/rdo_accuracy_NETWORK_420.json`` and ``.npz``; BD-rates are against plain OptS.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from typing import Any
from unittest.mock import patch

from benchmarks.accuracy.networks import (
    about_profile,
    clean_profile,
    joined_rows,
    network,
    photographs,
    rows_of_methods,
    run,
    unlabelled_profile,
    write,
)
from benchmarks.accuracy.tables import NETWORKS
from optcodec.accuracy import coder
from optcodec.accuracy.grid import grid
from optcodec.trellis.tuning import STEP_RATIO, Tuning, tuning_for
from optcodec.vision.profile import SensitivityProfile

SUBSAMPLING = "4:2:0"
LEVELS = (10.0, 20.0, 50.0, 75.0)
PLAIN = "opts:laplacian"
BEST_TABLES = "rdopt, at quality 40"


def full_trellis(profile: SensitivityProfile) -> Tuning:
    """The profile's tuning with the price of a bit and the tables that the tunings for people have."""
    return replace(tuning_for(profile), step_ratio=STEP_RATIO, one_table=False)


def measure_network(name: str) -> None:
    """Measure all variants for a network, and write the result."""
    target, result = network(name), f"rdo_accuracy_{name}_420"
    images = photographs()
    clean = clean_profile(target, SUBSAMPLING)
    at_40 = unlabelled_profile(target, SUBSAMPLING, quality=40)
    parts = rows_of_methods(f"rate_accuracy_{name}_420", {"jpeg": "jpeg", PLAIN: PLAIN, "mozjpeg": "mozjpeg"}, LEVELS)
    parts |= rows_of_methods(f"beyond_opts_{name}_420", {BEST_TABLES: BEST_TABLES}, LEVELS)
    variants = {
        f"{PLAIN} + trellis": (f"{PLAIN}+rdo", clean, tuning_for),
        f"{PLAIN} + full trellis": (f"{PLAIN}+rdo", clean, full_trellis),
        f"{BEST_TABLES} + trellis": ("rdopt+rdo", at_40, tuning_for),
        "full trellis and its tables, at quality 40": ("rdo", at_40, full_trellis),
    }
    for variant, (method, profile, tuning) in variants.items():
        conditions = grid([method], ["bytes"], qualities=LEVELS)
        with patch.object(coder, "tuning_for", tuning):
            parts[variant], _ = run(f"{result}_{len(parts)}", target, images, conditions, profile, SUBSAMPLING)
    about: dict[str, Any] = {"profiles": {"OptS": about_profile(clean), "at quality 40": about_profile(at_40)}}
    about |= {"data": "imagenet_sample", "labels": "labels.csv", "subsampling": SUBSAMPLING}
    print(write(result, target, joined_rows(parts), about, baseline=PLAIN))


if __name__ == "__main__":
    for network_name in sys.argv[1:] or NETWORKS:
        measure_network(network_name)
