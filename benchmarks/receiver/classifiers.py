"""Does a classifier read a restored picture better than the decoded one, and how strongly should it be restored?

Three sets, as squares: ``unseen``, photographs of Kodak, McMaster and LIVE1, which no receiver was trained on, with the
classes that each network sees in the originals as labels; and two with true labels, whose photographs receivers were
trained on (without the labels): ``imagenet_sample``, of which they saw the halves of the sides, and ``nips2017_dev``,
which is lossless. Files of several encoders at several qualities, 4:2:0, are decoded, and restored with shares of 0.25
to 1 of the model's change (to the nearest of 256 levels at each share). Those of ``unseen`` are also restored with the
share that ``restore run --for dnn`` chooses by the steps of the file; where it changes was chosen on the other sets.
For each network and share: cross-entropy with the label, divergence from the network's output on the original, in nats,
and top-1 accuracy; of both losses, the difference from the decoded picture with its 95 % interval over the photographs.

    OPTCODEC_DATA=DATA python -m benchmarks.receiver.classifiers [--model NAME] [--images N] [--workers N]
    OPTCODEC_DATA=DATA python -m benchmarks.receiver.classifiers [--again SET...] [--sender NAME...]

With ``--again`` only these sets are measured, with ``--sender`` only the files of these encoders; the other figures
stay as they are in the result. Writes ``results/receiver_classifiers.json``, with ``_MODEL`` appended if the model is
not ``default``; an interrupted run continues. The networks are those of `benchmarks.accuracy.others`.
"""

from __future__ import annotations

import json
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import click
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from benchmarks.accuracy import others
from benchmarks.accuracy.networks import data, photographs
from benchmarks.record import RESULTS, has_result, load_result, write_result
from optcodec.accuracy.onnx_classifier import fitted
from optcodec.console.progress import tracked
from optcodec.experiments.partial import PartFormat, PartialFolder, remove_partial
from optcodec.files import write_whole
from optcodec.jsontext import parse_json
from optcodec.shared import percentile_interval
from optcodec.vision.datasets import LabelledImage, sample
from optcodec.vision.models import TargetModel
from restore import Model, load_model
from restore.channel.senders import SENDERS
from restore.runtime.decode import receive
from restore.runtime.image import decode_image
from restore.runtime.infer import restored_image
from restore.runtime.settings import Settings, Strength

Pixels = npt.NDArray[np.uint8]

SETS = {"unseen": 224, "imagenet_sample": 224, "nips2017_dev": 299}  # sides in pixels
UNSEEN = ("Kodak", "McMaster", "LIVE1")
# Photographs of LIVE1 that are those of Kodak.
TWICE = ("bikes", "caps", "lighthouse2", "lighthouse3", "parrots", "sailing2", "sailing4", "statue", "stream")
SENDER_NAMES = ("pillow", "jpegli", "psnr", "people", "dnn")
QUALITIES = (5, 10, 15, 20, 30, 50, 75, 90)
SHARES: tuple[Strength, ...] = (0.0, 0.25, 0.5, 0.75, 1.0)
CHOSEN_ON = ("imagenet_sample", "nips2017_dev")  # sets on which it was chosen where the share of "dnn" changes
NETWORKS = ("mobilenet_v2", "squeezenet1_1", "mobilenet_v1", "efficientnet_lite0")
DRAWS = 2000  # of the bootstrap
USUAL = "default"  # the model whose result has no model's name in its own
PACKAGES = ("numpy", "onnxruntime", "pillow", "torch", "torchvision", "efficientnet-lite-pytorch")


@dataclass(frozen=True)
class Task:
    """A square of a photograph, at an end of its longer side or in the middle, and the model that restores it."""

    set: str
    image: LabelledImage
    place: float
    model: str
    senders: tuple[str, ...] = SENDER_NAMES

    def pixels(self) -> Pixels:
        """The square, with the side that its set has."""
        image, side = Image.open(self.image.path).convert("RGB"), SETS[self.set]
        short = min(image.size)
        left, top = (round(self.place * (extent - short)) for extent in image.size)
        square = image.crop((left, top, left + short, top + short))
        return np.ascontiguousarray(np.asarray(fitted(square, side, side)))


def tasks_of(name: str, model: str, count: int, senders: tuple[str, ...] = SENDER_NAMES) -> list[Task]:
    """Squares of the photographs of a set, two of those that are not square and have no label."""
    if name != "unseen":
        return [Task(name, image, 0.5, model, senders) for image in sample(photographs(name), count, seed=0)]
    paths = [path for folder in UNSEEN for path in sorted((data() / folder).glob("*.png")) if path.stem not in TWICE]
    places = [(path, place) for path in paths for place in ((0.0, 1.0) if len(set(_size(path))) > 1 else (0.5,))]
    return [Task(name, LabelledImage(path, None), place, model, senders) for path, place in places[:count]]


def _size(path: Path) -> tuple[int, int]:
    with Image.open(path) as image:
        return image.size


@cache
def _model(name: str) -> Model:
    torch.set_num_threads(1)
    return load_model(name, threads=1)


@cache
def _network(name: str) -> TargetModel:
    return others.load(name, crops=True)


def _log_probabilities(name: str, pixels: Pixels) -> npt.NDArray[np.float64]:
    return others.log_probabilities(_network(name), pixels).double().numpy()


def measure(task: Task) -> list[dict[str, Any]]:
    """Rows of all files of a photograph, each with arrays over the shares: loss, divergence, whether top-1 is right."""
    model, original = _model(task.model), task.pixels()
    wanted = {name: _log_probabilities(name, original) for name in NETWORKS}
    rows = []
    for sender in task.senders:
        for quality in QUALITIES:
            received = receive(SENDERS[sender](original, "4:2:0", quality, np.random.default_rng(0)))
            shares = [Settings(strength=strength).share(received.context) for strength in shares_of(task.set)]
            pictures = _pictures(decode_image(received), restored_image(received, model), shares)
            for name, aim in wanted.items():
                label = int(aim.argmax()) if task.image.label is None else task.image.label
                by_share = {share: _log_probabilities(name, picture) for share, picture in pictures.items()}
                seen = [by_share[share] for share in shares]
                row: dict[str, Any] = {"set": task.set, "network": name, "sender": sender, "quality": quality}
                row["loss"] = [-each[label] for each in seen]
                row["kl"] = [float(np.exp(aim) @ (aim - each)) for each in seen]
                row["right"] = [float(each.argmax() == label) for each in seen]
                rows.append(row)
    return rows


def _pictures(decoded: Pixels, restored: Pixels, shares: list[float]) -> dict[float, Pixels]:
    """The decoded picture, with shares of the change that the receiver makes."""
    change = restored.astype(np.float32) - decoded
    return {share: np.rint(decoded + share * change).astype(np.uint8) for share in shares}


def shares_of(name: str) -> tuple[Strength, ...]:
    """The shares of a set."""
    return SHARES if name in CHOSEN_ON else (*SHARES, "dnn")


def summary(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Means over the photographs by set, network, encoder and quality, each with one value for a share."""
    groups: dict[tuple[str, ...], list[dict[str, Any]]] = {}
    for row in rows:
        groups.setdefault((row["set"], row["network"], row["sender"], str(row["quality"])), []).append(row)
    result: dict[str, Any] = {}
    for path, group in groups.items():
        place = result
        for name in path:
            place = place.setdefault(name, {})
        place |= {"n": len(group)} | _means(group)
    return result


def _means(group: list[dict[str, Any]]) -> dict[str, Any]:
    figures: dict[str, Any] = {}
    for name in ("loss", "kl"):
        values = np.array([row[name] for row in group])
        differences = (values - values[:, :1])[:, 1:].T
        figures[name] = np.round(values.mean(0), 4).tolist()
        intervals = [percentile_interval(each, resamples=DRAWS) for each in differences]
        figures[f"{name}_change"] = np.round(intervals, 4).tolist()
    figures["top1_percent"] = np.round(100 * np.mean([row["right"] for row in group], 0), 1).tolist()
    return figures


def _save(path: Path, rows: list[dict[str, Any]]) -> None:
    write_whole(path, (json.dumps(rows) + "\n").encode())


def _measured(tasks: list[Task], model: str, workers: int) -> list[dict[str, Any]]:
    """Rows of all squares."""
    partial = RESULTS / f"{result_of(model)}.partial"
    squares = [[task.set, task.image.path.name, task.place] for task in tasks]
    form = PartFormat(".json", _save, lambda path: parse_json(path.read_text("utf-8")))
    about = {"model": model, "senders": tasks[0].senders, "squares": squares}
    folder: PartialFolder[list[dict[str, Any]]] = PartialFolder(partial, about, form)
    with ProcessPoolExecutor(workers) as pool:
        parts = folder.completed(tasks, lambda waiting: pool.map(measure, waiting))
        rows = [row for part in tracked(parts, "classifiers", len(tasks)) for row in part]
    remove_partial(partial)
    return rows


@click.command()
@click.option("--model", default=USUAL, show_default=True)
@click.option("--images", default=150, show_default=True, help="At most so many squares of each set.")
@click.option("--again", multiple=True, type=click.Choice(list(SETS)), help="Only the pictures of these sets.")
@click.option("--sender", "senders", multiple=True, type=click.Choice(SENDER_NAMES), help="Only their files.")
@click.option("--workers", default=2, show_default=True)
def main(model: str, images: int, again: tuple[str, ...], senders: tuple[str, ...], workers: int) -> None:
    """Measure what networks make of restored pictures."""
    tasks = [task for name in again or SETS for task in tasks_of(name, model, images, senders or SENDER_NAMES)]
    renewed = bool(again or senders) and has_result(result_of(model))
    earlier = load_result(result_of(model))["sets"] if renewed else {}
    sets = merged(earlier, summary(_measured(tasks, model, workers)))
    figures = {"model": model, "shares": {name: shares_of(name) for name in sets}, "sets": sets}
    write_result(result_of(model), figures, packages=PACKAGES, renewed=renewed)


def result_of(model: str) -> str:
    """Name of the result of a model."""
    return "receiver_classifiers" if model == USUAL else f"receiver_classifiers_{model}"


def merged(earlier: dict[str, Any], measured: dict[str, Any]) -> dict[str, Any]:
    """Figures by set, network and encoder, where each encoder's that were measured take the place of earlier ones."""
    result = dict(earlier)
    for name, networks in measured.items():
        known = result.get(name, {})
        renewed = {network: known.get(network, {}) | by_sender for network, by_sender in networks.items()}
        result[name] = known | renewed
    return result


if __name__ == "__main__":
    main()
