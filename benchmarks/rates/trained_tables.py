"""Do tables that are trained by gradient make smaller files than default JPEG's, and than tables by RD-OPT?

`optcodec.torch.DifferentiableJpeg` trains one pair of tables on crops of BSDS500's training photographs, for the
squared error of RGB and the estimated bits, each over that of default JPEG at quality 50. RD-OPT designs one pair for
the same crops, for the error of default JPEG at quality 50. Each pair of tables is then scaled as a whole, for each
Kodak photograph (the middle 256x256 pixels), until the file has the PSNR of default JPEG at a quality. Reported are the
bytes over those of default JPEG, the mean over the photographs with its 95 % interval.

    OPTCODEC_DATA=DATA python -m benchmarks.rates.trained_tables

Writes ``results/trained_tables.json``.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click
import numpy as np
import numpy.typing as npt
import torch
from PIL import Image

from benchmarks.record import write_result
from optcodec import MatchPsnr, MatchQuality, QuantTable, annex_k_tables, design_tables, encode, psnr_db
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import percentile_interval
from optcodec.torch import DifferentiableJpeg

QUALITIES = (25, 50, 75, 90)
SIDE, BATCH, RATE = 256, 4, 0.05
Pixels = npt.NDArray[np.uint8]


def crops(folder: str, count: int | None) -> list[Pixels]:
    """The middle of each photograph of a folder."""
    paths = sorted(path for path in (Path(os.environ["OPTCODEC_DATA"]) / folder).iterdir() if path.suffix != ".md")
    images = [np.asarray(Image.open(path).convert("RGB")) for path in paths[:count]]
    starts = [[(extent - SIDE) // 2 for extent in image.shape[:2]] for image in images]
    return [image[y : y + SIDE, x : x + SIDE].copy() for image, (y, x) in zip(images, starts, strict=True)]


def trained(photographs: Sequence[Pixels], steps: int) -> tuple[QuantTable, ...]:
    """Tables trained from those of default JPEG."""
    images = torch.from_numpy(np.stack(photographs)).permute(0, 3, 1, 2).float() / 255
    layer, before = DifferentiableJpeg(50, learnable=True), DifferentiableJpeg(50)
    optimizer = torch.optim.Adam(layer.parameters(), lr=RATE)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimizer, steps)
    generator = torch.Generator().manual_seed(0)
    for step in range(steps):
        batch = images[torch.randint(len(images), (BATCH,), generator=generator)]
        with torch.no_grad():
            reference = before(batch)
        coded = layer(batch)
        errors = [(one.images - batch).square().mean((1, 2, 3)) for one in (coded, reference)]
        loss = (errors[0] / errors[1] + coded.bpp / reference.bpp).mean()
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
        schedule.step()
        if step % 50 == 0:
            print(step, round(float(loss.detach()), 4), flush=True)
    return layer.tables()


@click.command()
@click.option("--photographs", default=60, show_default=True, help="Number of photographs that tables are made from.")
@click.option("--steps", default=400, show_default=True, help="Steps of the training.")
def main(photographs: int, steps: int) -> None:
    """Make the tables, and measure files with them."""
    sources, others = crops("BSDS500/train", photographs), crops("Kodak", None)
    designed = design_tables(sources, MatchQuality(50, jointly=True), subsampling="4:2:0")
    tables = {"trained": trained(sources, steps), "rdopt": designed}
    figures: dict[str, dict[str, list[float]]] = {name: {} for name in tables}
    for quality in QUALITIES:
        default = [encode(image, tables=annex_k_tables(quality)) for image in others]
        targets = [
            MatchPsnr(psnr_db(image, decoded_pixels(file.data))) for image, file in zip(others, default, strict=True)
        ]
        for name, pair in tables.items():
            files = [encode(image, tables=pair, target=target) for image, target in zip(others, targets, strict=True)]
            parts = np.array([file.nbytes / old.nbytes for file, old in zip(files, default, strict=True)])
            low, high = percentile_interval(parts, resamples=2000)
            figures[name][str(quality)] = [round(float(number), 4) for number in (parts.mean(), low, high)]
            print(name, quality, figures[name][str(quality)], flush=True)
    steps_of = {name: [table.steps.tolist() for table in pair] for name, pair in tables.items()}
    about = {"photographs": [len(sources), len(others)], "steps": steps, "tables": steps_of}
    write_result("trained_tables", about | {"bytes_to_default": figures}, packages=("numpy", "torch"))


if __name__ == "__main__":
    main()
