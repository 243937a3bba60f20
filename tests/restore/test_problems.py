"""Restoration problems: their degradations, training patches, and tasks with a network."""

from __future__ import annotations

import io
from itertools import pairwise
from pathlib import Path

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from PIL import Image
from skimage import data

import optcodec
from optcodec import InvalidInputError
from restore.channel.degradation import Degradation, Patches, transmit
from restore.channel.problem import PROBLEMS, Problem, find_problem
from restore.channel.samples import to_ycc
from restore.compress.quantize import calibration_patches
from restore.evaluation.receivers import make_receiver
from restore.networks import build
from restore.networks.weights import save_network
from restore.runtime.image import to_rgb
from restore.tasks import make_task, shipped_tasks
from restore.training.material import DataFolders
from restore.training.recipe import Recipe
from restore.training.train import train

SAME: list[dict[str, object]] = [{"network": "ffdnet", "depth": 3, "width": 4}, {"network": "ircnn", "width": 4}]


def photograph(height: int = 96, width: int = 80) -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[100 : 100 + height, 180 : 180 + width])


def rng(seed: int = 0) -> np.random.Generator:
    return np.random.default_rng(seed)


def jpeg(image: np.ndarray) -> bytes:
    return optcodec.encode(image, quality=60).data


def test_super_resolution_sends_a_bicubic_image_four_times_smaller() -> None:
    clean = PROBLEMS["sr4"].reference(photograph(99, 83))
    assert clean.shape == (96, 80, 3)
    sent = PROBLEMS["sr4"].sent(clean, rng())
    assert sent.shape == (24, 20, 3)
    np.testing.assert_array_equal(sent, np.asarray(Image.fromarray(clean).resize((20, 24), Image.Resampling.BICUBIC)))


def test_noise_has_its_deviation_and_its_seed() -> None:
    grey = np.full((200, 200, 3), 128, np.uint8)
    sent = PROBLEMS["denoise25"].sent(grey, rng(1))
    assert abs(sent.astype(float).std() - 25) < 0.3
    np.testing.assert_array_equal(sent, PROBLEMS["denoise25"].sent(grey, rng(1)))
    assert (sent != PROBLEMS["denoise25"].sent(grey, rng(2))).any()


def test_blur_is_a_gaussian_of_one_and_a_half_pixels() -> None:
    point = np.zeros((33, 33, 3), np.uint8)
    point[16, 16] = 255
    offsets = np.arange(-16, 17)
    gaussian = np.exp(-(offsets**2) / (2 * 1.5**2))
    expected = 255 * np.outer(gaussian, gaussian) / gaussian.sum() ** 2
    sent = PROBLEMS["deblur1.5"].sent(point, rng())
    assert abs(sent[..., 1] - expected).max() <= 0.51


def test_the_problem_deblock_does_not_change_the_image() -> None:
    np.testing.assert_array_equal(PROBLEMS["deblock"].sent(photograph(), rng()), photograph())


def test_what_has_no_pixel_left_and_unknown_problems_are_refused() -> None:
    with pytest.raises(InvalidInputError, match="at least 4x4"):
        PROBLEMS["sr4"].reference(photograph(3, 40))
    with pytest.raises(InvalidInputError, match=r"problem is one of sr4, denoise25, deblur1\.5, deblock; got 'sr3'"):
        find_problem("sr3")
    with pytest.raises(InvalidInputError, match="got 'sr3'"):
        Recipe({"network": "edsr"}, problem="sr3")


def test_what_arrives_is_rgb_that_was_a_file() -> None:
    problem = Problem("nothing")
    received, tables = transmit(photograph(), Degradation((75,)), problem, rng())
    of_ycc, of_rgb = io.BytesIO(), io.BytesIO()
    options = {"quality": 75, "subsampling": "4:2:0"}
    Image.fromarray(to_ycc(photograph()), mode="YCbCr").save(of_ycc, "JPEG", **options)
    Image.fromarray(photograph()).save(of_rgb, "JPEG", **options)
    assert abs(received - np.asarray(Image.open(of_ycc).convert("RGB")).astype(int)).max() <= 1
    darker = received - np.asarray(Image.open(of_rgb)).astype(float)
    assert abs(darker.mean((0, 1))).max() < 0.1  # other conversions are wrong by half a level
    np.testing.assert_array_equal(tables[0], optcodec.annex_k_tables(75)[0].steps)


def test_patches_of_a_problem_are_sent_at_the_side_and_compared_at_its_scale() -> None:
    patches = Patches([photograph(128, 160)], Degradation((50,)), side=16, count=3, problem=PROBLEMS["sr4"])
    batch = patches.batch(0)
    assert batch.received.shape == (3, 3, 16, 16)
    assert batch.clean.shape == (3, 3, 64, 64)
    mean = batch.clean.reshape(3, 3, 16, 4, 16, 4).mean((3, 5))
    assert abs(mean - batch.received).mean() < 12
    with pytest.raises(InvalidInputError, match="256x256"):
        Patches([photograph(128, 160)], Degradation(), side=64, count=1, problem=PROBLEMS["sr4"])


@pytest.mark.parametrize(
    ("network", "planes_and_scale"),
    [({"network": "ffdnet", "depth": 2, "width": 4}, "3 planes, and enlarges 1 times"),
     ({"network": "edsr", "width": 4, "blocks": 1, "channels": 1}, "1 planes, and enlarges 4 times")],
)  # fmt: skip
def test_networks_that_do_not_fit_the_problem_are_not_trained(
    network: dict[str, object], planes_and_scale: str, tmp_path: Path
) -> None:
    with pytest.raises(InvalidInputError, match=f"sr4 needs a network for RGB with scale 4; got {planes_and_scale}"):
        train(Recipe(network, problem="sr4"), DataFolders(tmp_path), tmp_path / "run")


def test_only_networks_for_jpeg_alone_are_calibrated(tmp_path: Path) -> None:
    recipe = Recipe({"network": "ffdnet"}, problem="denoise25")
    with pytest.raises(InvalidInputError, match="got one for denoise25"):
        next(calibration_patches(recipe, DataFolders(tmp_path)))


def test_half_of_the_mixed_files_are_those_of_the_trellis() -> None:
    degradation = Degradation((40,), encoder="mixed")
    image = to_ycc(photograph())
    flat = 0
    generator = rng(3)
    for _ in range(40):
        tables = degradation(image, generator)[1]
        if not np.array_equal(tables[0], optcodec.annex_k_tables(40)[0].steps):
            planes = image.transpose(2, 0, 1).astype(np.float32)
            expected = optcodec.encode(to_rgb(planes[0], planes[1:]), quality=40, tune="ycbcr").coefficients.tables
            np.testing.assert_array_equal(tables, [table.steps for table in expected])
            flat += 1
    assert 10 <= flat <= 30


@pytest.mark.parametrize("config", SAME, ids=lambda config: str(config["network"]))
def test_untrained_networks_change_nothing_at_any_size(config: dict[str, object]) -> None:
    image = torch.rand(1, 3, 13, 18)
    torch.testing.assert_close(build(config)(image), image, rtol=0, atol=0)


@pytest.mark.parametrize("config", [{"network": "edsr", "width": 4, "blocks": 1}, {"network": "fsrcnn", "width": 4}])
def test_untrained_networks_enlarge_bilinearly(config: dict[str, object]) -> None:
    image = torch.rand(1, 3, 9, 8)
    larger = torch.nn.functional.interpolate(image, scale_factor=4, mode="bilinear", align_corners=False)
    torch.testing.assert_close(build(config)(image), larger, rtol=0, atol=0)


def test_ffdnet_has_a_noise_map_only_for_noise() -> None:
    noisy, blurred = (build({"network": "ffdnet", "depth": 2, "width": 4, "level": level}) for level in (25.0, 0.0))
    assert noisy.layers[0].in_channels == 13
    assert blurred.layers[0].in_channels == 12


def test_ffdnet_adds_to_the_means_of_pixels_if_it_is_asked_to() -> None:
    image = torch.rand(1, 3, 13, 18)
    restored = build({"network": "ffdnet", "depth": 2, "width": 4, "from_mean": True})(image)
    assert restored.shape == image.shape
    for top, left in ((0, 0), (4, 6), (10, 16)):
        square = image[..., top : top + 2, left : left + 2]
        shown = restored[..., top : top + 2, left : left + 2]
        torch.testing.assert_close(shown, square.mean((2, 3), keepdim=True).expand_as(square))
    torch.testing.assert_close(restored[..., 12, 6], image[..., 12, 6:8].mean(-1))  # the row beyond repeats the last
    with pytest.raises(InvalidInputError, match="expected published or from_mean, got both"):
        build({"network": "ffdnet", "published": True, "from_mean": True})


def test_a_task_restores_files(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_network(path, build({"network": "edsr", "width": 4, "blocks": 1, "direct": True}))
    task = make_task("sr4", path)
    assert (task.name, task.scale) == ("sr4 by net", 4)
    restored = task.restored(jpeg(photograph(24, 40)))
    assert restored.shape == (96, 160, 3)
    assert restored.dtype == np.uint8
    decoded = np.asarray(Image.open(io.BytesIO(jpeg(photograph(24, 40)))))
    larger = torch.nn.functional.interpolate(
        torch.from_numpy(decoded.transpose(2, 0, 1)[None].astype(np.float32)), scale_factor=4, mode="bilinear"
    )
    assert abs(restored.transpose(2, 0, 1) - larger[0].numpy()).max() <= 0.51


def test_networks_that_do_not_fit_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "net.safetensors"
    save_network(path, build({"network": "ffdnet", "depth": 2, "width": 4}))
    with pytest.raises(InvalidInputError, match="takes RGB"):
        make_receiver(str(path))
    with pytest.raises(InvalidInputError, match="enlarges 1 times, sr4 asks for 4"):
        make_task("sr4", path)
    with pytest.raises(InvalidInputError, match="no network 'nowhere'"):
        make_task("sr4", "nowhere")
    save_network(path, build({"network": "dncnn", "depth": 3, "width": 4}))
    with pytest.raises(InvalidInputError, match="does not take RGB"):
        make_task("deblock", path)


@pytest.mark.parametrize("name", shipped_tasks())
def test_shipped_networks_improve_the_psnr(name: str) -> None:
    problem = name.rsplit("-", 1)[0]
    task = make_task(problem, name)
    clean = task.reference(photograph(192, 192))
    sent = task.sent(clean, 0)
    data = optcodec.encode(sent, quality=80).data
    shown = Image.open(io.BytesIO(data)).convert("RGB").resize(clean.shape[1::-1], Image.Resampling.BICUBIC)
    assert optcodec.psnr_db(clean, task.restored(data)) > optcodec.psnr_db(clean, np.asarray(shown)) + 0.1


@pytest.mark.parametrize("name", shipped_tasks())
def test_more_bytes_are_never_worse_for_a_shipped_network(name: str) -> None:
    """Up to a picture that is not coded at all; an earlier network for noise lost 7 dB there."""
    task = make_task(name.rsplit("-", 1)[0], name)
    clean = task.reference(photograph(192, 192))
    sent = task.sent(clean, 0)
    files = [optcodec.encode(sent, quality=quality).data for quality in (20, 50, 80)]
    files += [optcodec.encode(sent, quality=quality, subsampling="4:4:4").data for quality in (90, 100)]
    png = io.BytesIO()
    Image.fromarray(sent).save(png, "PNG")
    psnr_db = [optcodec.psnr_db(clean, task.restored(data)) for data in (*files, png.getvalue())]
    assert all(more > less - 0.05 for less, more in pairwise(psnr_db))  # a single photograph is not exact


def test_the_problem_deblock_uses_the_default_model() -> None:
    task = make_task("deblock")
    data = jpeg(photograph(64, 64))
    from restore import restore_image

    np.testing.assert_array_equal(task.restored(data), restore_image(data))
