"""Progressive scans: which coefficients each scan carries, and with which precision (T.81, G.1.1).

The default script was chosen by the size of real files (``benchmarks/rates/scan_script.py``: photographs of 768x512 and
299x299 pixels, qualities 50 to 90, 4:2:0 and 4:4:4). Other ways to split luminance save less than 0.1 % more. Files are
1.1 to 1.4 % smaller on average than with libjpeg's script (jcparam.c: jpeg_simple_progression): 0.5 % because the bits
of DC are not split, 0.3 % because those of chrominance are not split, the rest because of the bands of luminance.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import numpy as np
import numpy.typing as npt

from optcodec.jpeg.bitstream import Scan, group_slots, scan_groups
from optcodec.jpeg.entropy import collect_tokens, scan_bits
from optcodec.jpeg.image import CoefficientImage
from optcodec.jpeg.layout import dc_slots, in_parallel, mcu_layout, worker_count
from optcodec.kernels import load

__all__ = ["ScanSpec", "progressive_scan", "progressive_scans", "scan_script", "smallest_scans"]

# Ss, Se, Ah and Al of the AC scans of a component.
_LUMINANCE = ((1, 2, 0, 1), (3, 19, 0, 1), (20, 63, 0, 1), (1, 63, 1, 0))
_CHROMINANCE = ((1, 63, 0, 0),)
# The bands of luminance that `smallest_scans` tries. After rate-distortion optimization, a single scan mostly takes the
# fewest bytes: few coefficients are left, and each further scan has to code again which blocks have none
# (benchmarks/rates/ablation.py).
_TRIALS = (
    _CHROMINANCE,
    ((1, 2, 0, 0), (3, 63, 0, 0)),
    ((1, 5, 0, 0), (6, 63, 0, 0)),
    ((1, 9, 0, 0), (10, 63, 0, 0)),
    _LUMINANCE,
)


@dataclass(frozen=True)
class ScanSpec:
    """Parameters of one progressive scan, by their names in T.81 (B.2.3).

    Parameters
    ----------
    components : tuple of int
        Indices of the components in the frame; a scan of AC coefficients has one component.
    Ss, Se : int
        First and last coefficient of the band in zig-zag order: both 0, or both in 1..63.
    Ah, Al : int
        Number of low bits not sent before and after this scan: Ah is 0 in the first scan of a band, else Al + 1.
    """

    components: tuple[int, ...]
    Ss: int = 0
    Se: int = 0
    Ah: int = 0
    Al: int = 0


Bands = tuple[tuple[int, int, int, int], ...]


def scan_script(image: CoefficientImage, bands: Bands = _LUMINANCE, *, apart: bool = False) -> list[ScanSpec]:
    """List the scans of a progressive file: DC, the first band of luminance, chrominance, all other luminance bands.

    `bands` are Ss, Se, Ah and Al of the luminance scans, by default those of the default script; `apart` puts the DC of
    luminance into a scan of its own, see `scan_groups`. Components 1 and 2 of three are chrominance, unless the image
    is RGB; all other components are treated as luminance.
    """
    indices = range(len(image.components))
    has_chrominance = len(indices) == 3 and not image.is_rgb
    luminance, chrominance = (indices[:1], indices[1:]) if has_chrominance else (indices, indices[:0])
    groups = tuple(map(tuple, scan_groups(image, apart=apart)))
    return list(_script(groups, luminance, chrominance, bands))


@lru_cache(maxsize=64)
def _script(groups: tuple[tuple[int, ...], ...], luminance: range, chrominance: range, bands: Bands) -> list[ScanSpec]:
    """The scans of a progressive file, with DC in one scan for each group."""
    first_band, *further_bands = bands
    return [
        *map(ScanSpec, groups),
        *(ScanSpec((index,), *first_band) for index in luminance),
        *(ScanSpec((index,), *band) for band in _CHROMINANCE for index in chrominance),
        *(ScanSpec((index,), *band) for band in further_bands for index in luminance),
    ]


def progressive_scans(image: CoefficientImage, *, threads: int | None = None) -> list[Scan]:
    """Make all scans of a progressive file by the default script; each thread makes whole scans."""
    return _scans(image, scan_script(image), threads)


def smallest_scans(image: CoefficientImage, *, threads: int | None = None) -> list[Scan]:
    """Make all scans of a progressive file, with luminance split into bands in the way that takes the fewest bytes."""
    scripts = [scan_script(image, bands, apart=apart) for bands in _TRIALS for apart in (False, True)]
    specs = list(dict.fromkeys(spec for script in scripts for spec in script))
    scans = dict(zip(specs, _scans(image, specs, threads), strict=True))
    sizes = {spec: _bits(scan) for spec, scan in scans.items()}
    smallest = min(scripts, key=lambda script: sum(sizes[spec] for spec in script))
    return [scans[spec] for spec in smallest]


def _bits(scan: Scan) -> int:
    """Count the bits of a scan with its header and tables, but without byte stuffing."""
    tables = scan.tokens.optimal
    return scan_bits(scan.tokens, tables) + 8 * (14 + len(tables.definition))


def _scans(image: CoefficientImage, script: list[ScanSpec], threads: int | None) -> list[Scan]:
    factors = [(component.h, component.v) for component in image.components]
    workers = worker_count(mcu_layout(image.width, image.height, factors, dc_slots(len(factors))), threads)
    last = len(script) - 1
    # Refinement scans take longest and come last in a script, so the threads begin with the last scan.
    return in_parallel(lambda index: progressive_scan(image, script[last - index]), last + 1, workers)[::-1]


def progressive_scan(image: CoefficientImage, spec: ScanSpec) -> Scan:
    """Make one scan of a progressive file."""
    slots = group_slots(len(image.components), spec.components) if spec.Ss == 0 else [0]
    factors = [(component.h, component.v) for component in image.components]
    layout = mcu_layout(image.width, image.height, factors, slots, spec.components)
    blocks = [image.components[index].blocks for index in spec.components]
    precision = spec.Ah, spec.Al, image.restart_interval

    def make(first: int, last: int, *results: npt.NDArray[Any]) -> int:
        kernels, work = load("progressive"), np.empty(48, np.int64)
        count: int
        if spec.Ss == 0:
            components = layout.with_addresses(blocks)
            count = kernels.dc_scan(components, layout.rows, layout.columns, *precision, work, *results)
        else:
            count = kernels.ac_scan(blocks[0], spec.Ss, spec.Se, *precision, work, *results)
        return count

    # A coefficient makes at most one token, and there is at most one end of band for each block.
    tokens = collect_tokens(layout, image.restart_interval, 0, make, per_block=spec.Se - spec.Ss + 2)
    return Scan(spec.components, slots, tokens, spec.Ss, spec.Se, spec.Ah, spec.Al)
