"""Coefficients of a file whose structure is known, all at once or row by row."""

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

_SPACE_NBYTES = 1 << 18  # of entropy-coded data that wait to be decoded; an MCU takes less than 3200

Blocks = npt.NDArray[np.int16]


@dataclass(frozen=True)
class Reading:
    """How strict reading is, and who is told of what is tolerated."""

    strict: bool
    partial: bool
    notify: Notify

    def decoder(self, data: bytes, scan: CodedScan, layout: McuLayout, space: npt.NDArray[np.uint8]) -> ScanDecoder:
        """The decoder of a scan."""
        if self.partial:
            return PartialScanDecoder(data, scan, layout, space)
        return ScanDecoder(data, scan, layout, space, strict=self.strict)

    def tell(self, findings: Sequence[Finding]) -> None:
        """Tell of each kind once."""
        for sentence in sentences(findings):
            self.notify(sentence)


def read_all(data: bytes, structure: JpegStructure, layouts: Sequence[McuLayout], reading: Reading) -> CoefficientImage:
    """All coefficients, whatever the scans."""
    shapes = [structure.blocks_shape(index) for index in range(len(structure.frame.components))]
    starts = list(accumulate((rows * columns for rows, columns in shapes), initial=0))
    coefficients = np.zeros((starts[-1] + 1) * 64, np.int16)  # one block more: see `ScanDecoder.decode`
    space = work_space(max(scan.segment.data_nbytes for scan in structure.scans))
    findings: list[Finding] = []
    made_up = False
    for scan, layout in zip(structure.scans, layouts, strict=True):
        if made_up:
            message = "a scan goes on from one that ended early, which decoders do in several ways"
            raise MalformedJpegError(message, scan.segment.offset)
        chosen = [starts[part.index] for part in scan.header.components]
        decoder = reading.decoder(data, scan, layout, space)
        decoder.decode(coefficients, chosen, layout.rows * layout.columns)
        findings += decoder.findings
        made_up = isinstance(decoder, PartialScanDecoder) and decoder.is_outside
    coefficients.flags.writeable = False
    frame, components = structure.frame, []
    for index, part in enumerate(frame.components):
        blocks = coefficients[starts[index] * 64 : starts[index + 1] * 64].reshape(*shapes[index], 8, 8)
        _check_zero_steps(blocks, structure, index)
        components.append(Component(frame.ids[index], part.h, part.v, structure.table_indices[index], blocks))
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
    """Rows of MCUs of a file with one sequential scan of all components."""
    (scan,) = structure.scans
    space = work_space(min(scan.segment.data_nbytes, _SPACE_NBYTES))
    decoder = reading.decoder(data, scan, layout, space)
    shapes, heights = layout.parts[:, :2].tolist(), layout.parts[:, 3].tolist()
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
        for index, part in enumerate(blocks):
            _check_zero_steps(part, structure, index)
        if row == layout.rows - 1:  # nobody may ask for more
            reading.tell(decoder.findings)
        yield blocks


def _check_zero_steps(blocks: Blocks, structure: JpegStructure, index: int) -> None:
    """Where the step is 0 in the file, what a coefficient is worth nobody can say."""
    zeros = list(structure.zero_steps[index])
    if zeros and blocks.reshape(-1, 64)[:, zeros].any():
        message = f"component {index} has coefficients whose quantization step is 0, expected 1 or more"
        raise MalformedJpegError(message, structure.scans[0].segment.offset)


def rows_of(image: CoefficientImage) -> Iterator[tuple[Blocks, ...]]:
    """Rows of MCUs of an image that is in memory."""
    layout = mcu_layout(image.width, image.height, [(c.h, c.v) for c in image.components], [0] * len(image.components))
    heights = layout.parts[:, 3].tolist()
    for row in range(layout.rows):
        yield tuple(
            part.blocks[row * height : (row + 1) * height]
            for part, height in zip(image.components, heights, strict=True)
        )
