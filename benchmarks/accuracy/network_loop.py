"""What do files gain that are made with networks in the encoder's loop, for these networks and for others?

Photographs of ``imagenet_sample`` with labels, which no profile or table was fitted to, as squares of 224x224 pixels,
or with ``--whole`` in the size they have. Each is coded as default JPEG at some qualities, and in the same number of
bytes in the other ways, all at 4:2:0 with optimal Huffman codes: tables of OptD, OptS and DeepN-JPEG without a trellis,
a trellis for PSNR, tables and trellis for the profile `generic` and for that of the network (of whole photographs, also
with fewer bits for what the networks crop away), the best of several files by the network's output (``choose``), a
trellis with weights from one gradient (``weights``) of a network or of the first four, and the loop for each of five
networks alone, and for two, three and four of them at once. EfficientNet-Lite1 is never among these. Other encoders
make files of these qualities, in the bytes that they take.

For each way and network: BD-rate against default JPEG by the increase of the loss (cross-entropy with the label) and by
the logarithm of the divergence from the output on the original, of means over the photographs, with 95 % intervals over
the photographs; top-1 accuracy; and the processor seconds of a file. Networks that a way was made for also look at its
files in ways that took no part in making them; see `benchmarks.accuracy.others`.

    OPTCODEC_DATA=DATA python -m benchmarks.accuracy.network_loop --work WORK [--images N] [--whole] [--profiles]

With ``--profiles``, ways without a network at the encoder only, and with them the mean profiles of three networks, for
the two that are left out: more photographs can be measured.

Writes ``results/network_loop.json`` (``network_profiles.json``; ``..._whole.json``). WORK stores the figures of each
file: an interrupted run goes on, and more photographs can be added to those that it has.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import simplejpeg
import torch
from PIL import Image

from benchmarks.accuracy import others
from benchmarks.accuracy.networks import photographs
from benchmarks.accuracy.others import AS_DECODED, LOOKS, Look, Pixels
from benchmarks.accuracy.ways import JPEG, NETWORKS, QUALITIES, target, ways
from benchmarks.record import write_result
from optcodec import psnr_db
from optcodec.accuracy.onnx_classifier import fitted
from optcodec.bootstrap import draw_counts, weighted_means
from optcodec.console.progress import tracked
from optcodec.experiments.curves import bd_rate, monotone_curves
from optcodec.experiments.estimates import estimate
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import write_whole
from optcodec.vision.datasets import LabelledImage, sample
from optcodec.vision.models import TargetModel

SIDE, CALIBRATION = 224, 16  # pixels; photographs by which the ranges of 8-bit copies are known
RESAMPLES = 1000
PACKAGES = ("numpy", "torch", "torchvision", "simplejpeg", "efficientnet-lite-pytorch", "pyvips")


@cache
def eight_bit(name: str, whole: bool) -> TargetModel:
    """The 8-bit copy of a network."""
    pictures = [picture(image, whole) for image in sample(photographs(), CALIBRATION, seed=1)]
    return others.eight_bit_copy(target(name, whole), pictures)


def picture(image: LabelledImage, whole: bool) -> Pixels:
    """Pixels of a photograph, or of its square."""
    opened = Image.open(image.path).convert("RGB")
    if not whole:
        opened = fitted(opened, SIDE, SIDE)
    return np.ascontiguousarray(np.asarray(opened))


def measured(task: tuple[LabelledImage, str], work: Path, whole: bool) -> None:
    """Make the files of a photograph in one way, unless WORK has their figures."""
    image, name = task
    path = work / ("whole" if whole else "squares") / image.path.stem / f"{name.replace(' ', '_')}.json"
    if path.exists():
        return
    torch.set_num_threads(1)
    original, way = picture(image, whole), ways()[name]
    reading = _Reading(original, image.label or 0, whole, frozenset(NETWORKS if name == JPEG else way.readers))
    rows = {}
    for quality in way.levels:
        start = time.process_time()
        data = way.file(original, quality, whole)
        seconds = round(time.process_time() - start, 3)
        psnr = round(psnr_db(original, decoded_pixels(data)), 3)
        rows[quality] = {"nbytes": len(data), "psnr_db": psnr, "seconds": seconds, "reads": reading(data)}
    path.parent.mkdir(parents=True, exist_ok=True)
    about = {"pixels": original.shape[0] * original.shape[1], "label": image.label, "clean": reading.clean()}
    write_whole(path, json.dumps(about | {"files": rows}).encode())


class _Reading:
    """What the networks make of the files of a photograph: those of ``looking`` in all ways, the others as decoded."""

    def __init__(self, original: Pixels, label: int, whole: bool, looking: frozenset[str]) -> None:
        self._label, self._whole = label, whole
        self._looks = [(name, look) for name in NETWORKS for look in LOOKS if look == AS_DECODED or name in looking]
        self._original = {(name, look): self._output(name, LOOKS[look], original) for name, look in self._looks}

    def __call__(self, data: bytes) -> dict[str, dict[str, list[float]]]:
        """Loss, divergence, and whether the label comes first, by network and look."""
        decoded = decoded_pixels(data)
        fast = simplejpeg.decode_jpeg(data, fastdct=True, fastupsample=True)
        found: dict[str, dict[str, list[float]]] = {}
        for name, look in self._looks:
            output = self._output(name, LOOKS[look], fast if LOOKS[look].fast_decoder else decoded)
            before = self._original[name, look]
            divergence = float((before.exp() * (before - output)).sum())
            hit = float(output.argmax() == self._label)
            found.setdefault(name, {})[look] = [round(-float(output[self._label]), 6), round(divergence, 6), hit]
        return found

    def clean(self) -> dict[str, dict[str, list[float]]]:
        """The same of the original."""
        found: dict[str, dict[str, list[float]]] = {}
        for (name, look), output in self._original.items():
            hit = float(output.argmax() == self._label)
            found.setdefault(name, {})[look] = [round(-float(output[self._label]), 6), 0.0, hit]
        return found

    def _output(self, name: str, look: Look, pixels: Pixels) -> torch.Tensor:
        made = eight_bit(name, self._whole) if look.eight_bit else target(name, self._whole)
        return others.log_probabilities(made, pixels, look)


def summary(rows: dict[str, dict[str, Any]]) -> dict[str, Any]:
    """Figures by way: of each network and look, and bytes, PSNR and seconds at each quality.

    Parameters
    ----------
    rows : dict
        What `measured` stores, by way, and then by photograph.
    """
    images = list(rows[JPEG])
    counts = draw_counts(len(images), RESAMPLES, 0)
    found = {}
    for way, photos in rows.items():
        files = [[photos[image]["files"][level] for image in images] for level in photos[images[0]]["files"]]
        means = {
            field: [round(float(np.mean([file[field] for file in level])), 4) for level in files]
            for field in ("nbytes", "psnr_db", "seconds")
        }
        reads: dict[str, dict[str, Any]] = {}
        for name, look in _looks(photos[images[0]]):
            curve, anchor = (_Curve.of(rows[each], images, name, look, counts) for each in (way, JPEG))
            reads.setdefault(name, {})[look] = curve.figures(None if way == JPEG else anchor)
        found[way] = means | {"networks": reads}
    return found


def _looks(photo: dict[str, Any]) -> Iterator[tuple[str, str]]:
    for name, looks in photo["clean"].items():
        for look in looks:
            yield name, look


@dataclass(frozen=True, eq=False)
class _Curve:
    """Means of a way over the photographs, shape (qualities, 1 + resamples)."""

    bpp: npt.NDArray[np.float64]
    increase: npt.NDArray[np.float64]
    divergence: npt.NDArray[np.float64]
    top1: npt.NDArray[np.float64]
    clean_top1: npt.NDArray[np.float64]  # of the originals, shape (1 + resamples,)

    @classmethod
    def of(
        cls, photos: dict[str, Any], images: list[str], name: str, look: str, counts: npt.NDArray[np.float64]
    ) -> _Curve:
        """The curve of a network and a look."""
        clean = np.array([photos[image]["clean"][name][look] for image in images])
        files = [list(photo["files"].values()) for photo in (photos[image] for image in images)]
        reads = np.array([[file["reads"][name][look] for file in photo] for photo in files]).swapaxes(0, 1)
        pixels = np.array([photos[image]["pixels"] for image in images])
        bits = 8 * np.array([[file["nbytes"] for file in photo] for photo in files]).T / pixels
        loss, divergence, hits = (weighted_means(reads[..., field], counts) for field in range(3))
        clean_loss, clean_hits = weighted_means(clean[:, 0], counts), weighted_means(clean[:, 2], counts)
        return cls(weighted_means(bits, counts), loss - clean_loss, divergence, 100 * hits, 100 * clean_hits)

    def figures(self, anchor: _Curve | None) -> dict[str, Any]:
        """Points, and BD-rates against another curve."""
        points = {
            field: np.round(getattr(self, field)[:, 0], 4).tolist() for field in ("increase", "divergence", "top1")
        }
        points["clean_top1"] = round(float(self.clean_top1[0]), 2)
        if anchor is None:
            return points
        deltas = {"loss": _change(anchor, self, lambda curve: -curve.increase)}
        return points | {"bd_rate": deltas | {"log_divergence": _change(anchor, self, lambda c: -np.log(c.divergence))}}


def _change(anchor: _Curve, curve: _Curve, quality: Any) -> dict[str, Any]:
    """BD-rate in percent with its interval."""
    delta = bd_rate(*(monotone_curves(each.bpp, quality(each)) for each in (anchor, curve)))
    figure = estimate(delta.values, reason=delta.reason)
    return {key: round(value, 2) if isinstance(value, float) else value for key, value in figure.items()}


@click.command()
@click.option("--work", required=True, type=click.Path(file_okay=False, path_type=Path))
@click.option("--images", default=40, show_default=True, help="Number of photographs.")
@click.option("--whole", is_flag=True, help="Whole photographs in place of squares of 224x224 pixels.")
@click.option("--way", "wanted", multiple=True, help="Ways to measure besides default JPEG.  [default: all]")
@click.option("--profiles", is_flag=True, help="All ways without a network at the encoder.")
@click.option("--workers", default=2, show_default=True, help="Processes of one thread each.")
def main(work: Path, images: int, whole: bool, wanted: tuple[str, ...], profiles: bool, workers: int) -> None:
    """Measure, and write the result."""
    chosen = sample(photographs(), images)
    names = list(dict.fromkeys([JPEG, *(wanted or _names(profiles, whole))]))
    tasks = [(image, name) for image in chosen for name in names]
    with ProcessPoolExecutor(workers) as pool:
        for _ in tracked(pool.map(partial(measured, work=work, whole=whole), tasks), "files", len(tasks)):
            pass
    folder = work / ("whole" if whole else "squares")
    rows = {
        name: {
            image.path.stem: json.loads(
                (folder / image.path.stem / f"{name.replace(' ', '_')}.json").read_text("utf-8")
            )
            for image in chosen
        }
        for name in names
    }
    figures = {"images": images, "whole": whole, "qualities": QUALITIES, "networks": NETWORKS, "ways": summary(rows)}
    name = "network_profiles" if profiles else "network_loop"
    print(write_result(f"{name}_whole" if whole else name, figures, packages=PACKAGES))


def _names(profiles: bool, whole: bool) -> list[str]:
    """All ways, or those without a network at the encoder.

    Those that leave networks out are among the latter only. A crop is for whole photographs; squares are cropped.
    """
    fitting = {name: way for name, way in ways().items() if whole or not way.crop}
    if profiles:
        return [name for name, way in fitting.items() if not way.readers]
    return [name for name, way in fitting.items() if way.kind != "without"]


if __name__ == "__main__":
    main()
