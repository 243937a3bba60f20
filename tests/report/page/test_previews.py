"""Previews of many pictures: which ones are chosen, what is shown of them, and that a page stays small."""

from __future__ import annotations

import base64
import io
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optcodec.metrics import psnr_db
from optcodec.report.page import previews as module
from optcodec.report.page.previews import previews
from optcodec.report.page.render import render
from optcodec.report.page.sections import Layer, Page, Part, Previews, Section, Views, Wiper
from optcodec.report.squares import fullest_square
from tests.cli_helpers import photograph, save

NAMES = ("original", "coded")
MOST, TYPICAL, LEAST = (
    "Changed most: the lowest PSNR",
    "Typical: around the median PSNR",
    "Changed least: the highest PSNR",
)


def pairs_of(folder: Path, qualities: list[int], *, height: int = 40, width: int = 48) -> list[tuple[Path, Path]]:
    """A picture that is coded at each quality; the numbers of the pictures are in the order of the list."""
    original = photograph(height, width)
    return [
        (
            save(folder / f"in/{number}.png", original),
            save(folder / f"out/{number}.jpg", original, quality=quality, subsampling=0),
        )
        for number, quality in enumerate(qualities)
    ]


def sections_of(pairs: list[tuple[Path, Path]]) -> tuple[Previews, Wiper]:
    first, second, *_ = previews(len(pairs), lambda number: pairs[number], NAMES)
    assert isinstance(first, Previews)
    assert isinstance(second, Wiper)
    return first, second


def stems(views: tuple[Views, ...] | list[Views]) -> list[int]:
    return [int(Path(each.name).stem) for each in views]


def pixels(layer: Layer) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(base64.b64decode(layer.uri.partition(",")[2]))))


def test_the_ends_and_the_middle_are_shown(tmp_path: Path) -> None:
    """Of 31 pictures whose quality rises in another order than their numbers."""
    order = np.random.default_rng(2).permutation(31)
    pairs = pairs_of(tmp_path, [int(20 + 2 * place) for place in order])
    shown, wiper = sections_of(pairs)
    assert list(shown.groups) == [MOST, TYPICAL, LEAST]
    places = {title: [int(order[number]) for number in stems(list(views))] for title, views in shown.groups.items()}
    assert places == {MOST: list(range(6)), TYPICAL: list(range(12, 18)), LEAST: list(range(30, 24, -1))}
    number = [int(np.flatnonzero(order == place)[0]) for place in (0, 15, 30)]
    expected = [f"{n} ({what})" for n, what in zip(number, ("changed most", "typical", "changed least"), strict=True)]
    assert [views.name for views in wiper.views] == expected
    assert shown.note.startswith("18 of 31 pictures are shown, chosen by the PSNR from original to coded. PSNR: ")


def test_the_median_of_an_even_number_of_pictures(tmp_path: Path) -> None:
    shown, _ = sections_of(pairs_of(tmp_path, [30, 50, 70, 90]))
    (views,) = shown.groups.values()
    psnr = [float(re.findall(r"PSNR ([\d.]+) dB", each.layers[0].caption)[0]) for each in views]
    (middle,) = re.findall(r"([\d.]+) dB at the median", shown.note)
    assert float(middle) == pytest.approx((psnr[1] + psnr[2]) / 2, abs=0.011)


def test_figures_are_those_of_the_files(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path, [30, 50, 70, 90])
    shown, _ = sections_of(pairs)
    (views,) = shown.groups.values()
    assert stems(list(views)) == [0, 1, 2, 3]
    for (before, after), each in zip(pairs, views, strict=True):
        psnr = psnr_db(*(np.asarray(Image.open(path)) for path in (before, after)))
        sizes = f"{before.stat().st_size:,} → {after.stat().st_size:,} bytes"
        assert each.layers[0].caption == f"{sizes}, PSNR {psnr:.2f} dB"
        assert [layer.name for layer in each.layers] == ["original", "coded"]  # small enough to be shown as they are
        assert np.array_equal(pixels(each.layers[1]), np.asarray(Image.open(after)))
    assert shown.note.startswith("All 4 pictures are shown, in the order of the PSNR from original to coded. PSNR: ")


def test_a_large_picture_shows_the_detail_that_changed_most(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path, [95] * 4, height=300, width=500)
    damaged = np.asarray(Image.open(pairs[2][1])).copy()
    damaged[120:160, 330:380] ^= 64
    save(pairs[2][1].with_suffix(".png"), damaged)
    pairs[2] = (pairs[2][0], pairs[2][1].with_suffix(".png"))
    shown, _ = sections_of(pairs)
    (views,) = shown.groups.values()
    assert stems(list(views))[0] == 2
    whole, before, after = views[0].layers
    assert [whole.name, before.name, after.name] == ["whole", "original", "coded"]
    assert (whole.width, whole.height) == (192, 115)
    original = np.asarray(Image.open(pairs[2][0]))
    error = ((original.astype(float) - damaged) ** 2).mean(axis=2)
    top, left = fullest_square(error, 192)
    assert top <= 120 < 160 <= top + 192
    assert left <= 330 < 380 <= left + 192
    assert np.array_equal(pixels(before), original[top : top + 192, left : left + 192])
    assert np.array_equal(pixels(after), damaged[top : top + 192, left : left + 192])
    assert " → " not in whole.caption  # the size of a PNG file is no rate


def test_equal_pictures_follow_by_the_bytes_they_save(tmp_path: Path) -> None:
    """A lossless job has no PSNR: its previews go from the picture that saved least to the one that saved most."""
    pairs = pairs_of(tmp_path, [90] * 5)
    for number, (before, after) in enumerate(pairs):
        before.write_bytes(after.read_bytes() + bytes(100 * (5 - number)))
    shown, _ = sections_of(pairs)
    (views,) = shown.groups.values()
    assert stems(list(views)) == [4, 3, 2, 1, 0]
    assert views[0].layers[0].caption.endswith(" bytes, no pixel differs")
    assert "PSNR: no pixel differs at the lowest" in shown.note


def test_pictures_of_another_size_are_shown_whole(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path, [40, 50, 60, 70, 80])
    save(pairs[3][1], photograph(20, 24))
    shown, wiper = sections_of(pairs)
    assert list(shown.groups) == ["From the lowest PSNR to the highest", "With another number of pixels than before"]
    other = shown.groups["With another number of pixels than before"][0]
    assert other.name == "3.png"
    assert other.layers[0].caption.endswith(" bytes, another number of pixels")
    assert [(layer.name, layer.width) for layer in other.layers] == [("original", 48), ("coded", 24)]
    assert len(wiper.views) == 3


def test_only_pictures_of_another_size_need_no_slider(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path, [40] * 4)
    for _, after in pairs:
        save(after, photograph(20, 24))
    (shown,) = previews(4, lambda number: pairs[number], NAMES)
    assert isinstance(shown, Previews)
    assert "PSNR:" not in shown.note


def test_files_that_cannot_be_shown_are_counted(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path, [40, 50, 60, 70, 80, 90])
    pairs[1][1].unlink()
    pairs[4][1].write_bytes(b"no picture")
    sections = previews(7, lambda number: None if number == 6 else pairs[number], NAMES)
    assert isinstance(sections[0], Previews)
    assert stems(list(next(iter(sections[0].groups.values())))) == [0, 2, 3, 5]
    assert "3 could not be shown: a file is missing, or has no opaque RGB or gray pixels." in sections[0].note


@pytest.mark.parametrize("count", [0, 5, 500])
def test_nothing_at_hand_gives_no_section(count: int) -> None:
    assert previews(count, lambda _: None, NAMES) == []


def test_of_a_large_job_some_pictures_are_opened(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """They are spread evenly, with both ends, and the page says so and stays small."""
    monkeypatch.setattr(module, "_MEASURED", 21)
    asked: list[int] = []
    pairs = pairs_of(tmp_path, list(range(30, 72, 2)))

    def pair_at(number: int) -> tuple[Path, Path]:
        asked.append(number)
        return pairs[number // 100]

    sections: list[Section] = previews(2001, pair_at, NAMES)
    assert asked == list(range(0, 2001, 100))
    assert isinstance(sections[0], Previews)
    expected = "18 of 2,001 pictures are shown, chosen by the PSNR from original to coded, of 21 pictures that are"
    assert sections[0].note.startswith(f"{expected} spread evenly over all. PSNR: ")


def test_the_page_names_every_picture_once(tmp_path: Path) -> None:
    pairs = pairs_of(tmp_path, [30, 50, 70, 90])
    for number, (before, after) in enumerate(pairs):  # of one name, in several folders
        folder = tmp_path / f"{number}"
        folder.mkdir()
        pairs[number] = (before.rename(folder / "a&b.png"), after)
    shown, _ = sections_of(pairs)
    text = render(Page("t", [Part("p", "c", ["h"], [shown])])).decode()
    for before, _ in pairs:
        assert text.count(f'alt="{str(before).replace("&", "&amp;")}: coded"') == 1
    assert text.count('class="note"') == 1
