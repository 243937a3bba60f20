"""One image through encoder, decoder and network, under all conditions."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.coder import Coded, ImageCoder, Peer, check_conditions
from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.network import logits_of, score
from optcodec.accuracy.rows import Rows
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import sampling_factors
from optcodec.limits import MAX_PIXELS
from optcodec.metrics import psnr_db
from optcodec.pictures.pixels import decoded_pixels
from optcodec.vision.datasets import LabelledImage, batches
from optcodec.vision.profile import SensitivityProfile

if TYPE_CHECKING:
    from torch import Tensor

    from optcodec.vision.models import TargetModel

__all__ = ["STAGES", "Pipeline", "Seconds"]

Pixels = npt.NDArray[np.uint8]
Seconds = dict[str, float]

STAGES = ("prepare", "encode", "decode", "compare", "forward")


@dataclass(frozen=True, eq=False)
class Pipeline:
    """What is done with each image.

    Parameters
    ----------
    target : TargetModel
        Its module in evaluation mode.
    conditions : tuple of Condition
        At least one.
    profile : SensitivityProfile
        What tables are designed for and errors weighed with.
    subsampling : str
        Chroma subsampling of all files.
    batch : int
        Pictures of an image that go through the network together.
    peers : mapping of str to callable
        Other encoders by name.
    max_pixels : int or None
        Larger images cannot be read; None allows every size.

    Raises
    ------
    InvalidInputError
        If one of these is wrong.
    """

    target: TargetModel
    conditions: tuple[Condition, ...]
    profile: SensitivityProfile
    subsampling: str
    batch: int
    peers: Mapping[str, Peer]
    max_pixels: int | None = MAX_PIXELS

    def __post_init__(self) -> None:
        if not self.conditions:
            raise InvalidInputError("expected at least one condition, got none")
        if self.batch < 1:
            raise InvalidInputError(f"a batch holds at least 1 picture, got {self.batch}")
        sampling_factors(self.subsampling)
        check_conditions(self.conditions, self.peers)

    def __call__(self, image: LabelledImage, name: str) -> tuple[Rows, Seconds]:
        """Rows of an image, and the processor seconds of `STAGES` that they took."""
        seconds = dict.fromkeys(STAGES, 0.0)
        with _counted(seconds, "prepare"):
            pixels = self._pixels(image)
        shots: list[_Shot] = []
        pictures = self._pictures(pixels, shots, seconds)
        logits = []
        while waiting := list(islice(pictures, self.batch)):
            with _counted(seconds, "forward"):
                logits.append(logits_of(self.target.module, waiting))
        return self._rows(image, name, pixels, logits, shots), seconds

    def _pixels(self, image: LabelledImage) -> Pixels:
        """What the network would see of the image."""
        ((tensor, _),) = batches([image], self.target.preprocess, size=1, max_pixels=self.max_pixels)
        pixels = tensor[0].numpy()
        if pixels.dtype != np.uint8 or pixels.ndim != 3 or len(pixels) != 3:
            found = f"{pixels.dtype} of shape {pixels.shape}"
            raise InvalidInputError(f"preprocessing of {self.target.name} gives uint8 of shape (3, H, W), got {found}")
        return np.ascontiguousarray(pixels.transpose(1, 2, 0))

    def _pictures(self, pixels: Pixels, shots: list[_Shot], seconds: Seconds) -> Iterator[Pixels]:
        """The image itself, then what is decoded from the files of all conditions, which go into a list. Equal files,
        such as those of default JPEG in several settings, are decoded once."""
        yield pixels
        with _counted(seconds, "encode"):
            coder = ImageCoder(pixels, self.subsampling, self.profile, self.peers)
        known: dict[bytes, tuple[int, float]] = {}
        for condition in self.conditions:
            with _counted(seconds, "encode"):
                coded = coder.encode(condition)
            if coded.data in known:
                shots.append(_Shot(coded, *known[coded.data]))
                continue
            with _counted(seconds, "decode"):
                picture = decoded_pixels(coded.data)
            with _counted(seconds, "compare"):
                known[coded.data] = len(known) + 1, psnr_db(pixels, picture)
            shots.append(_Shot(coded, *known[coded.data]))
            yield picture

    def _rows(self, image: LabelledImage, name: str, pixels: Pixels, logits: list[Tensor], shots: list[_Shot]) -> Rows:
        import torch

        output = torch.cat(logits)
        label = int(output[0].argmax()) if image.label is None else image.label
        try:
            scores = vars(score(output, label))
        except InvalidInputError as error:
            raise InvalidInputError(f"{image.path}: {error}") from None
        places = [shot.place for shot in shots]
        return Rows(
            self.conditions,
            (name,),
            pixels=np.array([pixels.shape[0] * pixels.shape[1]]),
            labels=np.array([label]),
            nbytes=np.array([[len(shot.coded.data)] for shot in shots]),
            psnr_db=np.array([[shot.psnr_db] for shot in shots], np.float32),
            swe=np.array([[shot.coded.swe] for shot in shots], np.float32),
            met=np.array([[shot.coded.met] for shot in shots]),
            **{key: value[places, None] for key, value in scores.items()},
            **{f"reference_{key}": value[:1] for key, value in scores.items()},
        )


@dataclass(frozen=True)
class _Shot:
    """A file, the place of its picture among those that the network saw, and its PSNR."""

    coded: Coded
    place: int
    psnr_db: float


@contextmanager
def _counted(seconds: Seconds, stage: str) -> Iterator[None]:
    """Add what this thread takes of a processor."""
    start = time.thread_time()
    yield
    seconds[stage] += time.thread_time() - start
