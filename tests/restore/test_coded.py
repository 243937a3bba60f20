"""Files of coded photographs are reproducible, kept, and their patches lie on the grid that the network is told."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from skimage import data

from optcodec import InvalidInputError
from restore.channel.coded import GRID, CodedSet, code_once
from restore.channel.drawings import ALL_KINDS, DRAWING_KINDS, FIRST_KINDS, drawing
from restore.channel.mix import Mix
from restore.channel.patches import CodedPatches, coded_planes
from restore.channel.samples import to_ycc
from restore.channel.senders import SENDERS, check_packages
from restore.runtime.context import SIGMA_UNIT, Context, condition_size

PHOTO = data.astronaut()[:300, 100:420]
ONCE = Mix({"pillow": 2, "psnr": 1}, qualities=(20, 60), versions=3)
TWICE = Mix({"pillow": 1}, qualities=(20, 80), twice=1.0, known=1.0, versions=40)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tmp_path_factory.mktemp("files")


def test_a_file_is_the_same_made_or_kept(folder: Path) -> None:
    made, kept = CodedSet([PHOTO], ONCE, None), CodedSet([PHOTO], ONCE, folder)
    for _ in range(2):  # coded at first, then read
        for number in range(len(kept)):
            first, second = made.file(number), kept.file(number)
            for name in ("clean", "received", "steps", "dead_zones", "activities", "errors"):
                np.testing.assert_array_equal(getattr(first, name), getattr(second, name))


def test_sets_of_other_photographs_or_seeds_share_no_files(folder: Path) -> None:
    before = len(list(folder.iterdir()))
    CodedSet([PHOTO[::-1]], ONCE, folder)
    CodedSet([PHOTO], ONCE, folder, seed=1)
    assert len(list(folder.iterdir())) == before + 2


def test_errors_are_those_of_the_whole_file() -> None:
    file = code_once(PHOTO[:288], "pillow", 30, "4:2:0")
    clean = to_ycc(file.clean).astype(float)
    np.testing.assert_allclose(file.errors, np.mean((clean - file.received) ** 2, axis=(0, 1)), rtol=1e-5)
    assert file.errors[0] > 5


def test_clean_samples_are_those_of_the_standard_and_no_darker() -> None:
    """T.871, clause 7, rounded to nearest; so a fine file differs by nothing on average."""
    red, green, blue = PHOTO[..., 0].astype(float), PHOTO[..., 1].astype(float), PHOTO[..., 2].astype(float)
    luminance = 0.299 * red + 0.587 * green + 0.114 * blue
    exact = np.stack([luminance, (blue - luminance) / 1.772 + 128, (red - luminance) / 1.402 + 128], -1)
    assert np.abs(to_ycc(PHOTO) - exact).max() < 0.501
    clean, received, _ = coded_planes(PHOTO[:288], "pillow", 100, "4:4:4", 3)
    assert np.abs((clean.astype(float) - received).mean((1, 2))).max() < 0.02


def blockiness(luminance: np.ndarray, origin: int) -> float:
    """Mean jump of luminance across the borders of the blocks that begin at a row, beyond that of the rows beside."""
    jumps = np.abs(np.diff(luminance.astype(float), axis=0)).mean(axis=1)
    curvature = jumps[1:-1] - (jumps[:-2] + jumps[2:]) / 2
    return float(curvature[(origin - 2) % 8 :: 8].mean())


def test_the_grid_of_the_first_coding_is_known() -> None:
    files = CodedSet([PHOTO], TWICE, None)
    shifted = [file for file in map(files.file, range(len(files))) if file.origin[0] % 8]
    assert len(shifted) > 3
    for file in shifted:  # coded coarsely first
        values = {row: blockiness(file.received[..., 0], row) for row in range(8)}
        assert max(values, key=lambda row: values[row]) == file.origin[0] % 8


def test_the_steps_of_a_known_first_coding_are_the_larger_ones() -> None:
    files = CodedSet([PHOTO], TWICE, None)
    coarse = code_once(PHOTO, "pillow", 20, "4:2:0").steps
    several = [files.file(number).steps for number in range(len(files))]
    assert sum(np.array_equal(steps, coarse) for steps in several) > len(several) / 4
    unknown = CodedSet([PHOTO], Mix({"pillow": 1}, qualities=(80,), twice=1.0, known=0.0), None)
    fine = code_once(PHOTO, "pillow", 80, "4:2:0").steps
    assert all(np.array_equal(unknown.file(number).steps, fine) for number in range(5))


def test_batches_are_reproducible_and_have_what_a_network_takes() -> None:
    for planes, tables in ((1, 1), (3, 2)):
        patches = CodedPatches([PHOTO], ONCE, None, side=32, count=6, planes=planes)
        batch, again = patches.batch(5), patches.batch(5)
        assert batch.clean.shape == batch.received.shape == (6, planes, 32, 32)
        assert batch.conditions.shape == (6, condition_size(tables))
        for name in ("clean", "received", "conditions", "errors"):
            np.testing.assert_array_equal(getattr(batch, name), getattr(again, name))
        assert not np.array_equal(batch.clean, patches.batch(6).clean)


def test_batches_have_the_errors_of_the_planes_that_are_restored() -> None:
    """Those of the whole file: of luminance, or the mean of those of Cb and Cr."""
    mix = Mix({"pillow": 1}, qualities=(20,), versions=1)
    errors = CodedSet([PHOTO], mix, None).file(0).errors
    for planes, expected in ((1, errors[0]), (3, (errors[1] + errors[2]) / 2)):
        batch = CodedPatches([PHOTO], mix, None, side=32, count=5, planes=planes).batch(2)
        np.testing.assert_allclose(batch.errors, np.full(5, expected), rtol=1e-6)
        difference = (batch.clean.astype(float) - batch.received)[:, -batch.restored :]
        of_patches = np.mean(difference**2, axis=(1, 2, 3))
        np.testing.assert_allclose(batch.reference, np.stack([batch.errors, of_patches], 1), rtol=1e-5)
    assert len({*errors.round(3), errors[1:].mean().round(3)}) == 4


def test_noise_is_added_to_what_was_decoded_and_told(folder: Path) -> None:
    """The files are those without noise, and kept only once."""
    before = len(list(folder.iterdir()))
    quiet, noisy = (
        CodedPatches([PHOTO], replace(ONCE, sigmas=(sigma,)), folder, side=32, count=6, planes=1).batch(5)
        for sigma in (0.0, 8.0)
    )
    np.testing.assert_array_equal(noisy.clean, quiet.clean)
    assert (noisy.received.astype(int) - quiet.received).std() == pytest.approx(8, rel=0.1)
    np.testing.assert_array_equal(noisy.conditions[:, :64], quiet.conditions[:, :64])
    usual = Context.of_steps(np.ones((1, 8, 8))).condition(1)[64:192]  # a noisy picture does not tell the statistics
    np.testing.assert_array_equal(noisy.conditions[:, 64:192], [usual] * 6)
    np.testing.assert_array_equal(noisy.conditions[:, -1], np.full(6, 8 / SIGMA_UNIT))
    np.testing.assert_allclose(noisy.errors, quiet.errors + 64)
    several = CodedPatches([PHOTO], replace(ONCE, sigmas=(0.0, 8.0)), folder, side=32, count=40, planes=1).batch(0)
    assert set(several.conditions[:, -1].tolist()) == {0, 0.5}
    assert len(list(folder.iterdir())) <= before + 1


def test_networks_are_not_told_the_file_of_blind_patches() -> None:
    for planes, tables in ((1, 1), (3, 2)):
        mix = replace(ONCE, sigmas=(4.0,), blind=1.0)
        batch = CodedPatches([PHOTO], mix, None, side=32, count=4, planes=planes).batch(0)
        unknown = Context.of_steps(np.ones((tables, 8, 8)), 4.0).condition(tables)
        np.testing.assert_array_equal(batch.conditions, [unknown] * 4)
    half = CodedPatches([PHOTO], replace(ONCE, blind=0.5), None, side=32, count=80, planes=1).batch(0)
    assert 0 < np.mean(half.conditions[:, :64].any(axis=1)) < 1


def test_patches_lie_on_the_grid() -> None:
    """Without any coding error to speak of, a patch and its received one are the same part of the photograph."""
    patches = CodedPatches([PHOTO], Mix({"pillow": 1}, qualities=(100,)), None, side=GRID, count=8, planes=1)
    batch = patches.batch(0)
    assert np.abs(batch.clean.astype(int) - batch.received).max() <= 4


def test_validation_planes_are_those_of_the_file() -> None:
    clean, received, condition = coded_planes(PHOTO[:288], "pillow", 50, "4:2:0", 3)
    assert clean.shape == received.shape == (3, 288, 320)
    assert condition.shape == (condition_size(2),)
    assert condition[-3:].tolist() == [1, 1, 0]  # log2 of the subsampling, no noise


@pytest.mark.parametrize("kind", list(DRAWING_KINDS))
def test_drawings_are_reproducible_and_differ(kind: str) -> None:
    size = {"width": 120, "height": 96}
    several = [drawing(number, **size, kinds=[kind]) for number in range(4)]
    np.testing.assert_array_equal(several[3], drawing(3, **size, kinds=[kind]))
    assert all(image.shape == (96, 120, 3) and image.dtype == np.uint8 for image in several)
    assert all(image.std() > 1 for image in several)
    assert len({image.tobytes() for image in several}) == 4


def test_kinds_of_drawings_take_turns() -> None:
    for number in (7, 10, 13):
        several = drawing(number, kinds=ALL_KINDS)
        np.testing.assert_array_equal(several, drawing(number, kinds=[ALL_KINDS[number % len(ALL_KINDS)]]))
    np.testing.assert_array_equal(drawing(6), drawing(6, kinds=[FIRST_KINDS[2]]))


def test_drawings_of_a_mix_are_of_its_kinds() -> None:
    mix = Mix({"pillow": 1}, qualities=(90,), versions=1, drawings=2, kinds=("code", "sheet"))
    options = {"side": 32, "count": 1, "planes": 3}
    theirs = CodedPatches([PHOTO], mix, None, **options)
    drawn = [drawing(number, kinds=mix.kinds) for number in range(2)]
    same = CodedPatches([PHOTO, *drawn], replace(mix, drawings=0), None, **options)
    for number in range(8):
        np.testing.assert_array_equal(theirs.batch(number).clean, same.batch(number).clean)
    with pytest.raises(InvalidInputError, match=r"kinds are of page, window, .*, at least one; got \['poster'\]"):
        replace(mix, kinds=("poster",))


def test_drawings_of_a_mix_begin_where_it_says() -> None:
    mix = Mix({"pillow": 1}, qualities=(90,), versions=1, drawings=1, first_drawing=5)
    options = {"side": 32, "count": 1, "planes": 3}
    later = CodedPatches([PHOTO], mix, None, **options)
    first = CodedPatches([PHOTO], replace(mix, first_drawing=0), None, **options)
    assert any(not np.array_equal(later.batch(number).clean, first.batch(number).clean) for number in range(8))
    same = CodedPatches([PHOTO, drawing(5)], replace(mix, drawings=0), None, **options)
    for number in range(8):
        np.testing.assert_array_equal(later.batch(number).clean, same.batch(number).clean)


@pytest.mark.parametrize("name", list(SENDERS))
def test_senders_code_the_picture(name: str) -> None:
    package = {"mozjpeg": "pyvips", "mozjpeg-flat": "pyvips", "jpegli": "ajpegli"}.get(name)
    if package:
        pytest.importorskip(package)
    coarse, fine = (code_once(PHOTO[:96, :96], name, quality, "4:4:4") for quality in (20, 85))
    assert 0 < fine.errors[0] < coarse.errors[0] < 1000


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"senders": {}}, "senders are shares by name, at least one; got {}"),
        ({"senders": {"gif": 1}}, "senders are pillow, .*; got 'gif'"),
        ({"senders": {"pillow": 0}}, "the share of a sender is a number above 0; got 0 for pillow"),
        ({"senders": {"pillow": 1}, "qualities": (0,)}, r"qualities are 1..100, at least one; got \[0\]"),
        ({"senders": {"pillow": 1}, "subsamplings": ("4:1:1",)}, "subsamplings are 4:4:4 and 4:2:0"),
        ({"senders": {"pillow": 1}, "twice": 2}, "twice is a share, 0..1; got 2"),
        ({"senders": {"pillow": 1}, "blind": -0.1}, "blind is a share, 0..1; got -0.1"),
        ({"senders": {"pillow": 1}, "sigmas": ()}, "sigmas are 0..255, at least one; got "),
        ({"senders": {"pillow": 1}, "sigmas": (0, -1.0)}, "sigmas are 0..255, at least one; got "),
        ({"senders": {"pillow": 1}, "versions": 0}, "versions are at least 1"),
    ],
)
def test_bad_mixes_are_refused(arguments: dict, message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        Mix(**arguments)


def test_a_missing_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optcodec.extras.find_spec", lambda name: None)
    with pytest.raises(InvalidInputError, match="ajpegli is needed for this, and is not installed"):
        check_packages(["jpegli"])


def test_photographs_have_to_hold_a_patch() -> None:
    with pytest.raises(InvalidInputError, match="no photograph has 144 rows and columns"):
        CodedPatches([PHOTO[:143]], ONCE, None, side=64, count=1, planes=1)


def test_files_that_are_too_small_for_a_patch_are_passed_over(monkeypatch: pytest.MonkeyPatch) -> None:
    """Those of pictures that were much larger when they were coded first."""
    small, large = (code_once(PHOTO[:rows, :160], "pillow", 30, "4:2:0") for rows in (48, 160))
    waiting = [small, small, large, small, large]
    monkeypatch.setattr(CodedSet, "file", lambda self, number: waiting.pop(0))
    batch = CodedPatches([PHOTO], ONCE, None, side=64, count=2, planes=1).batch(0)
    assert batch.clean.shape == (2, 1, 64, 64)
    assert not waiting
