"""Small files with one quantization table for all components: where they are made, and that they are better."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

import optcodec
import optcodec.optimized as optimized
from optcodec import MatchPsnr, MaxBytes, TargetNotMetError, encode, psnr_db, read_jpeg
from optcodec.metrics import ssimulacra2
from restore import restore_image
from tests.cli_helpers import photograph

PHOTO = photograph(96, 128)


@pytest.fixture
def apart(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A function that encodes with a table for chrominance, whatever the size."""

    def encoded(*arguments: Any, **options: Any) -> optcodec.EncodedJpeg:
        with monkeypatch.context() as patch:
            patch.setattr(optimized, "also_shared", lambda line, make: [make(line)])
            return encode(*arguments, **options)

    return encoded


def tables(data: bytes) -> int:
    return len(read_jpeg(data).tables)


def test_one_table_is_taken_where_two_take_too_many_bytes(apart: Any) -> None:
    tiny = PHOTO[:8, :8]
    with pytest.raises(TargetNotMetError, match=r"nearest that can be reached is 234$"):
        apart(tiny, target=MaxBytes(200), tune="psnr")
    file = encode(tiny, target=MaxBytes(200), tune="psnr")
    assert tables(file.data) == 1
    assert file.nbytes <= 200
    with pytest.raises(TargetNotMetError) as missed:
        encode(tiny, target=MaxBytes(9), tune="psnr")
    nearest = round(missed.value.nearest)
    assert str(missed.value).endswith(f"at most 9, but the nearest that can be reached is {nearest}")
    assert encode(tiny, target=MaxBytes(nearest), tune="psnr").nbytes == nearest


@pytest.mark.parametrize(("subsampling", "small", "large"), [("4:2:0", 1500, 4000), ("4:4:4", 2500, 9000)])
def test_small_files_have_one_table(subsampling: str, small: int, large: int) -> None:
    for nbytes, count in ((small, 1), (large, 2)):
        data = encode(photograph(160, 224), effort=3, target=MaxBytes(nbytes), subsampling=subsampling).data
        assert tables(data) == count
    assert tables(encode(photograph(96, 128)[..., 0], effort=3, target=MaxBytes(900)).data) == 1


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("progressive", [False, True, "smaller"])
def test_files_of_a_size_are_better(apart: Any, subsampling: str, progressive: Any) -> None:
    options: dict[str, Any] = {"effort": 3, "subsampling": subsampling, "progressive": progressive}
    shared, two = (make(PHOTO, target=MaxBytes(900), **options).data for make in (encode, apart))
    assert (tables(shared), tables(two)) == (1, 2)
    assert max(len(shared), len(two)) <= 900
    assert psnr_db(PHOTO, optcodec.decode(shared)) > psnr_db(PHOTO, optcodec.decode(two)) + 0.1


def test_files_of_a_quality_are_smaller(apart: Any) -> None:
    shared, two = (make(PHOTO, effort=3, target=MatchPsnr(24.0)).data for make in (encode, apart))
    assert (tables(shared), tables(two)) == (1, 2)
    assert len(shared) < len(two) - 20
    assert psnr_db(PHOTO, optcodec.decode(shared)) >= 24.0


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_people_see_it_too(apart: Any, subsampling: str) -> None:
    options: dict[str, Any] = {"target": MaxBytes(1000), "tune": "people", "subsampling": subsampling}
    face = np.ascontiguousarray(astronaut()[40:200, 100:320])
    files = [make(face, **options).data for make in (encode, apart)]
    assert [tables(data) for data in files] == [1, 2]
    shared, two = (ssimulacra2(face, optcodec.decode(data)) for data in files)
    assert shared > two + 1


@pytest.mark.parametrize(
    "options", [{"tables": optcodec.annex_k_tables(20)}, {"target": MaxBytes(900), "method": "rdopt"}, {"quality": 9}]
)
def test_other_files_have_two_tables(options: dict[str, Any]) -> None:
    assert tables(encode(PHOTO, effort=3, **options).data) == 2


def test_networks_that_see_colour_have_one_table_for_all_components() -> None:
    """Whatever the size; for a network that sees hardly any colour, chrominance has a table of its own."""
    profile = optcodec.load_profile("generic")
    hardly = np.ones((3, 8, 8))
    hardly[1:] = 1e-3
    grey = replace(profile, weights=profile.weights * hardly)
    files = [encode(photograph(160, 224), tune=tune, target=MaxBytes(9000)).data for tune in (profile, grey)]
    assert [tables(data) for data in files] == [1, 2]
    rdopt = encode(PHOTO, tune=profile, target=MaxBytes(900), method="rdopt").data
    assert tables(rdopt) == 2


def test_all_readers_show_the_same() -> None:
    data = encode(PHOTO, effort=3, target=MaxBytes(900)).data
    assert tables(data) == 1
    np.testing.assert_allclose(restore_image(data, strength=0).astype(int), optcodec.decode(data), atol=4)
    assert psnr_db(PHOTO, restore_image(data)) > psnr_db(PHOTO, optcodec.decode(data))
