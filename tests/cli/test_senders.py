"""Senders as text: labels, options of ``optcodec encode``, and functions of the user's own."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import pytest

import optcodec
from optcodec.console.senders import labelled, sender_of
from optcodec.errors import InvalidInputError
from optcodec.rates import OptcodecSender, PeerSender
from tests.cli_helpers import photograph


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("pillow", ("pillow", "pillow")),
        ("default JPEG=pillow", ("default JPEG", "pillow")),
        ("best=optcodec:tune=psnr", ("best", "optcodec:tune=psnr")),
        ("optcodec:tune=psnr,effort=3", ("optcodec:tune=psnr,effort=3",) * 2),
        ("=pillow", ("=pillow",) * 2),
    ],
)
def test_labels(text: str, parts: tuple[str, str]) -> None:
    assert labelled(text) == parts


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("optcodec", {}),
        ("optcodec:effort=2", {"effort": 2}),
        ("optcodec:effort=1,dct=exact", {"effort": 1, "dct": "exact"}),
        ("optcodec:tune=ssim,smaller", {"effort": 3, "tune": "ssim", "progressive": "smaller"}),
        ("optcodec:effort=1,no-overshoot", {"effort": 1, "overshoot": False}),
        ("optcodec:profile=generic", {"effort": 2, "profile": optcodec.load_profile("generic")}),
        ("optcodec:profile=generic,effort=3", {"effort": 3, "profile": optcodec.load_profile("generic")}),
        ("optcodec:tune=receiver:deblock", {"effort": 3, "tune": optcodec.load_utility_profile("deblock")}),
        ("optcodec:method=optd,subsampling=4:4:4", {"effort": 2, "method": "optd", "subsampling": "4:4:4"}),
    ],
)
def test_options_of_encode_as_text(text: str, expected: dict[str, Any]) -> None:
    sender = sender_of(text, "4:2:0")
    assert isinstance(sender, OptcodecSender)
    chosen = {name: str(value) for name, value in sender.arguments.items() if value is not None}
    usual = {"dct": "float", "scans": "together", "huffman": "optimal", "subsampling": "4:2:0", "overshoot": "True"}
    assert chosen == usual | {name: str(value) for name, value in expected.items()}


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("optcodec:tune=vmaf", "optcodec:tune=vmaf: --tune is one of psnr"),
        ("optcodec:nothing", "optcodec:nothing: No such option '--nothing'"),
        ("optcodec:effort=9", "optcodec:effort=9: Invalid value for '--effort'"),
        ("optcodec:progressive,baseline", "optcodec:progressive,baseline: --progressive and --baseline exclude"),
        ("optcodec:effort=1,tune=psnr", "--tune psnr has no effect unless"),
        ("optcodec:bpp=1", "No such option '--bpp'"),
        ("optcodec:reader=nobody", "optcodec:reader=nobody: no reader 'nobody'; expected"),
        ("optcodec:fidelity=0.5", "optcodec:fidelity=0.5: fidelity is for readers; expected reader=NAME as well"),
        ("optcodec:rounds=2", "optcodec:rounds=2: --effort 4 needs --network or --reader, got none"),
    ],
)
def test_bad_options_of_encode(text: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message.replace("(", r"\(")):
        sender_of(text, "4:2:0")


def test_a_function_in_the_working_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "encoder_of_mine.py").write_text(
        "def encode(pixels, subsampling, quality):\n    return b'\\xff\\xd8'\n"
    )
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr("sys.path", list(sys.path))
    sender = sender_of("x=encoder_of_mine:encode", "4:2:0")
    assert isinstance(sender, PeerSender)
    assert sender.encoder(photograph(8, 8), "4:2:0", 50) == b"\xff\xd8"
