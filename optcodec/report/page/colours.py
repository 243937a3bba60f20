"""Colour scales of maps and of heatmaps: one for amounts, and one centred on 0 for differences."""

from __future__ import annotations

import math

import numpy as np
import numpy.typing as npt

from optcodec.report.page.sections import Heatmap, Overlay
from optcodec.report.page.uris import png_uri

__all__ = ["ends_of", "gradient", "heat", "overlay_uri"]

Floats = npt.NDArray[np.float64]

# Both rise evenly in lightness towards their ends, and can be told apart with any colour vision: amounts go from dark
# blue to light yellow, differences from blue over white to red.
_AMOUNTS = np.array([(38, 19, 90), (62, 74, 137), (38, 130, 142), (53, 183, 121), (180, 222, 44), (253, 231, 37)])
_COLD = [(33, 102, 172), (103, 169, 207), (209, 229, 240)]
_WARM = [(253, 219, 199), (239, 138, 98), (178, 24, 43)]
_DIFFERENCES = np.array([*_COLD, (247, 247, 247), *_WARM])
_EVEN = 0.179  # relative luminance at which black and white text have the same contrast, 4.6 to 1 (WCAG 2.2)


def _rgb(shares: Floats, signed: bool) -> Floats:
    """Colours (..., 3) of shares of the scale, 0..1."""
    scale = _DIFFERENCES if signed else _AMOUNTS
    stops = np.linspace(0, 1, len(scale))
    return np.stack([np.interp(shares, stops, channel) for channel in scale.T.astype(np.float64)], axis=-1)


def _shares(values: Floats, low: float, high: float) -> Floats:
    return np.asarray(np.clip((values - low) / (high - low), 0, 1))


def gradient(signed: bool) -> str:
    """The scale as colours for CSS, from its low end to its high end."""
    scale = _DIFFERENCES if signed else _AMOUNTS
    return ", ".join(f"rgb({r} {g} {b})" for r, g, b in scale.tolist())


def ends_of(overlay: Overlay) -> tuple[float, float]:
    """The values of a map at both ends of the scale: centred on 0 if it is signed."""
    low, high = float(overlay.values.min()), float(overlay.values.max())
    if overlay.signed:
        high = max(abs(low), abs(high)) or 1.0
        return -high, high
    if overlay.largest is not None:
        return 0.0, overlay.largest or 1.0
    return low, high if high > low else low + 1


def overlay_uri(overlay: Overlay) -> str:
    """A picture with a pixel for each block, as a data URI."""
    colours = _rgb(_shares(overlay.values, *ends_of(overlay)), overlay.signed)
    return png_uri(np.rint(colours).astype(np.uint8))


def heat(heatmap: Heatmap) -> list[list[tuple[str, str, str]]]:
    """Text, background and foreground of each cell; empty for cells without a number."""
    known = [value for row in heatmap.values for value in row if value is not None]
    scaled = [math.log(value) for value in known] if heatmap.logarithmic else known
    largest = heatmap.largest if heatmap.largest is not None else max(known, default=1.0)
    high = math.log(largest) if heatmap.logarithmic else largest
    low = 0.0 if heatmap.logarithmic else min(scaled, default=0.0)
    if heatmap.signed:
        high = max(map(abs, scaled), default=0.0)
        low = -high
    ends = low, high if high > low else low + 1
    return [[_cell(heatmap, value, ends) for value in row] for row in heatmap.values]


def _cell(heatmap: Heatmap, value: float | None, ends: tuple[float, float]) -> tuple[str, str, str]:
    if value is None:
        return "", "transparent", "inherit"
    place = math.log(value) if heatmap.logarithmic else value
    share = _shares(np.array(place, np.float64), *ends)
    colour = _rgb(1 - share if heatmap.more_is_better else share, heatmap.signed)
    red, green, blue = np.rint(colour).astype(int).tolist()
    text = "#000" if _relative_luminance(colour) > _EVEN else "#fff"
    return format(value, heatmap.form), f"rgb({red} {green} {blue})", text


def _relative_luminance(colour: Floats) -> float:
    """Relative luminance of an sRGB colour of 0..255, 0..1 (WCAG 2.2, from IEC 61966-2-1)."""
    share = colour / 255
    linear = np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)
    return float(linear @ (0.2126, 0.7152, 0.0722))
