"""Files with a reader in the loop: what the reader says of them, and that they keep their bytes."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
import simplejpeg
from skimage.data import astronaut

from optcodec import (
    Bpp,
    CoefficientImage,
    InvalidInputError,
    MatchMeasure,
    MatchPsnr,
    MaxBytes,
    MaxLoss,
    Quality,
    QualityField,
    SameDecision,
    TargetNotMetError,
    annex_k_tables,
    encode,
    forward,
    read_jpeg,
    transcode,
)
from optcodec.loop.reader import Reading
from optcodec.looped import _coarser
from tests.cli_helpers import photograph
from tests.peers import pillow_pixels

PHOTO = np.ascontiguousarray(astronaut()[40:112, 150:254])
Pixels = np.ndarray
Reader = Callable[[Pixels], Reading]


def left_half(original: Pixels) -> Reading:
    """Squared error that counts in the left half of a picture only."""

    def reading(decoded: Pixels) -> tuple[float, np.ndarray]:
        difference = decoded.astype(np.float32) - original
        difference[:, original.shape[1] // 2 :] = 0
        return float((difference.astype(np.float64) ** 2).mean()), 2 * difference / difference.size

    return reading


def differences(original: Pixels) -> Reading:
    """How differences of neighbours in a row change, in the fourth power, which minds large changes most."""

    def reading(decoded: Pixels) -> tuple[float, np.ndarray]:
        change = np.diff(decoded.astype(np.float64) - original, axis=1) / 10
        gradient = np.zeros(decoded.shape)
        gradient[:, 1:] += 0.4 * change**3
        gradient[:, :-1] -= 0.4 * change**3
        return float((change**4).mean()), gradient / change.size

    return reading


def loss(file: Any, original: Pixels = PHOTO, reader: Reader = left_half) -> float:
    return reader(original)(pillow_pixels(file.data))[0]


@dataclasses.dataclass
class Deciding:
    """A reading that decides whether the mean of the left half is above a limit, and counts how often it is asked."""

    original: Pixels
    asked: int = 0

    def __call__(self, decoded: Pixels) -> tuple[float, np.ndarray]:
        self.asked += 1
        return left_half(self.original)(decoded)

    def agrees(self, decoded: Pixels) -> bool:
        return left_half(self.original)(decoded)[0] < 30


# ---- What the reader gains -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("subsampling", ["4:4:4", "4:2:2", "4:2:0", "4:4:0"])
def test_the_reader_minds_the_file_less_at_equal_bytes(subsampling: str) -> None:
    options = {"subsampling": subsampling, "target": Bpp(1.2)}
    trellis, loop = encode(PHOTO, effort=3, **options), encode(PHOTO, reader=left_half, **options)
    assert loop.nbytes <= trellis.nbytes * 1.01
    assert loss(loop) < 0.85 * loss(trellis)
    assert loop.loss == pytest.approx(loss(loop))
    assert trellis.loss is None


def test_grey_pictures_are_read_as_they_are() -> None:
    grey = np.ascontiguousarray(PHOTO[..., 1])
    trellis, loop = (encode(grey, target=MaxBytes(900), effort=3 + k, reader=(None, left_half)[k]) for k in range(2))
    assert loss(loop, grey) < 0.85 * loss(trellis, grey)


@pytest.mark.parametrize("nbytes", [700, 901, 1500, 4000])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"progressive": "smaller"}, {"scans": "apart"}])
def test_the_budget_is_kept(nbytes: int, options: dict[str, Any]) -> None:
    photo = PHOTO[:61, :67]
    loop = encode(photo, target=MaxBytes(nbytes), reader=left_half, rounds=3, **options)
    assert loop.nbytes <= nbytes
    trellis = encode(photo, target=MaxBytes(nbytes), effort=3, **options)
    assert loss(loop, photo) <= loss(trellis, photo)
    assert pillow_pixels(loop.data).shape == photo.shape


def test_files_of_a_quality_or_with_tables_take_no_more_than_without_a_reader() -> None:
    options: dict[str, Any]
    for options in ({"quality": 50}, {"tables": annex_k_tables(40)}, {"target": Quality(45), "method": "jpeg"}):
        trellis, loop = encode(PHOTO, effort=3, **options), encode(PHOTO, reader=left_half, **options)
        assert loop.nbytes <= trellis.nbytes
        assert loss(loop) < 0.95 * loss(trellis)
        if "quality" not in options:
            assert loop.coefficients.tables == trellis.coefficients.tables


def test_rounds_are_what_more_work_buys() -> None:
    """A reader whose loss is no squared error: how much lines fade and noise comes in, by magnitudes of differences."""
    without = encode(PHOTO, target=Bpp(1.2), effort=3)
    files = [encode(PHOTO, target=Bpp(1.2), reader=differences, rounds=rounds) for rounds in (2, 12)]
    losses = [loss(file, reader=differences) for file in (without, *files)]
    assert losses[0] > losses[1] > losses[2]


def test_weights_of_blocks_alone_are_worth_something() -> None:
    without, weighted, rounds = (
        encode(PHOTO, target=Bpp(1.2), **options)
        for options in ({"effort": 3}, {"reader": left_half, "rounds": 0}, {"reader": left_half})
    )
    assert loss(rounds) < loss(weighted) < 0.9 * loss(without)


def test_files_that_keep_a_loss_are_no_larger_with_rounds() -> None:
    limit = loss(encode(PHOTO, target=Bpp(1.2), effort=3), reader=differences)
    files = [encode(PHOTO, target=MaxLoss(limit), reader=differences, rounds=rounds) for rounds in (0, 2)]
    assert all(loss(file, reader=differences) <= limit for file in files)
    assert files[1].nbytes <= files[0].nbytes


def test_smaller_files_are_looked_for_beyond_those_that_miss_a_target() -> None:
    """A loss that falls again: files of a level of 1.3 and 1.69 miss the target, and those of the next four steps."""
    kept = {1.0, 1.3**3, 1.3**4}

    def at(level: float) -> Any:
        return SimpleNamespace(start=SimpleNamespace(levels=(level,)), nbytes=1000 / level, level=level)

    def loss_of(file: Any) -> float:
        return 0.0 if any(file.level == pytest.approx(level) for level in kept) else 1.0

    searched: Any = SimpleNamespace(at=at, loss_of=loss_of, increase_of=loss_of, agrees_on=loss_of)
    assert _coarser(searched, MaxLoss(0.5), at(1.0)).level == pytest.approx(1.3**4)
    searched.at = lambda level: at(1.0)  # no file is smaller
    assert _coarser(searched, MaxLoss(0.5), at(1.0)).level == 1.0


def test_steps_are_shortened_until_the_loss_falls() -> None:
    """A loss that depends on one number only, which a first step moves far beyond what is best."""
    pattern = np.random.default_rng(4).normal(size=PHOTO.shape)

    def one_number(original: Pixels) -> Reading:
        def reading(decoded: Pixels) -> tuple[float, np.ndarray]:
            number = float((pattern * (decoded.astype(float) - original)).sum()) / 1000
            return number**2, 2 * number * pattern / 1000

        return reading

    plain = encode(PHOTO, target=Bpp(3.0), effort=3)
    loop = encode(PHOTO, target=Bpp(3.0), reader=one_number, rounds=6)
    assert loss(loop, reader=one_number) < 0.02 * loss(plain, reader=one_number)


def test_a_reader_that_minds_nothing_changes_nothing() -> None:
    def indifferent(original: Pixels) -> Reading:
        return lambda decoded: (0.0, np.zeros(decoded.shape))

    trellis = encode(PHOTO, target=Bpp(1.0), effort=3)
    assert encode(PHOTO, target=Bpp(1.0), reader=indifferent).data == trellis.data


def test_indices_stay_next_to_their_coefficients() -> None:
    options = {"tables": annex_k_tables(50), "subsampling": "4:4:4", "tune": "ycbcr"}
    image, loop = forward(PHOTO), encode(PHOTO, reader=left_half, **options).coefficients
    moved = 0
    for part, coded in zip(image.components, loop.components, strict=True):
        ratios = part.coefficients / loop.tables[coded.table].steps
        beyond = abs(coded.blocks) - np.ceil(abs(ratios))
        assert beyond[..., 0, 0].max() <= 1  # the trellis goes one further, where that makes differences smaller
        beyond[..., 0, 0] = 0
        assert beyond.max() <= 0
        assert (coded.blocks * ratios >= 0)[..., 1:, 1:].all()
        moved += int((abs(coded.blocks) > np.floor(abs(ratios) + 0.5)).sum())
    assert moved > 20  # away from 0, where rounding to nearest would go to 0


def test_the_bytes_do_not_depend_on_the_number_of_threads() -> None:
    photo = photograph(520, 560)  # more blocks than one thread takes
    files = [encode(photo, quality=40, reader=left_half, rounds=2, threads=threads) for threads in (1, 2, 5)]
    assert files[0].data == files[1].data == files[2].data


def test_a_field_and_a_tuning_count_in_the_loop() -> None:
    field = QualityField.from_mask(np.pad(np.full((72, 52), 255, np.uint8), ((0, 0), (0, 52))))
    options = {"target": Bpp(1.2), "reader": left_half, "rounds": 3}
    assert len({encode(PHOTO, **options, **more).data for more in ({}, {"field": field}, {"tune": "ssim"})}) == 3


def test_files_of_other_samplings_are_refused_in_the_loop() -> None:
    image = read_jpeg(simplejpeg.encode_jpeg(PHOTO, 80, colorsubsampling="411"))
    with pytest.raises(InvalidInputError, match=r"the loop takes files at .* got one of 4x1,1x1,1x1; expected pixels"):
        encode(image, quality=40, reader=left_half)


def test_coefficients_of_files_are_read_as_they_decode() -> None:
    file = encode(PHOTO, quality=90)
    image, original = read_jpeg(file.data), pillow_pixels(file.data)
    assert isinstance(image, CoefficientImage)
    options = {"target": MaxBytes(file.nbytes // 2)}
    trellis, loop = encode(image, effort=3, **options), transcode(file.data, reader=left_half, **options)
    assert loop.nbytes <= file.nbytes // 2
    assert loss(loop, original) < 0.9 * loss(trellis, original)
    assert loop.loss == pytest.approx(loss(loop, original))


def test_a_reader_may_know_where_errors_count() -> None:
    """Where nothing else chooses, blocks are weighed by that: here by the root of it, or by it, in two readers."""

    class Knowing(Deciding):
        def sensitivity(self) -> np.ndarray | None:
            return (np.arange(104) < 52) + np.full((72, 104), 0.02)

    def unknowing(original: Pixels) -> Reading:
        reading = Knowing(original)
        reading.sensitivity = lambda: None  # type: ignore[method-assign]
        return reading

    known, unknown = (encode(PHOTO, target=Bpp(1.2), reader=reader, rounds=0) for reader in (Knowing, unknowing))
    plain = encode(PHOTO, target=Bpp(1.2), effort=3)
    assert loss(known) < 0.75 * loss(plain)
    assert unknown.data == encode(PHOTO, target=Bpp(1.2), reader=left_half, rounds=0).data != known.data
    both = encode(PHOTO, target=Bpp(1.2), reader=[Knowing, Knowing], rounds=0)
    assert both.data == known.data


# ---- Choosing among files --------------------------------------------------------------------------------------------


class LossOnly:
    """A reading without a gradient, which likes files of some default tables best."""

    def __init__(self, original: Pixels) -> None:
        self.original = original

    def loss(self, decoded: Pixels) -> float:
        return left_half(self.original)(decoded)[0]

    def agrees(self, decoded: Pixels) -> bool:
        return self.loss(decoded) < 30


def test_a_reader_without_gradient_chooses_among_files() -> None:
    files = {
        "trellis": encode(PHOTO, target=MaxBytes(1500), tune="people"),
        "jpeg": encode(PHOTO, target=MaxBytes(1500), effort=2, method="jpeg"),
        "psnr": encode(PHOTO, target=MaxBytes(1500), tune="psnr"),
    }
    losses = {name: loss(file) for name, file in files.items()}
    chosen = encode(PHOTO, target=MaxBytes(1500), tune="people", reader=LossOnly)
    assert chosen.nbytes <= 1500
    assert loss(chosen) == min(losses.values()) == losses["psnr"] < losses["trellis"]

    class LikesJpeg(LossOnly):
        def loss(self, decoded: Pixels) -> float:
            return float(np.abs(decoded.astype(float) - pillow_pixels(files["jpeg"].data)).mean())

    assert encode(PHOTO, target=MaxBytes(1500), tune="people", reader=LikesJpeg).data == files["jpeg"].data


def test_tables_of_the_user_stay_where_files_are_chosen() -> None:
    tables = annex_k_tables(40)
    chosen = encode(PHOTO, tables=tables, reader=LossOnly)
    assert chosen.data == encode(PHOTO, tables=tables, effort=3).data


def test_targets_of_a_reader_without_gradient() -> None:
    limit = encode(PHOTO, target=MaxLoss(20.0), reader=LossOnly)
    assert 15 < loss(limit) <= 20
    assert 20 < loss(encode(PHOTO, target=SameDecision(), reader=LossOnly)) < 30
    with pytest.raises(InvalidInputError, match="the reader has no gradient, only a loss; expected 0 rounds, got 5"):
        encode(PHOTO, target=MaxLoss(20.0), reader=LossOnly, rounds=5)


# ---- Targets in the reader's terms -----------------------------------------------------------------------------------


def test_the_smallest_file_that_the_reader_minds_so_little() -> None:
    loop = encode(PHOTO, target=MaxLoss(20.0), reader=left_half, rounds=4)
    assert 10 < loss(loop) <= 20
    assert loop.loss == pytest.approx(loss(loop))
    trellis = encode(PHOTO, target=MatchMeasure(lambda data: left_half(PHOTO)(pillow_pixels(data))[0], 20.0), effort=3)
    assert loop.nbytes < 0.9 * trellis.nbytes


def test_the_smallest_file_with_the_same_decision() -> None:
    loop = encode(PHOTO, target=SameDecision(), reader=Deciding, rounds=2)
    assert 15 < loss(loop) < 30


def test_a_loss_that_no_file_keeps_is_named() -> None:
    def never(original: Pixels) -> Reading:
        return lambda decoded: (7.25, np.ones(decoded.shape))

    with pytest.raises(TargetNotMetError, match=r"MaxLoss\(loss=0\.5\): a loss of at most 0\.5, .* reached is 7\.25"):
        encode(PHOTO[:16, :16], target=MaxLoss(0.5), reader=never, rounds=1)


def test_a_reading_may_have_a_quicker_way_to_its_loss() -> None:
    class Quick(Deciding):
        losses = 0

        def loss(self, decoded: Pixels) -> float:
            Quick.losses += 1
            return left_half(self.original)(decoded)[0]

    readings: list[Quick] = []

    def reader(original: Pixels) -> Reading:
        readings.append(Quick(original))
        return readings[-1]

    loop = encode(PHOTO, target=Bpp(1.2), reader=reader, rounds=3)
    assert loop.data == encode(PHOTO, target=Bpp(1.2), reader=left_half, rounds=3).data
    # One gradient is for weights of blocks; losses are of the last file and of the two that the trellis makes.
    assert (len(readings), readings[0].asked, Quick.losses) == (1, 4, 3)


class Leaving:
    """A reader that leaves a comment in the file."""

    left_nbytes = 9

    def __init__(self, comment: bytes = b"seen!") -> None:
        self.comment = comment

    def __call__(self, decoded: Pixels) -> tuple[float, np.ndarray]:
        return left_half(PHOTO)(decoded)

    def left_in(self, data: bytes) -> bytes:
        return data[:2] + b"\xff\xfe" + (len(self.comment) + 2).to_bytes(2) + self.comment + data[2:]


def test_a_reader_may_leave_something_in_the_file_within_its_size() -> None:
    budget = 1500
    plain, left = (
        encode(PHOTO, target=MaxBytes(budget - less), reader=reader, rounds=3)
        for less, reader in ((9, left_half), (0, lambda original: Leaving()))
    )
    assert left.data == plain.data[:2] + b"\xff\xfe\0\x07seen!" + plain.data[2:]
    assert left.nbytes <= budget
    assert left.loss == plain.loss
    with pytest.raises(InvalidInputError, match=r"left_in of a reading gives a file of at most \d+ bytes, got \d+"):
        encode(PHOTO, quality=50, reader=lambda original: Leaving(b"too much"), rounds=1)


# ---- Bad input -------------------------------------------------------------------------------------------------------


def answering(answer: Any) -> Reader:
    return lambda original: lambda decoded: answer


@pytest.mark.parametrize(
    ("reader", "message"),
    [
        (3, "a reader is a function of the original pixels, or several are a list; got int"),
        (lambda original: None, "a reader gives a function of decoded pixels, got a NoneType"),
        (answering(1.0), "a reader gives a loss and a gradient, got a float"),
        (answering((1.0, np.zeros((2, 2)))), r"floats of shape \(72, 104, 3\), got float64 of shape \(2, 2\)"),
        (answering((1.0, np.zeros(PHOTO.shape, int))), r"floats of shape \(72, 104, 3\), got int64 of shape"),
        (answering((1.0, np.full(PHOTO.shape, np.nan))), "a reader gives a finite gradient, got NaN or infinity"),
        (answering((np.inf, np.ones(PHOTO.shape))), "a loss that is a finite number, got inf"),
        (answering(("1", np.ones(PHOTO.shape))), "a loss that is a finite number, got '1'"),
    ],
)
def test_wrong_readers_are_refused(reader: Any, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        encode(PHOTO, quality=50, reader=reader)


def test_decisions_need_a_reader_that_makes_them() -> None:
    with pytest.raises(InvalidInputError, match=r"makes no decisions: its reading has no method agrees\(decoded\)"):
        encode(PHOTO, target=SameDecision(), reader=left_half, rounds=0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"effort": 4}, "effort 4 needs reader, got none"),
        (
            {"effort": 3, "reader": left_half},
            "reader has an effect with a reader in the loop only; expected effort 4",
        ),
        ({"effort": 1, "rounds": 3}, "rounds has an effect with a reader in the loop only; expected effort 4, got 1"),
        ({"rounds": 3}, "effort 4 needs reader, got none"),
        (
            {"target": MaxLoss(1.0)},
            r"MaxLoss\(loss=1\.0\) is measured by a reader \(reader\); expected effort 4",
        ),
        ({"target": MatchPsnr(30.0), "reader": left_half}, r"a reader in place of MatchPsnr\(psnr_db=30\.0\); exp"),
        ({"dct": "exact", "reader": left_half}, "rounds coefficients, so that effort 4 cannot optimize them"),
        ({"reader": left_half, "rounds": -1}, r"rounds is a whole number in 0\.\.1000, got -1"),
        ({"reader": left_half, "rounds": 1.5}, r"rounds is a whole number in 0\.\.1000, got 1\.5"),
    ],
)
def test_arguments_without_effect_are_refused(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        encode(PHOTO, **options)


@pytest.mark.parametrize("limit", [0, -1.0, np.nan, "1", None, True])
def test_a_largest_loss_is_a_number_above_0(limit: Any) -> None:
    with pytest.raises(InvalidInputError, match="a largest loss"):
        MaxLoss(limit)


@pytest.mark.parametrize(
    ("sensitivity", "message"),
    [
        (np.ones((72, 104, 3)), r"of floats of shape \(72, 104\), got float64 of shape \(72, 104, 3\)"),
        (np.ones((10, 10)), r"of floats of shape \(72, 104\), got float64 of shape \(10, 10\)"),
        (np.ones((72, 104), int), r"of floats of shape \(72, 104\), got int64 of shape \(72, 104\)"),
        (np.full((72, 104), -1.0), "a sensitivity of finite numbers from 0 on, got others"),
        (np.full((72, 104), np.nan), "a sensitivity of finite numbers from 0 on, got others"),
    ],
)
def test_wrong_sensitivities_are_refused(sensitivity: np.ndarray, message: str) -> None:
    class Reader(Deciding):
        def sensitivity(self) -> np.ndarray:
            return sensitivity

    with pytest.raises(InvalidInputError, match=message):
        encode(PHOTO, quality=50, reader=Reader)
