"""The command `restore evaluate` and its parts: test sets, rows, means, comparisons and figures."""

from __future__ import annotations

import io
import json
import math
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image
from scipy.stats import ttest_rel

import optcodec
from optcodec import InvalidInputError
from restore.cli import main
from restore.evaluation.evaluate import Conditions, Row, comparisons, encoded, evaluate, means
from restore.evaluation.figures import Crop, crops_figure, draw
from restore.evaluation.measures import load_measures
from restore.evaluation.receiver import Receiver
from restore.evaluation.receivers import make_receiver
from restore.evaluation.statistics import PairedDifference, compare
from restore.evaluation.testsets import find_set, load_image
from restore.runtime.context import Context


def picture(seed: int, height: int = 40, width: int = 56) -> np.ndarray:
    y, x = np.mgrid[:height, :width]
    planes = [128 + 70 * np.sin(x / (5 + k + seed)) + 40 * np.cos(y / (4 + k)) for k in range(3)]
    return np.clip(np.rint(np.stack(planes, axis=-1)), 0, 255).astype(np.uint8)


@pytest.fixture
def sets(tmp_path: Path) -> Path:
    folder = tmp_path / "data"
    for name, suffix in (("set5", "png"), ("live1/refimgs", "bmp"), ("mine", "tif")):
        (folder / name).mkdir(parents=True)
        for number in range(3):
            Image.fromarray(picture(number)).save(folder / name / f"{number}.{suffix}")
    return folder


def test_sets_are_known_by_their_folders(sets: Path) -> None:
    by_name, by_folder, inner = find_set("LIVE1", sets), find_set(sets / "live1"), find_set(sets / "live1" / "refimgs")
    assert by_name == by_folder == inner
    assert (by_name.name, by_name.expected, [path.name for path in by_name.paths]) == (
        "LIVE1",
        29,
        ["0.bmp", "1.bmp", "2.bmp"],
    )
    assert (find_set("SET5", sets).name, find_set("mine", sets).name) == ("Set5", "mine")
    with pytest.raises(InvalidInputError, match=r"no folder Kodak; expected a folder of originals or a set in"):
        find_set("Kodak", sets)
    (sets / "empty").mkdir()
    Image.fromarray(picture(0)).save(sets / "empty" / "a.jpg")
    with pytest.raises(InvalidInputError, match=r"empty has no originals; expected \.bmp"):
        find_set("empty", sets)


def test_originals_are_luminance_or_rgb(tmp_path: Path) -> None:
    image = picture(1)
    Image.fromarray(image).save(tmp_path / "a.png")
    luminance = image @ np.array([0.299, 0.587, 0.114])
    assert np.abs(load_image(tmp_path / "a.png", colour=False) - luminance).max() <= 0.51
    assert np.array_equal(load_image(tmp_path / "a.png", colour=True), image)
    Image.fromarray(image[..., 0].astype(np.uint16) * 257).save(tmp_path / "deep.png")
    with pytest.raises(InvalidInputError, match=r"deep\.png: the image has the mode I;16; expected gray or RGB"):
        load_image(tmp_path / "deep.png", colour=False)
    (tmp_path / "b.png").write_bytes(b"no image")
    with pytest.raises(InvalidInputError, match=r"b\.png: not an image file"):
        load_image(tmp_path / "b.png", colour=True)


def test_the_plain_receiver_is_libjpeg_and_noise_is_the_same_for_all(sets: Path) -> None:
    image = load_image(sets / "mine/0.tif", colour=True)
    data = encoded(image, 20, Conditions(colour=True))
    assert np.array_equal(make_receiver("jpeg").receive(data), np.asarray(Image.open(io.BytesIO(data))))
    received_planes: list[np.ndarray] = []
    told: list[float] = []

    def record(planes: np.ndarray, context: Context) -> np.ndarray:
        received_planes.append(planes)
        told.append(context.sigma)
        assert np.array_equal(context.steps[0], optcodec.annex_k_tables(20)[0].steps)
        return np.clip(planes[0], 0, 255).astype(np.uint8)

    two = [Receiver(name, lambda data: data, record) for name in "ab"]  # type: ignore[arg-type, return-value]
    noisy = Conditions((20,), (0.5, 12.0))
    rows = list(evaluate([find_set("mine", sets)], two, load_measures(["psnr"]), noisy))
    assert len(rows) == 3 * 2 * 2
    assert all(np.array_equal(*received_planes[i : i + 2]) for i in range(0, 12, 2))
    assert told == [0.5, 0.5, 12, 12] * 3
    gray = load_image(sets / "mine/0.tif", colour=False)
    decoded = np.asarray(Image.open(io.BytesIO(encoded(gray, 20, noisy)))).astype(float)
    second = encoded(load_image(sets / "mine/1.tif", colour=False), 20, noisy)
    first_of_second = np.asarray(Image.open(io.BytesIO(second))).astype(float)
    assert np.std(received_planes[2][0] - decoded) == pytest.approx(12, rel=0.05)
    # the noise of every image is different
    assert not np.array_equal(received_planes[2] - decoded, received_planes[6] - first_of_second)


def test_rows_are_what_was_sent_and_means_are_over_images(sets: Path) -> None:
    receivers = [make_receiver("jpeg"), make_receiver("best=smooth")]
    measures = load_measures(["psnr", "ssim"])
    test_sets = [find_set("mine", sets), find_set("set5", sets)]
    rows = list(evaluate(test_sets, receivers, measures, Conditions((10, 50))))
    assert len(rows) == 2 * 3 * 2 * 2
    row = rows[0]
    gray = load_image(test_sets[0].paths[0], colour=False)
    data = encoded(gray, 10, Conditions())
    assert (row.set, row.image, row.quality, row.receiver) == ("mine", "0.tif", 10, "jpeg")
    assert row.bpp == 8 * len(data) / gray.size
    assert row.measures["psnr"] == optcodec.psnr_db(gray, np.asarray(Image.open(io.BytesIO(data))))
    records = means(rows)
    assert [(r["set"], r["quality"], r["receiver"]) for r in records][:3] == [
        ("mine", 10, "jpeg"), ("mine", 10, "best"), ("mine", 50, "jpeg"),
    ]  # fmt: skip
    of_first = [r.measures["psnr"] for r in rows if (r.set, r.quality, r.receiver) == ("mine", 10, "jpeg")]
    assert records[0]["psnr"] == pytest.approx(sum(of_first) / 3, rel=1e-12)
    pairs = comparisons(rows, "jpeg")
    assert {pair["set"] for pair in pairs} == {"mine", "Set5", "all"}
    pooled = next(p for p in pairs if p["set"] == "all" and p["quality"] == 10 and p["measure"] == "psnr")
    assert pooled["images"] == 6
    assert pooled["mean"] == pytest.approx((records[1]["psnr"] - records[0]["psnr"]), rel=1e-9)  # both sets are alike
    with pytest.raises(InvalidInputError, match="no receiver 'x' to compare with; expected one of jpeg, best"):
        comparisons(rows, "x")


def test_exact_images_are_counted_not_averaged() -> None:
    rows = [evaluate_row(name, psnr) for name, psnr in (("a", math.inf), ("b", 30.0), ("c", 40.0))]
    (record,) = means(rows)
    assert (record["psnr"], record["exact"], record["images"]) == (35.0, 1, 3)
    assert rows[0].to_json()["psnr"] is None
    assert json.dumps([row.to_json() for row in rows], allow_nan=False)


def test_an_image_is_exact_where_any_measure_is_infinite() -> None:
    """SSIM of an exact image is 1, which is finite."""
    values = [{"psnr": math.inf, "ssim": 1.0}, {"psnr": 30.0, "ssim": 0.9}]
    rows = [Row("s", image, 10, 0.0, "jpeg", 0.5, measures) for image, measures in zip("ab", values, strict=True)]
    (record,) = means(rows)
    assert (record["exact"], record["psnr"], record["ssim"]) == (1, 30.0, 0.95)


def evaluate_row(image: str, psnr: float) -> Row:
    return Row("s", image, 10, 0.0, "jpeg", 0.5, {"psnr": psnr})


def test_bad_evaluations_are_refused(sets: Path) -> None:
    mine = [find_set("mine", sets)]
    judges = load_measures(["psnr"])
    with pytest.raises(InvalidInputError, match="smooth reads JPEG files, which have no noise; expected sigma 0"):
        next(evaluate(mine, [make_receiver("smooth")], judges, Conditions(sigmas=(0.0, 5.0))))
    with pytest.raises(InvalidInputError, match="different names, got jpeg, jpeg"):
        next(evaluate(mine, [make_receiver("jpeg")] * 2, judges, Conditions()))
    small = Receiver("small", lambda data: np.zeros((3, 4), np.uint8))
    with pytest.raises(InvalidInputError, match=r"small gives uint8 \(3, 4\) for 0\.tif; expected uint8 \(40, 56\)"):
        next(evaluate(mine, [small], judges, Conditions()))
    with pytest.raises(InvalidInputError, match="qualities are 1"):
        Conditions((0,))


def test_statistics_by_hand_and_by_scipy() -> None:
    one, other = np.random.default_rng(3).normal(0, 1, (2, 12))
    difference = compare(one + 0.4, other)
    assert difference.mean == pytest.approx(float(np.mean(one + 0.4 - other)), rel=1e-12)
    assert difference.t_p == pytest.approx(float(ttest_rel(one + 0.4, other).pvalue), rel=1e-9)
    # the interval of the mean of many: about 1.96 standard errors to each side
    many = np.random.default_rng(4).normal(1, 2, 400)
    wide = compare(many, np.zeros(400))
    assert wide.low is not None
    assert wide.high is not None
    assert wide.high - wide.low == pytest.approx(2 * 1.96 * many.std() / math.sqrt(400), rel=0.05)
    # all of six differences are positive: the exact signed-rank test gives 2 / 2^6
    assert compare([1.0, 2.1, 3.3, 4.6, 6.0, 7.5], [0.0] * 6).wilcoxon_p == 2 / 64
    assert compare([3.0, 3.0, math.inf], [3.0, 3.0, 1.0]) == compare([3.0, 3.0], [3.0, 3.0])
    assert (compare([3.0, 3.0], [3.0, 3.0]).t_p, compare([5.0] * 8, [3.0] * 8).t_p) == (1.0, 0.0)
    assert compare([2.0], [1.0]) == PairedDifference(1, 1.0, None, None, None, None)
    assert compare([], []).mean is None
    with pytest.raises(InvalidInputError, match="got 2 and 1"):
        compare([1.0, 2.0], [1.0])


def test_one_image_has_no_interval(sets: Path) -> None:
    result = run(
        "SET5", "--data", sets, "-q", 10, "--receiver", "jpeg", "--receiver", "smooth", "-n", 1, "--against", "jpeg"
    )
    assert result.exit_code == 0, result.output
    (difference,) = (line for line in result.stdout.splitlines() if "PSNR dB" in line and "smooth" in line)
    assert "[" not in difference


def test_error_maps_share_one_scale() -> None:
    original = picture(0)
    images = [("near", np.clip(original.astype(int) + 2, 0, 255).astype(np.uint8)), ("far", 255 - original)]
    figure = crops_figure(original, images, Crop(4, 6, 24, 16), title="t")
    maps = [axis.images[0] for axis in figure.axes if axis.images and axis.images[0].get_cmap().name == "magma"]
    errors = [np.asarray(shown.get_array()) for shown in maps]
    assert np.array_equal(errors[0], np.abs(original.astype(int) - images[0][1])[6:22, 4:28].mean(axis=2))
    assert maps[0].get_clim() == maps[1].get_clim()
    assert maps[0].get_clim()[0] == 0
    assert errors[1].max() * 0.9 < maps[0].get_clim()[1] <= errors[1].max()
    with Image.open(io.BytesIO(draw(figure))) as file:
        assert file.format == "PNG"
    with pytest.raises(InvalidInputError, match="the crop 40,0,24,16 is not in the image of 56x40 pixels"):
        Crop(40, 0, 24, 16).of(original)


def run(*arguments: object) -> Result:
    return CliRunner().invoke(main, ["evaluate", *map(str, arguments)])


def test_the_command_measures_compares_and_draws(sets: Path, tmp_path: Path) -> None:
    output, figure = tmp_path / "out.json", tmp_path / "crops.png"
    common = ("SET5", "--data", sets, "-q", 10, "--receiver", "jpeg", "--receiver", "soft=deblock", "-n", 2)
    more = ("--measure", "psnr,psnr_b", "--against", "jpeg", "--figure", figure, "--crop", "0,0,32,32", "-o", output)
    result = run(*common, *more)
    assert result.exit_code == 0, result.output
    for text in ("Set5 2 of 5", "PSNR-B dB", "soft", "difference from jpeg"):
        assert text in result.stdout
    document = json.loads(output.read_text())
    assert len(document["rows"]) == 4
    assert (document["protocol"], document["sets"]) == ("luminance", {"Set5": {"images": 2, "complete": 5}})
    assert document["receivers"] == {"jpeg": "jpeg", "soft": "deblock"}
    assert {"command", "date", "versions", "machine"} <= set(document)
    assert document["comparisons"][0]["receiver"] == "soft"
    with Image.open(figure) as file:
        assert file.width > file.height
    printed = json.loads(run(*common, "--colour", "--sigma", 4, "--json").stdout)
    assert {(row["sigma"], row["receiver"]) for row in printed["rows"]} == {(4.0, "jpeg"), (4.0, "soft")}


@pytest.mark.parametrize(
    ("arguments", "status", "message"),
    [
        (("--measure", "vmaf"), 1, "Error: measure is one of psnr"),
        (("--against", "other"), 1, "Error: --against 'other' is not among the receivers"),
        (("--crop", "0,0,8,8"), 2, "expected it with --figure"),
        (("--crop", "0,0,8"), 2, "expected LEFT,TOP,WIDTH,HEIGHT"),
        (("--subsampling", "4:4:4"), 2, "expected it with --colour"),
        (("--colour", "--subsampling", "4:4:0"), 2, "'4:4:0' is not one of '4:4:4', '4:2:2', '4:2:0'"),
        (("-q", "0"), 2, "0 is not in the range"),
        (("-o", "out.txt"), 2, "-o/--output: out.txt should end in .json"),
        (("--figure", "crops.jpg"), 2, "--figure: crops.jpg should end in .png"),
    ],
)
def test_the_command_refuses_bad_options(sets: Path, arguments: tuple[str, ...], status: int, message: str) -> None:
    result = run(sets / "mine", "--receiver", "jpeg", *arguments)
    assert result.exit_code == status
    assert message in result.stderr
    assert result.stdout == ""


@dataclass
class Failing:
    """A receiver that fails at one call, and counts its calls; a receiver of a user's own by `failing_receiver`."""

    at: int = 0
    calls: int = 0

    def __call__(self, data: bytes) -> np.ndarray:
        self.calls += 1
        if self.calls == self.at:
            raise InvalidInputError("out of order")
        return np.asarray(Image.open(io.BytesIO(data)))


FAILING = Failing()


def failing_receiver(data: bytes) -> np.ndarray:
    return FAILING(data)


def test_an_interrupted_evaluation_continues_with_the_picture_where_it_stopped(sets: Path, tmp_path: Path) -> None:
    output, partial = tmp_path / "out.json", tmp_path / "out.json.partial"
    name = "own=tests.restore.test_evaluate:failing_receiver"
    arguments = (sets / "mine", "--receiver", "jpeg", "--receiver", name, "-q", 10, "-q", 100, "-o", output)
    FAILING.at, FAILING.calls = 4, 0  # at the second of three pictures
    failed = run(*arguments, "--workers", 1)
    assert (failed.exit_code, failed.stderr) == (1, "Error: out of order\n")
    assert not output.exists()
    assert sorted(path.name for path in partial.iterdir()) == ["experiment.json", "part_00000.json"]
    other = run(*arguments, "--measure", "ssim")
    assert other.exit_code == 1
    assert f"{partial} holds part of another run, with other options" in other.stderr
    FAILING.at, FAILING.calls = 0, 0
    assert run(*arguments, "--workers", 1).exit_code == 0
    assert FAILING.calls == 4
    assert not partial.exists()
    rows = json.loads(output.read_text())["rows"]
    assert run(*arguments, "--workers", 3).exit_code == 0
    assert json.loads(output.read_text())["rows"] == rows
    assert [(row["image"], row["quality"], row["receiver"]) for row in rows[:5]] == [
        ("0.tif", 10, "jpeg"), ("0.tif", 10, "own"), ("0.tif", 100, "jpeg"), ("0.tif", 100, "own"),
        ("1.tif", 10, "jpeg"),
    ]  # fmt: skip


def test_rows_are_the_same_after_they_were_kept() -> None:
    rows = [evaluate_row("a", math.inf), evaluate_row("b", 30.25)]
    assert [Row.from_json(json.loads(json.dumps(row.to_json()))) for row in rows] == rows
