"""Statistics of a data set for the design of its tables, counted in parts by workers on other machines."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from optcodec.batch.cluster import Cluster, Lost
from optcodec.batch.places import Place
from optcodec.design.statistics import Counts, DctImages, Statistics, files_nbytes
from optcodec.errors import InvalidInputError
from optcodec.jpeg.tables import QuantTable

__all__ = ["gather_on"]

_MOST_PICTURES = 512  # in a part: its histograms, some megabytes, are sent to one machine
_PARTS_PER_WORKER = 4  # at least, if there are so many pictures


def gather_on(
    cluster: Cluster,
    check: Callable[[], None],
    places: Sequence[Place],
    images_of: Callable[[Sequence[Place]], Iterable[Any]],
    subsampling: str,
) -> Statistics:
    """As `optcodec.design.gather`, with the same result: sums of integers do not depend on how they are divided.

    Parameters
    ----------
    cluster : Cluster
        What counts.
    check : callable
        Raises `OptcodecError` on a machine that does not see the pictures.
    places : sequence of Path, Url or Member
        The pictures; those that cannot be read are left out.
    images_of : callable
        Opens pictures; it can be pickled.
    subsampling : str
        Of pixels; coefficients come with their own.

    Raises
    ------
    InvalidInputError
        If no picture can be read, or workers die each time.
    """
    most = max(1, min(_MOST_PICTURES, len(places) // (_PARTS_PER_WORKER * cluster.workers)))
    parts = [places[first : first + most] for first in range(0, len(places), most)]

    def results(tables: tuple[QuantTable, ...] | None) -> Iterator[Any]:
        for _, result in cluster.results(_Counting(check, images_of, subsampling, tables), parts):
            if isinstance(result, Lost):
                raise InvalidInputError(f"tables cannot be designed for all pictures: {result.reason}")
            yield result

    total = Counts()
    for counts in results(None):
        total = total.merged(counts)
    images = DctImages(images_of(places), subsampling, 1)
    return Statistics.of(images, total, size_of=lambda tables: sum(results(tables)))


@dataclass(frozen=True)
class _Counting:
    """What a worker counts of pictures: their coefficients, or the bytes of their files with some tables."""

    check: Callable[[], None]
    images_of: Callable[[Sequence[Place]], Iterable[Any]]
    subsampling: str
    tables: tuple[QuantTable, ...] | None

    def opened(self) -> Callable[[Sequence[Place]], Counts | int]:
        """What a worker keeps."""
        self.check()
        return self._count

    def _count(self, places: Sequence[Place]) -> Counts | int:
        images = DctImages(self.images_of(places), self.subsampling, 1)
        return images.counted() if self.tables is None else files_nbytes(images, self.tables)
