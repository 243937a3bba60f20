"""Decode the coefficients of a JPEG file whose headers have been read, all at once or row by row."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate

import numpy as np
import numpy.typing as npt

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.image import CoefficientImage, Component
from optcodec.jpeg.layout import McuLayout, mcu_layout
from optcodec.jpeg.reading.partial_decoder import PartialScanDecoder
from optcodec.jpeg.reading.scan_decoder import ScanDecoder, work_space
from optcodec.jpeg.reading.structure import CodedScan, JpegStructure
from optcodec.notices import Finding, Notify, sentences

__all__ = ["Blocks", "Reading", "decoded_rows", "read_all", "rows_of"]

_SPACE_NBYTES = 1 << 18  # room for entropy-coded data when decoding by rows; an MCU takes less than 3200 bytes

Blocks = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Reading:
    """How to read: whether to be strict, whether to take partial files, and the function that receives notices."""

    strict: bool
    partial: bool
    notify: Notify

    def decoder(self, data: bytes, scan: CodedScan, layout: McuLayout, space: npt.NDArray[np.uint8]) -> ScanDecoder:
        """Make the decoder of a scan."""
        if self.partial:
            return PartialScanDecoder(data, scan, layout, space)
        return ScanDecoder(data, scan, layout, space, strict=self.strict)

    def tell(self, findings: Sequence[Finding]) -> None:
        """Call `notify` with one sentence for each kind of findings."""
        for sentence in sentences(findings):
            self.notify(sentence)


def read_all(data: bytes, structure: JpegStructure, layouts: Sequence[McuLayout], reading: Reading) -> CoefficientImage:
    """Decode all coefficients of a file, whatever its scans."""
    shapes = [structure.blocks_shape(index) for index in range(len(structure.frame.components))]
    starts = list(accumulate((rows * columns for rows, columns in shapes), initial=0))
    coefficients = np.zeros((starts[-1] + 1) * 64, np.int16)  # and a spare block, see `ScanDecoder.decode`
    space = work_space(max(scan.segment.data_nbytes for scan in structure.scans))
    findings: list[Finding] = []
    is_ambiguous = False
    for scan, layout in zip(structure.scans, layouts, strict=True):
        if is_ambiguous:
            message = "a scan goes on from one that ended early, which decoders do in several ways"
            raise MalformedJpegError(message, scan.segment.offset)
        scan_starts = [starts[component.index] for component in scan.header.components]
        decoder = reading.decoder(data, scan, layout, space)
        decoder.decode(coefficients, scan_starts, layout.rows * layout.columns)
        findings += decoder.findings
        is_ambiguous = isinstance(decoder, PartialScanDecoder) and decoder.is_outside
    coefficients.flags.writeable = False
    frame, components = structure.frame, []
    for index, component in enumerate(frame.components):
        blocks = coefficients[starts[index] * 64 : starts[index + 1] * 64].reshape(*shapes[index], 8, 8)
        _check_zero_steps(blocks, structure, index)
        table = structure.table_indices[index]
        components.append(Component(frame.ids[index], component.h, component.v, table, blocks))
    reading.tell(findings)
    return CoefficientImage(
        frame.width,
        frame.height,
        tuple(components),
        structure.tables,
        structure.metadata,
        structure.restart_interval,
        frame.is_progressive,
    )


def decoded_rows(
    data: bytes, structure: JpegStructure, layout: McuLayout, reading: Reading
) -> Iterator[tuple[Blocks, ...]]:
    """Decode a file with one sequential scan of all components, one row of MCUs at a time.

    Yields
    ------
    tuple of ndarray of int16, shape (rows, columns, 8, 8)
        The blocks of each component in this row of MCUs; read-only.
    """
    (scan,) = structure.scans
    space = work_space(min(scan.segment.data_nbytes, _SPACE_NBYTES))
    decoder = reading.decoder(data, scan, layout, space)
    shapes, heights = layout.components[:, :2].tolist(), layout.components[:, 3].tolist()
    for row in range(layout.rows):
        tops = [row * height for height in heights]
        counts = [min(height, rows - top) for height, top, (rows, _) in zip(heights, tops, shapes, strict=True)]
        edges = list(
            accumulate((count * columns for count, (_, columns) in zip(counts, shapes, strict=True)), initial=0)
        )
        coefficients = np.zeros((edges[-1] + 1) * 64, np.int16)
        first = [edge - top * columns for edge, top, (_, columns) in zip(edges, tops, shapes, strict=False)]
        decoder.decode(coefficients, first, layout.columns)
        coefficients.flags.writeable = False
        blocks = tuple(
            coefficients[64 * edge : 64 * (edge + count * columns)].reshape(count, columns, 8, 8)
            for edge, count, (_, columns) in zip(edges, counts, shapes, strict=False)
        )
        for index, component_blocks in enumerate(blocks):
            _check_zero_steps(component_blocks, structure, index)
        if row == layout.rows - 1:  # before the last row is yielded, since the caller need not iterate any further
            reading.tell(decoder.findings)
        yield blocks


def _check_zero_steps(blocks: Blocks, structure: JpegStructure, index: int) -> None:
    """Refuse coefficients other than 0 whose step is 0 in the file, since their value is unknown."""
    zeros = list(structure.zero_steps[index])
    if zeros and blocks.reshape(-1, 64)[:, zeros].any():
        message = f"component {index} has coefficients whose quantization step is 0, expected 1 or more"
        raise MalformedJpegError(message, structure.scans[0].segment.offset)


def rows_of(image: CoefficientImage) -> Iterator[tuple[Blocks, ...]]:
    """Cut an image that is in memory into rows of MCUs, as `decoded_rows` yields them."""
    layout = mcu_layout(image.width, image.height, [(c.h, c.v) for c in image.components], [0] * len(image.components))
    heights = layout.components[:, 3].tolist()
    for row in range(layout.rows):
        yield tuple(
            component.blocks[row * height : (row + 1) * height]
            for component, height in zip(image.components, heights, strict=True)
        )
