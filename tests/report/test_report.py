"""Contact sheet and heatmaps: their content, not their appearance."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

from optcodec.jpeg.tables import QuantTable, annex_k_tables
from optcodec.report.contact_sheet import Panel, SheetRow, busiest_crop, contact_sheet, to_png
from optcodec.report.heatmap import draw_table, heatmap_figure
from tests.cli_helpers import photograph


@pytest.mark.parametrize("shape", [(200, 300), (200, 300, 3)])
def test_busiest_crop_finds_the_texture(shape: tuple[int, ...]) -> None:
    pixels = np.full(shape, 90, np.uint8)
    pixels[64:128, 160:224] = np.random.default_rng(0).integers(0, 256, (64, 64, *shape[2:]), np.uint8)
    assert busiest_crop(pixels, 64) == (64, 160)


@pytest.mark.parametrize("shape", [(1, 1), (5, 300), (300, 5, 3)])
def test_busiest_crop_of_small_images(shape: tuple[int, ...]) -> None:
    y, x = busiest_crop(np.zeros(shape, np.uint8), 64)
    assert 0 <= y < max(1, shape[0] - 63)
    assert 0 <= x < max(1, shape[1] - 63)


def test_heatmap_shows_every_step() -> None:
    table = QuantTable(np.arange(1, 65).reshape(8, 8))
    figure = heatmap_figure([("mine", (table,)), ("default", annex_k_tables(75))])
    axes = figure.axes
    assert [text.get_text() for text in axes[0].texts] == [str(step) for step in range(1, 65)]
    assert np.array_equal(axes[0].images[0].get_array(), table.steps)
    assert len([panel for panel in axes if panel.images]) == 3


def test_numbers_can_be_left_out() -> None:
    figure = heatmap_figure([("default", annex_k_tables(75))])
    axes = figure.axes[0]
    axes.clear()
    draw_table(axes, annex_k_tables(75)[0], numbers=False)
    assert not axes.texts


@pytest.mark.parametrize("grey", [False, True])
def test_contact_sheet_says_what_was_measured(grey: bool) -> None:
    original = photograph(150, 260)
    original = original[..., 0].copy() if grey else original
    tables = annex_k_tables(75)[: 1 if grey else 2]
    first = Panel("first", original, tables, nbytes=2000, bpp=0.41, psnr_db=33.3, error=0.5)
    other = Panel("other", original, tables, nbytes=1500, bpp=0.308, psnr_db=32.04, error=0.5)
    figure = contact_sheet([SheetRow("photo", original, (first, other))] * 2, title="The title", note="a note")
    texts = [text.get_text() for text in figure.texts]
    for axes in figure.axes:
        texts += [text.get_text() for text in axes.texts]
    assert {"The title", "a note", "photo", "other    1,500 bytes", "0.31 bpp · 32.0 dB · SWE 0.5", "-25.0 %"} <= set(
        texts
    )
    with Image.open(io.BytesIO(to_png(figure))) as image:
        assert image.mode == "RGB"
        assert image.height > image.width / 2


def test_the_same_figure_gives_the_same_bytes() -> None:
    first, second = (to_png(heatmap_figure([("default", annex_k_tables(50))])) for _ in range(2))
    assert first == second
