"""Sensitivity profiles: checked when made, saved and loaded with every digit; the shipped ones are complete."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, replace
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose

from optcodec.errors import InvalidInputError
from optcodec.vision.profile import Provenance, SensitivityProfile, load_profile, shipped_profiles

WEIGHTS = np.random.default_rng(0).random((3, 8, 8)) / 3e7
ERRORS = WEIGHTS / 7
PROVENANCE = Provenance(
    model="some.package:net",
    weights_sha256="ab" * 32,
    data='a "folder"], [of images',
    images=40,
    labels="labels.csv",
    loss="cross_entropy",
    seed=3,
    image_size="224x224",
    subsampling="4:2:0",
    standard_errors=ERRORS,
    version="0.1.0",
)
PROFILE = SensitivityProfile("näme", WEIGHTS, PROVENANCE)


def document() -> dict[str, object]:
    return {
        "format": "optcodec sensitivity profile 1",
        "name": "p",
        "weights": WEIGHTS.tolist(),
        "standard_errors": ERRORS.tolist(),
        "images": 3,
    }


def test_json_keeps_every_field_and_every_digit(tmp_path: Path) -> None:
    path = tmp_path / "profile.json"
    PROFILE.save(path)
    again = load_profile(path)
    assert again.name == PROFILE.name
    assert np.array_equal(again.weights, WEIGHTS)
    assert np.array_equal(again.provenance.standard_errors, ERRORS)
    assert vars(replace(again.provenance, standard_errors=None)) == vars(replace(PROVENANCE, standard_errors=None))
    assert [entry.name for entry in tmp_path.iterdir()] == ["profile.json"]
    again.save(tmp_path / "again.json")
    assert (tmp_path / "again.json").read_bytes() == path.read_bytes()


def test_a_profile_may_lack_its_provenance(tmp_path: Path) -> None:
    SensitivityProfile("bare", WEIGHTS).save(tmp_path / "bare.json")
    assert load_profile(tmp_path / "bare.json").provenance.standard_errors is None
    short = {key: value for key, value in document().items() if key in ("format", "name", "weights")}
    (tmp_path / "short.json").write_text(json.dumps(short))
    assert np.array_equal(load_profile(str(tmp_path / "short.json")).weights, WEIGHTS)


def test_a_profile_is_frozen_and_owns_its_weights() -> None:
    weights = np.ones((3, 8, 8))
    profile = SensitivityProfile("p", weights)
    weights[0, 0, 0] = 5
    assert profile.weights[0, 0, 0] == 1
    with pytest.raises(FrozenInstanceError):
        profile.name = "q"  # type: ignore[misc]
    with pytest.raises(ValueError, match="read-only"):
        profile.weights[0, 0, 0] = 2


def test_normalized_has_the_reference_scale() -> None:
    normal = PROFILE.normalized()
    assert_allclose(normal.weights[0].max(), 0.1, rtol=1e-12)
    assert_allclose(normal.weights / WEIGHTS, np.full((3, 8, 8), 0.1 / WEIGHTS[0].max()), rtol=1e-12)
    assert_allclose(normal.provenance.standard_errors, normal.weights / 7, rtol=1e-12)
    assert_allclose(normal.normalized().weights, normal.weights, rtol=1e-12)
    chroma_only = np.ones((3, 8, 8))
    chroma_only[0] = 0
    with pytest.raises(InvalidInputError, match="no luminance weight above zero"):
        SensitivityProfile("p", chroma_only).normalized()


def changed(index: tuple[int, int, int], value: float) -> np.ndarray:
    weights = WEIGHTS.copy()
    weights[index] = value
    return weights


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        (WEIGHTS[0], r"shape \(3, 8, 8\) for Y, Cb and Cr, got \(8, 8\)"),
        (WEIGHTS.reshape(3, 64), r"got \(3, 64\)"),
        ([[1, 2], [3]], "not regular"),
        ("weights", "not regular"),
        (None, "got"),
        (np.zeros((3, 8, 8)), "above 0, got only zeros"),
        (changed((1, 2, 3), -1e-9), "got -1e-09"),
        (changed((0, 0, 0), np.nan), "got nan"),
        (changed((2, 7, 7), np.inf), "got inf"),
    ],
)
def test_weights_are_refused_with_the_reason(weights: object, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        SensitivityProfile("p", weights)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"format": None}, "expected a JSON object with format"),
        ({"format": "optcodec sensitivity profile 2"}, "profile 2"),
        ({"weights": [[1.0] * 64] * 3}, r"got \(3, 64\)"),
        ({"standard_errors": [1.0]}, r"standard errors have shape \(3, 8, 8\) for Y, Cb and Cr, got \(1,\)"),
        ({"images": "many"}, "images of a profile is of type int, got 'many'"),
        ({"seed": 0.5}, r"seed of a profile is of type int \| None, got 0.5"),
        ({"model": None}, "model of a profile is of type str, got None"),
        ({"subsampling": "4:1:1"}, "subsampling is one of .*; got '4:1:1'"),
        ({"name": 3}, "name of a profile is of type str, got 3"),
        ({"colour": 1}, r"unknown \['colour'\]"),
    ],
)
def test_a_file_is_refused_with_its_name(tmp_path: Path, change: dict[str, object], message: str) -> None:
    path = tmp_path / "wrong.json"
    path.write_text(json.dumps(document() | change))
    with pytest.raises(InvalidInputError, match=message) as caught:
        load_profile(path)
    assert str(path) in str(caught.value)


def test_files_that_hold_no_profile(tmp_path: Path) -> None:
    path = tmp_path / "wrong.json"
    for text in ("", "{", "[1, 2]", "[" * 100_000, '{"name": "p"}'):
        path.write_text(text)
        with pytest.raises(InvalidInputError, match=r"wrong\.json: expected"):
            load_profile(path)
    path.write_bytes(b"\xff\xd8\xff\xe0")
    with pytest.raises(InvalidInputError, match="not text"):
        load_profile(path)
    missing = document()
    del missing["weights"]
    path.write_text(json.dumps(missing))
    with pytest.raises(InvalidInputError, match=r"missing \['weights'\]"):
        load_profile(path)


def test_an_unknown_name_is_answered_with_the_names_there_are() -> None:
    with pytest.raises(InvalidInputError, match=r"generic, mobilenet_v1_420, .*_1_420; cannot read 'mobilenet'"):
        load_profile("mobilenet")


def test_what_cannot_be_written_leaves_nothing_behind(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match="cannot write"):
        PROFILE.save(tmp_path / "file" / "p.json")
    (tmp_path / "p.json").mkdir()
    with pytest.raises(InvalidInputError, match="cannot write"):
        PROFILE.save(tmp_path / "p.json")
    assert sorted(entry.name for entry in tmp_path.iterdir()) == ["file", "p.json"]


NETWORKS = ["mobilenet_v2", "squeezenet1_1"]
ALL = ["squeezenet1_1", "mobilenet_v2", "mobilenet_v1", "efficientnet_lite0", "efficientnet_lite1"]


@pytest.mark.parametrize("name", [*NETWORKS, *(f"{name}_420" for name in ALL)])
def test_shipped_profiles_are_whole(name: str) -> None:
    assert name in shipped_profiles()
    profile = load_profile(name)
    about = profile.provenance
    model, small = name.removesuffix("_420"), name.endswith("_420")
    expected = ("4:2:0", 400, 40, "self") if small else ("4:4:4", 500, None, "labels.csv")
    assert (profile.name, about.model) == (name, model)
    assert (about.subsampling, about.images, about.quality, about.labels) == expected
    assert len(about.weights_sha256) == 64
    assert about.version
    assert (profile.weights > 0).all()
    assert about.standard_errors is not None
    assert 0 < (about.standard_errors / profile.weights).max() < 0.5
    # Such networks are most sensitive to luminance, and hardly to high frequencies of chroma, unless it is subsampled.
    chroma = profile.weights[1:, 4:, 4:].mean() / profile.weights[0].mean()
    assert chroma < (0.4 if small else 0.1)


def test_the_generic_profile_is_the_mean_of_networks() -> None:
    profile = load_profile("generic")
    parts = [load_profile(f"{name}_420").weights for name in ALL]
    expected = np.mean([part / part.sum() for part in parts], axis=0)
    assert np.allclose(profile.weights, expected, rtol=1e-6)
    assert (profile.provenance.subsampling, profile.provenance.quality) == ("4:2:0", 40)
