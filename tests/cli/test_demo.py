"""``optcodec demo`` and ``optcodec sensitivity``: their files, figures and errors."""

from __future__ import annotations

import json
import webbrowser
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from PIL import Image

from optcodec import NetworkReader
from optcodec.jpeg.table_files import load_tables
from optcodec.pictures.pixels import decoded_pixels, load_picture
from optcodec.report.page.demo import photograph_paths
from optcodec.vision.models import load_model
from optcodec.vision.profile import load_profile
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save

if TYPE_CHECKING:
    from optcodec.vision.models import TargetModel


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Any]:
    """The folder and the report of one run of the demo."""
    folder = tmp_path_factory.mktemp("demo")
    return folder, run_json("demo", folder)


def test_demo_methods_have_an_equal_error(demo: tuple[Path, Any]) -> None:
    _, report = demo
    for photo in report["photographs"]:
        swes = [result["swe"] for result in photo["methods"]]
        assert swes[1:] == pytest.approx([swes[0]] * 3, rel=1e-4)


def test_demo_opts_saves_bytes_everywhere(demo: tuple[Path, Any]) -> None:
    _, report = demo
    names = [photo["photograph"] for photo in report["photographs"]]
    assert names == ["astronaut", "chelsea", "coffee", "motorcycle_left", "rocket"]
    for photo in report["photographs"]:
        jpeg, _, opts, rdopt = photo["methods"]
        assert rdopt["nbytes"] < opts["nbytes"]
        assert opts["nbytes"] < 0.85 * jpeg["nbytes"]
    assert report["mean_change_percent"]["opts"] < report["mean_change_percent"]["optd"] < -10


def test_demo_writes_what_it_reports(demo: tuple[Path, Any]) -> None:
    folder, report = demo
    assert json.loads((folder / "demo.json").read_text()) == report
    for photo in report["photographs"]:
        for result in photo["methods"]:
            path = folder / f"{photo['photograph']}-{result['method']}.jpg"
            assert path.stat().st_size == result["nbytes"]
            with Image.open(path) as image:
                image.load()
                pixels = image.width * image.height
            assert result["bpp"] == pytest.approx(8 * result["nbytes"] / pixels)
            assert load_tables(path.with_suffix(".json")) == load_tables(path)
    assert len(list(folder.iterdir())) == 5 * 4 * 2 + 3


def test_demo_figures_are_those_committed(demo: tuple[Path, Any]) -> None:
    """The figures may differ slightly: another processor may round a coefficient differently."""
    committed = json.loads((Path(__file__).parents[2] / "benchmarks/results/demo.json").read_text())
    for photo, expected in zip(demo[1]["photographs"], committed["photographs"], strict=True):
        for method, committed_method in zip(photo["methods"], expected["methods"], strict=True):
            assert method == committed_method | {
                "nbytes": pytest.approx(committed_method["nbytes"], rel=1e-3),
                "bpp": pytest.approx(committed_method["bpp"], rel=1e-3),
                "change_percent": pytest.approx(committed_method["change_percent"], abs=0.1),
                "psnr_db": pytest.approx(committed_method["psnr_db"], abs=0.02),
                "swe": pytest.approx(committed_method["swe"], rel=1e-3),
            }


def test_demo_contact_sheet_is_a_picture(demo: tuple[Path, Any]) -> None:
    folder, _ = demo
    with Image.open(folder / "demo.png") as image:
        assert image.mode == "RGB"
        samples = np.array(image)
    assert samples.shape[0] > 1000
    assert samples.shape[1] > 1000
    assert (samples[:4] == 255).all()  # the white margin of the sheet
    assert (samples != 255).any(axis=2).mean() > 0.4  # pictures and tables


def test_demo_ends_with_a_page(demo: tuple[Path, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    folder, report = demo
    page = (folder / "demo.html").read_text()
    saving = -report["mean_change_percent"]["rdopt"]
    assert f"At an equal weighted error, RD-OPT saves {saving:.1f}\u00a0%" in page
    assert page.count('src="data:image/jpeg;base64,') >= 4 * 3
    assert f"<dt>scikit-image</dt><dd>{report['versions']['scikit-image']}</dd>" in page
    opened: list[str] = []
    monkeypatch.setattr(webbrowser, "open", lambda url: not opened.append(url))
    monkeypatch.setattr("optcodec.cli.demo._photographs", lambda: [photograph_paths()[1]])
    result = run("demo", folder / "again", "--open")
    assert result.stdout.endswith(f"Open this page in a browser: {folder / 'again/demo.html'}\n")
    assert opened == [(folder / "again/demo.html").as_uri()]


def test_demo_for_a_network(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Files are compared by what the network makes of them, whose output moves as far as in default JPEG at most."""
    monkeypatch.setattr("optcodec.cli.demo._photographs", lambda: [photograph_paths()[1]])
    report = run_json("demo", tmp_path, "--network", f"{__name__}:brightness")
    assert (report["network"], report["quality"], report["subsampling"]) == ("brightness", 20, "4:2:0")
    ((jpeg, weights, network),) = [photo["methods"] for photo in report["photographs"]]
    assert [each["method"] for each in (jpeg, weights, network)] == ["jpeg", "weights", "network"]
    assert 0 < max(weights["divergence"], network["divergence"]) <= jpeg["divergence"]
    assert network["nbytes"] <= weights["nbytes"]
    assert network["nbytes"] < jpeg["nbytes"]
    reading = NetworkReader(load_model(f"{__name__}:brightness"), views=2)(load_picture(photograph_paths()[1]).pixels)
    for each in (jpeg, weights, network):
        data = (tmp_path / f"chelsea-{each['method']}.jpg").read_bytes()
        assert len(data) == each["nbytes"]
        assert reading(decoded_pixels(data))[0] == pytest.approx(each["divergence"], rel=1e-6)
    page = (tmp_path / "demo.html").read_text()
    assert "Bytes saved at an equal divergence of brightness" in page
    assert f"network saves {-report['mean_change_percent']['network']:.1f}\u00a0%" in page
    text = run("demo", tmp_path / "text", "--network", f"{__name__}:brightness", "-q", 30).stdout
    assert text.splitlines()[0].endswith("KL")
    line = refusal("demo", tmp_path / "other", "--weights", "net.pth")
    assert line == "Error: --weights needs --network with a model"
    assert not (tmp_path / "other").exists()


def test_demo_says_what_is_missing_for_the_page(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optcodec.cli.demo._photographs", lambda: [photograph_paths()[1]])
    monkeypatch.setattr("optcodec.extras.find_spec", lambda name: None if name == "vl_convert" else find_spec(name))
    result = run("demo", tmp_path / "demo")
    assert result.exit_code == 0
    missing = "vl-convert-python is needed for this, and is not installed: pip install 'optcodec[report]'"
    assert result.stdout.splitlines()[-1] == f"There is no page for the browser: {missing}"
    assert not (tmp_path / "demo/demo.html").exists()
    assert refusal("demo", tmp_path / "other", "--open") == f"Error: {missing}"
    assert not (tmp_path / "other").exists()


def tiny_model() -> TargetModel:
    """A network whose output depends only on how red the left half is."""
    import torch
    from torchvision.transforms.v2 import functional as transform

    from optcodec.vision.models import TargetModel

    class Red(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            red = images[:, 0, :, : images.shape[3] // 2].mean((1, 2))
            return torch.stack([red, 1 - red], dim=1)

    return TargetModel("red", Red(), lambda image: transform.pil_to_tensor(image.resize((32, 32))))


def differences() -> Any:
    """A network whose output depends on differences of neighbours in two patterns, after the usual resizing."""
    import torch

    class Differences(torch.nn.Module):
        def forward(self, images: torch.Tensor) -> torch.Tensor:
            steps = (
                (100 * images).diff(dim=3).square().mean((1, 2, 3)),
                (100 * images).diff(dim=2).square().mean((1, 2, 3)),
            )
            return torch.stack(steps, dim=1)

    return Differences()


def brightness() -> TargetModel:
    """A network whose classes are patterns of the brightness of places, in pictures as they are."""
    import torch
    from torchvision.transforms.v2 import functional as transform

    from optcodec.vision.models import TargetModel

    class Brightness(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.patterns = torch.randn(6, 64, generator=torch.Generator().manual_seed(5))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            grey = torch.nn.functional.adaptive_avg_pool2d(images.mean(1), 8).flatten(1)
            return 20 * grey @ self.patterns.T

    return TargetModel("brightness", Brightness(), transform.pil_to_tensor, resample=lambda batch: batch)


@pytest.fixture
def pictures(tmp_path: Path) -> Path:
    for index in range(4):
        save(tmp_path / "in" / str(index % 2) / f"{index}.png", photograph(40 + index, 48))
    return tmp_path / "in"


def test_sensitivity_writes_a_profile(pictures: Path, tmp_path: Path) -> None:
    report = run_json("sensitivity", f"{__name__}:tiny_model", pictures, "-o", tmp_path / "new/p.json")
    assert (report["name"], report["images"], report["failures"]) == ("red", 4, [])
    profile = load_profile(tmp_path / "new/p.json")
    assert profile.provenance.labels == "folders"
    weights = profile.weights
    # red depends on Cr (factor 1.402) and Y (1), not on Cb (T.871)
    assert weights[2, 0, 0] == pytest.approx(1.402**2 * weights[0, 0, 0], rel=1e-3)
    assert weights[1].max() < 1e-9 * weights[0].max()


def test_sensitivity_at_a_quality(pictures: Path, tmp_path: Path) -> None:
    for quality in (20, 60):
        options = ["--labels", "self", "--subsampling", "4:2:0", "--quality", quality]
        run_json("sensitivity", f"{__name__}:tiny_model", pictures, "-o", tmp_path / f"{quality}.json", *options)
    coarse, fine = (load_profile(tmp_path / f"{quality}.json") for quality in (20, 60))
    assert (coarse.provenance.quality, fine.provenance.quality) == (20, 60)
    assert coarse.provenance.loss == "divergence"
    assert coarse.weights.sum() > 2 * fine.weights.sum()


def test_sensitivity_in_full_size(tmp_path: Path) -> None:
    """Pictures of several sizes, each reduced by the network, which then does not see what is fine in them."""
    for number, shape in enumerate(((600, 700), (512, 768))):
        save(tmp_path / "in" / f"{number}.png", photograph(*shape))
    options = [tmp_path / "in", "--labels", "self", "--quality", 40]
    for name, more in (("crops", []), ("whole", ["--full-size"])):
        run_json("sensitivity", f"{__name__}:differences", *options, "-o", tmp_path / f"{name}.json", *more)
    crops, whole = (load_profile(tmp_path / f"{name}.json") for name in ("crops", "whole"))
    fine = [profile.weights[0, 4:, 4:].sum() / profile.weights[0].sum() for profile in (crops, whole)]
    assert fine[1] < 0.5 * fine[0]
    assert (crops.provenance.image_size, whole.provenance.image_size) == ("224x224", "")
    line = refusal("sensitivity", f"{__name__}:tiny_model", *options, "-o", tmp_path / "p.json", "--full-size")
    assert "red has no resample, in which torch can differentiate how it resizes and crops pictures" in line


def test_sensitivity_does_without_broken_images(pictures: Path, tmp_path: Path) -> None:
    (pictures / "0" / "broken.png").write_bytes(b"no picture")
    result = run("sensitivity", f"{__name__}:tiny_model", pictures, "-o", tmp_path / "p.json", "--labels", "self")
    assert result.exit_code == 1
    assert result.stdout.startswith(f"{tmp_path / 'p.json'}: red over 4 images, relative standard errors up to ")
    assert messages(result)[0] == "Error: 1 of 5 files failed:"
    assert load_profile(tmp_path / "p.json").provenance.images == 4


@pytest.mark.parametrize(
    ("model", "options", "expected"),
    [
        ("no_such_net", [], "expected a classifier of torchvision or package.module:factory, got 'no_such_net'"),
        ("mobilenet", [], "got 'mobilenet'; the nearest are mobilenet_v2, "),
        ("mobilenet_v2", [], "mobilenet_v2 needs weights"),
        (f"{__name__}:tiny_model", ["-n", 99], "expected a sample of 1 to 4 images, got 99"),
        (f"{__name__}:tiny_model", ["--labels", "none.csv"], "none.csv"),
    ],
)
def test_sensitivity_refuses(pictures: Path, tmp_path: Path, model: str, options: list[object], expected: str) -> None:
    assert expected in refusal("sensitivity", model, pictures, "-o", tmp_path / "p.json", *options)
    assert not (tmp_path / "p.json").exists()


def test_sensitivity_checks_the_output_first(pictures: Path, tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    line = refusal("sensitivity", "no_such_net", pictures, "-o", tmp_path / "file/p.json")
    assert "cannot write" in line
