"""Senders: files that meet targets, by encoders of others and our own."""

from __future__ import annotations

import math

import numpy as np
import pytest

import optcodec
from optcodec.errors import InvalidInputError, TargetNotMetError
from optcodec.jpeg.dct import forward
from optcodec.metrics import EQUAL_WEIGHTS, luminance_ssim, psnr_db, swe
from optcodec.peers.encoders import PEERS, encode_turbo
from optcodec.peers.line import PeerLine
from optcodec.rates import (
    OptcodecSender,
    PeerSender,
    Rate,
    decoded,
    peer_sender,
)
from optcodec.targets import MatchPsnr, MatchSsim, MaxBytes, Quality, WaterLevel
from tests.cli_helpers import photograph

JPEG = PeerSender("jpeg", encode_turbo)
PICTURE = photograph(72, 88)


@pytest.mark.parametrize("name", PEERS)
@pytest.mark.parametrize("pixels", [PICTURE, PICTURE[..., 0]], ids=["colour", "gray"])
def test_peers_meet_targets_by_whole_qualities(name: str, pixels: np.ndarray) -> None:
    """As a search over all qualities does it."""
    sender = peer_sender("x", name)
    files = {quality: PEERS[name](pixels, "4:2:0", quality) for quality in range(1, 101)}
    assert sender.encode(pixels, "4:2:0", Quality(37)) == files[37]
    limit = len(files[60])
    assert len(sender.encode(pixels, "4:2:0", MaxBytes(limit))) == max(
        len(data) for data in files.values() if len(data) <= limit
    )
    wanted = psnr_db(pixels, decoded(files[50])) - 1e-9
    chosen = sender.encode(pixels, "4:2:0", MatchPsnr(wanted))
    assert psnr_db(pixels, decoded(chosen)) >= wanted
    # not all that few bytes more, since the PSNR does not rise with each step of the quality
    assert len(chosen) <= min(len(data) for number, data in files.items() if number >= 54)
    with pytest.raises(TargetNotMetError, match="at most 20"):
        sender.encode(pixels, "4:2:0", MaxBytes(20))


def test_errors_of_peers_are_those_against_the_pixels() -> None:
    image = forward(PICTURE, "4:2:0")
    coarse, given = (PeerLine(encode_turbo, PICTURE, "4:2:0", *more).at(61) for more in ((), (image, EQUAL_WEIGHTS)))
    assert coarse.quality == 40
    assert coarse.errors == given.errors
    total = swe(image, optcodec.read_jpeg(encode_turbo(PICTURE, "4:2:0", 40)), EQUAL_WEIGHTS)
    assert sum(coarse.errors) == pytest.approx(total)


def test_a_likeness_by_ssim() -> None:
    wanted = luminance_ssim(PICTURE, decoded(encode_turbo(PICTURE, "4:2:0", 40)))
    data = JPEG.encode(PICTURE, "4:2:0", MatchSsim(wanted - 1e-9))
    assert luminance_ssim(PICTURE, decoded(data)) >= wanted - 1e-6
    assert len(data) <= len(encode_turbo(PICTURE, "4:2:0", 40))
    with pytest.raises(InvalidInputError, match="expected Quality, MaxBytes, MatchPsnr or MatchSsim"):
        JPEG.encode(PICTURE, "4:2:0", WaterLevel(0.1))


@pytest.mark.parametrize(
    ("arguments", "target"),
    [
        ({"effort": 3, "tune": "ycbcr"}, MaxBytes(2500)),
        ({"effort": 3, "tune": "ycbcr"}, MatchPsnr(33)),
        ({"effort": 2}, MaxBytes(2500)),
    ],
)
def test_our_own_files_are_those_of_encode(arguments: dict, target: optcodec.Target) -> None:
    expected = optcodec.encode(PICTURE, target=target, subsampling="4:4:4", **arguments).data
    assert OptcodecSender("x", arguments).encode(PICTURE, "4:4:4", target) == expected


def test_our_own_files_of_a_quality() -> None:
    for arguments in ({"effort": 1}, {"effort": 2}, {"effort": 3}):
        expected = optcodec.encode(PICTURE, quality=60, subsampling="4:2:0", **arguments).data
        assert OptcodecSender("x", arguments).encode(PICTURE, "4:2:0", Quality(60)) == expected
    one = OptcodecSender("x", {"effort": 1})  # which has no targets of its own
    limit = len(one.encode(PICTURE, "4:2:0", Quality(60)))
    assert one.encode(PICTURE, "4:2:0", MaxBytes(limit)) == one.encode(PICTURE, "4:2:0", Quality(60))
    method = OptcodecSender("x", {"effort": 2, "method": "jpeg"})
    assert method.encode(PICTURE, "4:2:0", Quality(60)) == one.encode(PICTURE, "4:2:0", Quality(60))


def test_a_sampling_of_its_own() -> None:
    sender = OptcodecSender("x", {"effort": 1, "subsampling": "4:4:4"})
    assert (
        sender.encode(PICTURE, "4:2:0", Quality(60)) == optcodec.encode(PICTURE, quality=60, subsampling="4:4:4").data
    )


@pytest.mark.parametrize(
    ("kind", "value", "message"),
    [
        ("bytes", 0, "a value of bytes is a finite number above 0, got 0"),
        ("quality", 101, "quality .* 101"),
        ("quality", 30.5, "quality .* 30.5"),
        ("ssim", 1, "an SSIM to match lies below 1"),
        ("bpp", math.nan, "a value of bpp is a finite number"),
        ("vmaf", 1, "a kind of rate is one of bpp, bytes, psnr, ssim, quality; got 'vmaf'"),
    ],
)
def test_rates_that_are_none(kind: str, value: float, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Rate(kind, value)
