"""Draw the picture of the first page of the site: a photograph as default JPEG and as ours, in as many bytes.

    python -m benchmarks.documents.first

writes docs/equal-bytes.png. The photograph is `skimage.data.astronaut`; our file has at most the bytes of the other.
"""

from __future__ import annotations

import io

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from PIL import Image
from skimage import data

import optcodec
from benchmarks.documents.theory import save
from benchmarks.record import ROOT

QUALITY = 12
ROWS, COLUMNS = slice(40, 200), slice(140, 300)


def main() -> None:
    """Draw the picture."""
    path = ROOT / "docs" / "equal-bytes.png"
    save(equal_bytes(), path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def files() -> tuple[bytes, bytes]:
    """The photograph as libjpeg-turbo writes it with optimized Huffman tables, and as ours of no more bytes."""
    photo, theirs = data.astronaut(), io.BytesIO()
    Image.fromarray(photo).save(theirs, "jpeg", quality=QUALITY, optimize=True)
    ours = optcodec.encode(photo, target=optcodec.MaxBytes(theirs.tell()))
    return theirs.getvalue(), ours.data


def equal_bytes() -> Figure:
    """The same part of both files, side by side, in letters that can be read on a phone."""
    theirs, ours = files()
    shown = {
        f"default JPEG: {len(theirs):,} bytes": _decoded(theirs),
        f"optcodec: {len(ours):,} bytes": _decoded(ours),
    }
    figure, axes = plt.subplots(1, 2, figsize=(8, 4.3), layout="constrained")
    for axis, (title, pixels) in zip(axes, shown.items(), strict=True):
        axis.imshow(pixels[ROWS, COLUMNS], interpolation="nearest")
        axis.set_title(title, fontsize=16)
        axis.axis("off")
    return figure


def _decoded(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


if __name__ == "__main__":
    main()
