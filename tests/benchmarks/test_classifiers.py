"""What networks make of restored pictures: figures of some encoders are measured anew, and others stay."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("torchvision")
pytest.importorskip("jpeglib")

from benchmarks.receiver import classifiers


def test_figures_of_other_encoders_sets_and_networks_stay() -> None:
    earlier = {"one": {"net": {"pillow": 1, "dnn": 2}, "other": {"dnn": 3}}, "two": {"net": {"dnn": 4}}}
    merged = classifiers.merged(earlier, {"one": {"net": {"dnn": 5}}, "three": {"net": {"dnn": 6}}})
    assert merged == {
        "one": {"net": {"pillow": 1, "dnn": 5}, "other": {"dnn": 3}},
        "two": {"net": {"dnn": 4}},
        "three": {"net": {"dnn": 6}},
    }
    assert earlier["one"]["net"]["dnn"] == 2


def test_only_files_of_the_named_encoders_are_measured(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def probabilities(name: str, pixels: np.ndarray) -> np.ndarray:
        """A network of two classes that knows only how rough a picture is."""
        logits = np.array([float(pixels.std()) / 10, 5.0])
        return np.asarray(logits - np.log(np.exp(logits).sum()))

    monkeypatch.setattr(classifiers, "_log_probabilities", probabilities)
    monkeypatch.setattr(classifiers, "QUALITIES", (10, 75))
    path = tmp_path / "square.png"
    Image.fromarray(np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)).save(path)
    task = classifiers.Task("nips2017_dev", classifiers.LabelledImage(path, 1), 0.5, "tiny", ("dnn", "pillow"))
    rows = classifiers.measure(task)
    assert [(row["sender"], row["quality"]) for row in rows[:: len(classifiers.NETWORKS)]] == [
        ("dnn", 10), ("dnn", 75), ("pillow", 10), ("pillow", 75),
    ]  # fmt: skip
    assert all(len(row["loss"]) == len(classifiers.SHARES) and min(row["kl"]) >= 0 for row in rows)
    of_pillow = classifiers.summary(rows)["nips2017_dev"]["mobilenet_v2"]["pillow"]["75"]
    assert of_pillow["n"] == 1
    decoded, *restored = rows[-1]["loss"]
    assert restored[-1] != pytest.approx(decoded, abs=1e-3)
    for (low, high), loss in zip(of_pillow["loss_change"], restored, strict=True):  # of one photograph
        assert low == high == pytest.approx(loss - decoded, abs=1e-4)
