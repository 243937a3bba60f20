"""What should a trellis weigh for a receiver that restores, and how strongly should QP-NET's groups count?

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.fit_receivers [--strength] [TASK ...]

A search along one constant after the other, each moved by a factor or a step as long as the mean PSNR after
restoration rises, at equal bytes of real files, on photographs of ``imagenet_sample`` that neither profile nor QP-NET
was made from; it begins with those of an earlier result. Then the strength of the groups' exchange rates. Everything
counts against default JPEG (optimal Huffman codes, 4:2:0) at the same bytes, and is coded with ``effort=3``.
Writes all trials to ``results/fit_receiver_TASK.json``, and, where there is a profile and a QP-NET for the task, tuning
and strength into ``optcodec/data/utility/TASK.json``. With ``--strength`` the constants of an earlier search stay, and
only the rest is fitted, as for a new QP-NET.
"""

from __future__ import annotations

import json
import sys
from dataclasses import dataclass, replace
from functools import cached_property
from itertools import islice
from typing import Any

import numpy as np

from benchmarks.accelir.methods import default_jpeg
from benchmarks.receiver.tasks import FOLDER, TASKS, RestorationTask, Samples, make_task, photographs
from benchmarks.record import RESULTS, write_result
from optcodec import MaxBytes, encode, psnr_db
from optcodec.blocks.choice import BlockChoice
from optcodec.blocks.profile import load_utility_profile
from optcodec.blocks.qpnet import load_qpnet, shipped_qpnets
from optcodec.trellis.tuning import Masking, Tuning, flat_weights

FIRST, IMAGES = 270, {"sr4": 16}
USUAL_IMAGES = 12
RATES = (0.8, 1.6)  # bits per pixel that is sent
START = {"blue": 0.8, "red": 0.8, "slope": 0.0, "slope_chroma": 0.5, "dc": 1.3, "dc_chroma": 1.3, "ratio": 0.1,
         "exponent": 0.0, "floor": 50.0}  # fmt: skip
ADDED = {"slope": 0.6, "slope_chroma": 0.6, "exponent": 0.15}  # constants that move by steps, not by factors
FACTORS = {"floor": 3.0}
USUAL_FACTOR = 1.6
CORNER = 4.0  # radial frequency, in half cycles of a block, from which weights fall or rise
ROUNDS, GAIN = 3, 0.002  # what a trial has to gain, in dB
PACKAGES = "numpy", "numba", "torch"
KEPT = "task", "rates", "images", "constants", "of_rgb", "trials"
STRENGTHS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0)


def tuning_of(c: dict[str, float], *, of_rgb: bool = False) -> Tuning:
    """Weights that fall with the frequency to the power of twice the slope, or rise where it is negative."""
    weights = flat_weights(1.0, c["blue"], c["red"])
    square = np.add.outer(np.arange(8) ** 2, np.arange(8) ** 2).ravel()
    for component, row in enumerate(weights):
        chroma = "_chroma" if component else ""
        row *= (1 + square / CORNER**2) ** -c[f"slope{chroma}"]
        row[0] *= c[f"dc{chroma}"]
    masking = Masking(c["exponent"], c["floor"]) if c["exponent"] else None
    return Tuning(weights, masking, c["ratio"], at_resolution=False, of_rgb=of_rgb)


@dataclass(frozen=True, eq=False)
class Bench:
    """Photographs that are sent and restored."""

    task: RestorationTask
    clean: list[Samples]

    @cached_property
    def sent(self) -> list[Samples]:
        return [self.task.sent(image, seed) for seed, image in enumerate(self.clean)]

    @cached_property
    def budgets(self) -> list[list[int]]:
        return [[int(rate * image.shape[0] * image.shape[1] / 8) for rate in RATES] for image in self.sent]

    def psnr(self, data: bytes, number: int) -> float:
        return psnr_db(self.clean[number], self.task.restored(data))

    @cached_property
    def reference(self) -> np.ndarray:
        """PSNR in dB after restoration of default JPEG (images, rates)."""
        return np.array([
            [default_jpeg(image, budget, lambda data, k=k: self.psnr(data, k)) for budget in self.budgets[k]]
            for k, image in enumerate(self.sent)
        ])  # fmt: skip

    def gain(self, *, tune: Tuning | None = None, blocks: BlockChoice | None = None) -> np.ndarray:
        """Against default JPEG, in dB (images, rates)."""
        found = [
            [
                self.psnr(encode(image, effort=3, tune=tune, blocks=blocks, target=MaxBytes(budget)).data, k)
                for budget in self.budgets[k]
            ]
            for k, image in enumerate(self.sent)
        ]
        return np.array(found) - self.reference


class Search:
    """Constants and the trials that led to them.

    Whether chrominance is made for the way decoders upsample it is decided at the start.
    """

    def __init__(self, bench: Bench, start: dict[str, float]) -> None:
        self.bench, self.constants, self.trials = bench, dict(start), []
        tried = {of_rgb: self.tried(self.constants, of_rgb) for of_rgb in (False, True)}
        self.of_rgb = tried[True] > tried[False]
        self.best = tried[self.of_rgb]

    def tried(self, constants: dict[str, float], of_rgb: bool) -> float:
        gain = float(self.bench.gain(tune=tuning_of(constants, of_rgb=of_rgb)).mean())
        self.trials.append(
            {
                "constants": {k: round(v, 4) for k, v in constants.items()},
                "of_rgb": of_rgb,
                "gain_db": round(gain, 4),
            }
        )
        return gain

    def along(self, name: str, part: float, sign: int) -> None:
        """One constant, as far as it helps."""
        while True:
            moved = dict(self.constants)
            if name in ADDED:
                moved[name] += sign * ADDED[name] * part
            else:
                moved[name] *= FACTORS.get(name, USUAL_FACTOR) ** (sign * part)
            gain = self.tried(moved, self.of_rgb)
            if gain < self.best + GAIN:
                return
            self.constants, self.best = moved, gain

    def run(self) -> None:
        for number in range(ROUNDS):
            for name in START:
                if name != "floor" or self.constants["exponent"]:
                    for sign in (1, -1):
                        self.along(name, 0.5**number, sign)
            print(number, round(self.best, 4), {k: round(v, 3) for k, v in self.constants.items()}, flush=True)


def rounded(constants: dict[str, float]) -> dict[str, float]:
    return {name: float(f"{value:.3g}") for name, value in constants.items()}


def searched(bench: Bench, name: str) -> dict[str, Any]:
    """Constants and the trials that led to them, from those of an earlier search on; kept in the result file."""
    kept = RESULTS / f"fit_receiver_{name}.json"
    search = Search(bench, json.loads(kept.read_text())["constants"] if kept.exists() else START)
    search.run()
    figures = {
        "task": bench.task.name,
        "rates": RATES,
        "images": len(bench.clean),
        "constants": rounded(search.constants),
        "of_rgb": search.of_rgb,
        "trials": search.trials,
    }
    write_result(kept.stem, figures, packages=PACKAGES)
    return figures


def fitted(name: str, *, again: bool) -> None:
    task = make_task(name)
    chosen = islice(photographs(name), FIRST, FIRST + IMAGES.get(name, USUAL_IMAGES))
    bench = Bench(task, [task.reference(pixels) for _, pixels in chosen])
    kept = RESULTS / f"fit_receiver_{name}.json"
    figures = searched(bench, name) if again else {key: json.loads(kept.read_text())[key] for key in KEPT}
    print(name, figures["constants"], figures["of_rgb"], flush=True)
    if name not in shipped_qpnets():
        return
    tuning = tuning_of(figures["constants"], of_rgb=figures["of_rgb"])
    profile = replace(load_utility_profile(name), tuning=tuning)
    net, gains = load_qpnet(name), {}
    for strength in STRENGTHS:
        blocks = BlockChoice("exchange", replace(profile, strength=strength), net)
        gains[strength] = round(float(bench.gain(blocks=blocks).mean()), 4)
    replace(profile, strength=max(gains, key=gains.__getitem__)).save(FOLDER / "utility" / f"{name}.json")
    by_rate = bench.gain(tune=profile.tuning).mean(axis=0).round(3).tolist()
    figures |= {"gain_db_by_strength": gains, "gain_db_by_rate": by_rate}
    write_result(f"fit_receiver_{name}", figures, packages=PACKAGES)
    print(name, gains, by_rate)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    names = [argument for argument in sys.argv[1:] if argument != "--strength"]
    for each in names or TASKS:
        fitted(each, again="--strength" not in sys.argv)
