"""Slow and obvious implementations of what the kernels compute, written directly from the standards and papers."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from decimal import Decimal, localcontext

import numpy as np

# ---- Decoding of JPEG files (ITU-T T.81): bits are a string of "0" and "1", Huffman tables are dictionaries. -----


class NaiveError(Exception):
    """Raised if the naive decoder cannot decode a file."""


@dataclass
class NaiveComponent:
    """A component: sampling factors, table in zig-zag order, and blocks, including those that only complete MCUs."""

    h: int
    v: int
    table_number: int
    table_zz: list[int] | None = None
    # (row, column) of a block -> 64 coefficients in zig-zag order
    blocks: dict[tuple[int, int], list[int]] = field(default_factory=dict)


ZIGZAG = sorted(
    ((y, x) for y in range(8) for x in range(8)),
    key=lambda place: (sum(place), place[0] if sum(place) % 2 else place[1]),
)


def naive_read(data: bytes) -> list[tuple[np.ndarray, np.ndarray]]:
    """Blocks (rows, columns, 8, 8) and table (8, 8) of each component of a JPEG file."""
    if data[:2] != b"\xff\xd8":
        raise NaiveError("no SOI")
    position, quant, huffman, interval, components = 2, {}, {}, 0, {}
    width = height = 0
    progressive = False
    while True:
        position, marker = naive_marker(data, position)
        if marker == 0xD9:
            return [naive_component(width, height, c, list(components.values())) for c in components.values()]
        length = int.from_bytes(data[position : position + 2])
        payload = data[position + 2 : position + length]
        if length < 2 or len(payload) != length - 2:
            raise NaiveError("wrong length")
        position += length
        if marker == 0xDB:
            quant.update(naive_dqt(payload))
        elif marker == 0xC4:
            huffman.update(naive_dht(payload))
        elif marker == 0xDD:
            interval = int.from_bytes(payload)
        elif marker in (0xC0, 0xC1, 0xC2):
            progressive = marker == 0xC2
            height, width = int.from_bytes(payload[1:3]), int.from_bytes(payload[3:5])
            for at in range(6, len(payload), 3):
                identifier, factors, table = payload[at : at + 3]
                components[identifier] = NaiveComponent(factors >> 4, factors & 15, table)
        elif marker == 0xDA:
            intervals, position = naive_intervals(data, position)
            if height == 0:  # a DNL segment behind the first scan sets the height
                height = int.from_bytes(data[position + 4 : position + 6])
            naive_scan(payload, intervals, width, height, interval, components, quant, huffman, progressive)


def naive_marker(data: bytes, position: int) -> tuple[int, int]:
    """Position behind the next marker, and its second byte."""
    if data[position : position + 1] != b"\xff":
        raise NaiveError("no marker")
    while data[position : position + 1] == b"\xff":
        position += 1
    if position == len(data):
        raise NaiveError("the file ends")
    return position + 1, data[position]


def naive_dqt(payload: bytes) -> dict[int, list[int]]:
    tables = {}
    while payload:
        size = 2 if payload[0] >> 4 else 1
        steps = payload[1 : 1 + 64 * size]
        tables[payload[0] & 15] = [int.from_bytes(steps[k : k + size]) for k in range(0, 64 * size, size)]
        payload = payload[1 + 64 * size :]
    return tables


def naive_dht(payload: bytes) -> dict[tuple[int, int], dict[str, int]]:
    """Dictionaries from code to symbol, by class and number (T.81, Annex C)."""
    tables = {}
    while payload:
        counts, symbols = payload[1:17], list(payload[17 : 17 + sum(payload[1:17])])
        payload, key = payload[17 + len(symbols) :], (payload[0] >> 4, payload[0] & 15)
        code, table = 0, {}
        for length, count in enumerate(counts, 1):
            for _ in range(count):
                table[format(code, f"0{length}b")] = symbols.pop(0)
                code += 1
            code *= 2
        tables[key] = table
    return tables


def naive_intervals(data: bytes, position: int) -> tuple[list[str], int]:
    """Bits of each restart interval from a position on, and the position of the next marker."""
    intervals, current, expected = [], [], 0
    while True:
        following = data[position + 1 : position + 2]
        if not following:
            raise NaiveError("the scan ends with the file")
        if data[position] != 0xFF:
            current.append(data[position])
            position += 1
        elif following == b"\x00":
            current.append(0xFF)
            position += 2
        elif following == b"\xff":
            position += 1
        elif 0xD0 <= following[0] <= 0xD7:
            if following[0] - 0xD0 != expected % 8:
                raise NaiveError("restart marker out of turn")
            expected += 1
            intervals.append(current)
            current = []
            position += 2
        else:
            intervals.append(current)
            return ["".join(format(byte, "08b") for byte in interval) for interval in intervals], position


class NaiveBits:
    """Reads bits one after the other from a string of 0 and 1."""

    def __init__(self, bits: str) -> None:
        self.bits = bits
        self.position = 0

    def take(self, count: int) -> int:
        if self.position + count > len(self.bits):
            raise NaiveError("no more bits")
        self.position += count
        return int("0" + self.bits[self.position - count : self.position], 2)

    def symbol(self, table: dict[str, int]) -> int:
        for length in range(1, 17):
            code = self.bits[self.position : self.position + length]
            if len(code) == length and code in table:
                self.position += length
                return table[code]
        raise NaiveError("no such code")

    def value(self, size: int) -> int:
        """Read a value of a size (T.81, Table F.1 and Figure F.12): the lower half of the codes are negative values."""
        bits = self.take(size)
        return bits if size == 0 or bits >= 2 ** (size - 1) else bits - 2**size + 1


def naive_size(side: int, factor: int, largest: int) -> int:
    """Samples along a side of a component (T.81, A.1.1)."""
    return -(-side * factor // largest)


def naive_mcus(
    width: int, height: int, factors: list[tuple[int, int]], chosen: list[int]
) -> list[list[tuple[int, int, int]]]:
    """Blocks (component, row, column) of each MCU of a scan of the chosen components (T.81, A.2)."""
    h_max, v_max = max(h for h, _ in factors), max(v for _, v in factors)
    if len(chosen) == 1:
        h, v = factors[chosen[0]]
        columns = -(-naive_size(width, h, h_max) // 8)
        rows = -(-naive_size(height, v, v_max) // 8)
        return [[(chosen[0], row, column)] for row in range(rows) for column in range(columns)]
    mcus = []
    for row in range(-(-height // (8 * v_max))):
        for column in range(-(-width // (8 * h_max))):
            mcu = []
            for index in chosen:
                h, v = factors[index]
                mcu += [(index, row * v + y, column * h + x) for y in range(v) for x in range(h)]
            mcus.append(mcu)
    return mcus


def naive_scan(payload, intervals, width, height, interval, components, quant, huffman, progressive) -> None:
    """Decode one scan into the components."""
    ids, count = list(components), payload[0]
    chosen = [ids.index(payload[1 + 2 * n]) for n in range(count)]
    numbers = {ids.index(payload[1 + 2 * n]): payload[2 + 2 * n] for n in range(count)}
    Ss, Se, Ah, Al = payload[-3], payload[-2], payload[-1] >> 4, payload[-1] & 15
    parts = list(components.values())
    for index in chosen:
        if parts[index].table_zz is None:
            parts[index].table_zz = quant[parts[index].table_number]
    mcus = naive_mcus(width, height, [(c.h, c.v) for c in parts], chosen)
    step = interval or len(mcus)
    groups = [mcus[start : start + step] for start in range(0, len(mcus), step)]
    if len(groups) != len(intervals):
        raise NaiveError("number of restart intervals")
    for group, bits in zip(groups, intervals, strict=True):
        stream, predictions, run = NaiveBits(bits), dict.fromkeys(chosen, 0), 0
        for index, row, column in (block for mcu in group for block in mcu):
            block = parts[index].blocks.setdefault((row, column), [0] * 64)
            dc, ac = huffman.get((0, numbers[index] >> 4)), huffman.get((1, numbers[index] & 15))
            if Ss == 0 and Ah == 0:
                predictions[index] += stream.value(stream.symbol(dc))
                block[0] = predictions[index] << Al
            if Ss == 0 and Ah > 0:
                block[0] |= stream.take(1) << Al
            if not progressive:
                naive_sequential_ac(stream, ac, block)
            elif Ss > 0 and Ah == 0:
                run = naive_ac_first(stream, ac, block, run, Ss, Se, Al)
            elif Ss > 0:
                run = naive_ac_refine(stream, ac, block, run, Ss, Se, Al)
        if run or len(bits) - stream.position >= 8:
            raise NaiveError("a run or bytes left over")


def naive_sequential_ac(stream: NaiveBits, table: dict[str, int], block: list[int]) -> None:
    """Decode the AC coefficients of a block in a sequential scan (T.81, Figure F.13)."""
    k = 1
    while k <= 63:
        run, size = divmod(stream.symbol(table), 16)
        if size == 0 and run == 0:
            return
        if size == 0 and run < 15:
            raise NaiveError("no such symbol")
        k += run
        if k > 63:
            raise NaiveError("behind the last coefficient")
        block[k] = stream.value(size)
        k += 1


def naive_ac_first(stream: NaiveBits, table: dict[str, int], block: list[int], blocks: int, Ss: int, Se: int, Al: int):
    """Decode a block in the first scan of a band (T.81, G.1.2.2); return the blocks left of the end-of-band run."""
    if blocks:
        return blocks - 1
    k = Ss
    while k <= Se:
        run, size = divmod(stream.symbol(table), 16)
        if size == 0 and run < 15:
            return 2**run + stream.take(run) - 1
        k += run
        if k > Se:
            raise NaiveError("behind the band")
        block[k] = stream.value(size) * 2**Al
        k += 1
    return 0


def naive_ac_refine(stream: NaiveBits, table: dict[str, int], block: list[int], blocks: int, Ss: int, Se: int, Al: int):
    """Decode a block in a refining scan (T.81, G.1.2.3); return the blocks left of the end-of-band run."""

    def correct(k: int) -> None:
        if stream.take(1):
            block[k] += 2**Al if block[k] > 0 else -(2**Al)

    k = Ss
    while k <= Se and not blocks:
        run, size = divmod(stream.symbol(table), 16)
        if size == 0 and run < 15:
            blocks = 2**run + stream.take(run)
            break
        if size > 1:
            raise NaiveError("a new coefficient of more than one bit")
        new = (2**Al if stream.take(1) else -(2**Al)) if size else 0
        while k <= Se and (block[k] != 0 or run > 0):
            if block[k]:
                correct(k)
            else:
                run -= 1
            k += 1
        if k > Se:
            raise NaiveError("behind the band")
        block[k] = new
        k += 1
    if not blocks:
        return 0
    while k <= Se:
        if block[k]:
            correct(k)
        k += 1
    return blocks - 1


def naive_component(
    width: int, height: int, component: NaiveComponent, everyone: list[NaiveComponent]
) -> tuple[np.ndarray, np.ndarray]:
    """Blocks and table of a component in row-major order."""
    columns = -(-naive_size(width, component.h, max(c.h for c in everyone)) // 8)
    rows = -(-naive_size(height, component.v, max(c.v for c in everyone)) // 8)
    blocks, table = np.zeros((rows, columns, 8, 8), np.int64), np.zeros((8, 8), np.int64)
    for row, column in places(rows, columns):
        for (y, x), value in zip(ZIGZAG, component.blocks[row, column], strict=True):
            blocks[row, column, y, x] = value
    if blocks.min() < -32768 or blocks.max() > 32767:
        raise NaiveError("more than 16 bits")
    for (y, x), step in zip(ZIGZAG, component.table_zz, strict=True):
        table[y, x] = step
    return blocks, table


def places(rows: int, columns: int) -> Iterator[tuple[int, int]]:
    """All (row, column) in row-major order."""
    return ((row, column) for row in range(rows) for column in range(columns))


# ---- Table design: published formulas in many digits; a step at one frequency, coefficient by coefficient. -----


def naive_deadzone_distortion(scale: float, step: float) -> float:
    """The distortion of eq. (14) of OptS as it is printed, computed with 80 digits."""
    with localcontext() as context:
        context.prec = 80
        mean, q = Decimal(scale), Decimal(step)
        z = q - mean + q / ((q / mean).exp() - 1)
        return float(2 * mean**2 - 2 * q * (mean + z - q / 2) / ((z / mean).exp() * (1 - (-q / mean).exp())))


def naive_midpoint_distortion(scale: float, step: float) -> float:
    """Mean squared error of rounding Laplacian values, 2 l^2 - l q / sinh(q / 2l), computed with 80 digits."""
    with localcontext() as context:
        context.prec = 80
        mean, q = Decimal(scale), Decimal(step)
        h = q / (2 * mean)
        return float(2 * mean**2 - mean * q / ((h.exp() - (-h).exp()) / 2))


def naive_step(coefficients: np.ndarray, step: int) -> tuple[float, float]:
    """Mean squared error of rounding to multiples of a step, and entropy of magnitudes plus one bit for each sign."""
    x = coefficients.astype(np.float64)
    magnitude = np.floor(np.abs(x) / step + 0.5)
    error = np.mean((np.abs(x) - step * magnitude) ** 2)
    _, counts = np.unique(magnitude, return_counts=True)
    share = counts / x.size
    return float(error), float(-(share * np.log2(share)).sum() + np.mean(magnitude > 0))
