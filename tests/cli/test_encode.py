"""``optcodec encode`` and ``optcodec design``: output, options that exclude one another, and errors."""

from __future__ import annotations

import json
import re
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optcodec.encoder import encode
from optcodec.jpeg.reading.reader import read_jpeg
from optcodec.jpeg.table_files import load_tables
from optcodec.jpeg.tables import annex_k_tables
from optcodec.pictures.orientation import minimal_exif, orientation_of
from optcodec.targets import MatchQuality
from optcodec.vision.profile import load_profile
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save

PIXELS = photograph(70, 90)
PIXELS[20:40, 30:70] = 255  # which files may overshoot


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "a.png", PIXELS)


def test_default_is_quality_75(picture: Path) -> None:
    report = run_json("encode", picture)
    output = picture.with_suffix(".jpg")
    assert output.read_bytes() == encode(PIXELS).data
    assert report["files"] == [
        {"input": str(picture), "output": str(output), "input_nbytes": picture.stat().st_size}
        | {"nbytes": output.stat().st_size, "bpp": 8 * output.stat().st_size / 6300, "width": 90, "height": 70}
        | {"subsampling": "4:2:0", "loss": None, "losses": None, "kept": None}
        | {"psnr_db": None, "kl": None, "notices": []}
    ]
    assert (report["failures"], report["total_nbytes"]) == ([], output.stat().st_size)


@pytest.mark.parametrize(
    ("options", "settings"),
    [
        (["-q", 40, "--subsampling", "4:4:4"], {"quality": 40, "subsampling": "4:4:4"}),
        (["--dct", "exact", "--restart-interval", 3], {"dct": "exact", "restart_interval": 3}),
        (["--progressive"], {"progressive": True}),
        (["--no-overshoot"], {"overshoot": False}),
        (["--smaller"], {"progressive": "smaller"}),
        (
            ["--profile", "mobilenet_v2", "--match-quality", 60],
            {"profile": load_profile("mobilenet_v2"), "target": MatchQuality(60)},
        ),
        (
            ["--profile", "mobilenet_v2", "--match-quality", 60, "--method", "optd", "--threads", 1],
            {"profile": load_profile("mobilenet_v2"), "target": MatchQuality(60), "method": "optd"},
        ),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)
def test_options_are_those_of_the_library(picture: Path, options: list[object], settings: dict[str, object]) -> None:
    run_json("encode", picture, *options)
    assert picture.with_suffix(".jpg").read_bytes() == encode(PIXELS, **settings).data  # type: ignore[arg-type]


def test_sizes_are_met(picture: Path) -> None:
    (bpp,) = run_json("encode", picture, "--bpp", 1.5)["files"]
    assert 0.98 * 1.5 < bpp["bpp"] <= 1.5
    (limited,) = run_json("encode", picture, "--max-bytes", 2000, "--force")["files"]
    assert 1980 <= limited["nbytes"] <= 2000


@pytest.mark.parametrize("suffix", [".json", ".txt", ".jpg"])
def test_tables_come_from_files(picture: Path, suffix: str) -> None:
    source = picture.with_name(f"tables{suffix}")
    if suffix == ".jpg":
        save(source, PIXELS, quality=33)
    else:
        run_json("design", picture, "-o", source, "--method", "jpeg", "-q", 33)
    run_json("encode", picture, "-o", picture.with_name("b.jpg"), "--tables", source)
    assert picture.with_name("b.jpg").read_bytes() == encode(PIXELS, tables=annex_k_tables(33)).data


def test_jpeg_files_keep_every_coefficient(tmp_path: Path) -> None:
    old = save(tmp_path / "old.jpg", PIXELS, quality=80, icc_profile=b"profile", restart_marker_blocks=5)
    (record,) = run_json("encode", old)["files"]
    new = tmp_path / "old.opt.jpg"
    assert record["output"] == str(new)
    assert record["nbytes"] < old.stat().st_size
    before, after = read_jpeg(old.read_bytes()), read_jpeg(new.read_bytes())
    assert after.tables == before.tables
    assert (after.metadata.icc_profile, after.restart_interval) == (b"profile", 5)
    for original, encoded in zip(before.components, after.components, strict=True):
        assert np.array_equal(original.blocks, encoded.blocks)


def test_jpeg_files_are_designed_for_from_their_coefficients(tmp_path: Path) -> None:
    old = save(tmp_path / "old.jpg", PIXELS, quality=95, subsampling="4:4:4")
    options = ["--profile", "mobilenet_v2", "--match-quality", 50]
    run_json("encode", old, "-o", tmp_path / "coefficients.jpg", *options)
    run_json("encode", old, "-o", tmp_path / "pixels.jpg", "--pixels", *options)
    settings = {"profile": load_profile("mobilenet_v2"), "target": MatchQuality(50)}
    expected = encode(read_jpeg(old.read_bytes()), **settings)  # type: ignore[arg-type]
    assert (tmp_path / "coefficients.jpg").read_bytes() == expected.data
    assert (tmp_path / "pixels.jpg").read_bytes() == encode(old, **settings).data  # type: ignore[arg-type]


@pytest.mark.parametrize("option", [[], ["--strip"], ["--metadata"]])
@pytest.mark.parametrize("suffix", [".png", ".jpg"])
def test_metadata_is_kept_by_default_from_jpeg_files_only(tmp_path: Path, suffix: str, option: list[str]) -> None:
    exif = Image.Exif()
    exif[0x0112] = 6
    exif[0x010F] = "maker"
    source = save(tmp_path / f"in{suffix}", PIXELS, icc_profile=b"profile", exif=exif)
    result = run("encode", source, "-o", tmp_path / "out.jpg", *option)
    assert result.exit_code == 0
    metadata = read_jpeg((tmp_path / "out.jpg").read_bytes()).metadata
    has_metadata = option == ["--metadata"] or (option == [] and suffix == ".jpg")
    assert (metadata.icc_profile == b"profile") is has_metadata
    assert orientation_of(metadata.exif) == 6
    assert (metadata.exif != minimal_exif(6)) is has_metadata
    assert (
        any(f"left out {names}" in result.stderr for names in ("ICC profile, Exif", "Exif, ICC profile"))
        is not has_metadata
    )
    assert (", which --metadata keeps" in result.stderr) is (option == [] and suffix == ".png")
    assert ("; the orientation (6) stays" in result.stderr) is not has_metadata


def test_folders_go_to_folders_and_threads_change_nothing(tmp_path: Path) -> None:
    for index in range(5):
        save(tmp_path / f"in/{index % 2}/{index}.png", PIXELS[index:])
    files = {}
    for threads in (1, 3):
        out = tmp_path / f"out{threads}"
        report = run_json("encode", tmp_path / "in", "-o", out, "--threads", threads, "--bpp", 2)
        assert [record["output"] for record in report["files"]] == [
            str(out / name) for name in ("0/0.jpg", "0/2.jpg", "0/4.jpg", "1/1.jpg", "1/3.jpg")
        ]
        files[threads] = {path.relative_to(out): path.read_bytes() for path in out.rglob("*.jpg")}
    assert files[1] == files[3]


def test_sizes_are_printed_at_the_end(picture: Path) -> None:
    second = save(picture.with_name("b.png"), PIXELS[:40])
    result = run("encode", picture, second, "-o", picture.parent / "out")
    sizes = [(picture.parent / "out" / name).stat().st_size for name in ("a.jpg", "b.jpg")]
    input_nbytes = picture.stat().st_size + second.stat().st_size
    change = f"{100 * (sum(sizes) / input_nbytes - 1):+.1f}"
    total, summary = result.stdout.splitlines()[-2:]
    bpp = f"{8 * sum(sizes) / (110 * 90):.3f}"
    assert total.split() == ["total", "of", "2", "files", f"{input_nbytes:,}", f"{sum(sizes):,}", change, "%", bpp]
    saved = f"{input_nbytes:,} -> {sum(sizes):,} bytes, {100 * (1 - sum(sizes) / input_nbytes):.1f} % fewer"
    assert re.fullmatch(rf"2 files: {re.escape(saved)}, in \d+\.\d s", summary)


def test_palette_gets_a_notice(tmp_path: Path) -> None:
    Image.fromarray(PIXELS).quantize(16).save(tmp_path / "a.png")
    result = run("encode", tmp_path / "a.png", "--json")
    assert messages(result) == [f"{tmp_path / 'a.png'}: expanded palette to RGB"]
    assert len(json.loads(result.stdout)["files"]) == 1


@pytest.mark.filterwarnings("default")
def test_profile_at_another_sampling_gets_a_warning(picture: Path) -> None:
    options = ["--profile", "mobilenet_v2", "--water-level", "0.1", "--subsampling", "4:2:0"]
    result = run("encode", picture, *options)
    assert result.exit_code == 0
    (line,) = messages(result)
    assert line.startswith("Warning: profile mobilenet_v2 was estimated at 4:4:4, but is used at 4:2:0")


def test_design_for_a_data_set(tmp_path: Path) -> None:
    paths = [save(tmp_path / f"in/{index}.png", PIXELS[20 * index :]) for index in range(3)]
    report = run_json("design", tmp_path / "in", "-o", tmp_path / "t.json", "--bpp", "1.5")
    (record,) = report["files"]
    assert record["inputs"] == 3
    tables = load_tables(tmp_path / "t.json")
    assert record["tables"] == [table.steps.tolist() for table in tables]
    encoded = run_json("encode", *paths, "-o", tmp_path / "out", "--tables", tmp_path / "t.json")
    assert 0.98 * 1.5 < encoded["total_bpp"] <= 1.5


def test_tables_are_used_at_the_subsampling_they_were_designed_for(tmp_path: Path, picture: Path) -> None:
    options = ["--profile", "mobilenet_v2", "--bpp", "1.5"]
    run_json("design", picture, "-o", tmp_path / "t.json", *options)
    for chosen, expected in (([], "4:4:4"), (["--subsampling", "4:2:0"], "4:2:0")):
        out = tmp_path / "out.jpg"
        run_json("encode", picture, "-o", out, "--tables", tmp_path / "t.json", "--force", *chosen)
        assert read_jpeg(out.read_bytes()).subsampling == expected


def test_design_per_image(tmp_path: Path) -> None:
    for index in range(2):
        save(tmp_path / f"in/{index}.png", PIXELS[30 * index :])
    options = ["--profile", "squeezenet1_1", "--water-level", 0.2]
    report = run_json("design", tmp_path / "in", "-o", tmp_path / "out", "--per-image", *options)
    assert [Path(record["output"]).name for record in report["files"]] == ["0.json", "1.json"]
    for index in range(2):
        single = run_json("design", tmp_path / f"in/{index}.png", "-o", tmp_path / "t.json", *options)
        assert load_tables(tmp_path / f"out/{index}.json") == load_tables(tmp_path / "t.json")
        assert single["files"][0]["tables"] == report["files"][index]["tables"]


def test_design_prints_the_tables(picture: Path) -> None:
    result = run("design", picture, "-o", picture.with_name("t.txt"), "--method", "jpeg", "-q", 50)
    assert result.stdout.splitlines()[0] == f"{picture.with_name('t.txt')}: tables of 1 image"
    assert " 16  11  10  16  24  40  51  61    17 18 24 47 99 99 99 99" in result.stdout


def test_design_leaves_out_broken_images(picture: Path) -> None:
    broken = picture.with_name("broken.png")
    broken.write_bytes(picture.read_bytes()[:200])
    result = run("design", broken, picture, "-o", picture.with_name("t.json"), "--bpp", 1, "--json")
    assert result.exit_code == 1
    report = json.loads(result.stdout)
    assert [failure["path"] for failure in report["failures"]] == [str(broken)]
    alone = run_json("design", picture, "-o", picture.with_name("t.json"), "--bpp", 1)
    assert report["files"][0]["tables"] == alone["files"][0]["tables"]


def test_an_output_with_a_slash_is_a_folder(tmp_path: Path) -> None:
    """It need not be there yet; without the slash, the same name is that of a file."""
    original = save(tmp_path / "a.png", photograph(24, 32))
    plan = run("encode", original, "-o", f"{tmp_path}/new/", "--dry-run")
    assert str(tmp_path / "new/a.jpg") in plan.stdout
    assert not (tmp_path / "new").exists()
    assert run("encode", original, "-o", f"{tmp_path}/new/").exit_code == 0
    assert run("encode", original, "-o", f"{tmp_path}/plain").exit_code == 0
    assert (tmp_path / "new/a.jpg").read_bytes() == (tmp_path / "plain").read_bytes()


def test_an_output_without_its_option_is_refused_first(tmp_path: Path) -> None:
    """As in ``cp``: the last of several files is not there, and no output is named."""
    original, last = save(tmp_path / "a.png", photograph(24, 32)), tmp_path / "b.jpg"
    assert refusal("encode", original, last) == f"Error: {last}: no such file; expected -o {last} if it is the output"
    assert list(tmp_path.iterdir()) == [original]


def test_coefficients_keep_their_subsampling_and_a_line_says_so(tmp_path: Path) -> None:
    source = save(tmp_path / "full.jpg", photograph(40, 56), subsampling=0)
    result = run("encode", source, "-o", tmp_path / "out.jpg", "--subsampling", "4:2:0", "-q", 40)
    assert result.exit_code == 0
    line = "the chroma subsampling stays 4:4:4; --pixels decodes the file, and codes it at 4:2:0"
    assert line in result.stderr
    assert read_jpeg((tmp_path / "out.jpg").read_bytes()).subsampling == "4:4:4"
    for options in (["--subsampling", "4:4:4"], ["--subsampling", "4:2:0", "--pixels"], []):
        assert "stays" not in run("encode", source, "-o", tmp_path / "out.jpg", "-q", 40, *options).stderr
