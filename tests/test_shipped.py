"""Profiles, QP-NETs and recipes are loaded by the name of a shipped file or by path, and saved without changes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

import optcodec
from optcodec import InvalidInputError
from optcodec.blocks.qpnet import load_qpnet
from optcodec.shipped import ShippedFiles
from restore.training.recipe import load_recipe

DATA = Path(optcodec.__file__).parent / "data"
LOADERS: dict[str, Callable[[str], Any]] = {
    "a profile is a JSON file": optcodec.load_profile,
    "a utility profile is a JSON file": optcodec.load_utility_profile,
    "a QP-NET is an .npz file": load_qpnet,
    "a recipe is a JSON file": load_recipe,
}


@pytest.mark.parametrize("start", LOADERS)
@pytest.mark.parametrize("reason", ["No such file", "Is a directory", "expected at most", "null"])
def test_what_cannot_be_read_is_refused_with_the_names_there_are(start: str, reason: str, tmp_path: Path) -> None:
    paths = {"No such file": "none", "Is a directory": str(tmp_path), "expected at most": "/dev/zero", "null": "a\0b"}
    with pytest.raises(InvalidInputError, match=rf"{start} or one of \w+.*; cannot read .*: .*{reason}"):
        LOADERS[start](paths[reason])


def test_the_largest_file_is_read(tmp_path: Path) -> None:
    files = ShippedFiles("a text", "a file", "optcodec", ("data",), largest=5)
    (tmp_path / "a").write_bytes(b"12345")
    assert files.read(tmp_path / "a") == b"12345"
    assert files.read_text(str(tmp_path / "a")) == "12345"
    (tmp_path / "a").write_bytes(b"123456")
    with pytest.raises(InvalidInputError, match="expected at most 5 bytes, found more"):
        files.read(tmp_path / "a")


def test_a_path_that_is_called_like_a_shipped_file_is_a_path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    optcodec.load_profile("generic").save("mobilenet_v2")
    assert optcodec.load_profile("mobilenet_v2").name == "mobilenet_v2"
    assert optcodec.load_profile(Path("mobilenet_v2")).name == "generic"


def test_a_package_without_such_files_says_so() -> None:
    files = ShippedFiles("a text", "a file", "optcodec", ("data", "texts"))
    assert files.names == ()
    with pytest.raises(InvalidInputError, match="a text is a file or one of those that are shipped \\(none\\); cannot"):
        files.read("x")


@pytest.mark.parametrize("name", optcodec.shipped_profiles())
def test_a_shipped_sensitivity_profile_is_saved_as_it_is(name: str, tmp_path: Path) -> None:
    """The oldest profiles do not say that their images were clean."""
    optcodec.load_profile(name).save(tmp_path / "p.json")
    saved, shipped = (path.read_text() for path in (tmp_path / "p.json", DATA / f"{name}.json"))
    assert saved == shipped or saved == shipped.replace('"standard_errors"', '"quality": null,\n"standard_errors"')


@pytest.mark.parametrize("name", optcodec.shipped_utility_profiles())
def test_a_shipped_utility_profile_is_saved_as_it_is(name: str, tmp_path: Path) -> None:
    optcodec.load_utility_profile(name).save(tmp_path / "p.json")
    assert (tmp_path / "p.json").read_bytes() == (DATA / "utility" / f"{name}.json").read_bytes()


def test_names_may_look_like_rows_of_a_matrix(tmp_path: Path) -> None:
    """Line breaks are written between the rows of a matrix, never within texts, where JSON does not allow them."""
    profile = optcodec.load_utility_profile("deblock")
    about = dataclasses.replace(profile.provenance, images=(("a], [b.png", "0" * 64), ("c]], [[d.png", "1" * 64)))
    dataclasses.replace(profile, provenance=about).save(tmp_path / "p.json")
    assert optcodec.load_utility_profile(tmp_path / "p.json").provenance == about


def test_true_is_no_number() -> None:
    with pytest.raises(InvalidInputError, match=r"images of a profile is of type int, got True"):
        optcodec.Provenance(images=True)
    with pytest.raises(InvalidInputError, match=r"seed of a profile is of type int \| None, got True"):
        optcodec.Provenance(seed=True)
    with pytest.raises(InvalidInputError, match=r"isolated of a profile is of type bool, got 1"):
        optcodec.UtilityProvenance(isolated=1)  # type: ignore[arg-type]
