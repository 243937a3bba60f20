"""Missing optional packages are reported with the extra that installs them, and pyproject.toml agrees with that."""

from __future__ import annotations

import ast
import re
import sys
import tomllib
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import optcodec
import restore
from optcodec import InvalidInputError
from optcodec.cli import main as optcodec_main
from optcodec.cli.blocks import command as blocks_command
from optcodec.extras import OPTIONAL_PACKAGES, missing_package, require_packages
from restore.cli import main as restore_main
from tests.without_packages import outcomes

ROOT = Path(__file__).parents[1]
TORCH = ("torch", "safetensors")
CLASSIFIER = ("torch", "torchvision", "safetensors")


@dataclass(frozen=True)
class Case:
    """A command line (``{}`` is a folder with inputs) or a call in Python, and the packages that it needs."""

    text: str
    packages: tuple[str, ...] = ()
    extra: str | None = None


COMMANDS = [
    Case("optcodec encode {}/a.png -o {}/a.jpg -q 80"),
    Case("optcodec encode {}/a.png -o {}/b.jpg --profile mobilenet_v2 --match-quality 75 --progressive"),
    Case("optcodec encode {}/a.png -o {}/c.jpg -q 75 --effort 3 --progressive"),
    Case("optcodec encode {}/a.png -o {}/people.jpg --tune people --max-bytes 3000"),
    Case("optcodec encode {}/a.png -o {}/blocks.jpg --blocks qpnet:sr4 --bpp 1"),
    Case("optcodec encode {}/a.png -o {}/d.jpg --match-ssim 0.9", ("skimage",)),
    Case("optcodec encode {}/a.png -o {}/d.jpg --match-ssimulacra2 60", ("ssimulacra2",)),
    Case("optcodec encode {}/a.png {}/in.jpg -o {}/many --pixels --match-ssim 0.9", ("skimage",)),
    Case("optcodec encode local://{}/a.png -o {}/from_url.jpg", ("fsspec",)),
    Case("optcodec encode {}/a.png -o {}/e.jpg --manifest {}/rows.parquet --force", ("pyarrow",)),
    Case("optcodec encode {}/set -o {}/spread --engine ray", ("ray",)),
    Case("optcodec design {}/a.png -o {}/tables.json --bpp 1.5 --profile mobilenet_v2"),
    Case("optcodec inspect {}/in.jpg"),
    Case("optcodec warm-up"),
    Case("optcodec compare {}/a.png {}/in.jpg {}/in.jpg", ("skimage",)),
    Case("optcodec plot {}/none.json -o {}/plot.png", ("matplotlib",)),
    Case("optcodec report {}/none.json -o {}/r.html", ("jinja2", "vl_convert", "bjontegaard", "scipy"), "report"),
    Case("optcodec blocks show {}/in.jpg -o {}/blocks.png", ("matplotlib",)),
    Case("optcodec blocks profile {}/a.png -o {}/p.json --task restore.tasks:sr4", TORCH),
    Case("optcodec blocks profile {}/a.png -o {}/p.json --task restore.tasks:denoise25", TORCH),
    Case("optcodec blocks profile {}/a.png -o {}/p.json --task restore.tasks:deblur", (*TORCH, "scipy"), "torch"),
    Case("optcodec blocks profile {}/a.png -o {}/p.json --task restore.tasks:deblock", ("onnxruntime",)),
    Case("optcodec blocks train {}/none.json -o {}/p.npz", ("torch", "scipy"), "torch"),
    Case("optcodec sensitivity mobilenet_v2 {} -o {}/mine.json --weights {}/none.pth --labels self", CLASSIFIER),
    Case("optcodec sensitivity tests.no_model:factory {} -o {}/mine.json --labels self", CLASSIFIER[:2]),
    Case(
        "optcodec accuracy --model mobilenet_v2 --weights {}/none.pth --data {} --labels self -o {}/r.json",
        (*CLASSIFIER, "bjontegaard", "scipy"),
        "accuracy",
    ),
    Case(
        "optcodec verify --before {} --after {} --network mobilenet_v2 --weights {}/none.pth",
        CLASSIFIER,
    ),
    Case("optcodec verify --before {} --after {} --network {}/none.onnx", ("onnxruntime",)),
    Case("optcodec fit --data {} -o {}/plan.json --max-kl 1 --network mobilenet_v2 --weights {}/none.pth", CLASSIFIER),
    Case("optcodec fit --data {} -o {}/plan.json --max-kl 1 --network {}/none.onnx", ("onnxruntime",)),
    Case("optcodec encode {}/a.png -o {}/c.jpg --network {}/none.onnx", ("onnxruntime",)),
    Case(
        "optcodec rates {}/a.png -o {}/rates.json --fixed 50 --sender jpeg=pillow --measure psnr",
        ("bjontegaard", "scipy"),
        "rates",
    ),
    Case("optcodec demo {}/demo", ("skimage", "matplotlib"), "demo"),
    Case("restore run {}/in.jpg -o {}/restored.png --model tiny", ("onnxruntime",)),
    Case("restore run {}/in.jpg {}/other.jpg -o {}/restored --model tiny", ("onnxruntime",)),
    Case("restore hint {}/in.jpg --originals {}/a.png -o {}/hinted.jpg --model tiny", ("onnxruntime",)),
    Case("restore train default -o {}/run --data {}", TORCH),
    Case("restore train default -o {}/run --data {} --tensorboard", (*TORCH, "tensorboard")),
    Case("restore caution {}/none.safetensors -o {}/careful.safetensors --data {}", TORCH, "torch"),
    Case("restore compress {}/none.safetensors -o {}/small --data {}", (*TORCH, "onnx", "scipy"), "torch"),
    Case("restore export {}/none.safetensors -o {}/net.onnx", (*TORCH, "onnx", "scipy"), "torch"),
    Case(
        "restore export {}/none.safetensors -o {}/net.tflite --size 64x64",
        (*TORCH, "onnx", "scipy", "litert_torch"),
        "tflite",
    ),
    Case(
        "restore pipeline {}/set -o {}/p.json --fixed 50 --sender jpeg=pillow --receiver jpeg --measure psnr",
        ("bjontegaard", "scipy"),
        "evaluate",
    ),
    Case("restore evaluate {}/set -q 10 --receiver jpeg --measure psnr,psnr_b"),
    Case("restore evaluate {}/set -q 10 --receiver jpeg", ("skimage",)),
    Case("restore evaluate {}/set -q 10 --receiver tiny --measure psnr", ("onnxruntime",)),
    Case("restore evaluate {}/set --receiver deblock --measure psnr", ("scipy",), "evaluate"),
    Case("restore evaluate {}/set --receiver jpeg --against jpeg --measure psnr", ("scipy",), "evaluate"),
    Case("restore evaluate {}/set --receiver jpeg --cost --measure psnr", ("onnx",), "evaluate"),
    Case("restore evaluate {}/set --receiver jpeg --figure {}/f.png --measure psnr", ("matplotlib",), "evaluate"),
    Case("restore evaluate {}/set --receiver {}/none.safetensors --measure psnr", TORCH),
    Case("restore evaluate {}/set --receiver spandrel:{}/x.pth --measure psnr", (*TORCH, "spandrel"), "evaluate"),
    Case("restore evaluate {}/set --receiver jpeg --measure lpips --weights {}/weights", CLASSIFIER),
    Case("restore evaluate {}/set --receiver jpeg --measure niqe --weights {}/weights", ("scipy",), "evaluate"),
]
PIXELS = "import numpy as np, optcodec; image = np.zeros((32, 32, 3), np.uint8)\n"
CALLS = [
    Case(PIXELS + "optcodec.encode(image, quality=50)"),
    Case(PIXELS + "optcodec.encode(image, target=optcodec.MatchSsim(0.9))", ("skimage",)),
    Case(PIXELS + "from optcodec.metrics import ssim; ssim(image, image)", ("skimage",)),
    Case(PIXELS + "from restore.evaluation.measures import load_measures; load_measures(['ssim'])", ("skimage",)),
    Case(PIXELS + "optcodec.estimate_sensitivity(None, [])", ("torch",)),
    Case(
        PIXELS + "from optcodec.report.blocks import blocks_figure; blocks_figure(image, [], title='')", ("matplotlib",)
    ),
    Case("from optcodec.report.contact_sheet import contact_sheet; contact_sheet([], title='')", ("matplotlib",)),
    Case("from optcodec.report.heatmap import heatmap_figure; heatmap_figure([])", ("matplotlib",)),
    Case("from optcodec.report.curves import rate_accuracy_figure; rate_accuracy_figure([])", ("matplotlib",)),
    Case("from optcodec.vision.models import load_model; load_model('mobilenet_v2', weights='none.pth')", CLASSIFIER),
    Case("from optcodec.experiments.curves import bd_rate; bd_rate(None, None)", ("bjontegaard",)),
    Case("from optcodec.experiments.curves import bd_quality; bd_quality(None, None)", ("bjontegaard",)),
    Case(
        "from optcodec.experiments.curves import monotone_curves; monotone_curves(None, None)", ("scipy",), "accuracy"
    ),
    Case("from optcodec.accuracy.statistics import mcnemar; mcnemar(1, 2)", ("scipy",), "accuracy"),
    Case("from optcodec.receivers.train_qpnet import scores; scores(None, None)", ("scipy",), "torch"),
    Case("from optcodec.receivers.train_qpnet import qpnet_module; qpnet_module(3)", ("torch",)),
    Case(PIXELS + "import restore; restore.decode_centroids(optcodec.encode(image, quality=9).data)"),
    Case("import restore; restore.load_model('tiny')", ("onnxruntime",)),
    Case(PIXELS + "import restore; restore.restore_image(optcodec.encode(image, quality=9).data)", ("onnxruntime",)),
    Case("import optcodec.imageio", ("imageio",)),
    Case("import optcodec.torch", ("torch", "torchvision"), "torch"),
    Case("from restore.tasks import sr4; sr4()", TORCH),
    Case("from restore.tasks import deblock; deblock()", ("onnxruntime",)),
    Case("from restore.tasks import make_task; make_task('sr4', 'spandrel:x')", (*TORCH, "spandrel"), "evaluate"),
    Case("from restore.tasks import sr4; sr4('torchscript:x')", TORCH),
    Case("from restore.tasks import sr4; sr4('onnx:x')", ("onnxruntime",)),
    Case(
        PIXELS + "from restore.channel.problem import find_problem; find_problem('deblur1.5').sent(image, None)",
        ("scipy",),
        "torch",
    ),
    Case("from restore.evaluation.statistics import compare; compare([1, 2], [3, 5])", ("scipy",), "evaluate"),
    Case("from restore.evaluation.macs import onnx_macs; onnx_macs(b'')", ("onnx",), "evaluate"),
    Case("from restore.channel.senders import check_packages; check_packages(['pillow', 'psnr'])"),
    Case(
        "from restore.channel.senders import check_packages; check_packages(['mozjpeg', 'mozjpeg-flat'])", ("pyvips",)
    ),
    Case("from restore.channel.senders import check_packages; check_packages(['jpegli'])", ("ajpegli",)),
    Case("from optcodec.rates import peer_sender; peer_sender('x', 'pillow')"),
    Case("from optcodec.rates import peer_sender; peer_sender('x', 'mozjpeg')", ("pyvips",), "rates"),
    Case("from optcodec.rates import peer_sender; peer_sender('x', 'jpegli')", ("ajpegli",), "rates"),
    Case("from optcodec.rates import load_measures; load_measures(['psnr', 'psnr_y', 'psnr_b'])"),
    Case("from optcodec.rates import load_measures; load_measures(['ssim_y'])", ("skimage",)),
    Case("from optcodec.rates import load_measures; load_measures(['ms_ssim'])", ("torch", "torchmetrics")),
    Case("from optcodec.rates import load_measures; load_measures(['fsim'])", ("torch", "piq")),
    Case("from optcodec.rates import load_measures; load_measures(['ssimulacra2'])", ("ssimulacra2",)),
    Case("from optcodec.report.rate_curves import rates_figure; rates_figure([])", ("matplotlib",)),
    Case("from restore.channel.drawings import drawing; [drawing(number) for number in range(4)]", ("matplotlib",)),
    Case("from restore.channel.drawings import drawing; drawing(0, kinds=['surface'])", ("matplotlib", "scipy")),
]


def message(case: Case, missing: set[str]) -> str:
    """The error message if some packages that a case needs are missing."""
    names = [OPTIONAL_PACKAGES[name][0] for name in case.packages if name in missing]
    extras = case.extra or ",".join(sorted({OPTIONAL_PACKAGES[name][1] for name in case.packages if name in missing}))
    needed = "is needed for this, and is" if len(names) == 1 else "are needed for this, and are"
    return f"{listed(names)} {needed} not installed: pip install 'optcodec[{extras}]'"


def listed(names: list[str]) -> str:
    return " and ".join([", ".join(names[:-1]), names[-1]] if len(names) > 1 else names)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    inputs = tmp_path_factory.mktemp("inputs")
    noise = np.random.default_rng(3).integers(0, 256, (64, 72, 3), np.uint8)
    (inputs / "set").mkdir()
    (inputs / "weights").mkdir()
    for name in ("a.png", "in.jpg", "other.jpg", "set/a.png"):
        Image.fromarray(noise).save(inputs / name)
    for name in ("alexnet.safetensors", "niqe_pris_params.npz"):
        (inputs / "weights" / name).touch()
    return inputs


def check(missing: set[str], folder: Path, commands: list[Case], calls: list[Case]) -> None:
    """Check that each case succeeds, or fails with one line that names the missing packages and how to install them."""
    lines = [case.text.replace("{}", str(folder)).split() for case in commands]
    results = outcomes(sorted(missing), commands=lines, calls=[case.text for case in calls])
    for case, outcome in zip(commands, results, strict=False):
        if missing.isdisjoint(case.packages):
            assert (outcome.status, outcome.lines) == (0, []), (case, outcome)
        else:
            assert (outcome.status, outcome.stdout) == (1, ""), (case, outcome)
            assert outcome.lines == [f"Error: {message(case, missing)}"], case
    for case, outcome in zip(calls, results[len(commands) :], strict=True):
        expected = (0, "") if missing.isdisjoint(case.packages) else ("InvalidInputError", message(case, missing))
        assert (outcome.status, outcome.stderr) == expected, case


def test_the_core_alone(folder: Path) -> None:
    check(set(OPTIONAL_PACKAGES), folder, COMMANDS, CALLS)


@pytest.mark.parametrize("package", sorted(OPTIONAL_PACKAGES))
def test_one_package_is_missing(folder: Path, package: str) -> None:
    """Every case that needs the package reports it, while all other packages are installed."""

    def concerned(case: Case) -> bool:
        return package in case.packages and all(find_spec(name) for name in case.packages)

    commands, calls = ([case for case in cases if concerned(case)] for cases in (COMMANDS, CALLS))
    if not commands and not calls:
        pytest.skip("what goes with it is not installed")
    check({package}, folder, commands, calls)


def test_every_verb_is_among_the_cases() -> None:
    named = {tuple(case.text.split()[:2]) for case in COMMANDS}
    verbs = {
        (name, verb) for name, main in (("optcodec", optcodec_main), ("restore", restore_main)) for verb in main.names
    }
    assert named == verbs
    blocks = {case.text.split()[2] for case in COMMANDS if case.text.startswith("optcodec blocks ")}
    assert blocks == set(blocks_command.commands)


def test_a_package_that_is_broken(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """If an installed package cannot be imported, the message has the reason and how to install a working one."""
    (tmp_path / "spandrel.py").write_text("import spandrel_needs_this")
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.delitem(sys.modules, "spandrel", raising=False)
    expected = (
        r"^spandrel cannot be imported \(No module named 'spandrel_needs_this'\): pip install 'optcodec\[evaluate\]'$"
    )
    with pytest.raises(InvalidInputError, match=expected):
        require_packages("spandrel")


@pytest.mark.parametrize("name", ["numpy", "some_module_of_the_user", None])
def test_other_imports_that_fail_are_not_explained(name: str | None) -> None:
    assert missing_package(ModuleNotFoundError(f"No module named {name!r}", name=name)) is None
    assert missing_package(ImportError("cannot import name 'x'", name="torch")) is None


@pytest.mark.parametrize("load", ["optcodec.receivers.task:load_task", "optcodec.vision.models:load_model"])
def test_a_factory_of_the_user_that_lacks_a_package(load: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    if load.startswith("optcodec.vision"):
        pytest.importorskip("torchvision")
    (tmp_path / "factory_without.py").write_text("import spandrel\n\ndef factory(): ...")
    call = f"import sys; sys.path.insert(0, {str(tmp_path)!r})\nfrom {load.replace(':', ' import ')} as load\n"
    (outcome,) = outcomes(["spandrel"], calls=[f"{call}load('factory_without:factory')"])
    message = "spandrel is needed for this, and is not installed: pip install 'optcodec[evaluate]'"
    assert (outcome.status, outcome.stderr) == ("InvalidInputError", message)


def sources() -> list[Path]:
    """All modules of both packages as they are installed."""
    packages = (Path(package.__file__).parent for package in (optcodec, restore))
    return [path for package in packages for path in package.rglob("*.py")]


def requirements() -> tuple[dict[str, set[str]], set[str]]:
    """Packages of each extra, including those of extras within it; and the packages that are always installed."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]

    def name(requirement: str) -> str:
        return re.split(r"[><=\[ ]", requirement)[0]

    def packages(extra: str) -> set[str]:
        names = set()
        for requirement in project["optional-dependencies"][extra]:
            inner = re.fullmatch(r"optcodec\[(.*)\]", requirement)
            names |= {name(requirement)} if inner is None else set().union(*map(packages, inner[1].split(",")))
        return names

    return {extra: packages(extra) for extra in project["optional-dependencies"]}, set(
        map(name, project["dependencies"])
    )


def test_every_extra_that_is_named_installs_the_package() -> None:
    extras, core = requirements()
    for name, extra in OPTIONAL_PACKAGES.values():
        assert name in extras[extra]
        assert name not in core
    # litert-torch brings a gigabyte with it, for one kind of file
    assert extras["all"] == {name for name, _ in OPTIONAL_PACKAGES.values()} - {"litert-torch"}
    assert extras["all"] <= extras["test"] & extras["bench"]


def test_every_dependency_states_versions() -> None:
    """Each has a lower bound, which CI installs, or a pin; those that compile kernels have an upper bound as well."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    lines = [*project["dependencies"], *(line for extra in project["optional-dependencies"].values() for line in extra)]
    bounds = {line: re.findall(r"([><=]=?)[0-9]", line) for line in lines if not line.startswith("optcodec[")}
    assert [line for line, signs in bounds.items() if signs not in ([">="], ["=="], [">=", "<"])] == []
    limited = {line.partition(">")[0] for line, signs in bounds.items() if signs == [">=", "<"]}
    assert limited == {"numba", "llvmlite"}


def test_every_call_of_require_packages_names_an_extra_with_the_packages() -> None:
    extras, _ = requirements()
    asked = 0
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            if not (isinstance(node, ast.Call) and getattr(node.func, "id", "") == "require_packages"):
                continue
            asked += 1
            extra = next((word.value.value for word in node.keywords if isinstance(word.value, ast.Constant)), None)
            for module in node.args:
                if isinstance(module, ast.Constant):
                    name, default = OPTIONAL_PACKAGES[module.value.partition(".")[0]]
                    assert name in extras[extra or default], f"{path}:{node.lineno}"
    assert asked > 30


def test_no_package_is_imported_that_nobody_declares() -> None:
    """Both packages import only the standard library, the dependencies of the core, and packages in the table."""
    core = {"click", "lazy_loader", "llvmlite", "numba", "numpy", "PIL", "rich", "optcodec", "restore"}
    known = core | set(OPTIONAL_PACKAGES) | sys.stdlib_module_names
    for path in sources():
        for node in ast.walk(ast.parse(path.read_text())):
            names = [alias.name for alias in node.names] if isinstance(node, ast.Import) else []
            if isinstance(node, ast.ImportFrom) and node.level == 0:
                names = [node.module or ""]
            assert {name.partition(".")[0] for name in names} <= known, path
