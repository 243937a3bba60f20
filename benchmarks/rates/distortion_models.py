"""Which distortion model of table design makes the smallest file at equal error?

Each Kodak photograph is coded at 4:4:4 with tables by OptS (profile mobilenet_v2) and OptD, designed with each model of
`optcodec.design.DISTORTIONS` and each of two largest steps, so that the true SWE (sensitivity weighted error) of
luminance and that of chrominance equal those of default JPEG at a quality factor. The rate is that of the real baseline
file with optimal Huffman tables.

    OPTCODEC_DATA=... python -m benchmarks.rates.distortion_models
"""

from __future__ import annotations

import os
from itertools import product
from pathlib import Path
from typing import Any

import numpy as np

from benchmarks.record import write_result
from optcodec.design import DISTORTIONS, Files, gather, resolve
from optcodec.jpeg.image import DctImage
from optcodec.jpeg.quantize import quantize
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.jpeg.writer import write_jpeg
from optcodec.metrics import swe_by_component
from optcodec.pictures.pixels import load_picture
from optcodec.shared import forward
from optcodec.targets import MatchQuality
from optcodec.vision.profile import SensitivityProfile, load_profile

QUALITIES = (50, 75, 90, 95)
METHODS = ("opts", "optd")
LARGEST_STEPS = (100, 255)
PROFILE = "mobilenet_v2"


def main() -> None:
    profile = load_profile(PROFILE)
    nbytes, mismatch = {}, 0.0
    for path in sorted((Path(os.environ["OPTCODEC_DATA"]) / "Kodak").glob("*.png")):
        nbytes[path.stem], worst = _one_image(forward(load_picture(path).pixels, "4:4:4"), profile)
        mismatch = max(mismatch, worst)
        print(path.stem, "default JPEG at quality 75:", nbytes[path.stem]["quality 75"]["default JPEG"], "bytes")
    summary = _summary(nbytes)
    for line in summary:
        print(f"{line['setting']:40s} {line['bytes_to_default']:.4f} of the bytes of default JPEG")
    print(f"SWE is below that of default JPEG by at most {mismatch:.2e} of it")
    figures = {"profile": PROFILE, "subsampling": "4:4:4", "summary": summary, "largest_swe_mismatch": mismatch}
    print(write_result("distortion_models", figures | {"nbytes": nbytes}))


def _one_image(image: DctImage, profile: SensitivityProfile) -> tuple[dict[str, dict[str, int]], float]:
    """Bytes by quality and setting, and the largest relative mismatch of the SWE of luminance or chrominance."""
    statistics = gather(image)
    nbytes: dict[str, dict[str, int]] = {}
    mismatch = 0.0
    for quality in QUALITIES:
        size, default_swe = _measured(image, annex_k_tables(quality), profile)
        nbytes[f"quality {quality}"] = {"default JPEG": size}
        for method, distortion, qmax in product(METHODS, DISTORTIONS, LARGEST_STEPS):
            tables = resolve(
                MatchQuality(quality), statistics, profile, method=method, distortion=distortion, limits=(1, qmax),
                files=Files(lambda tables: len(write_jpeg(quantize(image, tables)))),
            ).tables  # fmt: skip
            size, swe = _measured(image, tables, profile)
            nbytes[f"quality {quality}"][f"{method} {distortion} qmax {qmax}"] = size
            mismatch = max(mismatch, *(abs(1 - a / b) for a, b in zip(swe, default_swe, strict=True)))
    return nbytes, mismatch


def _measured(
    image: DctImage, tables: tuple[QuantTable, ...], profile: SensitivityProfile
) -> tuple[int, tuple[float, float]]:
    """Bytes of the real file, and its SWE of luminance and of chrominance."""
    coded = quantize(image, tables)
    y, cb, cr = swe_by_component(image, coded, profile.normalized())
    return len(write_jpeg(coded)), (y, cb + cr)


def _summary(nbytes: dict[str, dict[str, dict[str, int]]]) -> list[dict[str, Any]]:
    """Geometric mean of the ratio of bytes to those of default JPEG, by setting; overall and by quality; sorted."""
    lines = []
    for method, distortion, qmax in product(METHODS, DISTORTIONS, LARGEST_STEPS):
        setting = f"{method} {distortion} qmax {qmax}"
        logs = np.array(
            [
                [np.log(sizes[setting] / sizes["default JPEG"]) for sizes in figures.values()]
                for figures in nbytes.values()
            ]
        )
        line = {"setting": setting, "bytes_to_default": round(float(np.exp(logs.mean())), 4)}
        per_quality = zip(QUALITIES, np.exp(logs.mean(axis=0)), strict=True)
        lines.append(line | {f"quality {quality}": round(float(value), 4) for quality, value in per_quality})
    return sorted(lines, key=lambda line: float(line["bytes_to_default"]))


if __name__ == "__main__":
    main()
