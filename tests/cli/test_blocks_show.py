"""``optcodec blocks show``: the maps of blocks, and errors."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from matplotlib.backends.backend_agg import FigureCanvasAgg
from PIL import Image

from optcodec import BlockChoice, MaxBytes, QualityField, blocks_by, encode
from optcodec.blocks.curves import block_grid
from optcodec.blocks.slopes import weights_from_qualities
from optcodec.blocks.vaq import x264_field
from optcodec.receivers.block_bits import file_block_bits
from optcodec.report.blocks import BlockMap, RecordingChoice, blocks_figure
from tests.block_helpers import save_both, small_net, small_profile
from tests.cli_helpers import photograph, refusal, run, run_json, save

SHOWN = {
    "landscape": (70, 100), "portrait": (130, 40), "a pixel": (1, 1), "a strip": (8, 900),
}  # fmt: skip


@pytest.mark.parametrize("size", SHOWN.values(), ids=SHOWN)
def test_show_draws_what_was_coded(tmp_path: Path, size: tuple[int, int]) -> None:
    source = save(tmp_path / "a.png", photograph(*size))
    profile, net = small_profile(strength=0.7), small_net()
    options = ("--blocks", save_both(tmp_path / "net", profile), "--max-bytes", 1900)
    report = run_json("blocks", "show", source, "-o", tmp_path / "map.png", *options)
    coded = run_json("encode", source, *options)
    data = source.with_suffix(".jpg").read_bytes()
    assert {key: report[key] for key in ("nbytes", "width", "height", "blocks", "allocator", "tune")} == {
        "nbytes": len(data), "width": size[1], "height": size[0],
        **{key: coded[key] for key in ("blocks", "allocator", "tune")},
    }  # fmt: skip
    maps = report["maps"]
    assert list(maps) == ["utility", "weight", "bits"]
    assert maps["bits"]["values"] == file_block_bits(data).tolist()
    shares = net.distributions(photograph(*size)).astype(float)
    np.testing.assert_allclose(maps["utility"]["values"], 1000 * shares @ profile.utility, rtol=1e-6)
    decibels = 10 * shares @ (0.7 * np.log10(profile.exchange))
    by_place = decibels.repeat(4, axis=0).repeat(4, axis=1)[: -(-size[0] // 8), : -(-size[1] // 8)]
    np.testing.assert_allclose(maps["weight"]["values"], by_place - by_place.mean(), atol=1e-9)
    with Image.open(tmp_path / "map.png") as image:
        assert image.format == "PNG"
        assert min(image.size) > 300


@pytest.mark.parametrize(
    ("options", "names"),
    [
        (["--blocks", "x264"], ["weight", "bits"]),
        (["--blocks", "crop:0.6", "--tune", "dnn:generic"], ["weight", "bits"]),
        (["--blocks", "libwebp", "--tune", "ssim", "-q", 40, "--subsampling", "4:4:4"], ["weight", "bits"]),
        (["--blocks", "NET", "--allocator", "accelir", "--bpp", 3], ["utility", "quality", "bits"]),
    ],
)
def test_show_has_the_options_of_encode(tmp_path: Path, options: list[object], names: list[str]) -> None:
    source, net = save(tmp_path / "a.png", photograph(70, 100)), save_both(tmp_path / "net", small_profile())
    arguments = [net if option == "NET" else option for option in options]
    report = run_json("blocks", "show", source, "-o", tmp_path / "map.svg", *arguments)
    run_json("encode", source, *arguments)
    assert list(report["maps"]) == names
    assert report["maps"]["bits"]["values"] == file_block_bits(source.with_suffix(".jpg").read_bytes()).tolist()


@pytest.mark.parametrize("way", ["accelir", "lagrangian", "uniform"])
def test_show_has_the_qualities_that_became_weights(tmp_path: Path, way: str) -> None:
    source, net = save(tmp_path / "a.png", photograph(70, 100)), save_both(tmp_path / "net", small_profile())
    recording = RecordingChoice.of(blocks_by(net, way))
    encode(source, target=MaxBytes(1900), effort=3, blocks=recording)
    ((context, budget, field),) = recording.calls
    qualities = recording.maps()["quality"].values
    assert budget == 1900
    assert (qualities == qualities[0, 0]).all() == (way == "uniform")
    assert qualities.min() < 95
    realised = weights_from_qualities(context.image, context.criterion, qualities)
    np.testing.assert_array_equal(field.weights, realised.weights)


def test_a_region_has_its_weights_and_an_outline(tmp_path: Path) -> None:
    pixels = photograph(80, 120)
    source, mask = save(tmp_path / "a.png", pixels), np.zeros((80, 120), np.uint8)
    mask[16:48, 32:72] = 255
    region = QualityField.from_mask(mask, strength=8)
    options = ["--roi", save(tmp_path / "mask.png", mask), "--roi-strength", 8, "--bpp", 2]
    for blocks, expected in (([], region), (["--blocks", "x264"], region.times(x264_field(pixels)))):
        report = run_json("blocks", "show", source, "-o", tmp_path / "map.png", *options, *blocks)
        run_json("encode", source, "-o", tmp_path / "a.jpg", *options, *blocks)
        assert report["nbytes"] == (tmp_path / "a.jpg").stat().st_size
        decibels = 10 * np.log10(expected.weights)
        np.testing.assert_allclose(report["maps"]["weight"]["values"], decibels - decibels.mean(), atol=1e-9)
    assert run("blocks", "show", source, "-o", tmp_path / "map.png", *options).stdout.startswith(
        f"{tmp_path / 'map.png'}: region, tuned for psnr: "
    )
    drawn = blocks_figure(pixels, [], title="", region=region)
    contours = [shown for shown in drawn.axes[0].collections if hasattr(shown, "levels")]
    points = np.concatenate([path.vertices for path in contours[0].get_paths()])
    assert (points.min(0) == [32, 16]).all()
    assert (points.max(0) == [72, 48]).all()


@pytest.mark.parametrize("size", [(1, 1), (8, 90)], ids=str)
def test_a_region_of_small_images_has_no_outline(size: tuple[int, int]) -> None:
    region = QualityField.from_mask(photograph(*size)[..., 0])
    figure = blocks_figure(photograph(*size), [], title="", region=region)
    assert not [shown for shown in figure.axes[0].collections if hasattr(shown, "levels")]


@pytest.mark.parametrize("name", ["a.png", "mask.png"])
def test_inputs_are_replaced_by_force_alone(tmp_path: Path, name: str) -> None:
    source, mask = save(tmp_path / "a.png", photograph(40, 50)), save(tmp_path / "mask.png", photograph(40, 50)[..., 0])
    before = (tmp_path / name).read_bytes()
    arguments = "blocks", "show", source, "--roi", mask, "-o", tmp_path / name
    assert "--force" in refusal(*arguments)
    assert (tmp_path / name).read_bytes() == before
    run_json(*arguments, "--force")
    assert (tmp_path / name).read_bytes() != before


@pytest.mark.parametrize("least", [-0.25, 0.25])
def test_utility_has_two_colours_if_some_is_negative(tmp_path: Path, least: float) -> None:
    profile = small_profile()
    shifted = profile.utility - profile.utility.min() + least * np.ptp(profile.utility)
    recording = RecordingChoice.of(BlockChoice("exchange", profile, small_net()))
    encode(photograph(70, 100), effort=3, blocks=recording)
    object.__setattr__(profile, "utility", shifted)
    assert recording.maps()["utility"].around == (least < 0)


def test_show_of_a_file(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg", photograph(70, 100), quality=70)
    report = run_json("blocks", "show", source, "-o", tmp_path / "map.png")
    bits = file_block_bits(source.read_bytes())
    assert report["maps"] == {"bits": {"unit": "bits per 32x32 block", "side": 32, "values": bits.tolist()}}
    assert report["nbytes"] == source.stat().st_size
    first = (tmp_path / "map.png").read_bytes()
    result = run("blocks", "show", source, "-o", tmp_path / "map.png")
    assert result.stdout == f"{tmp_path / 'map.png'}: {report['nbytes']:,} bytes, {report['bpp']:.3f} bpp\n"
    assert (tmp_path / "map.png").read_bytes() == first


def test_show_decodes_files_to_code_them_anew(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg", photograph(70, 100), quality=70)
    report = run_json("blocks", "show", source, "-o", tmp_path / "map.png", "--blocks", "x264")
    run_json("encode", source, "-o", tmp_path / "b.jpg", "--blocks", "x264", "--pixels")
    assert report["nbytes"] == (tmp_path / "b.jpg").stat().st_size


@pytest.mark.parametrize(
    ("name", "options", "expected"),
    [
        ("a.png", [], "a.png: without --blocks or --roi, expected a JPEG file, got another kind of file"),
        ("a.jpg", ["--bpp", 1], "--bpp is for coding the image; expected --blocks or --roi too"),
        ("a.jpg", ["--allocator", "uniform"], "--allocator is for coding the image; expected --blocks or --roi too"),
        ("p.jpg", [], "the bits of blocks are counted in sequential files, got a progressive one"),
        ("a.png", ["--blocks", "x265"], "blocks are chosen by x264, libwebp, qpnet:NET or crop:PART, got 'x265'"),
        ("a.png", ["--blocks", "x264", "-q", 3, "--bpp", 1], "-q/--quality and a target (--bpp and the like) exclude"),
        ("none.png", ["--blocks", "x264"], "none.png: no such file"),
    ],
)
def test_nothing_to_show(tmp_path: Path, name: str, options: list[object], expected: str) -> None:
    for file in ("a.png", "a.jpg"):
        save(tmp_path / file, photograph(40, 50))
    save(tmp_path / "p.jpg", photograph(40, 50), progressive=True)
    assert expected in refusal("blocks", "show", tmp_path / name, "-o", tmp_path / "map.png", *options)
    assert not (tmp_path / "map.png").exists()


def test_pictures_have_formats(tmp_path: Path) -> None:
    source = save(tmp_path / "a.jpg", photograph(40, 50))
    result = run("blocks", "show", source, "-o", tmp_path / "map.gif")
    assert result.exit_code == 2
    assert "should end in one of .png, .svg, .pdf" in result.stderr


@pytest.mark.parametrize("count", [1, 2, 3])
@pytest.mark.parametrize("size", [(512, 768), (768, 512), (300, 300), (32, 2000), (2000, 32)], ids=str)
def test_panels_keep_their_shape_and_do_not_overlap(size: tuple[int, int], count: int) -> None:
    rows, columns = block_grid(size[1], size[0])
    values = np.arange(rows * columns).reshape(rows, columns)
    maps = [BlockMap("a map", "dB", values - 5.0, around=True)] * count
    figure = blocks_figure(np.zeros((*size, 3), np.uint8), maps, title="name " * 40, note="note " * 60)
    renderer = FigureCanvasAgg(figure).get_renderer()  # type: ignore[no-untyped-call]
    assert len(figure.axes) == 1 + 2 * count
    panels, bars = [figure.axes[0], *figure.axes[1::2]], figure.axes[2::2]
    texts = [*figure.texts, *(axes._left_title for axes in panels)]
    boxes = [axes.bbox for axes in panels] + [bar.get_tightbbox(renderer) for bar in bars]
    boxes += [text.get_window_extent(renderer) for text in texts]
    for index, box in enumerate(boxes):
        assert figure.bbox.x0 <= box.x0 < box.x1 <= figure.bbox.x1
        assert figure.bbox.y0 <= box.y0 < box.y1 <= figure.bbox.y1
        assert not any(box.overlaps(other) for other in boxes[:index])
    for axes in panels:
        assert axes.bbox.width / axes.bbox.height == pytest.approx(size[1] / size[0], rel=1e-6)
