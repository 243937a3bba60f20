"""Draw what receivers make of files of as many bytes, default JPEG and ours, as AccelIR's Figure 8 does.

    python -m benchmarks.documents.restored

writes docs/restored.png: super-resolution and de-noising of photographs of scikit-image, by the widest network of the
package for it from both files, and by its narrowest one from ours. PSNR is that of the whole photograph.
"""

from __future__ import annotations

from collections.abc import Callable

import matplotlib.pyplot as plt
import numpy as np
from matplotlib.figure import Figure
from skimage import data

from benchmarks.accelir.methods import default_file
from benchmarks.documents.theory import save
from benchmarks.receiver.tasks import macs_of
from benchmarks.record import ROOT
from optcodec import Bpp, blocks_by, encode, psnr_db
from restore.tasks import make_task

BPP, SEED = 1.2, 0  # bits per sent pixel
# Photograph, and the rows and columns that are shown, by task
SHOWN: dict[str, tuple[Callable[[], np.ndarray], slice, slice]] = {
    "sr4": (data.chelsea, slice(84, 180), slice(128, 224)),
    "denoise25": (data.coffee, slice(90, 186), slice(200, 296)),
}
WIDE, NARROW = 64, 16


def main() -> None:
    """Draw the picture."""
    path = ROOT / "docs" / "restored.png"
    save(restored(), path)
    print(f"{path.relative_to(ROOT)}: {path.stat().st_size:,} bytes")


def pictures(task_name: str) -> dict[str, np.ndarray]:
    """The clean photograph, and what the receivers restore, by title."""
    tasks = {width: make_task(task_name, f"{task_name}-{width}") for width in (WIDE, NARROW)}
    clean = tasks[WIDE].reference(SHOWN[task_name][0]())
    sent = tasks[WIDE].sent(clean, SEED)
    ours = encode(sent, blocks=blocks_by(f"qpnet:{task_name}"), effort=3, target=Bpp(BPP)).data
    theirs = default_file(sent, len(ours))
    less = 100 * (macs_of(task_name, f"{task_name}-{NARROW}") / macs_of(task_name, f"{task_name}-{WIDE}") - 1)
    received = {
        "default JPEG": tasks[WIDE].restored(theirs),
        "optcodec": tasks[WIDE].restored(ours),
        f"optcodec, FLOPs {less:+.0f} %": tasks[NARROW].restored(ours),
    }
    return {"clean": clean} | {f"{name}\n{psnr_db(clean, image):.2f} dB": image for name, image in received.items()}


def restored() -> Figure:
    """The same part of all pictures, a row for each task."""
    figure, axes = plt.subplots(len(SHOWN), 4, figsize=(8, 4.8), layout="constrained")
    for row, (task_name, (_, rows, columns)) in zip(axes, SHOWN.items(), strict=True):
        for axis, (title, image) in zip(row, pictures(task_name).items(), strict=True):
            axis.imshow(image[rows, columns], interpolation="nearest")
            axis.set_title(title, fontsize=11)
            axis.axis("off")
    return figure


if __name__ == "__main__":
    main()
