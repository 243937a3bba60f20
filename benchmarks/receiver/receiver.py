"""How fast are the restoring models, and how many dB do they gain over JPEG as it is decoded?

``speed``: milliseconds of each network with ONNX Runtime on one thread for a gray image of 481x321 pixels (488x328 with
whole blocks). The networks take turns, and medians of the rounds are reported. Ratios are to the full DnCNN in 32-bit
floats in the same run. The same is measured as on a processor without AVX-512 and VNNI (see `without_vnni.py`).

``quality``: PSNR of luminance on the test sets (`restore evaluate` has colour, other measures and other receivers) for
the models in INT8 and in 32-bit floats, for the full DnCNN, and for DnCNN-3 with its authors' weights, if these lie
beside the data. "Projected" are those whose pictures are moved into the quantization cells of the file afterwards; so
DnCNN-3 is at its best, too, and the intervals of the differences from it are of such pictures. One receiver has no
network: it decodes to the centroid of each cell.

``large``: seconds for one megapixel, and the peak memory of `restore run` for large images.

    python -m benchmarks.receiver.receiver speed
    python -m benchmarks.receiver.receiver quality
    python -m benchmarks.receiver.receiver large
"""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import tempfile
import time
from functools import partial
from pathlib import Path
from typing import Any

import click
import numpy as np
import onnxruntime
from PIL import Image
from safetensors.torch import load_file

import optcodec
import restore
from benchmarks.receiver.without_vnni import command
from benchmarks.record import write_result
from optcodec.shared import percentile_interval
from restore import load_model
from restore.channel.degradation import load_photographs
from restore.export.model_files import receptive_radius
from restore.export.onnx import to_onnx
from restore.networks.count import count
from restore.networks.published import published_network
from restore.networks.weights import shipped_network
from restore.runtime.context import Context
from restore.runtime.decode import receive
from restore.runtime.image import decode_image
from restore.runtime.infer import restored_image
from restore.runtime.models import Model, Network
from restore.runtime.settings import Settings

QUALITIES = (10, 20, 30, 40)
SETS = ("Set5", "BSD68", "LIVE1")
MODELS = ("default", "tiny", "large", "dncnn")
FULL = "dncnn-full, float32"
RIVAL = "DnCNN-3, its authors' weights"
PACKAGES = ("numpy", "onnxruntime", "torch")
SIZE = (328, 488)  # 481x321 in whole blocks


@click.group()
def main() -> None:
    """Measure the restoring models."""


@main.command()
@click.option("--rounds", default=15, show_default=True, help="Number of timed runs of each network.")
def speed(rounds: int) -> None:
    """Measure milliseconds of each network with and without VNNI, file sizes, parameters and MACs."""
    files, timing = networks(), [sys.executable, "-m", "benchmarks.receiver.receiver", "timing", str(rounds)]
    rows = _timed(timing, files)
    for name in sorted({name.split(",")[0] for name in files}):
        rows[f"{name}, float32"] |= count(shipped_network(name)).to_json()
    figures: dict[str, Any] = {
        "size": SIZE,
        "rounds": rounds,
        "networks": rows,
        "without_vnni": _timed(command(*timing), files),
    }
    write_result("receiver_speed", figures, packages=PACKAGES)
    for processor in ("networks", "without_vnni"):
        for name, row in figures[processor].items():
            print(processor, name, row)


def _timed(timing: list[str], files: dict[str, bytes]) -> dict[str, Any]:
    """Run a process that prints milliseconds by network, and return a row for each network."""
    out = subprocess.run(timing, check=True, stdout=subprocess.PIPE, text=True).stdout
    medians: dict[str, float] = json.loads(out.splitlines()[-1])
    return {
        name: {"ms": round(ms, 2), "times_faster": round(medians[FULL] / ms, 2), "bytes": len(files[name])}
        for name, ms in medians.items()
    }


@main.command(hidden=True)
@click.argument("rounds", type=int)
def timing(rounds: int) -> None:
    """Print the milliseconds of each network on one thread (medians over the rounds) as JSON."""
    loaded = {name: Network(session(data), name) for name, data in networks().items()}
    rng = np.random.default_rng(0)
    image = (rng.integers(0, 256, (1, *SIZE)) / 255).astype(np.float32)
    context = Context.of_steps(optcodec.annex_k_tables(10)[0].steps[None])
    times: dict[str, list[float]] = {name: [] for name in loaded}
    for _ in range(rounds + 1):
        for name, network in loaded.items():
            start = time.perf_counter()
            network(image, context)
            times[name].append(time.perf_counter() - start)
    print(json.dumps({name: 1e3 * float(np.median(seconds[1:])) for name, seconds in times.items()}))


@main.command()
@click.option("--images", type=int, help="Number of images of each set.  [default: all]")
def quality(images: int | None) -> None:
    """Measure PSNR of luminance in dB by set, quality and receiver."""
    receivers = _receivers()
    figures: dict[str, Any] = {}
    over: dict[str, Any] = {}
    for name in SETS:
        photographs = load_photographs(_data() / name, mode="L")[:images]
        for quality_factor in QUALITIES:
            files = [(image, _jpeg(image, quality_factor)) for image in photographs]
            psnr = {
                receiver: np.array([_psnr(image, receive_(data)) for image, data in files])
                for receiver, receive_ in receivers.items()
            }
            means = {receiver: round(float(values.mean()), 3) for receiver, values in psnr.items()}
            figures.setdefault(name, {"images": len(photographs)})[str(quality_factor)] = means
            over.setdefault(name, {})[str(quality_factor)] = _over_rival(psnr)
            print(name, quality_factor, means, flush=True)
    write_result("receiver_quality", {"psnr_y_db": figures, "over_dncnn3_db": over}, packages=PACKAGES)


def _over_rival(psnr: dict[str, np.ndarray]) -> dict[str, Any]:
    """Mean difference in dB of each model from DnCNN-3, all projected, with its interval."""
    changes = {}
    for name in MODELS if RIVAL in psnr else ():
        differences = psnr[f"{name}, int8, projected"] - psnr[f"{RIVAL}, projected"]
        low, high = percentile_interval(differences, resamples=2000)
        changes[name] = {"value": float(differences.mean()), "low": low, "high": high, "images": len(differences)}
    return changes


def _receivers() -> dict[str, Any]:
    """Functions from the bytes of a gray JPEG file to its restored pixels, by the name of the receiver."""
    receivers: dict[str, Any] = {
        "jpeg": lambda data: decode_image(receive(data)),
        "jpeg, centroids": lambda data: decode_image(receive(data), centroid=True),
    }
    for name in MODELS:
        shipped = load_model(name)
        floats = Model(name, Network(session(to_onnx(shipped_network(name)), 2), name), None, shipped.border)
        receivers[f"{name}, int8"] = partial(_restored, model=shipped, project=False)
        receivers[f"{name}, int8, projected"] = partial(_restored, model=shipped, project=True)
        receivers[f"{name}, float32"] = partial(_restored, model=floats, project=False)
    plain = {FULL: shipped_network("dncnn-full")}
    rival = _data().parent / "restore_nets" / "dncnn3.safetensors"
    if rival.exists():
        plain[RIVAL] = published_network("dncnn", load_file(rival))
    for name, network in plain.items():
        blind = Model(name, Network(session(to_onnx(network), 2), name), None, receptive_radius(network))
        receivers[name] = partial(_restored, model=blind, project=False)
        receivers[f"{name}, projected"] = partial(_restored, model=blind, project=True)
    return receivers


def _restored(data: bytes, model: Model, project: bool) -> np.ndarray:
    return restored_image(receive(data), model, Settings(project=project))


@main.command()
@click.option("--side", "sides", multiple=True, type=int, default=(1000, 2000, 4000), show_default=True)
def large(sides: tuple[int, ...]) -> None:
    """Measure seconds for one megapixel on one core, and peak memory of `restore run` by image size."""
    rows = []
    for side in sides:
        for planes in (1, 3):
            rows.append({"side": side, "planes": planes, **_run(side, planes)})
            print(rows[-1], flush=True)
    frames = [_frame(planes) for planes in (1, 3)]
    write_result("receiver_large", {"runs": rows, "one_megapixel": frames}, packages=PACKAGES)


def _frame(planes: int) -> dict[str, Any]:
    """Seconds to restore a file of 1000x1000 pixels with one thread; the model is already loaded."""
    data, model = _photograph(1000, planes), load_model(threads=1)
    seconds = []
    for _ in range(6):
        start = time.perf_counter()
        restored_image(receive(data), model)
        seconds.append(time.perf_counter() - start)
    return {"planes": planes, "seconds": round(float(np.median(seconds[1:])), 3)}


def _run(side: int, planes: int) -> dict[str, float]:
    """Seconds and peak memory in MiB of `restore run` on one file, in a process of its own."""
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in.jpg"
        source.write_bytes(_photograph(side, planes))
        start = time.perf_counter()
        arguments = ["run", str(source), "-o", str(Path(folder) / "out.png"), "--threads", "1"]
        out = subprocess.run([sys.executable, "-c", _CHILD, *arguments], check=True, capture_output=True, text=True)
        seconds = time.perf_counter() - start
    return {"seconds": round(seconds, 1), "peak_mb": round(int(out.stderr.split()[-1]) / 2**20)}


_CHILD = """
import sys
from restore.cli import main
from restore.evaluation.cost import peak_nbytes
try:
    main()
finally:
    print(peak_nbytes(), file=sys.stderr)
"""


def _photograph(side: int, planes: int) -> bytes:
    """A JPEG file at quality 30 of a large picture, which repeats a photograph."""
    image = load_photographs(_data() / "Kodak", mode="L")[0] if planes == 1 else None
    if image is None:
        with Image.open(sorted((_data() / "Kodak").iterdir())[0]) as file:
            image = np.asarray(file.convert("RGB"))
    times = [-(-side // extent) for extent in image.shape[:2]] + [1] * (planes == 3)
    return _jpeg(np.tile(image, times)[:side, :side], 30)


def _jpeg(image: np.ndarray, quality_factor: int) -> bytes:
    target = io.BytesIO()
    Image.fromarray(image).save(target, "JPEG", quality=quality_factor)
    return target.getvalue()


def _psnr(image: np.ndarray, restored: np.ndarray) -> float:
    return float(optcodec.psnr_db(image, restored))


def _data() -> Path:
    return Path(os.environ["OPTCODEC_DATA"])


def session(data: bytes, threads: int = 1) -> onnxruntime.InferenceSession:
    """An ONNX Runtime session of a network with a number of threads."""
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    return onnxruntime.InferenceSession(data, options, providers=["CPUExecutionProvider"])


def networks() -> dict[str, bytes]:
    """ONNX files by name: the full DnCNN, and each model in INT8 and in 32-bit floats."""
    files = {FULL: to_onnx(shipped_network("dncnn-full"))}
    folder = Path(restore.__file__).parent / "data" / "models"
    for name in MODELS:
        files[f"{name}, int8"] = (folder / f"{name}.onnx").read_bytes()
        files[f"{name}, float32"] = to_onnx(shipped_network(name))
    return files


if __name__ == "__main__":
    main()
