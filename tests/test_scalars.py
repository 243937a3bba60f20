"""All functions accept numpy scalars as numbers, and refuse anything that is not a number."""

from __future__ import annotations

import io
from collections.abc import Callable
from fractions import Fraction
from typing import Any

import numpy as np
import pytest

import optcodec
import restore
from optcodec.accuracy.conditions import Condition
from optcodec.butteraugli import MatchButteraugli
from optcodec.errors import InvalidInputError
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
from tests.cli_helpers import photograph
from tests.receiver_helpers import jpeg

PIXELS = photograph(24, 40)

WHOLE: dict[str, tuple[Callable[[Any], Any], int]] = {
    "MaxBytes": (lambda value: MaxBytes(value).nbytes, 1000),
    "Quality": (lambda value: Quality(value).quality, 75),
    "MatchQuality": (lambda value: MatchQuality(value).quality, 75),
    "QuantTables": (lambda value: [table.steps.tolist() for table in optcodec.annex_k_tables(value)], 30),
    "quality": (lambda value: optcodec.encode(PIXELS, quality=value).data, 40),
    "restart_interval": (lambda value: optcodec.encode(PIXELS, restart_interval=value).data, 2),
    "threads": (lambda value: optcodec.encode(PIXELS, threads=value).data, 1),
    "max_pixels": (lambda value: optcodec.read_jpeg(jpeg(8, 8), max_pixels=value).width, 64),
    "qmax": (lambda value: _steps(optcodec.design_tables(PIXELS, MatchQuality(50), qmax=value)), 60),
    "transcoding": (lambda value: _transcoded(restart_interval=value), 2),
    "restore threads": (lambda value: restore.load_model("tiny", threads=value).threads, 1),
    "restore tile": (lambda value: restore.restore_image(jpeg(20, 20), model="tiny", tile=value).tolist(), 16),
}
REAL: dict[str, Callable[[Any], Any]] = {
    "WaterLevel": lambda value: WaterLevel(value).d,
    "WaterLevel of chrominance": lambda value: WaterLevel(1, chroma=value).chroma,
    "MatchSwe": lambda value: MatchSwe(value).swe,
    "MatchSwe of chrominance": lambda value: MatchSwe(1, chroma=value).chroma,
    "MatchPsnr": lambda value: MatchPsnr(value).psnr_db,
    "MatchSsim": lambda value: MatchSsim(value).ssim,
    "MatchSsimulacra2": lambda value: MatchSsimulacra2(value).score,
    "MatchButteraugli": lambda value: MatchButteraugli(value).distance,
    "Bpp": lambda value: Bpp(value).bpp,
    "level of an accuracy run": lambda value: Condition("opts", "2", value).level,
}


def _steps(tables: tuple[optcodec.QuantTable, ...]) -> list[Any]:
    return [table.steps.tolist() for table in tables]


def _transcoded(**options: Any) -> bytes:
    return optcodec.encode(optcodec.encode(PIXELS).coefficients, **options).data


@pytest.mark.parametrize("scalar_type", [np.int64, np.uint16, np.int8])
@pytest.mark.parametrize("name", WHOLE)
def test_whole_numbers_of_numpy_are_whole_numbers(name: str, scalar_type: type) -> None:
    take, value = WHOLE[name]
    if value > np.iinfo(scalar_type).max:
        value = int(np.iinfo(scalar_type).max)
    taken = take(scalar_type(value))
    assert taken == take(value)
    assert type(taken) is type(take(value))


@pytest.mark.parametrize("name", REAL)
@pytest.mark.parametrize("value", [np.float32(0.25), np.float64(0.25), np.float16(0.25), Fraction(1, 4)])
def test_real_numbers_of_numpy_are_stored_as_floats(name: str, value: Any) -> None:
    taken = REAL[name](value)
    assert taken == 0.25
    assert type(taken) is float


@pytest.mark.parametrize("name", [name for name in REAL if name != "MatchSsim"])
def test_whole_numbers_are_real_numbers_too(name: str) -> None:
    assert REAL[name](np.int64(3)) == 3
    assert type(REAL[name](np.int64(3))) in (int, float)


@pytest.mark.parametrize("wrong", [True, np.True_, "1", 1.5, np.float32(1), np.array([1, 2]), 1j], ids=repr)
@pytest.mark.parametrize("name", [name for name in WHOLE if name != "max_pixels"])
def test_what_is_no_whole_number_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="got"):
        WHOLE[name][0](wrong)


@pytest.mark.parametrize("wrong", [True, np.True_, "1", None, np.float32("nan"), np.array([1.0]), 1j], ids=repr)
@pytest.mark.parametrize("name", [name for name in REAL if "chrominance" not in name])
def test_what_is_no_real_number_is_refused(name: str, wrong: Any) -> None:
    with pytest.raises(InvalidInputError, match="got"):
        REAL[name](wrong)


def test_a_size_of_numpy_is_kept() -> None:
    encoded = optcodec.encode(PIXELS, target=MaxBytes(np.int64(900)))
    assert encoded.nbytes <= 900
    assert optcodec.read_jpeg(io.BytesIO(encoded.data).getvalue()).width == 40
