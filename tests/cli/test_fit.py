"""``optcodec fit``: what it measures is what ``encode --plan`` writes, and what it says is what it measured."""

from __future__ import annotations

import gzip
import json
import sys
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest
from PIL import Image

from optcodec import load_picture
from optcodec.accuracy.boxes import box_agreement
from optcodec.accuracy.change import measure_pair
from optcodec.accuracy.classifier import torch_classifier
from optcodec.accuracy.pairs import find_pairs
from optcodec.fit.plan import Plan, load_plan
from tests.accuracy_helpers import CLASSES, crop, photographs
from tests.batch.test_shards import write_tar
from tests.cli_helpers import messages, refusal, run, run_json, save
from tests.onnx_helpers import mean_network
from tests.vision.test_reader import network

torch = pytest.importorskip("torch")
NET = "optcodec_test_fit:net"
QUICK = "--samplings", "4:2:0", "--sizes", "full", "--qualities", "20,50,80"
COUNT = 4


@pytest.fixture(autouse=True)
def factories() -> Iterator[ModuleType]:
    """A module with a network of five classes, which takes pictures of any size as they are."""
    from optcodec.vision.models import TargetModel

    module = ModuleType("optcodec_test_fit")
    module.net = lambda: TargetModel("net", network(), preprocess, resample=lambda batch: batch)
    sys.modules[module.__name__] = module
    yield module
    del sys.modules[module.__name__]


def preprocess(image: Image.Image) -> Any:
    return torch.from_numpy(np.array(image)).permute(2, 0, 1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder with pictures in ``photos``."""
    photographs(tmp_path / "photos", COUNT)
    return tmp_path


def arguments(folder: Path, *options: object, model: object = NET) -> list[object]:
    return ["fit", "--network", model, "--data", folder / "photos", "-o", folder / "plan.json", *options]


def measured(folder: Path, report: Any) -> dict[str, float]:
    """Means of what ``encode --plan`` makes of the other pictures."""
    (folder / "out").mkdir()
    run_json("encode", *report["others"], "-o", folder / "out", "--plan", folder / "plan.json", "--force")
    classifier = torch_classifier(sys.modules["optcodec_test_fit"].net())
    pairs, _ = find_pairs(folder / "photos", folder / "out")
    assert len(pairs) == len(report["others"])
    changes = [measure_pair(classifier, pair, resized=True) for pair in pairs]
    return {
        "kl": float(np.mean([change.kl for change in changes])),
        "nbytes": sum(change.nbytes_after for change in changes),
    }


@pytest.mark.parametrize("method", ["jpeg", "psnr", "dnn", "dnn+trellis", "dnn+crop", "weights", "loop"])
def test_a_plan_codes_as_was_measured(folder: Path, method: str) -> None:
    options = "--sizes", "full,32", "--samplings", "4:2:0", "--qualities", "20", "--methods", method
    report = run_json(*arguments(folder, *options, "--max-kl", 9, "-n", 1, "--verify-images", 1))
    assert load_plan(folder / "plan.json").options == report["chosen"]["options"] | {"pixels": True, "orient": "apply"}
    figures, found = report["chosen"]["figures"], measured(folder, report)
    assert found["nbytes"] == figures["nbytes_after"]
    assert found["kl"] == pytest.approx(figures["kl"]["value"], rel=1e-6)
    assert {point["method"] for point in report["points"]} > {"default JPEG"} or method == "jpeg"
    assert len(report["others"]) == len(report["sample"]) == 1
    assert not set(report["others"]) & set(report["sample"])


def test_the_text_ends_with_the_verdict(folder: Path) -> None:
    options = (*QUICK, "--methods", "jpeg,psnr", "--max-kl", 9, "--max-loss", "100%")
    report = run_json(*arguments(folder, *options))
    result = run(*arguments(folder, *options))
    assert (result.exit_code, messages(result)) == (0, [])
    lines = result.stdout.splitlines()
    assert lines[-1] == f"{report['verdict']} ({folder / 'plan.json'})"
    assert lines[0] == "chosen by 2 pictures:"
    assert "verified by 2 pictures:" in lines
    rows = [" ".join(line.split()) for line in lines]
    for point in report["verified"]:
        figures = point["figures"]
        bytes_and_rate = f"{point['bpp']:.2f} {figures['nbytes_after']:,}"
        points = figures["agreement_percent"]["value"] - 100
        name = f"4:2:0 full {point['method']} {point['options']['quality']} {bytes_and_rate}"
        assert f"{name} {points:+.1f} {figures['kl']['value']:.3g} kept" in rows
    plan = load_plan(folder / "plan.json")
    assert plan.verdict == report["verdict"]
    assert plan.provenance["limits"] == {"max_loss_points": 100, "max_kl": 9, "min_agreement": None}
    assert plan.provenance["chosen"] == report["chosen"]
    assert plan.provenance["network"] == "net"


@pytest.mark.parametrize("least", [60.0, 100.0])
def test_boxes_of_a_detector_are_kept(folder: Path, factories: ModuleType, least: float) -> None:
    factories.detector = lambda: bright_boxes
    options = (*QUICK[:2], "--qualities", "1,20,95", "--methods", "jpeg,psnr", "--agreement", "boxes")
    report = run_json(*arguments(folder, *options, "--min-agreement", least, model="optcodec_test_fit:detector"))
    assert report["agreement"] == "boxes"
    assert {point["short_side"] for point in report["points"]} == {None}
    agreement = report["chosen"]["figures"]["agreement_percent"]["value"]
    assert agreement >= least
    assert report["chosen"]["figures"]["kl"] is None
    assert f"agreement {agreement:.1f} [" in report["verdict"]
    (folder / "out").mkdir()
    run_json("encode", *report["others"], "-o", folder / "out", "--plan", folder / "plan.json")
    pairs, _ = find_pairs(folder / "photos", folder / "out")
    boxes = [[bright_boxes(load_picture(path).pixels) for path in (pair.after, pair.before)] for pair in pairs]
    assert agreement == pytest.approx(100 * np.mean([box_agreement(*pair) for pair in boxes]))
    text = run(*arguments(folder, *options, "--min-agreement", least, model="optcodec_test_fit:detector")).stdout
    assert f"{agreement:.1f} kept" in " ".join(text.split())
    assert "agreement, %" in text
    assert "divergence" not in text


def bright_boxes(pixels: Any) -> dict[str, Any]:
    """Boxes of blocks of 8x8 pixels that are brighter than the picture, which coarse quantization moves."""
    rows, columns = (extent // 8 for extent in pixels.shape[:2])
    means = pixels[: 8 * rows, : 8 * columns].reshape(rows, 8, columns, 8, 3).mean(axis=(1, 3, 4))
    row, column = 8 * np.argwhere(means > pixels.mean()).T
    return {"boxes": np.stack([column, row, column + 8, row + 8], 1).astype(np.float64)}


def test_the_number_of_threads_changes_nothing(folder: Path) -> None:
    options = (*QUICK, "--methods", "jpeg,psnr", "--max-kl", 0.01)
    reports = [run_json(*arguments(folder, *options, "--threads", count)) for count in (1, 3)]
    for report in reports:
        del report["command"]
    assert reports[0] == reports[1]


def test_the_plan_does_not_depend_on_where_the_pictures_are(folder: Path) -> None:
    """But for the names of the pictures."""
    fsspec = pytest.importorskip("fsspec")
    pictures = sorted((folder / "photos").iterdir())
    tar = write_tar(folder / "0.tar", {path.name: path.read_bytes() for path in pictures})
    store = fsspec.filesystem("memory")
    store.pipe_file("/fit/0.tgz", gzip.compress(tar.read_bytes()))
    for path in pictures:
        store.pipe_file(f"/fit/photos/{path.name}", path.read_bytes())
    sources = folder / "photos", tar, "memory://fit/0.tgz", "memory://fit/photos", f"{folder}/photos/*.png"
    reports = []
    for number, source in enumerate(sources):
        plan = folder / f"{number}.json"
        options = "--network", NET, "--data", source, "-o", plan, *QUICK, "--methods", "jpeg,psnr", "--max-kl", 0.01
        report = run_json("fit", *options)
        assert report["data"] == str(source)
        base = str(source).removesuffix("/*.png")
        start = base.replace("memory://", "memory:///") if base == "memory://fit/photos" else base
        assert {name[: -len("/00.png")] for name in (*report["sample"], *report["others"])} == {start}
        for name in ("command", "data", "plan"):
            del report[name]
        for name in ("sample", "others"):
            report[name] = [path[-len("00.png") :] for path in report[name]]
        assert load_plan(plan).options == report["chosen"]["options"] | {"pixels": True, "orient": "apply"}
        reports.append(report)
    store.rm("/fit", recursive=True)
    assert all(report == reports[0] for report in reports)


def test_tar_files_need_no_labels_and_can_be_read(folder: Path) -> None:
    tar = write_tar(folder / "0.tar", {"a.png": b"no picture", "b.png": b"no picture"})
    options = "fit", "--network", NET, "-o", folder / "plan.json", "--max-kl", 9, "--data"
    line = refusal(*options, tar)
    assert line == f"Error: none of the pictures can be used: {tar}/a.png: not an image file that Pillow knows"
    assert f"expected a folder of images, got '{tar}'" in refusal(*options, tar, "--labels", "folders")
    line = refusal(*options, "memory://fit/0.tar", "--labels", "folders")
    assert "or a folder of this machine with labels; got memory://fit/0.tar and --labels folders" in line
    (folder / "1.tar").write_bytes(b"no tar file")
    assert f"{folder}/1.tar: expected a tar file without compression" in refusal(*options, folder / "1.tar")


def test_a_limit_that_nothing_keeps_writes_no_plan(folder: Path) -> None:
    options = (*QUICK, "--methods", "jpeg", "--max-kl", 1e-12)
    result = run(*arguments(folder, *options))
    assert result.exit_code == 1
    (line,) = messages(result)
    assert line.startswith(
        "Error: nothing keeps a divergence of 1e-12 nats; the nearest on the sample is 4:2:0, default"
    )
    assert line.endswith(" nats; no plan was written")
    assert "exceeded" in result.stdout
    assert not (folder / "plan.json").exists()
    document = json.loads(run(*arguments(folder, *options), "--json").stdout)
    assert (document["plan"], document["chosen"], document["verified"]) == (None, None, [])
    assert document["verdict"].startswith("nothing keeps ")


def test_labels_are_what_the_loss_is_of(folder: Path) -> None:
    table = "".join(f"{number:02d}.png,{number}\n" for number in range(COUNT))
    (folder / "labels.csv").write_text(f"file,class_index\n{table}")
    options = (*QUICK, "--methods", "jpeg", "--max-loss", "100%")
    report = run_json(*arguments(folder, *options, "--labels", folder / "labels.csv"))
    change = report["chosen"]["figures"]["top1_change_points"]["value"]
    assert f"top-1 {change:+.1f} [" in report["verdict"]
    assert run_json(*arguments(folder, *options))["chosen"]["figures"]["top1_change_points"] is None
    (folder / "labels.csv").write_text("file,class_index\n00.png,7\n01.png,7\n")
    line = refusal(*arguments(folder, *options, "--labels", folder / "labels.csv"))
    assert "the label is one of the classes 0..4 of the network, got 7" in line


def test_folders_are_classes(folder: Path) -> None:
    for number in range(COUNT):
        path = folder / f"photos/{number:02d}.png"
        (folder / f"photos/{number}").mkdir()
        path.rename(folder / f"photos/{number}/{path.name}")
    options = (*QUICK, "--methods", "jpeg", "--max-loss", "100%", "--labels", "folders")
    assert run_json(*arguments(folder, *options))["chosen"]["figures"]["top1_change_points"] is not None
    (folder / "photos/0").rename(folder / "photos/cat")
    line = refusal(*arguments(folder, *options))
    assert "expected one folder for each class of net, whose output has shape (1, 5); found 4 folders" in line


def test_files_that_cannot_be_read_are_listed(folder: Path) -> None:
    (folder / "photos/broken.png").write_text("no picture")
    save(folder / "photos/clear.png", np.dstack([crop(), np.full((64, 64), 128, np.uint8)]))
    result = run(*arguments(folder, *QUICK, "--methods", "jpeg", "--max-kl", 9))
    assert result.exit_code == 1
    lines = messages(result)
    assert lines[0].startswith("Error: 2 of 6 files failed:")
    assert sorted(Path(line.split(": ")[0].strip()).name for line in lines[1:]) == ["broken.png", "clear.png"]
    options = load_plan(folder / "plan.json").options
    assert "background" not in options
    (folder / "photos/broken.png").unlink()
    assert run(*arguments(folder, *QUICK, "--methods", "jpeg", "--max-kl", 9, "--background", "white")).exit_code == 0
    assert load_plan(folder / "plan.json").options["background"] == "white"


def test_gray_pictures_and_jpeg_files_are_measured_as_they_are_coded(folder: Path) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    for number in range(COUNT):
        (folder / f"photos/{number:02d}.png").unlink()
        save(folder / f"photos/{number}.jpg", crop(top=20 * number)[:56], quality=97, exif=exif.tobytes())
        save(folder / f"photos/gray{number}.png", crop(top=30 * number)[..., 1])
    report = run_json(*arguments(folder, *QUICK, "--methods", "psnr", "--max-kl", 9))
    assert measured(folder, report)["nbytes"] == report["chosen"]["figures"]["nbytes_after"]


def test_onnx_files_are_networks(folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = mean_network(folder / "net.onnx", (1, 3, "height", "width"))
    options = "--sizes", "full", "--samplings", "4:2:0", "--qualities", "20", "--max-kl", 9
    report = run_json(*arguments(folder, *options, model=path))
    assert {point["method"] for point in report["points"]} == {
        *("default JPEG", "psnr with trellis"),
        *("dnn:generic", "dnn:generic with trellis", "dnn:generic for a crop", "network chooses files"),
    }
    assert report["network"] == str(path)
    options = (*options, "--methods", "choose", "--input-range", "-1..1")
    report = run_json(*arguments(folder, *options, model=path))
    point = report["verified"][-1] if report["verified"][-1]["method"] != "default JPEG" else report["verified"][0]
    assert point["options"]["network"] == [str(path)]
    assert point["options"]["input_range"] == "-1..1"
    Plan(point["options"], "").save(folder / "plan.json")
    encoded = run_json("encode", *report["others"], "-o", folder / "out", "--plan", folder / "plan.json")
    assert encoded["total_nbytes"] == point["figures"]["nbytes_after"]
    mean = np.mean([file["loss"] for file in encoded["files"]])
    assert point["figures"]["kl"]["value"] == pytest.approx(mean, rel=1e-9)


def test_methods_that_the_network_cannot_do_are_refused(folder: Path) -> None:
    pytest.importorskip("onnxruntime")
    path = mean_network(folder / "net.onnx", (1, 3, "height", "width"))
    for model, methods, message in (
        (path, "jpeg,loop", f"the method loop needs gradients, which ONNX files do not give; got {path}"),
        (NET, "choose", f"the method choose is for ONNX files; got {NET}"),
        (NET, "weights", "the method weights needs a network of torch that gives logits, not probabilities; got "),
    ):
        options = ("--outputs", "probabilities") if methods == "weights" else ()
        line = refusal(*arguments(folder, "--max-kl", 1, "--methods", methods, *options, model=model))
        assert message in line


def test_profiles_are_the_generic_one_and_those_of_the_network(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    models = pytest.importorskip("torchvision").models
    torch.manual_seed(1)
    torch.save(models.squeezenet1_1(weights=None).state_dict(), folder / "net.pth")
    monkeypatch.chdir(folder)
    shared = "--sizes", "full", "--qualities", "30", "--max-kl", 9, "-n", 1, "--verify-images", 1
    options = (*shared, "--weights", "net.pth", "--methods", "dnn+trellis,weights")
    report = run_json(*arguments(folder, *options, model="squeezenet1_1"))
    assert [(point["subsampling"], point["method"]) for point in report["points"]] == [
        ("4:2:0", "default JPEG"),
        ("4:2:0", "dnn:generic with trellis"),
        ("4:4:4", "dnn:squeezenet1_1 with trellis"),
        ("4:2:0", "dnn:squeezenet1_1_420 with trellis"),
        ("4:2:0", "network weighs blocks"),
    ]
    named = report["points"][-1]["options"]
    assert (named["network"], named["weights"]) == (["squeezenet1_1"], [str(folder / "net.pth")])
    load_named("generic").save(folder / "mine.json")
    report = run_json(*arguments(folder, *shared, "--methods", "dnn", "--profile", "mine.json"))
    assert report["points"][-1]["options"]["profile"] == str(folder / "mine.json")
    report = run_json(*arguments(folder, *shared, "--methods", "weights", "--samplings", "4:4:4"))
    assert report["points"][-1]["options"]["tune"] == "psnr"
    assert report["points"][-1]["subsampling"] == "4:4:4"


def load_named(name: str) -> Any:
    from optcodec import load_profile

    return load_profile(name)


def test_a_network_that_cannot_be_in_the_loop_is_measured_all_the_same(folder: Path, factories: ModuleType) -> None:
    from optcodec.vision.models import TargetModel

    def cropped(image: Image.Image) -> Any:
        return preprocess(image.crop((0, 0, 40, 40)))

    factories.cropping = lambda: TargetModel("cropping", network(), cropped)
    options = (*QUICK, "--methods", "jpeg,weights", "--max-kl", 9)
    result = run(*arguments(folder, *options, model="optcodec_test_fit:cropping"))
    assert result.exit_code == 0, result.stderr
    assert "network weighs blocks: " in result.stdout
    assert "and has no resample that torch can differentiate" in result.stdout
    assert "impossible" in result.stdout


def test_one_picture_is_too_few(folder: Path) -> None:
    for number in range(1, COUNT):
        (folder / f"photos/{number:02d}.png").unlink()
    line = refusal(*arguments(folder, "--max-kl", 1))
    assert line == "Error: expected at least 2 pictures, one to choose by and one to verify, got 1"


def test_networks_that_fail_are_one_line(folder: Path, factories: ModuleType) -> None:
    unstable = torch.nn.Sequential(torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(3, CLASSES))
    torch.nn.init.constant_(unstable[2].weight, torch.inf)
    factories.unstable = lambda: unstable
    line = refusal(*arguments(folder, "--max-kl", 1, model="optcodec_test_fit:unstable"))
    assert line.startswith("Error: none of the pictures can be used: ")
    assert line.endswith("expected finite logits, got infinite or undefined ones")
