"""Tunings as plain values, and back."""

from __future__ import annotations

import json
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from optcodec import InvalidInputError, Tuning
from optcodec.jpeg.dct import forward
from optcodec.trellis.tuning import STEP_RATIO, TUNINGS, Masking, tuning_for
from tests.cli_helpers import photograph

FLAT = np.ones((3, 64))
NUMBERS = st.floats(1e-6, 1e6)


def through_text(tuning: Tuning) -> Tuning:
    return Tuning.from_json(json.loads(json.dumps(tuning.to_json(), allow_nan=False)))


@given(
    hnp.arrays(np.float64, (3, 64), elements=NUMBERS),
    st.none() | st.builds(Masking, st.floats(-2, 2), NUMBERS),
    NUMBERS,
    st.booleans(),
    st.booleans(),
    st.booleans(),
)
def test_every_digit_comes_back(
    weights: np.ndarray, masking: Masking | None, ratio: float, at_resolution: bool, of_rgb: bool, one_table: bool
) -> None:
    loaded = through_text(Tuning(weights, masking, ratio, at_resolution, of_rgb, one_table))
    np.testing.assert_array_equal(loaded.weights, weights)
    assert loaded.masking == masking
    assert (loaded.step_ratio, loaded.one_table) == (ratio, one_table)
    assert (loaded.at_resolution, loaded.of_rgb) == (at_resolution, of_rgb)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("name", TUNINGS)
def test_what_is_weighed_is_the_same(name: str, subsampling: str) -> None:
    image = forward(photograph(40, 50), subsampling)
    one, other = (tuning.criterion(image) for tuning in (TUNINGS[name], through_text(TUNINGS[name])))
    np.testing.assert_array_equal(one.per_coefficient(image), other.per_coefficient(image))
    for left, right in zip(one.scales(image), other.scales(image), strict=True):
        np.testing.assert_array_equal(left, right)


def test_full_chrominance_counts_where_chrominance_is_not_subsampled() -> None:
    full = np.full((2, 64), 0.5)
    tuning, plain = Tuning(FLAT, full_chrominance=full), Tuning(FLAT)
    assert tuning.to_json()["full_chrominance"] == full.tolist()
    assert "full_chrominance" not in plain.to_json()
    by_sampling = {sampling: forward(photograph(40, 50), sampling) for sampling in ("4:4:4", "4:2:2", "4:2:0")}
    weights = {sampling: tuning.criterion(image).weights for sampling, image in by_sampling.items()}
    np.testing.assert_array_equal(weights["4:4:4"], [FLAT[0], *full])
    for sampling in ("4:2:2", "4:2:0"):
        np.testing.assert_array_equal(weights[sampling], plain.criterion(by_sampling[sampling]).weights)


def test_weights_alone_are_enough() -> None:
    tuning = Tuning.from_json({"weights": FLAT.tolist()})
    assert (tuning.masking, tuning.step_ratio, tuning.one_table) == (None, STEP_RATIO, False)
    assert not tuning.weights.flags.writeable
    assert tuning_for(tuning) is tuning


NOT_ONE = {
    "null": (None, "not a tuning: "),
    "a number": (3, "not a tuning: "),
    "text": ("psnr", "not a tuning: "),
    "a list": ([1, 2], "not a tuning: "),
    "nothing": ({}, "not a tuning: .*weights"),
    "unknown": ({"weights": FLAT.tolist(), "size": 3}, "not a tuning: .*size"),
    "two components": ({"weights": FLAT[:2].tolist()}, r"weights of a tuning are \(3, 64\)"),
    "ragged": ({"weights": [[1], [2, 3]]}, "not a tuning: "),
    "words": ({"weights": "flat"}, "not a tuning: "),
    "negative": ({"weights": (-FLAT).tolist()}, "from 0 on and not all 0"),
    "all 0": ({"weights": (0 * FLAT).tolist()}, "from 0 on and not all 0"),
    "not finite": ({"weights": (FLAT * np.inf).tolist()}, "finite"),
    "no ratio": ({"weights": FLAT.tolist(), "step_ratio": 0}, "step_ratio is a finite number above 0, got 0"),
    "infinite ratio": ({"weights": FLAT.tolist(), "step_ratio": np.inf}, "above 0, got inf"),
    "one component": ({"weights": FLAT.tolist(), "full_chrominance": [[1.0] * 64]}, r"full_chrominance .*\(2, 64\)"),
    "negative full": (
        {"weights": FLAT.tolist(), "full_chrominance": [[-1.0] * 64] * 2},
        "full_chrominance .*from 0 on",
    ),
    "a number for a switch": ({"weights": FLAT.tolist(), "one_table": 1}, "one_table are True or False, got .*1"),
    "a word for a switch": ({"weights": FLAT.tolist(), "of_rgb": "no"}, "one_table are True or False, got .*'no'"),
    "masking": ({"weights": FLAT.tolist(), "masking": {"exponent": 1}}, "not a tuning: .*floor"),
    "masking as a list": ({"weights": FLAT.tolist(), "masking": [1, 2]}, "not a tuning: "),
    "floor": ({"weights": FLAT.tolist(), "masking": {"exponent": 1, "floor": 0}}, "masking has a finite exponent"),
    "exponent": ({"weights": FLAT.tolist(), "masking": {"exponent": np.nan, "floor": 1}}, "a finite exponent"),
}


@pytest.mark.parametrize(("values", "message"), NOT_ONE.values(), ids=NOT_ONE)
def test_other_values_are_refused(values: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Tuning.from_json(values)
