"""Restoring decoded pictures that are no JPEG files any more: `restore_pixels`, and `restore run --sigma`."""

from __future__ import annotations

import io
import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from PIL import Image
from scipy.ndimage import gaussian_filter
from skimage import data

from optcodec import InvalidInputError, annex_k_tables, save_tables
from restore import restore_image, restore_pixels
from restore.cli import main
from restore.runtime.context import Context
from restore.runtime.models import Model
from restore.runtime.picture import DecodedPicture
from tests.receiver_helpers import calling

SIZE = (37, 50)


def noisy(sigma: float = 6.0, channels: int = 3) -> np.ndarray:
    """A smooth picture with noise."""
    rows, columns = np.mgrid[: SIZE[0], : SIZE[1]]
    smooth = np.stack([128 + 40 * np.sin(columns / 9 + k) + 30 * np.cos(rows / 7) for k in range(channels)], -1)
    picture = np.rint(smooth + np.random.default_rng(0).normal(0, sigma, smooth.shape)).astype(np.uint8)
    return picture[..., 0] if channels == 1 else picture


def spied(seen: list[tuple[np.ndarray, np.ndarray]], max_sigma: float = 20.0) -> Model:
    """A model that adds a sample to luminance, and notes the images and conditions that its networks get."""

    def brighter(image: np.ndarray, condition: np.ndarray) -> np.ndarray:
        seen.append((image[0], condition[0]))
        is_luminance = image.shape[1] == 1
        return image + np.float32(1 / 255) if is_luminance else image[:, 1:]

    network = calling(brighter, "image", "condition")
    return Model("spied", network, network, 4, max_sigma=max_sigma)


@pytest.mark.parametrize("channels", [1, 3])
def test_networks_get_the_decoded_planes_and_the_noise(channels: int) -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    pixels = noisy(channels=channels)
    restored = restore_pixels(pixels, sigma=6, as_quality=30, model=spied(seen), tile=32)
    assert restored.shape == pixels.shape
    assert np.abs(restored.astype(int) - (pixels + 1.0)).max() <= 3  # rounding of colours
    steps = np.stack([table.steps for table in annex_k_tables(30)])
    for image, condition in seen:
        tables = 1 if len(image) == 1 else 2
        np.testing.assert_array_equal(condition, Context.of_steps(steps[:tables], 6.0).condition(tables))
    assert any(len(image) == 3 for image, _ in seen) == (channels == 3)


def test_steps_are_unknown_or_those_of_a_file(tmp_path: Path) -> None:
    save_tables(annex_k_tables(70), tmp_path / "tables.json")
    for options, expected in (
        ({}, 0),
        ({"as_tables": tmp_path / "tables.json"}, np.log2(annex_k_tables(70)[0].steps[0, 0]) / 8),
    ):
        seen: list[tuple[np.ndarray, np.ndarray]] = []
        restore_pixels(noisy(), sigma=3, model=spied(seen), **options)
        assert seen[0][1][0] == pytest.approx(expected)


def test_the_noise_is_estimated() -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    restore_pixels(noisy(8.0, 1), sigma="auto", model=spied(seen))
    assert seen[0][1][-1] * 16 == pytest.approx(8, abs=0.8)


def test_half_of_the_strength_makes_half_of_the_change() -> None:
    pixels = np.full((16, 16), 100, np.uint8)
    pixels[8, 8] = 101  # constant areas stay
    network = calling(lambda image: image + np.float32(10 / 255), "image")
    model = Model("ten", network, None, 4, max_sigma=5)
    np.testing.assert_array_equal(restore_pixels(pixels, sigma=1, model=model, strength=0.5), pixels + 5)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"sigma": -1}, "sigma is a finite number from 0 on, got -1"),
        ({"sigma": 25}, "the model spied takes a sigma of 0..20, for which it was trained; got 25"),
        ({"sigma": 5, "max_sigma": 0}, "the model spied is for pictures without noise, got sigma 5"),
        ({"sigma": 5, "as_quality": 200}, "quality of the earlier coding is a whole number in 1..100, got 200"),
        ({"sigma": 5, "strength": 2}, "strength is 0..1, people or dnn; got 2"),
        ({"sigma": 5, "threads": 2}, "a loaded model has its threads already"),
    ],
)
def test_bad_arguments_are_refused(options: dict, message: str) -> None:
    model = spied([], options.pop("max_sigma", 20.0))
    with pytest.raises(InvalidInputError, match=message):
        restore_pixels(noisy(), model=model, **options)


def test_regions_beyond_the_picture_repeat_its_border() -> None:
    planes = np.arange(6, dtype=np.float32).reshape(1, 2, 3)
    picture = DecodedPicture(planes, Context.of_steps(np.ones((1, 8, 8))))
    assert picture.extent == (8, 8)
    np.testing.assert_array_equal(
        picture.luminance((-1, 3), (1, 5)), [[1, 2, 2, 2], [1, 2, 2, 2], [4, 5, 5, 5], [4, 5, 5, 5]]
    )


def test_the_command_restores_noisy_pictures(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[tuple[np.ndarray, np.ndarray]] = []
    monkeypatch.setattr("restore.runtime.models.load_model", lambda model, threads: spied(seen))
    Image.fromarray(noisy(channels=1)).save(tmp_path / "a.png")
    arguments = ["run", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), "--sigma", "auto", "--json"]
    result = CliRunner().invoke(main, arguments)
    assert result.exit_code == 0, result.stderr
    record = json.loads(result.stdout)["files"][0]
    assert record["sigma"] == pytest.approx(6, abs=0.8)
    assert record["notices"] == [f"noise of standard deviation {record['sigma']:g}"]
    restored = np.asarray(Image.open(tmp_path / "b.png")).astype(int)
    assert np.abs(restored - noisy(channels=1)).max() == 1


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--sigma", "300"], "expected a standard deviation of 0..255, or auto, got '300'"),
        (["--sigma", "much"], "expected a standard deviation of 0..255, or auto, got 'much'"),
        (["--sigma", "3", "--as-quality", "auto"], "expected 1..100 with --sigma"),
        *(
            (
                ["--sigma", "3", option],
                f"{option} is about the coefficients of a JPEG file; expected it without --sigma",
            )
            for option in ("--partial", "--strict", "--no-project", "--no-hint")
        ),
        (["--sigma", "30"], "the model noise takes a sigma of 0..20, for which it was trained; got 30"),
        (["--sigma", "3", "--model", "tiny"], "the model tiny is for pictures without noise, got sigma 3"),
    ],
)
def test_bad_options_are_refused(tmp_path: Path, options: list[str], message: str) -> None:
    Image.fromarray(noisy()).save(tmp_path / "a.png")
    result = CliRunner().invoke(main, ["run", str(tmp_path / "a.png"), "-o", str(tmp_path / "b.png"), *options])
    assert result.exit_code in (1, 2)
    assert message in " ".join(result.stderr.split())
    assert not (tmp_path / "b.png").exists()


@pytest.mark.parametrize(("quality", "sigma"), [(10, 5.0), (30, 20.0), (50, 10.0), (30, 0.0)])
@pytest.mark.parametrize(
    ("model", "mode", "share"), [("noise", "L", 0.85), ("noise", "RGB", 0.85), ("dncnn", "L", 0.95)]
)
def test_shipped_models_for_noise_are_ahead_of_every_gaussian_filter(
    model: str, mode: str, share: float, quality: int, sigma: float
) -> None:
    pytest.importorskip("onnxruntime")
    original = np.asarray(Image.fromarray(data.astronaut()[:256, 128:384]).convert(mode)).astype(np.float32)
    file = io.BytesIO()
    Image.fromarray(original.astype(np.uint8)).save(file, "JPEG", quality=quality)
    decoded = np.asarray(Image.open(file))
    received = np.rint(decoded + np.random.default_rng(2).normal(0, sigma, decoded.shape)).clip(0, 255).astype(np.uint8)

    def error(shown: np.ndarray) -> float:
        return float(np.square(shown - original).mean())

    axes = (0, 1)
    filtered = [gaussian_filter(received.astype(np.float32), width, axes=axes) for width in np.linspace(0, 2, 21)]
    restored = restore_pixels(received, model=model, sigma=sigma, as_quality=quality)
    assert error(restored) < share * min(map(error, filtered))


def test_the_command_takes_the_model_for_noise(tmp_path: Path) -> None:
    pytest.importorskip("onnxruntime")
    Image.fromarray(noisy()).save(tmp_path / "a.png")
    for name, options in (("usual", []), ("named", ["--model", "noise"])):
        arguments = ["run", str(tmp_path / "a.png"), "-o", str(tmp_path / f"{name}.png"), "--sigma", "6", *options]
        assert CliRunner().invoke(main, arguments).exit_code == 0
    usual, named = ((tmp_path / f"{name}.png").read_bytes() for name in ("usual", "named"))
    assert usual == named
    np.testing.assert_array_equal(np.asarray(Image.open(tmp_path / "usual.png")), restore_pixels(noisy(), sigma=6))


def test_the_model_for_noise_restores_files_too() -> None:
    pytest.importorskip("onnxruntime")
    original, file = data.astronaut()[:256, 128:384], io.BytesIO()
    Image.fromarray(original).save(file, "JPEG", quality=20)
    decoded, restored = np.asarray(Image.open(file)), restore_image(file.getvalue(), model="noise")
    assert (
        np.square(restored - original.astype(float)).mean() < 0.85 * np.square(decoded - original.astype(float)).mean()
    )
