"""Run all decoders on all files, and compare every picture with the one that libjpeg-turbo decodes."""

from __future__ import annotations

import io
import subprocess
import tempfile
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.conformance.decoders import Decoder
from benchmarks.conformance.differences import Difference, Outcome, difference, summary
from benchmarks.conformance.files import OurFile

Pixels = npt.NDArray[np.uint8]


def matrix(files: list[OurFile], decoders: list[Decoder]) -> dict[str, dict[str, Any]]:
    """The `summary` of each decoder over all files, or the command that installs it."""
    rows: dict[str, dict[str, Any]] = {}
    expected = [np.asarray(Image.open(io.BytesIO(file.data)).convert("RGB")) for file in files]
    with tempfile.TemporaryDirectory() as folder:
        source = Path(folder) / "in"
        source.mkdir()
        for number, file in enumerate(files):
            (source / f"{number:04}.jpg").write_bytes(file.data)
        for number, decoder in enumerate(decoders):
            if decoder.version is None:
                rows[decoder.name] = {"version": None, "install": decoder.install}
                print(f"{decoder.name}: skipped, it is not installed ({decoder.install})")
                continue
            target = Path(folder) / str(number)
            target.mkdir()
            outcomes = decoded(decoder, files, expected, source, target)
            rows[decoder.name] = {"version": decoder.version, **summary(outcomes)}
            print(f"{decoder.name}: {rows[decoder.name]}")
    return rows


def decoded(
    decoder: Decoder, files: list[OurFile], expected: list[Pixels], source: Path, target: Path
) -> list[Outcome]:
    """Run a decoder on the files 0000.jpg, ... of the folder ``source``, and compare the pictures in ``target``."""
    failure = "no picture came out"
    try:
        decoder.decode(source, target)
    except (OSError, subprocess.SubprocessError) as error:  # a compiler failed, or the time limit was exceeded
        failure = f"{type(error).__name__}: {error}"
    outcomes = []
    for number, (file, pixels) in enumerate(zip(files, expected, strict=True)):
        out = target / f"{number:04}.ppm"
        result: Difference | str = failure
        if out.exists():
            result = difference(np.asarray(Image.open(out).convert("RGB")), pixels)
        elif out.with_suffix(".error").exists():
            result = _text(out.with_suffix(".error"), source)
        warning = _text(out.with_suffix(".warning"), source) if out.with_suffix(".warning").exists() else ""
        outcomes.append(Outcome(file.name, file.kind, file.group, result, warning))
    return outcomes


def _text(path: Path, source: Path) -> str:
    """The message of a decoder, without the name of the temporary folder."""
    return path.read_text("utf-8", "replace").replace(str(source), "IN").strip()
