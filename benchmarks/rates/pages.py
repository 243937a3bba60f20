"""Pages, screenshots, charts, line art and product shots on white: pictures that decoders clip, and some dark ones.

    python -m benchmarks.rates.pages FOLDER    writes them as PNG files, to be looked at

They are drawn with the fonts that matplotlib brings, always alike with the same versions of Pillow and matplotlib. Real
ones come from packages (logos, and photographs of scikit-image on white) and from OPTCODEC_DATA (a slide). Of some,
nothing is quite white or black, as in many dark themes: there, an encoder gains nothing by what decoders clip.
"""

from __future__ import annotations

import io
import os
import sys
from collections.abc import Callable
from functools import cache
from pathlib import Path

import matplotlib as mpl
import numpy as np
import numpy.typing as npt
import skimage.data
from PIL import Image, ImageDraw, ImageFont

mpl.use("Agg")
import matplotlib.pyplot as plt

Pixels = npt.NDArray[np.uint8]
Colour = str
WIDTH, HEIGHT = 480, 352
TEXT = (
    "a table of quantization steps decides which detail of a picture is kept and at what price in bits while every "
    "block of samples has one coefficient for its mean (about 12 bits) and 63 more for waves; see Annex K, p. 143"
)
WORDS = TEXT.split(" ")
CODE = (
    "def nearest(value, step):  # halves to even",
    "    index = round(value / step)",
    '    return "zero" if index == 0 else index',
    "",
    "for block in range(0, 4096, 64):",
    "    total += weights[block] * 0.125",
    "    if total >= limit: break",
)


@cache
def font(name: str, size: int) -> ImageFont.FreeTypeFont:
    """A font of matplotlib, such as ``"DejaVuSans"``."""
    path = Path(mpl.get_data_path(), "fonts", "ttf", f"{name}.ttf")
    return ImageFont.truetype(str(path), size, layout_engine=ImageFont.Layout.BASIC)


def blank(colour: Colour) -> tuple[Image.Image, ImageDraw.ImageDraw]:
    """A picture of one colour, and what draws on it."""
    image = Image.new("RGB", (WIDTH, HEIGHT), colour)
    return image, ImageDraw.Draw(image)


def paragraph(draw: ImageDraw.ImageDraw, box: tuple[int, int, int, int], face: str, size: int, *inks: Colour) -> None:
    """Lines of words that fill a box; each seventh word has the second colour, if there is one."""
    letters, (left, top, right, bottom), number = font(face, size), box, 0
    for y in range(top, bottom - size, round(1.45 * size)):
        x = float(left)
        while True:
            word = WORDS[(7 * number + y) % len(WORDS)] + " "
            if x + draw.textlength(word, letters) > right:
                break
            draw.text((x, y), word, inks[-1 if number % 7 == 3 else 0], letters)
            x += draw.textlength(word, letters)
            number += 1


def article(paper: Colour, ink: Colour, link: Colour, face: str = "DejaVuSerif") -> Image.Image:
    """A heading and two columns of text."""
    image, draw = blank(paper)
    draw.text((24, 14), "On steps and samples", ink, font("DejaVuSans-Bold", 26))
    draw.line((24, 52, WIDTH - 24, 52), link, 2)
    paragraph(draw, (24, 62, 232, HEIGHT - 10), face, 12, ink, link)
    paragraph(draw, (250, 62, WIDTH - 20, HEIGHT - 10), face, 11, ink, link)
    return image


def editor(paper: Colour, inks: tuple[Colour, ...]) -> Image.Image:
    """Lines of code with colours for their words, numbers of lines, and a bar of tabs."""
    image, draw = blank(paper)
    letters = font("DejaVuSansMono", 13)
    draw.rectangle((0, 0, WIDTH, 24), inks[-1])
    draw.text((12, 4), "steps.py", paper, letters)
    for line, y in enumerate(range(34, HEIGHT - 16, 19)):
        draw.text((8, y), f"{line + 1:3d}", inks[-1], letters)
        x = 48.0
        for place, word in enumerate(CODE[line % len(CODE)].split(" ")):
            draw.text((x, y), word, inks[(place + line) % len(inks)], letters)
            x += draw.textlength(word + " ", letters)
    return image


def spreadsheet() -> Image.Image:
    """Numbers in a grid, with a shaded first row and negative ones in red."""
    image, draw = blank("white")
    draw.rectangle((0, 0, WIDTH, 22), "#e6ecf5")
    numbers = np.random.default_rng(4).normal(0, 900, (17, 6))
    for row in range(17):
        y = 22 * row
        draw.line((0, y, WIDTH, y), "#c8c8c8")
        for column in range(6):
            text, value = (
                ("ABCDEF"[column], 0.0) if row == 0 else (f"{numbers[row, column]:,.2f}", numbers[row, column])
            )
            ink = "#c00000" if value < 0 else "black"
            draw.text((80 * column + 74, y + 4), text, ink, font("DejaVuSans", 11), anchor="ra")
    for column in range(1, 6):
        draw.line((80 * column, 0, 80 * column, HEIGHT), "#c8c8c8")
    return image


def diagram() -> Image.Image:
    """Boxes with text, joined by lines."""
    image, draw = blank("white")
    fills = ("#fde9c9", "#d5e8d4", "#dae8fc", "#f8cecc")
    for number, name in enumerate(("colour", "downsample", "transform", "quantize", "count", "write")):
        x, y = 30 + 150 * (number % 3), 40 + 170 * (number // 3)
        draw.rounded_rectangle((x, y, x + 110, y + 70), 10, fills[number % 4], "black", 2)
        draw.text((x + 55, y + 35), name, "black", font("DejaVuSans", 14), anchor="mm")
        if number % 3 < 2:
            draw.line((x + 110, y + 35, x + 150, y + 35), "black", 2)
            draw.polygon([(x + 150, y + 35), (x + 140, y + 30), (x + 140, y + 40)], "black")
    draw.line((385, 110, 385, 160, 85, 160, 85, 210), "#1050c0", 2)
    return image


def line_art() -> Image.Image:
    """Curves and hatching in black, smoothed by drawing them four times as large."""
    large = Image.new("L", (4 * WIDTH, 4 * HEIGHT), 255)
    draw, turns = ImageDraw.Draw(large), np.linspace(0, 2 * np.pi, 400)
    for number in range(1, 12):
        radius = 52 * number * (1 + 0.18 * np.sin(5 * turns + number))
        points = np.stack([960 + 1.3 * radius * np.cos(turns), 704 + radius * np.sin(turns)], 1)
        draw.line([tuple(point) for point in points.tolist()], 0, 4 + number % 3 * 4)
    for x in range(0, 600, 28):
        draw.line((x, 0, 0, x), 0, 5)
    return large.resize((WIDTH, HEIGHT), Image.Resampling.BOX).convert("RGB")


def chart(style: str, kind: str) -> Image.Image:
    """A chart of matplotlib: lines, or bars."""
    with plt.style.context(style):
        figure, axis = plt.subplots(figsize=(WIDTH / 100, HEIGHT / 100), dpi=100, layout="constrained")
        x = np.arange(12)
        for number in range(3):
            if kind == "lines":
                axis.plot(x, np.sin(x / 2 + number) + 0.3 * number, marker="os^"[number], label=f"series {number + 1}")
            else:
                axis.bar(x + 0.27 * number, 3 + np.sin(1.7 * x + number), 0.27, label=f"series {number + 1}")
        axis.set(title="Bits by quality", xlabel="quality", ylabel="bits per pixel")
        axis.grid(alpha=0.4)
        axis.legend(fontsize=8)
        target = io.BytesIO()
        figure.savefig(target, format="png")
        plt.close(figure)
    return Image.open(target).convert("RGB")


def on_white(picture: Image.Image, mask: npt.NDArray[np.floating]) -> Image.Image:
    """A picture where a mask is 1, white where it is 0."""
    shares = np.clip(mask, 0, 1)[..., None]
    return Image.fromarray(np.rint(255 + shares * (np.asarray(picture, np.float64) - 255)).astype(np.uint8))


def vase() -> Image.Image:
    """A glazed vase with stripes, a highlight and a soft shadow, as in a shop."""
    y, x = np.mgrid[:HEIGHT, :WIDTH].astype(np.float64)
    radius = 62 + 34 * np.sin((y - 40) / 60) * (y < 290)
    across = (x - WIDTH / 2) / radius
    light = np.sqrt(np.clip(1 - across**2, 0, 1))
    stripes = 0.75 + 0.25 * np.sign(np.sin(y / 9 + 2 * np.sin(3 * across)))
    shine = 190 * np.exp(-((across + 0.4) ** 2 / 0.01 + (y - 130) ** 2 / 1500))
    colours = np.array([180.0, 70.0, 50.0]) * (0.35 + 0.65 * light * stripes)[..., None] + shine[..., None]
    shadow = 255 - 120 * np.exp(-(((x - WIDTH / 2 - 30) / 120) ** 2 + ((y - 305) / 14) ** 2))
    edge = np.clip(radius * (1 - abs(across)), 0, 1) * np.clip(y - 40, 0, 1) * np.clip(305 - y, 0, 1)
    mixed = edge[..., None] * np.clip(colours, 0, 255) + (1 - edge[..., None]) * shadow[..., None]
    return Image.fromarray(np.rint(mixed).astype(np.uint8))


def cup() -> Image.Image:
    """A photograph of a cup of coffee, cut out along its saucer."""
    photograph = Image.fromarray(skimage.data.coffee()).crop((60, 20, 540, 372))
    y, x = np.mgrid[:HEIGHT, :WIDTH]
    distance = np.hypot((x - 245) / 215, (y - 180) / 160)
    return on_white(photograph, (1 - distance) * 100)


def shop() -> Image.Image:
    """A page with photographs, prices and buttons."""
    image, draw = blank("white")
    draw.rectangle((0, 0, WIDTH, 34), "#202a44")
    draw.text((14, 7), "Pictures & Co.", "white", font("DejaVuSans-Bold", 16))
    photographs = (skimage.data.chelsea(), skimage.data.astronaut(), skimage.data.coffee())
    for number, pixels in enumerate(photographs):
        left = 14 + 156 * number
        image.paste(Image.fromarray(pixels).resize((140, 140), Image.Resampling.LANCZOS), (left, 50))
        draw.text((left, 198), f"Print no. {37 + number}", "black", font("DejaVuSans-Bold", 13))
        draw.text((left, 218), f"{19 + 5 * number}.90 EUR", "#b00020", font("DejaVuSans", 13))
        draw.rounded_rectangle((left, 240, left + 100, 264), 6, "#0a66c2")
        draw.text((left + 50, 252), "Add to cart", "white", font("DejaVuSans", 12), anchor="mm")
    paragraph(draw, (14, 280, WIDTH - 14, HEIGHT), "DejaVuSans", 12, "#333333", "#0a66c2")
    return image


def with_alpha(path: Path) -> Image.Image:
    """An image file on white."""
    picture = Image.open(path).convert("RGBA")
    paper = Image.new("RGBA", picture.size, "white")
    paper.alpha_composite(picture)
    return paper.convert("RGB")


def packaged() -> dict[str, Image.Image]:
    """Logos of packages, and if OPTCODEC_DATA has it, the slide of Set14."""
    real = {
        "logo": with_alpha(Path(skimage.data.__file__).parent / "logo.png"),
        "wordmark": with_alpha(Path(mpl.get_data_path(), "sample_data", "logo2.png")),
    }
    slide = Path(os.environ.get("OPTCODEC_DATA", ""), "Set14", "ppt3.png")
    return real | ({"slide": Image.open(slide).convert("RGB")} if slide.is_file() else {})


DRAWN: dict[str, Callable[[], Image.Image]] = {
    "article": lambda: article("white", "black", "#0b57d0"),
    "article, sans serif": lambda: article("white", "#222222", "#a02020", "DejaVuSans"),
    "article, black": lambda: article("black", "white", "#8ab4f8"),
    "article, dark grey": lambda: article("#121212", "#e0e0e0", "#8ab4f8", "DejaVuSans"),
    "editor": lambda: editor("white", ("black", "#0000c0", "#007000", "#a03000", "#808080")),
    "editor, dark grey": lambda: editor("#1e1e1e", ("#d4d4d4", "#569cd6", "#ce9178", "#6a9955", "#858585")),
    "terminal": lambda: editor("black", ("white", "#40ff40", "white", "#ffd040", "#606060")),
    "spreadsheet": spreadsheet,
    "diagram": diagram,
    "line art": line_art,
    "line chart": lambda: chart("default", "lines"),
    "bar chart, black": lambda: chart("dark_background", "bars"),
    "vase": vase,
    "cup": cup,
    "shop": shop,
}


def pages() -> dict[str, Pixels]:
    """All pictures by name: uint8, shape (height, width, 3), RGB."""
    pictures = {name: draw() for name, draw in DRAWN.items()} | packaged()
    return {name: np.ascontiguousarray(np.asarray(picture)) for name, picture in pictures.items()}


def main(folder: str) -> None:
    Path(folder).mkdir(parents=True, exist_ok=True)
    for name, pixels in pages().items():
        path = Path(folder, f"{name.replace(', ', '_').replace(' ', '_')}.png")
        Image.fromarray(pixels).save(path)
        print(path, f"{np.mean(pixels.min(2) == 255):.0%} white, {np.mean(pixels.max(2) == 0):.0%} black")


if __name__ == "__main__":
    main(sys.argv[1])
