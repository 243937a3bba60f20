"""Process one image under all conditions: encode, decode and classify it."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from optcodec.accuracy.coder import Coded, ImageCoder, Peer, check_conditions
from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.network import logits_of, prepared_pixels, score
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
    """A function that measures one image under all conditions.

    Parameters
    ----------
    target : TargetModel
        Its module must be in evaluation mode.
    conditions : tuple of Condition
        At least one.
    profile : SensitivityProfile
        Profile that tables are designed for, and weights of the errors.
    subsampling : str
        Chroma subsampling of all files.
    batch : int
        Number of decoded versions of an image in a batch for the network. Changes results by rounding only.
    peers : mapping of str to callable
        Other encoders by name, see `optcodec.accuracy.coder.ImageCoder`.
    max_pixels : int or None
        Images with more pixels are refused; None allows every size.

    Raises
    ------
    InvalidInputError
        If an argument is not as described.
    """

    target: TargetModel
    conditions: tuple[Condition, ...]
    profile: SensitivityProfile
    subsampling: str = "4:4:4"
    batch: int = 8
    peers: Mapping[str, Peer] = field(default_factory=dict)
    max_pixels: int | None = MAX_PIXELS

    def __post_init__(self) -> None:
        if not self.conditions:
            raise InvalidInputError("expected at least one condition, got none")
        if self.batch < 1:
            raise InvalidInputError(f"a batch holds at least 1 picture, got {self.batch}")
        sampling_factors(self.subsampling)
        check_conditions(self.conditions, self.peers)

    def __call__(self, image: LabelledImage, name: str) -> tuple[Rows, Seconds]:
        """Measure an image; its rows, and the processor seconds of each of `STAGES`."""
        seconds = dict.fromkeys(STAGES, 0.0)
        with _counted(seconds, "prepare"):
            pixels = self._pixels(image)
        results: list[_Result] = []
        pictures = self._pictures(pixels, results, seconds)
        logits = []
        while waiting := list(islice(pictures, self.batch)):
            with _counted(seconds, "forward"):
                logits.append(logits_of(self.target.module, waiting))
        return self._rows(image, name, pixels, logits, results), seconds

    def _pixels(self, image: LabelledImage) -> Pixels:
        """Pixels of the image, preprocessed for the network."""
        ((tensor, _),) = batches([image], self.target.preprocess, size=1, max_pixels=self.max_pixels)
        return prepared_pixels(self.target, tensor[0])

    def _pictures(self, pixels: Pixels, results: list[_Result], seconds: Seconds) -> Iterator[Pixels]:
        """Yield the image itself, then the decoded files of all conditions; adds a result for each to the list.

        Equal files, such as those of default JPEG in several settings, are decoded once.
        """
        yield pixels
        with _counted(seconds, "encode"):
            coder = ImageCoder(pixels, self.subsampling, self.profile, self.peers)
        known: dict[bytes, tuple[int, float]] = {}
        for condition in self.conditions:
            with _counted(seconds, "encode"):
                coded = coder.encode(condition)
            if coded.data in known:
                results.append(_Result(coded, *known[coded.data]))
                continue
            with _counted(seconds, "decode"):
                picture = decoded_pixels(coded.data)
            with _counted(seconds, "compare"):
                known[coded.data] = len(known) + 1, psnr_db(pixels, picture)
            results.append(_Result(coded, *known[coded.data]))
            yield picture

    def _rows(
        self, image: LabelledImage, name: str, pixels: Pixels, logits: list[Tensor], results: list[_Result]
    ) -> Rows:
        import torch

        output = torch.cat(logits)
        label = int(output[0].argmax()) if image.label is None else image.label
        try:
            scores = vars(score(output, label))
        except InvalidInputError as error:
            raise InvalidInputError(f"{image.path}: {error}") from None
        indices = [result.index for result in results]
        return Rows(
            self.conditions,
            (name,),
            pixels=np.array([pixels.shape[0] * pixels.shape[1]]),
            labels=np.array([label]),
            nbytes=np.array([[len(result.coded.data)] for result in results]),
            psnr_db=np.array([[result.psnr_db] for result in results], np.float32),
            swe=np.array([[result.coded.swe] for result in results], np.float32),
            met=np.array([[result.coded.met] for result in results]),
            **{key: value[indices, None] for key, value in scores.items()},
            **{f"reference_{key}": value[:1] for key, value in scores.items()},
        )


@dataclass(frozen=True)
class _Result:
    """A file, the index of its decoded image among those that the network classified, and its PSNR in dB."""

    coded: Coded
    index: int
    psnr_db: float


@contextmanager
def _counted(seconds: Seconds, stage: str) -> Iterator[None]:
    """Add the processor time of this thread inside the ``with`` block to a stage."""
    start = time.thread_time()
    yield
    seconds[stage] += time.thread_time() - start
