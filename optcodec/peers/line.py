"""Files of other encoders as a line: the quality that meets a size in bytes, or a likeness of the decoded picture."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import numpy.typing as npt

from optcodec.cached import cached_property
from optcodec.jpeg.dct import forward
from optcodec.jpeg.image import DctImage
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.tables import QuantTable
from optcodec.lines import Candidate, Goal, Line
from optcodec.matching import decoded_distance
from optcodec.metrics import EQUAL_WEIGHTS, Weighted, swe_by_component
from optcodec.search import search

__all__ = ["Peer", "PeerFile", "PeerLine", "largest_peer_file", "smallest_peer_file"]

Pixels = npt.NDArray[np.uint8]
# The file of pixels, RGB (height, width, 3) or gray (height, width), with a chroma subsampling and a quality factor.
Peer = Callable[[Pixels, str, int], bytes]


@dataclass(frozen=True, eq=False)
class PeerFile(Candidate):
    """The file of another encoder at a quality; see `optcodec.lines.Candidate`.

    Parameters
    ----------
    line : PeerLine
        The encoder and the image.
    quality : int
        1..100.
    """

    line: PeerLine
    quality: int

    @property
    def key(self) -> int:
        """The quality."""
        return self.quality

    @cached_property
    def data(self) -> bytes:
        """The file."""
        return self.line.encode(self.line.pixels, self.line.subsampling, self.quality)

    @property
    def tables(self) -> tuple[QuantTable, ...]:
        """Quantization tables of the file."""
        return read_jpeg(self.data, max_pixels=None).tables

    @cached_property
    def errors(self) -> tuple[float, ...]:
        """Sensitivity weighted error of luminance, and of chrominance."""
        image = read_jpeg(self.data, max_pixels=None)
        luminance, *chrominance = swe_by_component(self.line.coefficients, image, self.line.weights)
        return (luminance, sum(chrominance))

    @property
    def swe(self) -> tuple[float, ...]:
        """The same."""
        return self.errors


@dataclass(frozen=True, eq=False)
class PeerLine(Line[PeerFile]):
    """Files of another encoder; the level is 101 minus the quality. See `optcodec.lines.Line`.

    Parameters
    ----------
    encode : Peer
        The encoder.
    pixels : ndarray of uint8, shape (height, width, 3) or (height, width)
        RGB, or gray.
    subsampling : str
        Chroma subsampling.
    image : DctImage, optional
        Coefficients that errors are measured against; by default those of the pixels.
    weights : Weighted
        Of errors.
    """

    encode: Peer
    pixels: Pixels
    subsampling: str
    image: DctImage | None = None
    weights: Weighted = EQUAL_WEIGHTS

    @cached_property
    def coefficients(self) -> DctImage:
        """What errors are measured against."""
        return self.image or forward(self.pixels, self.subsampling, threads=1)

    @property
    def bounds(self) -> tuple[float, float]:
        """Levels of the qualities 100 and 1."""
        return 1.0, 100.0

    def at(self, level: float) -> PeerFile:
        """The candidate of a level."""
        return PeerFile(self, 101 - _whole(level))

    def start(self, goal: Goal) -> float:
        """Level of quality 75."""
        return 26.0

    def growth(self, goal: Goal) -> float:
        """Power of the inverse level with which sizes rise, about."""
        return 0.6

    def settled(self, lower: float, upper: float) -> bool:
        """Whether there is no whole quality in between."""
        return _whole(upper) - _whole(lower) <= 1


def _whole(level: float) -> int:
    """The whole level, whatever rounding the way over places has done."""
    return int(level + 1e-6)


def largest_peer_file(line: PeerLine, limit: int) -> PeerFile:
    """The file of the highest quality that is no larger than a number of bytes.

    Raises
    ------
    TargetNotMetError
        If even the file of quality 1 is larger.
    """
    return search(
        line, Goal(lambda file: file.nbytes, limit, "a file size in bytes", rising=False, accepted=0.0)
    ).candidate


def smallest_peer_file(
    line: PeerLine, distance: Callable[[Pixels, Pixels], float], limit: float, what: str
) -> PeerFile:
    """The smallest file whose decoded pixels are no further from the original than a limit.

    It is searched for as if the distance fell with each step of the quality, which is nearly so.

    Parameters
    ----------
    line : PeerLine
        The encoder and the image.
    distance : callable
        Of the original and the decoded pixels.
    limit : float
        Largest distance allowed.
    what : str
        What the distance is, for messages.

    Raises
    ------
    TargetNotMetError
        If the file of quality 100 is further.
    """
    return search(line, Goal(decoded_distance(line.pixels, distance), limit, what, of_file=True)).candidate
