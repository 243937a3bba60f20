"""Drawings for the training, drawn at random in RGB.

They stand for screenshots, drawings and scanned text, of which no collection with a free licence is at hand. Drawing
number n of the same kinds is always the same.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageFilter

from restore.channel.figures import code, diagram, heat_map, pixel_art, sheet, surface
from restore.channel.pages import chart, land_map, page, window
from restore.channel.pens import paper_colour

__all__ = ["ALL_KINDS", "DRAWING_KINDS", "FIRST_KINDS", "drawing"]

Samples = npt.NDArray[np.uint8]
Draw: TypeAlias = Callable[[Image.Image, np.random.Generator], Image.Image]
DRAWING_KINDS: dict[str, Draw] = {
    "page": page,
    "window": window,
    "chart": chart,
    "map": land_map,
    "heat map": heat_map,
    "surface": surface,
    "pixel art": pixel_art,
    "diagram": diagram,
    "sheet": sheet,
    "code": code,
}
ALL_KINDS = tuple(DRAWING_KINDS)
FIRST_KINDS = ALL_KINDS[:4]  # those of the trainings of the shipped networks


def drawing(number: int, *, width: int = 480, height: int = 384, kinds: Sequence[str] = FIRST_KINDS) -> Samples:
    """Draw a page, a window, a chart, a map, or another kind of drawing.

    Parameters
    ----------
    number : int
        Number of the drawing: the seed of all random choices. Numbers that follow each other take the kinds in turn.
    width, height : int
        Size in pixels.
    kinds : sequence of str
        Some of `DRAWING_KINDS`.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.
    """
    rng = np.random.default_rng((number, width, height))
    draw = DRAWING_KINDS[kinds[number % len(kinds)]]
    image = draw(Image.new("RGB", (width, height), paper_colour(rng)), rng)
    if rng.random() < 0.2:  # as by a scanner, or as enlarged by a program
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.0))))
    return np.asarray(image)
