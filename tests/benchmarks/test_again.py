"""Benchmarks of rates that measure only what has changed, and keep all else."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click import UsageError

pytest.importorskip("bjontegaard")
pytest.importorskip("jpeglib")

from benchmarks.rates import peers
from benchmarks.rates.rd import chosen, encoders


def test_named_encoders_are_chosen() -> None:
    every = encoders()
    assert chosen(every, ()) == every
    assert list(chosen(every, ["optcodec people"])) == ["optcodec people"]
    with pytest.raises(UsageError, match=r"there are the encoders libjpeg-turbo; .*got optcodec poeple"):
        chosen(every, ["optcodec poeple"])


def test_earlier_figures_are_those_of_the_same_photographs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(peers, "RESULTS", tmp_path)
    monkeypatch.setattr("benchmarks.record.RESULTS", tmp_path)
    (tmp_path / "rd.json").write_text(json.dumps({"images": ["Kodak/a.png", "Kodak/b.png"]}))
    rows = np.arange(2 * 3 * len(peers.COLUMNS), dtype=float).reshape(2, 3, -1)  # two photographs, three qualities
    np.savez_compressed(tmp_path / "rd.npz", **{"optcodec psnr": rows})
    paths = [Path("data/Kodak/a.png"), Path("data/Kodak/b.png")]
    first, second = peers.before("rd", paths)
    assert first["optcodec psnr"][0] == dict(zip(peers.COLUMNS, range(5), strict=True))
    assert [file["nbytes"] for file in second["optcodec psnr"]] == [15, 20, 25]
    with pytest.raises(UsageError, match="the result has 2 photographs, which are not the 1 of now"):
        peers.before("rd", paths[:1])
