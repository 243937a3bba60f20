"""Does a network classify files of OptS better than others at the same rate? The paper's experiment on real files.

    OPTCODEC_DATA=DATA python -m benchmarks.accuracy.rate_accuracy [NETWORK [SUBSAMPLING]]     (about ten minutes each)

500 ImageNet photographs are preprocessed to 224x224 pixels, then coded. The settings are those of the paper: fixed
water levels; the SWE (sensitivity weighted error) of default JPEG matched (setting 1) or that of OptS (setting 2),
separately for luminance and chrominance or jointly. In addition, all methods code each image into equal bytes, mozjpeg
and jpegli included. At 4:2:0 there are only setting 1 and equal bytes. ``opts`` uses the exact distortion,
``opts:laplacian`` the model of the paper (eq. 14). Writes ``results/rate_accuracy_NETWORK_SUBSAMPLING.json`` and
``.npz``.
"""

from __future__ import annotations

import sys

from benchmarks.accuracy.networks import BUDGETS, PEERS, about_profile, clean_profile, network, photographs, run, write
from benchmarks.accuracy.tables import NETWORKS
from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.grid import grid

OURS = ["jpeg", "optd", "opts", "deepn", "rdopt"]
FEWER = (10.0, 20.0, 50.0, 75.0, 90.0)
WATER_LEVELS = (0.01, 0.051, 0.1, 0.2, 0.5, 1.0)


def conditions(subsampling: str) -> tuple[Condition, ...]:
    """The conditions that are measured at a sampling."""
    methods = [*OURS, "opts:laplacian", *PEERS]
    if subsampling != "4:4:4":
        return grid(OURS, ["1"], qualities=(70, 90)) + grid(methods, ["bytes"], qualities=FEWER)
    return (
        grid(OURS, ["1"])
        + grid(["opts", "optd"], ["fixed"], water_levels=WATER_LEVELS)
        + grid(["jpeg", "optd", "opts"], ["1-joint"], qualities=(70, 85, 95))
        + grid(["opts", "jpeg", "optd", "deepn"], ["2"], water_levels=WATER_LEVELS)
        + grid(["opts", "jpeg", "optd"], ["2-joint"], water_levels=WATER_LEVELS[1::2])
        + grid(methods, ["bytes"], qualities=BUDGETS)
    )


def main(names: list[str]) -> None:
    for name in names[:1] or NETWORKS:
        target = network(name)
        for subsampling in names[1:] or ("4:4:4", "4:2:0"):
            result = f"rate_accuracy_{name}_{subsampling.replace(':', '')}"
            profile = clean_profile(target, subsampling)
            rows, seconds = run(result, target, photographs(), conditions(subsampling), profile, subsampling, PEERS)
            about = {"data": "imagenet_sample", "labels": "labels.csv", "subsampling": subsampling}
            print(write(result, target, rows, about | {"profile": about_profile(profile), "seconds": seconds}))


if __name__ == "__main__":
    main(sys.argv[1:])
