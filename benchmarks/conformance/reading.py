"""Check that we read the same coefficients as libjpeg from other encoders' files, and write the same picture again."""

from __future__ import annotations

import io
import tempfile
import warnings
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image

from optcodec import OptcodecError, UnsupportedJpegError, read_jpeg, write_jpeg

with warnings.catch_warnings():
    warnings.simplefilter("ignore")
    import jpeglib

ARITHMETIC = "arithmetic coding"  # kind of files that optcodec does not decode and must refuse with the right error


@dataclass(frozen=True)
class PeerFile:
    """A file of another encoder: its name, the kind of file that it is an example of, and its bytes."""

    name: str
    kind: str
    data: bytes


def disagreements(file: PeerFile) -> dict[str, str]:
    """The differences from libjpeg in words, with the keys ``coefficients`` and ``pixels``; empty if there are none.

    For a file with arithmetic coding the key is ``refused``, and the text says how it was not refused correctly.
    """
    try:
        image = read_jpeg(file.data)
    except OptcodecError as error:
        reason = f"{type(error).__name__}: {error}"
        if file.kind == ARITHMETIC:
            return {} if isinstance(error, UnsupportedJpegError) else {"refused": reason}
        return dict.fromkeys(("coefficients", "pixels"), f"refused: {reason}")
    if file.kind == ARITHMETIC:
        return {"refused": "read, although optcodec does not decode arithmetic coding"}
    reasons = {}
    ours, theirs = [part.blocks for part in image.components], _libjpeg_blocks(file.data)
    if len(ours) != len(theirs) or not all(map(np.array_equal, ours, theirs)):
        reasons["coefficients"] = "not those that libjpeg reads"
    expected = np.asarray(Image.open(io.BytesIO(file.data)))
    for name, progressive in (("baseline", False), ("progressive", True)):
        again = np.asarray(Image.open(io.BytesIO(write_jpeg(image, progressive=progressive))))
        if not np.array_equal(again, expected):
            difference = np.abs(again.astype(int) - expected).max() if again.shape == expected.shape else "another size"
            reasons["pixels"] = f"written again, {name}: largest difference {difference}"
    return reasons


def _libjpeg_blocks(data: bytes) -> list[np.ndarray]:
    """The quantized coefficients of each component as libjpeg reads them."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file.jpg"
        path.write_bytes(data)
        theirs = jpeglib.read_dct(str(path))
        return [part for part in (theirs.Y, theirs.Cb, theirs.Cr, theirs.K) if part is not None]


def agreement(files: Iterable[PeerFile]) -> dict[str, dict[str, Any]]:
    """By kind: number of files, how many agree with libjpeg or are refused correctly, and disagreements by name."""
    rows: dict[str, dict[str, Any]] = {}
    for file in files:
        fresh = {"files": 0, "coefficients": 0, "pixels": 0, "refused": 0, "disagreements": {}}
        row = rows.setdefault(file.kind, fresh)
        wrong = disagreements(file)
        row["files"] += 1
        for test in ("refused",) if file.kind == ARITHMETIC else ("coefficients", "pixels"):
            row[test] += test not in wrong
        if wrong:
            row["disagreements"][file.name] = wrong
    return rows
