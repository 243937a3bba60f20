"""Does the distance that the loop for people lowers follow butteraugli's 3-norm?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.visibility --butteraugli PATH

``butteraugli_main`` is that of `people.py`. Crops of photographs are coded by several encoders at about the same sizes.
Where a file of one picture and size is better than another by butteraugli, a distance that is to stand for it has to be
better as well, and by as much. So what is compared is the logarithm of each distance less its mean over the files of a
picture and a size: the standard deviation of butteraugli's, that of the difference, and the correlation. The same is
told of what SSIMULACRA2 lacks of 100, and of the root mean squared error of RGB. The constants of
`optcodec.perception.visibility` come from a search (Nelder and Mead) for the least such difference with the photographs
"fitted"; the "unseen" ones took no part. Writes ``results/visibility.json``.
"""

from __future__ import annotations

import argparse
from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

import numpy as np

from benchmarks.rates.people import FITTED, butteraugli
from benchmarks.rates.rd import Pixels, load, photographs
from benchmarks.record import write_result
from optcodec import Bpp, encode, psnr_db
from optcodec.metrics import ssimulacra2
from optcodec.perception.planes import picture_of
from optcodec.perception.visibility import Visibility
from optcodec.pictures.pixels import decoded_pixels
from optcodec.shared import encode_jpegli, encode_turbo

SIDE = 256  # pixels of a crop
BPP = (0.5, 1.0, 1.8)
TUNES = ("people", "psnr", "ssim")
QUALITIES = range(10, 97, 3)
DISTANCES = ("butteraugli", "visibility", "ssimulacra2", "root mean square")


def crops() -> dict[str, dict[str, Pixels]]:
    """The middle of each photograph, by name, of those that were used for the fit and of others."""
    sets: dict[str, dict[str, Pixels]] = {"fitted": {}, "unseen": {}}
    for path in photographs("Kodak"):
        pixels = load(path)
        top, left = ((side - SIDE) // 2 for side in pixels.shape[:2])
        crop = np.ascontiguousarray(pixels[top : top + SIDE, left : left + SIDE])
        sets["fitted" if path.stem in FITTED else "unseen"][path.stem] = crop
    return sets


def files(pixels: Pixels, bits: float) -> Iterator[bytes]:
    """Files of about the same size."""
    ours = partial(encode, pixels, target=Bpp(bits), subsampling="4:2:0", progressive=True, threads=1)
    for tune in TUNES:
        yield ours(effort=3, tune=tune).data
    yield ours(effort=4, tune="people", rounds=3).data
    for encoder in (encode_turbo, encode_jpegli):
        coded = [encoder(pixels, "4:2:0", quality, progressive=True) for quality in QUALITIES]
        yield min(coded, key=lambda data: abs(len(data) - bits * SIDE**2 / 8))


def distances(pixels: Pixels, data: bytes, program: str) -> list[float]:
    """Logarithms of `DISTANCES` of a file."""
    decoded = decoded_pixels(data)
    visible = Visibility.of(picture_of(pixels)).distance(picture_of(decoded))
    values = [-butteraugli(pixels, decoded, program)["butteraugli_3"], visible, 100 - ssimulacra2(pixels, decoded)]
    return [*np.log(values), -psnr_db(pixels, decoded) * np.log(10) / 20]


def agreement(logarithms: np.ndarray) -> dict[str, object]:
    """How distances (groups, files, distance) agree with the first of them within the groups."""
    within = (logarithms - logarithms.mean(1, keepdims=True)).reshape(-1, len(DISTANCES))
    first, *others = within.T
    return {
        "files": len(within),
        "deviation": round(float(first.std()), 4),
        "others": {
            name: {
                "difference": round(float((values - first).std()), 4),
                "correlation": round(float(np.corrcoef(values, first)[0, 1]), 3),
            }
            for name, values in zip(DISTANCES[1:], others, strict=True)
        },
    }


def main(arguments: Sequence[str] | None = None) -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--butteraugli", required=True, help="libjxl's butteraugli_main")
    program = str(Path(parser.parse_args(arguments).butteraugli).resolve())
    document = {}
    for name, pictures in crops().items():
        groups = [
            [distances(pixels, data, program) for data in files(pixels, bits)]
            for pixels in pictures.values()
            for bits in BPP
        ]
        document[name] = {"photographs": list(pictures)} | agreement(np.array(groups))
    print(write_result("visibility", document, packages=("numpy", "ssimulacra2", "ajpegli", "simplejpeg")))


if __name__ == "__main__":
    main()
