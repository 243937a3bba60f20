"""Several readers of one file: their weights, what each keeps, and plain squared error beside them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest

from optcodec import Bpp, InvalidInputError, MaxBytes, MaxLoss, Pace, Readers, SameDecision, encode, psnr_db, read_jpeg
from optcodec.loop.judge import DecodedFile, judge_of
from optcodec.loop.reader import Reading
from tests.loop.test_loop import PHOTO, Deciding, LossOnly, Pixels, answering, left_half
from tests.peers import pillow_pixels

Numbers = Sequence[float]


def right_half(original: Pixels) -> Reading:
    """Squared error that counts in the right half of a picture only, three times as much as `left_half`."""

    def reading(decoded: Pixels) -> tuple[float, np.ndarray]:
        difference = decoded.astype(np.float32) - original
        difference[:, : original.shape[1] // 2] = 0
        return 3 * float((difference.astype(np.float64) ** 2).mean()), 6 * difference / difference.size

    return reading


def losses(file: Any) -> tuple[float, float]:
    decoded = pillow_pixels(file.data)
    return left_half(PHOTO)(decoded)[0], right_half(PHOTO)(decoded)[0]


def test_the_file_tells_the_loss_of_each_reader() -> None:
    file = encode(PHOTO, target=Bpp(1.2), reader=[left_half, right_half], rounds=2)
    assert file.losses == pytest.approx(losses(file))
    assert file.loss == pytest.approx(sum(losses(file)))
    weighted = encode(PHOTO, target=Bpp(1.2), reader=Readers([left_half, right_half], weights=(2, 0.5)), rounds=2)
    assert weighted.losses == pytest.approx(losses(weighted))
    assert weighted.loss == pytest.approx(2 * losses(weighted)[0] + 0.5 * losses(weighted)[1])
    assert encode(PHOTO, target=Bpp(1.2)).losses is None


def test_a_reader_that_counts_more_is_minded_more() -> None:
    both = left_half, right_half
    files = [encode(PHOTO, target=Bpp(1.2), reader=Readers(both, weights=(weight, 1)), rounds=4) for weight in (0.2, 9)]
    assert losses(files[1])[0] < 0.8 * losses(files[0])[0]
    assert losses(files[1])[1] > 1.2 * losses(files[0])[1]


def test_weights_of_1_are_those_of_a_list() -> None:
    both = [left_half, right_half]
    files = [encode(PHOTO, target=Bpp(1.2), reader=reader, rounds=3) for reader in (both, Readers(both), tuple(both))]
    assert files[0].data == files[1].data == files[2].data


def test_each_reader_keeps_a_largest_loss() -> None:
    file = encode(PHOTO, target=MaxLoss(20.0), reader=[left_half, right_half], rounds=2)
    assert max(losses(file)) <= 20 < sum(losses(file))
    alone = encode(PHOTO, target=MaxLoss(20.0), reader=left_half, rounds=2)
    assert losses(alone)[1] > 20  # without the other reader, it is not kept


def test_each_reader_keeps_its_decision() -> None:
    class DecidingRight(Deciding):
        def __call__(self, decoded: Pixels) -> tuple[float, np.ndarray]:
            return right_half(self.original)(decoded)

        def agrees(self, decoded: Pixels) -> bool:
            return right_half(self.original)(decoded)[0] < 30

    file = encode(PHOTO, target=SameDecision(), reader=[Deciding, DecidingRight], rounds=2)
    assert max(losses(file)) < 30


def test_fidelity_keeps_the_rest_of_the_picture() -> None:
    """What only one half is read of loses less in the other half, at an equal number of bytes."""
    files = [
        encode(PHOTO, target=MaxBytes(1500), reader=Readers([left_half], fidelity=share), rounds=4)
        for share in (0, 0.3, 0.9)
    ]
    right = [losses(file)[1] for file in files]
    left = [losses(file)[0] for file in files]
    assert right[0] > 1.05 * right[1] > 1.05**2 * right[2]
    assert left[0] < left[1] < left[2]
    psnr = [psnr_db(PHOTO, pillow_pixels(file.data)) for file in files]
    assert psnr[0] < psnr[1] < psnr[2]
    assert all(file.nbytes <= 1500 for file in files)
    assert [file.loss for file in files] == pytest.approx(left)  # which has no plain error in it


def test_fidelity_is_a_share_of_the_whole_at_a_first_file() -> None:
    file, finer = (DecodedFile.of(encode(PHOTO, quality=quality).data, grey=False) for quality in (30, 80))
    judge = judge_of(Readers([left_half, right_half], weights=(1, 2), fidelity=0.25), PHOTO).priced(file)
    verdict = judge.verdict(file)
    assert verdict.loss == pytest.approx(0.75 * verdict.cost)
    square = float(np.square(PHOTO.astype(float) - file.pixels).mean())
    expected = verdict.loss / 3 * float(np.square(PHOTO.astype(float) - finer.pixels).mean()) / square
    assert judge.verdict(finer).cost - judge.verdict(finer).loss == pytest.approx(expected, rel=1e-5)


def test_the_gradient_is_that_of_the_cost() -> None:
    file = DecodedFile.of(encode(PHOTO, quality=30).data, grey=False)
    judge = judge_of(Readers([left_half, right_half], weights=(1, 2), fidelity=0.25), PHOTO).priced(file)
    verdict, gradient = judge.gradient(file)
    assert verdict == judge.verdict(file)
    change = np.random.default_rng(2).integers(-1, 2, PHOTO.shape) * ((file.pixels > 0) & (file.pixels < 255))
    moved = [DecodedFile(file.data, (file.pixels + sign * change).astype(np.uint8)) for sign in (1, -1)]
    difference = judge.verdict(moved[0]).cost - judge.verdict(moved[1]).cost
    apart = moved[0].pixels.astype(float) - moved[1].pixels
    assert difference == pytest.approx(float((gradient * apart).sum()), rel=1e-4)


def test_a_reading_may_see_more_of_a_file_than_its_pixels() -> None:
    """Here its tables: the same pixels cost more in a file with coarser steps."""

    class OfTables(Deciding):
        step = 0.0

        def of_file(self, data: bytes) -> Reading:
            reading = OfTables(self.original)
            reading.step = float(read_jpeg(data).tables[0].steps[0, 0])
            return reading

        def __call__(self, decoded: Pixels) -> tuple[float, np.ndarray]:
            assert self.step > 0
            loss, gradient = left_half(self.original)(decoded)
            return loss * self.step, gradient * self.step

    file = encode(PHOTO, target=MaxBytes(1500), reader=OfTables, rounds=2)
    step = float(read_jpeg(file.data).tables[0].steps[0, 0])
    assert file.loss == pytest.approx(step * losses(file)[0])
    kept = encode(PHOTO, target=SameDecision(), reader=OfTables, rounds=1)
    assert losses(kept)[0] < 30
    with pytest.raises(InvalidInputError, match="a reader gives a function of decoded pixels, got a NoneType"):
        encode(PHOTO, target=MaxBytes(1500), reader=type("", (OfTables,), {"of_file": lambda self, data: None}))


def test_fidelity_counts_where_files_are_chosen() -> None:
    """Without a gradient: the file of least squared error, not the one that the reader likes."""

    class LikesNoise(LossOnly):
        def loss(self, decoded: Pixels) -> float:
            return 1 / (1 + float(np.square(decoded.astype(float) - self.original).mean()))

    options = {"target": MaxBytes(1500), "tune": "people"}
    files = [encode(PHOTO, **options, reader=Readers([LikesNoise], fidelity=share)) for share in (0, 0.9)]
    trellis = encode(PHOTO, target=MaxBytes(1500), tune="psnr")
    assert files[1].data == trellis.data != files[0].data


def test_readers_that_mind_nothing_have_no_price() -> None:
    file = DecodedFile.of(encode(PHOTO, quality=30).data, grey=False)
    indifferent = answering((0.0, np.zeros(PHOTO.shape)))
    judge = judge_of(Readers([indifferent], fidelity=0.5), PHOTO)
    assert judge.priced(file).price == 0
    assert judge.priced(DecodedFile(file.data, PHOTO)).price == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"readers": []}, "or several are a list; got no reader"),
        ({"readers": [left_half, 3]}, "or several are a list; got int"),
        ({"weights": (1, 2)}, "expected a weight for each of 1 readers, got 2"),
        ({"weights": (0,)}, "the weight of a reader is a finite number above 0, got 0"),
        ({"weights": ("1",)}, "the weight of a reader is a"),
        ({"fidelity": 1}, r"fidelity is a share below 1, got 1"),
        ({"fidelity": -0.1}, "fidelity is a finite number from 0 on, got -0.1"),
        ({"fidelity": np.nan}, "fidelity is a finite number from 0 on, got nan"),
    ],
)
def test_wrong_readers_are_refused(arguments: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Readers(**{"readers": [left_half], **arguments})


def test_the_sensitivity_is_asked_of_the_reading_of_the_first_file() -> None:
    class Spoken(LossOnly):
        """Errors count where the file that is read has errors."""

        seen: np.ndarray | None = None

        def __call__(self, decoded: Pixels) -> tuple[float, np.ndarray]:
            return left_half(PHOTO)(decoded)

        def of_file(self, data: bytes) -> Spoken:
            reading = Spoken(PHOTO)
            reading.seen = pillow_pixels(data)
            return reading

        def sensitivity(self) -> np.ndarray:
            assert self.seen is not None
            return np.abs(self.seen.astype(np.float32) - PHOTO).sum(2)

    data = encode(PHOTO, quality=20).data
    sensitivity = judge_of(Spoken, PHOTO).sensitivity(DecodedFile.of(data, grey=False))
    assert sensitivity is not None
    errors = np.abs(pillow_pixels(data).astype(float) - PHOTO).sum(2)
    assert sensitivity == pytest.approx(errors / errors.mean(), rel=1e-5)


def test_the_slowest_reading_asks_for_the_most_rounds() -> None:
    def paced(pace: Pace) -> Any:
        def reader(original: Pixels) -> Reading:
            reading = LossOnly(original)
            reading.pace = pace  # type: ignore[attr-defined]
            return reading

        return reader

    judge = judge_of([paced(Pace(0.2, 1.0, 5)), paced(Pace(0.1, 2.0, 12))], PHOTO)
    assert judge.pace == Pace(0.1, 2.0, 12)
