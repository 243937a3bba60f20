"""How much PSNR does a restoring receiver gain from a file that was encoded for it, at equal bytes?

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.gains rates --work WORK     (then: report --work WORK)
    OPTCODEC_DATA=DATA python -m benchmarks.accelir.gains unseen|control --work WORK
    OPTCODEC_DATA=DATA python -m benchmarks.accelir.gains speed

The photographs are those of Kodak with odd numbers and McMaster; no network, profile or constant was trained or fitted
on them. Whole images are coded at 4:2:0 into real baseline files; the rate counts the bytes of the whole file, headers
included, in bits per pixel of the image that is sent. WORK stores each measurement as a small file, so that an
interrupted run can be continued. A measurement is repeated if the network, the profile or QP-NET has changed since, but
not if the encoder has: remove WORK then.

``rates``: PSNR after restoration at four rates, and of all methods at the middle rate. ``unseen``: how much does a file
gain that was encoded for another task or network? ``control``: how near are the files to the requested number of bytes?
``speed``: how much encoding time does QP-NET take? ``picture`` draws the block qualities of a photograph. `report.py`
computes the figures, `tables.py` formats the tables. How much lighter the network may be is the question of
`lighter.py`.
"""

from __future__ import annotations

import json
import tempfile
import time
import zlib
from collections.abc import Iterable, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Any

import click

import restore
from benchmarks.accelir import report as accelir_report
from benchmarks.accelir.case import Case, Tools, digest_of
from benchmarks.accelir.methods import METHODS, figures_of
from benchmarks.accelir.speed import SIZES, timed
from benchmarks.rates.rd import load, photographs
from benchmarks.receiver.tasks import NO_NETWORK, RECEIVERS, TASKS, make_task, receiver_task
from benchmarks.record import ROOT, write_result
from optcodec import TargetNotMetError
from optcodec.console.progress import tracked
from optcodec.shared import write_whole

RATES, MIDDLE = (0.6, 0.9, 1.2, 1.8), 1.2
AT_ALL_RATES = (
    "jpeg",
    "mozjpeg flat",
    "mozjpeg default tables",
    "webp",
    "rdo",
    "receiver",
    "receiver+qpnet",
    "receiver+x264",
)
SETS = "Kodak", "McMaster"
PACKAGES = ("numpy", "numba", "torch", "pillow", "pyvips", "bjontegaard")
_DATA = Path(restore.__file__).parent / "data"


@dataclass(frozen=True)
class Job:
    """The measurements that are planned for one photograph and one receiver.

    Parameters
    ----------
    task, network : str
        Names of the receiver's task and network; the network ``default`` is the shipped one for JPEG artifacts, and
        ``no network`` is a receiver that only enlarges the decoded image.
    tools : str
        Name of the profile and of the QP-NET.
    image : Path
        Path of the photograph.
    planned : tuple of (str, float)
        Pairs of a method and a rate in bits per pixel.
    """

    task: str
    network: str
    tools: str
    image: Path
    planned: tuple[tuple[str, float], ...]

    @cached_property
    def digest(self) -> str:
        """Digest of the files on which the results depend: network, profile and QP-NET."""
        names = ["models/default.onnx", "models/default-chroma.onnx"]
        if self.network != "default":
            names = [] if self.network == NO_NETWORK else [f"tasks/{self.network}.safetensors"]
        return f"{digest_of(*(_DATA / name for name in names))}-{Tools.load(self.tools).digest}"

    def path(self, work: Path, method: str, bpp: float) -> Path:
        """The file in WORK that stores one measurement."""
        image = f"{self.image.parent.name}-{self.image.stem}"
        name = f"{method.replace(' ', '_')}@{bpp:g}.json"
        return work / self.task / self.network / Path(self.tools).name / image / name

    def kept_records(self, work: Path) -> list[dict[str, Any]]:
        """Measurements that are stored in WORK and whose digest is still the same."""
        paths = [self.path(work, *planned) for planned in self.planned]
        records = [json.loads(path.read_text("utf-8")) for path in paths if path.exists()]
        return [record for record in records if record["digest"] == self.digest]


def default_network(task: str) -> str:
    """Name of the task's own restoring network."""
    return "default" if task == "deblock" else f"{task}-64"


def planned_measurements(task: str, methods: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Pairs of a method and a rate in bits per pixel that are measured for a task.

    The receiver for JPEG artifacts reads quantization tables, and the `ideal` methods have no real ones.
    """
    fit = [method for method in methods if not (task == "deblock" and method.startswith("ideal"))]
    return tuple((method, bpp) for method in fit for bpp in RATES if bpp == MIDDLE or method in AT_ALL_RATES)


def measure_missing(job: Job, work: Path) -> int:
    """Measure what is not stored yet of a job, and return the number of measurements."""
    known = {(record["method"], record["bpp"]) for record in job.kept_records(work)}
    missing = [pair for pair in job.planned if pair not in known]
    if not missing:
        return 0
    task = receiver_task(job.task, job.network)
    # The seed depends on the name alone, so that the noise is the same whichever photographs are chosen.
    seed = zlib.crc32(job.image.name.encode())
    case = Case(task, task.reference(load(job.image)), Tools.load(job.tools), seed, job.network != "default")
    for method, bpp in missing:
        start = time.process_time()  # processor time of one thread does not depend on what else the machine does
        figures = _figures(case, method, bpp)
        record = {
            "task": job.task,
            "network": job.network,
            "tools": Path(job.tools).name,
            "set": job.image.parent.name,
            "image": job.image.stem,
            "method": method,
            "bpp": bpp,
            "budget": case.budget(bpp),
            **figures,
            "seconds": round(time.process_time() - start, 2),
            "digest": job.digest,
        }
        path = job.path(work, method, bpp)
        path.parent.mkdir(parents=True, exist_ok=True)
        write_whole(path, json.dumps(record).encode())
    return len(missing)


def _figures(case: Case, method: str, bpp: float) -> dict[str, Any]:
    """The figures of a file, see `figures_of`; ``not_met`` has the message if the budget was not met."""
    try:
        return figures_of(METHODS[method], case, case.budget(bpp))
    except TargetNotMetError as error:
        return {"not_met": str(error)}


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def run(jobs: Sequence[Job], work: Path, workers: int) -> list[dict[str, Any]]:
    """Measure what is not stored yet of all jobs, and return all records."""
    with ProcessPoolExecutor(workers, initializer=_one_thread) as pool:
        for _ in tracked(pool.map(partial(measure_missing, work=work), jobs), "photographs", len(jobs)):
            pass
    return [record for job in jobs for record in job.kept_records(work)]


def chosen(images: int | None) -> list[Path]:
    """Paths of the first photographs, taken from both sets in turn."""
    kodak, mcmaster = (photographs(name) for name in SETS)
    mixed = [path for pair in zip(kodak, mcmaster, strict=False) for path in pair] + mcmaster[len(kodak) :]
    return mixed[:images]


def jobs_of(tasks: Iterable[str], images: int | None, methods: Sequence[str]) -> list[Job]:
    """The jobs of `rates`: each task with its own receiver, profile and QP-NET."""
    names = list(tasks)
    return [
        Job(task, default_network(task), task, path, planned_measurements(task, methods))
        for path in chosen(images)
        for task in names
    ]


@click.group()
def main() -> None:
    """Measure what a restoring receiver gains from files that are encoded for it."""


def shared_options(command: Any) -> Any:
    """Add the options that all commands but `speed` share, also that of `lighter.py`."""
    folder = Path(tempfile.gettempdir()) / "accelir"
    path = click.Path(file_okay=False, path_type=Path)
    for option in (
        click.option("--work", type=path, default=folder, show_default=True, help="Folder of the measurements."),
        click.option("--workers", default=2, show_default=True, help="Processes of one thread each."),
        click.option("--images", type=int, help="Number of photographs, from both sets in turn.  [default: all 30]"),
        click.option("--tasks", default=",".join(TASKS), show_default=True, help="Tasks, separated by commas."),
    ):
        command = option(command)
    return command


@main.command()
@shared_options
@click.option("--methods", default=",".join(METHODS), help="Methods, separated by commas.  [default: all]")
def rates(work: Path, workers: int, images: int | None, tasks: str, methods: str) -> None:
    """Measure PSNR after restoration at all rates; `report` writes the result."""
    records = run(jobs_of(tasks.split(","), images, methods.split(",")), work, workers)
    print(f"{len(records)} measurements, {sum(record['seconds'] for record in records):.0f} s of work")


@main.command()
@shared_options
def report(work: Path, workers: int, images: int | None, tasks: str) -> None:
    """Write ``results/accelir_rates.json`` from the measurements of `rates`."""
    jobs = jobs_of(tasks.split(","), images, list(METHODS))
    records = [record for job in jobs for record in job.kept_records(work)]
    print(write_result("accelir_rates", accelir_report.rates(records, MIDDLE), packages=PACKAGES))


@main.command()
@shared_options
def unseen(work: Path, workers: int, images: int | None, tasks: str) -> None:
    """Measure the gains with profiles and QP-NETs that were made for another task or network."""
    names = tasks.split(",")
    receivers = [(task, default_network(task)) for task in names]
    receivers += [(task, other) for task in names for other in RECEIVERS.get(task, ())[1:]]
    jobs = []
    for path in chosen(images):
        for task, network in receivers:
            # The methods `jpeg` and `rdo` do not depend on profile and QP-NET: they are measured once for each task.
            methods = (("jpeg", MIDDLE), ("rdo", MIDDLE), ("receiver", MIDDLE), ("receiver+qpnet", MIDDLE))
            jobs += [Job(task, network, tools, path, methods if tools == task else methods[2:]) for tools in names]
    records = run(jobs, work, workers)
    print(write_result("accelir_unseen", accelir_report.unseen(records), packages=PACKAGES))


@main.command()
@shared_options
def control(work: Path, workers: int, images: int | None, tasks: str) -> None:
    """Measure how far files stay below the requested bytes; the target `Bpp` is met in the same way."""
    records = run(jobs_of(tasks.split(","), images, ["receiver+qpnet"]), work, workers)
    print(write_result("accelir_control", accelir_report.control(records), packages=PACKAGES))


@main.command()
@click.option("--tasks", default="denoise25,deblock", show_default=True, help="Tasks, separated by commas.")
@click.option("--runs", default=7, show_default=True, help="Number of timed runs of each setting, in turn.")
@click.option("--images", default=2, show_default=True, help="Number of images of each size.")
def speed(tasks: str, runs: int, images: int) -> None:
    """Measure the seconds of the encoder with and without QP-NET on one thread."""
    cases = [(task, size, number) for task in tasks.split(",") for size in SIZES for number in range(images)]
    rows = [timed(*case, runs, MIDDLE) for case in cases]
    print(write_result("accelir_speed", accelir_report.speed(rows), packages=PACKAGES))


@main.command()
def picture() -> None:
    """Draw ``docs/blocks.png``: a noisy photograph of scikit-image, coded for the receiver that removes the noise."""
    from PIL import Image
    from skimage import data

    from optcodec.cli.blocks_show import command

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coffee with noise.png"
        Image.fromarray(make_task("denoise25").sent(data.coffee(), 0)).save(path)
        drawn = str(ROOT / "docs" / "blocks.png")
        command(
            [str(path), "-o", drawn, "--blocks", "qpnet:denoise25", "--allocator", "lagrangian", "--bpp", "1.2"],
            standalone_mode=False,
        )


if __name__ == "__main__":
    main()
