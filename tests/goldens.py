"""Encode files with all options, and compare them with stored hashes: their bytes may change only on purpose.

python -m tests.goldens            compares, and prints the names of files that have changed
python -m tests.goldens --update   writes the present hashes into goldens.json

The hashes are the same on every processor. ``--processor v2`` and ``--processor avx2`` run the comparison as on an
older processor: `without` has the environment variables that restrict the compiled kernels, numpy, its BLAS and the C
library.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from functools import cache, partial
from pathlib import Path

import numpy as np
import numpy.typing as npt

import optcodec
from optcodec import Bpp, MatchPsnr, MatchQuality, MatchSwe, MaxBytes, QualityField, WaterLevel
from optcodec.kernels import prepare
from optcodec.kernels.cache import exporting_stems

FILE = Path(__file__).with_name("goldens.json")
Pixels = npt.NDArray[np.uint8]
Encode = Callable[[], bytes]

WITHOUT = {
    "avx2": {
        "NUMBA_CPU_NAME": "haswell",
        "NUMBA_CPU_FEATURES": "+sse4.2,+popcnt,+avx,+avx2,+fma,+bmi,+bmi2,+lzcnt,+movbe,+f16c",
        "OPENBLAS_CORETYPE": "Haswell",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX512F,-AVX512VL,-AVX512DQ,-AVX512BW",
    },
    "v2": {
        "NUMBA_CPU_NAME": "x86-64-v2",
        "NUMBA_CPU_FEATURES": "+sse4.2,+popcnt,-avx,-avx2,-fma",
        "OPENBLAS_CORETYPE": "Nehalem",
        "GLIBC_TUNABLES": "glibc.cpu.hwcaps=-AVX,-AVX2,-FMA",
    },
}


def without(processor: str) -> dict[str, str]:
    """Environment variables for a process that must not use the instructions of newer processors.

    numpy's names for its variants differ from version to version, so they are read from numpy.
    """
    simd: dict[str, list[str]] = np.show_config(mode="dicts")["SIMD Extensions"]  # type: ignore[call-overload,index]
    too_new = [name for name in simd["found"] if processor == "v2" or name.startswith(("AVX512", "X86_V4"))]
    return os.environ | WITHOUT[processor] | {"NPY_DISABLE_CPU_FEATURES": " ".join(too_new)}


def scene(height: int, width: int, seed: int) -> Pixels:
    """A picture with soft light, edges, texture and noise, computed with integers only."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:height, :width].astype(np.int64)
    picture = np.empty((height, width, 3), np.int64)
    for channel in range(3):
        a, b, c = rng.integers(1, 9, 3)
        light = (a * x * 255 // width + b * y * 255 // height) // (a + b)
        stripes = 48 * ((a * x + c * y) // 23 % 2) * (x > width // 2)
        waves = (x * x + 3 * y * y) // 64 % 64
        picture[..., channel] = light + stripes + waves * (4 - channel) // 4 - 40
    disc = (x - width // 3) ** 2 + (y - height // 2) ** 2 < (min(height, width) // 4) ** 2
    picture[disc] = picture[disc] // 2 + rng.integers(0, 128, 3)
    picture += rng.integers(-6, 7, picture.shape)
    return np.clip(picture, 0, 255).astype(np.uint8)


@cache
def pictures() -> dict[str, Pixels]:
    """The pictures by name: sides that are no multiples of a block, gray, tiny, noise."""
    noise = np.random.default_rng(5).integers(0, 256, (56, 72, 3), np.uint8)
    return {
        "scene": scene(131, 149, 1),
        "wide": scene(96, 233, 2),
        "gray": scene(113, 97, 3)[..., 1].copy(),
        "dot": scene(5, 3, 4),
        "noise": noise,
        "large": scene(497, 611, 6),  # so large that only clipped blocks are chosen a second time
    }


def encodes() -> Iterator[tuple[str, Encode]]:
    """The name of every file, and a function that encodes it."""
    # All kernels of an encode at once, since each process that compiles takes a second to start.
    prepare(*(stem for stem in exporting_stems() if stem not in ("blockbits", "blockcurves")))
    yield from _plain()
    yield from _designed()
    yield from _optimized()
    yield from _for_blocks()
    yield from _transcoded()


def _plain() -> Iterator[tuple[str, Encode]]:
    for name in ("scene", "wide", "gray", "dot", "noise"):
        for quality in (5, 50, 75, 97):
            yield _case(name, f"quality {quality}", quality=quality)
        for sampling in ("4:4:4", "4:2:2", "4:4:0"):
            yield _case(name, sampling, subsampling=sampling)
        yield _case(name, "exact", dct="exact", quality=85)
        yield _case(name, "exact 4:4:4 progressive", dct="exact", subsampling="4:4:4", progressive=True)
        yield _case(name, "progressive", progressive=True)
        yield _case(name, "smaller", progressive="smaller", quality=40)
        yield _case(name, "restart", restart_interval=3)
        yield _case(name, "apart", scans="apart")
        yield _case(name, "restart progressive", restart_interval=2, progressive=True, subsampling="4:2:2")


def _designed() -> Iterator[tuple[str, Encode]]:
    profiles = {name: optcodec.load_profile(name) for name in ("mobilenet_v2", "squeezenet1_1_420", "generic")}
    for name in ("scene", "wide", "gray", "noise"):
        for label, profile in profiles.items():
            yield _case(name, f"{label} match", profile=profile, target=MatchQuality(60))
            yield _case(name, f"{label} bpp", profile=profile, target=Bpp(1.5))
        profile = profiles["mobilenet_v2"]
        yield _case(name, "opts water", method="opts", target=WaterLevel(0.3), profile=profile)
        yield _case(name, "optd water", method="optd", target=WaterLevel(40.0))
        yield _case(name, "opts bytes", method="opts", target=MaxBytes(3000), profile=profile)
        yield _case(name, "rdopt bytes", method="rdopt", target=MaxBytes(3000))
        yield _case(name, "deepn", method="deepn", target=Bpp(2.0))
        yield _case(name, "swe", profile=profile, target=MatchSwe(2.0), progressive=True)
        yield _case(name, "psnr", target=MatchPsnr(33.0), subsampling="4:4:4")


def _optimized() -> Iterator[tuple[str, Encode]]:
    profile = optcodec.load_profile("squeezenet1_1")
    for name in ("scene", "wide", "gray", "dot"):
        yield _case(name, "rdo", tune="ycbcr")
        for tune in ("psnr", "ssim", "people"):
            yield _case(name, f"{tune} 60", tune="ycbcr" if tune == "psnr" else tune, quality=60)
            yield _case(name, f"{tune} thorough", effort=3, tune=tune, quality=80)
            yield _case(name, f"{tune} thorough apart", effort=3, tune=tune, quality=80, scans="apart")
            yield _case(name, f"{tune} thorough progressive", effort=3, tune=tune, progressive=True)
        yield _case(name, "network", tune=profile, quality=70)
        yield _case(name, "tables", tune="ycbcr", tables=optcodec.annex_k_tables(70), subsampling="4:2:2")
        if name != "dot":
            yield _case(name, "rdo bpp", effort=3, target=Bpp(1.2))
            yield _case(name, "rdo psnr", tune="people", target=MatchPsnr(31.0), progressive=True, subsampling="4:4:4")
            yield _case(name, "rdo swe", tune=profile, target=MatchQuality(50))
            yield _case(name, "field", tune="ycbcr", field=_field(pictures()[name]), quality=60)
    yield _case("large", "rdo", tune="ycbcr", quality=70)
    yield _case("large", "psnr thorough", effort=3, tune="psnr", quality=70)
    yield _case("large", "people thorough progressive", effort=3, tune="people", progressive=True)


def _for_blocks() -> Iterator[tuple[str, Encode]]:
    choices = ("x264", "libwebp", "qpnet:denoise25", "qpnet:deblock", "qpnet:sr4", "qpnet:deblur1.5")
    for name in ("scene", "wide", "gray"):
        for chosen in choices:
            blocks = optcodec.blocks_by(chosen)
            yield _case(name, chosen, effort=3, blocks=blocks, target=Bpp(1.3))
        receiver = optcodec.load_utility_profile("denoise25")
        yield _case(name, "receiver", tune=receiver, quality=65, progressive=True)


def _transcoded() -> Iterator[tuple[str, Encode]]:
    profile = optcodec.load_profile("generic")
    for name in ("scene", "wide", "gray"):
        first = optcodec.read_jpeg(optcodec.encode(pictures()[name], quality=92).data)
        variants: dict[str, dict[str, object]] = {
            "again": {"progressive": "smaller"},
            "designed again": {"profile": profile, "target": Bpp(1.0)},
            "rdo again": {"tune": "ycbcr"},
            "quality again": {"quality": 50, "tune": "ssim"},
        }
        for variant, options in variants.items():
            yield f"{name}, {variant}", partial(_encoded, first, options)


def _case(name: str, variant: str, **options: object) -> tuple[str, Encode]:
    return f"{name}, {variant}", partial(_encoded, pictures()[name], options)


def _encoded(image: object, options: dict[str, object]) -> bytes:
    return optcodec.encode(image, **options).data  # type: ignore[arg-type]


def _field(pixels: Pixels) -> QualityField:
    mask = np.zeros(pixels.shape[:2], np.uint8)
    mask[20:60, 30:80] = 255
    return QualityField.from_mask(mask)


def digests() -> dict[str, str]:
    """The hash of each file by name; if the encoder raises an error, its message instead."""
    hashes = {}
    for name, encode in encodes():
        try:
            data = encode()
        except optcodec.OptcodecError as error:
            hashes[name] = f"{type(error).__name__}: {error}"
        else:
            hashes[name] = hashlib.sha256(data).hexdigest()[:16]
    return hashes


def known() -> dict[str, str]:
    """The stored hashes by name."""
    hashes: dict[str, str] = json.loads(FILE.read_text())
    return hashes


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--update", action="store_true", help="write the hashes of today")
    parser.add_argument("--processor", choices=WITHOUT, help="compare with less than the processor has")
    options = parser.parse_args()
    if options.processor:
        command = [sys.executable, "-m", "tests.goldens"]
        return subprocess.run(command, env=without(options.processor), check=False).returncode
    hashes = digests()
    if options.update:
        FILE.write_text(json.dumps(hashes, indent=0) + "\n")
        print(f"{len(hashes)} hashes written")
        return 0
    expected = known()
    changed = sorted(name for name in hashes.keys() | expected.keys() if hashes.get(name) != expected.get(name))
    for name in changed:
        print(f"{name}: {hashes.get(name)}, expected {expected.get(name)}")
    print(f"{len(hashes) - len(changed)} of {len(hashes)} files have the bytes that they had")
    return bool(changed)


if __name__ == "__main__":
    sys.exit(main())
