"""Which encoder needs the fewest bytes for pages, charts and products on white, and what does overshoot save there?

    OPTCODEC_DATA=DATA python -m benchmarks.rates.page_rates [4:2:0 | 4:4:4 ...] [--again ENCODER ...]

Every encoder codes the pictures of `pages.py` at several quality factors, as progressive files. BD-rates are direct: of
ours against each rival, over the range of the measure that both reach; the result has those of all pictures, their mean
and its 95 % interval (bootstrap over pictures). mozjpeg, by pyvips, has trellis quantization and overshoot deringing.
Nothing was fitted to these pictures. With ``--again`` only the files of these encoders are measured, as in `peers.py`.
Writes ``results/rd_pages_SUBSAMPLING.json``.
"""

from __future__ import annotations

from functools import partial
from typing import Any

import click

from benchmarks.rates.pages import Pixels, pages
from benchmarks.rates.peers import PACKAGES, points
from benchmarks.rates.rd import Encoder, check_same, chosen, compared, measured, ours
from benchmarks.record import load_result, write_result
from optcodec import encode
from optcodec.console.progress import tracked
from optcodec.shared import encode_jpegli, encode_mozjpeg

QUALITIES = (30, 50, 70, 85, 95)
MEASURES = ("psnr_rgb", "ssim_y", "ssimulacra2")
RIVALS = ("mozjpeg, flat tables", "mozjpeg, default tables", "jpegli")
OURS = ("optcodec psnr", "optcodec people")
PLAIN = "optcodec, rounded"
WITHOUT = "{}, no overshoot"


def rounded(pixels: Pixels, subsampling: str, quality: int, *, overshoot: bool = True) -> bytes:
    """A file of our encoder without a trellis (effort 1)."""
    return encode(pixels, quality=quality, subsampling=subsampling, progressive=True, overshoot=overshoot).data


def encoders() -> dict[str, Encoder]:
    """All encoders by name."""
    by_name: dict[str, Encoder] = {
        RIVALS[0]: partial(encode_mozjpeg, table=1, progressive=True),
        RIVALS[1]: partial(encode_mozjpeg, table=3, progressive=True),
        RIVALS[2]: partial(encode_jpegli, progressive=True),
        PLAIN: rounded,
        WITHOUT.format(PLAIN): partial(rounded, overshoot=False),
    }
    for name in OURS:
        encoder = partial(ours, tune=name.removeprefix("optcodec "), progressive=True)
        by_name |= {name: encoder, WITHOUT.format(name): partial(encoder, overshoot=False)}
    return by_name


def one_page(pixels: Pixels, subsampling: str, again: tuple[str, ...] = ()) -> dict[str, list[dict[str, float]]]:
    """Measures of all files of a picture, by encoder."""
    return {
        name: [measured(pixels, encoder(pixels, subsampling, quality), people=True) for quality in QUALITIES]
        for name, encoder in chosen(encoders(), again).items()
    }


def direct(pictures: dict[str, Any], other: str, name: str) -> dict[str, Any]:
    """BD-rates in % of an encoder against another one, by measure."""
    by_measure = {}
    for measure in MEASURES:
        pairs = [(points(rows[other], measure), points(rows[name], measure)) for rows in pictures.values()]
        rates, figures = compared(pairs)
        by_measure[measure] = figures | {"pictures": dict(zip(pictures, rates, strict=True))}
    return by_measure


@click.command()
@click.argument("samplings", nargs=-1)
@click.option("--again", multiple=True, metavar="ENCODER", help="Only the files of these encoders.")
def main(samplings: tuple[str, ...], again: tuple[str, ...]) -> None:
    """Measure all encoders."""
    pictures = pages()
    for subsampling in samplings or ("4:2:0", "4:4:4"):
        result = f"rd_pages_{subsampling.replace(':', '')}"
        earlier = load_result(result)["files"] if again else {}
        if again:
            check_same(earlier, pictures, "pages")
        items = tracked(pictures.items(), subsampling, len(pictures))
        rows = {name: earlier.get(name, {}) | one_page(pixels, subsampling, again) for name, pixels in items}
        against = {f"{name} against {rival}": direct(rows, rival, name) for name in OURS for rival in RIVALS}
        saved = {f"{name}: overshoot": direct(rows, WITHOUT.format(name), name) for name in (PLAIN, *OURS)}
        document: dict[str, Any] = {
            "pictures": {name: list(pixels.shape[1::-1]) for name, pixels in pictures.items()},
            "qualities": QUALITIES,
            "direct": against | saved,
            "files": rows,
        }
        print(write_result(result, document, packages=(*PACKAGES, "matplotlib"), renewed=bool(again)))
        for pair, figures in document["direct"].items():
            print(pair, {m: (f["bd_rate"], f["interval"], max(f["pictures"].values())) for m, f in figures.items()})


if __name__ == "__main__":
    main()
