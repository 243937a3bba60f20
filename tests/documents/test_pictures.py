"""The pictures of the pages are drawn by code, and show what the pages say of them."""

from __future__ import annotations

import io
import re
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from PIL import Image

import optcodec
from benchmarks.documents import first, restored, theory
from tests.documents.pages import PAGES, ROOT


def test_the_page_shows_all_pictures() -> None:
    shown = re.findall(r"\]\(theory/(\w+)\.png\)", PAGES["docs/theory.md"])
    assert sorted(shown) == sorted(theory.PICTURES)
    assert {path.stem for path in (ROOT / "docs/theory").iterdir()} == set(shown)


@pytest.mark.parametrize("name", theory.PICTURES)
def test_pictures_are_those_of_the_code(name: str, tmp_path: Path) -> None:
    theory.save(theory.PICTURES[name](), tmp_path / "drawn.png")
    check_alike(tmp_path / "drawn.png", ROOT / f"docs/theory/{name}.png")


def test_the_first_picture_is_that_of_the_code(tmp_path: Path) -> None:
    theory.save(first.equal_bytes(), tmp_path / "drawn.png")
    check_alike(tmp_path / "drawn.png", ROOT / "docs/equal-bytes.png")


def test_the_picture_of_restored_files_is_that_of_the_code(tmp_path: Path) -> None:
    theory.save(restored.restored(), tmp_path / "drawn.png")
    check_alike(tmp_path / "drawn.png", ROOT / "docs/restored.png")
    for task in restored.SHOWN:
        shown = restored.pictures(task)
        clean, *received = shown.values()
        theirs, ours, lighter = (optcodec.psnr_db(clean, image) for image in received)
        assert ours > theirs
        assert ours > lighter


def check_alike(drawn: Path, committed: Path) -> None:
    """Pixels are the same but for letters, which other versions of Matplotlib may set otherwise."""
    one, other = (np.asarray(Image.open(path).convert("RGB"), int) for path in (drawn, committed))
    assert one.shape == other.shape
    assert (abs(one - other).max(axis=-1) > 32).mean() < 0.02
    assert committed.stat().st_size < 200_000


def test_our_file_has_no_more_bytes_and_less_error() -> None:
    theirs, ours = first.files()
    assert len(ours) <= len(theirs)
    assert len(ours) > 0.99 * len(theirs)
    assert np.asarray(Image.open(io.BytesIO(ours))).shape == np.asarray(Image.open(io.BytesIO(theirs))).shape


def test_the_laplacian_models_are_above_what_is_counted() -> None:
    _, models, counted = theory.distortions(theory._statistics())
    deadzone, nearest = models.values()
    assert (deadzone >= nearest).all()
    assert (nearest[50:] > counted[50:]).all()


def test_the_hull_is_convex_and_below_all_steps() -> None:
    bits, error, hull = theory.step_costs(theory._statistics())
    order = hull[np.argsort(bits[hull])]
    slopes = np.diff(error[order]) / np.diff(bits[order])
    assert (np.diff(slopes) >= 0).all()
    assert (np.interp(bits, bits[order], error[order]) <= error * (1 + 1e-9) + 1e-9).all()


def test_the_trellis_has_more_zeros_and_fewer_ones() -> None:
    rounded, chosen = theory.magnitudes().values()
    assert chosen[0] > rounded[0]
    assert chosen[1] < rounded[1]


def measured() -> ModuleType:
    from benchmarks.documents import measured

    return measured


@pytest.mark.parametrize(
    ("low", "high", "less_is_better", "expected"),
    [
        (-5, -1, True, "ahead"),
        (1, 5, True, "behind"),
        (-1, 1, True, "within chance"),
        (-1, 0, True, "within chance"),
        (-5, -1, False, "behind"),
        (1, 5, False, "ahead"),
        (0, 5, False, "within chance"),
    ],
)
def test_verdicts(low: float, high: float, less_is_better: bool, expected: str) -> None:
    assert measured().verdict(low, high, less_is_better=less_is_better) == expected


def test_commands_are_shown_without_the_folders_of_a_machine() -> None:
    text = PAGES["docs/measured.md"]
    assert "Made by `python -m benchmarks.rates.strongest --cjpeg cjpeg-static`" in text
    assert not re.search(r"[ =`]/\w+/", text)


def test_what_is_behind_is_listed_and_nothing_else() -> None:
    """Every row of the tables with the verdict "behind" is in the list, whose figures all favour the rival."""
    tables = measured().measured()
    listed = [row.split(" | ") for row in tables["measured: behind"].splitlines()[2:]]
    assert len(listed) >= 3
    for name in ("measured: people", "measured: blocks"):
        for row in tables[name].splitlines():
            if row.endswith("| behind |"):
                figure = row.split(" | ")[2]
                assert figure in [each[2] for each in listed]
    for what, _, figure, _ in listed:
        number = float(re.match(r"[-+]?[\d.]+", figure)[0])
        assert number > 0 if "bytes" in what else number < (1 if "speed" in what else 0)
