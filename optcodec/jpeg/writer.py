"""Write JPEG files: baseline, extended sequential or progressive, whatever the data asks for."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from optcodec.errors import InvalidInputError
from optcodec.jpeg.bitstream import Preamble, Scan, group_slots, jpeg_bytes, scan_groups
from optcodec.jpeg.entropy import sequential_tokens
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.scans import progressive_scans, smallest_scans

__all__ = ["Progressive", "check_progressive", "write_jpeg"]

Progressive = Literal[False, True, "smaller"]


def write_jpeg(
    image: CoefficientImage,
    *,
    progressive: Progressive = False,
    smallest: bool = False,
    apart: bool = False,
    threads: int | None = None,
) -> bytes:
    """Write a coefficient image as a JPEG file with optimal Huffman tables.

    Parameters
    ----------
    image : CoefficientImage
        What to write; every coefficient is kept.
    progressive : {False, True, "smaller"}
        Sequential; progressive; or whichever file is smaller.
    smallest : bool
        Choose the scans of a progressive file by trial, which takes longer; otherwise they are always the same.
    apart : bool
        Give luminance a scan of its own in a sequential file where it is finer than chrominance, which mostly makes the
        file 1 to 2 % smaller, but some decoders read one scan only. By default all components are interleaved.
    threads : int, optional
        At most so many; all processors by default. The bytes are the same.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    InvalidInputError
        If a coefficient is outside of the range that 8-bit JPEG codes (T.81, F.1.2.1: differences of DC need at most
        11 bits, AC coefficients at most 10).
    """
    check_progressive(progressive)
    for part in image.components:
        if part.blocks.size and part.blocks.min() == -32768:
            raise InvalidInputError(f"a coefficient of component {part.id} is -32768; 8-bit JPEG codes -1023..1023")
    preamble, files = Preamble.of(image), []
    if progressive is not True:
        scans = _sequential_scans(image, scan_groups(image, apart=apart), threads)
        _check_range(scans)
        files.append(jpeg_bytes(preamble, scans, progressive=False))
    if progressive:
        scans = (smallest_scans if smallest else progressive_scans)(image, threads=threads)
        _check_range(scans)
        files.append(jpeg_bytes(preamble, scans, progressive=True))
    return min(files, key=len)


def check_progressive(progressive: object) -> None:
    """Raise unless the value is one of `Progressive`."""
    if progressive not in (False, True, "smaller"):
        raise InvalidInputError(f'progressive is False, True or "smaller"; got {progressive!r}')


def _check_range(scans: Sequence[Scan]) -> None:
    """Refuse what 8-bit JPEG has no code for; the histograms of the scans hold the sizes of all values."""
    for scan in scans:
        sizes = scan.tokens.histogram[: 8 * 256].reshape(4, 2, 16, 16)
        if sizes[:, 0, 0, 12:].any() or sizes[:, 0, 1:].any():
            raise InvalidInputError("a difference of DC has more than 11 bits; 8-bit JPEG codes -2047..2047")
        if sizes[:, 1, :, 11 - scan.Al :].any():
            raise InvalidInputError("an AC coefficient has more than 10 bits; 8-bit JPEG codes -1023..1023")


def _sequential_scans(image: CoefficientImage, groups: Sequence[Sequence[int]], threads: int | None) -> list[Scan]:
    """Sequential scans of groups of components."""
    scans = []
    for group in groups:
        chosen = group_slots(len(image.components), group)
        scans.append(Scan(group, chosen, sequential_tokens(image, group, chosen, threads=threads)))
    return scans
