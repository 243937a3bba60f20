"""Restoring a picture that was coded before: what the networks are told, and where their input begins."""

from __future__ import annotations

import io

import numpy as np
import pytest
from PIL import Image

import optcodec
from restore import restore_image
from restore.runtime.cells import Floats
from restore.runtime.decode import Received, receive
from restore.runtime.earlier import EarlierCoding
from restore.runtime.image import decode_image
from restore.runtime.infer import restored_image
from restore.runtime.models import Model
from restore.runtime.settings import Settings
from tests.receiver_helpers import calling, jpeg

PATTERN = np.add.outer(np.arange(8), 3 * np.arange(8)).astype(np.float32) / 2 - 7  # in samples, other at each place


def earlier_coding(step: int | np.ndarray = 40, shift: tuple[int, int] = (0, 0)) -> EarlierCoding:
    return EarlierCoding(np.broadcast_to(np.asarray(step, np.uint16), (2, 8, 8)), None, shift, 1.0)


def patterned(image: Floats) -> Floats:
    """An image with a pattern that repeats with the blocks, from the first sample of the input on."""
    height, width = image.shape[2:]
    return image + np.tile(PATTERN, (height // 8, width // 8)) / 255


def blurred(image: Floats) -> Floats:
    """Means of 3x3 samples, with zeros around."""
    padded = np.pad(image, ((0, 0), (0, 0), (1, 1), (1, 1)))
    return sum(
        padded[:, :, row : row + image.shape[2], column : column + image.shape[3]]
        for row in range(3)
        for column in range(3)
    ) / np.float32(9)


def gray_model(function: object, border: int = 0) -> Model:
    return Model("mine", calling(function, "image"), None, border)  # type: ignore[arg-type]


class Told:
    """Networks that change nothing, and remember the conditions and images that they were given."""

    def __init__(self) -> None:
        self.conditions: list[np.ndarray] = []
        self.images: list[np.ndarray] = []
        network = calling(self.run, "image", "condition")
        self.model = Model("remembering", network, network, 0)

    def run(self, image: np.ndarray, condition: np.ndarray) -> np.ndarray:
        self.images.append(image[0])
        self.conditions.append(condition[0])
        return image[:, -2:]


def steps_in(condition: np.ndarray) -> np.ndarray:
    """The steps of all tables in a condition."""
    count = (len(condition) - 3) // 3
    return np.exp2(8 * condition[:count]).reshape(-1, 8, 8)


def test_networks_are_told_the_larger_steps_of_both_codings() -> None:
    received = receive(jpeg(40, 56, quality=50))
    own = np.stack([received.steps(0), received.steps(1)])
    first = np.where(np.indices((8, 8)).sum(axis=0) % 2, 200, 1)
    told = Told()
    restored_image(received, told.model, Settings(earlier=earlier_coding(first)))
    luminance, chrominance = told.conditions
    expected = np.where(np.indices((8, 8)).sum(axis=0) % 2, 200, own)
    np.testing.assert_allclose(steps_in(luminance), expected[:1], rtol=1e-5)
    np.testing.assert_allclose(steps_in(chrominance), expected, rtol=1e-5)
    for condition, tables in ((luminance, 1), (chrominance, 2)):  # all else is that of the file
        plain = received.context.condition(tables)
        np.testing.assert_array_equal(condition[64 * tables :], plain[64 * tables :])


def test_the_steps_of_a_gray_file_are_those_of_luminance() -> None:
    told = Told()
    received = receive(jpeg(24, 24, "L", quality=50))
    restored_image(received, told.model, Settings(earlier=earlier_coding(200)))
    np.testing.assert_allclose(steps_in(told.conditions[0]), np.full((1, 8, 8), 200), rtol=1e-5)


def test_chrominance_is_not_told_a_coding_on_another_grid() -> None:
    told = Told()
    received = receive(jpeg(40, 56, quality=50))
    restored_image(received, told.model, Settings(earlier=earlier_coding(200, (0, 3))))
    luminance, chrominance = told.conditions
    assert steps_in(luminance).min() > 199
    np.testing.assert_array_equal(chrominance, received.context.condition(2))


def test_samples_are_not_clipped_to_the_intervals_of_the_last_coding() -> None:
    received = receive(jpeg(40, 56, "L", quality=95))
    brighter = gray_model(lambda image: image + np.float32(20 / 255))
    decoded = decode_image(received).astype(int)
    free = restored_image(received, brighter, Settings(earlier=earlier_coding()))
    np.testing.assert_array_equal(free, np.minimum(decoded + 20, 255))
    assert np.abs(restored_image(received, brighter) - decoded).mean() < 5


def saved_again(pixels: np.ndarray) -> Received:
    """A picture of which only the steps of a high quality are known."""
    file = io.BytesIO()
    Image.fromarray(pixels).save(file, "JPEG", quality=95)
    return receive(file.getvalue())


@pytest.mark.parametrize(("top", "left"), [(3, 5), (0, 5), (3, 0), (8, 0)])
def test_the_input_begins_at_the_first_grid(top: int, left: int) -> None:
    """A picture that was cropped after its first coding is changed as the whole one, at each place of its blocks."""
    once = np.clip(decode_image(receive(jpeg(96, 120, "L", quality=20))), 40, 215)
    whole, cropped = saved_again(once), saved_again(once[top:, left:])
    shift = -top % 8, -left % 8
    model, at_first = gray_model(patterned), Settings(earlier=earlier_coding(shift=shift))
    changes = [
        restored_image(received, model, settings).astype(int) - decode_image(received)
        for received, settings in ((whole, Settings(earlier=earlier_coding())), (cropped, at_first))
    ]
    # halves are rounded to even numbers, up or down
    np.testing.assert_allclose(changes[1], changes[0][top:, left:], atol=1)
    np.testing.assert_allclose(changes[1][shift[0] :, shift[1] :][:8, :8], PATTERN, atol=0.5)


def test_the_input_has_the_samples_of_the_picture_and_repeats_those_of_its_borders() -> None:
    told = Told()
    received = receive(jpeg(40, 56, "L"))
    restored_image(received, told.model, Settings(earlier=earlier_coding(shift=(5, 3))))
    (image,) = told.images
    decoded = received.luminance((0, 40), (0, 56)) / np.float32(255)
    before = 16 - 5, 16 - 3  # whole blocks, also of subsampled chrominance, before the first one within the picture
    after = tuple(side - have - ahead for side, have, ahead in zip(image.shape[1:], (40, 56), before, strict=True))
    expected = np.pad(decoded, [(before[0], after[0]), (before[1], after[1])], "edge")
    np.testing.assert_array_equal(image[0], expected)
    assert all(side % 16 == 0 for side in image.shape[1:])


@pytest.mark.parametrize("shift", [(0, 0), (5, 3), (0, 7), (1, 0)])
@pytest.mark.parametrize("size", [(1, 1), (17, 70), (72, 88)])
@pytest.mark.parametrize("after_luminance", [False, True])
def test_the_result_does_not_depend_on_the_tiles(
    shift: tuple[int, int], size: tuple[int, int], after_luminance: bool
) -> None:
    luminance = calling(lambda image: patterned(blurred(image)), "image")
    chrominance = calling(lambda image: blurred(image[:, 1:] * 0.9 + image[:, :1] * 0.1), "image")
    model = Model("mine", luminance, chrominance, 1, after_luminance=after_luminance)
    received = receive(jpeg(*size, subsampling="4:2:0", quality=40))
    whole, *tiled = (
        restored_image(received, model, Settings(earlier=earlier_coding(shift=shift), tile=tile))
        for tile in (512, 16, 48)
    )
    for image in tiled:
        np.testing.assert_array_equal(image, whole)


def test_the_function_takes_a_quality_or_tables_or_searches(
    monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    data = jpeg(40, 56, "L", quality=90)
    table = tmp_path_factory.mktemp("tables") / "first.json"
    optcodec.save_tables(optcodec.annex_k_tables(15), table)
    found = earlier_coding(33, (2, 0))
    monkeypatch.setattr("restore.runtime.settings.find_earlier_coding", lambda received: found)
    expected = {"as_quality": optcodec.annex_k_tables(15)[0].steps, "as_tables": optcodec.annex_k_tables(15)[0].steps}
    for name, value in (("as_quality", 15), ("as_tables", table), ("as_quality", "auto")):
        told = Told()
        restore_image(data, model=told.model, **{name: value})
        steps = np.full((8, 8), 33) if value == "auto" else expected[name]
        larger = np.maximum(steps, receive(data).steps(0))
        np.testing.assert_allclose(steps_in(told.conditions[0])[0], larger, rtol=1e-5)
        assert (told.images[0].shape[1] == 40) == (value != "auto")  # with a shift, whole blocks of the other grid


def test_a_picture_coded_once_is_restored_as_without_the_search(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("restore.runtime.settings.find_earlier_coding", lambda received: None)
    data, model = jpeg(40, 56, quality=30), gray_model(patterned)
    np.testing.assert_array_equal(restore_image(data, model=model, as_quality="auto"), restore_image(data, model=model))
