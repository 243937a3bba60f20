"""Curves of the blocks of many images, kept image by image, so that a run that was stopped goes on where it was."""

from __future__ import annotations

import hashlib
import io
import json
import os
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

import numpy as np
import numpy.typing as npt

from optcodec import __version__
from optcodec.blocks.curves import BLOCK_SIDE, QUALITIES, Curves
from optcodec.blocks.provenance import UtilityProvenance
from optcodec.files import write_whole
from optcodec.limits import MAX_PIXELS
from optcodec.pictures.pixels import load_picture
from optcodec.receivers.measure import STRIDE, grid_offsets, training_blocks
from optcodec.receivers.task import Task

__all__ = ["BlockSurvey", "SurveyedImage", "read_part", "write_part"]

Pixels = npt.NDArray[np.uint8]
_ARRAYS = "qualities", "nbytes", "before", "after"


@dataclass(frozen=True)
class SurveyedImage:
    """One image that was measured.

    Parameters
    ----------
    name, sha256 : str
        Of its file.
    part : Path
        Where its curves and blocks are kept, see `read_part`.
    curves : Curves
        Of its whole blocks.
    """

    name: str
    sha256: str
    part: Path
    curves: Curves


@dataclass(frozen=True)
class BlockSurvey:
    """How the blocks of a set of images are measured, and where that is kept.

    Parameters
    ----------
    task : Task
        What is restored.
    network : str
        How it is called in the provenance, such as ``package.module:factory``.
    folder : Path
        For the parts; made when the first is written.
    encoder, subsampling, seed, isolated
        See `optcodec.receivers.measure.measure_curves`.
    grids : int
        1..64, see `optcodec.receivers.measure.training_blocks`.
    max_pixels : int or None
        See `optcodec.load_picture`.
    """

    task: Task = field(repr=False)
    network: str
    folder: Path
    encoder: str = "jpeg"
    subsampling: str = "4:2:0"
    seed: int = 0
    isolated: bool = False
    grids: int = 1
    max_pixels: int | None = MAX_PIXELS

    def __post_init__(self) -> None:
        grid_offsets(self.grids, self.seed)

    def image(self, path: str | os.PathLike[str]) -> SurveyedImage:
        """Measure an image, or take what is kept of it; the result depends on the file and the settings only.

        Raises
        ------
        InvalidInputError
            If the image cannot be read, is grey or smaller than a block, or the part cannot be written.
        """
        path = Path(path)
        picture = load_picture(path, max_pixels=self.max_pixels)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        part = self.folder / f"{digest[:32]}-{self._key()}.npz"
        kept = read_part(part)
        if kept is None:
            seed = int(np.random.SeedSequence([self.seed, int(digest, 16)]).generate_state(1)[0])
            kept = training_blocks(
                picture.pixels,
                self.task,
                encoder=self.encoder,
                subsampling=self.subsampling,
                isolated=self.isolated,
                offsets=grid_offsets(self.grids, seed),
                seed=seed,
            )
            write_part(part, *kept)
        return SurveyedImage(path.name, digest, part, kept[0])

    def provenance(self, images: Sequence[SurveyedImage]) -> UtilityProvenance:
        """Of a profile of these images."""
        return UtilityProvenance(
            task=self.task.name,
            network=self.network,
            scale=self.task.scale,
            encoder=self.encoder,
            images=tuple((image.name, image.sha256) for image in images),
            blocks=sum(len(image.curves) for image in images),
            grids=self.grids,
            stride=STRIDE if self.grids > 1 else BLOCK_SIDE,
            subsampling=self.subsampling,
            seed=self.seed,
            isolated=self.isolated,
            version=__version__,
        )

    def _key(self) -> str:
        """Stands for everything besides the image that the curves depend on."""
        settings = asdict(self.provenance([])) | {"qualities": QUALITIES}
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def read_part(path: str | os.PathLike[str]) -> tuple[Curves, Pixels] | None:
    """What is kept of an image.

    Parameters
    ----------
    path : str or path
        An .npz file as `BlockSurvey.image` writes it, with the arrays ``qualities``, ``nbytes``, ``before`` and
        ``after`` of `Curves`, and ``blocks`` (blocks, 32, 32, 3) uint8.

    Returns
    -------
    tuple of (Curves, ndarray of uint8), or None
        Curves and sent pixels; None where there is no such file, or not a whole one.
    """
    try:
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as kept:  # numpy would leave it open
            curves = Curves(*(kept[name] for name in _ARRAYS))
            blocks: Pixels = kept["blocks"]
    except Exception:  # a damaged file fails in many ways: of the archive, of its compression, of numpy
        return None
    return (curves, blocks) if blocks.shape == (len(curves), BLOCK_SIDE, BLOCK_SIDE, 3) else None


def write_part(path: Path, curves: Curves, blocks: Pixels) -> None:
    """Keep what was measured of an image, see `read_part`."""
    file = io.BytesIO()
    np.savez_compressed(file, blocks=blocks, **{name: getattr(curves, name) for name in _ARRAYS})
    write_whole(path, file.getvalue())
