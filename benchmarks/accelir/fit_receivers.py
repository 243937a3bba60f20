"""Which weights should a trellis use for a restoring receiver, and how strongly should the groups of QP-NET count?

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.fit_receivers [--strength] [TASK | TASK-MEASURE ...]

The search changes one constant after the other by a factor or a step, as long as the mean PSNR after restoration
rises at equal bytes of real files; or with ``deblock-ssim`` and ``deblock-ssimulacra2``, that measure. Where the
package has networks of two kinds for a task, it is the mean of both, since weights that suit one network alone may not
suit another that had no part in the fit. The photographs are those of ``imagenet_sample`` from which neither the
profile nor QP-NET was made; for the receiver of JPEG files, whose networks saw these, the middle of each photograph of
Val20, and some of ``nips2017_dev``. The search starts from the weights for PSNR (of another measure, also from nearly
those of its tuning without a receiver), or from an earlier result if they are better. Then the strength of the groups'
exchange rates is fitted, which stays 0 if its gain could be chance. All gains are over default JPEG (optimal Huffman
codes, 4:2:0) at the same bytes, and encoded with ``effort=3``.

All trials are written to ``results/fit_receiver_TASK.json``. If the package has a profile and a QP-NET for the task,
tuning and strength are also written into ``optcodec/data/utility/TASK.json``; with a measure, the tuning into a profile
that is otherwise the same, with a strength of 0. With ``--strength`` the constants of the earlier search are kept and
only the strength is fitted, which is what a new QP-NET needs.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from dataclasses import asdict, dataclass, replace
from functools import cached_property, partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from benchmarks.accelir.methods import default_jpeg
from benchmarks.receiver.tasks import FOLDER, RECEIVERS, TASKS, RestorationTask, Samples, make_task, photographs
from benchmarks.record import has_result, load_result, write_result
from optcodec import MaxBytes, encode
from optcodec.blocks.choice import BlockChoice
from optcodec.blocks.profile import load_utility_profile
from optcodec.blocks.qpnet import load_qpnet, shipped_qpnets
from optcodec.rates import load_measures
from optcodec.trellis.tuning import STEP_RATIO, Masking, Tuning, flat_weights

FIRST, IMAGES = 270, {"deblock": 45}
DEFAULT_IMAGES = 30
MIDDLE = 320, 384  # rows and columns of the middle of a photograph of Val20
RATES = {"deblock": (0.4, 0.7, 1.2)}  # bits per pixel of the image that is sent
DEFAULT_RATES = (0.8, 1.6)
# The constants of the weights for PSNR
START = {"blue": 1.0, "red": 1.0, "slope": 0.0, "slope_chroma": 0.0, "dc": 1.0, "dc_chroma": 1.0, "ratio": STEP_RATIO,
         "exponent": 0.0, "floor": 50.0, "corner": 4.0, "corner_chroma": 4.0}  # fmt: skip
ADDED = {"slope": 0.6, "slope_chroma": 0.6, "exponent": 0.15}  # constants that move by steps, not by factors
FACTORS = {"floor": 3.0}
# Constants without which others are idle
NEEDED = {"floor": "exponent", "corner": "slope", "corner_chroma": "slope_chroma"}
DEFAULT_FACTOR = 1.6
# What the searches for measures start from, besides the weights for PSNR: nearly the tuning "ssim", and what "people"
# was before it was fitted to butteraugli, too.
MEASURED_START = {
    "ssim": START | {"blue": 0.12, "red": 0.12, "exponent": 0.7, "floor": 70.0, "ratio": 0.08},
    "ssimulacra2": START | {"blue": 0.3, "red": 0.5, "slope": 1.0, "slope_chroma": 1.0, "corner": 1.94,
                            "corner_chroma": 3.33, "dc": 2.9, "dc_chroma": 4.9, "exponent": 0.542,
                            "ratio": 0.0833},
}  # fmt: skip
ROUNDS = 3  # over all constants
GAINS = {"psnr": 0.002, "ssim": 1e-4, "ssimulacra2": 0.02}  # least gain for which a trial is kept
MEASURED = load_measures(GAINS)
PACKAGES = "numpy", "numba", "torch"
KEPT_FIGURES = "task", "measure", "rates", "images", "constants", "of_rgb", "at_resolution", "trials"
STRENGTHS = (0.0, 0.15, 0.3, 0.45, 0.6, 0.8, 1.0)
_STANDARD_ERRORS = 2.0  # that the gain of a strength has to have


def tuning_of(constants: dict[str, float], *, of_rgb: bool, at_resolution: bool) -> Tuning:
    """A tuning whose weights fall with the frequency to the power of twice the slope; they rise if it is negative.

    The corner is the radial frequency, in half cycles of a block, from which they do.
    `of_rgb` and `at_resolution` as in `optcodec.trellis.tuning.Tuning`.
    """
    weights = flat_weights(1.0, constants["blue"], constants["red"])
    square = np.add.outer(np.arange(8) ** 2, np.arange(8) ** 2).ravel()
    for component, row in enumerate(weights):
        chroma = "_chroma" if component else ""
        row *= (1 + square / constants[f"corner{chroma}"] ** 2) ** -constants[f"slope{chroma}"]
        row[0] *= constants[f"dc{chroma}"]
    masking = Masking(constants["exponent"], constants["floor"]) if constants["exponent"] else None
    return Tuning(weights, masking, constants["ratio"], at_resolution=at_resolution, of_rgb=of_rgb)


@dataclass(frozen=True, eq=False)
class Bench:
    """The photographs on which the constants are fitted, as they are sent, coded and restored."""

    tasks: tuple[RestorationTask, ...]  # receivers of files of one problem
    clean: list[Samples]
    rates: tuple[float, ...]
    measure: str = "psnr"

    @cached_property
    def sent(self) -> list[Samples]:
        """The images that are sent: the clean ones as the task changes them."""
        return [self.tasks[0].sent(image, seed) for seed, image in enumerate(self.clean)]

    @cached_property
    def budgets(self) -> list[list[int]]:
        """Bytes for each image at each of the rates."""
        return [[int(rate * image.shape[0] * image.shape[1] / 8) for rate in self.rates] for image in self.sent]

    def quality(self, data: bytes, number: int) -> float:
        """The measure of a file after restoration against the clean image with this number, mean over receivers."""
        values = [MEASURED[self.measure](self.clean[number], task.restored(data)) for task in self.tasks]
        return float(np.mean(values))

    @cached_property
    def reference(self) -> np.ndarray:
        """The measure of default JPEG after restoration, shape (images, rates)."""
        return np.array([
            [default_jpeg(image, budget, partial(self.quality, number=k)) for budget in self.budgets[k]]
            for k, image in enumerate(self.sent)
        ])  # fmt: skip

    def gain(self, *, tune: Tuning | None = None, blocks: BlockChoice | None = None) -> np.ndarray:
        """The measure after restoration less that of default JPEG, shape (images, rates)."""
        restored = [
            [
                self.quality(encode(image, effort=3, tune=tune, blocks=blocks, target=MaxBytes(budget)).data, k)
                for budget in self.budgets[k]
            ]
            for k, image in enumerate(self.sent)
        ]
        return np.asarray(np.array(restored) - self.reference)


@dataclass(frozen=True)
class Kind:
    """How the weights of chrominance are meant, see `optcodec.trellis.tuning.Tuning`."""

    of_rgb: bool = True
    at_resolution: bool = True


class Search:
    """A search for the constants of a tuning, which records its trials.

    It starts from the best of some constants. Before it, it tries whether errors of chrominance add up to those of RGB
    in another way (``of_rgb``).
    """

    def __init__(self, bench: Bench, starts: list[tuple[dict[str, float], Kind]]) -> None:
        self.bench = bench
        self.trials: list[dict[str, Any]] = []
        gains = [self.measure_gain(*start) for start in starts]
        self.best = max(gains)
        self.constants, self.kind = starts[gains.index(self.best)]
        other = replace(self.kind, of_rgb=not self.kind.of_rgb)
        if (gain := self.measure_gain(self.constants, other)) > self.best:
            self.kind, self.best = other, gain

    def measure_gain(self, constants: dict[str, float], kind: Kind) -> float:
        """Mean gain over default JPEG with these constants; the trial is recorded."""
        gain = float(self.bench.gain(tune=tuning_of(constants, **asdict(kind))).mean())
        held = {"constants": {name: round(value, 4) for name, value in constants.items()}, **asdict(kind)}
        self.trials.append(held | {"gain": round(gain, 5)})
        return gain

    def search_along(self, name: str, part: float, sign: int) -> None:
        """Change one constant in one direction (``sign``) until the gain no longer rises."""
        while True:
            moved = dict(self.constants)
            if name in ADDED:
                moved[name] += sign * ADDED[name] * part
            else:
                moved[name] *= FACTORS.get(name, DEFAULT_FACTOR) ** (sign * part)
            gain = self.measure_gain(moved, self.kind)
            if gain < self.best + GAINS[self.bench.measure]:
                return
            self.constants, self.best = moved, gain

    def run(self) -> Iterator[int]:
        """Search all constants one after the other, in rounds with smaller and smaller changes; yield their numbers."""
        for number in range(ROUNDS):
            for name in START:
                if self.constants.get(NEEDED.get(name, ""), 1):
                    for sign in (1, -1):
                        self.search_along(name, 0.5**number, sign)
            yield number


def rounded(constants: dict[str, float]) -> dict[str, float]:
    """The constants with three significant digits."""
    return {name: float(f"{value:.3g}") for name, value in constants.items()}


def search_constants(bench: Bench, name: str) -> dict[str, Any]:
    """Search the constants, and write the trials after each round, so that an interrupted search starts from there."""
    result = f"fit_receiver_{name}"
    starts = [(START, Kind())]
    if bench.measure in MEASURED_START:
        starts.append((MEASURED_START[bench.measure], Kind()))
    if has_result(result):
        earlier = load_result(result)
        starts.append((START | earlier["constants"], kind_of(earlier)))
    search = Search(bench, starts)
    names = " and ".join(task.name for task in bench.tasks)
    figures: dict[str, Any] = {"task": names, "measure": bench.measure, "rates": bench.rates}
    figures["images"] = len(bench.clean)
    for number in search.run():
        print(number, round(search.best, 4), rounded(search.constants), flush=True)
        figures |= {"constants": rounded(search.constants), **asdict(search.kind), "trials": search.trials}
        write_result(result, figures, packages=PACKAGES)
    return figures


def kind_of(figures: dict[str, Any]) -> Kind:
    """How weights of a result are meant. Results before ``at_resolution`` was tried have weights as they act."""
    return Kind(figures["of_rgb"], figures.get("at_resolution", False))


def fitted_photographs(name: str) -> list[Samples]:
    """The photographs on which the constants for a task are fitted."""
    count = IMAGES.get(name, DEFAULT_IMAGES)
    if name != "deblock":
        return [pixels for _, pixels in islice(photographs(name), FIRST, FIRST + count)]
    data = Path(os.environ["OPTCODEC_DATA"])
    paths = [path for folder in ("Val20", "nips2017_dev") for path in sorted((data / folder).glob("*.png"))][:count]
    return [middle(np.asarray(Image.open(path).convert("RGB"))) for path in paths]


def middle(pixels: Samples) -> Samples:
    """The middle of a picture, or all of it if it is smaller."""
    top, left = (max(0, (side - part) // 2) for side, part in zip(pixels.shape, MIDDLE, strict=False))
    return np.ascontiguousarray(pixels[top : top + MIDDLE[0], left : left + MIDDLE[1]])


def useful_strength(by_image: dict[float, np.ndarray]) -> float:
    """The strength that gains most, from gains by photograph; 0 if its gain over none could be chance."""
    best = max(by_image, key=lambda strength: float(by_image[strength].mean()))
    over_none = by_image[best] - by_image[0.0]
    return best if float(over_none.mean()) > _STANDARD_ERRORS * standard_error(over_none) else 0.0


def standard_error(values: np.ndarray) -> float:
    """Standard error of a mean, in as many digits as gains have."""
    return round(float(values.std(ddof=1)) / float(np.sqrt(len(values))), 4)


def fit_task(name: str, *, search_again: bool) -> None:
    """Fit constants and strength for a task, and write the results and the profile."""
    task_name, _, measure = name.partition("-")
    tasks = tuple(make_task(task_name, network) for network in RECEIVERS.get(task_name, (None,)))
    clean = [tasks[0].reference(pixels) for pixels in fitted_photographs(task_name)]
    bench = Bench(tasks, clean, RATES.get(task_name, DEFAULT_RATES), measure or "psnr")
    figures = (
        search_constants(bench, name)
        if search_again
        else {key: value for key, value in load_result(f"fit_receiver_{name}").items() if key in KEPT_FIGURES}
    )
    print(name, figures["constants"], kind_of(figures), flush=True)
    if task_name not in shipped_qpnets():
        return
    tuning = tuning_of(START | figures["constants"], **asdict(kind_of(figures)))
    profile = replace(load_utility_profile(task_name), name=name, tuning=tuning)
    if measure:  # the groups of QP-NET were measured by PSNR
        replace(profile, strength=0.0).save(FOLDER / "utility" / f"{name}.json")
        return
    net = load_qpnet(name)
    measured = {
        strength: bench.gain(blocks=BlockChoice("exchange", replace(profile, strength=strength), net))
        for strength in STRENGTHS
    }
    by_image = {strength: values.mean(axis=1) for strength, values in measured.items()}
    replace(profile, strength=useful_strength(by_image)).save(FOLDER / "utility" / f"{name}.json")
    by_rate = measured[0.0].mean(axis=0).round(3).tolist()  # a strength of 0 is the tuning alone
    gains = {strength: round(float(values.mean()), 4) for strength, values in by_image.items()}
    over_none = {strength: standard_error(values - by_image[0.0]) for strength, values in by_image.items()}
    figures |= {"gain_db_by_strength": gains, "standard_error_over_none": over_none, "gain_db_by_rate": by_rate}
    write_result(f"fit_receiver_{name}", figures, packages=PACKAGES, renewed=not search_again)
    print(name, gains, by_rate)


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    names = [argument for argument in sys.argv[1:] if argument != "--strength"]
    for name in names or TASKS:
        fit_task(name, search_again="--strength" not in sys.argv)
