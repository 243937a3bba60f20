"""Decoding of scans whose data ends early, block for block as libjpeg does it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.reading.cut_scan import Bits, Block, CutMcu
from optcodec.jpeg.reading.scan_decoder import ScanDecoder
from optcodec.kernels import scancodes as codes

__all__ = ["PartialScanDecoder"]

_TAKEN_AS_0 = "what is missing of a scan was taken as 0, which is gray or less detail"
_MOST_CUT = 1000  # restart intervals of a scan; one is usual, and each takes about a millisecond


class PartialScanDecoder(ScanDecoder):
    """A `ScanDecoder` that takes intervals which end early, and too few of them.

    The MCU in which the data ends is completed with zero bits; the rest of the interval stays as it is. Where intervals
    are missing at the end of a scan, the first of them has an MCU of zero bits, unless the one before ended early.

    Attributes
    ----------
    is_outside : bool
        Whether zero bits brought coefficients that are not of the band of the scan. What a refinement would make of
        them depends on the decoder.
    """

    is_outside = False
    _asked = 0  # MCUs
    _cut: int | None = None  # the last restart interval that ended early
    _earlier: npt.NDArray[np.int16] | None = None  # blocks of the component of an AC scan before it

    def decode(self, coefficients: npt.NDArray[np.int16], starts: Sequence[int], mcus: int) -> None:
        state, asked = self._state, self._asked + mcus
        there = min(self._intervals * self._interval, self._mcus)
        self._parts[:, codes.OFFSET] = starts
        if self._scan.header.Ss and self._earlier is None:
            self._earlier = coefficients[self._blocks_from(0)].copy()
        super().decode(coefficients, starts, min(asked, there) - int(state[codes.STOP]))
        if self._asked <= there < asked and self._cut != self._intervals - 1:
            state[codes.MCU] = there
            self._note_missing()
            self._complete(coefficients, b"", is_first=True)
        self._asked = asked

    @property
    def _interval(self) -> int:
        return int(self._settings[codes.INTERVAL])

    @property
    def _mcus(self) -> int:
        return int(self._settings[codes.MCUS])

    def _go_on(self, coefficients: npt.NDArray[np.int16]) -> int:
        self._before = self._state.copy(), self._parts.copy()
        return super()._go_on(coefficients)

    def _solve(self, code: int, coefficients: npt.NDArray[np.int16]) -> None:
        if code == codes.TRUNCATED:
            self._end_interval(coefficients)
        else:
            super()._solve(code, coefficients)

    def _adapt_to_markers(self) -> bool:
        """Also take fewer intervals, if their markers are in turn."""
        if super()._adapt_to_markers():
            return True
        is_missing = bool(self._state[codes.SOURCE] == self._state[codes.END])
        if is_missing:
            self._intervals = int(self._state[codes.MARKERS]) + 1
        return is_missing

    def _end_interval(self, coefficients: npt.NDArray[np.int16]) -> None:
        """Decode again up to the MCU in which the data ends, then that one, and go on behind the interval."""
        state = self._state
        mcu, stop, (before, parts) = int(state[codes.MCU]), int(state[codes.STOP]), self._before
        self._note_missing()
        self._undo(coefficients, int(before[codes.MCU]), mcu)
        state[:], self._parts[:] = before, parts
        state[codes.STOP] = mcu
        super()._go_on(coefficients)
        number = mcu // self._interval
        place = number - int(state[codes.MARKERS]) - 1 + int(state[codes.COUNT])
        is_first = mcu == number * self._interval
        if is_first:
            state[codes.BIT] = 8 * self._bounds[place]
        self._complete(coefficients, self._space[: self._bounds[place + 1]].tobytes(), is_first=is_first)
        state[codes.MCU] = min((number + 1) * self._interval, self._mcus)
        state[codes.STOP] = stop
        self._cut = number

    def _complete(self, coefficients: npt.NDArray[np.int16], data: bytes, *, is_first: bool) -> None:
        """Decode the MCU at hand from what is left of the data, and zero bits."""
        state, scan = self._state, self._scan
        if is_first:
            state[codes.RUN], self._parts[:, codes.PREDICTION] = 0, 0
        used = int(state[codes.BIT]) >> 3 if data else 0
        decoder = CutMcu(
            scan.header, Bits(data[used:], int(state[codes.BIT]) & 7 if data else 0), int(state[codes.RUN])
        )
        for part, block in self._blocks_of(coefficients, int(state[codes.MCU])):
            tables, prediction = (scan.dc_tables[part], scan.ac_tables[part]), int(self._parts[part, codes.PREDICTION])
            self._parts[part, codes.PREDICTION] = decoder.decode(block, *tables, prediction)
        self.is_outside |= decoder.is_outside

    def _note_missing(self) -> None:
        if self._note(codes.TRUNCATED, _TAKEN_AS_0).count > _MOST_CUT:
            raise MalformedJpegError(f"more than {_MOST_CUT} restart intervals of a scan end early", self._position())

    def _undo(self, coefficients: npt.NDArray[np.int16], first: int, last: int) -> None:
        """Take back what decoding has made of the MCUs first..last, as far as doing it again would not."""
        header = self._scan.header
        if header.Ss:
            assert self._earlier is not None
            coefficients[self._blocks_from(first, last + 1)] = self._earlier[64 * first : 64 * (last + 1)]
            return
        for _, block in self._blocks_of(coefficients, last):
            if header.Se:
                block[:] = 0
            elif header.Ah:
                block[0] &= ~(1 << header.Al)

    def _blocks_from(self, first: int, last: int | None = None) -> slice:
        """Where the MCUs of a scan of one component, which are its blocks, are in the coefficients."""
        start = int(self._parts[0, codes.OFFSET])
        return slice(64 * (start + first), 64 * (start + (self._mcus if last is None else last)))

    def _blocks_of(self, coefficients: npt.NDArray[np.int16], mcu: int) -> Iterator[tuple[int, Block]]:
        """Component and coefficients of each block of an MCU; those that only fill it up are nowhere else."""
        row, column = divmod(mcu, int(self._settings[codes.MCU_COLUMNS]))
        for part, numbers in enumerate(self._parts.tolist()):
            h, v = numbers[codes.H], numbers[codes.V]
            for y in range(row * v, row * v + v):
                for x in range(column * h, column * h + h):
                    place = numbers[codes.OFFSET] + y * numbers[codes.COLUMNS] + x
                    is_there = y < numbers[codes.ROWS] and x < numbers[codes.COLUMNS]
                    yield part, coefficients[64 * place : 64 * place + 64] if is_there else np.zeros(64, np.int16)
