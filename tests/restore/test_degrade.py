"""Degradations of images, and batches of degraded patches."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import optcodec
from restore.channel import degradation as degrade
from restore.channel.degradation import Degradation, Patches, load_photographs


def noise(*shape: int, seed: int = 0) -> np.ndarray:
    """Samples without structure."""
    return np.random.default_rng(seed).integers(0, 256, shape, dtype=np.uint8)


def ramp(side: int) -> np.ndarray:
    """A smooth gray image."""
    return np.add.outer(np.arange(side), np.arange(side)).astype(np.uint8)


def coded(monkeypatch: pytest.MonkeyPatch, image: np.ndarray, degradation: Degradation) -> tuple[bytes, np.ndarray]:
    """The JPEG file that a degradation encodes, and the tables that it returns."""
    files: list[bytes] = []
    encode = degrade._encode

    def recording_encode(*arguments: object) -> bytes:
        files.append(encode(*arguments))
        return files[-1]

    monkeypatch.setattr(degrade, "_encode", recording_encode)
    tables = degradation(image, np.random.default_rng(3))[1]
    return files[0], tables


@pytest.mark.parametrize("encoder", ["pillow", "optcodec", "rdo"])
@pytest.mark.parametrize("shape", [(24, 16), (32, 32, 3)])
def test_the_file_has_the_tables_that_are_reported(
    monkeypatch: pytest.MonkeyPatch, encoder: str, shape: tuple[int, ...]
) -> None:
    degradation = Degradation((30,), own_tables=1.0, encoder=encoder)
    data, tables = coded(monkeypatch, noise(*shape), degradation)
    image = optcodec.read_jpeg(data)
    assert tables.shape == (1 if len(shape) == 2 else 2, 8, 8)
    for component, table in zip(image.components, [tables[0], *tables[1:], *tables[1:]], strict=True):
        np.testing.assert_array_equal(image.tables[component.table].steps, table)


def test_equal_tables_are_reported_for_each_kind_of_component() -> None:
    """At quality 100 our files have one table for all components, where the two are the same."""
    image, shapes = noise(16, 16, 3) // 32 + 100, set()
    for seed in range(8):
        shapes.add(Degradation((100,), encoder="mixed")(image, np.random.default_rng(seed))[1].shape)
    assert len(optcodec.encode(image, quality=100, tune="ycbcr").coefficients.tables) == 1
    assert shapes == {(2, 8, 8)}


@pytest.mark.parametrize("quality", [1, 10, 95])
def test_tables_are_those_of_the_quality(quality: int) -> None:
    tables = Degradation((quality,))(noise(16, 16, 3), np.random.default_rng(0))[1]
    np.testing.assert_array_equal(tables, [table.steps for table in optcodec.annex_k_tables(quality)])


def test_own_tables_lie_between_those_of_annex_k_and_flat_ones() -> None:
    annex_k = optcodec.annex_k_tables(40)[0].steps.astype(float)
    degradation, rng = Degradation((40,), own_tables=1.0), np.random.default_rng(0)
    drawn = np.array([degradation(noise(8, 8), rng)[1][0] for _ in range(200)], float)
    assert drawn.min() >= 1
    assert not (drawn == annex_k).all((1, 2)).any()
    spread = np.log(drawn).std((1, 2))
    assert np.all(spread < np.log(annex_k).std() + 0.05)
    assert spread.min() < 0.2  # nearly flat, but for the 10 % that each entry moves
    np.testing.assert_allclose(np.log(drawn).mean(), np.log(annex_k).mean(), atol=0.01)


@pytest.mark.parametrize("shape", [(24, 16), (32, 32, 3)])
def test_some_patches_are_not_coded(shape: tuple[int, ...]) -> None:
    image, rng = noise(*shape), np.random.default_rng(0)
    kept = 0
    for _ in range(200):
        received, tables = Degradation((10,), lossless=0.25)(image, rng)
        assert (tables == 1).all() == (received == image).all()
        kept += int((received == image).all())
    assert 30 < kept < 70  # 50 expected, deviation 6.1


def test_the_image_equals_that_of_pillow() -> None:
    image = noise(24, 40)
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=20)
    received, _ = Degradation((20,))(image, np.random.default_rng(0))
    np.testing.assert_array_equal(received, np.asarray(Image.open(file)))


def test_colour_stays_luminance_and_chrominance() -> None:
    image = np.empty((32, 32, 3), np.uint8)
    image[:] = 60, 90, 200
    received, _ = Degradation((90,))(image, np.random.default_rng(0))
    np.testing.assert_allclose(received.mean((0, 1)), (60, 90, 200), atol=1.5)


def test_noise_has_the_standard_deviation_sigma() -> None:
    image = np.full((256, 256), 128, np.uint8)  # JPEG leaves a flat image as it is
    received, _ = Degradation((50,), sigmas=(10.0,))(image, np.random.default_rng(1))
    error = received.astype(float) - 128
    assert abs(error.mean()) < 4 * 10 / 256
    # of the noise and its rounding; a sample deviation of n values scatters by sigma / sqrt(2 n)
    assert abs(error.std() - np.sqrt(100 + 1 / 12)) < 4 * 10 / np.sqrt(2 * 256**2)


def test_noise_is_clipped_to_samples() -> None:
    dark = Degradation((50,), sigmas=(20.0,))(np.zeros((64, 64), np.uint8), np.random.default_rng(0))[0]
    assert 0.45 < (dark == 0).mean() < 0.56  # half of the noise is negative, and what rounds to zero
    assert dark.max() < 110


def test_qualities_are_drawn_evenly() -> None:
    degradation, rng = Degradation((10, 20, 30, 50)), np.random.default_rng(0)
    first = [int(degradation(noise(8, 8), rng)[1][0, 0, 0]) for _ in range(400)]
    assert sorted(set(first)) == sorted({int(optcodec.annex_k_tables(q)[0].steps[0, 0]) for q in (10, 20, 30, 50)})
    assert min(first.count(step) for step in set(first)) > 70  # 100 expected, deviation 8.7


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"qualities": ()}, r"qualities are 1\.\.100, at least one; got \[\]"),
        ({"qualities": (0,)}, r"qualities .* got \[0\]"),
        ({"qualities": (101,)}, r"qualities .* got \[101\]"),
        ({"sigmas": (-1.0,)}, r"sigmas are 0\.\.255, at least one; got \[-1.0\]"),
        ({"sigmas": ()}, r"sigmas .* got \[\]"),
        ({"subsamplings": ("4:1:1",)}, r"subsamplings are 4:4:4.* got \['4:1:1'\]"),
        ({"subsamplings": ()}, r"subsamplings .* got \[\]"),
        ({"own_tables": 1.5}, r"own_tables is a share, 0\.\.1; got 1.5"),
        ({"lossless": -0.5}, r"lossless is a share, 0\.\.1; got -0.5"),
        ({"encoder": "jpegli"}, "encoder is pillow, optcodec, rdo or mixed; got 'jpegli'"),
    ],
)
def test_values_out_of_range_are_refused(wrong: dict[str, object], message: str) -> None:
    with pytest.raises(optcodec.InvalidInputError, match=message):
        Degradation(**wrong)


def drawn(seed: int = 0, **options: int) -> Patches:
    """Patches of two photographs."""
    images = [noise(40, 56, seed=1), noise(64, 48, seed=2)]
    degradation = Degradation((10, 50), sigmas=(0.0, 5.0), own_tables=0.5)
    return Patches(images, degradation, **{"side": 16, "count": 6, "seed": seed, **options})


def test_a_batch_depends_on_its_number_and_seed_only() -> None:
    one, other = drawn(), drawn()
    other.batch(0)
    other.batch(1)
    for name in ("clean", "received", "tables"):
        np.testing.assert_array_equal(getattr(one.batch(2), name), getattr(other.batch(2), name))
    assert not np.array_equal(one.batch(2).clean, one.batch(3).clean)
    assert not np.array_equal(one.batch(2).clean, drawn(seed=1).batch(2).clean)


def test_planes_come_first() -> None:
    gray, colour = drawn().batch(0), Patches([noise(32, 32, 3)], Degradation(), side=16, count=3).batch(0)
    assert gray.clean.shape == gray.received.shape == (6, 1, 16, 16)
    assert gray.tables.shape == (6, 1, 8, 8)
    assert colour.clean.shape == colour.received.shape == (3, 3, 16, 16)
    assert colour.tables.shape == (3, 2, 8, 8)


def origins(stride: int) -> set[tuple[int, int]]:
    """Where patches of 16x16 samples of a numbered 40x56 image begin; also that they are whole squares of it."""
    rows, columns = np.mgrid[:40, :56].astype(np.uint8)
    image = np.stack([rows, columns, np.zeros_like(rows)], -1)
    corners = set()
    patches = Patches([image], Degradation((100,)), side=16, count=64, stride=stride)
    for patch in np.concatenate([patches.batch(number).clean for number in range(3)]):
        top, left = int(patch[0].min()), int(patch[1].min())
        square = {(row, column) for row in range(top, top + 16) for column in range(left, left + 16)}
        assert set(zip(patch[0].ravel().tolist(), patch[1].ravel().tolist(), strict=True)) == square
        corners.add((top, left))
    return corners


def test_patches_begin_at_multiples_of_the_stride() -> None:
    assert origins(12) == {(top, left) for top in (0, 12, 24) for left in (0, 12, 24, 36)}
    assert {top for top, _ in origins(1)} > {0, 1, 24}


def test_patches_are_flipped_and_rotated_in_all_eight_ways() -> None:
    image = noise(8, 8)
    patches = Patches([image], Degradation((100,)), side=8, count=64)
    rotations = [np.rot90(image, turn) for turn in range(4)]
    expected = {
        orientation.tobytes() for orientation in [*rotations, *(orientation[:, ::-1] for orientation in rotations)]
    }
    assert {patch[0].tobytes() for patch in patches.batch(0).clean} == expected


def test_photographs_smaller_than_a_patch_are_left_out() -> None:
    small, large = np.zeros((64, 15), np.uint8), np.full((16, 16), 9, np.uint8)
    patches = Patches([small, large], Degradation(), side=16, count=20)
    assert np.all(patches.batch(0).clean == 9)
    with pytest.raises(optcodec.InvalidInputError, match="no photograph has the 16x16 pixels of a patch"):
        Patches([small], Degradation(), side=16, count=1)


def test_photographs_are_drawn_by_their_area() -> None:
    images = [np.full((16, 16), 1, np.uint8), np.full((48, 16), 2, np.uint8)]
    clean = Patches(images, Degradation(), side=16, count=400).batch(0).clean[:, 0, 0, 0]
    assert abs((clean == 2).mean() - 0.75) < 4 * np.sqrt(0.75 * 0.25 / 400)


def test_photographs_are_read_in_order_and_shrunk(tmp_path: Path) -> None:
    Image.fromarray(ramp(16)).save(tmp_path / "b.png")
    Image.fromarray(np.repeat(noise(8, 8)[..., None], 3, 2)).save(tmp_path / "a.png")
    (tmp_path / "notes.txt").write_text("no image")
    first, second = load_photographs(tmp_path, mode="L")
    np.testing.assert_array_equal(first, noise(8, 8))
    np.testing.assert_array_equal(second, ramp(16))
    half = load_photographs(tmp_path, mode="L", shrink=2)[1]
    means = ramp(16).reshape(8, 2, 8, 2).mean((1, 3))
    np.testing.assert_array_equal(half, means)
    assert load_photographs(tmp_path, mode="YCbCr")[0].shape == (8, 8, 3)


def test_folders_without_photographs_are_refused(tmp_path: Path) -> None:
    with pytest.raises(optcodec.InvalidInputError, match="nowhere is not a folder; expected one with photographs"):
        load_photographs(tmp_path / "nowhere", mode="L")
    with pytest.raises(optcodec.InvalidInputError, match=r"has no images; expected \.bmp, \.gif, \.jfif"):
        load_photographs(tmp_path, mode="L")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG")
    with pytest.raises(optcodec.InvalidInputError, match=r"broken\.png: not an image file"):
        load_photographs(tmp_path, mode="L")
