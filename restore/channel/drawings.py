"""Drawings for the training: pages, windows of programs, charts and maps, drawn at random in RGB.

They stand for screenshots, drawings and scanned text, of which no collection with a free licence is at hand. Drawing
number n is always the same. The fonts are those that come with matplotlib.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from typing import TypeAlias

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw, ImageFilter, ImageFont

from optcodec import require_packages

__all__ = ["drawing"]

Samples = npt.NDArray[np.uint8]
Colour: TypeAlias = tuple[int, int, int]
_LETTERS = "eeeetttaaaoooiiinnnssshhrrddlluucmwfgypbvk"
_FONTS = (
    "DejaVuSans", "DejaVuSans-Bold", "DejaVuSans-Oblique", "DejaVuSerif", "DejaVuSerif-Bold", "DejaVuSansMono",
    "STIXGeneral", "STIXGeneralItalic", "cmr10", "cmss10", "cmtt10",
)  # fmt: skip
_ENLARGED = 3  # curves are drawn so many times larger and downscaled, for smooth borders


def drawing(number: int, *, width: int = 480, height: int = 384) -> Samples:
    """Draw a page, a window, a chart, or a map.

    Parameters
    ----------
    number : int
        Number of the drawing: the seed of all random choices.
    width, height : int
        Size in pixels.

    Returns
    -------
    ndarray of uint8, shape (height, width, 3)
        RGB.
    """
    rng = np.random.default_rng((number, width, height))
    kinds: tuple[Callable[[Image.Image, np.random.Generator], Image.Image], ...] = (_page, _window, _chart, _map)
    image = kinds[number % len(kinds)](Image.new("RGB", (width, height), _paper(rng)), rng)
    if rng.random() < 0.2:  # as by a scanner, or as enlarged by a program
        image = image.filter(ImageFilter.GaussianBlur(float(rng.uniform(0.3, 1.0))))
    return np.asarray(image)


def _paper(rng: np.random.Generator) -> Colour:
    """A background: mostly white or nearly white, sometimes dark or coloured."""
    chance = rng.random()
    if chance < 0.5:
        return (255, 255, 255)
    return _colour(rng, 225, 256) if chance < 0.75 else (_colour(rng, 0, 60) if chance < 0.9 else _colour(rng))


def _colour(rng: np.random.Generator, low: int = 0, high: int = 256) -> Colour:
    red, green, blue = (int(value) for value in rng.integers(low, high, 3))
    return red, green, blue


def _ink(paper: Colour, rng: np.random.Generator) -> Colour:
    """A colour that stands out from the paper."""
    is_light = sum(paper) > 384
    if rng.random() < 0.6:
        return (0, 0, 0) if is_light else (255, 255, 255)
    return _colour(rng, 0, 130) if is_light else _colour(rng, 140, 256)


@cache
def _font_folder() -> Path:
    require_packages("matplotlib")
    import matplotlib

    return Path(matplotlib.get_data_path()) / "fonts" / "ttf"


@cache
def _font(name: str, size: int) -> ImageFont.FreeTypeFont:
    return ImageFont.truetype(str(_font_folder() / f"{name}.ttf"), size)


def _random_font(rng: np.random.Generator, low: int = 9, high: int = 22) -> ImageFont.FreeTypeFont:
    return _font(str(rng.choice(np.array(_FONTS))), int(rng.integers(low, high)))


def _words(rng: np.random.Generator, count: int) -> str:
    words = ("".join(rng.choice(list(_LETTERS), int(rng.integers(1, 10)))) for _ in range(count))
    cases = (str.lower, str.lower, str.lower, str.capitalize, str.upper, lambda word: str(int(rng.integers(10_000))))
    return " ".join(cases[int(rng.integers(len(cases)))](word) for word in words)


def _text(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], paper: Colour, rng: np.random.Generator) -> None:
    """Lines of text in a box (left, top, right, bottom)."""
    font, ink, (left, top, right, bottom) = _random_font(rng), _ink(paper, rng), box
    advance = int(font.size * rng.uniform(1.1, 1.6)) + 1
    for line in range(top, bottom - advance, advance):
        words = _words(rng, 20)
        length = int((right - left) / max(1.0, font.getlength(words)) * len(words))
        if rng.random() < 0.9:
            draw.text((left, line), words[:length], fill=ink, font=font)


def _page(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Columns of text under a title."""
    draw, (width, height), paper = ImageDraw.Draw(image), image.size, _pixel(image)
    margin, columns = int(rng.integers(5, 40)), int(rng.integers(1, 4))
    title = _random_font(rng, 20, 40)
    draw.text((margin, margin // 2), _words(rng, 3), fill=_ink(paper, rng), font=title)
    column = (width - margin) // columns
    for index in range(columns):
        left = margin + index * column
        _text(draw, (left, int(title.size * 1.5) + margin, left + column - margin, height - margin), paper, rng)
    return image


def _window(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Nested boxes with borders, labels, and a few gradients, like a window of a program."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    for _ in range(int(rng.integers(8, 25))):
        left, top = int(rng.integers(width - 20)), int(rng.integers(height - 12))
        right, bottom = left + int(rng.integers(12, width // 2)), top + int(rng.integers(10, height // 2))
        fill, outline = _paper(rng), _colour(rng)
        if rng.random() < 0.2:
            _gradient(image, (left, top, min(right, width), min(bottom, height)), fill, outline)
        elif rng.random() < 0.3:
            draw.rounded_rectangle((left, top, right, bottom), int(rng.integers(2, 10)), fill, outline)
        else:
            draw.rectangle((left, top, right, bottom), fill, outline, int(rng.integers(0, 3)))
        if rng.random() < 0.7:
            _text(draw, (left + 4, top + 2, right - 4, min(bottom, top + int(rng.integers(20, 120)))), fill, rng)
    return image


def _gradient(image: Image.Image, box: tuple[int, int, int, int], start: Colour, stop: Colour) -> None:
    left, top, right, bottom = box
    share = np.linspace(0, 1, bottom - top)[:, None, None]
    ramp = np.rint(np.array(start) * (1 - share) + np.array(stop) * share).astype(np.uint8)
    image.paste(Image.fromarray(np.broadcast_to(ramp, (bottom - top, right - left, 3)).copy()), (left, top))


def _chart(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Curves and bars between axes, with labels."""
    paper, (width, height) = _pixel(image), image.size
    large = image.resize((width * _ENLARGED, height * _ENLARGED), Image.Resampling.NEAREST)
    draw, x = ImageDraw.Draw(large), np.linspace(0, 1, 60)
    for _ in range(int(rng.integers(2, 7))):
        curve = 0.5 + 0.35 * np.sin(x * rng.uniform(1, 14) + rng.uniform(0, 6)) * rng.uniform(0.2, 1.0)
        noise = rng.normal(0, rng.uniform(0, 0.03), len(x))
        places = zip((40 + x * (width - 60)) * _ENLARGED, (curve + noise) * height * _ENLARGED, strict=True)
        thickness = int(rng.integers(_ENLARGED, 3 * _ENLARGED))
        draw.line([(float(a), float(b)) for a, b in places], _colour(rng), thickness, joint="curve")
    image = large.resize((width, height), Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    ink, font = _ink(paper, rng), _random_font(rng, 9, 14)
    for step in range(0, width - 60, max(15, int(rng.integers(20, 80)))):
        draw.line((40 + step, 20, 40 + step, height - 40), _colour(rng, 150, 220))
        draw.text((36 + step, height - 34), str(step), fill=ink, font=font)
        if rng.random() < 0.4:
            tall = int(rng.integers(10, height - 60))
            draw.rectangle((42 + step, height - 40 - tall, 52 + step, height - 41), _colour(rng), ink)
    draw.line((40, 20, 40, height - 40, width - 20, height - 40), ink, 1)
    draw.text((width // 3, 3), _words(rng, 4), fill=ink, font=_random_font(rng, 12, 20))
    return image


def _map(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Flat areas with smooth borders, lines, and names: maps, logos, and comic drawings."""
    width, height = image.size
    large = image.resize((width * _ENLARGED, height * _ENLARGED), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    for _ in range(int(rng.integers(6, 20))):
        centre, radius = rng.uniform(0, 1, 2) * large.size, rng.uniform(0.05, 0.35) * large.size[0]
        angles = np.linspace(0, 2 * np.pi, int(rng.integers(3, 60)), endpoint=False)
        lengths = radius * (1 + rng.uniform(-0.4, 0.4, len(angles)))
        border = [
            (float(centre[0] + length * np.cos(angle)), float(centre[1] + length * np.sin(angle)))
            for angle, length in zip(angles, lengths, strict=True)
        ]
        draw.polygon(border, _colour(rng), _colour(rng, 0, 80), int(rng.integers(0, 4 * _ENLARGED)))
    image = large.resize((width, height), Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 15))):
        place = int(rng.integers(width)), int(rng.integers(height))
        draw.text(place, _words(rng, 2), fill=_colour(rng), font=_random_font(rng, 9, 30))
    return image


def _pixel(image: Image.Image) -> Colour:
    """The first pixel: the colour of the paper."""
    red, green, blue = np.asarray(image)[0, 0].tolist()
    return red, green, blue
