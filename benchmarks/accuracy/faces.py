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

import argparse
import os
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import torch
from PIL import Image
from torch import Tensor, nn
from torch.nn.functional import interpolate

from benchmarks.record import write_result
from optcodec import EncodedJpeg, MaxBytes, NetworkReader, encode, load_picture, psnr_db
from optcodec.accuracy.boxes import box_agreement
from optcodec.console.progress import tracked
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import percentile_interval

JPEG = "default JPEG"
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


def ways() -> dict[str, dict[str, Any]]:
    """Arguments of `encode`, besides the size."""
    return {
        "trellis for PSNR": {"effort": 3, "tune": "psnr"},
        "made for the detector": {"reader": NetworkReader(FirstStage(), changed, views=VIEWS), "rounds": ROUNDS},
    }


def measured(path: Path, quality: int) -> dict[str, dict[str, float]]:
    """Bytes, PSNR and agreement of a photograph, by way."""
    original = load_picture(path).pixels
    reference = faces(original)
    plain = encode(original, quality=quality, subsampling="4:2:0")

    def figures(file: EncodedJpeg) -> dict[str, float]:
        decoded = decoded_pixels(file.data)
        part = box_agreement(faces(decoded), reference)
        return {"nbytes": file.nbytes, "psnr_db": round(psnr_db(original, decoded), 3), "agreement": part}

    rows = {JPEG: figures(plain)}
    for name, arguments in ways().items():
        rows[name] = figures(
            encode(original, target=MaxBytes(plain.nbytes), subsampling="4:2:0", threads=1, **arguments)
        )
    return rows


def summary(rows: dict[str, dict[str, dict[str, float]]]) -> dict[str, Any]:
    """Means over the photographs, by way, with the intervals of agreements."""
    result = {}
    plain = np.array([photograph[JPEG]["agreement"] for photograph in rows.values()])
    for way in next(iter(rows.values())):
        known = [photograph[way] for photograph in rows.values()]
        parts = np.array([one["agreement"] for one in known])
        means = {name: float(np.mean([one[name] for one in known])) for name in ("nbytes", "psnr_db")}
        result[way] = means | {"agreement": _figure(parts), "gain": _figure(parts - plain)}
    return result


def _figure(values: npt.NDArray[np.float64]) -> dict[str, float]:
    low, high = percentile_interval(values, resamples=2000, seed=0)
    return {"value": float(values.mean()), "low": low, "high": high}


def main() -> None:
    """Measure, and write ``results/faces.json``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, help="number of photographs with faces (default: all)")
    parser.add_argument("--qualities", default="5,10", help="qualities of default JPEG, whose bytes are matched")
    options = parser.parse_args()
    torch.set_num_threads(1)
    folder = Path(os.environ["OPTCODEC_DATA"]) / "BSDS500" / "test"
    paths = [
        path
        for path in sorted(folder.glob("*.jpg"))
        if max(faces(load_picture(path).pixels)["scores"], default=0) >= CLEAR
    ]
    paths = paths[: options.images]
    levels = {}
    for quality in map(int, options.qualities.split(",")):
        title = f"faces, quality {quality}"
        rows = {path.name: measured(path, quality) for path in tracked(paths, title, total=len(paths))}
        levels[quality] = {"ways": summary(rows), "rows": rows}
    figures = {"images": len(paths), "views": VIEWS, "rounds": ROUNDS, "qualities": levels}
    print(write_result("faces", figures, packages=("numpy", "torch", "facenet-pytorch")))


if __name__ == "__main__":
    main()
