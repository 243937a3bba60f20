"""The AccelIR benchmark: all methods on a small image with a small task, and continuing an interrupted run."""

from __future__ import annotations

import importlib
import io
import json
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType, SimpleNamespace
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage.data import astronaut

from optcodec import InvalidInputError, MaxBytes, TargetNotMetError, annex_k_tables, encode, psnr_db, write_jpeg
from optcodec.blocks.profile import build_profile
from optcodec.blocks.qpnet import QpNet, save_qpnet, weight_shapes
from optcodec.jpeg.quantize import quantize
from optcodec.receivers.measure import measure_curves
from optcodec.trellis.tuning import Tuning, falling_weights
from tests import blur_task
from tests.blur_task import BlurTask

for package in ("pyvips", "ajpegli", "bjontegaard", "ssimulacra2"):
    pytest.importorskip(package)

ROOT = Path(__file__).parents[2]
CLEAN = np.ascontiguousarray(astronaut()[40:120, 150:246])  # 80x96: blocks are cut at the bottom
GROUPS = 3
TUNING = Tuning(falling_weights((1.0, 0.6, 0.6), (8.0, 6.0), (1.2, 1.2)), None, 0.1, at_resolution=False)


def benchmark(name: str) -> ModuleType:
    return importlib.import_module(f"benchmarks.accelir.{name}")


ACCELIR, METHODS, IDEAL, CASES = map(benchmark, ("gains", "methods", "ideal", "case"))


def random_net(seed: int = 0) -> QpNet:
    rng = np.random.default_rng(seed)
    shapes = weight_shapes(GROUPS)
    weights = {name: rng.normal(0, 1 / np.sqrt(np.prod(shape[1:])), shape) for name, shape in shapes.items()}
    return QpNet(GROUPS, weights, {}, {})


@pytest.fixture(scope="module")
def tools(tmp_path_factory: pytest.TempPathFactory) -> Any:
    """Profile and QP-NET, loaded from files; the profile is measured on another part of the photograph."""
    curves = measure_curves(np.ascontiguousarray(astronaut()[200:296, 100:196]), BlurTask(), encoder="rdo", threads=1)
    profile = build_profile("blur", [curves], groups=GROUPS)
    object.__setattr__(profile, "tuning", TUNING)
    name = str(tmp_path_factory.mktemp("tools") / "blur")
    profile.save(f"{name}.json")
    save_qpnet(random_net(), f"{name}.npz")
    return CASES.Tools.load(name)


@pytest.fixture(scope="module")
def case(tools: Any) -> Iterator[Any]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(blur_task, "decoded_pixels", pixels)  # which also decodes WebP
        yield CASES.Case(BlurTask(), CLEAN, tools, seed=5)


def pixels(data: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


# ---- Methods ---------------------------------------------------------------------------------------------------------

INTERPOLATED = (
    "jpeg",
    "mozjpeg flat",
    "mozjpeg default tables",
    "webp",
    "ideal uniform",
    "ideal accelir",
    "ideal oracle",
)


@pytest.mark.parametrize("method", METHODS.METHODS)
def test_every_method_keeps_the_budget_and_is_measured(case: Any, method: str) -> None:
    budget = case.budget(3.0)
    nbytes, (after, before, clean, seam) = METHODS.METHODS[method](case, budget)
    if method.startswith(INTERPOLATED):
        assert nbytes == budget
    else:
        assert 0.97 * budget < nbytes <= budget
    assert 22 < clean < 40
    assert 22 < before < 40
    assert abs(clean - before) > 0.1  # the sent image has noise, the clean one has none
    assert 22 < after < 40
    assert 0.1 < seam < 10


def test_the_oracle_knows_more_than_one_quality_for_all(case: Any) -> None:
    budget = case.budget(2.5)
    after = {name: METHODS.METHODS[name](case, budget)[1][0] for name in ("ideal uniform", "ideal oracle")}
    assert after["ideal oracle"] > after["ideal uniform"] + 0.02


def test_receiver_methods_are_those_of_the_library(case: Any) -> None:
    budget = case.budget(3.0)
    for method, blocks in (("receiver", None), ("receiver+qpnet", case.tools.blocks("exchange"))):
        data = encode(case.sent, effort=3, tune=TUNING, blocks=blocks, target=MaxBytes(budget)).data
        nbytes, fields = METHODS.METHODS[method](case, budget)
        assert nbytes == len(data)
        assert fields[0] == psnr_db(CLEAN, BlurTask().restored(data))


def test_known_groups_are_ranks_by_true_utility(case: Any) -> None:
    known = METHODS.known_groups(case)
    curves = measure_curves(CLEAN, BlurTask(), encoder="rdo", seed=5, threads=1)
    assert known.shares.shape == (3, 3, GROUPS)
    assert (known.distributions(case.sent) == known.shares).all()
    np.testing.assert_array_equal(known.shares.argmax(axis=2).ravel(), case.tools.profile.rank(curves))
    assert (known.shares.sum(axis=2) == 1).all()


def test_without_a_receiver_errors_before_restoration_count(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    contexts = []
    monkeypatch.setitem(METHODS.WAYS, "lagrangian", lambda context, budget: contexts.append(context) or None)
    METHODS.METHODS["psnr+lagrangian before"](case, case.budget(3.0))
    METHODS.METHODS["oracle lagrangian"](case, case.budget(3.0))
    true = case.curves("rdo")
    assert (contexts[0].curves.after == true.before).all()
    assert (contexts[1].curves.after == true.after).all()
    assert contexts[0].shares.shape == (3, 3, 1)


def test_a_profile_without_a_tuning(tools: Any) -> None:
    profile = build_profile("bare", [measure_curves(CLEAN, BlurTask(), qualities=(15, 55, 95))], groups=GROUPS)
    with pytest.raises(InvalidInputError, match=r"profile bare has no tuning; expected one from fit_receivers\.py"):
        _ = CASES.Tools("bare", profile, tools.net).tuning


def test_measures_lie_between_neighbouring_qualities() -> None:
    def encoder(quality: int) -> tuple[float, bytes]:
        return 100.0 * quality, bytes([quality])

    def measure_at(budget: int, least: int = 1) -> float:
        return METHODS.interpolated(encoder, least, budget, lambda data: 7.0 * data[0])

    assert measure_at(5000) == 350
    part = np.log(4321 / 4300) / np.log(4400 / 4300)
    assert measure_at(4321) == pytest.approx(7 * (43 + part), rel=1e-12)
    assert measure_at(100) == 7
    assert measure_at(10000) == 700
    with pytest.raises(TargetNotMetError, match=r"expected a file of 99 bytes, but qualities 1..100 take 100..10000"):
        measure_at(99)
    with pytest.raises(TargetNotMetError, match=r"file of 10001 bytes, but qualities 20..100 take 2000..10000"):
        measure_at(10001, 20)


def test_default_jpeg_takes_any_measure(case: Any) -> None:
    sizes = []
    nbytes = METHODS.default_jpeg(case.sent, 3000, lambda data: sizes.append(len(data)) or float(len(data)))
    # The position between two files is logarithmic in bytes, the interpolation linear: bytes are slightly off.
    assert nbytes == pytest.approx(3000, rel=2e-3)
    low, high = sizes
    assert low <= 3000 < high


def test_receivers_that_read_tables_leave_webp_as_it_is(tools: Any) -> None:
    case = CASES.Case(BlurTask(), CLEAN, tools, 5, pixels_alone=False)
    after, _, clean, _ = METHODS.METHODS["webp"](case, case.budget(3.0))[1]
    assert after == clean
    after, _, clean, _ = METHODS.METHODS["jpeg"](case, case.budget(3.0))[1]
    assert abs(after - clean) > 1


def test_errors_against_a_clean_image_of_another_size(tools: Any) -> None:
    case = CASES.Case(BlurTask(2), np.ascontiguousarray(astronaut()[:128, :128]), tools)
    fields = case.measured(write_jpeg(quantize(case.image, annex_k_tables(80))))
    assert np.isfinite(fields).tolist() == [True, True, False, True]


# ---- True variable quantization, seams ------------------------------------------------------------------------------


def test_one_quality_is_default_jpeg(case: Any) -> None:
    data = write_jpeg(quantize(case.image, annex_k_tables(60)))
    nbytes, decodable = IDEAL.ideal_file(case.image, np.full((3, 3), 60))
    assert nbytes == len(data)
    np.testing.assert_array_equal(pixels(decodable), pixels(data))


def test_every_block_has_a_separate_table(case: Any) -> None:
    """In the middle of a block, where no chrominance of neighbours is mixed in, the pixels are those of its quality."""
    qualities = np.array([[15, 95, 40], [70, 30, 90], [50, 20, 60]])
    decoded = pixels(IDEAL.ideal_file(case.image, qualities)[1])
    for row, column in np.ndindex(2, 3):
        place = slice(32 * row + 8, 32 * row + 24), slice(32 * column + 8, 32 * column + 24)
        uniform = pixels(write_jpeg(quantize(case.image, annex_k_tables(int(qualities[row, column])))))
        np.testing.assert_array_equal(decoded[place], uniform[place])


def test_seams_are_steps_across_the_large_grid() -> None:
    ramp = np.full((64, 72, 3), 100, np.uint8)
    ramp[:, 32:] += 6  # across the 32-pixel grid, 64 times
    ramp[:, 8:] += 2  # across another line
    ramp[40:] += 1
    large = 64 * 6**2 / (2 * 64 + 72)  # lines at 32 and 64, and one at row 32, of 72 pixels
    small = (64 * 2**2 + 72) / (6 * 64 + 6 * 72)
    assert IDEAL.luminance_seams(ramp) == pytest.approx(large / small, rel=1e-12)
    assert np.isnan(IDEAL.luminance_seams(ramp[:32, :32]))


# ---- Runs that go on -------------------------------------------------------------------------------------------------


def test_what_is_kept_is_not_measured_again(tools: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = tmp_path / "Kodak"
    folder.mkdir()
    Image.fromarray(CLEAN).save(folder / "kodim99.png")
    monkeypatch.setattr(ACCELIR, "make_task", lambda problem, network: BlurTask())
    calls = []
    plain = {name: lambda case, budget, name=name: (calls.append(name) or budget, np.ones(4)) for name in "ab"}
    monkeypatch.setattr(ACCELIR, "METHODS", plain)
    job = ACCELIR.Job("denoise25", "default", tools.name, folder / "kodim99.png", (("a", 0.6), ("b", 1.2)))
    assert ACCELIR.measure_missing(job, tmp_path / "work") == 2
    assert ACCELIR.measure_missing(job, tmp_path / "work") == 0
    first, second = job.kept_records(tmp_path / "work")
    assert (first["method"], first["bpp"], first["budget"]) == ("a", 0.6, 576)
    assert (second["set"], second["image"], second["after"]) == ("Kodak", "kodim99", 1)
    path = job.path(tmp_path / "work", "a", 0.6)
    path.write_text(json.dumps(first | {"digest": "of another network"}))
    assert ACCELIR.measure_missing(job, tmp_path / "work") == 1
    assert calls == ["a", "b", "a"]


def test_a_size_that_no_file_has_is_kept_as_that(case: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    figures = ACCELIR._figures(SimpleNamespace(budget=lambda bpp: 10, sent=case.sent, measured=None), "jpeg", 0.6)
    assert figures.keys() == {"not_met"}
    assert figures["not_met"].startswith("expected a file of 10 bytes, but qualities 1..100 take")


def test_plans_have_all_rates_of_the_few_and_the_middle_one_of_all() -> None:
    wanted = ACCELIR.planned_measurements("sr4", list(METHODS.METHODS))
    assert {bpp for method, bpp in wanted if method == "webp"} == {0.6, 0.9, 1.2, 1.8}
    assert {bpp for method, bpp in wanted if method == "oracle"} == {1.2}
    assert {method for method, _ in wanted} == set(METHODS.METHODS)
    assert not [
        method for method, _ in ACCELIR.planned_measurements("deblock", list(METHODS.METHODS)) if "ideal" in method
    ]


def test_unseen_takes_every_profile_for_every_receiver(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs, written = [], {}
    monkeypatch.setattr(ACCELIR, "photographs", lambda name: [Path(name) / "1.png"])
    monkeypatch.setattr(ACCELIR, "run", lambda planned, work, workers: jobs.extend(planned) or [])
    monkeypatch.setattr(ACCELIR, "write_result", lambda name, figures, packages: written.update({name: figures}))
    ACCELIR.unseen.callback(Path(), 1, 1, "sr4,deblock")
    assert [(job.network, job.tools, len(job.planned)) for job in jobs] == [
        ("sr4-64", "sr4", 4),
        ("sr4-64", "deblock", 2),
        ("default", "sr4", 2),
        ("default", "deblock", 4),
        ("sr4-fsrcnn", "sr4", 4),
        ("sr4-fsrcnn", "deblock", 2),
    ]
    assert written == {"accelir_unseen": {"gain_db": {}, "digests": {}}}


def test_photographs_of_both_sets_come_in_turn(monkeypatch: pytest.MonkeyPatch) -> None:
    known = {"Kodak": ["k1", "k2"], "McMaster": ["m1", "m2", "m3", "m4"]}
    monkeypatch.setattr(ACCELIR, "photographs", known.__getitem__)
    assert ACCELIR.chosen(3) == ["k1", "m1", "k2"]
    assert ACCELIR.chosen(None) == ["k1", "m1", "k2", "m2", "m3", "m4"]


def test_times_are_taken_of_all_kinds(tools: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    speed = benchmark("speed")
    monkeypatch.setattr(speed, "SIZES", {"small": (120, 150)})
    monkeypatch.setattr(speed, "photographs", lambda name: ["lying", "standing"])
    photographs = {"lying": CLEAN, "standing": CLEAN.swapaxes(0, 1)}
    monkeypatch.setattr(speed, "load", photographs.__getitem__)
    image = speed.mosaic(1, (120, 150))
    assert image.shape == (120, 150, 3)
    np.testing.assert_array_equal(image[:80, :96], np.rot90(photographs["standing"]))
    np.testing.assert_array_equal(image[:80, 96:], CLEAN[:, :54])
    row = speed.timed(tools.name, "small", 0, 2, 3.0)
    names = {f"{setting} {variant}" for setting in ("quality", "bytes") for variant in ("with", "without")}
    assert row["seconds"].keys() == names | {"qpnet", "libjpeg-turbo", "plain"}
    assert (row["size"], row["sides"]) == ("small", (120, 150))
    assert {len(values) for values in row["seconds"].values()} == {2}
