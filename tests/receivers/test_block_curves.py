"""Rate-distortion curves of blocks, their measurement, and restoration tasks."""

from __future__ import annotations

import itertools

import numpy as np
import pytest

from optcodec import encode, read_jpeg, write_jpeg
from optcodec.blocks.curves import Curves, block_errors, block_grid, utility_of, whole_blocks
from optcodec.errors import InvalidInputError
from optcodec.pictures.pixels import decoded_pixels
from optcodec.receivers.block_bits import file_block_bits
from optcodec.receivers.measure import grid_offsets, measure_curves, sent_and_reference, training_blocks
from optcodec.receivers.task import load_task
from tests.blur_task import BlurTask, factory
from tests.cli_helpers import photograph

CLEAN = photograph(75, 101)
FEW = (20, 60, 90)
RANDOM = np.random.default_rng(3)


def curves_of(blocks: int = 4, qualities: tuple[int, ...] = FEW) -> Curves:
    shape = blocks, len(qualities)
    return Curves(qualities, np.cumsum(RANDOM.random(shape), 1), RANDOM.random(shape), 9 * RANDOM.random(shape))


def naive_errors(one: np.ndarray, other: np.ndarray, side: int) -> list[list[float]]:
    difference = (one.astype(float) - other) ** 2
    return [
        [difference[y : y + side, x : x + side].mean() for x in range(0, one.shape[1], side)]
        for y in range(0, one.shape[0], side)
    ]


# ---- Curves ------------------------------------------------------------------------------------------------------


def test_utility_by_hand() -> None:
    mse = 255**2 / 10 ** (np.array([[20.0, 25.0, 29.0], [30.0, 20.0, 24.0]]) / 10)
    curves = Curves(FEW, [[10, 20, 100], [0, 9, 60]], np.ones((2, 3)), mse)
    np.testing.assert_allclose(curves.psnr_db, [[20, 25, 29], [30, 20, 24]], rtol=1e-12)
    np.testing.assert_allclose(curves.utility, [9 / 90, -6 / 60], rtol=1e-12)


def test_utility_is_nothing_where_bytes_do_not_rise() -> None:
    psnr, nbytes = np.array([[20.0, 30.0]] * 3), np.array([[5.0, 5.0], [5.0, 4.0], [5.0, 7.0]])
    np.testing.assert_array_equal(utility_of(psnr, nbytes), [0, 0, 5])


def test_blocks_without_error_have_a_psnr() -> None:
    assert Curves(FEW, np.ones((1, 3)), np.zeros((1, 3)), np.zeros((1, 3))).psnr_db.tolist() == [
        [pytest.approx(78.1308, abs=1e-4)] * 3
    ]


def test_curves_are_joined_and_chosen() -> None:
    one, two = curves_of(3), curves_of(2)
    both = Curves.joined([one, two])
    assert len(both) == 5
    np.testing.assert_array_equal(both.after, np.concatenate([one.after, two.after]))
    np.testing.assert_array_equal(both.chosen(np.arange(5) >= 3).nbytes, two.nbytes)
    assert not both.nbytes.flags.writeable


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"qualities": (15,)}, "two or more whole numbers"),
        ({"qualities": (15, 50, 101)}, "two or more whole numbers 1..100"),
        ({"qualities": (0, 50, 90)}, "two or more whole numbers 1..100"),
        ({"qualities": (15.0, 50.0, 90.0)}, "two or more whole numbers"),
        ({"qualities": ((1, 2), (3,))}, "two or more whole numbers"),
        ({"qualities": (15, 15, 90)}, r"qualities are in rising order, got \[15, 15, 90\]"),
        ({"before": np.ones((2, 4))}, r"before of 2 blocks have the shape \(2, 3\), got \(2, 4\)"),
        ({"after": np.full((2, 3), np.nan)}, "after of blocks are finite and not negative, got nan"),
        ({"nbytes": np.full((2, 3), -1)}, "nbytes of blocks are finite and not negative, got -1"),
    ],
)
def test_curves_are_checked(change: dict[str, object], message: str) -> None:
    arguments = {"qualities": FEW} | dict.fromkeys(("nbytes", "before", "after"), np.ones((2, 3))) | change
    with pytest.raises(InvalidInputError, match=message):
        Curves(**arguments)  # type: ignore[arg-type]


def test_only_curves_of_the_same_qualities_are_joined() -> None:
    with pytest.raises(InvalidInputError, match=r"have the qualities \[20, 60, 90\], got \[20, 50, 90\]"):
        Curves.joined([curves_of(), curves_of(qualities=(20, 50, 90))])
    with pytest.raises(InvalidInputError, match="one image at least"):
        Curves.joined([])


@pytest.mark.parametrize(("height", "width"), [(32, 32), (33, 64), (75, 101), (31, 1)])
def test_blocks_of_an_image(height: int, width: int) -> None:
    one, other = (RANDOM.integers(0, 256, (height, width, 3), np.uint8) for _ in range(2))
    errors = block_errors(one, other, 32)
    assert errors.shape == block_grid(width, height)
    np.testing.assert_allclose(errors, naive_errors(one, other, 32), rtol=1e-12)
    sizes = [
        [len(one[y : y + 32, 0]) == len(one[0, x : x + 32]) == 32 for x in range(0, width, 32)]
        for y in range(0, height, 32)
    ]
    np.testing.assert_array_equal(whole_blocks(width, height), np.ravel(sizes))


# ---- Measuring ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("encoder", "options", "subsampling"),
    [("jpeg", {}, "4:2:0"), ("jpeg", {}, "4:4:4"), ("rdo", {"tune": "ycbcr"}, "4:2:0")],
)
@pytest.mark.parametrize("scale", [1, 2])
def test_curves_are_those_of_the_files_of_the_encoder(
    encoder: str, options: dict[str, bool], subsampling: str, scale: int
) -> None:
    task, clean = BlurTask(scale), photograph(75 * scale + 1, 101 * scale)
    curves = measure_curves(clean, task, encoder=encoder, subsampling=subsampling, qualities=FEW, seed=5)
    assert curves.nbytes.shape == (3 * 4, 3)
    sent = task.sent(task.reference(clean), 5)
    for column, quality in enumerate(FEW):
        data = encode(sent, quality=quality, subsampling=subsampling, **options).data  # type: ignore[arg-type]
        np.testing.assert_array_equal(curves.nbytes[:, column], file_block_bits(data).ravel() / 8)
        assert 0.9 * len(data) - 700 < curves.nbytes[:, column].sum() <= len(data)  # tables take 600 bytes
        before = naive_errors(decoded_pixels(data), sent, 32)
        after = naive_errors(task.restored(data), task.reference(clean), 32 * scale)
        np.testing.assert_allclose(curves.before[:, column], np.ravel(before), rtol=1e-12)
        np.testing.assert_allclose(curves.after[:, column], np.ravel(after), rtol=1e-12)


def test_threads_do_not_matter() -> None:
    one, many = (measure_curves(CLEAN, BlurTask(), qualities=FEW, threads=threads) for threads in (1, 3))
    np.testing.assert_array_equal(one.after, many.after)
    np.testing.assert_array_equal(one.nbytes, many.nbytes)


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4"])
def test_isolated_blocks_see_nothing_around_them(subsampling: str) -> None:
    inside, alone = BlurTask(), BlurTask()
    options = {"subsampling": subsampling, "qualities": FEW}
    together = measure_curves(CLEAN, inside, **options)  # type: ignore[arg-type]
    apart = measure_curves(CLEAN, alone, isolated=True, **options)  # type: ignore[arg-type]
    assert inside.sizes == [(75, 101)] * 3
    assert alone.sizes == [(h, w) for h, w in itertools.product((32, 32, 11), (32, 32, 32, 5))] * 3
    np.testing.assert_array_equal(apart.nbytes, together.nbytes)
    if subsampling == "4:4:4":  # with the same coefficients the pixels are the same
        np.testing.assert_array_equal(apart.before, together.before)
    assert (apart.after != together.after).all()


def test_an_isolated_block_of_an_image_of_one_block() -> None:
    clean = photograph(32, 32)
    apart, together = (measure_curves(clean, BlurTask(), isolated=isolated) for isolated in (True, False))
    np.testing.assert_array_equal(apart.after, together.after)


def test_a_moved_grid_is_that_of_the_image_without_its_first_pixels() -> None:
    task = BlurTask(2, noise=0)
    clean = photograph(160, 180)
    moved = measure_curves(clean, task, qualities=FEW, offset=(4, 12))
    cut = measure_curves(clean[8:, 24:], task, qualities=FEW)
    for name in ("nbytes", "before", "after"):
        np.testing.assert_array_equal(getattr(moved, name), getattr(cut, name))


def test_training_blocks_are_the_whole_ones_of_every_grid() -> None:
    task, offsets = BlurTask(), ((0, 0), (8, 20), (48, 0))
    curves, blocks = training_blocks(CLEAN, task, offsets=offsets, qualities=FEW, seed=7)
    assert blocks.shape == (2 * 3 + 2 * 2, 32, 32, 3)  # grids of 75x101 and 67x81 pixels; 27 rows are less than a block
    sent, _ = sent_and_reference(CLEAN, task, 7)
    np.testing.assert_array_equal(blocks[4], sent[32:64, 32:64])
    np.testing.assert_array_equal(blocks[8], sent[40:72, 20:52])
    grid = measure_curves(CLEAN, task, qualities=FEW, seed=7)
    np.testing.assert_array_equal(curves.after[:6], grid.after[[0, 1, 2, 4, 5, 6]])
    moved = measure_curves(CLEAN, task, qualities=FEW, seed=7, offset=(8, 20))
    np.testing.assert_array_equal(curves.nbytes[6:], moved.nbytes[[0, 1, 3, 4]])


def test_grids_hold_all_blocks_of_stride_28() -> None:
    offsets = grid_offsets(64, 1)
    assert sorted(offsets) == list(itertools.product(range(0, 32, 4), repeat=2))
    assert {(28 * i % 32, 28 * j % 32) for i in range(8) for j in range(8)} == set(offsets)
    few = grid_offsets(5, 1)
    assert few[0] == offsets[0] == (0, 0)
    assert len(set(few)) == 5
    assert few == grid_offsets(5, 1) != grid_offsets(5, 2)


@pytest.mark.parametrize("count", [0, 65])
def test_number_of_grids(count: int) -> None:
    with pytest.raises(InvalidInputError, match=f"number of grids lies in 1..64, got {count}"):
        grid_offsets(count, 0)


@pytest.mark.parametrize(
    ("clean", "task", "options", "message"),
    [
        (CLEAN[..., 0], BlurTask(), {}, "measured in RGB images, .*; got a grey image"),
        (CLEAN / 255, BlurTask(), {}, "got float64 of shape"),
        (CLEAN[:31], BlurTask(), {}, "blocks of blur have 32x32 pixels; the image is smaller: 101x31"),
        (CLEAN, BlurTask(4), {}, "blocks of blur have 128x128 pixels; the image is smaller: 101x75"),
        (CLEAN, BlurTask(), {"encoder": "webp"}, "encoder is one of jpeg, rdo; got 'webp'"),
        (CLEAN, BlurTask(), {"subsampling": "4:1:1"}, "subsampling is one of"),
        (CLEAN, BlurTask(), {"qualities": (50,)}, "two or more whole numbers"),
        (CLEAN, BlurTask(), {"offset": (44, 0)}, r"expected an offset that leaves 32x32 pixels, got \(44, 0\)"),
        (CLEAN, BlurTask(), {"offset": (-4, 0)}, r"expected an offset .* got \(-4, 0\)"),
    ],
)
def test_wrong_arguments(clean: np.ndarray, task: BlurTask, options: dict[str, object], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        measure_curves(clean, task, **options)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("method", "message"),
    [
        ("reference", r"the reference of blur as uint8 of shape \(75, 101, 3\), got uint8 \(75, 100, 3\)"),
        ("sent", r"the sent image of blur as uint8 of shape \(75, 101, 3\), got uint8 \(75, 100, 3\)"),
        ("restored", r"the restored image of blur as uint8 of shape \(75, 101, 3\), got uint8 \(75, 100, 3\)"),
    ],
)
def test_tasks_that_give_other_sizes(monkeypatch: pytest.MonkeyPatch, method: str, message: str) -> None:
    task = BlurTask()
    monkeypatch.setattr(task, method, lambda *_: CLEAN[:, :100])
    with pytest.raises(InvalidInputError, match=message):
        measure_curves(CLEAN, task)


# ---- Tasks -------------------------------------------------------------------------------------------------------


def test_tasks_by_name() -> None:
    assert load_task("tests.blur_task:factory") == factory()


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("tests.blur_task", "expected a task as package.module:factory, got 'tests.blur_task'"),
        ("tests.nowhere:factory", "got 'tests.nowhere:factory': No module named"),
        ("tests.blur_task:nothing", "got 'tests.blur_task:nothing': module .* has no attribute 'nothing'"),
        (":factory", "expected a task as package.module:factory, got ':factory'"),
        ("tests.blur_task:__doc__", "expected a function that makes a task, .* is a str"),
        ("tests.blur_task:no_task", r"to return a task \(name, scale, reference, sent, restored\), got int"),
        ("tests.blur_task:fraction", "scale of a task is a whole number from 1 on, got 0"),
    ],
)
def test_names_of_no_task(name: str, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        load_task(name)


def test_blocks_alone_keep_their_coefficients(monkeypatch: pytest.MonkeyPatch) -> None:
    files: list[bytes] = []
    task = BlurTask(noise=0)
    plain = task.restored
    monkeypatch.setattr(task, "restored", lambda data: files.append(data) or plain(data))
    measure_curves(CLEAN, task, qualities=(30, 80), isolated=True)
    image, block = read_jpeg(encode(CLEAN, quality=30).data), read_jpeg(files[6])
    assert (block.width, block.height) == (32, 32)
    for large, small in zip(image.components, block.components, strict=True):
        side = len(small.blocks)
        np.testing.assert_array_equal(small.blocks, large.blocks[side : 2 * side, 2 * side : 3 * side])
    assert files[6] == write_jpeg(block)
