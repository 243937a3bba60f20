"""Decode scans whose data ends too early, with the same coefficients as libjpeg."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import numpy as np
import numpy.typing as npt

from optcodec.errors import MalformedJpegError
from optcodec.jpeg.reading.cut_scan import Bits, Block, CutMcu
from optcodec.jpeg.reading.scan_decoder import ScanDecoder
from optcodec.kernels import scancodes as codes

__all__ = ["PartialScanDecoder"]

_TAKEN_AS_0 = "missing coefficients of a scan were taken as 0, which is gray or less detail"
_MAX_CUT_INTERVALS = 1000  # of a scan; most damaged scans have one, and each takes about a millisecond


class PartialScanDecoder(ScanDecoder):
    """A `ScanDecoder` for scans with restart intervals that end too early or are missing.

    The MCU in which the data ends is completed with zero bits; the rest of the interval is not changed. If intervals
    are missing at the end of a scan, the first MCU of the first of them is decoded from zero bits, unless the interval
    before it ended too early.

    Attributes
    ----------
    is_outside : bool
        Whether zero bits were decoded to coefficients outside of the band Ss..Se. Decoders differ in how they refine
        such coefficients in later scans.
    """

    is_outside = False
    _asked = 0  # MCUs that `decode` was asked for so far
    _cut: int | None = None  # number of the last restart interval that ended too early
    _earlier: npt.NDArray[np.int16] | None = None  # of an AC scan: the component's coefficients before this scan

    def decode(self, coefficients: npt.NDArray[np.int16], starts: Sequence[int], mcus: int) -> None:
        state, asked = self._state, self._asked + mcus
        available = min(self._intervals * self._interval, self._mcus)
        self._components[:, codes.OFFSET] = starts
        if self._scan.header.Ss and self._earlier is None:
            self._earlier = coefficients[self._blocks_from(0)].copy()
        super().decode(coefficients, starts, min(asked, available) - int(state[codes.STOP]))
        if self._asked <= available < asked and self._cut != self._intervals - 1:
            state[codes.MCU] = available
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
        self._before = self._state.copy(), self._components.copy()
        return super()._go_on(coefficients)

    def _solve(self, code: int, coefficients: npt.NDArray[np.int16]) -> None:
        if code == codes.TRUNCATED:
            self._end_interval(coefficients)
        else:
            super()._solve(code, coefficients)

    def _adapt_to_markers(self) -> bool:
        """Also accept fewer intervals than expected, if their restart markers are in order."""
        if super()._adapt_to_markers():
            return True
        is_missing = bool(self._state[codes.SOURCE] == self._state[codes.END])
        if is_missing:
            self._intervals = int(self._state[codes.MARKERS]) + 1
        return is_missing

    def _end_interval(self, coefficients: npt.NDArray[np.int16]) -> None:
        """Decode again up to the MCU in which the data ends, complete that MCU, and move behind the interval."""
        state = self._state
        mcu, stop, (state_before, components) = int(state[codes.MCU]), int(state[codes.STOP]), self._before
        self._note_missing()
        self._undo(coefficients, int(state_before[codes.MCU]), mcu)
        state[:], self._components[:] = state_before, components
        state[codes.STOP] = mcu
        super()._go_on(coefficients)
        number = mcu // self._interval
        index = number - int(state[codes.MARKERS]) - 1 + int(state[codes.COUNT])  # in `bounds`
        is_first = mcu == number * self._interval
        if is_first:
            state[codes.BIT] = 8 * self._bounds[index]
        self._complete(coefficients, self._space[: self._bounds[index + 1]].tobytes(), is_first=is_first)
        state[codes.MCU] = min((number + 1) * self._interval, self._mcus)
        state[codes.STOP] = stop
        self._cut = number

    def _complete(self, coefficients: npt.NDArray[np.int16], data: bytes, *, is_first: bool) -> None:
        """Decode the current MCU from the remaining data and zero bits."""
        state, scan = self._state, self._scan
        if is_first:
            state[codes.RUN], self._components[:, codes.PREDICTION] = 0, 0
        bit = int(state[codes.BIT]) if data else 0
        decoder = CutMcu(scan.header, Bits(data[bit >> 3 :], bit & 7), int(state[codes.RUN]))
        for index, block in self._blocks_of(coefficients, int(state[codes.MCU])):
            prediction = int(self._components[index, codes.PREDICTION])
            prediction = decoder.decode(block, scan.dc_tables[index], scan.ac_tables[index], prediction)
            self._components[index, codes.PREDICTION] = prediction
        self.is_outside |= decoder.is_outside

    def _note_missing(self) -> None:
        if self._note(codes.TRUNCATED, _TAKEN_AS_0).count > _MAX_CUT_INTERVALS:
            message = f"more than {_MAX_CUT_INTERVALS} restart intervals of a scan end early"
            raise MalformedJpegError(message, self._position())

    def _undo(self, coefficients: npt.NDArray[np.int16], first: int, last: int) -> None:
        """Undo the decoding of the MCUs first..last where decoding them again would give other coefficients.

        Coefficients of an AC scan are restored from a copy. Other scans write the same values again, except in the MCU
        `last`, which is reset.
        """
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
        """Return the coefficients of the MCUs first..last-1 of an AC scan, each of which is one block, as a slice."""
        start = int(self._components[0, codes.OFFSET])
        return slice(64 * (start + first), 64 * (start + (self._mcus if last is None else last)))

    def _blocks_of(self, coefficients: npt.NDArray[np.int16], mcu: int) -> Iterator[tuple[int, Block]]:
        """Yield component and coefficients of each block of an MCU; a block that only fills it up is a new array."""
        row, column = divmod(mcu, int(self._settings[codes.MCU_COLUMNS]))
        for index, component in enumerate(self._components.tolist()):
            h, v = component[codes.H], component[codes.V]
            for y in range(row * v, row * v + v):
                for x in range(column * h, column * h + h):
                    start = 64 * (component[codes.OFFSET] + y * component[codes.COLUMNS] + x)
                    is_inside = y < component[codes.ROWS] and x < component[codes.COLUMNS]
                    yield index, coefficients[start : start + 64] if is_inside else np.zeros(64, np.int16)
