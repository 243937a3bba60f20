"""Drawings for the training: pages of text, windows of programs, charts and maps.

Each function draws on an image of one colour, the paper.
"""

from __future__ import annotations

import numpy as np
from PIL import Image, ImageDraw

from restore.channel.pens import (
    ENLARGED,
    Colour,
    any_colour,
    first_pixel,
    ink_colour,
    paper_colour,
    random_font,
    random_words,
    write_text,
)

__all__ = ["chart", "land_map", "page", "window"]


def page(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Columns of text under a title."""
    draw, (width, height), paper = ImageDraw.Draw(image), image.size, first_pixel(image)
    margin, columns = int(rng.integers(5, 40)), int(rng.integers(1, 4))
    title = random_font(rng, 20, 40)
    draw.text((margin, margin // 2), random_words(rng, 3), fill=ink_colour(paper, rng), font=title)
    column = (width - margin) // columns
    for index in range(columns):
        left = margin + index * column
        write_text(draw, (left, int(title.size * 1.5) + margin, left + column - margin, height - margin), paper, rng)
    return image


def window(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Nested boxes with borders, labels, and a few gradients, like a window of a program."""
    draw, (width, height) = ImageDraw.Draw(image), image.size
    for _ in range(int(rng.integers(8, 25))):
        left, top = int(rng.integers(width - 20)), int(rng.integers(height - 12))
        right, bottom = left + int(rng.integers(12, width // 2)), top + int(rng.integers(10, height // 2))
        fill, outline = paper_colour(rng), any_colour(rng)
        if rng.random() < 0.2:
            _gradient(image, (left, top, min(right, width), min(bottom, height)), fill, outline)
        elif rng.random() < 0.3:
            draw.rounded_rectangle((left, top, right, bottom), int(rng.integers(2, 10)), fill, outline)
        else:
            draw.rectangle((left, top, right, bottom), fill, outline, int(rng.integers(0, 3)))
        if rng.random() < 0.7:
            write_text(draw, (left + 4, top + 2, right - 4, min(bottom, top + int(rng.integers(20, 120)))), fill, rng)
    return image


def _gradient(image: Image.Image, box: tuple[int, int, int, int], start: Colour, stop: Colour) -> None:
    left, top, right, bottom = box
    share = np.linspace(0, 1, bottom - top)[:, None, None]
    ramp = np.rint(np.array(start) * (1 - share) + np.array(stop) * share).astype(np.uint8)
    image.paste(Image.fromarray(np.broadcast_to(ramp, (bottom - top, right - left, 3)).copy()), (left, top))


def chart(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Curves and bars between axes, with labels."""
    paper, (width, height) = first_pixel(image), image.size
    large = image.resize((width * ENLARGED, height * ENLARGED), Image.Resampling.NEAREST)
    draw, x = ImageDraw.Draw(large), np.linspace(0, 1, 60)
    for _ in range(int(rng.integers(2, 7))):
        curve = 0.5 + 0.35 * np.sin(x * rng.uniform(1, 14) + rng.uniform(0, 6)) * rng.uniform(0.2, 1.0)
        noise = rng.normal(0, rng.uniform(0, 0.03), len(x))
        places = zip((40 + x * (width - 60)) * ENLARGED, (curve + noise) * height * ENLARGED, strict=True)
        thickness = int(rng.integers(ENLARGED, 3 * ENLARGED))
        draw.line([(float(a), float(b)) for a, b in places], any_colour(rng), thickness, joint="curve")
    image = large.resize((width, height), Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    ink, font = ink_colour(paper, rng), random_font(rng, 9, 14)
    for step in range(0, width - 60, max(15, int(rng.integers(20, 80)))):
        draw.line((40 + step, 20, 40 + step, height - 40), any_colour(rng, 150, 220))
        draw.text((36 + step, height - 34), str(step), fill=ink, font=font)
        if rng.random() < 0.4:
            tall = int(rng.integers(10, height - 60))
            draw.rectangle((42 + step, height - 40 - tall, 52 + step, height - 41), any_colour(rng), ink)
    draw.line((40, 20, 40, height - 40, width - 20, height - 40), ink, 1)
    draw.text((width // 3, 3), random_words(rng, 4), fill=ink, font=random_font(rng, 12, 20))
    return image


def land_map(image: Image.Image, rng: np.random.Generator) -> Image.Image:
    """Flat areas with smooth borders, lines, and names: maps, logos, and comic drawings."""
    width, height = image.size
    large = image.resize((width * ENLARGED, height * ENLARGED), Image.Resampling.NEAREST)
    draw = ImageDraw.Draw(large)
    for _ in range(int(rng.integers(6, 20))):
        centre, radius = rng.uniform(0, 1, 2) * large.size, rng.uniform(0.05, 0.35) * large.size[0]
        angles = np.linspace(0, 2 * np.pi, int(rng.integers(3, 60)), endpoint=False)
        lengths = radius * (1 + rng.uniform(-0.4, 0.4, len(angles)))
        border = [
            (float(centre[0] + length * np.cos(angle)), float(centre[1] + length * np.sin(angle)))
            for angle, length in zip(angles, lengths, strict=True)
        ]
        draw.polygon(border, any_colour(rng), any_colour(rng, 0, 80), int(rng.integers(0, 4 * ENLARGED)))
    image = large.resize((width, height), Image.Resampling.BOX)
    draw = ImageDraw.Draw(image)
    for _ in range(int(rng.integers(3, 15))):
        place = int(rng.integers(width)), int(rng.integers(height))
        draw.text(place, random_words(rng, 2), fill=any_colour(rng), font=random_font(rng, 9, 30))
    return image
