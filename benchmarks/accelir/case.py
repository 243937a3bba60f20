"""One photograph for one restoring receiver: the input of all coding methods, and the measures of their files."""

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
# PSNR in dB of the restored image against the clean one, of the decoded image against the one that was sent and against
# the clean one; and the ratio that `luminance_seams` returns.
FIELDS = "after", "before", "clean", "seam"


@dataclass(frozen=True, eq=False)
class Tools:
    """A utility profile with a tuning, the QP-NET that belongs to it, and a digest of both files."""

    name: str
    profile: UtilityProfile
    net: QpNet
    digest: str = ""

    @classmethod
    def load(cls, name: str) -> Tools:
        """Load the shipped profile and QP-NET of that name, or the files NAME.json and NAME.npz if none are shipped."""
        paths = FOLDER / "utility" / f"{name}.json", FOLDER / "qpnet" / f"{name}.npz"
        if not all(path.exists() for path in paths):
            paths = Path(f"{name}.json"), Path(f"{name}.npz")
        profile, net = load_utility_profile(paths[0]), load_qpnet(paths[1])
        return cls(name, profile, net, digest_of(*paths))

    @property
    def tuning(self) -> Tuning:
        """The tuning of the profile: the weights of errors for the receiver."""
        if self.profile.tuning is None:
            raise InvalidInputError(f"profile {self.name} has no tuning; expected one from fit_receivers.py")
        return self.profile.tuning

    def blocks(self, way: str) -> BlockChoice:
        """The choice of block qualities by QP-NET that has this name in `optcodec.blocks.choice.WAYS`."""
        return BlockChoice(way, self.profile, self.net)


def digest_of(*paths: Path) -> str:
    """The first 16 hexadecimal digits of the SHA-256 of files."""
    return hashlib.sha256(b"".join(path.read_bytes() for path in paths)).hexdigest()[:16]


@dataclass(frozen=True, eq=False)
class Case:
    """One photograph for one receiver, with its coefficients and curves, which are computed once.

    Parameters
    ----------
    task : Task
        Makes the image that is sent from the clean one, and restores a decoded file.
    clean : ndarray of uint8, shape (H, W, 3)
        The original, cut to the size that the task needs.
    tools : Tools
        Profile and QP-NET.
    seed : int
        Seed of the noise that the task adds.
    pixels_alone : bool
        True if the receiver uses only the decoded pixels, False if it also reads the quantization tables.
    """

    task: Task
    clean: Pixels
    tools: Tools
    seed: int = 0
    pixels_alone: bool = True
    _curves: dict[str, Curves] = field(default_factory=dict)

    @cached_property
    def sent(self) -> Pixels:
        """The image that is sent: the clean one as the task changes it."""
        return self.task.sent(self.clean, self.seed)

    @cached_property
    def image(self) -> DctImage:
        """The DCT coefficients of the sent image."""
        return PixelSource(self.sent, SUBSAMPLING, "float", False, Metadata(), 0, 1).unquantized()

    def budget(self, bpp: float) -> int:
        """Number of bytes at a rate in bits per pixel of the image that is sent."""
        return int(bpp * self.sent.shape[0] * self.sent.shape[1] / 8)

    def curves(self, encoder: str) -> Curves:
        """The curves of all blocks of this image as the receiver really restores them, measured once."""
        if encoder not in self._curves:
            self._curves[encoder] = measure_curves(
                self.clean, self.task, encoder=encoder, subsampling=SUBSAMPLING, seed=self.seed, threads=1
            )
        return self._curves[encoder]

    def context(self) -> BlockContext:
        """The input of QP-NET and of the methods that choose block qualities, with errors weighted for the receiver."""
        return BlockContext(self.sent, self.image, self.tools.tuning, self.tools.profile, self.tools.net, 1)

    def measured(self, data: bytes) -> Floats:
        """The values of `FIELDS` for a file.

        A receiver that reads the quantization tables of a JPEG file cannot restore a WebP file, whose decoded pixels
        are then measured unchanged. PSNR against the clean image is NaN if the decoded image has another size.
        """
        with Image.open(io.BytesIO(data)) as file:
            decoded = np.asarray(file.convert("RGB"))
        restored = decoded if data.startswith(b"RIFF") and not self.pixels_alone else self.task.restored(data)
        clean = psnr_db(self.clean, decoded) if self.clean.shape == decoded.shape else np.nan
        return np.array([psnr_db(self.clean, restored), psnr_db(self.sent, decoded), clean, luminance_seams(decoded)])
