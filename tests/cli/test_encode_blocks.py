"""``optcodec encode --blocks`` and ``--tune receiver:NET``: their arguments for the encoder, and their errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from optcodec import Bpp, MaxBytes, QualityField, Tuning, blocks_by, encode, load_profile, read_jpeg
from optcodec.trellis.tuning import flat_weights
from tests.block_helpers import save_both, small_net, small_profile
from tests.cli_helpers import photograph, refusal, run_json, save

PIXELS = photograph(70, 90)
TUNING = Tuning(flat_weights(1.0, 0.2, 0.2), step_ratio=0.08)


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "a.png", PIXELS)


@pytest.fixture
def nets(tmp_path: Path) -> dict[str, str]:
    """Names of utility profiles: one with a tuning, one without, one for another sampling."""
    return {
        "TUNED": save_both(tmp_path / "tuned", small_profile(tuning=TUNING)),
        "PLAIN": save_both(tmp_path / "plain", small_profile()),
        "FULL": save_both(tmp_path / "full", small_profile(subsampling="4:4:4", tuning=TUNING)),
    }


def named(options: list[object], nets: dict[str, str]) -> list[object]:
    """The options, with paths of files in place of the names in capitals."""
    replaced = []
    for option in options:
        for name, net in nets.items():
            option = str(option).replace(name, net.removeprefix("qpnet:"))
        replaced.append(option)
    return replaced


def test_the_whole_chain(picture: Path, nets: dict[str, str]) -> None:
    (record,) = run_json("encode", picture, "--blocks", nets["TUNED"], "--bpp", 1.2)["files"]
    data = picture.with_suffix(".jpg").read_bytes()
    assert 1.2 * 0.97 <= record["bpp"] <= 1.2
    assert record["nbytes"] == len(data)
    with Image.open(picture.with_suffix(".jpg")) as image:
        assert (image.format, image.size, image.mode) == ("JPEG", (90, 70), "RGB")
        assert not image.info.get("progressive")
        error = np.asarray(image).astype(float) - PIXELS
    assert np.mean(error**2) < 400
    assert read_jpeg(data).subsampling == "4:2:0"


@pytest.mark.parametrize(
    ("options", "blocks", "settings", "record"),
    [
        (["--blocks", "x264"], ("x264",), {"tune": "psnr"}, ("psnr", "x264", None)),
        (["--blocks", "libwebp", "--tune", "ssim"], ("libwebp",), {"tune": "ssim"}, ("ssim", "libwebp", None)),
        (["--blocks", "crop:224/256", "--tune", "dnn:generic", "--bpp", 1], ("crop:224/256",),
         {"tune": load_profile("generic"), "target": Bpp(1)}, ("dnn:generic", "crop:224/256", None)),
        (["--blocks", "qpnet:PLAIN"], ("qpnet:PLAIN",), {}, ("psnr", "qpnet:PLAIN", "exchange")),
        (["--blocks", "qpnet:TUNED"], ("qpnet:TUNED",), {"tune": TUNING},
         ("receiver:TUNED", "qpnet:TUNED", "exchange")),
        (["--blocks", "qpnet:TUNED", "--tune", "psnr"], ("qpnet:TUNED",), {"tune": "psnr"},
         ("psnr", "qpnet:TUNED", "exchange")),
        (["--blocks", "qpnet:TUNED", "--effort", 3, "--allocator", "lagrangian", "--max-bytes", 1500],
         ("qpnet:TUNED", "lagrangian"), {"target": MaxBytes(1500)}, ("receiver:TUNED", "qpnet:TUNED", "lagrangian")),
        (["--blocks", "qpnet:PLAIN", "--tune", "receiver:TUNED", "--allocator", "accelir", "--bpp", 2],
         ("qpnet:PLAIN", "accelir"), {"tune": TUNING, "target": Bpp(2.0)},
         ("receiver:TUNED", "qpnet:PLAIN", "accelir")),
        (["--tune", "receiver:TUNED"], None, {"tune": TUNING}, ("receiver:TUNED", None, None)),
        (["--tune", "receiver:TUNED.json"], None, {"tune": TUNING}, ("receiver:TUNED.json", None, None)),
        (["--tune", "receiver:FULL"], None, {"tune": TUNING, "subsampling": "4:4:4"}, ("receiver:FULL", None, None)),
        (["--tune", "receiver:FULL", "--blocks", "x264"], ("x264",), {"tune": TUNING, "subsampling": "4:4:4"},
         ("receiver:FULL", "x264", None)),
        (["--blocks", "qpnet:FULL"], ("qpnet:FULL",), {"subsampling": "4:4:4"},
         ("receiver:FULL", "qpnet:FULL", "exchange")),
        (["--blocks", "qpnet:FULL", "--profile", "mobilenet_v2"], ("qpnet:FULL",),
         {"tune": load_profile("mobilenet_v2")}, ("dnn:mobilenet_v2", "qpnet:FULL", "exchange")),
    ],
    ids=lambda value: " ".join(map(str, value)) if isinstance(value, list) else "",
)  # fmt: skip
def test_options_are_those_of_the_library(
    picture: Path,
    nets: dict[str, str],
    options: list[object],
    blocks: tuple[str, ...] | None,
    settings: dict[str, object],
    record: tuple[str | None, ...],
) -> None:
    report = run_json("encode", picture, *named(options, nets))
    chosen = None if blocks is None else blocks_by(*map(str, named(list(blocks), nets)))
    expected = encode(PIXELS, effort=3, blocks=chosen, **settings)  # type: ignore[arg-type]
    assert picture.with_suffix(".jpg").read_bytes() == expected.data
    assert report["effort"] == 3
    reported = [report[name] for name in ("tune", "blocks", "allocator")]
    assert reported == [name if name is None else named([name], nets)[0] for name in record]


def test_regions_besides(picture: Path, nets: dict[str, str]) -> None:
    mask = np.zeros((70, 90), np.uint8)
    mask[10:40, 20:60] = 255
    run_json("encode", picture, "--blocks", nets["TUNED"], "--roi", save(picture.with_name("mask.png"), mask))
    expected = encode(PIXELS, effort=3, field=QualityField.from_mask(mask), blocks=blocks_by(nets["TUNED"]))
    assert picture.with_suffix(".jpg").read_bytes() == expected.data


def test_without_blocks_the_record_says_so(picture: Path) -> None:
    report = run_json("encode", picture)
    assert (report["blocks"], report["allocator"]) == (None, None)


@pytest.mark.parametrize("way", ["x264", "libwebp", "qpnet:TUNED", "crop:0.5"])
@pytest.mark.parametrize("size", [(1, 1), (7, 40)], ids=str)
@pytest.mark.parametrize("grey", [False, True], ids=["colour", "grey"])
def test_small_and_grey_images(
    tmp_path: Path, nets: dict[str, str], way: str, size: tuple[int, int], grey: bool
) -> None:
    pixels = photograph(*size)[..., 0] if grey else photograph(*size)
    path = save(tmp_path / "small.png", pixels)
    (record,) = run_json("encode", path, "--blocks", *named([way], nets), "--max-bytes", 800)["files"]
    assert record["nbytes"] <= 800
    with Image.open(path.with_suffix(".jpg")) as image:
        assert (image.size, image.mode) == (size[::-1], "L" if grey else "RGB")


def test_files_of_another_sampling_are_not_tuned(picture: Path, nets: dict[str, str]) -> None:
    old = picture.with_name("full.jpg")
    old.write_bytes(encode(PIXELS, quality=90, subsampling="4:4:4").data)
    message = refusal("encode", old, "--force", *named(["--tune", "receiver:TUNED"], nets))
    assert "profile small is for 4:2:0 sampling; expected 4:4:4" in message


def test_pixels_of_jpeg_files_on_request(picture: Path) -> None:
    old = save(picture.with_name("old.jpg"), PIXELS, quality=90)
    line = refusal("encode", old, "--blocks", "x264")
    assert line.endswith("old.jpg: --blocks needs pixels, got the coefficients of a JPEG file; expected --pixels")
    run_json("encode", old, "--blocks", "x264", "--pixels")
    expected = encode(old, effort=3, blocks=blocks_by("x264"))
    assert picture.with_name("old.opt.jpg").read_bytes() == expected.data


def test_a_crop_needs_no_pixels_of_jpeg_files(picture: Path) -> None:
    old = save(picture.with_name("old.jpg"), PIXELS, quality=95)
    (record,) = run_json("encode", old, "--blocks", "crop:0.5", "--bpp", 2)["files"]
    expected = encode(read_jpeg(old.read_bytes()), effort=3, target=Bpp(2), blocks=blocks_by("crop:0.5"))
    assert picture.with_name("old.opt.jpg").read_bytes() == expected.data
    assert record["nbytes"] == expected.nbytes


def test_a_budget_below_the_smallest_file_names_that(picture: Path, nets: dict[str, str]) -> None:
    arguments = ("encode", picture, "-o", picture.with_name("out.jpg"), "--blocks", nets["TUNED"], "--max-bytes")
    line = refusal(*arguments, 60)
    assert "a file size in bytes of at most 60, but the nearest that can be reached is " in line
    least = int(line.rpartition(" ")[2])
    assert f"nearest that can be reached is {least}" in refusal(*arguments, int(0.98 * least))
    assert run_json(*arguments, least)["total_nbytes"] == least


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--blocks", "qpnet:TUNED", "--subsampling", "4:4:4"], "profile small is for 4:2:0 sampling; expected 4:4:4"),
        (["--tune", "receiver:TUNED", "--subsampling", "4:4:4"], "profile small is for 4:2:0 sampling; expected 4:4:4"),
        (["--tune", "receiver:TUNED", "--blocks", "qpnet:FULL"], "profile small is for 4:2:0 sampling; expected 4:4:4"),
        (["--tune", "receiver:PLAIN"], "plain: the profile has no tuning; expected one that was fitted"),
        (["--tune", "receiver:none"], "cannot read 'none.json': No such file"),
        (
            ["--tune", "receiver:"],
            "--tune is one of psnr, ycbcr, ssim, people, dnn:PROFILE and receiver:NET, got 'receiver:'",
        ),
        (["--tune", "receiver:TUNED", "--profile", "generic", "--bpp", 1], "--profile has no effect with --tune rec"),
        (
            ["--tune", "receiver:TUNED", "--effort", 2, "-q", 9],
            "has no effect unless coefficients are optimized; expected --effort 3, ",
        ),
        (
            ["--tune", "receiver:TUNED", "--effort", 1],
            "has no effect unless coefficients are optimized; expected --effort 3, got 1",
        ),
        (
            ["--blocks", "x264", "--effort", 2, "-q", 9],
            "--blocks has no effect unless coefficients are optimized; expected --effort 3, ",
        ),
        (
            ["--blocks", "x264", "--effort", 1],
            "--blocks has no effect unless coefficients are optimized; expected --effort 3, got 1",
        ),
        (["--blocks", "x264", "--dct", "exact"], "--effort 3 cannot optimize them; expected --dct float"),
        (["--blocks", "x265"], "blocks are chosen by x264, libwebp, qpnet:NET or crop:PART, got 'x265'"),
        (["--blocks", "qpnet:none"], "cannot read 'none.json': No such file"),
        (["--blocks", "qpnet:FIVE"], "the profile has 4 groups, its QP-NET 5; expected equal"),
        (
            ["--blocks", "x264", "--allocator", "exchange"],
            "exchange allocates by a QP-NET; expected qpnet:NET, got 'x2",
        ),
        (["--allocator", "accelir", "--bpp", 1], "--allocator needs --blocks qpnet:NET"),
        (["--blocks", "qpnet:TUNED", "--allocator", "uniform"], "uniform shares a budget among blocks; expected --bpp"),
        (["--blocks", "qpnet:TUNED", "--allocator", "accelir", "--match-psnr", 30], "accelir shares a budget among "),
    ],
)
def test_options_refused(picture: Path, nets: dict[str, str], options: list[object], expected: str) -> None:
    nets = nets | {"FIVE": save_both(picture.with_name("five"), small_profile(), small_net(5))}
    output = picture.with_name("out.jpg")
    assert expected in refusal("encode", picture, "-o", output, *named(options, nets))
    assert not output.exists()
