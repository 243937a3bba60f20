"""What drawings for the training are made of: colours, fonts, and text, chosen at random.

The fonts are those that come with matplotlib.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from optcodec import require_packages

__all__ = [
    "ENLARGED",
    "Colour",
    "any_colour",
    "first_pixel",
    "ink_colour",
    "load_font",
    "paper_colour",
    "random_font",
    "random_words",
    "write_text",
]

Colour: TypeAlias = tuple[int, int, int]
ENLARGED = 3  # curves are drawn so many times larger and downscaled, for smooth borders
_LETTERS = "eeeetttaaaoooiiinnnssshhrrddlluucmwfgypbvk"
_FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSansMono",
    "STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10",
)  # fmt: skip


def paper_colour(rng: np.random.Generator) -> Colour:
    """A background: mostly white or nearly white, sometimes dark or coloured."""
    chance = rng.random()
    if chance < 0.5:
        return (255, 255, 255)
    return any_colour(rng, 225, 256) if chance < 0.75 else (any_colour(rng, 0, 60) if chance < 0.9 else any_colour(rng))


def any_colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> Colour:
    """A colour whose samples are at least ``low`` and below ``high``."""
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def ink_colour(paper: Colour, rng: np.random.Generator) -> Colour:
    """A colour that stands out from the paper."""
    is_light = sum(paper) > 384
    if rng.random() < 0.6:
        return (0, 0, 0) if is_light else (255, 255, 255)
    return any_colour(rng, 0, 130) if is_light else any_colour(rng, 140, 256)


@cache
def _font_folder() -> Path:
    require_packages("matplotlib")
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@cache
def load_font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of matplotlib at a size in pixels."""
    return ImageFont.truetype(str(_font_folder() / f"{name}.ttf"), size)


def random_font(rng: np.random.Generator, low: int = 9, high: int = 22) -> ImageFont.FreeTypeFont:
    """A font with a size from ``low`` to below ``high``."""
    return load_font(str(rng.choice(np.array(_FONTS))), int(rng.integers(low, high)))


def random_words(rng: np.random.Generator, count: int) -> str:
    """So many words without meaning, some of them numbers."""
    words = ("".join(rng.choice(list(_LETTERS), int(rng.integers(1, 10)))) for _ in range(count))
    cases = (str.lower, str.lower, str.lower, str.capitalize, str.upper, lambda word: str(int(rng.integers(10_000))))
    return " ".join(cases[int(rng.integers(len(cases)))](word) for word in words)


def write_text(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], paper: Colour, rng: np.random.Generator
) -> None:
    """Lines of text in a box (left, top, right, bottom)."""
    font, ink, (left, top, right, bottom) = random_font(rng), ink_colour(paper, rng), box
    advance = int(font.size * rng.uniform(1.1, 1.6)) + 1
    for line in range(top, bottom - advance, advance):
        words = random_words(rng, 20)
        length = int((right - left) / max(1.0, font.getlength(words)) * len(words))
        if rng.random() < 0.9:
            draw.text((left, line), words[:length], fill=ink, font=font)


def first_pixel(image: Image.Image) -> Colour:
    """The first pixel: the colour of the paper."""
    red, green, blue = np.asarray(image)[0, 0].tolist()
    return red, green, blue
