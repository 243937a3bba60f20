"""One photograph for one receiver: what the ways to code it are given, and how their files are measured."""

from __future__ import annotations

import hashlib
import io
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path

import numpy as np
import numpy.typing as npt
from PIL import Image

from benchmarks.accelir.ideal import luminance_seams
from benchmarks.receiver.tasks import FOLDER
from optcodec import InvalidInputError, psnr_db
from optcodec.blocks.choice import BlockChoice, BlockContext
from optcodec.blocks.curves import Curves
from optcodec.blocks.profile import UtilityProfile, load_utility_profile
from optcodec.blocks.qpnet import QpNet, load_qpnet
from optcodec.jpeg.image import DctImage, Metadata
from optcodec.jpeg.sources import PixelSource
from optcodec.receivers.measure import measure_curves
from optcodec.receivers.task import Task
from optcodec.trellis.tuning import Tuning

Pixels = npt.NDArray[np.uint8]
Floats = npt.NDArray[np.float64]

SUBSAMPLING = "4:2:0"
FIELDS = "after", "before", "clean", "seam"  # PSNR in dB three times, and what `luminance_seams` says


@dataclass(frozen=True, eq=False)
class Tools:
    """A utility profile with a tuning, its QP-NET, and a digest of both files."""

    name: str
    profile: UtilityProfile
    net: QpNet
    digest: str = ""

    @classmethod
    def load(cls, name: str) -> Tools:
        """Shipped ones, or those of NAME.json and NAME.npz."""
        paths = FOLDER / "utility" / f"{name}.json", FOLDER / "qpnet" / f"{name}.npz"
        if not all(path.exists() for path in paths):
            paths = Path(f"{name}.json"), Path(f"{name}.npz")
        profile, net = load_utility_profile(paths[0]), load_qpnet(paths[1])
        return cls(name, profile, net, digest_of(*paths))

    @property
    def tuning(self) -> Tuning:
        """Weights for the receiver."""
        if self.profile.tuning is None:
            raise InvalidInputError(f"profile {self.name} has no tuning; expected one from fit_receivers.py")
        return self.profile.tuning

    def blocks(self, way: str) -> BlockChoice:
        return BlockChoice(way, self.profile, self.net)


def digest_of(*paths: Path) -> str:
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Case:
    """One photograph for one receiver, with what is known of it.

    Parameters
    ----------
    task : Task
        What is sent and restored.
    clean : ndarray of uint8, shape (H, W, 3)
        Cut as the task wants it.
    tools : Tools
        Profile and QP-NET.
    seed : int
        Of what the task adds.
    pixels_alone : bool
        Whether the receiver looks at nothing but decoded pixels.
    """

    task: Task
    clean: Pixels
    tools: Tools
    seed: int = 0
    pixels_alone: bool = True
    _curves: dict[str, Curves] = field(default_factory=dict)

    @cached_property
    def sent(self) -> Pixels:
        return self.task.sent(self.clean, self.seed)

    @cached_property
    def image(self) -> DctImage:
        return PixelSource(self.sent, SUBSAMPLING, "float", False, Metadata(), 0, 1).unquantized()

    def budget(self, bpp: float) -> int:
        """Bytes for so many bits per sent pixel."""
        return int(bpp * self.sent.shape[0] * self.sent.shape[1] / 8)

    def curves(self, encoder: str) -> Curves:
        """The true ones of the blocks of this image, measured once."""
        if encoder not in self._curves:
            options = {"encoder": encoder, "subsampling": SUBSAMPLING, "seed": self.seed, "threads": 1}
            self._curves[encoder] = measure_curves(self.clean, self.task, **options)
        return self._curves[encoder]

    def context(self) -> BlockContext:
        """What QP-NET and the ways to choose look at, errors weighed for the receiver."""
        return BlockContext(self.sent, self.image, self.tools.tuning, self.tools.profile, self.tools.net, 1)

    def measured(self, data: bytes) -> Floats:
        """The `FIELDS` of a file.

        A receiver that reads the quantization tables of a JPEG file leaves a WebP file as it is decoded. Errors against
        the clean image are NaN where it has another size.
        """
        with Image.open(io.BytesIO(data)) as file:
            decoded = np.asarray(file.convert("RGB"))
        restored = decoded if data.startswith(b"RIFF") and not self.pixels_alone else self.task.restored(data)
        clean = psnr_db(self.clean, decoded) if self.clean.shape == decoded.shape else np.nan
        return np.array([psnr_db(self.clean, restored), psnr_db(self.sent, decoded), clean, luminance_seams(decoded)])
