"""`optcodec encode --effort 4 --tune people`: people who look at the file are in the loop."""

from __future__ import annotations

from pathlib import Path

import pytest

from optcodec import Bpp, MaxBytes, encode
from optcodec.console.senders import sender_of
from tests.cli_helpers import photograph, refusal, run, run_json, save

PIXELS = photograph(48, 64)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "a.png", PIXELS)


def test_people_are_the_reader(picture: Path) -> None:
    out = picture.with_name("a.jpg")
    options = "--max-bytes", 1200, "--effort", 4, "--tune", "people"
    record = run_json("encode", picture, "-o", out, *options)
    expected = encode(PIXELS, target=MaxBytes(1200), effort=4, tune="people")
    assert out.read_bytes() == expected.data
    assert (record["effort"], record["tune"], record["readers"]) == (4, "people", [])
    assert record["files"][0]["losses"] == pytest.approx([expected.loss])


def test_rounds_ask_for_effort_4(picture: Path) -> None:
    out = picture.with_name("a.jpg")
    run("encode", picture, "-o", out, "--bpp", 1, "--tune", "people", "--rounds", 1)
    assert out.read_bytes() == encode(PIXELS, target=Bpp(1.0), tune="people", effort=4, rounds=1).data


@pytest.mark.parametrize("options", [(), ("--tune", "psnr"), ("--tune", "ssim"), ("--max-bytes", 900)], ids=str)
def test_other_tunings_need_a_reader(picture: Path, options: tuple[object, ...]) -> None:
    message = "--effort 4 needs --network or --reader, got none; or a file that is tuned for people"
    assert message in refusal("encode", picture, "-o", picture.with_name("a.jpg"), "--effort", 4, *options)
    assert not picture.with_name("a.jpg").exists()


def test_senders_are_for_people() -> None:
    data = sender_of("optcodec:effort=4,tune=people,rounds=1", "4:2:0").encode(PIXELS, "4:2:0", MaxBytes(1200))
    assert data == encode(PIXELS, target=MaxBytes(1200), effort=4, tune="people", rounds=1).data
