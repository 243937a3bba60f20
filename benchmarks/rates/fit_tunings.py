"""Where do the constants of the tunings "ssim" and "people" come from?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.fit_tunings --butteraugli PATH [ssim | people | people-full ...]

They are fitted by this search. It multiplies or divides one constant after the other by a factor as long as a mean of
BD-rates falls. Its photographs are not used by any other rate-distortion benchmark: five of McMaster and three of the
Val20 set, coded into baseline files. It starts from what earlier searches of the same kind found; its own outcome,
rounded, is in ``optcodec/trellis/tuning.py``.

"ssim": against libjpeg-turbo at 4:2:0, at equal SSIM of luminance. This does not see chrominance; that it keeps an
eighth of its weight is a choice, not fitted. "people": at 4:2:0, against jpegli or mozjpeg, by picture and measure the
one that needs fewer bytes; at equal SSIMULACRA2 and at equal 3-norm of butteraugli, half each, of the photographs and
of half as many drawn pages, which are none of `pages.py`, and every other one of which is dark; the worst picture
counts twice. "people-full": the same at 4:4:4, for the constants of chrominance there; all others are those of
"people". ``butteraugli_main`` is one of the tools of libjxl, see `people.py`. Writes all trials to
``results/fit_tunings_NAME.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.rates.people import butteraugli
from benchmarks.rates.rd import Encoder, Pixels, bd_rate, load, measured, photographs
from benchmarks.record import write_result
from optcodec import encode
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import encode_jpegli, encode_mozjpeg, encode_turbo
from optcodec.trellis.tuning import TUNINGS, Masking, Tuning, falling_weights, flat_weights
from restore.channel.drawings import drawing

FACTOR, GAIN = 1.2, 0.05  # factor of a constant between trials; least gain in % of bytes for which a trial is kept
FIRST_PAGE, PAGES = 900_000, 4  # drawings of which every fourth is a page of text, and which nothing else uses
PACKAGES = "numpy", "ssimulacra2", "bjontegaard", "ajpegli", "simplejpeg"
Constants = dict[str, float]
Curves = dict[str, list[tuple[float, float]]]


@dataclass(frozen=True)
class Fit:
    """What is fitted: constants to start from, and what they are fitted to."""

    start: Constants
    measures: tuple[str, ...]
    rivals: tuple[Encoder, ...]
    qualities: tuple[int, ...]
    subsampling: str = "4:2:0"
    worst: float = 0.0  # weight of the worst picture beside the mean of all


_EYES = encode_jpegli, partial(encode_mozjpeg, table=3)
_PEOPLE = {
    "exponent": 0.444, "floor": 62.0, "ratio": 0.072, "blue": 0.22, "red": 0.84, "half": 1.92, "half_chroma": 7.63,
    "dc": 2.7, "dc_chroma": 3.5, "power": 0.675,
}  # fmt: skip
FITS = {
    "ssim": Fit({"exponent": 0.7, "floor": 58.5, "ratio": 0.08}, ("ssim_y",), (encode_turbo,), (12, 30, 50, 70, 88)),
    "people": Fit(_PEOPLE, ("ssimulacra2", "butteraugli_3"), _EYES, (30, 50, 70, 85), worst=1.0),
    "people-full": Fit(
        {"blue": 0.12, "red": 0.5, "half_chroma": 3.33, "dc_chroma": 2.64},
        ("ssimulacra2", "butteraugli_3"),
        _EYES,
        (30, 50, 70, 85),
        "4:4:4",
        worst=1.0,
    ),
}


@dataclass(frozen=True)
class Trial:
    """The constants of a tuning, and what they reach: the mean BD-rate in %, with the worst picture where it counts."""

    constants: Constants
    bd_rate: float


def tuning(name: str, constants: Constants) -> Tuning:
    """The tuning ``name`` with other constants."""
    if name == "ssim":
        masking = Masking(constants["exponent"], constants["floor"])
        return Tuning(flat_weights(1.0, 0.12, 0.12), masking, constants["ratio"])
    weights = falling_weights(
        (1.0, constants["blue"], constants["red"]),
        (constants.get("half", 1.0), constants["half_chroma"]),
        (constants.get("dc", 1.0), constants["dc_chroma"]),
        power=constants.get("power", 1.0),
    )
    if name == "people-full":
        return replace(TUNINGS["people"], full_chrominance=weights[1:])
    return Tuning(weights, Masking(constants["exponent"], constants["floor"]), constants["ratio"])


def curves(task: tuple[Pixels, str, Constants | int, str]) -> Curves:
    """Bytes and measure of a picture at all qualities, by measure, coded with constants, or by a rival of a number."""
    pixels, name, how, program = task
    fit = FITS[name]
    encoder = fit.rivals[how] if isinstance(how, int) else partial(_ours, tune=tuning(name, how))
    points = []
    for quality in fit.qualities:
        data = encoder(pixels, fit.subsampling, quality)
        figures = measured(pixels, data, people="ssimulacra2" in fit.measures)
        if "butteraugli_3" in fit.measures:
            figures |= butteraugli(pixels, decoded_pixels(data), program)
        points.append(figures)
    return {measure: [(figures["nbytes"], figures[measure]) for figures in points] for measure in fit.measures}


def _ours(pixels: Pixels, subsampling: str, quality: int, *, tune: Tuning) -> bytes:
    return encode(pixels, quality=quality, effort=3, tune=tune, subsampling=subsampling, threads=1).data


def pictures(name: str) -> list[Pixels]:
    """The photographs, and for people pages, light and dark."""
    paths: list[Path] = [*photographs("McMaster")[::4], *photographs("Val20")[2::7]]
    pages = [] if name == "ssim" else [drawing(FIRST_PAGE + 4 * number) for number in range(PAGES)]
    return [*map(load, paths), *(255 - page if number % 2 else page for number, page in enumerate(pages))]


def search(name: str, program: str, pool: ProcessPoolExecutor) -> list[Trial]:
    """Search the constants of a tuning; return all trials, followed by the best one."""
    fit, coded = FITS[name], pictures(name)

    def measure(how: Constants | int) -> list[Curves]:
        return list(pool.map(curves, [(pixels, name, how, program) for pixels in coded]))

    references = list(zip(*(measure(number) for number in range(len(fit.rivals))), strict=True))

    def run_trial(constants: Constants) -> Trial:
        rates = [
            np.mean([max(bd_rate(other[measure], mine[measure])[0] for other in others) for measure in fit.measures])
            for others, mine in zip(references, measure(constants), strict=True)
        ]
        reached = (np.mean(rates) + fit.worst * np.max(rates) / len(rates)) / (1 + fit.worst / len(rates))
        trials.append(Trial(constants, round(float(reached), 3)))
        print(trials[-1], flush=True)
        return trials[-1]

    trials: list[Trial] = []
    best = run_trial(fit.start)
    for constant in fit.start:
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


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--butteraugli", required=True, help="libjxl's butteraugli_main")
    parser.add_argument("names", nargs="*", default=[], choices=[[], *FITS], help="all by default")
    chosen = parser.parse_args(arguments)
    for name in chosen.names or list(FITS):
        fit = FITS[name]
        with ProcessPoolExecutor(2) as pool:
            trials = search(name, str(Path(chosen.butteraugli).resolve()), pool)
        figures: dict[str, Any] = {
            "measures": fit.measures,
            "subsampling": fit.subsampling,
            "qualities": fit.qualities,
            "worst": fit.worst,
            "trials": [{"constants": trial.constants, "bd_rate": trial.bd_rate} for trial in trials[:-1]],
            "best": {"constants": trials[-1].constants, "bd_rate": trials[-1].bd_rate},
        }
        print(write_result(f"fit_tunings_{name}", figures, packages=PACKAGES))


if __name__ == "__main__":
    main()
