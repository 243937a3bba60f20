"""One quantization table for all components: small files gain the 65 bytes that a second one takes.

With a trellis the steps only set how fine the offer is, and the level decides how much is spent where. So chrominance
does nearly as well with the table of luminance, and the bytes of its own table buy more elsewhere.
"""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import replace

from optcodec.errors import TargetNotMetError
from optcodec.trellis.line import CodedFile, TrellisLine

__all__ = ["shared_if_better"]

# Bytes of the largest files that are tried with one table: with subsampled chrominance, whose table differs more from
# that of luminance, and with full chrominance. Up to there the files that are better by the weighted error are also
# better by PSNR, SSIM and SSIMULACRA2, on average of 12 pictures of Val20 with 96 to 256 columns.
_SMALL_SUBSAMPLED, _SMALL = 2500, 8000


def shared_if_better(line: TrellisLine, make: Callable[[TrellisLine], CodedFile]) -> CodedFile:
    """The file of a line; if it is small, with one table for all components where that is better.

    Files are compared by their bytes and their errors, which count as the bits that the first file would take for them.

    Parameters
    ----------
    line : TrellisLine
        Files with tables for luminance and chrominance.
    make : callable
        The file of a line that is asked for; raises `TargetNotMetError` if there is none.

    Raises
    ------
    TargetNotMetError
        If the file with two tables does not meet the target.
    """
    coder = line.coder
    if line.designs is not None or coder.lattice is not None or len(coder.image.components) == 1:
        return make(line)
    first = make(line)
    subsampled = len({(part.h, part.v) for part in coder.image.components}) > 1
    if first.nbytes > (_SMALL_SUBSAMPLED if subsampled else _SMALL):
        return first
    with suppress(TargetNotMetError):
        files = first, make(replace(line, coder=replace(coder, shared=True)))
        return min(files, key=lambda file: file.nbytes + sum(file.errors) / (8 * files[0].levels[0]))
    return first
