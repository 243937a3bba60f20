"""What does a receiver that restores gain by a file that was made for it, at equal bytes?

    OPTCODEC_DATA=DATA python -m benchmarks.accelir.gains rates --work WORK     (then: report --work WORK)
    OPTCODEC_DATA=DATA python -m benchmarks.accelir.gains widths|unseen|control --work WORK
    OPTCODEC_DATA=DATA python -m benchmarks.accelir.gains speed

Kodak (the odd numbers) and McMaster, which nothing was made from or fitted to; whole images, real files, headers
included, bits per pixel of the image that is sent, 4:2:0, baseline. WORK keeps each measurement as a small file, so
that a run that was stopped goes on; one is made again where network, profile or QP-NET have changed since, but not
where the encoder has.

``rates``: PSNR after restoration at four rates, and of everything that is tried at the middle one. ``widths``: how much
smaller may the network be for the PSNR that it has with default JPEG? ``unseen``: what does a file gain that was made
for another task or network? ``control``: how near are bytes to what was asked for? ``speed``: what does QP-NET cost the
encoder? ``picture`` draws the blocks of a photograph. ``accelir_report.py`` has the figures, ``accelir_tables.py`` the
tables.
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
import numpy as np

import restore
from benchmarks.accelir import report as accelir_report
from benchmarks.accelir.case import FIELDS, Case, Tools, digest_of
from benchmarks.accelir.methods import METHODS
from benchmarks.accelir.speed import SIDES, timed
from benchmarks.rates.rd import load, photographs
from benchmarks.receiver.tasks import TASKS, make_task
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
WIDTHS, WIDE_TASKS = (64, 32, 16), ("sr4", "denoise25", "deblur1.5")
OTHER_NETWORKS = {"sr4": "sr4-fsrcnn", "denoise25": "denoise25-ircnn"}
PACKAGES = ("numpy", "numba", "torch", "pillow", "pyvips", "bjontegaard")
_DATA = Path(restore.__file__).parent / "data"


@dataclass(frozen=True)
class Job:
    """What is to be measured of one photograph with one receiver.

    Parameters
    ----------
    task, network : str
        Of the receiver; the network ``default`` is our own for JPEG artifacts.
    tools : str
        Profile and QP-NET.
    image : Path
        Photograph.
    wanted : tuple of (str, float)
        Methods and bits per pixel.
    """

    task: str
    network: str
    tools: str
    image: Path
    wanted: tuple[tuple[str, float], ...]

    @cached_property
    def digest(self) -> str:
        """Of what the results depend on besides the photograph and this program."""
        names = ("models/default.onnx", "models/default-chroma.onnx")
        if self.network != "default":
            names = (f"tasks/{self.network}.safetensors",)
        return f"{digest_of(*(_DATA / name for name in names))}-{Tools.load(self.tools).digest}"

    def path(self, work: Path, method: str, bpp: float) -> Path:
        image = f"{self.image.parent.name}-{self.image.stem}"
        name = f"{method.replace(' ', '_')}@{bpp:g}.json"
        return work / self.task / self.network / Path(self.tools).name / image / name

    def kept(self, work: Path) -> list[dict[str, Any]]:
        """Measurements that are there and still hold."""
        paths = [self.path(work, *each) for each in self.wanted]
        found = [json.loads(path.read_text("utf-8")) for path in paths if path.exists()]
        return [record for record in found if record["digest"] == self.digest]


def default_network(task: str) -> str:
    return "default" if task == "deblock" else f"{task}-64"


def wanted_of(task: str, methods: Sequence[str]) -> tuple[tuple[str, float], ...]:
    """Methods and rates; the receiver for JPEG artifacts looks at tables, which no `ideal` file has."""
    fit = [method for method in methods if not (task == "deblock" and method.startswith("ideal"))]
    return tuple((method, bpp) for method in fit for bpp in RATES if bpp == MIDDLE or method in AT_ALL_RATES)


def measured(job: Job, work: Path) -> int:
    """Measure what is missing of a job; how much that was."""
    known = {(record["method"], record["bpp"]) for record in job.kept(work)}
    missing = [each for each in job.wanted if each not in known]
    if not missing:
        return 0
    task = make_task(job.task, None if job.network == "default" else job.network)
    # A seed by the name, so that noise does not depend on which photographs are taken.
    seed = zlib.crc32(job.image.name.encode())
    case = Case(task, task.reference(load(job.image)), Tools.load(job.tools), seed, job.network != "default")
    for method, bpp in missing:
        start = time.process_time()  # one thread: what the item would take on a processor of its own
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
    """Bytes and fields, those that are numbers; or why there are none."""
    try:
        nbytes, fields = METHODS[method](case, case.budget(bpp))
    except TargetNotMetError as error:
        return {"not_met": str(error)}
    found = zip(FIELDS, np.round(fields, 5).tolist(), strict=True)
    return {"nbytes": nbytes, **{name: value for name, value in found if np.isfinite(value)}}


def _one_thread() -> None:
    import torch

    torch.set_num_threads(1)


def run(jobs: Sequence[Job], work: Path, workers: int) -> list[dict[str, Any]]:
    """Measure what is missing, and give all."""
    with ProcessPoolExecutor(workers, initializer=_one_thread) as pool:
        for _ in tracked(pool.map(partial(measured, work=work), jobs), "photographs", len(jobs)):
            pass
    return [record for job in jobs for record in job.kept(work)]


def chosen(images: int | None) -> list[Path]:
    """The first photographs of both sets, in turn."""
    kodak, mcmaster = (photographs(name) for name in SETS)
    mixed = [path for pair in zip(kodak, mcmaster, strict=False) for path in pair] + mcmaster[len(kodak) :]
    return mixed[:images]


def jobs_of(tasks: Iterable[str], images: int | None, methods: Sequence[str]) -> list[Job]:
    """Of `rates`, with the receiver that profile and QP-NET were made for."""
    names = list(tasks)
    return [
        Job(task, default_network(task), task, path, wanted_of(task, methods))
        for path in chosen(images)
        for task in names
    ]


@click.group()
def main() -> None:
    """The receiver and the files that are made for it."""


def _options(command: Any) -> Any:
    """Options that all but `speed` share."""
    folder = Path(tempfile.gettempdir()) / "accelir"
    path = click.Path(file_okay=False, path_type=Path)
    for option in (
        click.option("--work", type=path, default=folder, show_default=True, help="Where measurements are kept."),
        click.option("--workers", default=2, show_default=True, help="Processes of one thread each."),
        click.option("--images", type=int, help="Photographs, of both sets in turn.  [default: all 30]"),
        click.option("--tasks", default=",".join(TASKS), show_default=True, help="Which, with commas between."),
    ):
        command = option(command)
    return command


@main.command()
@_options
@click.option("--methods", default=",".join(METHODS), help="Which, with commas between.  [default: all]")
def rates(work: Path, workers: int, images: int | None, tasks: str, methods: str) -> None:
    """Measure; `report` writes the result."""
    records = run(jobs_of(tasks.split(","), images, methods.split(",")), work, workers)
    print(f"{len(records)} measurements, {sum(record['seconds'] for record in records):.0f} s of work")


@main.command()
@_options
def report(work: Path, workers: int, images: int | None, tasks: str) -> None:
    """Write ``results/accelir_rates.json`` from what `rates` has measured."""
    jobs = jobs_of(tasks.split(","), images, list(METHODS))
    records = [record for job in jobs for record in job.kept(work)]
    print(write_result("accelir_rates", accelir_report.rates(records, MIDDLE), packages=PACKAGES))


@main.command()
@_options
def widths(work: Path, workers: int, images: int | None, tasks: str) -> None:
    """FLOPs at equal PSNR and equal bytes."""
    from restore.networks.count import count

    jobs, macs = [], {}
    for task in [each for each in tasks.split(",") if each in WIDE_TASKS]:
        networks = [f"{task}-{width}" for width in WIDTHS]
        macs[task] = {network: count(make_task(task, network).network).macs for network in networks}
        wanted = (("jpeg", MIDDLE), ("receiver+qpnet", MIDDLE))
        jobs += [Job(task, network, task, path, wanted) for path in chosen(images) for network in networks]
    records = run(jobs, work, workers)
    print(write_result("accelir_widths", accelir_report.widths(records, macs), packages=PACKAGES))


@main.command()
@_options
def unseen(work: Path, workers: int, images: int | None, tasks: str) -> None:
    """Gains with profiles and QP-NETs that were made for another task or network."""
    names = tasks.split(",")
    receivers = [(task, default_network(task)) for task in names]
    receivers += [(task, OTHER_NETWORKS[task]) for task in names if task in OTHER_NETWORKS]
    jobs = []
    for path in chosen(images):
        for task, network in receivers:
            # `jpeg` does not depend on the tools: it is measured with those of the task.
            own = (("jpeg", MIDDLE), ("rdo", MIDDLE), ("receiver", MIDDLE), ("receiver+qpnet", MIDDLE))
            jobs += [Job(task, network, tools, path, own if tools == task else own[2:]) for tools in names]
    records = run(jobs, work, workers)
    print(write_result("accelir_unseen", accelir_report.unseen(records), packages=PACKAGES))


@main.command()
@_options
def control(work: Path, workers: int, images: int | None, tasks: str) -> None:
    """How far files stay below the bytes that were asked for; `Bpp` asks for bytes in the same way."""
    records = run(jobs_of(tasks.split(","), images, ["receiver+qpnet"]), work, workers)
    print(write_result("accelir_control", accelir_report.control(records), packages=PACKAGES))


@main.command()
@click.option("--tasks", default=",".join(TASKS), show_default=True, help="Which, with commas between.")
@click.option("--runs", default=7, show_default=True, help="Of each, in turn.")
@click.option("--images", default=2, show_default=True, help="Of 12 megapixels.")
def speed(tasks: str, runs: int, images: int) -> None:
    """Seconds of the encoder with and without QP-NET, one thread."""
    rows = [timed(task, number, runs, MIDDLE) for task in tasks.split(",") for number in range(images)]
    print(write_result("accelir_speed", accelir_report.speed(rows, SIDES), packages=PACKAGES))


@main.command()
def picture() -> None:
    """Draw ``docs/blocks.png``: a photograph of scikit-image with noise, coded for the receiver that removes it."""
    from PIL import Image
    from skimage import data

    from optcodec.cli.blocks import show

    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "coffee with noise.png"
        Image.fromarray(make_task("denoise25").sent(data.coffee(), 0)).save(path)
        drawn = str(ROOT / "docs" / "blocks.png")
        show([str(path), "-o", drawn, "--blocks", "qpnet:denoise25", "--bpp", "1.2"], standalone_mode=False)


if __name__ == "__main__":
    main()
