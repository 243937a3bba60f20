"""Utility profiles: groups by rank, mean curves, and JSON files."""

from __future__ import annotations

import json
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from optcodec.blocks.curves import Curves
from optcodec.blocks.profile import UtilityProfile, build_profile, load_utility_profile, shipped_utility_profiles
from optcodec.blocks.provenance import UtilityProvenance
from optcodec.errors import InvalidInputError
from optcodec.trellis.tuning import Masking, Tuning

QUALITIES = (15, 50, 95)
PROVENANCE = UtilityProvenance(
    task="blur", network="a.b:c", scale=2, encoder="rdo", images=(("a.png", "00ff"), ("b.png", "11")), blocks=23,
    grids=3, stride=28, subsampling="4:4:4", seed=4, isolated=True, version="1",
)  # fmt: skip


def random_curves(blocks: int, seed: int = 1) -> Curves:
    random = np.random.default_rng(seed)
    rising = [np.cumsum(random.random((blocks, 3)) * 50, axis=1) for _ in range(3)]
    return Curves(QUALITIES, rising[0], 100 / (1 + rising[1]), 100 / (1 + rising[2]))


def profile_of(blocks: int = 23, groups: int = 5, **options: Any) -> UtilityProfile:
    return build_profile("blur", [random_curves(blocks - 8), random_curves(8, 2)], groups=groups, **options)


@settings(max_examples=50, deadline=None)
@given(st.integers(8, 60), st.integers(1, 8))
def test_groups_have_equal_numbers_in_the_order_of_utility(blocks: int, groups: int) -> None:
    curves = random_curves(blocks)
    profile = build_profile("p", [curves], groups=groups)
    ranks = profile.rank(curves)
    counts = np.bincount(ranks, minlength=groups)
    assert profile.groups == len(counts) == groups
    assert counts.max() - counts.min() <= 1
    order = sorted(range(blocks), key=lambda block: -curves.utility[block])
    assert (np.diff(ranks[order]) >= 0).all()
    for group in range(groups):
        members = ranks == group
        assert profile.utility[group] == pytest.approx(curves.utility[members].mean(), rel=1e-12)
        for name in ("nbytes", "psnr_db", "before", "after"):
            means = getattr(curves, name)[members].mean(axis=0)
            np.testing.assert_allclose(getattr(profile, name)[group], means, rtol=1e-12)
        if group < groups - 1:
            assert profile.borders[group] == curves.utility[members].min()


def test_blocks_of_other_images_are_ranked_by_the_borders() -> None:
    curves = Curves(
        (15, 95), [[0, 10]] * 4, np.ones((4, 2)), 255**2 / 10 ** (np.array([[20, x] for x in (60, 50, 40, 30)]) / 10)
    )
    profile = build_profile("p", [curves], groups=2)  # utilities 4 and 3, then 2 and 1 dB per byte
    np.testing.assert_allclose(profile.borders, [3], rtol=1e-12)
    np.testing.assert_allclose(profile.utility, [3.5, 1.5], rtol=1e-12)
    other = Curves(
        (15, 95),
        [[0, 10]] * 4,
        np.ones((4, 2)),
        255**2 / 10 ** (np.array([[20, x] for x in (10, 49.9, 50.1, 70)]) / 10),
    )
    np.testing.assert_array_equal(profile.rank(other), [1, 1, 0, 0])


def test_blocks_of_equal_utility_at_a_border_are_of_the_better_group() -> None:
    flat = Curves((15, 95), np.full((6, 2), 7.0), np.ones((6, 2)), np.ones((6, 2)))
    profile = build_profile("p", [flat], groups=3)
    np.testing.assert_array_equal(profile.utility, 0)
    np.testing.assert_array_equal(profile.rank(flat), 0)


def test_curves_are_linear_between_qualities() -> None:
    profile = profile_of()
    for column, quality in enumerate(QUALITIES):
        np.testing.assert_array_equal(profile.at(quality).after, profile.after[:, column])
    between = profile.at(57.5)  # a sixth of the distance from 50 to 95
    for name in ("nbytes", "psnr_db", "before", "after"):
        low, high = getattr(profile, name)[:, 1], getattr(profile, name)[:, 2]
        np.testing.assert_allclose(getattr(between, name), low + (high - low) / 6, rtol=1e-12)


@pytest.mark.parametrize("quality", [14, 96, float("nan")])
def test_qualities_outside(quality: float) -> None:
    with pytest.raises(InvalidInputError, match=rf"a quality of profile blur lies in 15..95, got {quality}"):
        profile_of().at(quality)


@pytest.mark.parametrize("groups", [0, 24])
def test_number_of_groups(groups: int) -> None:
    with pytest.raises(InvalidInputError, match=f"lies in 1..23, that of the blocks; got {groups}"):
        profile_of(groups=groups)


TUNED = Tuning(np.random.default_rng(1).random((3, 64)), Masking(-0.3, 1 / 3), step_ratio=0.1, one_table=True)


@pytest.mark.parametrize("strength", [np.float32(0.25), np.float64(0.25), np.int64(1), 1])
def test_a_strength_of_numpy_is_kept_as_a_float(tmp_path: Path, strength: float) -> None:
    profile = replace(profile_of(provenance=PROVENANCE), strength=strength)
    assert type(profile.strength) is float
    profile.save(tmp_path / "p.json")
    assert load_utility_profile(tmp_path / "p.json", subsampling="4:4:4").strength == strength


@pytest.mark.parametrize("fitted", [{}, {"tuning": TUNED, "strength": 1 / 3}], ids=["as measured", "fitted"])
def test_files_keep_every_digit(tmp_path: Path, fitted: dict[str, Any]) -> None:
    profile = replace(profile_of(provenance=PROVENANCE), **fitted)
    profile.save(tmp_path / "p.json")
    loaded = load_utility_profile(tmp_path / "p.json", subsampling="4:4:4")
    assert (loaded.name, loaded.provenance) == ("blur", PROVENANCE)
    for name in ("qualities", "nbytes", "psnr_db", "before", "after", "utility", "borders"):
        np.testing.assert_array_equal(getattr(loaded, name), getattr(profile, name))
        assert not getattr(loaded, name).flags.writeable
    assert loaded.strength == fitted.get("strength", 0.5)
    assert (loaded.tuning is None) == (not fitted)
    if loaded.tuning is not None:
        assert loaded.tuning.to_json() == TUNED.to_json()
        np.testing.assert_array_equal(loaded.tuning.weights, TUNED.weights)
    loaded.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "p.json").read_bytes()


def test_one_group_has_no_border(tmp_path: Path) -> None:
    profile_of(groups=1).save(tmp_path / "p.json")
    loaded = load_utility_profile(tmp_path / "p.json")
    assert (loaded.groups, loaded.borders.shape) == (1, (0,))
    np.testing.assert_array_equal(loaded.rank(random_curves(4)), 0)


def document(**changes: Any) -> dict[str, Any]:
    profile = profile_of(provenance=PROVENANCE)
    arrays = ("qualities", "nbytes", "psnr_db", "before", "after", "utility", "borders")
    values = {"format": "optcodec utility profile 1", "name": "blur"} | asdict(PROVENANCE)
    values |= {name: getattr(profile, name).tolist() for name in arrays} | changes
    return {key: value for key, value in values.items() if value is not ...}


BROKEN = {
    "another format": ({"format": "x"}, "format 'optcodec utility profile 1', found 'x'"),
    "nothing but a format": ({"utility": ..., "nbytes": ...}, r"unknown \[\], missing \['nbytes', 'utility'\]"),
    "unknown": ({"size": 3}, r"unknown \['size'\], missing \[\]"),
    "name": ({"name": 3}, "name of a profile is of type str, got 3"),
    "qualities": ({"qualities": [15, 95, 50]}, r"qualities are in rising order, got \[15, 95, 50\]"),
    "fewer qualities": ({"qualities": [15, 95]}, r"nbytes of 5 groups has the shape \(5, 2\), got \(5, 3\)"),
    "no groups": ({"utility": []}, r"utility of 0 groups has the shape \(0,\), got \(0,\)"),
    "borders": ({"borders": [1]}, r"borders of 5 groups has the shape \(4,\), got \(1,\)"),
    "ragged": ({"after": [[1], [2, 3]]}, "after of a profile is a regular list of numbers"),
    "text": ({"after": "high"}, "after of a profile is a regular list of numbers"),
    "not finite": ({"before": [[float("nan")] * 3] * 5}, "before of a profile is finite, got nan"),
    "negative": ({"nbytes": [[-2.0] * 3] * 5}, "nbytes of a profile is not negative, got -2.0"),
    "rising utility": ({"utility": [1, 2, 3, 4, 5]}, r"utility of a profile falls from group to group, got \[1"),
    "rising borders": ({"borders": [1, 2, 3, 4]}, "borders of a profile falls from group to group"),
    "weights": ({"weights": [1]}, r"unknown \['weights'\]"),
    "tuning": ({"tuning": {"weights": [1]}}, r"weights of a tuning are \(3, 64\)"),
    "no tuning": ({"tuning": None}, "not a tuning: "),
    "strength": ({"strength": 1.5}, r"strength of a profile lies in 0..1, got 1.5"),
    "strength in words": ({"strength": "half"}, r"strength of a profile lies in 0..1, got 'half'"),
    "no number as strength": ({"strength": float("nan")}, r"strength of a profile lies in 0..1, got nan"),
    "task": ({"task": 3}, "task of a profile is of type str, got 3"),
    "isolated": ({"isolated": 1}, "isolated of a profile is of type bool, got 1"),
    "seed": ({"seed": True}, "seed of a profile is of type int, got True"),
    "images": ({"images": 3}, "images of a profile is of type tuple, got 3"),
    "image": ({"images": [["a", 3]]}, "images of a profile are pairs of a name and a SHA-256"),
    "names": ({"images": ["a.png"]}, "images of a profile are pairs of a name and a SHA-256"),
    "sampling": ({"subsampling": "4:1:1"}, "subsampling is one of .* got '4:1:1'"),
    "block size": ({"block": 16}, "profile blur is for blocks of 16 pixels; expected 32"),
}


@pytest.mark.parametrize(("changes", "message"), BROKEN.values(), ids=BROKEN)
def test_broken_files(tmp_path: Path, changes: dict[str, Any], message: str) -> None:
    (tmp_path / "p.json").write_text(json.dumps(document(**changes)))
    with pytest.raises(InvalidInputError, match=rf"p\.json: .*{message}"):
        load_utility_profile(tmp_path / "p.json")


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"{", "expected the JSON of a utility profile, found Expecting"),
        (b"[1]", "found 'list'"),
        (b"[" * 100_000, "expected the JSON of a utility profile"),
        (b"\xff\xfe", "cannot read .*: not text"),
    ],
)
def test_other_files(tmp_path: Path, content: bytes, message: str) -> None:
    (tmp_path / "p.json").write_bytes(content)
    with pytest.raises(InvalidInputError, match=message):
        load_utility_profile(tmp_path / "p.json")


def test_other_blocks_or_samplings_are_refused(tmp_path: Path) -> None:
    profile_of(provenance=PROVENANCE).save(tmp_path / "p.json")
    with pytest.raises(InvalidInputError, match=r"p\.json: profile blur is for 4:4:4 sampling; expected 4:2:0"):
        load_utility_profile(tmp_path / "p.json", subsampling="4:2:0")
    with pytest.raises(InvalidInputError, match=r"p\.json: profile blur is for blocks of 32 pixels; expected 64"):
        load_utility_profile(tmp_path / "p.json", block=64)


def test_no_such_profile() -> None:
    with pytest.raises(InvalidInputError, match=r"a utility profile is a JSON file or one of .*; cannot read 'none'"):
        load_utility_profile("none")


def test_shipped_profiles_can_be_read() -> None:
    names = shipped_utility_profiles()
    assert list(names) == sorted(names)
    for name in names:
        assert load_utility_profile(name).provenance.images


def test_provenance_of_a_profile_without_any() -> None:
    profile = profile_of()
    assert profile.provenance == UtilityProvenance(blocks=23)
    assert repr(replace(profile, provenance=PROVENANCE)) == "UtilityProfile('blur', groups=5, task='blur')"


def with_errors(before: list[list[float]], after: list[list[float]]) -> UtilityProfile:
    """A profile of three groups with these errors at the qualities 15, 50 and 95."""
    rest = np.ones((3, 3))
    return UtilityProfile(
        "p", np.array(QUALITIES), rest, rest, np.array(before), np.array(after), np.zeros(3), np.zeros(2)
    )


def test_exchange_is_how_errors_fall_together_in_the_lower_half_of_qualities() -> None:
    profile = with_errors([[100, 20, 7], [50, 10, 9], [30, 30, 1]], [[80, 40, 0], [30, 28, 0], [9, 5, 2]])
    # (80 - 40) / (100 - 20); (30 - 28) / (50 - 10); if restoration gains nothing, 1/64 of the largest
    np.testing.assert_allclose(profile.exchange, [0.5, 0.05, 0.5 / 64], rtol=1e-15)


def test_exchange_has_a_least_value_where_restored_errors_rise() -> None:
    profile = with_errors([[100, 20, 7]] * 3, [[40, 48, 0], [32, 0, 0], [40, 40, 0]])
    np.testing.assert_allclose(profile.exchange, [0.4 / 64, 0.4, 0.4 / 64], rtol=1e-15)
    lost = with_errors([[100, 20, 7]] * 3, [[40, 48, 0]] * 3)
    np.testing.assert_array_equal(lost.exchange, 1.0)


def test_a_tuning_is_one() -> None:
    with pytest.raises(InvalidInputError, match="tuning of a profile is a Tuning, got str"):
        replace(profile_of(), tuning="psnr")  # type: ignore[arg-type]
