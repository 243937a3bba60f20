"""Does a network for segmentation give the map that it gives on the originals, and do files made for it help?

    OPTCODEC_DATA=DATA python -m benchmarks.accuracy.segmentation

The networks are DeepLabV3 with a MobileNetV2 of half and of full width, 21 classes of Pascal VOC, 513x513 pixels, two
tflite files in the folder ``nets`` beside OPTCODEC_DATA. The photographs are those of ``BSDS500/test`` of whose map the
wider one says that at least a fifth is no background. Each is coded as default JPEG at some qualities, and in the same
number of bytes in the other ways, all at 4:2:0. Files are made with the narrow network in the loop; the wide one takes
no part. ``agreement`` is the mean part of the map on which the most likely class stayed, with its 95 % interval, and
``gain`` its difference to default JPEG; the same with ``wide`` of the network that took no part.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from torch import Tensor
from torchvision.transforms.v2 import functional as transform

from benchmarks.accuracy.agreement import Pixels, Subject, run
from benchmarks.accuracy.networks import data
from benchmarks.accuracy.others import nets, of_tflite
from optcodec import NetworkReader, load_picture, load_profile
from optcodec.vision.models import TargetModel
from optcodec.vision.running import as_used

SIDE, FOREGROUND = 513, 0.2
VIEWS, ROUNDS = 2, 8
FILES = {"agreement": "deeplabv3_mnv2_dm05_pascal_quant", "wide": "deeplabv3_mnv2_pascal_quant"}
Classes = npt.NDArray[np.int64]


@cache
def target(name: str) -> TargetModel:
    """A network, which resizes pictures to its own size."""
    module = as_used(of_tflite(nets() / f"{FILES[name]}.tflite"))
    return TargetModel(name, module, transform.pil_to_tensor, resample=_resized)


def _resized(pictures: Tensor) -> Tensor:
    resized: Tensor = transform.resize(pictures, [SIDE, SIDE], antialias=True)
    return resized


def classes(name: str, pixels: Pixels) -> Classes:
    """The most likely class at each place of the map."""
    picture = torch.from_numpy(pixels.copy()).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        logits: Tensor = target(name).module(_resized(picture))
    found: Classes = logits[0].argmax(0).numpy()
    return found


def same(after: Classes, before: Classes) -> float:
    """The part of the map on which the class stayed."""
    return float((after == before).mean())


def photographs(most: int | None) -> list[Path]:
    """Those with something else than background."""
    paths = sorted((data() / "BSDS500" / "test").glob("*.jpg"))
    return [path for path in paths if (classes("wide", load_picture(path).pixels) != 0).mean() >= FOREGROUND][:most]


def main() -> None:
    """Measure, and write ``results/segmentation.json``."""
    ways: dict[str, dict[str, Any]] = {
        "trellis for PSNR": {"effort": 3, "tune": "psnr"},
        "`dnn:generic`": {"tune": load_profile("generic")},
        "made for the network": {
            "tune": load_profile("generic"),
            "reader": NetworkReader(target("agreement"), views=VIEWS),
            "rounds": ROUNDS,
        },
    }

    def outputs(pixels: Pixels) -> dict[str, Classes]:
        return {name: classes(name, pixels) for name in FILES}

    about = {"views": VIEWS, "rounds": ROUNDS, "foreground": FOREGROUND}
    run(Subject("segmentation", outputs, same, ways, about, ("numpy", "torch", "torchvision")), photographs, "5,10")


if __name__ == "__main__":
    main()
