"""What hardware encoders do: the standard Huffman tables, and the rate control by scaling given tables."""

from __future__ import annotations

import io
import re
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from PIL import Image
from skimage import data

import optcodec
from optcodec import Bpp, InvalidInputError, MatchPsnr, MaxBytes, Quality, annex_k_tables, encode
from optcodec.jpeg.standard_codes import STANDARD_CODES
from optcodec.jpeg.table_files import load_tables, save_tables
from optcodec.jpeg.tables import QuantTable, quality_scale
from tests.cli_helpers import refusal, run, run_json

DOCS = Path(__file__).parents[1] / "docs"
SOS, DHT = b"\xff\xda", 0xC4


def photograph(side: int = 128) -> np.ndarray:
    return np.ascontiguousarray(data.astronaut()[60 : 60 + side, 150 : 150 + side])


def pixels(file: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(file)))


@pytest.mark.parametrize("subsampling", ["4:2:0", "4:4:4", "4:2:2", "grey"])
@pytest.mark.parametrize("quality", [10, 75, 100])
def test_with_standard_tables_a_scan_is_that_of_libjpeg(quality: int, subsampling: str) -> None:
    image = photograph()[..., 1] if subsampling == "grey" else photograph()
    sampling = {} if subsampling == "grey" else {"subsampling": subsampling}
    ours = encode(image, quality=quality, dct="exact", huffman="standard", **sampling).data
    file = io.BytesIO()
    Image.fromarray(image).save(file, "JPEG", quality=quality, optimize=False, **sampling)
    theirs = file.getvalue()
    assert ours[ours.index(SOS) :] == theirs[theirs.index(SOS) :]
    optimal = encode(image, quality=quality, dct="exact", **sampling).data
    assert len(optimal) < len(ours)
    np.testing.assert_array_equal(pixels(optimal), pixels(ours))


@pytest.mark.parametrize("options", [{}, {"restart_interval": 3}, {"threads": 1}, {"target": Bpp(1.0)}])
def test_the_tables_are_those_of_the_standard(options: dict[str, Any]) -> None:
    ours = encode(photograph(), huffman="standard", **options).data
    optimal = encode(photograph(), overshoot=False, **options).data  # which cameras do not know
    assert ours != optimal
    found = {key: (counts, symbols) for key, counts, symbols in tables_of(ours)}
    assert found == {key: (spec.counts, spec.symbols) for key, spec in STANDARD_CODES.items()}
    if "target" not in options:
        np.testing.assert_array_equal(pixels(ours), pixels(optimal))
    assert len(ours) <= (photograph().size / 3 / 8 if "target" in options else 1e9)


def tables_of(file: bytes) -> list[tuple[tuple[int, int], bytes, bytes]]:
    """Class and number, numbers of codes, and symbols of all Huffman tables of a file."""
    found, at = [], 2
    while file[at + 1] != 0xDA:
        length = int.from_bytes(file[at + 2 : at + 4], "big")
        payload = file[at + 4 : at + 2 + length]
        while file[at + 1] == DHT and payload:
            counts, total = payload[1:17], sum(payload[1:17])
            found.append(((payload[0] >> 4, payload[0] & 15), counts, payload[17 : 17 + total]))
            payload = payload[17 + total :]
        at += 2 + length
    return found


def test_coefficients_get_standard_tables_and_stay() -> None:
    original = encode(photograph(), quality=60, progressive=True)
    again = optcodec.transcode(original.data, progressive=False, huffman="standard")
    assert again.kept is None  # although it is larger
    assert again.nbytes > original.nbytes
    np.testing.assert_array_equal(pixels(again.data), pixels(original.data))
    assert not optcodec.read_jpeg(again.data).progressive
    with pytest.raises(InvalidInputError, match=r"the standard Huffman tables \(T.81, K.3\) are for baseline files"):
        optcodec.transcode(original.data, huffman="standard")


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"huffman": "short"}, 'huffman is "optimal" or "standard"; got \'short\''),
        ({"huffman": "standard", "progressive": True}, "are for baseline files; got a progressive one"),
        ({"huffman": "standard", "progressive": "smaller"}, "are for baseline files; got a progressive one"),
        ({"huffman": "standard", "effort": 3}, "effort 3 counts on the optimal Huffman tables; expected huff"),
        ({"huffman": "standard", "tune": "ssim"}, "effort 3 counts on the optimal Huffman tables"),
        ({"tables": annex_k_tables(50), "target": Bpp(1), "method": "rdopt"}, "so that method has no effect"),
        ({"tables": annex_k_tables(50), "target": Quality(5)}, "got a level of tables that are designed"),
        ({"tables": annex_k_tables(50), "target": Bpp(1), "effort": 3}, "tables stay as they are with effort 3; exp"),
        ({"tables": annex_k_tables(50), "target": Bpp(1), "effort": 1}, "so that no target can be met"),
        ({"tables": annex_k_tables(50), "effort": 2}, "expected effort 1 or 3, or a target to scale them for"),
        ({"tables": annex_k_tables(50), "target": Bpp(1), "quality": 5}, "quality and tables exclude one another"),
    ],
)  # fmt: skip
def test_what_does_not_go_together(options: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        encode(photograph(16), **options)


def own_tables() -> tuple[QuantTable, QuantTable]:
    rows = np.arange(64).reshape(8, 8)
    return QuantTable((12 + rows).astype(np.uint16)), QuantTable((20 + 2 * rows.T).astype(np.uint16))


@pytest.mark.parametrize("quality", [1, 30, 50, 80, 100])
def test_scaled_tables_are_those_of_libjpeg(quality: int) -> None:
    scaled = tuple(table.scaled(max(quality_scale(quality), 1e-9)) for table in annex_k_tables(50))
    assert scaled == annex_k_tables(quality)
    with pytest.raises(InvalidInputError, match="a percentage is a finite number above 0"):
        own_tables()[0].scaled(0)


def percentages(base: QuantTable, scaled: QuantTable) -> tuple[float, float]:
    """The least percentage that makes of one table the other, and minus the largest."""
    steps, inside = scaled.steps.astype(float), (scaled.steps > 1) & (scaled.steps < 255)
    return float(np.max(((100 * steps - 50) / base.steps)[inside])), -float(
        np.min(((100 * steps + 50) / base.steps)[inside])
    )


@pytest.mark.parametrize("grey", [False, True])
@pytest.mark.parametrize(
    "target", [Bpp(0.5), Bpp(2.0), MaxBytes(3000), MatchPsnr(34.0), optcodec.MatchQuality(50, jointly=True)]
)
def test_given_tables_are_scaled_until_a_target_is_met(target: Any, grey: bool) -> None:
    image = photograph()[..., 0] if grey else photograph()
    file = encode(image, tables=own_tables(), target=target)
    found, pixel_count = file.coefficients.tables, image.shape[0] * image.shape[1]
    low, high = np.max([percentages(*pair) for pair in zip(own_tables(), found, strict=False)], axis=0) * (1, -1)
    assert 0 < low < high
    if isinstance(target, MatchPsnr):
        assert 34 <= optcodec.psnr_db(image, pixels(file.data)) < 34.2
    elif (budget := target.budget(pixel_count)) is not None:
        assert 0.9 * budget < file.nbytes <= budget


def test_one_table_is_scaled_for_all_components() -> None:
    luminance, _ = own_tables()
    file = encode(photograph(), tables=[luminance], target=Bpp(1.0))
    assert len(file.coefficients.tables) == 1


def test_rate_control_on_the_command_line(tmp_path: Path) -> None:
    Image.fromarray(photograph()).save(tmp_path / "a.png")
    save_tables(own_tables(), tmp_path / "t.json")
    tables = ["--tables", str(tmp_path / "t.json")]
    for number, (options, expected) in enumerate(
        [
            (["--scale", "150"], encode(photograph(), tables=[table.scaled(150) for table in own_tables()])),
            (["--bpp", "0.8"], encode(photograph(), tables=own_tables(), target=Bpp(0.8))),
            (
                ["--bpp", "0.8", "--huffman", "standard"],
                encode(photograph(), tables=own_tables(), target=Bpp(0.8), huffman="standard"),
            ),
        ]
    ):
        done = run("encode", tmp_path / "a.png", "-o", tmp_path / f"{number}.jpg", *tables, *options)
        assert done.exit_code == 0, done.stderr
        assert (tmp_path / f"{number}.jpg").read_bytes() == expected.data
    for options, message in (
        (["--scale", "5"], "--scale is for the steps of --tables, got none"),
        ([*tables, "--scale", "5", "--bpp", "1"], "--scale and a target, for which --tables are scaled exclude"),
        ([*tables, "-q", "5"], "-q/--quality and --tables exclude one another"),
        ([*tables, "--bpp", "1", "--effort", "3"], "--tables stay as they are with --effort 3; expected --effort 2"),
        (["--huffman", "standard", "--effort", "3"], "expected --huffman optimal, got standard"),
    ):
        assert message in refusal("encode", tmp_path / "a.png", "-o", tmp_path / "b.jpg", *options)


def steps_of(tables: Sequence[QuantTable]) -> list[list[list[int]]]:
    return [table.steps.tolist() for table in tables]


def test_a_ladder_has_the_tables_of_each_quality(tmp_path: Path) -> None:
    for index in range(2):
        Image.fromarray(photograph(64 + 32 * index)).save(tmp_path / f"{index}.png")
    photos, paths = [tmp_path / "0.png", tmp_path / "1.png"], (tmp_path / "t.json", tmp_path / "t.h")
    expected = {
        quality: optcodec.design_tables(photos, optcodec.MatchQuality(quality), subsampling="4:2:0")
        for quality in (30, 80)
    }
    record = run_json("design", *photos, "--ladder", "80,30,80", "-o", paths[0])["files"][0]
    assert record["ladder"] == {str(quality): steps_of(tables) for quality, tables in expected.items()}
    assert sorted(path.name for path in tmp_path.glob("t*")) == ["t-q30.json", "t-q80.json"]
    for quality, tables in expected.items():
        assert load_tables(tmp_path / f"t-q{quality}.json") == tables
    assert run("design", *photos, "--ladder", "30,80", "-o", paths[1]).exit_code == 0
    text = paths[1].read_text()
    assert text.count("static const unsigned char") == 4
    for quality, tables in expected.items():
        for name, steps in (("", tables[1].steps), ("_zigzag", tables[1].steps_zz)):
            array = text.partition(f"optcodec_tables{name}_q{quality}[")[2].partition(";")[0]
            assert re.findall(r"\d+", array)[-64:] == [str(step) for step in steps.ravel().tolist()]
    scaled = run_json("design", *photos, "--ladder", "30", "--method", "jpeg", "-o", paths[0])["files"][0]
    assert scaled["ladder"] == {"30": steps_of(annex_k_tables(30))}


@pytest.mark.parametrize("method", ["rdopt", "optd", "deepn", "jpeg"])
def test_steps_stay_within_limits(method: str) -> None:
    target: Any = MaxBytes(6000)
    tables = optcodec.design_tables(photograph(), target, method=method, qmin=9)
    least = min(table.steps.min() for table in tables)
    assert least >= 9
    free = optcodec.design_tables(photograph(), target, method=method)
    assert min(table.steps.min() for table in free) < 9 or method in ("optd", "deepn")
    with pytest.raises(optcodec.TargetNotMetError):  # with steps of at least 200 the error of quality 90 is exceeded
        optcodec.design_tables(photograph(), optcodec.MatchQuality(90), method=method, qmin=200)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"qmin": 0}, "qmin is a whole number in 1..255, got 0"),
        ({"qmin": 256}, "qmin is a whole number in 1..255, got 256"),
        ({"qmin": 30, "qmax": 29}, "qmin is at most qmax; got 30 and 29"),
    ],
)
def test_wrong_limits(options: dict[str, int], message: str) -> None:
    with pytest.raises(InvalidInputError, match=message):
        optcodec.design_tables(photograph(16), Bpp(1.0), **options)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--ladder", "30,50.5"], "--ladder takes whole qualities in 1..100, got 50.5"),
        (["--ladder", "0"], "quality is a whole number in 1..100, got 0"),
        (["--ladder", "50", "--bpp", "1"], "a target (--water-level and the like) and --ladder exclude one another"),
        (["--bpp", "1", "--qmin", "9", "--qmax", "8"], "qmin is at most qmax; got 9 and 8"),
    ],
)
def test_wrong_ladders(options: list[str], message: str, tmp_path: Path) -> None:
    Image.fromarray(photograph(32)).save(tmp_path / "a.png")
    assert message in refusal("design", tmp_path / "a.png", "-o", tmp_path / "t.json", *options)
    assert not list(tmp_path.glob("t*"))


def test_libjpeg_writes_the_same_with_these_tables(tmp_path: Path) -> None:
    jpeglib = pytest.importorskip("jpeglib")
    image = photograph(96)
    tables = optcodec.design_tables(image, Bpp(1.5), subsampling="4:2:0")
    picture = jpeglib.from_spatial(image)
    picture.samp_factor = "4:2:0"
    quantization = np.array([tables[0].steps, tables[1].steps, tables[1].steps], np.uint16)
    picture.write_spatial(str(tmp_path / "theirs.jpg"), qt=quantization)
    theirs = optcodec.read_jpeg((tmp_path / "theirs.jpg").read_bytes())
    ours = encode(image, tables=tables, dct="exact", huffman="standard").coefficients
    for index, component in enumerate(theirs.components):
        assert theirs.tables[component.table] == tables[min(index, 1)]
        np.testing.assert_array_equal(component.blocks, ours.components[index].blocks)


LIBJPEG = re.search(r"takes? tables row by row:\n\n```c\n(.*?)```", (DOCS / "cameras.md").read_text("utf-8"), re.DOTALL)
MAIN = """
int main(void)
{
  struct jpeg_compress_struct cinfo; struct jpeg_error_mgr errors;
  cinfo.err = jpeg_std_error(&errors); jpeg_create_compress(&cinfo);
  cinfo.input_components = 3; cinfo.in_color_space = JCS_RGB;
  jpeg_set_defaults(&cinfo); use_tables(&cinfo);
  for (int table = 0; table < 2; table++)
    for (int index = 0; index < 64; index++)
      printf("%d ", cinfo.quant_tbl_ptrs[table]->quantval[index]);
  jpeg_destroy_compress(&cinfo);
  return 0;
}
"""


@pytest.mark.skipif(
    shutil.which("cc") is None or not Path("/usr/include/jpeglib.h").exists(),
    reason="the headers of libjpeg and a C compiler are not at hand",
)
def test_the_example_for_libjpeg_sets_the_tables(tmp_path: Path) -> None:
    assert LIBJPEG is not None
    save_tables(own_tables(), tmp_path / "tables.h")
    code = "#include <stdio.h>\n#include <jpeglib.h>\n" + LIBJPEG[1] + MAIN
    (tmp_path / "main.c").write_text(code)
    subprocess.run(["cc", "-Wall", "-Werror", "main.c", "-o", "main", "-ljpeg"], cwd=tmp_path, check=True)
    out = subprocess.run([tmp_path / "main"], check=True, capture_output=True, text=True).stdout
    assert [int(step) for step in out.split()] == [step for table in own_tables() for step in table.steps.ravel()]
