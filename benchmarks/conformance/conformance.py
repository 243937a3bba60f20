"""Do all decoders show our files as libjpeg-turbo does, and do we read other encoders' files as libjpeg does?

Files that were encoded with every option of ours are decoded by all decoders that are installed. The result says how
many files each decoder opens, how far its pixels are from those of libjpeg-turbo (in Pillow), and what it warns of.
Grey and 4:4:4 files may only differ by rounding. Decoders interpolate subsampled chrominance in different ways: these
files are counted separately, and a picture counts as wrong only if it shows something else (see `differences.py`).

Conversely, files of mozjpeg, jpegli, every version of libjpeg and unusual options of cjpeg are read by us. We must read
the same coefficients as libjpeg (jpeglib), and when we write these again, baseline and progressive, Pillow must decode
the same pixels. Files with arithmetic coding must be refused.

The photographs are those of the folder Kodak in OPTCODEC_DATA. The extra [bench] must be installed. Decoders that are
not installed are skipped and listed in the result. All of them are installed with

    pip install opencv-python-headless kornia_rs imageio-ffmpeg
    apt-get install libjpeg-turbo-progs ffmpeg imagemagick chromium libstb-dev gcc golang-go default-jdk-headless nodejs
    npm install --prefix FOLDER sharp jpeg-js pdfjs-dist@4
    NODE_PATH=FOLDER/node_modules python -m benchmarks.conformance.conformance

It takes about two minutes, and writes benchmarks/results/conformance.json. The exit status is 1 if libjpeg-turbo warns
of one of our files, or if a file of another encoder is not read as libjpeg reads it.
"""

from __future__ import annotations

import os
import sys
import time
from collections import Counter
from importlib.metadata import distributions
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.conformance.decoders import decoders, output_of
from benchmarks.conformance.files import our_files
from benchmarks.conformance.matrix import matrix
from benchmarks.conformance.peers import QUALITIES, peer_files, strong_encoders, with_large_steps, with_sampling
from benchmarks.conformance.reading import agreement
from benchmarks.record import write_result

Pixels = npt.NDArray[np.uint8]
PHOTOGRAPHS = ("kodim01", "kodim03", "kodim15", "kodim23")
PACKAGES = (
    *("pillow", "pyvips", "pyvips-binary", "ajpegli", "jpeglib", "simplejpeg", "torchvision"),
    *("opencv-python-headless", "kornia_rs", "imageio-ffmpeg"),
)
UNUSUAL_SAMPLING = ("4x1,1x1,1x1", "1x4,1x1,1x1", "4x2,1x1,1x1", "1x1,2x2,2x2", "2x2,2x1,1x2", "3x1,1x1,1x1")
LIBJPEG_TURBO = ("Pillow", "djpeg")


def main() -> None:
    """Decode our files with other decoders, read other encoders' files, print and write the results."""
    start = time.perf_counter()
    folder = Path(os.environ["OPTCODEC_DATA"]) / "Kodak"
    photos = {path.stem: np.asarray(Image.open(path)) for path in sorted(folder.glob("*.png"))}
    files = list(our_files({name: photos[name] for name in PHOTOGRAPHS}, _files_of_other_encoders(photos["kodim03"])))
    rows = matrix(files, decoders())
    read = agreement(peer_files(photos))
    for kind, row in read.items():
        print(f"{kind}: {row}")
    seconds = round(time.perf_counter() - start)
    kinds = Counter(file.kind for file in files)
    cjpeg = output_of(["cjpeg", "-version"], r"(libjpeg-turbo) version (\S+)")
    figures = {"our_files": kinds, "decoders": rows, "qualities": QUALITIES, "cjpeg": cjpeg, "files_of_others": read}
    installed = {distribution.metadata["Name"].lower() for distribution in distributions()}
    packages = tuple(name for name in PACKAGES if name in installed)
    write_result("conformance", {"seconds": seconds, **figures}, packages=packages)
    warned = any(rows[name].get("warnings") for name in LIBJPEG_TURBO)
    sys.exit(warned or any(row["disagreements"] for row in read.values()))


def _files_of_other_encoders(photo: Pixels) -> dict[str, bytes]:
    """Files of other encoders that are transcoded without loss."""
    part = np.ascontiguousarray(photo[100:287, 200:451])
    files = {kind: encode(part, 75) for kind, encode in strong_encoders()}
    files["libjpeg-turbo, steps above 255"] = with_large_steps(part)
    for factors in UNUSUAL_SAMPLING:
        files[f"libjpeg-turbo, {factors}"] = with_sampling(part, factors)
    return files


if __name__ == "__main__":
    main()
