"""The origin of a utility profile: task, network, images and settings of the measurement."""

from __future__ import annotations

from dataclasses import dataclass

from optcodec.blocks.curves import BLOCK_SIDE
from optcodec.errors import InvalidInputError
from optcodec.jpeg.image import sampling_factors
from optcodec.values import check_field_types

__all__ = ["UtilityProvenance"]


@dataclass(frozen=True)
class UtilityProvenance:
    """The origin of a utility profile.

    Parameters
    ----------
    task : str
        Name of the task.
    network : str
        Name of the restoring network, such as the ``package.module:factory`` of the task.
    scale : int
        Side of the restored image divided by that of the sent image.
    encoder : str
        ``"jpeg"`` or ``"rdo"``, see `optcodec.receivers.measure.measure_curves`.
    images : tuple of (str, str)
        Name and SHA-256 of each image.
    blocks : int
        Number of measured blocks.
    block : int
        Side of a block of the sent image, in pixels.
    grids : int
        Number of block grids measured in each image, see `optcodec.receivers.measure.training_blocks`.
    stride : int
        Pixels between the first columns (and rows) of neighbouring blocks: 28 with several grids, 32 with one.
    subsampling : str
        Chroma subsampling of the files.
    seed : int
        Seed of the noise and of the draw of grids.
    isolated : bool
        Whether each block was restored without the pixels around it.
    version : str
        Version of optcodec that measured.
    """

    task: str = ""
    network: str = ""
    scale: int = 1
    encoder: str = "jpeg"
    images: tuple[tuple[str, str], ...] = ()
    blocks: int = 0
    block: int = BLOCK_SIDE
    grids: int = 1
    stride: int = BLOCK_SIDE
    subsampling: str = "4:2:0"
    seed: int = 0
    isolated: bool = False
    version: str = ""

    def __post_init__(self) -> None:
        check_field_types(self, "a profile")
        if not all(isinstance(pair, tuple) and list(map(type, pair)) == [str, str] for pair in self.images):
            raise InvalidInputError("images of a profile are pairs of a name and a SHA-256, got something else")
        sampling_factors(self.subsampling)
