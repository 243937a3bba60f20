"""One quantization table for all components: small files gain the 65 bytes that a second one takes.

With a trellis the steps only set how fine the offer is, and the level decides how much is spent where. So chrominance
does nearly as well with the table of luminance, and the bytes of its own table buy more elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace

from optcodec.search import met
from optcodec.trellis.line import CodedFile, TrellisLine

__all__ = ["also_shared", "better"]

# Bytes of the largest files that are tried with one table: with subsampled chrominance, whose table differs more from
# that of luminance, and with full chrominance. Up to there the files that are better by the weighted error are also
# better by PSNR, SSIM and SSIMULACRA2, on average of 12 pictures of Val20 with 96 to 256 columns.
_SMALL_SUBSAMPLED, _SMALL = 2500, 8000


def also_shared(line: TrellisLine, make: Callable[[TrellisLine], CodedFile]) -> list[CodedFile]:
    """The file of a line; if it is small, or misses the target, also the one with a single table for all components.

    Parameters
    ----------
    line : TrellisLine
        Files with tables for luminance and chrominance.
    make : callable
        The file of a line that is asked for; raises `TargetNotMetError` if there is none.

    Raises
    ------
    TargetNotMetError
        If neither file meets the target.
    """
    coder, parts = line.coder, line.coder.image.components
    if coder.shared or line.designs is not None or coder.lattice is not None or len(parts) == 1:
        return [make(line)]
    subsampled = len({(part.h, part.v) for part in parts}) > 1
    sizes: list[int] = []  # of the file with two tables, if there is one

    def with_two() -> CodedFile:
        file = make(line)
        sizes.append(file.nbytes)
        return file

    def ways() -> Iterator[Callable[[], CodedFile]]:
        yield with_two
        if all(nbytes <= (_SMALL_SUBSAMPLED if subsampled else _SMALL) for nbytes in sizes):
            yield lambda: make(replace(line, coder=replace(coder, shared=True)))

    return met(ways())


def better(files: list[CodedFile]) -> CodedFile:
    """The best of the files of a picture, by their bytes, and by their errors at the price that the first one has."""
    price = 8 * files[0].levels[0]
    return min(files, key=lambda file: file.nbytes + sum(file.errors) / price)
