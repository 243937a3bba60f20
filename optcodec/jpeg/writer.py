"""Write a coefficient image as a JPEG file.

The file is sequential (baseline, or extended if a quantization step needs 16 bits) or progressive.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from optcodec.errors import InvalidInputError
from optcodec.jpeg.bitstream import Huffman, Preamble, Scan, group_slots, jpeg_bytes, scan_groups
from optcodec.jpeg.entropy import sequential_tokens
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.scans import progressive_scans, smallest_scans

__all__ = ["Progressive", "check_huffman", "check_progressive", "write_jpeg"]

Progressive = Literal[False, True, "smaller"]


def write_jpeg(
    image: CoefficientImage,
    *,
    progressive: Progressive = False,
    smallest: bool = False,
    apart: bool = False,
    huffman: Huffman = "optimal",
    threads: int | None = None,
) -> bytes:
    """Write a coefficient image as a JPEG file.

    Parameters
    ----------
    image : CoefficientImage
        The image; every coefficient is written as it is.
    progressive : {False, True, "smaller"}
        Write a sequential file, a progressive file, or whichever of the two is smaller.
    smallest : bool
        Choose the scans of a progressive file by trial, which takes longer; by default they are always the same.
    apart : bool
        Put luminance into a scan of its own in a sequential file, if it has a finer sampling than chrominance. This
        mostly makes the file 1 to 2 % smaller, but some decoders only read files with one scan. By default all
        components are interleaved.
    huffman : {"optimal", "standard"}
        The Huffman tables that take the fewest bytes, or, in a sequential file, those of T.81, K.3.
    threads : int, optional
        Maximum number of threads; by default all processors. The bytes do not depend on it.

    Returns
    -------
    bytes
        The file.

    Raises
    ------
    InvalidInputError
        If a coefficient is outside of the range of 8-bit JPEG (T.81, F.1.2.1: DC differences have at most 11 bits, AC
        coefficients at most 10), or a progressive file is to have standard tables.
    """
    check_progressive(progressive)
    check_huffman(huffman, progressive)
    for component in image.components:
        if component.blocks.size and component.blocks.min() == -32768:
            message = f"a coefficient of component {component.id} is -32768; 8-bit JPEG codes -1023..1023"
            raise InvalidInputError(message)
    preamble, files = Preamble.of(image), []
    if progressive is not True:
        scans = _sequential_scans(image, scan_groups(image, apart=apart), threads)
        _check_range(scans)
        files.append(jpeg_bytes(preamble, scans, progressive=False, huffman=huffman))
    if progressive:
        scans = (smallest_scans if smallest else progressive_scans)(image, threads=threads)
        _check_range(scans)
        files.append(jpeg_bytes(preamble, scans, progressive=True))
    return min(files, key=len)


def check_progressive(progressive: object) -> None:
    """Raise unless the value is one of `Progressive`."""
    if progressive not in (False, True, "smaller"):
        raise InvalidInputError(f'progressive is False, True or "smaller"; got {progressive!r}')


def check_huffman(huffman: object, progressive: Progressive) -> None:
    """Raise unless the value is one of `Huffman`, and the file can have such tables."""
    if huffman not in ("optimal", "standard"):
        raise InvalidInputError(f'huffman is "optimal" or "standard"; got {huffman!r}')
    if huffman == "standard" and progressive:
        raise InvalidInputError("the standard Huffman tables (T.81, K.3) are for baseline files; got a progressive one")


def _check_range(scans: Sequence[Scan]) -> None:
    """Refuse values for which 8-bit JPEG has no code, by the histograms of value sizes of the scans."""
    for scan in scans:
        sizes = scan.tokens.histogram[: 8 * 256].reshape(4, 2, 16, 16)
        if sizes[:, 0, 0, 12:].any() or sizes[:, 0, 1:].any():
            raise InvalidInputError("a difference of DC has more than 11 bits; 8-bit JPEG codes -2047..2047")
        if sizes[:, 1, :, 11 - scan.Al :].any():
            raise InvalidInputError("an AC coefficient has more than 10 bits; 8-bit JPEG codes -1023..1023")


def _sequential_scans(image: CoefficientImage, groups: Sequence[Sequence[int]], threads: int | None) -> list[Scan]:
    """Make one sequential scan for each group of components."""
    scans = []
    for group in groups:
        slots = group_slots(len(image.components), group)
        scans.append(Scan(group, slots, sequential_tokens(image, group, slots, threads=threads)))
    return scans
