"""Make the utility profiles and the QP-NETs that come with the package.

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.make_qpnets WORK [TASK ...]

For each task (see ``restore.tasks``), blocks of photographs of ``imagenet_sample`` are measured at all qualities,
before and after restoration, in files whose indices a trellis chose, and ranked by utility into ten groups. For
QP-NET, more photographs are measured at the lowest and the highest quality alone, which is enough to know the group of
a block; QP-NET learns to predict the group from the pixels that are sent. A seventh of these photographs decides which
epoch is kept. The scores of the card are measured on the colour images of ``Set14``, on which nothing is trained.

Writes ``optcodec/data/utility/TASK.json`` (its tuning stays as it is; `fit_receivers.py` makes it),
``optcodec/data/qpnet/TASK.npz`` and ``results/qpnet_TASK.json``. WORK stores the measurements, so that an interrupted
run can be continued; remove it after a restoring network was trained again.
"""

from __future__ import annotations

import os
import sys
from dataclasses import replace
from itertools import islice
from pathlib import Path

import numpy as np
from PIL import Image

from benchmarks.receiver.tasks import FOLDER, TASKS, RestorationTask, as_files, make_task, photographs
from benchmarks.record import write_result
from optcodec.blocks.curves import QUALITIES, Curves
from optcodec.blocks.profile import build_profile, load_utility_profile, shipped_utility_profiles
from optcodec.blocks.qpnet import QpNet, save_qpnet
from optcodec.console.progress import tracked
from optcodec.receivers.measure import grid_offsets, training_blocks
from optcodec.receivers.survey import BlockSurvey, SurveyedImage, read_part, write_part
from optcodec.receivers.train_qpnet import QpNetRecipe, scores, train_qpnet

GROUPS, EPOCHS = 10, 12
IMAGES, GRIDS = {"sr4": 90}, 2  # photographs, and grids of blocks on each, that the profile is measured on
DEFAULT_IMAGES = 48
TRAINING, TRAINING_GRIDS = 120, 4  # photographs that QP-NET learns from
VALIDATION = 7  # one of so many photographs is for validation
CARD = ("Set14",)


def surveyed(survey: BlockSurvey, paths: list[Path], title: str) -> list[SurveyedImage]:
    """Measure the blocks of all photographs, with a progress bar."""
    return [survey.image(path) for path in tracked(paths, title, len(paths))]


def labelled(name: str, task: RestorationTask, work: Path) -> list[tuple[Curves, np.ndarray]]:
    """Blocks of the photographs that QP-NET learns from, with their curves at two qualities."""
    folder, labelled_blocks = work / f"{name}.labels", []
    folder.mkdir(parents=True, exist_ok=True)
    for number, (stem, pixels) in enumerate(tracked(islice(photographs(name), TRAINING), f"{name}, labels", TRAINING)):
        part = folder / f"{stem}.npz"
        stored = read_part(part)
        if stored is None:
            offsets = grid_offsets(TRAINING_GRIDS, number)
            curves, blocks = training_blocks(
                pixels, task, encoder="rdo", offsets=offsets, seed=number, qualities=(QUALITIES[0], QUALITIES[-1])
            )
            write_part(part, curves, blocks)
            labelled_blocks.append((curves, blocks))
        else:
            labelled_blocks.append(stored)
    return labelled_blocks


def joined(parts: list[tuple[Curves, np.ndarray]]) -> tuple[Curves, np.ndarray]:
    """Curves and blocks of all photographs in one pair of arrays."""
    return Curves.joined([curves for curves, _ in parts]), np.concatenate([blocks for _, blocks in parts])


def card_images(task: RestorationTask) -> list[Path]:
    """Colour images of the test sets that are large enough for one block after the task has scaled them down."""
    folder = Path(os.environ["OPTCODEC_DATA"])
    paths = [path for name in CARD for path in sorted((folder / name).glob("*.png"))]
    return [path for path in paths if Image.open(path).mode == "RGB" and min(Image.open(path).size) >= 32 * task.scale]


def make_profile_and_net(name: str, work: Path) -> None:
    """Measure the profile of a task, train its QP-NET, score it, and write all results."""
    task = make_task(name)
    survey = BlockSurvey(task, f"restore.tasks:{name}", work / f"{name}.parts", encoder="rdo", grids=GRIDS)
    images = surveyed(survey, as_files(name, 0, IMAGES.get(name, DEFAULT_IMAGES), work / name), name)
    profile = build_profile(
        name, [image.curves for image in images], groups=GROUPS, provenance=survey.provenance(images)
    )
    if name in shipped_utility_profiles():
        old = load_utility_profile(name)
        profile = replace(profile, tuning=old.tuning, strength=old.strength)
    (FOLDER / "utility").mkdir(exist_ok=True)
    profile.save(FOLDER / "utility" / f"{name}.json")
    parts = labelled(name, task, work)
    train = joined([part for number, part in enumerate(parts) if number % VALIDATION])
    check = joined(parts[::VALIDATION])
    known = [(blocks, profile.rank(curves)) for curves, blocks in (train, check)]
    origin = {"profile": name, "task": task.name, "photographs": "imagenet_sample"}
    recipe = QpNetRecipe(EPOCHS, halve_every=3)
    net = train_qpnet(*known[0], GROUPS, validation=known[1], recipe=recipe, provenance=origin)
    unseen = BlockSurvey(task, f"restore.tasks:{name}", work / f"{name}.card", encoder="rdo", grids=1)
    test = surveyed(unseen, card_images(task), f"{name}, card")
    curves, blocks = joined([part for part in (read_part(image.part) for image in test) if part is not None])
    shares = net.distributions(blocks.reshape(-1, 32, 3))[:, 0]
    card = scores(shares, profile.rank(curves))
    net = QpNet(GROUPS, net.weights, dict(net.provenance) | {"card": list(CARD)}, card)
    (FOLDER / "qpnet").mkdir(exist_ok=True)
    save_qpnet(net, FOLDER / "qpnet" / f"{name}.npz")
    figures = {
        "task": task.name,
        "blocks": {"profile": profile.provenance.blocks, "training": len(train[0]), "validation": len(check[0])},
        "card": {"images": list(CARD), "blocks": len(blocks)} | {key: round(value, 4) for key, value in card.items()},
        "utility_db_per_byte": profile.utility.tolist(),
        "exchange": profile.exchange.tolist(),
    }
    write_result(f"qpnet_{name}", figures, packages=("numpy", "numba", "torch"))
    print(name, figures["card"], np.round(profile.exchange, 3))


if __name__ == "__main__":
    import torch

    torch.set_num_threads(1)
    for task_name in sys.argv[2:] or TASKS:
        make_profile_and_net(task_name, Path(sys.argv[1]))
