"""What does each turn of fitting give the pair of encoder and receiver, and each part alone?

The receiver and the encoder's tuning for it were made in turns: the first receiver, for files of Pillow; the tuning
for it; the receiver for all encoders; the tuning for that. All of them, on all pairs, beside tunings for the error of
the decoded picture, at five rates, 4:2:0; and plain RD-OPT tables beside those for a sensitivity profile of the
receiver, whose loss is the squared error of the restored picture. The photographs are those of `pipeline`; neither a
receiver nor a tuning was made from them.

    OPTCODEC_DATA=DATA python -m benchmarks.receiver.turns --before CHECKOUT [--images N]

CHECKOUT is a checkout of this repository at be80e70^, from which the first receiver and tuning are taken. Writes
``results/receiver_turns.json``, and prints a table of it. An interrupted run continues.
"""

from __future__ import annotations

import os
import tempfile
from collections.abc import Iterator
from itertools import islice
from pathlib import Path

import click
import numpy as np
import torch
from PIL import Image

from benchmarks import record
from benchmarks.receiver.pair import turns
from benchmarks.receiver.pipeline import BPP, SETS, SUBSAMPLING, measured, originals, rounded
from optcodec.experiments.partial import remove_partial
from optcodec.pictures.pixels import decoded_pixels
from optcodec.rates import Experiment, Rate, judge_by, result_of
from optcodec.shared import encode_turbo
from optcodec.vision.gradients import component_gradients, dct_energies
from optcodec.vision.profile import Provenance, SensitivityProfile
from restore.cli.pipeline import sender_from
from restore.evaluation.measures import MEASURES, load_measures
from restore.evaluation.pipeline import readers_of
from restore.evaluation.receivers import make_receiver
from restore.readers.named import deblock

ANCHOR, BEFORE = "default JPEG", "default before"
SURVEYED, QUALITY, SIDE = 64, 30, 256  # photographs for the profile, the quality of their files, pixels of a side
NAMES = ("psnr",)
RESULT = "receiver_turns"
PACKAGES = ("numpy", "onnxruntime", "pillow", "torch", "bjontegaard")


def surveyed() -> Iterator[np.ndarray]:
    """The middle of photographs of BSDS500."""
    for path in sorted((Path(os.environ["OPTCODEC_DATA"]) / "BSDS500").rglob("*.jpg")):
        with Image.open(path) as image:
            left, top = ((extent - SIDE) // 2 for extent in image.size)
            yield np.asarray(image.convert("RGB").crop((left, top, left + SIDE, top + SIDE)))


def receiver_profile() -> SensitivityProfile:
    """How much the squared error of the restored picture minds an error at each frequency (OptS, eqs. (8) and (9)).

    The gradient is that of the receiver `default` as a reader, on files of default JPEG.
    """
    reader, energies = deblock(), []
    for pixels in islice(surveyed(), SURVEYED):
        data = encode_turbo(pixels, SUBSAMPLING, QUALITY)
        _, gradient = reader(pixels).of_file(data)(decoded_pixels(data))
        parts = component_gradients(torch.from_numpy(gradient).permute(2, 0, 1)[None], SUBSAMPLING)
        energies.append(np.stack([dct_energies(part)[0].double().numpy() for part in parts]))
    errors = np.std(energies, axis=0, ddof=1) / len(energies) ** 0.5
    origin = Provenance("default", data="BSDS500", images=len(energies), loss="squared error after the receiver",
                        image_size=f"{SIDE}x{SIDE}", subsampling=SUBSAMPLING, quality=QUALITY,
                        standard_errors=errors)  # fmt: skip
    return SensitivityProfile("receiver", np.mean(energies, axis=0), origin)


def senders(before: Path, profile: Path) -> dict[str, str]:
    """Senders by their names in the result."""
    return {
        ANCHOR: "pillow",
        "RD-OPT": "optcodec:effort=2",
        "RD-OPT by the gradient of the receiver": f"optcodec:effort=2,profile={profile}",
        "trellis psnr": "optcodec:tune=psnr",
        "trellis for the receiver before": f"optcodec:tune=receiver:{before / 'optcodec/data/utility/deblock.json'}",
        "trellis for the receiver now": "optcodec:tune=receiver:deblock",
    }


@click.command()
@click.option("--before", type=click.Path(exists=True, path_type=Path), required=True, help="Checkout of be80e70^.")
@click.option("--images", type=int, help="Number of pictures of each set.  [default: all]")
@click.option("--workers", default=2, show_default=True)
def main(before: Path, images: int | None, workers: int) -> None:
    """Measure all turns."""
    torch.set_num_threads(1)
    receivers = ["jpeg", f"{BEFORE}={before / 'restore/data/models/default.json'}", "default"]
    readers, _ = readers_of([make_receiver(name, colour=True, threads=1) for name in receivers], [0.0])
    unfinished = record.RESULTS / f"{RESULT}.partial"
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "receiver.json"
        profile = receiver_profile()
        profile.save(path)
        coders = tuple(sender_from(f"{name}={text}", SUBSAMPLING) for name, text in senders(before, path).items())
        rates = tuple(Rate("bpp", value) for value in BPP)
        run = Experiment(coders, rates, judge_by(load_measures(NAMES)), readers, subsampling=SUBSAMPLING)
        part = measured(run, originals(SETS, images), unfinished, workers)
    document = result_of(run, part, {name: MEASURES[name] for name in NAMES}, anchor=ANCHOR)
    about = {"profile": np.round(profile.normalized().weights, 4).tolist()}
    print(record.write_result(RESULT, rounded(document | about), packages=PACKAGES))
    remove_partial(unfinished)
    print(turns(document))


if __name__ == "__main__":
    main()
