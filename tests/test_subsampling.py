"""``subsampling="auto"``: which sampling it takes, that the file is that of this sampling, and where it is refused."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from optcodec import encode, load_profile, load_utility_profile, read_jpeg, save_tables, transcode
from optcodec.console.senders import sender_of
from optcodec.effort import Request
from optcodec.errors import InvalidInputError
from optcodec.jpeg.tables import annex_k_tables
from optcodec.kernels import load
from optcodec.subsampling import OPTIMIZED, ROUNDED, worth
from optcodec.targets import (
    Bpp,
    MatchPsnr,
    MatchQuality,
    MatchSsim,
    MatchSsimulacra2,
    MatchSwe,
    MaxBytes,
    Quality,
    WaterLevel,
)
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save

RNG = np.random.default_rng(5)
PHOTO = photograph(160, 176)
GREYISH = np.ascontiguousarray(np.repeat(PHOTO.mean(2, keepdims=True).astype(np.uint8), 3, axis=2))
# Columns of red and blue that alternate: detail of chrominance that 4:2:0 does not have.
COLOURFUL = np.clip(PHOTO, 30, 225)
COLOURFUL[:, ::2, 0] += RNG.integers(8, 22, (160, 1), np.uint8)
COLOURFUL[:, 1::2, 2] += RNG.integers(8, 22, (160, 1), np.uint8)


def chosen(pixels: np.ndarray, **options: Any) -> str | None:
    return encode(pixels, subsampling="auto", **options).subsampling


WAYS: list[dict[str, Any]] = [
    {"effort": 1},
    {"effort": 2},
    {"effort": 3, "tune": "psnr"},
    {"effort": 3, "tune": "ycbcr", "progressive": True},
    {"effort": 3, "tune": "people", "progressive": True},
    {"effort": 3, "blocks": None, "scans": "apart"},
]


@pytest.mark.parametrize("way", WAYS, ids=str)
def test_detail_is_kept_at_high_rates_only(way: dict[str, Any]) -> None:
    assert chosen(COLOURFUL, quality=92, **way) == "4:4:4"
    assert chosen(COLOURFUL, quality=2, **way) == "4:2:0"
    assert chosen(GREYISH, quality=92, **way) == "4:2:0"


@pytest.mark.parametrize(
    ("high", "low"),
    [
        (Bpp(5.0), Bpp(0.3)),
        (MaxBytes(20_000), MaxBytes(900)),
        (MatchPsnr(38.0), MatchPsnr(14.0)),
        (MatchQuality(92), MatchQuality(2)),
        (Quality(92), Quality(2)),
        (MatchSwe(200.0), MatchSwe(300_000.0)),
        (WaterLevel(1.0), WaterLevel(3000.0)),
        (MatchSsimulacra2(88.0), MatchSsimulacra2(2.0)),
    ],
    ids=str,
)
def test_every_target_says_what_rate_it_is(high: Any, low: Any) -> None:
    values = [
        worth(COLOURFUL, Request(target=target, effort=effort), 75) for effort in (2, 3) for target in (high, low)
    ]
    assert values[0] > ROUNDED > values[1]
    assert values[2] > OPTIMIZED > values[3]


@pytest.mark.parametrize("way", WAYS, ids=str)
@pytest.mark.parametrize("pixels", [COLOURFUL, GREYISH], ids=["colourful", "greyish"])
def test_file_is_that_of_the_sampling(way: dict[str, Any], pixels: np.ndarray) -> None:
    files = [encode(pixels, quality=90, subsampling="auto", threads=threads, **way) for threads in (1, 3)]
    expected = encode(pixels, quality=90, subsampling=files[0].subsampling, **way)
    assert {file.data for file in files} == {expected.data}
    assert read_jpeg(expected.data).subsampling == files[0].subsampling == expected.subsampling


def test_default_stays() -> None:
    assert encode(COLOURFUL, quality=95).subsampling == "4:2:0"


def test_tables_say_the_rate() -> None:
    assert (
        chosen(COLOURFUL, tables=annex_k_tables(92))
        == chosen(COLOURFUL, tables=annex_k_tables(92), effort=3)
        == "4:4:4"
    )
    assert (
        chosen(COLOURFUL, tables=annex_k_tables(2)) == chosen(COLOURFUL, tables=annex_k_tables(2), effort=3) == "4:2:0"
    )


def test_ssim_does_not_see_chrominance() -> None:
    assert chosen(COLOURFUL, quality=92, tune="ssim") == chosen(COLOURFUL, target=MatchSsim(0.99)) == "4:2:0"


def test_grey_pixels_stay_grey() -> None:
    grey = PHOTO[..., 1]
    auto = encode(grey, subsampling="auto")
    assert auto.subsampling == "grey"
    assert auto.data == encode(grey).data


def test_size_alone_and_a_reader() -> None:
    assert chosen(COLOURFUL, target=MaxBytes(20_000)) == "4:4:4"

    def reader(original: np.ndarray) -> Any:
        def reading(decoded: np.ndarray) -> tuple[float, np.ndarray]:
            difference = decoded.astype(np.float32) - original
            return float(np.square(difference).mean()), 2 * difference / difference.size

        return reading

    assert chosen(COLOURFUL, target=MaxBytes(20_000), reader=reader, rounds=1) == "4:4:4"


def test_senders_take_it() -> None:
    sender = sender_of("optcodec:effort=3,subsampling=auto", "4:2:0")
    expected = encode(COLOURFUL, target=MaxBytes(20_000), effort=3, subsampling="4:4:4", threads=1)
    assert sender.encode(COLOURFUL, "4:2:0", MaxBytes(20_000)) == expected.data
    with pytest.raises(InvalidInputError, match="which leaves no choice"):
        sender_of("optcodec:profile=mobilenet_v2,subsampling=auto", "4:2:0")


@pytest.mark.parametrize("size", [(1, 1), (3, 40), (17, 15), (16, 400), (33, 1000), (900, 18)], ids=str)
def test_any_size(size: tuple[int, int]) -> None:
    pixels = RNG.integers(0, 256, (*size, 3), np.uint8)
    assert read_jpeg(encode(pixels, subsampling="auto", quality=98).data).subsampling in ("4:2:0", "4:4:4")


def test_refusals_in_python() -> None:
    coefficients = read_jpeg(encode(PHOTO).data)
    with pytest.raises(InvalidInputError, match="coefficients of a JPEG file keep their subsampling"):
        encode(coefficients, subsampling="auto")
    with pytest.raises(InvalidInputError, match="coefficients of a JPEG file keep their subsampling"):
        transcode(encode(PHOTO).data, subsampling="auto", allow_larger=True)
    for options in (
        {"profile": load_profile("mobilenet_v2"), "target": Bpp(1.0)},
        {"tune": load_profile("mobilenet_v2_420")},
        {"tune": load_utility_profile("deblock")},
    ):
        with pytest.raises(InvalidInputError, match=r"was measured at 4:.:., which leaves no choice"):
            encode(PHOTO, subsampling="auto", **options)
    with pytest.raises(InvalidInputError, match="subsampling is one of"):
        encode(PHOTO, subsampling="Auto")


def test_command_line(tmp_path: Path) -> None:
    picture, output, manifest = save(tmp_path / "a.png", COLOURFUL), tmp_path / "a.jpg", tmp_path / "manifest.jsonl"
    options = ("--subsampling", "auto", "--effort", 3)
    for quality, sampling in ((92, "4:4:4"), (2, "4:2:0")):
        (record,) = run_json("encode", picture, "-o", output, "-q", quality, *options, "--force")["files"]
        assert record["subsampling"] == sampling == read_jpeg(output.read_bytes()).subsampling
        assert output.read_bytes() == encode(COLOURFUL, quality=quality, effort=3, subsampling=sampling).data
    run_json("encode", picture, "-o", tmp_path / "b.jpg", "-q", 92, *options, "--manifest", manifest)
    assert json.loads(manifest.read_text().splitlines()[-1])["subsampling"] == "4:4:4"


def test_command_line_refusals(tmp_path: Path) -> None:
    picture, tables, jpeg = save(tmp_path / "a.png", PHOTO), tmp_path / "tables.json", tmp_path / "a.jpg"
    save_tables(annex_k_tables(80), tables, subsampling="4:4:4")
    jpeg.write_bytes(encode(PHOTO).data)
    auto = ("--subsampling", "auto", "-o", tmp_path / "out.jpg")
    assert "tables for 4:4:4" in refusal("encode", picture, *auto, "--tables", tables)
    assert "--shared-tables" in refusal("encode", picture, *auto, "-q", 50, "--shared-tables")
    assert "measured at" in refusal("encode", picture, *auto, "--bpp", 1, "--profile", "mobilenet_v2")
    assert "measured at" in refusal("encode", picture, *auto, "--bpp", 1, "--tune", "receiver:deblock")
    assert "keep their subsampling" in refusal("encode", jpeg, *auto)
    refused = run("design", picture, *auto, "--bpp", 1)
    assert refused.exit_code == 2
    assert "'auto' is not one of" in messages(refused)[-1]
    assert not (tmp_path / "out.jpg").exists()


def test_manifest_of_an_earlier_version(tmp_path: Path) -> None:
    picture, manifest = save(tmp_path / "a.png", PHOTO), tmp_path / "manifest.jsonl"
    arguments = ("encode", picture, "-o", tmp_path / "a.jpg", "--manifest", manifest)
    run_json(*arguments)
    run, line = manifest.read_text().splitlines()
    row = json.loads(line)
    del row["subsampling"]
    manifest.write_text(f"{run}\n{json.dumps(row)}\n")
    report = run_json(*arguments, "--resume")
    assert report["resumed"] == 1
    assert report["files"][0]["subsampling"] is None


def test_cost_is_that_of_the_obvious_sums() -> None:
    blocks = RNG.laplace(0, 20, (50, 64)).astype(np.float32)
    steps, weights = RNG.integers(1, 40, 64).astype(np.float32), RNG.uniform(0.1, 2, 64)
    cost = np.empty(2)
    load("subsampling").estimated_cost(blocks, steps, 0.74, weights, np.empty((64, 16), np.int64), np.empty(64), cost)
    ratios = abs(blocks) / steps
    indices = np.where(ratios >= np.float32(0.74), np.rint(ratios), 0) * np.sign(blocks)
    error = (np.square(blocks - indices * steps) * weights).sum()
    coded = indices.copy()
    coded[1:, 0] = np.diff(indices[:, 0])
    bits = float(len(blocks))
    for column in coded.T:
        categories = [int(abs(value)).bit_length() for value in column]
        shares = np.array([categories.count(category) for category in set(categories)]) / len(categories)
        bits += -len(categories) * (shares * np.log2(shares)).sum() + sum(categories)
    assert cost == pytest.approx([error, bits], rel=1e-5)
