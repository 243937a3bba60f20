"""The benchmarks of networks that give no classes: what they store of a photograph, and their means."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest.importorskip("torch")

from benchmarks.accuracy.agreement import JPEG, Subject, measured, summary
from tests.cli_helpers import photograph, save


def test_a_photograph_and_its_files(tmp_path: Path) -> None:
    save(tmp_path / "a.png", photograph(48, 64))
    closeness = Subject(
        "closeness",
        lambda pixels: {"agreement": pixels.astype(float), "rows": pixels.mean(1)},
        lambda after, before: float((abs(after - before) < 8).mean()),
        {"trellis": {"effort": 3, "tune": "psnr"}},
        {},
        ("numpy",),
    )
    rows = measured(closeness, tmp_path / "a.png", 20)
    assert list(rows) == [JPEG, "trellis"]
    assert 0.9 * rows[JPEG]["nbytes"] < rows["trellis"]["nbytes"] <= rows[JPEG]["nbytes"]
    assert rows["trellis"]["psnr_db"] > rows[JPEG]["psnr_db"]
    assert 0 < rows[JPEG]["agreement"] < rows["trellis"]["agreement"] < 1
    assert rows[JPEG]["agreement"] < rows[JPEG]["rows"]


def test_means_and_gains() -> None:
    photos = {
        name: {
            way: {"nbytes": nbytes, "psnr_db": 30.0, "agreement": part + gain, "wide": part}
            for way, gain in ((JPEG, 0.0), ("mine", 0.25))
        }
        for name, nbytes, part in (("a", 100, 0.5), ("b", 300, 0.25))
    }
    figures = summary(photos)
    assert figures["mine"]["nbytes"] == 200
    assert figures["mine"]["agreement"]["value"] == 0.625
    assert figures["mine"]["agreement"]["low"] == 0.5
    assert figures["mine"]["gain"] == {"value": 0.25, "low": 0.25, "high": 0.25}
    assert figures["mine"]["wide, gain"] == {"value": 0.0, "low": 0.0, "high": 0.0}
