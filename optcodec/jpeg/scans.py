"""Progressive scans: which coefficients each scan carries, and how precisely (T.81, G.1.1).

The default script was picked by the bytes of real files (``benchmarks/rates/scan_script.py``: photographs of 768x512
and 299x299, qualities 50 to 90, 4:2:0 and 4:4:4). Splitting luminance further, or otherwise, gains less than 0.1 %. It
is 1.1 to 1.4 % smaller on average than libjpeg's own script (jcparam.c: jpeg_simple_progression): 0.5 % by not
splitting the bits of DC, 0.3 % by not splitting those of chrominance, the rest by its bands of luminance.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.bitstream import Scan, group_slots, scan_groups
from optcodec.jpeg.entropy import collect_tokens, optimal_tables, scan_bits
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import dc_slots, in_parallel, mcu_layout, worker_count
from optcodec.kernels import load

__all__ = ["ScanSpec", "progressive_scan", "progressive_scans", "scan_script", "smallest_scans"]

# Ss, Se, Ah and Al of the AC scans of a component.
_LUMINANCE = ((1, 2, 0, 1), (3, 19, 0, 1), (20, 63, 0, 1), (1, 63, 1, 0))
_CHROMINANCE = ((1, 63, 0, 0),)
# What `smallest_scans` tries for luminance. After rate-distortion optimization one scan is mostly the smallest, since
# few coefficients are left and each scan has to say anew which blocks have none (benchmarks/rates/ablation.py).
_TRIALS = (
    _CHROMINANCE,
    ((1, 2, 0, 0), (3, 63, 0, 0)),
    ((1, 5, 0, 0), (6, 63, 0, 0)),
    ((1, 9, 0, 0), (10, 63, 0, 0)),
    _LUMINANCE,
)


@dataclass(frozen=True)
class ScanSpec:
    """What one progressive scan carries, by the names of T.81 (B.2.3).

    Parameters
    ----------
    components : tuple of int
        Indices of its components in the frame; a scan of AC coefficients has one.
    Ss, Se : int
        First and last coefficient of its band in zig-zag order: both 0, or both in 1..63.
    Ah, Al : int
        Point transform of the band before and after this scan: Ah is 0 in the first scan of a band, else Al + 1.
    """

    components: tuple[int, ...]
    Ss: int = 0
    Se: int = 0
    Ah: int = 0
    Al: int = 0


Bands = tuple[tuple[int, int, int, int], ...]


def scan_script(image: CoefficientImage, bands: Bands = _LUMINANCE, *, apart: bool = False) -> list[ScanSpec]:
    """DC, a first impression of luminance, all of chrominance, then luminance in full; the default script.

    `bands` are Ss, Se, Ah and Al of the scans of luminance; `apart` is for DC, see `scan_groups`. Components 1 and 2 of
    three are chrominance unless an Adobe segment says RGB; every other one is luminance.
    """
    everything = range(len(image.components))
    has_colours = len(everything) == 3 and not image.is_rgb
    luminance, chrominance = (everything[:1], everything[1:]) if has_colours else (everything, everything[:0])
    first, *others = bands
    return [
        *(ScanSpec(tuple(group)) for group in scan_groups(image, apart=apart)),
        *(ScanSpec((index,), *first) for index in luminance),
        *(ScanSpec((index,), *band) for band in _CHROMINANCE for index in chrominance),
        *(ScanSpec((index,), *band) for band in others for index in luminance),
    ]


def progressive_scans(image: CoefficientImage, *, threads: int | None = None) -> list[Scan]:
    """All scans of a progressive file, by the default script; each thread makes whole scans."""
    return _scans(image, scan_script(image), threads)


def smallest_scans(image: CoefficientImage, *, threads: int | None = None) -> list[Scan]:
    """All scans of a progressive file, luminance split in whichever way takes the fewest bytes."""
    scripts = [scan_script(image, bands, apart=apart) for bands in _TRIALS for apart in (False, True)]
    wanted = list(dict.fromkeys(spec for script in scripts for spec in script))
    made = dict(zip(wanted, _scans(image, wanted, threads), strict=True))
    sizes = {spec: _bits(scan) for spec, scan in made.items()}
    best = min(scripts, key=lambda script: sum(sizes[spec] for spec in script))
    return [made[spec] for spec in best]


def _bits(scan: Scan) -> int:
    """Bits of a scan with its header and tables, but for stuffing."""
    tables = optimal_tables(scan.tokens.histogram)
    return scan_bits(scan.tokens, tables) + 8 * (14 + len(tables.definition))


def _scans(image: CoefficientImage, script: list[ScanSpec], threads: int | None) -> list[Scan]:
    factors = [(part.h, part.v) for part in image.components]
    workers = worker_count(mcu_layout(image.width, image.height, factors, dc_slots(len(factors))), threads)
    last = len(script) - 1
    # Refinement takes longest and comes last in a script, so the threads begin there.
    return in_parallel(lambda index: progressive_scan(image, script[last - index]), last + 1, workers)[::-1]


def progressive_scan(image: CoefficientImage, spec: ScanSpec) -> Scan:
    """Make the tokens of one scan."""
    slots = group_slots(len(image.components), spec.components) if spec.Ss == 0 else [0]
    factors = [(part.h, part.v) for part in image.components]
    layout = mcu_layout(image.width, image.height, factors, slots, spec.components)
    blocks = [image.components[index].blocks for index in spec.components]
    precision = spec.Ah, spec.Al, image.restart_interval

    def make(first: int, last: int, *results: npt.NDArray[Any]) -> int:
        kernels, work = load("progressive"), np.empty(48, np.int64)
        count: int
        if spec.Ss == 0:
            parts = layout.with_addresses(blocks)
            count = kernels.dc_scan(parts, layout.rows, layout.columns, *precision, work, *results)
        else:
            count = kernels.ac_scan(blocks[0], spec.Ss, spec.Se, *precision, work, *results)
        return count

    # A coefficient makes at most one token, and there is at most one end of band for each block.
    made = collect_tokens(layout, image.restart_interval, 0, make, per_block=spec.Se - spec.Ss + 2)
    return Scan(spec.components, slots, made, spec.Ss, spec.Se, spec.Ah, spec.Al)
