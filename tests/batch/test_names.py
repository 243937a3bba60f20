"""Names of coded files: rules for two pictures of one name, and what is refused."""

from __future__ import annotations

from pathlib import Path, PurePath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from optcodec.batch.names import check_targets, output_names
from optcodec.batch.places import Url
from optcodec.errors import InvalidInputError
from tests.batch.helpers import folder_of, rows_of
from tests.cli_helpers import photograph, refusal, run, run_json, save

NAMES = ["a.bmp", "a.png", "a-2.png", "b.jfif", "b.JPG", "sub/a.png"]


def named(*names: str, rule: str | None, taken: dict[int, PurePath] | None = None) -> list[str]:
    return [str(name) for name in output_names([PurePath(name) for name in names], rule, taken)]  # type: ignore[arg-type]


def test_suffixes_are_kept() -> None:
    expected = ["a.bmp.jpg", "a.png.jpg", "a-2.png.jpg", "b.jfif", "b.JPG", "sub/a.png.jpg"]
    assert named(*NAMES, rule="keep") == expected


def test_numbers_are_the_first_that_are_free() -> None:
    expected = ["a.jpg", "a-3.jpg", "a-2.jpg", "b.jpg", "b-2.jpg", "sub/a.jpg"]
    assert named(*NAMES, rule="number") == expected


def test_names_that_were_chosen_before_stay() -> None:
    assert named("a.bmp", "a.png", rule="number", taken={1: PurePath("a.jpg")}) == ["a-2.jpg", "a.jpg"]


@given(
    st.lists(st.tuples(st.sampled_from("ab"), st.sampled_from(["", "-2", "-3"]), st.sampled_from("pqr")), unique=True)
)
def test_no_two_numbered_names_are_the_same(parts: list[tuple[str, str, str]]) -> None:
    names = named(*(f"{stem}{number}.{suffix}" for stem, number, suffix in parts), rule="number")
    assert len(set(names)) == len(names)
    assert all(name.endswith(".jpg") for name in names)


def test_two_urls_of_one_name_are_refused() -> None:
    sources, target = [Url("memory://in/a.png"), Url("memory://in/a.bmp")], Url("memory://out/a.jpg")
    with pytest.raises(
        InvalidInputError, match=r"a\.png and memory://in/a\.bmp would both be written to .*; expected x"
    ):
        check_targets(sources, [target, target], force=False, hint="; expected x")
    with pytest.raises(InvalidInputError, match=r"memory://in/a\.png is an input"):
        check_targets(sources[:1], sources[:1], force=False)


@pytest.fixture
def twins(tmp_path: Path) -> Path:
    """A folder with two pictures of one name, and one in a file with the suffix .jfif."""
    save(tmp_path / "in/a.png", photograph(16, 24))
    save(tmp_path / "in/a.jpg", photograph(20, 24))
    save(tmp_path / "in/b.jfif", photograph(24, 24), format="JPEG")
    return tmp_path / "in"


def test_a_collision_is_refused_with_the_remedy(twins: Path) -> None:
    line = refusal("encode", twins, "-o", twins.parent / "out")
    assert line.endswith("expected two names, or --suffix keep or number")
    assert not (twins.parent / "out").exists()


@pytest.mark.parametrize(
    ("rule", "expected"), [("keep", ["a.jpg", "a.png.jpg", "b.jfif"]), ("number", ["a-2.jpg", "a.jpg", "b.jpg"])]
)
def test_a_rule_codes_all_of_them(twins: Path, rule: str, expected: list[str]) -> None:
    out = twins.parent / "out"
    report = run_json("encode", twins, "-o", out, "--suffix", rule)
    assert sorted(path.name for path in out.iterdir()) == expected
    sizes = {Path(record["input"]).name: record["height"] for record in report["files"]}
    assert sizes == {"a.png": 16, "a.jpg": 20, "b.jfif": 24}


def test_numbers_stay_when_a_job_goes_on(twins: Path) -> None:
    out, manifest = twins.parent / "out", twins.parent / "m.jsonl"
    arguments = ["encode", twins, "-o", out, "--suffix", "number", "--manifest", manifest, "--resume"]
    run_json(*arguments)
    before = {row["source"]: row["output"] for row in rows_of(manifest)}
    save(twins / "a.bmp", photograph(28, 24))  # the first of its name in sorted order
    report = run_json(*arguments)
    after = {row["source"]: row["output"] for row in rows_of(manifest)}
    assert after == before | {str(twins / "a.bmp"): str(out / "a-3.jpg")}
    assert report["resumed"] == 3


@pytest.mark.parametrize("options", [["--suffix", "keep"], ["--other", "copy"]])
def test_rules_for_folders_need_a_folder(tmp_path: Path, options: list[str]) -> None:
    picture = save(tmp_path / "a.png", photograph(8, 8))
    for output in ([], ["-o", tmp_path / "b.jpg"]):
        assert f"{options[0]} is about the files in an output folder" in refusal("encode", picture, *output, *options)


def test_what_lies_in_the_output_folder_is_no_input(tmp_path: Path) -> None:
    source = folder_of(tmp_path / "in", 4)
    for _ in range(2):
        report = run_json("encode", source, "-o", source / "out")
        assert len(report["files"]) == 4
    assert run("encode", source, "-o", source, "--force").exit_code == 0  # here it is what shall be coded
    assert len(list((source / "out").rglob("*.jpg"))) == 4
