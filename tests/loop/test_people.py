"""Files with people in the loop: what is gained, and that it holds for grey, small and odd pictures."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from skimage.data import astronaut

pytest.importorskip("ssimulacra2")

from optcodec import (
    Bpp,
    InvalidInputError,
    MatchPsnr,
    MaxBytes,
    MaxLoss,
    Pace,
    PeopleReader,
    encode,
    psnr_db,
    read_jpeg,
)
from optcodec.loop.judge import DecodedFile, judge_of
from optcodec.metrics import ssimulacra2
from optcodec.perception.measure import Perception
from tests.loop.test_loop import left_half
from tests.peers import pillow_pixels

PHOTO = np.ascontiguousarray(astronaut()[20:276, 100:356])
SMALL = np.ascontiguousarray(PHOTO[20:77, 30:99])


def loss_of(original: np.ndarray, data: bytes) -> float:
    return Perception.of(original, PeopleReader().visibility).loss(pillow_pixels(data))


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
@pytest.mark.parametrize("bits", [0.5, 1.2])
def test_of_a_size_people_mind_the_file_less(subsampling: str, bits: float) -> None:
    form: dict[str, Any] = {"target": Bpp(bits), "tune": "people", "subsampling": subsampling, "progressive": True}
    plain, looped = (encode(PHOTO, effort=effort, **form) for effort in (3, 4))
    assert looped.nbytes <= bits * PHOTO[..., 0].size / 8
    scores = [ssimulacra2(PHOTO, pillow_pixels(file.data)) for file in (plain, looped)]
    assert scores[1] > scores[0] + 0.8  # about 3 % of the bytes
    assert looped.loss == pytest.approx(loss_of(PHOTO, looped.data))
    assert looped.loss < 0.97 * loss_of(PHOTO, plain.data)
    errors = [psnr_db(PHOTO, pillow_pixels(file.data)) for file in (plain, looped)]
    assert errors[1] > errors[0] - 0.45  # which no reader asks for


@pytest.mark.parametrize(
    "image", [SMALL[..., 0], SMALL[:5, :3], SMALL[:1, :1, 0], SMALL], ids=["grey", "5x3", "1x1", "odd"]
)
def test_any_picture_is_read(image: np.ndarray) -> None:
    file = encode(image, quality=40, effort=4, tune="people", rounds=2)
    assert pillow_pixels(file.data).shape == image.shape
    assert file.loss == pytest.approx(loss_of(image, file.data))
    assert file.nbytes <= encode(image, quality=40, effort=3, tune="people").nbytes


def test_a_picture_without_detail_has_no_loss() -> None:
    assert encode(np.full((24, 40, 3), 255, np.uint8), quality=80, effort=4, tune="people").loss == 0


def test_coefficients_are_read_as_pixels_are() -> None:
    original = encode(SMALL, quality=95)
    file = encode(read_jpeg(original.data), target=MaxBytes(1500), effort=4, tune="people", rounds=2)
    assert file.nbytes <= 1500
    assert file.loss == pytest.approx(loss_of(pillow_pixels(original.data), file.data))


def test_people_are_the_reader_of_effort_4_unless_there_is_another() -> None:
    form: dict[str, Any] = {"target": Bpp(1.0), "tune": "people", "rounds": 1}
    assert encode(SMALL, **form).data == encode(SMALL, effort=4, **form).data  # rounds alone ask for effort 4
    other = encode(SMALL, reader=left_half, **form)
    assert other.loss == pytest.approx(left_half(SMALL)(pillow_pixels(other.data))[0])


def test_threads_do_not_change_the_file() -> None:
    files = [encode(SMALL, quality=60, effort=4, tune="people", threads=threads).data for threads in (1, 2)]
    assert files[0] == files[1]


def test_people_are_one_of_several_readers() -> None:
    file = encode(SMALL, target=Bpp(1.5), reader=[PeopleReader(), left_half], rounds=2)
    decoded = pillow_pixels(file.data)
    assert file.losses == pytest.approx((loss_of(SMALL, file.data), left_half(SMALL)(decoded)[0]))


def test_a_largest_loss_is_kept() -> None:
    file = encode(SMALL, target=MaxLoss(6.0), effort=4, tune="people", rounds=2)
    assert 4.5 < loss_of(SMALL, file.data) <= 6.0


def test_more_rounds_are_asked_for_by_default_than_one() -> None:
    form: dict[str, Any] = {"target": Bpp(0.6), "effort": 4, "tune": "people"}
    losses = [encode(PHOTO, rounds=rounds, **form).loss for rounds in (1, None, 12)]
    assert losses[1] == losses[2]
    assert losses[2] is not None
    assert losses[0] is not None
    assert losses[2] < losses[0]


def test_blocks_that_are_seen_and_that_follow_weigh_more() -> None:
    """Beside a file with equal errors everywhere, those of the smooth half weigh more than those within detail."""
    random = np.random.default_rng(0)
    original = np.full((64, 128, 3), 128, np.uint8)
    original[:, 64:] = random.integers(40, 216, (64, 64, 1))
    data = encode(original, quality=60).data
    noisy = np.clip(original + random.integers(-6, 7, (64, 128, 1)), 0, 255).astype(np.uint8)
    judge = judge_of(PeopleReader(), original)
    weights = judge.sensitivity(DecodedFile(encode(noisy, quality=98).data, noisy))
    assert weights is not None
    assert weights.shape == (64, 128)
    assert weights[:, :48].mean() > 3 * weights[:, 80:].mean()
    assert np.ptp(weights[8:16, 16:24]) == 0
    assert judge.sensitivity(DecodedFile.of(data, grey=False)) is not None


@pytest.mark.parametrize("tune", [None, "psnr", "ssim", "ycbcr"])
def test_effort_4_says_which_tuning_is_a_reader(tune: str | None) -> None:
    with pytest.raises(InvalidInputError, match="4 needs reader, got none; or a file that is tuned for people"):
        encode(SMALL, effort=4, tune=tune)


def test_what_effort_4_cannot_do_for_people_names_it() -> None:
    with pytest.raises(InvalidInputError, match="dct exact rounds coefficients, so that effort 4 cannot optimize them"):
        encode(SMALL, effort=4, tune="people", dct="exact")
    with pytest.raises(InvalidInputError, match="effort 4 has a reader in place of MatchPsnr"):
        encode(SMALL, effort=4, tune="people", target=MatchPsnr(30.0))


@pytest.mark.parametrize("share", [-0.1, 1.0, float("nan"), "0", None])
def test_visibility_is_a_share(share: Any) -> None:
    with pytest.raises(InvalidInputError, match="visibility"):
        PeopleReader(share)


@pytest.mark.parametrize("rounds", [-1, 1001, 2.5])
def test_a_pace_has_a_number_of_rounds(rounds: Any) -> None:
    with pytest.raises(InvalidInputError, match=r"rounds is a whole number in 0\.\.1000"):
        Pace(rounds=rounds)
