"""How much does a file gain that has the receiver in the encoder's loop, for networks that others trained?

Super-resolution by CARN-M, PAN, RFDN and RLFN, de-noising by FFDNet (for clipped noise) and IRCNN, de-blurring by IRCNN
as plug-and-play; as published, so none but by chance knows JPEG. NETS is a folder with their weights and with a module
``nets``, whose function ``load(name)`` makes the torch module.

The photographs are those of Kodak with odd numbers and McMaster in turn, of each the middle, so that the picture that
is sent has at most 256 pixels on a side. Files of 4:2:0 with 1.2 bits for each pixel sent: default JPEG and WebP at
exactly that size, the trellis for PSNR and with the weights for the receiver, and from the last with the receiver in
the loop, to what it makes of the uncoded picture, and to the clean one. PSNR after restoration, against the clean
picture.

Two ways do without the loop: ``weights of one gradient`` (``--rounds 0``), and ``bits of the loop``, which is what a
network could reach that knew how many bits the loop spends on each 32x32 block: weights of the blocks are moved until
the trellis spends as many, and the file counts that the receiver restores best.

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.loop NETS --work WORK [--images N] [--network NAME...] [--tuned]

Writes ``results/accelir_loop.json``, or with ``--tuned``, for networks of `fine_tune.py`, ``accelir_loop_tuned.json``.
WORK stores each measurement as a small file: an interrupted run goes on. Rows of networks that are not named stay as
they are in the result; its digests say of which network, profile and QP-NET each row is.
"""

from __future__ import annotations

import json
import sys
import time
import zlib
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import lru_cache, partial
from pathlib import Path
from typing import Any

import click
import numpy as np

from benchmarks.accelir.case import SUBSAMPLING, Case, Pixels, Tools, digest_of
from benchmarks.accelir.gains import chosen
from benchmarks.accelir.methods import METHODS, CodedFile, Method, figures_of, trellis_file
from benchmarks.accelir.report import Measured, difference, share
from benchmarks.rates.rd import load
from benchmarks.record import has_result, load_result, write_result
from optcodec import MaxBytes, QualityField, encode
from optcodec.blocks.curves import BLOCK_SIDE
from optcodec.console.progress import tracked
from optcodec.receivers.block_bits import file_block_bits
from optcodec.shared import write_whole
from restore.readers import TaskReader
from restore.tasks import RestorationTask, make_task

NETWORKS = {
    "sr4": ("carn_m", "pan_x4", "rfdn_x4", "rlfn_x4"),
    "denoise25": ("ffdnet_clip_color", "ircnn_color25"),
    "deblur1.5": ("ircnn_color_set",),
}
PROBLEMS = {name: problem for problem, names in NETWORKS.items() for name in names}
BPP, SIDE, IMAGES = 1.2, 256, 12
Job = tuple[str, Path, Sequence[tuple[str, float]]]  # a network, a photograph, methods and rates
_TURNS, _RANGE = 8, 100.0  # files whose bits by block approach those of the loop; largest and smallest weight
PACKAGES = ("numpy", "numba", "torch", "pillow")


@lru_cache(maxsize=1)
def _looped(case: Case, budget: int, *, to_clean: bool = False, rounds: int | None = None) -> bytes:
    """A file with the receiver in the loop, from the weights for the receiver."""
    assert isinstance(case.task, RestorationTask)
    reader = TaskReader(case.task, case.clean if to_clean else None)
    target, tuning = MaxBytes(budget), case.tools.tuning
    return encode(
        case.sent, reader=reader, target=target, tune=tuning, subsampling=SUBSAMPLING, threads=1, rounds=rounds
    ).data


def _loop(case: Case, budget: int, **options: Any) -> CodedFile:
    """The receiver in the loop."""
    data = _looped(case, budget, **options)
    return len(data), case.measured(data)


def _bits_of_the_loop(case: Case, budget: int) -> CodedFile:
    """The best of some files of the trellis whose 32x32 blocks have nearly the bits that they have in the loop."""
    wanted = np.maximum(file_block_bits(_looped(case, budget)), 1)
    height, width = case.sent.shape[:2]
    weights, found = np.ones(wanted.shape), []
    for _ in range(_TURNS):
        field = QualityField.from_squares(width, height, weights, BLOCK_SIDE)
        data = trellis_file(case, budget, tune=case.tools.tuning, field=field)
        found.append((len(data), case.measured(data)))
        weights = weights * wanted / np.maximum(file_block_bits(data), 1)
        weights = np.clip(weights / weights.mean(), 1 / _RANGE, _RANGE)
    return max(found[1:], key=lambda file: file[1][0])


LOOPS: dict[str, Method] = {
    "weights of one gradient": partial(_loop, rounds=0),
    "loop to the clean picture": partial(_loop, to_clean=True),
    "loop": _loop,
    "bits of the loop": _bits_of_the_loop,
}
MEASURED = {name: METHODS[name] for name in ("jpeg", "webp", "rdo", "receiver")} | LOOPS


def _middle(clean: Pixels, side: int) -> Pixels:
    top, left = (max(0, extent - side) // 2 for extent in clean.shape[:2])
    return np.ascontiguousarray(clean[top : top + side, left : left + side])


def measure_missing(job: Job, nets: Path, work: Path) -> list[dict[str, Any]]:
    """All measurements that are planned for a network and a photograph; those that WORK has are not made again."""
    import torch

    torch.set_num_threads(1)
    sys.path.insert(0, str(nets))
    network, path, planned = job
    digest = digest_with(network, nets)
    folder, case = work / network / f"{path.parent.name}-{path.stem}", lru_cache(case_of)

    def measure(method: str, bpp: float) -> dict[str, Any]:
        return about_of(network, path) | {"method": method, "bpp": bpp} | _timed(case(network, path), method, bpp)

    return [
        stored(folder / f"{method.replace(' ', '_')}@{bpp:g}.json", digest, partial(measure, method, bpp))
        for method, bpp in planned
    ]


def measure_all(jobs: Sequence[Job], nets: Path, work: Path, workers: int) -> list[dict[str, Any]]:
    """The records of all jobs, with a progress bar."""
    with ProcessPoolExecutor(workers) as pool:
        parts = tracked(pool.map(partial(measure_missing, nets=nets, work=work), jobs), "networks", len(jobs))
        return [record for part in parts for record in part]


def digest_with(network: str, nets: Path) -> str:
    """Digest of a network, and of the profile and QP-NET of its problem."""
    return f"{digest_of(nets / f'{network}.safetensors')}-{Tools.load(PROBLEMS[network]).digest}"


def about_of(network: str, path: Path) -> dict[str, Any]:
    """What a measurement is of: the fields of a record by which `benchmarks.accelir.report.Measured` finds it."""
    problem = PROBLEMS[network]
    return {"task": problem, "network": network, "tools": problem, "set": path.parent.name, "image": path.stem}


def stored(file: Path, digest: str, measure: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """A measurement that a file has, or that is made and written if the file has another digest."""
    if file.exists():
        known: dict[str, Any] = json.loads(file.read_text("utf-8"))
        if known["digest"] == digest:
            return known
    record = measure() | {"digest": digest}
    file.parent.mkdir(parents=True, exist_ok=True)
    write_whole(file, json.dumps(record).encode())
    return record


def case_of(network: str, path: Path) -> Case:
    """The middle of a photograph, for a network of the module ``nets``."""
    problem = PROBLEMS[network]
    task = make_task(problem, f"torch:nets:load@{network}")
    clean = task.reference(_middle(load(path), SIDE * task.scale))
    return Case(task, clean, Tools.load(problem), zlib.crc32(path.name.encode()))


def _timed(case: Case, method: str, bpp: float) -> dict[str, Any]:
    """The figures of a file, and the seconds that it and its measures took."""
    start = time.process_time()
    figures = figures_of(MEASURED[method], case, case.budget(bpp))
    return figures | {"seconds": round(time.process_time() - start, 2)}


def summary(records: list[dict[str, Any]]) -> dict[str, Any]:
    """For each network: gains in dB over default JPEG, over WebP and over the weights for the receiver, and seconds.

    The seconds of ``bits of the loop`` are those of what comes after the loop.
    """
    measured, networks = Measured(records), {}
    for problem, names in NETWORKS.items():
        for name in names:
            rows = {method: measured.rows(problem, name, problem, method, BPP) for method in MEASURED}
            if not rows["jpeg"]:
                continue
            seconds = {method: [row["seconds"] for row in part.values()] for method, part in rows.items()}
            networks[name] = {
                "task": problem,
                "psnr_db": {method: _mean(part, "after") for method, part in rows.items()},
                "decoded_psnr_db": {method: _mean(part, "before") for method, part in rows.items()},
                "over_jpeg": {method: difference(part, rows["jpeg"]) for method, part in rows.items()},
                "over_receiver": {method: difference(rows[method], rows["receiver"]) for method in LOOPS},
                "over_webp": {method: difference(rows[method], rows["webp"]) for method in LOOPS},
                "share_of_bits": share([rows[method] for method in ("receiver", "bits of the loop", "loop")]),
                "seconds": {method: round(float(np.median(values)), 2) for method, values in seconds.items()},
            }
    digests = {record["network"]: record["digest"] for record in records}
    return {"bpp": BPP, "side": SIDE, "networks": networks, "digests": digests}


def with_earlier(figures: dict[str, Any], earlier: dict[str, Any]) -> dict[str, Any]:
    """The figures of networks that were measured now, and of the others those of an earlier result, in one order."""
    if (figures["bpp"], figures["side"]) != (earlier["bpp"], earlier["side"]):
        raise click.UsageError("the result that is there has another rate or size; measure all networks anew")
    both = {part: earlier[part] | figures[part] for part in ("networks", "digests")}
    return figures | {part: {name: rows[name] for name in PROBLEMS if name in rows} for part, rows in both.items()}


def _mean(rows: dict[str, dict[str, Any]], field: str) -> float:
    return round(float(np.mean([row[field] for row in rows.values()])), 3)


def network_options(command: Any) -> Any:
    """Add the argument and the options of the commands that measure networks of others: this one and `others.py`."""
    folder, known = partial(click.Path, file_okay=False, path_type=Path), tuple(PROBLEMS)
    for parameter in (
        click.option("--tuned", is_flag=True, help="Say in the result's name that fine_tune.py made the networks."),
        click.option("--network", "names", multiple=True, default=known, help="Networks to measure.  [default: all]"),
        click.option("--workers", default=2, show_default=True, help="Processes of one thread each."),
        click.option(
            "--images", default=IMAGES, show_default=True, help="Number of photographs, from both sets in turn."
        ),
        click.option("--work", required=True, type=folder(), help="Folder of the measurements."),
        click.argument("nets", type=folder(exists=True)),
    ):
        command = parameter(command)
    return command


@click.command()
@network_options
def main(nets: Path, work: Path, images: int, workers: int, names: tuple[str, ...], tuned: bool) -> None:
    """Measure networks on all photographs."""
    planned = [(method, BPP) for method in MEASURED]
    records = measure_all([(name, path, planned) for path in chosen(images) for name in names], nets, work, workers)
    name = "accelir_loop_tuned" if tuned else "accelir_loop"
    figures = summary(records)
    renewed = has_result(name) and set(names) < set(PROBLEMS)
    if renewed:
        figures = with_earlier(figures, load_result(name))
    print(write_result(name, figures, packages=PACKAGES, renewed=renewed))


if __name__ == "__main__":
    main()
