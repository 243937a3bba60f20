from __future__ import annotations

import io
import os
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

pytest.importorskip("torch")

import numpy as np
import torch
from PIL import Image
from torch import nn

from optcodec.accuracy import pipeline, run
from optcodec.accuracy.coder import ImageCoder
from optcodec.accuracy.conditions import SETTINGS, Condition
from optcodec.accuracy.network import logits_of
from optcodec.accuracy.pipeline import STAGES, Pipeline
from optcodec.accuracy.rows import Rows
from optcodec.accuracy.run import Measurement, measure
from optcodec.design import METHODS
from optcodec.errors import InvalidInputError
from optcodec.experiments.partial import remove_partial
from optcodec.metrics import psnr_db
from optcodec.vision.datasets import LabelledImage, find_images, sample
from optcodec.vision.models import load_model
from optcodec.vision.profile import load_profile
from optcodec.vision.running import as_used
from tests.accuracy.test_rows import PER_FILE, PER_IMAGE, assert_equal
from tests.accuracy_helpers import CLASSES, PROFILE, SIDE, classifier, photographs

CONDITIONS = (
    Condition("jpeg", "1", 75),
    Condition("opts", "1", 75),
    Condition("jpeg", "bytes", 75),
    Condition("optd", "bytes", 75),
    Condition("deepn", "2-joint", 0.2),
)


@pytest.fixture
def images(tmp_path: Path) -> list[LabelledImage]:
    return photographs(tmp_path / "photographs", 5)


@pytest.fixture
def small_parts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(run, "_PART", 2)


def measured(images: list[LabelledImage], partial: Path, **changes: Any) -> Measurement:
    arguments = {"workers": 2} | changes
    running = {name: arguments.pop(name) for name in ("workers", "progress") if name in arguments}
    settings = {"target": classifier(), "conditions": CONDITIONS, "profile": PROFILE} | arguments
    conditions = tuple(settings.pop("conditions"))
    return measure(Pipeline(conditions=conditions, **settings), images, partial=partial, **running)


# ---- Rows ------------------------------------------------------------------------------------------------------------


def test_rows_are_those_of_a_plain_loop(images: list[LabelledImage], tmp_path: Path) -> None:
    rows = measured(images, tmp_path / "part").rows
    assert rows.conditions == CONDITIONS
    assert rows.images == tuple(image.path.name for image in images)
    module = classifier().module.eval()
    for n, image in enumerate(images):
        pixels = np.asarray(Image.open(image.path))
        coder = ImageCoder(pixels, "4:4:4", PROFILE)
        coded = [coder.encode(condition) for condition in CONDITIONS]
        decoded = [np.asarray(Image.open(io.BytesIO(file.data))) for file in coded]
        batch = torch.stack([torch.tensor(picture).permute(2, 0, 1) / 255 for picture in (pixels, *decoded)])
        with torch.no_grad():
            logits = module(batch).numpy().astype(np.float64)
        loss = np.log(np.exp(logits).sum(1)) - logits[:, image.label]
        rank = [sorted(-file).index(-file[image.label]) for file in logits]
        np.testing.assert_allclose([rows.reference_loss[n], *rows.loss[:, n]], loss, rtol=1e-4)
        assert [rows.reference_rank[n], *rows.rank[:, n]] == rank
        assert [rows.reference_predicted[n], *rows.predicted[:, n]] == logits.argmax(1).tolist()
        assert rows.nbytes[:, n].tolist() == [len(file.data) for file in coded]
        np.testing.assert_allclose(rows.swe[:, n], [file.swe for file in coded], rtol=1e-6)
        np.testing.assert_allclose(rows.psnr_db[:, n], [psnr_db(pixels, picture) for picture in decoded], rtol=1e-6)
        assert rows.met[:, n].tolist() == [file.met for file in coded]
    assert rows.labels.tolist() == [image.label for image in images]
    assert (rows.pixels == SIDE * SIDE).all()
    assert len(set(rows.reference_predicted.tolist())) > 1, "the network should not be blind"
    assert (rows.loss != rows.reference_loss).all()


def test_every_setting_and_method_is_measured(images: list[LabelledImage], tmp_path: Path) -> None:
    pairs = [(setting, method) for setting in SETTINGS for method in METHODS if (setting, method) != ("fixed", "rdopt")]
    conditions = [Condition(method, setting, 90) for setting, method in pairs]
    rows = measured(images[:1], tmp_path / "part", conditions=conditions).rows
    assert np.isfinite(rows.loss).all()
    assert rows.met.all()
    of = {condition: index for index, condition in enumerate(conditions)}
    for method in METHODS:
        assert rows.nbytes[of[Condition(method, "bytes", 90)]] <= rows.nbytes[of[Condition("jpeg", "bytes", 90)]]
        for setting, target in (("1-joint", "jpeg"), ("2-joint", "opts")):
            error, target_error = (rows.swe[of[Condition(name, setting, 90)], 0] for name in (method, target))
            assert 0.999 * target_error <= error <= target_error * (1 + 1e-5)


@pytest.mark.parametrize("changes", [{"workers": 1}, {"workers": 4}])
def test_rows_do_not_depend_on_threads(changes: dict[str, int], images: list[LabelledImage], tmp_path: Path) -> None:
    assert_equal(measured(images, tmp_path / "a", **changes).rows, measured(images, tmp_path / "b").rows)


def test_rows_depend_on_the_batch_by_rounding_only(images: list[LabelledImage], tmp_path: Path) -> None:
    one, other = (measured(images, tmp_path / str(batch), batch=batch).rows for batch in (1, 4))
    np.testing.assert_allclose(one.loss, other.loss, rtol=1e-5)
    for name in ("nbytes", "rank", "predicted", "psnr_db", "swe"):
        np.testing.assert_array_equal(getattr(one, name), getattr(other, name))


def test_without_labels_the_prediction_on_the_uncompressed_image_counts(
    images: list[LabelledImage], tmp_path: Path
) -> None:
    rows = measured([replace(image, label=None) for image in images], tmp_path / "part").rows
    np.testing.assert_array_equal(rows.labels, rows.reference_predicted)
    assert (rows.reference_rank == 0).all()
    np.testing.assert_array_equal(rows.rank == 0, rows.predicted == rows.labels)


def test_equal_files_are_seen_once(
    images: list[LabelledImage], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    counts = []

    def counted(module: nn.Module, pictures: list[np.ndarray]) -> torch.Tensor:
        counts.append(len(pictures))
        return logits_of(module, pictures)

    monkeypatch.setattr(pipeline, "logits_of", counted)
    conditions = [Condition("jpeg", setting, 75) for setting in ("1", "1-joint", "bytes", "fixed")]
    rows = measured(images[:1], tmp_path / "part", conditions=[*conditions, Condition("jpeg", "1", 80)]).rows
    assert counts == [3]
    assert (rows.loss[:4] == rows.loss[0]).all()
    assert rows.loss[4] != rows.loss[0]


def test_names_are_paths_below_the_common_folder(images: list[LabelledImage], tmp_path: Path) -> None:
    elsewhere = photographs(tmp_path / "others" / "more", 1)
    rows = measured([*images[:1], *elsewhere], tmp_path / "part").rows
    assert rows.images == ("photographs/00.png", "others/more/00.png")


def test_seconds_of_all_stages(images: list[LabelledImage], tmp_path: Path) -> None:
    seconds = measured(images, tmp_path / "part").seconds
    assert tuple(seconds) == STAGES
    assert all(value > 0 for value in seconds.values())


# ---- Killed runs -----------------------------------------------------------------------------------------------------


def stop_after(count: int) -> Callable[[int], None]:
    def progress(done: int) -> None:
        if done >= count:
            raise KeyboardInterrupt

    return progress


@pytest.mark.usefixtures("small_parts")
@pytest.mark.parametrize("stop", [1, 2, 3, 4])
def test_an_interrupted_run_continues(stop: int, images: list[LabelledImage], tmp_path: Path) -> None:
    complete = measured(images, tmp_path / "whole")
    partial = tmp_path / "part"
    with pytest.raises(KeyboardInterrupt):
        measured(images, partial, progress=stop_after(stop))
    counts: list[int] = []
    again = measured(images, partial, progress=counts.append)
    assert counts == list(range(stop // 2 * 2, 6))
    assert_equal(again.rows, complete.rows)
    finished: list[int] = []
    assert_equal(measured(images, partial, progress=finished.append).rows, complete.rows)
    assert finished == [5]
    assert measured(images, partial).seconds == pytest.approx(again.seconds)


@pytest.mark.usefixtures("small_parts")
def test_a_part_that_was_being_written_does_not_count(images: list[LabelledImage], tmp_path: Path) -> None:
    partial = tmp_path / "part"
    complete = measured(images, partial).rows
    (partial / "part_00001.npz").unlink()
    (partial / ".part_00001.npz.99.part").write_bytes(b"half of it")
    counts: list[int] = []
    assert_equal(measured(images, partial, progress=counts.append).rows, complete)
    assert counts[0] == 2


def test_parts_of_another_run_are_refused(images: list[LabelledImage], tmp_path: Path) -> None:
    partial = tmp_path / "part"
    measured(images[:2], partial)
    other = classifier()
    next(other.module.parameters()).data[0] += 1e-3
    for changes, what in (
        ({"images": images[:1]}, "images"),
        ({"images": [replace(image, label=0) for image in images[:2]]}, "images"),
        ({"conditions": CONDITIONS[:2]}, "conditions"),
        ({"profile": replace(PROFILE, weights=PROFILE.weights**2)}, "profile"),
        ({"subsampling": "4:2:0"}, "subsampling"),
        ({"target": other}, "weights"),
        ({"target": replace(classifier(), name="other")}, "model"),
    ):
        with pytest.raises(InvalidInputError, match=rf"part holds part of another run, with other {what};"):
            measured(**{"images": images[:2], "partial": partial} | changes)  # type: ignore[arg-type]


def test_folders_that_are_none_of_ours_are_refused(images: list[LabelledImage], tmp_path: Path) -> None:
    for name, content in (("a", "notes.txt"), ("b", "experiment.json")):
        (tmp_path / name).mkdir()
        (tmp_path / name / content).write_text("[]")
        with pytest.raises(InvalidInputError, match=rf"expected .*{name} to be missing or to hold part of a run"):
            measured(images, tmp_path / name)
        assert [path.name for path in (tmp_path / name).iterdir()] == [content]
    (tmp_path / "c").write_text("a file")
    with pytest.raises(InvalidInputError, match="c to be missing or to hold part of a run"):
        measured(images, tmp_path / "c")
    (tmp_path / "d").mkdir()
    assert measured(images[:1], tmp_path / "d").rows.images == ("00.png",)


def test_the_folder_can_be_removed(images: list[LabelledImage], tmp_path: Path) -> None:
    partial = tmp_path / "part"
    measured(images, partial)
    (partial / "notes.txt").write_text("of the user")
    remove_partial(partial)
    assert list(partial.iterdir()) == [partial / "notes.txt"]
    (partial / "notes.txt").unlink()
    measured(images, partial)
    remove_partial(partial)
    assert not partial.exists()
    remove_partial(partial)


# ---- What is refused -------------------------------------------------------------------------------------------------


def test_wrong_arguments(images: list[LabelledImage], tmp_path: Path) -> None:
    broken = tmp_path / "broken.png"
    broken.write_bytes(b"no image")
    small = classifier()
    for changes, message in (
        ({"images": []}, "at least one image, got none"),
        ({"conditions": []}, "at least one condition, got none"),
        ({"conditions": CONDITIONS[:1] * 2}, "conditions are all different"),
        ({"conditions": [Condition("best", "1", 75)]}, "method is one of .* got 'best'"),
        ({"batch": 0}, "at least 1 picture, got 0"),
        ({"workers": 0}, "at least 1 thread, got 0"),
        ({"subsampling": "4:1:1"}, "4:1:1"),
        ({"images": [images[0], replace(images[1], label=None)]}, "a label for every image or for none"),
        ({"images": [replace(images[0], label=CLASSES)]}, rf"00\.png: expected .* in 0\.\.{CLASSES - 1}"),
        ({"images": [LabelledImage(broken, 0)]}, r"cannot read the image .*broken\.png"),
        ({"images": [LabelledImage(tmp_path / "missing.png", 0)]}, r"cannot read the image .*missing\.png"),
        (
            {"target": replace(small, preprocess=lambda image: small.preprocess(image) / 255)},
            "to give uint8 .* float32",
        ),
        ({"target": replace(small, module=nn.Identity())}, r"logits of shape \(5, classes\), got \(5, 3, 64, 64\)"),
        ({"target": replace(small, module=nn.Sequential(small.module, Nothing()))}, "expected finite logits"),
    ):
        with pytest.raises(InvalidInputError, match=message):
            measured(**{"images": images[:1], "partial": tmp_path / message[:9]} | changes)  # type: ignore[arg-type]


class Nothing(nn.Module):
    """A network that fails."""

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return x / 0 * 0


# ---- The network -----------------------------------------------------------------------------------------------------


def test_a_network_is_used_as_it_is_and_left_alone(images: list[LabelledImage], tmp_path: Path) -> None:
    target = classifier()
    target.module.train()
    before = {name: tensor.clone() for name, tensor in target.module.state_dict().items()}
    threads = torch.get_num_threads()
    measured(images[:1], tmp_path / "part", target=target)
    assert target.module.training
    assert all(torch.equal(before[name], tensor) for name, tensor in target.module.state_dict().items())
    assert torch.get_num_threads() == threads


def test_batch_normalization_is_folded() -> None:
    module = classifier().module
    quick = as_used(module)
    assert not any(isinstance(layer, nn.BatchNorm2d) for layer in quick.modules())
    x = torch.rand(3, 3, SIDE, SIDE)
    with torch.no_grad():
        torch.testing.assert_close(quick(x), module.eval()(x), rtol=1e-4, atol=1e-5)


def test_layers_with_hooks_or_outside_a_sequential_are_not_folded() -> None:
    class Parallel(nn.Sequential):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return self[0](x) + self[1](x)

    x = torch.rand(2, 3, 9, 9)
    parallel = Parallel(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    watched = nn.Sequential(nn.Conv2d(3, 3, 1), nn.BatchNorm2d(3)).eval()
    watched[0].register_forward_hook(lambda module, inputs, output: output + 1)
    nn.init.uniform_(watched[1].running_var, 0.1, 4)
    for module in (parallel, watched):
        with torch.no_grad():
            torch.testing.assert_close(as_used(module)(x), module(x))


# ---- The real thing --------------------------------------------------------------------------------------------------


def test_mobilenet(tmp_path: Path) -> None:
    if "OPTCODEC_DATA" not in os.environ:
        pytest.skip("OPTCODEC_DATA does not name the folder of the data")
    data = Path(os.environ["OPTCODEC_DATA"])
    target = load_model("mobilenet_v2", weights=data / "weights" / "mobilenet_v2.safetensors")
    labelled = find_images(data / "imagenet_sample", data / "imagenet_sample" / "labels.csv")
    images = sample(labelled, 4, seed=1)
    rows = measured(images, tmp_path / "part", target=target, profile=load_profile("mobilenet_v2")).rows
    with torch.no_grad():
        for n, image in enumerate(images):
            logits = target.module.eval()(target.preprocess(Image.open(image.path).convert("RGB"))[None] / 255)[0]
            assert rows.reference_rank[n] == (logits > logits[image.label]).sum()
            assert rows.reference_predicted[n] == logits.argmax()
            loss = nn.functional.cross_entropy(logits, torch.tensor(image.label))
            assert rows.reference_loss[n] == pytest.approx(float(loss), rel=1e-3, abs=1e-4)
    assert isinstance(rows, Rows)
    assert (rows.rank[:, rows.reference_rank == 0] < 5).all()
    assert {name for name in PER_IMAGE + PER_FILE if getattr(rows, name).size == 0} == set()
