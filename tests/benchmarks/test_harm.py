"""The sweep that looks for files which a receiver makes worse counts them, and makes all kinds of files."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import click
import numpy as np
import pytest
from skimage import data

from benchmarks.receiver import harm
from optcodec import annex_k_tables, decode, encode, read_jpeg
from restore.channel.drawings import drawing


def row(quality: int, image: str, decoded: float, restored: float) -> dict[str, Any]:
    return {"coding": "pillow, 4:2:0", "quality": quality, "image": image, "was_coded": image == "coded"} | {
        "decoded": decoded,
        "tiny": restored,
    }


def test_files_are_harmed_from_the_loss_of_their_quality_on() -> None:
    rows = [
        row(90, "a", 40.0, 39.985), row(90, "b", 40.0, 39.97), row(95, "a", 45.0, 44.999), row(95, "b", 45.0, 45.0),
        row(100, "a", np.inf, np.inf), row(100, "b", 50.0, 51.0),
    ]  # fmt: skip
    figures = harm.summary(rows, "tiny")
    assert figures["files"] == 6
    assert [(file["quality"], file["image"], file["gain"]) for file in figures["harmed"]] == [
        (90, "b", -0.03),
        (95, "a", -0.001),
    ]
    gains = figures["gains"]["pillow, 4:2:0"]
    assert gains["90"]["mean"] == pytest.approx(-0.0225, abs=1e-3)
    assert gains["90"]["least"] == -0.03
    assert gains["90"]["interval"][0] < gains["90"]["mean"] < gains["90"]["interval"][1]
    assert gains["100"] == {"mean": 0.5, "interval": [0.0, 1.0], "least": 0.0}


def test_a_file_that_equals_the_original_and_becomes_worse_is_harmed() -> None:
    figures = harm.summary([row(100, "a", np.inf, 60.0)], "tiny")
    assert [file["gain"] for file in figures["harmed"]] == [60.0 - harm.EQUAL]
    assert figures["gains"]["pillow, 4:2:0"]["100"]["least"] == 60.0 - harm.EQUAL


def test_pictures_that_were_jpeg_files_are_counted_apart() -> None:
    figures = harm.summary([row(90, "a", 40.0, 41.0), row(90, "coded", 40.0, 39.0)], "tiny")
    assert (figures["files"], figures["harmed"]) == (1, [])
    assert figures["files_of_coded_pictures"] == 1
    assert [file["image"] for file in figures["harmed_of_coded_pictures"]] == ["coded"]


def test_codings_that_are_measured_again_take_the_place_of_those_before() -> None:
    def summary(*files: tuple[str, float]) -> dict[str, Any]:
        return harm.summary([row(90, "a", 40.0, after) | {"coding": coding} for coding, after in files], "tiny")

    both = summary(("pillow, 4:2:0", 39.0), ("receiver, 4:2:0", 38.0))
    again = harm.renewed(both, summary(("receiver, 4:2:0", 39.5)))
    assert again == summary(("pillow, 4:2:0", 39.0), ("receiver, 4:2:0", 39.5))
    assert (
        harm.renewed(both, summary(("receiver, 4:2:0", 41.0)))["harmed"] == summary(("pillow, 4:2:0", 39.0))["harmed"]
    )
    assert {coding.sender for coding in harm.codings(("receiver", "dnn"))} == {"receiver", "dnn"}


def test_another_sweep_cannot_be_measured_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "receiver_harm.json").write_text(json.dumps({"pictures": ["a"], "models": {"tiny": {}}}))
    monkeypatch.setattr("benchmarks.record.RESULTS", tmp_path)
    assert harm._earlier(["a"], ("tiny",)) == {"tiny": {}}
    for names, models in ((["b"], ("tiny",)), (["a"], ("tiny", "default"))):
        with pytest.raises(click.UsageError, match="1 pictures and the models tiny, which are not those"):
            harm._earlier(names, models)


@pytest.mark.parametrize(("quality", "coded"), [(None, False), (60, True)])
def test_a_picture_that_was_a_jpeg_file_shows_it(quality: int | None, coded: bool) -> None:
    pixels = np.ascontiguousarray(data.astronaut()[:256, :256])
    if quality is not None:
        pixels = decode(encode(pixels, quality=quality, subsampling="4:4:4").data)
    assert harm.was_coded(pixels) == coded


def test_all_senders_and_samplings_are_swept() -> None:
    codings = harm.codings()
    assert len(set(codings)) == len(codings)
    once = {(coding.sender, coding.subsampling) for coding in codings if coding.earlier is None}
    assert {sender for sender, _ in once} == set(harm.SENDERS)
    assert {subsampling for sender, subsampling in once if sender == "dnn"} == {"4:2:0"}
    assert {subsampling for sender, subsampling in once if sender == "jpegli"} == {"4:2:0", "4:4:4"}


@pytest.mark.parametrize("earlier", [None, 15])
def test_a_file_has_the_quality_and_the_sampling_of_its_coding(earlier: int | None) -> None:
    pixels = np.ascontiguousarray(drawing(harm.FIRST_DRAWING)[:64, :64])
    image = read_jpeg(harm.Coding("pillow", 90, "4:4:4", earlier).file(pixels))
    once = read_jpeg(harm.Coding("pillow", 90, "4:4:4").file(pixels))
    assert {(part.v, part.h) for part in image.components} == {(1, 1)}
    assert np.array_equal(image.tables[0].steps, annex_k_tables(90)[0].steps)
    assert np.array_equal(image.components[0].blocks, once.components[0].blocks) == (earlier is None)
