"""Measure rate and accuracy of every image under every condition, in parallel; an interrupted run can continue."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from optcodec import __version__
from optcodec.accuracy.network import module_sha256
from optcodec.accuracy.pipeline import STAGES, Pipeline, Seconds
from optcodec.accuracy.rows import Rows
from optcodec.design import check_sampling
from optcodec.errors import InvalidInputError
from optcodec.experiments.partial import PartFormat, PartialFolder
from optcodec.experiments.threads import in_order
from optcodec.files import write_whole
from optcodec.jpeg.layout import thread_count
from optcodec.jsontext import parse_json
from optcodec.kernels import prepare
from optcodec.vision.datasets import LabelledImage
from optcodec.vision.profile import SensitivityProfile
from optcodec.vision.running import as_used, one_torch_thread

__all__ = ["Measurement", "measure", "profile_sha256"]

_KERNELS = ("forward", "histogram", "quantize", "entropy", "huffman", "bits")
_PART = 8  # number of images after which results are saved


@dataclass(frozen=True, eq=False)
class Measurement:
    """Result of a run, and the processor time it took.

    Parameters
    ----------
    rows : Rows
        Measured values of all images and conditions.
    seconds : dict
        Processor seconds summed over threads: ``"prepare"`` (read and preprocess an image), ``"encode"`` (DCT, table
        search and files), ``"decode"``, ``"compare"`` (PSNR), ``"forward"`` (the network, without the time of a GPU).
    """

    rows: Rows
    seconds: Seconds


def measure(
    pipeline: Pipeline,
    images: Sequence[LabelledImage],
    *,
    partial: Path,
    workers: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Measurement:
    """Encode, decode and classify images under all conditions.

    Each image is preprocessed to the input size of the network, encoded, decoded by Pillow (libjpeg-turbo) and
    classified by the network. One thread does all this for an image, so that few images are in memory at a time.

    Parameters
    ----------
    pipeline : Pipeline
        The network, the conditions, all different, and how images are coded. Its encoders, and a copy of its network,
        are called by several threads at once.
    images : sequence of LabelledImage
        Either all with a label, or all without one; then the prediction for the uncompressed image is the label.
    partial : Path
        Folder for finished images, from which an interrupted run continues. The caller removes it with
        `optcodec.experiments.partial.remove_partial` after saving the result.
    workers : int, optional
        Number of threads; all processors by default. The result is the same.
    progress : callable, optional
        Called with the number of finished images, at the start and after each image.

    Returns
    -------
    Measurement

    Raises
    ------
    InvalidInputError
        If arguments are wrong or do not fit together, an image cannot be read, or ``partial`` belongs to another run.

    Warns
    -----
    SamplingMismatchWarning
        If the profile was estimated at another chroma sampling.
    """
    if workers is not None and workers < 1:
        raise InvalidInputError(f"expected at least 1 thread, got {workers}")
    threads = thread_count(workers)
    named = list(zip(images, _names(images), strict=True))
    folder = PartialFolder(partial, _experiment(pipeline, named), _PART_FORMAT)
    check_sampling(pipeline.profile, {pipeline.subsampling})
    parts = folder.parts()
    done = sum(len(rows.images) for rows, _ in parts)
    tell = progress or (lambda count: None)
    tell(done)
    prepare(*_KERNELS)  # otherwise every thread would compile them
    quick = replace(pipeline, target=replace(pipeline.target, module=as_used(pipeline.target.module)))
    with one_torch_thread():
        chunk = []
        for result in in_order(quick, named[done:], threads):
            chunk.append(result)
            done += 1
            if len(chunk) == _PART or done == len(named):
                parts.append(_joined(chunk))
                folder.add(len(parts) - 1, parts[-1])
                chunk = []
            tell(done)
    return Measurement(*_joined(parts))


def profile_sha256(profile: SensitivityProfile) -> str:
    """SHA-256 of the weights (row-major, little-endian float64) of a profile, in hexadecimal digits."""
    return hashlib.sha256(profile.weights.astype("<f8").tobytes()).hexdigest()


def _names(images: Sequence[LabelledImage]) -> list[str]:
    """Paths of the images relative to their common folder."""
    if not images:
        raise InvalidInputError("expected at least one image, got none")
    if len({image.label is None for image in images}) == 2:
        raise InvalidInputError("expected a label for every image or for none, got some without")
    paths = [image.path.absolute() for image in images]
    folder = os.path.commonpath([path.parent for path in paths])
    return [path.relative_to(folder).as_posix() for path in paths]


def _experiment(pipeline: Pipeline, named: Sequence[tuple[LabelledImage, str]]) -> dict[str, Any]:
    """Everything that the rows depend on, except for rounding."""
    return {
        "version": __version__,
        "model": pipeline.target.name,
        "weights": module_sha256(pipeline.target.module),
        "profile": profile_sha256(pipeline.profile),
        "subsampling": pipeline.subsampling,
        "conditions": [list(vars(condition).values()) for condition in pipeline.conditions],
        "images": [[name, image.label, _nbytes(image.path)] for image, name in named],
    }


def _nbytes(path: Path) -> int:
    try:
        return path.stat().st_size
    except OSError as error:
        raise InvalidInputError(f"cannot read the image {path}: {error.strerror}") from None


def _save_part(path: Path, part: tuple[Rows, Seconds]) -> None:
    rows, seconds = part
    write_whole(path.with_suffix(".json"), json.dumps(seconds).encode())
    rows.save(path)


def _load_part(path: Path) -> tuple[Rows, Seconds]:
    return Rows.load(path), parse_json(path.with_suffix(".json").read_text("utf-8"))


_PART_FORMAT = PartFormat(".npz", _save_part, _load_part)


def _joined(parts: Sequence[tuple[Rows, Seconds]]) -> tuple[Rows, Seconds]:
    rows, seconds = zip(*parts, strict=True)
    return Rows.joined(rows), {stage: float(np.sum([part[stage] for part in seconds])) for stage in STAGES}
