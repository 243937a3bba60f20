"""The entropy-coded data of one scan to blocks, all at once or some MCUs at a time."""

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
    codes.BAD_SYMBOL: "a Huffman code whose symbol means nothing in such a scan",
    codes.INDEX: "a coefficient behind the last one of the band",
    codes.RANGE: "a coefficient outside of -32768..32767",
    codes.LEFTOVER: "bytes are left over behind the last block",
    codes.EOB_RUN: "an end-of-band run goes on behind the last block",
    codes.RESTART: "restart markers are expected in turn, one between any two restart intervals",
    codes.STRAY: "FF is followed by neither 00 nor a restart marker",
}
_SKIPPED = {
    codes.LEFTOVER: "what is left over was skipped",
    codes.EOB_RUN: "the rest of such runs was left out",
}
_BEHIND_THE_LAST = "those behind the last interval of a scan were skipped, and what follows them"
_RESTART = re.compile(rb"\xff[\xd0-\xd7]")
_REMOVED = re.compile(rb"\xff\x00|\xff+[\xd0-\xd7]")  # what `unstuff` makes one byte and none of


def work_space(nbytes: int) -> npt.NDArray[np.uint8]:
    """Room for so many bytes of entropy-coded data without stuffing."""
    return np.empty(nbytes + codes.SLACK, np.uint8)


class ScanDecoder:
    """Decodes one scan from its first MCU to its last.

    Parameters
    ----------
    data : bytes
        The whole file.
    scan : CodedScan
        Which scan of it.
    layout : McuLayout
        Geometry of its MCUs.
    space : ndarray of uint8
        From `work_space`: for all of the scan, or if it is sequential for less, but several MCUs.
    strict : bool
        Refuse what libjpeg skips: bytes and restart markers behind the last block of a restart interval, and what an
        end-of-band run has left there.

    Raises
    ------
    MalformedJpegError
        If a marker is where none may be, or a restart marker is missing.
    """

    def __init__(
        self, data: bytes, scan: CodedScan, layout: McuLayout, space: npt.NDArray[np.uint8], *, strict: bool = False
    ) -> None:
        self._data, self._scan, self._space, self._strict = data, scan, space, strict
        self._found: dict[str, Finding] = {}  # by what is done about it
        header, mcus = scan.header, layout.rows * layout.columns
        interval = scan.restart_interval or mcus
        kind = [_kind(header), header.Ss, header.Se, header.Al, layout.columns, mcus, interval]
        self._settings = np.array(kind, np.int64)
        self._intervals = (mcus - 1) // interval + 1
        count = len(header.components)
        self._parts = np.zeros((count, codes.PART_COLUMNS), np.int64)
        self._parts[:, [codes.ROWS, codes.COLUMNS, codes.H, codes.V]] = layout.parts[:, :4]
        self._parts[:, codes.DC_TABLE], self._parts[:, codes.AC_TABLE] = range(count), range(count, 2 * count)
        self._tables = _tables([*scan.dc_tables, *scan.ac_tables], fuse=header.Ah == 0)
        self._bounds = np.empty(min(self._intervals, len(space)) + 1, np.int64)
        self._state = np.zeros(codes.STATE_SIZE, np.int64)
        self._end = scan.segment.end
        self._dropped = 0  # bytes of the scan, without stuffing, that came before those at hand
        code = self._start()
        if code == codes.RESTART and not strict and self._adapt_to_markers():
            code = self._start()
        if code:
            raise MalformedJpegError(_MESSAGES[code], int(self._state[codes.SOURCE]))

    def decode(self, coefficients: npt.NDArray[np.int16], starts: Sequence[int], mcus: int) -> None:
        """Go on with the next MCUs.

        Parameters
        ----------
        coefficients : ndarray of int16
            Blocks of 64, and one block more, for those that only fill up an MCU. Those that a sequential scan sends
            are all zero before.
        starts : sequence of int
            For each component of the scan, where in `coefficients` its first block is, or would be, in blocks.
        mcus : int
            How many.

        Raises
        ------
        MalformedJpegError
            If the data ends early or means nothing; with `strict`, also if bytes are left over at the end of a restart
            interval.
        """
        self._state[codes.STOP] += mcus
        self._parts[:, codes.OFFSET] = starts
        while code := self._go_on(coefficients):
            self._solve(code, coefficients)

    @property
    def findings(self) -> list[Finding]:
        """What was skipped, and what was missing, so far."""
        return [*self._found.values()]

    def _go_on(self, coefficients: npt.NDArray[np.int16]) -> int:
        """Decode up to the MCU at which to stop, if nothing comes before it."""
        code: int = load("decode").decode_scan(
            self._space, self._bounds, self._tables, self._settings, self._parts, coefficients, self._state
        )
        return code

    def _solve(self, code: int, coefficients: npt.NDArray[np.int16]) -> None:
        """Do what lets decoding go on."""
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
        """Fetch the first bytes of the scan, once all of its markers have been seen; a result of `unstuff`."""
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
        """Drop the bytes that were decoded, or all, and put others behind the rest; a result of `unstuff`."""
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
        """Fetch what is left of a restart interval, and more, if another one follows."""
        state, interval = self._state, self._settings[codes.INTERVAL]
        while state[codes.MCU] // interval > state[codes.MARKERS] and state[codes.SOURCE] < state[codes.END]:
            self._fetch(drop=True)

    def _adapt_to_markers(self) -> bool:
        """Leave out what begins with a restart marker behind the last interval; whether this helps.

        libjpeg reads no such marker: it skips all up to the next marker of another kind.
        """
        for number, match in enumerate(_RESTART.finditer(self._data, self._scan.segment.data_offset, self._end)):
            if number == self._intervals - 1:
                finding = Finding(_MESSAGES[codes.RESTART], match.end() - 1, _BEHIND_THE_LAST)
                self._found[finding.done] = finding
                self._end = match.start()
                while self._data[self._end - 1] == 0xFF and self._end > self._scan.segment.data_offset:
                    self._end -= 1  # fill bytes
                return True
            if self._data[match.end() - 1] != 0xD0 + number % 8:
                break
        return False

    def _note(self, code: int, done: str) -> Finding:
        """Note what decoding was stopped by. Finding out where that is takes long, and is done for the first only."""
        earlier = self._found.get(done)
        if earlier is None:
            finding = Finding(_MESSAGES[code], self._position(), done)
        else:
            finding = replace(earlier, count=earlier.count + 1)
        self._found[done] = finding
        return finding

    def _position(self) -> int:
        """Where in the file decoding has stopped."""
        position = self._dropped + (int(self._state[codes.BIT]) >> 3)
        return _file_offset(self._data, self._scan.segment.data_offset, self._end, position)


def _kind(header: ScanHeader) -> int:
    """Which of the decoding procedures a scan takes."""
    if header.Ss == 0 and header.Se > 0:
        return codes.SEQUENTIAL
    if header.Ss == 0:
        return codes.DC_REFINE if header.Ah else codes.DC_FIRST
    return codes.AC_REFINE if header.Ah else codes.AC_FIRST


def _tables(specs: Sequence[HuffmanSpec | None], *, fuse: bool) -> npt.NDArray[np.int32]:
    """Lookup tables for the kernels, one row a table; the row of one that the scan does not need stays unset."""
    tables = np.empty((len(specs), codes.TABLE_SIZE), np.int32)
    for row, spec in enumerate(specs):
        if spec is not None:
            load("decode").build_table(np.frombuffer(spec.counts + spec.symbols, np.uint8), int(fuse), tables[row])
    return tables


def _file_offset(data: bytes, first: int, last: int, unstuffed: int) -> int:
    """Position in the file of a byte of the entropy-coded data, given its position without stuffing and markers."""
    position, left = first, unstuffed
    for removed in _REMOVED.finditer(data, first, last):
        kept = removed.start() - position + (data[removed.end() - 1] == 0)
        if left < kept:
            break
        position, left = removed.end(), left - kept
    return min(position + left, last)
