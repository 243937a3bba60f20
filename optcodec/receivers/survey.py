"""Measure the blocks of many images, and save the result of each image, so that an interrupted run can continue."""

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
    """A measured image.

    Parameters
    ----------
    name, sha256 : str
        Name and SHA-256 of its file.
    part : Path
        File with its curves and blocks, see `read_part`.
    curves : Curves
        Curves of the blocks that the border does not cut.
    """

    name: str
    sha256: str
    part: Path
    curves: Curves


@dataclass(frozen=True)
class BlockSurvey:
    """Settings of the measurement of many images, and the folder of its results.

    Parameters
    ----------
    task : Task
        The restoration task.
    network : str
        Name of the network for the provenance, such as ``package.module:factory``.
    folder : Path
        Folder for the parts; created when the first is written.
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
        """Measure an image, or read its part if there is one; the result depends on the file and the settings only.

        Raises
        ------
        InvalidInputError
            If the image cannot be read, is grey or smaller than a block, or the part cannot be written.
        """
        path = Path(path)
        picture = load_picture(path, max_pixels=self.max_pixels)
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        part = self.folder / f"{digest[:32]}-{self._key()}.npz"
        measured = read_part(part)
        if measured is None:
            seed = int(np.random.SeedSequence([self.seed, int(digest, 16)]).generate_state(1)[0])
            measured = training_blocks(
                picture.pixels,
                self.task,
                encoder=self.encoder,
                subsampling=self.subsampling,
                isolated=self.isolated,
                offsets=grid_offsets(self.grids, seed),
                seed=seed,
            )
            write_part(part, *measured)
        return SurveyedImage(path.name, digest, part, measured[0])

    def provenance(self, images: Sequence[SurveyedImage]) -> UtilityProvenance:
        """Provenance of a profile of these images."""
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
        """Hash of all settings that the curves depend on, besides the image."""
        settings = asdict(self.provenance([])) | {"qualities": QUALITIES}
        return hashlib.sha256(json.dumps(settings).encode()).hexdigest()[:16]


def read_part(path: str | os.PathLike[str]) -> tuple[Curves, Pixels] | None:
    """Read the measurements of one image.

    Parameters
    ----------
    path : str or path
        An .npz file as `BlockSurvey.image` writes it, with the arrays ``qualities``, ``nbytes``, ``before`` and
        ``after`` of `Curves`, and ``blocks`` (blocks, 32, 32, 3) uint8.

    Returns
    -------
    tuple of (Curves, ndarray of uint8), or None
        Curves and sent pixels; None if the file does not exist or is damaged.
    """
    try:
        # The file is opened here, since numpy would leave it open if it is damaged.
        with Path(path).open("rb") as file, np.load(file, allow_pickle=False) as arrays:
            curves = Curves(*(arrays[name] for name in _ARRAYS))
            blocks: Pixels = arrays["blocks"]
    except Exception:  # zipfile, zlib and numpy raise many types of errors for a damaged file
        return None
    return (curves, blocks) if blocks.shape == (len(curves), BLOCK_SIDE, BLOCK_SIDE, 3) else None


def write_part(path: Path, curves: Curves, blocks: Pixels) -> None:
    """Save the measurements of one image, see `read_part`."""
    file = io.BytesIO()
    np.savez_compressed(file, blocks=blocks, **{name: getattr(curves, name) for name in _ARRAYS})
    write_whole(path, file.getvalue())
