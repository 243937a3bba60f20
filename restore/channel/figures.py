"""Drawings for the training: heat maps, surfaces, pixel art, diagrams, sheets of numbers, and code in an editor.

Each function draws on an image of one colour, the paper. They have what a network harms most easily: areas of one
colour, with thin lines between them, in colours that are rare in photographs.
"""

from __future__ import annotations

import itertools

import numpy as np
import numpy.typing as npt
from PIL import Image, ImageDraw

from optcodec import require_packages
from restore.channel.pens import (
    ENLARGED,
    any_colour,
    first_pixel,
    ink_colour,
    load_font,
    paper_colour,
    random_font,
    random_words,
)

__all__ = ["code", "diagram", "heat_map", "pixel_art", "sheet", "surface"]

Values = npt.NDArray[np.float64]
_PALETTES = (
    "viridis", "plasma", "inferno", "magma", "cividis", "Blues", "Reds", "YlGnBu", "RdBu", "coolwarm", "Spectral",
    "jet", "turbo", "gray", "hot", "terrain", "tab10", "Set3",
)  # fmt: skip
_TOKENS = ("def", "return", "if", "for", "in", "while", "import", "class", "None", "=", "(", ")", "+", "[0]", ":", '"')


def heat_map(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Panels of cells in the colours of values, with or without lines between them, numbers, and a scale."""
    (width, height), draw = image.size, ImageDraw.Draw(image)
    ink, columns, rows = ink_colour(first_pixel(image), rng), int(rng.integers(1, 3)), int(rng.integers(1, 3))
    for row in range(rows):
        for column in range(columns):
            left, top = column * width // columns + 20, row * height // rows + 22
            size = max(8, width // columns - 70), max(8, height // rows - 34)
            palette, cell = _palette(rng), float(rng.uniform(3, 40))
            shape = max(1, round(size[1] / cell)), max(1, round(size[0] / cell))
            values = _field(rng, shape, float(rng.choice([0.001, 0.03, 0.1])))
            image.paste(_coloured(values, palette).resize(size, Image.Resampling.NEAREST), (left, top))
            if rng.random() < 0.5 and cell > 6:
                _grid(draw, (left, top, *size), shape, any_colour(rng, 150))
            draw.rectangle((left, top, left + size[0], top + size[1]), outline=ink)
            _scale(image, (left + size[0] + 8, top, 10, size[1]), palette, rng)
            draw.text((left, top - 16), random_words(rng, 3), fill=ink, font=random_font(rng, 9, 15))
    return image


def surface(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A smooth function of two variables in the colours of its values, in steps or without, with lines of height."""
    palette, levels = _palette(rng), int(rng.integers(4, 16))
    values = _field(rng, image.size[::-1], float(rng.uniform(0.03, 0.15)))
    shown = np.floor(values * levels) / levels if rng.random() < 0.5 else values
    pixels = np.array(_coloured(shown, palette))
    if rng.random() < 0.5:
        step = np.floor(values * levels)
        pixels[(step != np.roll(step, 1, 0)) | (step != np.roll(step, 1, 1))] = any_colour(rng, 0, 90)
    image = Image.fromarray(pixels)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(0, 6))):
        place = int(rng.integers(image.width)), int(rng.integers(image.height))
        draw.text(place, random_words(rng, 1), fill=any_colour(rng), font=random_font(rng))
    return image


def pixel_art(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """A few colours in large square pixels, or in a pattern of two colours each, as in pictures with a palette."""
    colours = np.array([any_colour(rng) for _ in range(int(rng.integers(2, 16)))], np.uint8)
    size = int(rng.choice([1, 2, 3, 4, 6, 8, 12]))
    shape = -(-image.height // size), -(-image.width // size)
    values = _field(rng, shape, float(rng.uniform(0.01, 0.08))) * len(colours)
    if rng.random() < 0.3:  # ordered dithering
        values = (
            values
            + np.tile(np.array([[0.0, 0.5], [0.75, 0.25]]), (shape[0] // 2 + 1, shape[1] // 2 + 1))[
                : shape[0], : shape[1]
            ]
            - 0.5
        )
    pixels = colours[np.clip(values, 0, len(colours) - 1).astype(int)]
    return Image.fromarray(pixels.repeat(size, 0).repeat(size, 1)[: image.height, : image.width].copy())


def diagram(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Boxes and ellipses with names, joined by lines."""
    back, (width, height) = first_pixel(image), image.size
    large = image.resize((width * ENLARGED, height * ENLARGED), Image.Resampling.NEAREST)
    draw, ink = ImageDraw.Draw(large), ink_colour(back, rng)
    places = [(int(rng.integers(width - 90)), int(rng.integers(height - 40))) for _ in range(int(rng.integers(4, 14)))]
    thickness = int(rng.integers(2, 2 * ENLARGED))
    middles = [((left + 40) * ENLARGED, (top + 16) * ENLARGED) for left, top in places]
    for first, second in itertools.pairwise(middles):
        corner = (second[0], first[1])
        draw.line([first, corner, second] if rng.random() < 0.5 else [first, second], ink, thickness)
    fills = [paper_colour(rng) for _ in places]
    for (left, top), fill in zip(places, fills, strict=True):
        shape = draw.ellipse if rng.random() < 0.3 else draw.rectangle
        box = (left * ENLARGED, top * ENLARGED, (left + 80) * ENLARGED, (top + 32) * ENLARGED)
        shape(box, fill=fill, outline=ink, width=thickness)
    image = large.resize((width, height), Image.Resampling.BOX)
    for (left, top), fill in zip(places, fills, strict=True):
        font = random_font(rng, 9, 14)
        ImageDraw.Draw(image).text((left + 8, top + 8), random_words(rng, 1), fill=ink_colour(fill, rng), font=font)
    return image


def sheet(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Rows and columns of numbers and words with lines between them, some of them shaded."""
    draw, (width, height), back = ImageDraw.Draw(image), image.size, first_pixel(image)
    line, shade, font = any_colour(rng, 140, 230), any_colour(rng, 200, 256), random_font(rng, 9, 16)
    advance, column, ink = int(font.size * rng.uniform(1.3, 2)), int(rng.integers(40, 120)), ink_colour(back, rng)
    every = int(rng.integers(2, 6))
    for row, top in enumerate(range(0, height, advance)):
        is_shaded = row % every == 0
        if is_shaded:
            draw.rectangle((0, top, width, top + advance), fill=shade)
        draw.line((0, top, width, top), line)
        for left in range(0, width, column):
            number = f"{rng.normal() * 10 ** int(rng.integers(0, 5)):,.{int(rng.integers(0, 4))}f}"
            shown = random_words(rng, 1) if left == 0 else number
            draw.text((left + 3, top + 1), shown, fill=(0, 0, 0) if is_shaded else ink, font=font)
    for left in range(0, width, column):
        draw.line((left, 0, left, height), line)
    return image


def code(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Lines of a program in an editor, in letters of one width and a few strong colours."""
    back = any_colour(rng, 10, 50) if rng.random() < 0.6 else first_pixel(image)
    image.paste(back, (0, 0, *image.size))
    draw, font = ImageDraw.Draw(image), load_font("DejaVuSansMono", int(rng.integers(9, 18)))
    colours = [ink_colour(back, rng) for _ in range(5)]
    for top in range(2, image.height, int(font.size * 1.35)):
        left = 6.0 + int(rng.integers(0, 4)) * 4 * font.getlength(" ")
        for _ in range(int(rng.integers(0, 9))):
            token = str(rng.choice(np.array(_TOKENS))) if rng.random() < 0.5 else random_words(rng, 1)
            draw.text((left, top), token, fill=colours[int(rng.integers(len(colours)))], font=font)
            left += font.getlength(token + " ")
    return image


def _field(rng: np.random.Generator, shape: tuple[int, int], smoothness: float) -> Values:
    """Random values of 0..1, smooth over this part of the larger side."""
    require_packages("matplotlib", "scipy")  # of all drawings here that have a field
    from scipy.ndimage import gaussian_filter

    values = gaussian_filter(rng.normal(size=shape), smoothness * max(shape), mode="wrap")
    return np.asarray((values - values.min()) / max(float(np.ptp(values)), 1e-9))


def _palette(rng: np.random.Generator) -> str:
    return str(rng.choice(np.array(_PALETTES)))


def _coloured(values: Values, palette: str) -> Image.Image:
    """Values of 0..1 in the colours of one of matplotlib's maps."""
    from matplotlib import colormaps

    return Image.fromarray(np.rint(255 * np.asarray(colormaps[palette](values))[..., :3]).astype(np.uint8))


def _grid(
    draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], shape: tuple[int, int], colour: tuple[int, int, int]
) -> None:
    """Thin lines between the cells of a box (left, top, width, height)."""
    left, top, width, height = box
    for row in range(1, shape[0]):
        draw.line((left, top + row * height // shape[0], left + width, top + row * height // shape[0]), colour)
    for column in range(1, shape[1]):
        draw.line((left + column * width // shape[1], top, left + column * width // shape[1], top + height), colour)


def _scale(image: Image.Image, box: tuple[int, int, int, int], palette: str, rng: np.random.Generator) -> None:
    """The colours of a palette from the greatest value down, in a box (left, top, width, height), with numbers."""
    left, top, width, height = box
    colours = _coloured(np.linspace(1, 0, height)[:, None].repeat(width, 1), palette)
    image.paste(colours, (left, top))
    draw, ink, font = ImageDraw.Draw(image), ink_colour(first_pixel(image), rng), load_font("DejaVuSans", 9)
    for place in range(top, top + height, max(12, height // 6)):
        draw.text((left + width + 3, place), f"{rng.uniform(-9, 9):.1f}", fill=ink, font=font)
