"""Receivers as readers of the encoder's loop: their loss, its gradient, and what files for them gain."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

torch = pytest.importorskip("torch")
pytest.importorskip("safetensors")
pytest.importorskip("onnx")

import numpy as np  # noqa: E402
import skimage.data  # noqa: E402

from optcodec import Bpp, InvalidInputError, MaxBytes, Readers, encode, psnr_db, read_jpeg  # noqa: E402
from optcodec.jpeg.writer import write_jpeg  # noqa: E402
from optcodec.loop.adjoint import coefficient_gradients  # noqa: E402
from optcodec.loop.judge import DecodedFile  # noqa: E402
from restore import load_model, restore_image  # noqa: E402
from restore.export.model_files import write_model  # noqa: E402
from restore.networks import Conditioned, build  # noqa: E402
from restore.networks.weights import save_network  # noqa: E402
from restore.readers import ReceiverReader, TaskReader, deblock, deblock_hint, denoise25, sr4  # noqa: E402
from restore.readers import receiver as receiver_module  # noqa: E402
from restore.readers import task as task_module  # noqa: E402
from restore.readers.regions import regions  # noqa: E402
from restore.runtime.hint import Hint  # noqa: E402
from restore.tasks import make_task  # noqa: E402
from tests.cli_helpers import photograph  # noqa: E402
from tests.train_helpers import one_thread, shaken  # noqa: E402

__all__ = ["one_thread"]  # fixture
pytestmark = pytest.mark.usefixtures("one_thread")

CHROMA = {"planes": 3, "restored": 2, "tables": 2, "period": 8, "width": 8, "blocks": 1, "after_luminance": True}
PHOTO = photograph(80, 104)


def receiver() -> ReceiverReader:
    """A receiver whose networks change samples by a few units."""
    pair = [shaken(Conditioned(width=8, blocks=1)), shaken(Conditioned(**CHROMA))]
    for network in pair:
        network.tail.weight.data *= 0.004
        network.tail.bias.data *= 0.004
    return ReceiverReader(*pair)


def hinting(folder: Path) -> ReceiverReader:
    """The same receiver, for whom files have hints."""
    reader = receiver()
    write_model(folder / "model.json", reader.luminance, reader.chrominance)
    return replace(reader, hints=load_model(folder / "model.json", threads=1))


def task_reader(problem: str = "denoise25") -> TaskReader:
    return TaskReader(make_task(problem))


def mean_square(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.square(one.astype(float) - other).mean())


# ---- The loss --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subsampling", "grey"), [("4:2:0", False), ("4:4:4", False), ("4:2:2", False), ("", True)])
@pytest.mark.parametrize("quality", [10, 60])
def test_the_loss_is_the_error_of_what_the_receiver_restores(
    tmp_path: Path, subsampling: str, grey: bool, quality: int
) -> None:
    reader, picture = receiver(), PHOTO[:77, :99, 1] if grey else PHOTO[:77, :99]
    write_model(tmp_path / "model.json", reader.luminance, reader.chrominance)
    file = encode(picture, quality=quality, **({} if grey else {"subsampling": subsampling}))
    restored = restore_image(file.data, model=tmp_path / "model.json")
    decoded = DecodedFile.of(file.data, grey=grey).pixels
    assert mean_square(restored, decoded) > 0.5
    rounding = 1 / 12  # mean squared error of samples that are rounded
    assert reader(restored).of_file(file.data).loss(decoded) < 1.2 * rounding
    loss = reader(picture).of_file(file.data).loss(decoded)
    assert loss**0.5 == pytest.approx(mean_square(restored, picture) ** 0.5, abs=(1.2 * rounding) ** 0.5)
    assert reader(picture).of_file(file.data)(decoded)[0] == pytest.approx(loss, rel=1e-4)


@pytest.mark.parametrize("grey", [False, True])
def test_with_hints_the_loss_is_that_of_the_file_that_gets_one(tmp_path: Path, grey: bool) -> None:
    reader, picture = hinting(tmp_path), PHOTO[:77, :99, 1] if grey else PHOTO[:77, :99]
    file = encode(np.ascontiguousarray(picture), quality=20)
    reading = reader(picture).of_file(file.data)
    decoded = DecodedFile.of(file.data, grey=grey).pixels
    with_hint = reading.left_in(file.data)
    assert len(with_hint) == len(file.data) + reading.left_nbytes
    restored = [restore_image(data, model=tmp_path / "model.json") for data in (file.data, with_hint)]
    before, after = (mean_square(one, picture) for one in restored)
    assert after < before - 0.5
    assert reading.loss(decoded) ** 0.5 == pytest.approx(after**0.5, abs=0.1**0.5)
    assert reading(decoded)[0] == pytest.approx(reading.loss(decoded), rel=1e-4)
    assert (receiver()(picture).left_nbytes, receiver()(picture).left_in(file.data)) == (0, file.data)


def test_constant_areas_stay_as_they_are(tmp_path: Path) -> None:
    reader, picture = receiver(), np.full((64, 64, 3), (40, 90, 200), np.uint8)
    picture[:16, :16] = 0
    write_model(tmp_path / "model.json", reader.luminance, reader.chrominance)
    data = encode(picture, quality=20, subsampling="4:4:4").data
    restored, decoded = restore_image(data, model=tmp_path / "model.json"), DecodedFile.of(data, grey=False).pixels
    np.testing.assert_array_equal(restored[24:, 24:], decoded[24:, 24:])
    assert (restored[:24, :24] != decoded[:24, :24]).any()
    loss = reader(picture).of_file(data).loss(decoded)
    assert loss == pytest.approx(mean_square(restored, picture), abs=0.15)


def test_a_task_compares_with_what_it_makes_of_the_original_or_with_a_clean_picture() -> None:
    reader = task_reader()
    decoded = DecodedFile.of(encode(PHOTO, quality=30).data, grey=False).pixels
    assert reader(PHOTO).loss(PHOTO) == 0
    network = reader.task.network
    assert network is not None

    def restored(pixels: np.ndarray) -> np.ndarray:
        with torch.no_grad():
            planes = torch.from_numpy(pixels.transpose(2, 0, 1).astype(np.float32) / 255)[None]
            return 255 * network(planes)[0].clamp(0, 1).numpy().transpose(1, 2, 0)

    assert reader(PHOTO).loss(decoded) == pytest.approx(mean_square(restored(decoded), restored(PHOTO)), rel=1e-3)
    clean = np.ascontiguousarray(PHOTO[:, ::-1])
    assert reader.against(clean)(PHOTO).loss(decoded) == pytest.approx(mean_square(restored(decoded), clean), rel=1e-3)


def test_super_resolution_has_a_larger_picture() -> None:
    small = photograph(24, 40)
    reading = sr4()(small)
    assert reading.loss(small) == 0
    loss, gradient = reading(small // 2)
    assert loss > 0
    assert gradient.shape == small.shape
    with pytest.raises(
        InvalidInputError, match=r"a clean picture has 160x96 pixels in RGB, 4 times .* got \(24, 40, 3\)"
    ):
        sr4().against(small)(small)


# ---- The gradient ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("subsampling", "hints"), [("4:2:0", False), ("4:4:4", False), ("4:2:0", True)])
def test_the_gradient_tells_what_a_change_of_the_file_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, subsampling: str, hints: bool
) -> None:
    """Many indices of a fine file are moved by one, with and against the gradient.

    A hint is least squares for each file, so that at its best weights the loss does not change with them.
    """
    reader = hinting(tmp_path) if hints else receiver()
    hint = Hint(((48, 20, -9), (30, 11, 5, 4, -3), (25, -6, 9, -5, 4)))
    monkeypatch.setattr(receiver_module, "best_hint", lambda received, original, model: hint)
    data = encode(PHOTO, quality=85, subsampling=subsampling).data
    image, rng = read_jpeg(data), np.random.default_rng(5)
    decoded = DecodedFile.of(data, grey=False).pixels
    loss, gradient = reader(PHOTO).of_file(data)(decoded)
    slopes = coefficient_gradients(gradient, decoded, subsampling)
    for component in (0, 1, 2):
        part, slope = image.components[component], slopes.components[component]
        changes = np.where(rng.random(part.blocks.shape) < 0.03, -np.sign(slope.coefficients), 0).astype(np.int16)
        changes[..., 0, 0] = 0
        steps = image.tables[part.table].steps
        expected = float((changes * steps * slope.coefficients).sum())
        found = []
        for sign in (1, -1):
            moved = list(image.components)
            moved[component] = replace(part, blocks=part.blocks + sign * changes)
            other = write_jpeg(replace(image, components=tuple(moved)))
            pixels = DecodedFile.of(other, grey=False).pixels
            found.append(reader(PHOTO).of_file(other).loss(pixels) - loss)
        assert expected < 0
        assert (found[0] - found[1]) / 2 == pytest.approx(expected, rel=0.15)


@pytest.mark.parametrize("grey", [False, True])
def test_the_gradient_of_a_task_is_that_of_its_loss(grey: bool) -> None:
    picture = PHOTO[..., 0] if grey else PHOTO
    reading, rng = task_reader()(picture), np.random.default_rng(1)
    decoded = np.clip(picture.astype(int) + rng.integers(-9, 10, picture.shape), 20, 235).astype(np.uint8)
    gradient = reading(decoded)[1]
    change = rng.integers(-1, 2, picture.shape)
    moved = [(decoded + sign * change).astype(np.uint8) for sign in (1, -1)]
    difference = reading.loss(moved[0]) - reading.loss(moved[1])
    assert difference == pytest.approx(2 * float((gradient * change).sum()), rel=0.05)


def test_regions_do_not_change_the_gradient(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    data = encode(PHOTO, quality=40).data
    decoded = DecodedFile.of(data, grey=False).pixels
    readings: list[Any] = [
        receiver()(PHOTO).of_file(data),
        hinting(tmp_path)(PHOTO).of_file(data),
        task_reader()(PHOTO),
    ]
    whole = [reading(decoded) for reading in readings]
    monkeypatch.setattr(receiver_module, "_SIDE", 32)
    monkeypatch.setattr(task_module, "_SIDE", 32)
    for reading, (loss, gradient) in zip(readings, whole, strict=True):
        assert reading.loss(decoded) == pytest.approx(loss, rel=1e-5)
        np.testing.assert_allclose(reading(decoded)[1], gradient, atol=1e-3 * np.abs(gradient).max())
    assert task_reader()(PHOTO).loss(PHOTO) == 0


def test_regions_cover_a_picture_once() -> None:
    seen = np.zeros((70, 45), int)
    for region in regions(70, 45, 32, 8):
        rows, columns = (slice(*span) for span in region.inner)
        seen[rows, columns] += 1
        part = np.arange(70)[slice(*region.seen[0])]
        np.testing.assert_array_equal(part[region.within()[0]], np.arange(*region.inner[0]))
    assert (seen == 1).all()


# ---- Files for receivers ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("tune", ["psnr", "people"])
def test_files_for_a_receiver_are_restored_better_at_equal_bytes(tune: str) -> None:
    """Of parts of a real photograph: the receivers leave pictures alone that look drawn, as `PHOTO` does to them."""
    reader, gained = deblock("tiny"), 0.0
    for top, left in ((60, 170), (200, 200), (0, 200), (300, 100)):
        photo = np.ascontiguousarray(skimage.data.astronaut()[top : top + 80, left : left + 104])
        files = [encode(photo, target=MaxBytes(1600), tune=tune, **how) for how in ({}, {"reader": reader})]
        losses = [reader(photo).of_file(file.data).loss(photo) for file in files]
        assert all(file.nbytes <= 1600 for file in files)
        assert losses[1] < 0.97 * losses[0]
        assert files[1].loss == pytest.approx(losses[1])
        mixed = encode(photo, target=MaxBytes(1600), tune=tune, reader=Readers([reader], fidelity=0.7))
        decoded = [psnr_db(photo, DecodedFile.of(file.data, grey=False).pixels) for file in (files[1], mixed)]
        gained += decoded[1] - decoded[0]
    assert gained > 0.1  # dB; of a single small file it may be lost by chance


# ---- What is refused -------------------------------------------------------------------------------------------------


def test_files_with_hints_keep_the_size_and_restore_better() -> None:
    photo = np.ascontiguousarray(skimage.data.astronaut()[60:140, 170:274])
    plain, with_hint = (
        encode(photo, target=Bpp(1.5), reader=reader, rounds=4) for reader in (deblock("tiny"), deblock_hint("tiny"))
    )
    assert b"hint\0" in with_hint.data
    assert 0.97 * plain.nbytes < with_hint.nbytes <= int(1.5 * photo.shape[0] * photo.shape[1] / 8)
    without, restored = (restore_image(file.data, model="tiny") for file in (plain, with_hint))
    assert mean_square(restored, photo) < mean_square(without, photo)
    assert with_hint.loss is not None
    assert with_hint.loss == pytest.approx(mean_square(restored, photo), rel=0.03)
    with pytest.raises(InvalidInputError, match="no model 'nothing'"):
        deblock_hint("nothing")


def test_networks_of_other_planes_are_refused(tmp_path: Path) -> None:
    colour, grey = tmp_path / "colour.safetensors", tmp_path / "grey.safetensors"
    save_network(colour, Conditioned(**CHROMA))
    save_network(grey, Conditioned(width=8, blocks=1))
    assert deblock(f"{grey},{colour}").chrominance is not None
    assert deblock(str(grey)).chrominance is None
    with pytest.raises(InvalidInputError, match=r"colour\.safetensors takes 3 planes and restores 2; expected 1 and 1"):
        deblock(str(colour))
    with pytest.raises(InvalidInputError, match="at most a network for luminance and one for chrominance"):
        deblock(f"{grey},{colour},{colour}")
    with pytest.raises(InvalidInputError, match="no model 'nothing'"):
        deblock("nothing")


def test_a_task_without_gradients_is_refused() -> None:
    with pytest.raises(InvalidInputError, match=r"has no gradients; expected a network of torch that takes RGB"):
        TaskReader(make_task("deblock"))


def test_networks_are_named(tmp_path: Path) -> None:
    path = tmp_path / "own.safetensors"
    save_network(path, build({"network": "ffdnet", "width": 8}))
    assert denoise25(str(path)).task.receiver == "own"
