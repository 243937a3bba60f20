"""Does a detector still find the faces that it finds on the originals, and do files that are made for it help?

python -m benchmarks.accuracy.faces

The detector is MTCNN of the package facenet-pytorch, which is installed without its dependencies (and tqdm). The
photographs are those of ``BSDS500/test`` on which it finds a face with a score of 0.95 or more. Each is coded as
default JPEG at some qualities, and in the same number of bytes in the other ways, all at 4:2:0. Files for the detector
are made with the first of its three networks in the loop, which looks for faces of all sizes, and with a loss of its
own; the other two take no part. For each way, ``agreement`` is the mean part of the boxes that are found both on the
original and on the file, as `optcodec verify --agreement boxes` counts them, with its 95 % interval, and ``gain`` its
difference to default JPEG.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from benchmarks.accuracy.agreement import Subject, run
from benchmarks.accuracy.networks import data
from optcodec import NetworkReader, load_picture
from optcodec.accuracy.boxes import box_agreement

LARGEST, RATIO, SMALLEST = 0.6, 0.709, 12  # first scale of the picture (12 pixels for a face of 20), its steps, its end
VIEWS, ROUNDS = 2, 8
CLEAR = 0.95  # score of a face that a photograph must have
Pixels = npt.NDArray[np.uint8]


@cache
def _mtcnn() -> Any:
    from facenet_pytorch import MTCNN

    return MTCNN(keep_all=True)


def faces(pixels: Pixels) -> dict[str, Any]:
    """The boxes of faces, with their scores, as `optcodec.accuracy.boxes.box_agreement` takes them."""
    boxes, scores = _mtcnn().detect(Image.fromarray(pixels))
    return {"boxes": [], "scores": []} if boxes is None else {"boxes": boxes, "scores": scores.tolist()}


def detector() -> Any:
    """The detector for ``optcodec verify --network benchmarks.accuracy.faces:detector --agreement boxes``."""
    return faces


class FirstStage(nn.Module):
    """The logits of a face at all places of a picture, of each of its scales (N, places)."""

    def __init__(self) -> None:
        super().__init__()
        self.network = _mtcnn().pnet

    def forward(self, pictures: Tensor) -> list[Tensor]:
        scale, logits = LARGEST, []
        while min(side := [round(scale * each) for each in pictures.shape[2:]]) >= SMALLEST:
            smaller = interpolate(pictures, size=side, mode="area")
            probability = self.network((255 * smaller - 127.5) / 128)[1][:, 1]
            logits.append(probability.clamp(1e-6, 1 - 1e-6).logit().flatten(1))
            scale *= RATIO
        return logits


def changed(output: list[Tensor], reference: list[Tensor]) -> Tensor:
    """Divergence of the decisions at all places, summed; that of two classes, in nats."""
    total = torch.zeros(len(output[0]))
    for logits, known in zip(output, reference, strict=True):
        p, q = known.sigmoid(), logits.sigmoid()
        total = total + (p * (p / q).log() + (1 - p) * ((1 - p) / (1 - q)).log()).sum(1)
    return total


def photographs(most: int | None) -> list[Path]:
    """Those with a face that is clear."""
    folder = data() / "BSDS500" / "test"
    found = [
        path
        for path in sorted(folder.glob("*.jpg"))
        if max(faces(load_picture(path).pixels)["scores"], default=0) >= CLEAR
    ]
    return found[:most]


def main() -> None:
    """Measure, and write ``results/faces.json``."""
    ways: dict[str, dict[str, Any]] = {
        "trellis for PSNR": {"effort": 3, "tune": "psnr"},
        "made for the detector": {"reader": NetworkReader(FirstStage(), changed, views=VIEWS), "rounds": ROUNDS},
    }
    about = {"views": VIEWS, "rounds": ROUNDS}
    packages = "numpy", "torch", "facenet-pytorch"
    subject = Subject("faces", lambda pixels: {"agreement": faces(pixels)}, box_agreement, ways, about, packages)
    run(subject, photographs, "5,10")


if __name__ == "__main__":
    main()
