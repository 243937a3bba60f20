"""Rows of measurements: saved and loaded again, joined, and refused if their arrays do not fit."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optcodec.accuracy.conditions import Condition
from optcodec.accuracy.rows import Rows
from optcodec.errors import InvalidInputError

CONDITIONS = (Condition("jpeg", "1", 75), Condition("opts:laplacian", "2", 0.051))
PER_IMAGE = ("pixels", "labels", "reference_loss", "reference_rank", "reference_predicted")
PER_FILE = ("nbytes", "loss", "rank", "predicted", "psnr_db", "swe", "met")
DTYPES = {"pixels": np.int64, "labels": np.int64, "nbytes": np.int64, "met": np.bool_}
DTYPES |= dict.fromkeys(("reference_rank", "reference_predicted", "rank", "predicted"), np.int32)


def rows(names: tuple[str, ...] = ("a.png", "ü/b.png", "c.png"), seed: int = 0, **changes: Any) -> Rows:
    random = np.random.default_rng(seed)
    shapes = dict.fromkeys(PER_IMAGE, (len(names),)) | dict.fromkeys(PER_FILE, (2, len(names)))
    arrays = {n: random.integers(0, 99, shape).astype(DTYPES.get(n, np.float32)) for n, shape in shapes.items()}
    return Rows(**{"conditions": CONDITIONS, "images": names} | arrays | changes)


def assert_equal(actual: Rows, expected: Rows) -> None:
    assert (actual.conditions, actual.images) == (expected.conditions, expected.images)
    for name in PER_IMAGE + PER_FILE:
        np.testing.assert_array_equal(getattr(actual, name), getattr(expected, name), name, strict=True)


def test_rows_come_back_from_a_file(tmp_path: Path) -> None:
    written = rows(psnr_db=np.array([[np.inf, 1, 2], [3, 4, 5]], np.float32))
    written.save(tmp_path / "rows.npz")
    assert_equal(Rows.load(tmp_path / "rows.npz"), written)
    assert [path.name for path in tmp_path.iterdir()] == ["rows.npz"]


def test_rows_are_read_only_copies() -> None:
    loss = np.zeros((2, 3), np.float32)
    copy = rows(loss=loss)
    loss += 1
    assert (copy.loss == 0).all()
    with pytest.raises(ValueError, match="read-only"):
        copy.loss[0, 0] = 1


def test_all_files_meet_their_condition_by_default() -> None:
    arrays = {name: getattr(rows(), name) for name in PER_IMAGE + PER_FILE if name != "met"}
    created = Rows(CONDITIONS, rows().images, **arrays)
    assert created.met.shape == (2, 3)
    assert created.met.all()


def test_joined() -> None:
    first, second = rows(("a", "b")), rows(("c",), seed=1)
    joined = Rows.joined([first, second])
    assert joined.images == ("a", "b", "c")
    np.testing.assert_array_equal(joined.swe, np.hstack([first.swe, second.swe]))
    np.testing.assert_array_equal(joined.labels, np.hstack([first.labels, second.labels]))
    other = rows(conditions=(CONDITIONS[0], Condition("jpeg", "1", 80)))
    for parts in ([first, other], []):
        with pytest.raises(InvalidInputError, match=f"same conditions, got {len(parts)}"):
            Rows.joined(parts)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"conditions": CONDITIONS[:1] * 2}, "conditions are all different"),
        (
            {"loss": np.zeros((3, 2), np.float32)},
            r"expected loss of type and shape float32 \(2, 3\), got float32 \(3, 2\)",
        ),
        ({"labels": np.zeros(3)}, r"expected labels of type and shape int64 \(3,\), got float64 \(3,\)"),
        ({"images": ("a",)}, r"expected pixels of type and shape int64 \(1,\), got int64 \(3,\)"),
        ({"met": np.ones((2, 3))}, r"expected met of type and shape bool \(2, 3\), got float64"),
    ],
)
def test_rows_that_do_not_fit(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        rows(**changes)


def test_files_that_hold_no_rows(tmp_path: Path) -> None:
    path = tmp_path / "rows.npz"
    with pytest.raises(InvalidInputError, match=r"cannot read .*rows\.npz: No such file"):
        Rows.load(path)
    rows().save(path)
    saved = path.read_bytes()
    for content in (b"", b"not a zip", saved[:300], saved[:90] + bytes(20) + saved[110:]):
        path.write_bytes(content)
        with pytest.raises(InvalidInputError, match=r"rows\.npz holds no measured rows"):
            Rows.load(path)
    np.savez(path, loss=np.zeros(3))
    with pytest.raises(InvalidInputError, match=r"rows\.npz holds no measured rows: 'method'"):
        Rows.load(path)
    np.savez(path, method=np.array([None]))
    with pytest.raises(InvalidInputError, match=r"rows\.npz holds no measured rows: .*allow_pickle"):
        Rows.load(path)
