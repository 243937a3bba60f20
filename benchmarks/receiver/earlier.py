"""Is an earlier JPEG coding found where there was one, and only there?

Every second photograph of Val20, McMaster and Kodak, without six that are decoded JPEG files. Coded once, by several
encoders: every answer but "none" is a false alarm. Coded twice: how many are found, with a quality that is off by one
at most, and how far the steps are from the true ones, in octaves, over all 64 frequencies of luminance; on the same
grid of blocks, after rows and columns were cropped, and with first tables that are not those of a quality. The
constants were chosen on other photographs (BSDS500, and halved ones of imagenet_sample).

    OPTCODEC_DATA=DATA python -m benchmarks.receiver.earlier
"""

from __future__ import annotations

import io
import os
import time
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
from PIL import Image

import optcodec
from benchmarks.rates.rd import load, ours
from benchmarks.record import write_result
from optcodec.shared import encode_jpegli, encode_mozjpeg
from restore.runtime.decode import receive
from restore.runtime.earlier import EarlierCoding, find_earlier_coding

Pixels = npt.NDArray[np.uint8]
Encode = Callable[[Pixels], bytes]

SETS = ("Val20", "McMaster", "Kodak")
PACKAGES = ("numpy", "pillow", "pyvips", "ajpegli")
FIRST, SECOND = (10, 15, 20, 30, 40, 50, 60, 75), (75, 80, 85, 90, 95)
CROPPED = ((15, 90), (40, 85), (75, 95), (75, 85))
CROPS = ((4, 4), (0, 3), (1, 6), (7, 2), (5, 0))  # rows and columns, one for each picture in turn
EVERY = 2
# Files of quality 96 before they became PNG: of the larger coefficients of their pixels, on the grid of blocks and
# where steps are at least 4, 98 to 100 % are within a quarter of a step of a multiple; of all others, 47 to 50 %.
DECODED = tuple(f"00{number}" for number in range(1, 7))  # of Val20


def main() -> None:
    """Measure and write ``results/receiver_earlier.json``."""
    folder = Path(os.environ["OPTCODEC_DATA"])
    paths = [path for name in SETS for path in sorted((folder / name).glob("*.png")) if path.stem not in DECODED]
    pictures = {f"{path.parent.name}/{path.stem}": load(path) for path in paths[::EVERY]}
    some = list(pictures.values())
    figures = {
        "photographs": {name: sum(key.startswith(name) for key in pictures) for name in SETS},
        "coded_once": once(pictures),
        "same_grid": {f"{a} -> {b}": twice(some, libjpeg(a), libjpeg(b), a) for a, b in pairs()},
        "cropped": {f"{a} -> {b}": twice(some, libjpeg(a), libjpeg(b), a, CROPS) for a, b in CROPPED},
        "other_tables": {name: twice(some, encode, libjpeg(90)) for name, encode in other_tables().items()},
        "other_second_encoders": {name: twice(some, libjpeg(40), encode, 40) for name, encode in seconds().items()},
        "resized": resized(some),
        "seconds_a_megapixel": speed(),
    }
    print(write_result("receiver_earlier", figures, packages=PACKAGES))


def pairs() -> Iterable[tuple[int, int]]:
    """First and second qualities that are more than 5 apart."""
    return ((first, second) for first in FIRST for second in SECOND if second > first + 5)


def libjpeg(quality: int, subsampling: str = "4:2:0") -> Encode:
    """Pillow with libjpeg-turbo."""

    def encode(pixels: Pixels) -> bytes:
        file = io.BytesIO()
        Image.fromarray(pixels).save(file, "JPEG", quality=quality, subsampling=subsampling)
        return file.getvalue()

    return encode


def encoders() -> dict[str, Encode]:
    """Those that code once."""
    made = {f"libjpeg {quality}": libjpeg(quality) for quality in (5, 30, 75, 90, 95, 100)}
    made |= {f"libjpeg {quality}, 4:4:4": libjpeg(quality, "4:4:4") for quality in (75, 95)}
    made["mozjpeg 75"] = lambda pixels: encode_mozjpeg(pixels, "4:2:0", 75, table=3, progressive=True)
    made["mozjpeg 85, flat"] = lambda pixels: encode_mozjpeg(pixels, "4:2:0", 85, table=1, progressive=True)
    made["jpegli 60"] = lambda pixels: encode_jpegli(pixels, "4:2:0", 60, progressive=True)
    made["jpegli 90, 4:4:4"] = lambda pixels: encode_jpegli(pixels, "4:4:4", 90, progressive=True)
    for tune, quality in (("psnr", 40), ("psnr", 85), ("ssim", 75), ("people", 85)):
        made[f"optcodec {tune} {quality}"] = _ours(tune, quality)
    return made


def _ours(tune: str, quality: int) -> Encode:
    return lambda pixels: ours(pixels, "4:2:0", quality, tune=tune, progressive=False)


def seconds() -> dict[str, Encode]:
    """Second encoders that choose indices."""
    return {
        "mozjpeg 85": lambda pixels: encode_mozjpeg(pixels, "4:2:0", 85, table=3, progressive=True),
        "jpegli 90": lambda pixels: encode_jpegli(pixels, "4:2:0", 90, progressive=True),
        "optcodec psnr 85": _ours("psnr", 85),
    }


def other_tables() -> dict[str, Encode]:
    """First encoders whose steps are not those of a quality."""
    u, v = np.mgrid[:8, :8]
    annex_k = optcodec.annex_k_tables(40)[0].steps
    varied = annex_k * np.exp(np.random.default_rng(0).normal(0, 0.25, (8, 8)))
    made = {
        name: _with_table(table)
        for name, table in {"flat, 30": np.full((8, 8), 30.0), "ramp": 10.0 + 4 * (u + v), "varied": varied}.items()
    }
    made["mozjpeg 50"] = lambda pixels: encode_mozjpeg(pixels, "4:2:0", 50, table=3, progressive=True)
    made["jpegli 40"] = lambda pixels: encode_jpegli(pixels, "4:2:0", 40, progressive=True)
    made["optcodec psnr 40"] = _ours("psnr", 40)
    return made


def _with_table(steps: npt.NDArray[np.float64]) -> Encode:
    table = optcodec.QuantTable(np.clip(np.rint(steps), 1, 255).astype(np.uint16))
    return lambda pixels: optcodec.encode(pixels, tables=[table, table]).data


def once(pictures: dict[str, Pixels]) -> dict[str, Any]:
    """False alarms, with what was claimed."""
    files, alarms = 0, []
    for name, encode in encoders().items():
        for picture, pixels in pictures.items():
            coding, files = find_earlier_coding(receive(encode(pixels))), files + 1
            if coding:
                alarms.append({"picture": picture, "encoder": name, **_claim(coding)})
        print(name, files, alarms, flush=True)
    return {"encoders": list(encoders()), "files": files, "false_alarms": alarms}


def _claim(coding: EarlierCoding) -> dict[str, Any]:
    return {"quality": coding.quality, "shift": list(coding.shift), "confidence": round(coding.confidence, 4)}


def twice(
    pictures: list[Pixels],
    first: Encode,
    second: Encode,
    quality: int | None = None,
    crops: tuple[tuple[int, int], ...] = ((0, 0),),
) -> dict[str, Any]:
    """Shares of files of which the right grid, and the right quality, are found; errors of the steps of the former."""
    near, errors = 0, []
    for index, pixels in enumerate(pictures):
        before = first(pixels)
        top, left = crops[index % len(crops)]
        coding = find_earlier_coding(receive(second(opened(before)[top:, left:])))
        if coding and coding.shift == (-top % 8, -left % 8):
            steps = receive(before).steps(0)
            errors.append(float(np.abs(np.log2(coding.steps[0] / steps)).mean()))
            near += quality is not None and coding.quality is not None and abs(coding.quality - quality) <= 1
    row: dict[str, Any] = {"files": len(pictures), "grid_found": len(errors)}
    if quality is not None:
        row["quality_within_1"] = near
    row["error_of_steps_octaves"] = round(float(np.mean(errors)), 4) if errors else None
    print(row, flush=True)
    return row


def opened(data: bytes) -> Pixels:
    """What a decoder shows."""
    return np.asarray(Image.open(io.BytesIO(data)))


def resized(pictures: list[Pixels]) -> dict[str, int]:
    """Files made nine tenths of the size between the codings, 30 and 90; and how many are taken for coded twice."""
    claims = 0
    for pixels in pictures:
        image = Image.fromarray(opened(libjpeg(30)(pixels)))
        smaller = image.resize((image.width * 9 // 10, image.height * 9 // 10), Image.Resampling.BICUBIC)
        claims += find_earlier_coding(receive(libjpeg(90)(np.asarray(smaller)))) is not None
    return {"files": len(pictures), "claims": claims}


def speed() -> dict[str, float]:
    """One megapixel of noise over waves: the answer on the same grid, and after the search on others (medians)."""
    y, x = np.mgrid[:1024, :1024]
    waves = 128 + 50 * np.sin(x / 9 + np.cos(y / 13)) + np.random.default_rng(0).normal(0, 12, x.shape)
    pixels = np.clip(np.repeat(waves[..., None], 3, axis=2), 0, 255).astype(np.uint8)
    files = {"same_grid": libjpeg(90)(opened(libjpeg(40)(pixels))), "all_grids": libjpeg(90)(pixels)}
    return {name: round(_median_seconds(data), 2) for name, data in files.items()}


def _median_seconds(data: bytes) -> float:
    times = []
    for _ in range(4):
        start = time.perf_counter()
        find_earlier_coding(receive(data))
        times.append(time.perf_counter() - start)
    return float(np.median(times[1:])) / 1.048576


if __name__ == "__main__":
    main()
