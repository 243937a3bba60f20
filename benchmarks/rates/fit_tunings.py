"""Where do the constants of the tunings "ssim" and "people" come from?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.fit_tunings [ssim | people ...]

They are fitted by this search. It multiplies or divides one constant after the other by a factor as long as the mean
BD-rate against libjpeg-turbo falls. Its photographs are not used by any other rate-distortion benchmark: five of
McMaster and three of the Val20 set, coded at 4:2:0 into baseline files. It starts from round numbers, the outcome of a
coarser search of the same kind; its own outcome, rounded, is in ``optcodec/trellis/tuning.py``. The measure of "ssim"
does not see chrominance: that chrominance keeps an eighth of its weight there is a choice, not fitted. Writes all
trials to ``results/fit_tunings_NAME.json``.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rates.rd import bd_rate, load, measured, ours, photographs
from benchmarks.record import write_result
from optcodec.shared import encode_turbo
from optcodec.trellis.tuning import TUNINGS, Masking, Tuning, falling_weights, flat_weights

SUBSAMPLING = "4:2:0"
QUALITIES = (12, 30, 50, 70, 88)
MEASURE = {"ssim": "ssim_y", "people": "ssimulacra2"}
START = {
    "ssim": {"exponent": 0.7, "floor": 58.5, "ratio": 0.08},
    "people": {
        "exponent": 0.65, "floor": 58.0, "ratio": 0.1, "blue": 0.3, "red": 0.5, "half": 2.8, "half_chroma": 4.0,
        "dc": 2.9, "dc_chroma": 4.9,
    },
}  # fmt: skip
FACTOR, GAIN = 1.2, 0.05  # factor of a constant between trials; least gain in % of bytes for which a trial is kept


@dataclass(frozen=True)
class Trial:
    """The constants of a tuning, and the mean BD-rate in % that they reach."""

    constants: dict[str, float]
    bd_rate: float


def tuning(name: str, constants: dict[str, float]) -> Tuning:
    """The tuning ``name`` with other constants."""
    masking = Masking(constants["exponent"], constants["floor"])
    if name == "ssim":
        return Tuning(flat_weights(1.0, 0.12, 0.12), masking, constants["ratio"])
    weights = falling_weights(
        (1.0, constants["blue"], constants["red"]),
        (constants["half"], constants["half_chroma"]),
        (constants["dc"], constants["dc_chroma"]),
    )
    return Tuning(weights, masking, constants["ratio"])


def curve(task: tuple[Path, str, dict[str, float] | None]) -> list[tuple[float, float]]:
    """Bytes and measure of one photograph at all qualities, coded with the constants, or by libjpeg-turbo if None."""
    path, name, constants = task
    pixels, encoder = load(path), encode_turbo
    if constants is not None:
        TUNINGS["trial"] = tuning(name, constants)
        encoder = partial(ours, tune="trial", progressive=False)
    files = [encoder(pixels, SUBSAMPLING, quality) for quality in QUALITIES]
    points = (measured(pixels, data, people=name == "people") for data in files)
    return [(point["nbytes"], point[MEASURE[name]]) for point in points]


def search(name: str, pool: ProcessPoolExecutor) -> list[Trial]:
    """Search the constants of a tuning; return all trials, followed by the best one."""
    paths = [*photographs("McMaster")[::4], *photographs("Val20")[2::7]]
    reference = list(pool.map(curve, [(path, name, None) for path in paths]))

    def run_trial(constants: dict[str, float]) -> Trial:
        curves = pool.map(curve, [(path, name, constants) for path in paths])
        rates = [bd_rate(*pair)[0] for pair in zip(reference, curves, strict=True)]
        trials.append(Trial(constants, round(float(np.mean(rates)), 3)))
        print(trials[-1], flush=True)
        return trials[-1]

    trials: list[Trial] = []
    best = run_trial(START[name])
    for constant in START[name]:
        for factor in (FACTOR, 1 / FACTOR):
            moved = best
            while (trial := run_trial(moved.constants | {constant: moved.constants[constant] * factor})).bd_rate < (
                moved.bd_rate - GAIN
            ):
                moved = trial
            if moved is not best:
                best = moved
                break
    return [*trials, replace(best)]


def main(names: list[str]) -> None:
    for name in names or list(START):
        with ProcessPoolExecutor(2) as pool:
            trials = search(name, pool)
        figures: dict[str, Any] = {
            "measure": MEASURE[name],
            "qualities": QUALITIES,
            "trials": [{"constants": trial.constants, "bd_rate": trial.bd_rate} for trial in trials[:-1]],
            "best": {"constants": trials[-1].constants, "bd_rate": trials[-1].bd_rate},
        }
        print(write_result(f"fit_tunings_{name}", figures, packages=("numpy", "ssimulacra2", "bjontegaard")))


if __name__ == "__main__":
    main(sys.argv[1:])
