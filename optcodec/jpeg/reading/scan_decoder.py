"""Decode the entropy-coded data of one scan into blocks, all at once or a number of MCUs at a time."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import numpy.typing as npt

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.headers import HuffmanSpec, ScanHeader
from optcodec.jpeg.layout import McuLayout
from optcodec.jpeg.reading.structure import CodedScan
from optcodec.kernels import load
from optcodec.kernels import scancodes as codes
from optcodec.notices import PARTIAL_HINT, Finding

__all__ = ["ScanDecoder", "work_space"]

_MESSAGES = {
    codes.TRUNCATED: "truncated scan: a block needs more bits than there are",
    codes.BAD_CODE: "bits that begin no code of the Huffman table",
    codes.BAD_SYMBOL: "a Huffman code whose symbol is not allowed in such a scan",
    codes.INDEX: "a coefficient behind the last one of the band",
    codes.RANGE: "a coefficient outside of -32768..32767",
    codes.LEFTOVER: "bytes are left over behind the last block",
    codes.EOB_RUN: "an end-of-band run goes on behind the last block",
    codes.RESTART: "restart markers are expected in turn, one between any two restart intervals",
    codes.STRAY: "FF is followed by neither 00 nor a restart marker",
}
_SKIPPED = {
    codes.LEFTOVER: "these bytes were skipped",
    codes.EOB_RUN: "the rest of these runs was ignored",
}
_SKIPPED_MARKERS = "restart markers behind the last interval of a scan were skipped, with the data behind them"
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_REMOVED = re.compile(rb"\xff\x00|\xff+[\xd0-\xd7]")  # stuffed FF and restart markers, as `unstuff` removes them


def work_space(nbytes: int) -> npt.NDArray[np.uint8]:
    """Allocate room for `nbytes` bytes of entropy-coded data without stuffing."""
    return np.empty(nbytes + codes.SLACK, np.uint8)


class ScanDecoder:
    """Decodes one scan from its first MCU to its last.

    Parameters
    ----------
    data : bytes
        The whole file.
    scan : CodedScan
        The scan, with its Huffman tables and restart interval.
    layout : McuLayout
        Geometry of the MCUs of the scan.
    space : ndarray of uint8
        From `work_space`: room for the whole scan. For a sequential scan, room for several MCUs is enough.
    strict : bool
        Refuse what libjpeg skips: bytes and restart markers behind the last block of a restart interval, and an
        end-of-band run that goes on there.

    Raises
    ------
    MalformedJpegError
        If there is a marker in the entropy-coded data that is not allowed there, or a restart marker is missing.
    """

    def __init__(
        self, data: bytes, scan: CodedScan, layout: McuLayout, space: npt.NDArray[np.uint8], *, strict: bool = False
    ) -> None:
        self._data, self._scan, self._space, self._strict = data, scan, space, strict
        self._findings: dict[str, Finding] = {}  # by remedy
        header, mcus = scan.header, layout.rows * layout.columns
        interval = scan.restart_interval or mcus
        settings = [_kind(header), header.Ss, header.Se, header.Al, layout.columns, mcus, interval]
        self._settings = np.array(settings, np.int64)
        self._intervals = (mcus - 1) // interval + 1
        count = len(header.components)
        self._components = np.zeros((count, codes.COMPONENT_COLUMNS), np.int64)
        self._components[:, [codes.ROWS, codes.COLUMNS, codes.H, codes.V]] = layout.components[:, :4]
        self._components[:, codes.DC_TABLE] = range(count)
        self._components[:, codes.AC_TABLE] = range(count, 2 * count)
        self._tables = _tables([*scan.dc_tables, *scan.ac_tables], fuse=header.Ah == 0)
        self._bounds = np.empty(min(self._intervals, len(space)) + 1, np.int64)
        self._state = np.zeros(codes.STATE_SIZE, np.int64)
        self._end = scan.segment.end
        self._dropped = 0  # bytes of the scan, without stuffing, that were decoded and removed from `space`
        code = self._start()
        if code == codes.RESTART and not strict and self._adapt_to_markers():
            code = self._start()
        if code:
            raise MalformedJpegError(_MESSAGES[code], int(self._state[codes.SOURCE]))

    def decode(self, coefficients: npt.NDArray[np.int16], starts: Sequence[int], mcus: int) -> None:
        """Decode the next MCUs.

        Parameters
        ----------
        coefficients : ndarray of int16
            Blocks of 64 coefficients, then one spare block for blocks that only fill up an MCU. The blocks that a
            sequential scan writes must be zero before.
        starts : sequence of int
            For each component of the scan, the index in `coefficients`, in blocks, at which its first block is, or
            would be if the array had all rows of blocks.
        mcus : int
            Number of MCUs to decode.

        Raises
        ------
        MalformedJpegError
            If the data ends too early or has invalid codes; with `strict`, also if bytes are left over at the end of a
            restart interval.
        """
        self._state[codes.STOP] += mcus
        self._components[:, codes.OFFSET] = starts
        while code := self._go_on(coefficients):
            self._solve(code, coefficients)

    @property
    def findings(self) -> list[Finding]:
        """The breaches of T.81 that were tolerated so far: data that was skipped or is missing."""
        return [*self._findings.values()]

    def _go_on(self, coefficients: npt.NDArray[np.int16]) -> int:
        """Decode until the MCU at which to stop, or until something prevents that; a result of `decode_scan`."""
        code: int = load("decode").decode_scan(
            self._space, self._bounds, self._tables, self._settings, self._components, coefficients, self._state
        )
        return code

    def _solve(self, code: int, coefficients: npt.NDArray[np.int16]) -> None:
        """Remove the reason why decoding stopped, or raise."""
        if code == codes.PAUSED:
            code = self._fetch()
            if code:
                raise MalformedJpegError(_MESSAGES[code], int(self._state[codes.SOURCE]))
        elif code in _SKIPPED and not self._strict:
            self._note(code, _SKIPPED[code])
            self._skip_to_next_interval()
        else:
            hint = f"; {PARTIAL_HINT}" if code == codes.TRUNCATED and not self._strict else ""
            raise MalformedJpegError(_MESSAGES[code] + hint, self._position())

    def _start(self) -> int:
        """Check the markers in the whole scan, then fetch its first bytes; a result of `unstuff`."""
        code = self._begin()
        if code or self._state[codes.SOURCE] == self._state[codes.END]:
            return code
        while not code and self._state[codes.SOURCE] < self._state[codes.END]:
            code = self._fetch(drop=True)
        return code or self._begin()

    def _begin(self) -> int:
        self._state[:] = 0
        self._state[codes.SOURCE], self._state[codes.END] = self._scan.segment.data_offset, self._end
        self._dropped = 0
        return self._fetch()

    def _fetch(self, *, drop: bool = False) -> int:
        """Drop the decoded bytes, or with `drop` all bytes, and append the next ones; a result of `unstuff`."""
        state, source = self._state, np.frombuffer(self._data, np.uint8)
        if drop:
            state[codes.BIT] = 8 * state[codes.FILLED]
        used, filled = int(state[codes.BIT]) >> 3, int(state[codes.FILLED])
        self._space[: filled - used] = self._space[used:filled]
        self._dropped += used
        state[codes.BIT] -= 8 * used
        state[codes.FILLED] -= used
        code: int = load("decode").unstuff(source, self._intervals, self._space, self._bounds, state)
        return code

    def _skip_to_next_interval(self) -> None:
        """Drop the data up to the end of the restart interval, and fetch the data of the next one, if there is one."""
        state, interval = self._state, self._settings[codes.INTERVAL]
        while state[codes.MCU] // interval > state[codes.MARKERS] and state[codes.SOURCE] < state[codes.END]:
            self._fetch(drop=True)

    def _adapt_to_markers(self) -> bool:
        """If restart markers follow the last interval, end the data in front of them; return whether that was done.

        libjpeg does not read such markers: it skips everything up to the next marker of another kind.
        """
        for number, match in enumerate(_RESTART.finditer(self._data, self._scan.segment.data_offset, self._end)):
            if number == self._intervals - 1:
                finding = Finding(_MESSAGES[codes.RESTART], match.end() - 1, _SKIPPED_MARKERS)
                self._findings[finding.remedy] = finding
                self._end = match.start()
                while self._data[self._end - 1] == 0xFF and self._end > self._scan.segment.data_offset:
                    self._end -= 1  # fill bytes
                return True
            if self._data[match.end() - 1] != 0xD0 + number % 8:
                break
        return False

    def _note(self, code: int, remedy: str) -> Finding:
        """Record why decoding stopped. Only the first position is determined, since `_position` is slow."""
        earlier = self._findings.get(remedy)
        if earlier is None:
            finding = Finding(_MESSAGES[code], self._position(), remedy)
        else:
            finding = replace(earlier, count=earlier.count + 1)
        self._findings[remedy] = finding
        return finding

    def _position(self) -> int:
        """Return the byte of the file at which decoding has stopped."""
        position = self._dropped + (int(self._state[codes.BIT]) >> 3)
        return _file_offset(self._data, self._scan.segment.data_offset, self._end, position)


def _kind(header: ScanHeader) -> int:
    """Choose the decoding procedure of a scan."""
    if header.Ss == 0 and header.Se > 0:
        return codes.SEQUENTIAL
    if header.Ss == 0:
        return codes.DC_REFINE if header.Ah else codes.DC_FIRST
    return codes.AC_REFINE if header.Ah else codes.AC_FIRST


def _tables(specs: Sequence[HuffmanSpec | None], *, fuse: bool) -> npt.NDArray[np.int32]:
    """Build lookup tables for the kernels, one row a table; the row of a table that is None is not initialized."""
    tables = np.empty((len(specs), codes.TABLE_SIZE), np.int32)
    for row, spec in enumerate(specs):
        if spec is not None:
            load("decode").build_table(np.frombuffer(spec.counts + spec.symbols, np.uint8), int(fuse), tables[row])
    return tables


def _file_offset(data: bytes, first: int, last: int, unstuffed: int) -> int:
    """Translate a position in the data without stuffing and restart markers to a position in the file.

    `first` and `last` are where the entropy-coded data of the scan begins and ends in the file.
    """
    position, remaining = first, unstuffed
    for removed in _REMOVED.finditer(data, first, last):
        nbytes = removed.start() - position + (data[removed.end() - 1] == 0)  # a stuffed FF stands for one byte
        if remaining < nbytes:
            break
        position, remaining = removed.end(), remaining - nbytes
    return min(position + remaining, last)
