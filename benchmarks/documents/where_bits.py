"""Draw where the bits of a file go that is made with a network in the loop, for three photographs.

    OPTCODEC_DATA=DATA python -m benchmarks.documents.where_bits

writes docs/where-bits.png: photographs of scikit-image, what SqueezeNet 1.1 minds in default JPEG of quality 20 (mean
size of the gradient of its divergence in blocks of 32x32 pixels), the bits of these blocks in that file, and how many
more or fewer they have in the file of the loop, which has at most as many bytes.
"""

from __future__ import annotations

import matplotlib.pyplot as plt
import numpy as np
import numpy.typing as npt
import torch
from matplotlib.figure import Figure
from skimage import data

import optcodec
from benchmarks.accuracy.networks import network
from benchmarks.documents.theory import save
from benchmarks.record import ROOT
from optcodec.pictures.pixels import decoded_pixels
from optcodec.receivers.block_bits import file_block_bits

PHOTOGRAPHS = "astronaut", "coffee", "chelsea"
QUALITY = 20
SIDE = 32
Floats = npt.NDArray[np.float64]


def main() -> None:
    """Draw the picture."""
    torch.set_num_threads(1)
    path = ROOT / "docs" / "where-bits.png"
    save(where_bits(), path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def maps(photo: npt.NDArray[np.uint8], reader: optcodec.NetworkReader) -> tuple[str, dict[str, Floats]]:
    """What the loop gains, and the maps of a photograph."""
    reading = reader(photo)
    plain = optcodec.encode(photo, quality=QUALITY)
    size, generic = optcodec.MaxBytes(plain.nbytes), optcodec.load_profile("generic")
    loop = optcodec.encode(photo, target=size, tune=generic, reader=reader)
    before, gradient = reading(decoded_pixels(plain.data))
    after = reading.loss(decoded_pixels(loop.data))
    minded = _sums(np.abs(gradient.sum(2))) / _sums(np.ones(photo.shape[:2]))
    bits, moved = (file_block_bits(file.data).astype(float) for file in (plain, loop))
    gain = f"{plain.nbytes:,} bytes\ndivergence {before:.3f} -> {after:.3f}"
    return gain, {"gradient": minded, "bits, default JPEG": bits, "change in the loop": moved - bits}


def _sums(values: npt.NDArray[np.floating]) -> Floats:
    """Sums over blocks of 32x32 pixels; those at the right and at the bottom may be smaller."""
    rows = np.add.reduceat(values.astype(np.float64), np.arange(0, values.shape[0], SIDE), axis=0)
    sums: Floats = np.add.reduceat(rows, np.arange(0, values.shape[1], SIDE), axis=1)
    return sums


def where_bits() -> Figure:
    """Photographs and maps, a row for each photograph; blocks with fewer bits are blue, with more red."""
    figure, axes = plt.subplots(3, 4, figsize=(11, 7), layout="constrained")
    reader = optcodec.NetworkReader(network("squeezenet1_1"))
    for row, name in zip(axes, PHOTOGRAPHS, strict=True):
        photo = np.ascontiguousarray(getattr(data, name)())
        height, width = photo.shape[:2]
        gain, drawn = maps(photo, reader)
        row[0].imshow(photo)
        row[0].set_title(gain, fontsize=11)
        for axis, (title, values) in zip(row[1:], drawn.items(), strict=True):
            signed = values.min() < 0
            limit = np.abs(values).max()
            style = {"cmap": "RdBu_r", "vmin": -limit, "vmax": limit} if signed else {"cmap": "viridis", "vmin": 0}
            extent = (0, values.shape[1] * SIDE, values.shape[0] * SIDE, 0)
            image = axis.imshow(values, extent=extent, **style)
            axis.set(title=title, xlim=(0, width), ylim=(height, 0))
            figure.colorbar(image, ax=axis, shrink=0.9)
        for axis in row:
            axis.set_axis_off()
    return figure


if __name__ == "__main__":
    main()
