"""Files of quantization tables: JSON, cjpeg's text format and JPEG files are read, written, and checked."""

from __future__ import annotations

import io
import json
import re
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from optcodec.errors import InvalidInputError
from optcodec.jpeg.table_files import from_pillow, load_tables, save_tables, tables_subsampling, to_pillow
from optcodec.jpeg.tables import QuantTable, annex_k_tables
from tests.strategies import quant_tables

ASYMMETRIC = QuantTable(np.arange(1, 65).reshape(8, 8))  # differs from its transpose and from its zig-zag order


def picture() -> Image.Image:
    return Image.fromarray(np.random.default_rng(0).integers(0, 256, (24, 40, 3), np.uint8))


@settings(max_examples=40, deadline=None)
@given(tables=st.lists(quant_tables(), min_size=1, max_size=4), suffix=st.sampled_from([".json", ".txt", ".qtables"]))
def test_saved_tables_are_loaded_again(
    tmp_path_factory: pytest.TempPathFactory, tables: list[QuantTable], suffix: str
) -> None:
    path = tmp_path_factory.mktemp("tables") / f"some{suffix}"
    save_tables(tables, path)
    assert load_tables(path) == tuple(tables)
    assert [entry.name for entry in path.parent.iterdir()] == [path.name]


def test_text_is_that_of_cjpeg(tmp_path: Path) -> None:
    path = tmp_path / "tables.txt"
    numbers = "\n".join(" ".join(str(8 * row + column + 1) for column in range(8)) for row in range(8))
    path.write_text(f"# luminance table\n{numbers}# 65 66\n\t\n#\n 2 {'3 ' * 62}\r\n 4 # the last one\n")
    luminance, chrominance = load_tables(path)
    assert luminance == ASYMMETRIC
    assert chrominance.steps.ravel().tolist() == [2, *[3] * 62, 4]
    save_tables([ASYMMETRIC], path)
    lines = path.read_text().splitlines()
    assert lines[:2] == ["# luminance", "1 2 3 4 5 6 7 8"]
    assert len(lines) == 9


@settings(max_examples=20, deadline=None)
@given(tables=st.lists(quant_tables(), min_size=1, max_size=4))
def test_a_c_header_has_the_tables_in_both_orders(
    tmp_path_factory: pytest.TempPathFactory, tables: list[QuantTable]
) -> None:
    path = tmp_path_factory.mktemp("tables") / "tables.h"
    save_tables(tables, path, subsampling="4:2:0")
    text = path.read_text()
    assert text.startswith(
        "/* Quantization tables of JPEG, written by optcodec, for 4:2:0. */\n#ifndef OPTCODEC_TABLES_H"
    )
    code = re.sub(r"/\*.*?\*/", "", text)
    found = re.findall(r"unsigned char (\w+)\[OPTCODEC_TABLES\]\[64\] = (\{.*?\});", code, re.DOTALL)
    arrays = {name: json.loads(values.replace("{", "[").replace("}", "]")) for name, values in found}
    assert arrays == {
        "optcodec_tables": [table.steps.ravel().tolist() for table in tables],
        "optcodec_tables_zigzag": [table.steps_zz.tolist() for table in tables],
    }
    assert f"#define OPTCODEC_TABLES {len(tables)}\n" in code


@pytest.mark.skipif(shutil.which("cc") is None, reason="no C compiler is at hand (cc)")
def test_a_c_header_compiles(tmp_path: Path) -> None:
    save_tables([ASYMMETRIC, annex_k_tables(50)[1]], tmp_path / "tables.h")
    (tmp_path / "show.c").write_text(
        '#include <stdio.h>\n#include "tables.h"\n#include "tables.h"\nint main(void) {\n'
        "for (int table = 0; table < OPTCODEC_TABLES; table++) for (int index = 0; index < 64; index++)\n"
        'printf("%d %d\\n", optcodec_tables[table][index], optcodec_tables_zigzag[table][index]);\nreturn 0; }\n'
    )
    subprocess.run(["cc", "-Wall", "-Werror", "-pedantic", "show.c", "-o", "show"], cwd=tmp_path, check=True)
    out = subprocess.run([tmp_path / "show"], check=True, capture_output=True, text=True).stdout
    numbers = np.array([line.split() for line in out.splitlines()], int).reshape(2, 64, 2)
    np.testing.assert_array_equal(numbers[0, :, 0], np.arange(1, 65))
    np.testing.assert_array_equal(numbers[0, :, 1], ASYMMETRIC.steps_zz)
    np.testing.assert_array_equal(numbers[1, :, 1], annex_k_tables(50)[1].steps_zz)


def test_json_is_as_documented(tmp_path: Path) -> None:
    path = tmp_path / "tables.json"
    save_tables(annex_k_tables(50), path)
    document = json.loads(path.read_text())
    assert document["format"] == "optcodec quantization tables 1"
    assert document["tables"] == [table.steps.tolist() for table in annex_k_tables(50)]
    assert document["tables"][0][0][:3] == [16, 11, 10]


@pytest.mark.parametrize("keep", ["list", "dictionary"])
def test_json_of_pillow(tmp_path: Path, keep: str) -> None:
    path = tmp_path / "tables.json"
    tables = to_pillow([ASYMMETRIC, annex_k_tables(60)[1]])
    path.write_text(json.dumps(tables if keep == "list" else {"1": tables[1], "0": tables[0]}))
    assert load_tables(path) == (ASYMMETRIC, annex_k_tables(60)[1])


def test_pillow_keeps_the_same_order(tmp_path: Path) -> None:
    path = tmp_path / "written.jpg"
    picture().save(path, qtables=to_pillow([ASYMMETRIC, annex_k_tables(80)[1]]))
    with Image.open(path) as image:
        assert from_pillow(image.quantization) == (ASYMMETRIC, annex_k_tables(80)[1])  # type: ignore[attr-defined]
    assert load_tables(path) == (ASYMMETRIC, annex_k_tables(80)[1])


def test_from_any_jpeg_whatever_its_name(tmp_path: Path) -> None:
    path = tmp_path / "picture.txt"
    picture().save(path, "JPEG", quality=37, progressive=True)
    assert load_tables(path) == annex_k_tables(37)


def with_step(value: str) -> str:
    return f"{'1 ' * 8}\n{'1 ' * 2}{value} {'1 ' * 53}"


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (with_step("0"), "line 2, step 11 of table 1: expected a whole number in 1..255, got '0'"),
        (with_step("300"), "line 2, step 11 of table 1: .* got '300'"),
        (with_step("nan"), "line 2, step 11 of table 1: .* got 'nan'"),
        (with_step("7.5"), "line 2, step 11 of table 1: .* got '7.5'"),
        (with_step("-3"), "line 2, step 11 of table 1: .* got '-3'"),
        (with_step("²"), "line 2, step 11 of table 1: .* got '²'"),
        ("1 " * 63, "table 1: expected 64 steps, got 63"),
        ("1 " * 65, "table 2: expected 64 steps, got 1"),
        ("1 " * 320, "expected 1 to 4 quantization tables, got 5"),
        ("# nothing", "expected 1 to 4 quantization tables, got 0"),
        ("", "expected 1 to 4 quantization tables, got 0"),
        ("[", "expected JSON, found Expecting value: line 1 column 2"),
        ("[" * 100000, "expected JSON, found more than 100 levels"),
        ("[]", "expected 1 to 4 quantization tables, got 0"),
        ("[5]", "table 1: expected a list of steps, found int"),
        (json.dumps([[1] * 63]), "table 1: expected 64 steps, got 63"),
        (json.dumps([[1] * 64, [1] * 12 + [float("nan")] + [1] * 51]), "table 2, row 2, column 5: .* got nan"),
        (json.dumps([[1] * 63 + [True]]), "table 1, row 8, column 8: .* got True"),
        (json.dumps([[1] * 63 + [256]]), "table 1, row 8, column 8: .* got 256"),
        (json.dumps([[1] * 63 + ["5"]]), "table 1, row 8, column 8: .* got '5'"),
        (json.dumps([[[1] * 8] * 7 + [[1] * 7]]), r"table 1: expected 8 rows of 8 steps, got rows of \[8, .*7\]"),
        (json.dumps([[[1] * 8] * 7 + [3]]), r"table 1: expected 8 rows of 8 steps, got rows of \[8, .*0\]"),
        (json.dumps({"format": "something", "tables": []}), "expected format 'optcodec quant.*', found 'something'"),
        (json.dumps({"format": "optcodec quantization tables 1"}), "expected a list of tables, found NoneType"),
    ],
)
def test_bad_files_are_named_with_the_place(tmp_path: Path, content: str, message: str) -> None:
    path = tmp_path / "bad.tables"
    path.write_text(content, "utf-8")
    with pytest.raises(InvalidInputError, match=f"bad.tables: {message}") as caught:
        load_tables(path)
    assert "\n" not in str(caught.value)


def test_files_of_unknown_formats(tmp_path: Path) -> None:
    path = tmp_path / "bad.bin"
    path.write_bytes(b"\x89PNG\xff\xfe")
    with pytest.raises(InvalidInputError, match=r"bad.bin: expected JSON, text or a JPEG file"):
        load_tables(path)


def test_damaged_jpeg(tmp_path: Path) -> None:
    path = tmp_path / "bad.jpg"
    stream = io.BytesIO()
    picture().save(stream, "JPEG")
    path.write_bytes(stream.getvalue()[:100])
    with pytest.raises(InvalidInputError, match=r"bad.jpg: .*at byte"):
        load_tables(path)


def test_no_such_file(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"none.json: No such file"):
        load_tables(tmp_path / "none.json")


@pytest.mark.parametrize(
    ("tables", "name", "message"),
    [
        ([], "a.json", "1 to 4 quantization tables, got 0"),
        ([ASYMMETRIC] * 5, "a.json", "1 to 4 quantization tables, got 5"),
        ([QuantTable(np.full((8, 8), 256))], "a.json", "table 1, row 1, column 1: .* got 256"),
        ([ASYMMETRIC], "a.png", r"one of .json, .txt, .qtables, .h, got '.png'"),
        ([ASYMMETRIC], "file/a.json", "cannot write .*a.json"),
    ],
)
def test_nothing_is_left_of_tables_that_cannot_be_saved(
    tmp_path: Path, tables: list[QuantTable], name: str, message: str
) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(InvalidInputError, match=message):
        save_tables(tables, tmp_path / name)
    assert [entry.name for entry in tmp_path.iterdir()] == ["file"]


def test_pillow_lists_are_checked() -> None:
    with pytest.raises(InvalidInputError, match="table 2: expected 64 steps, got 3"):
        from_pillow([[1] * 64, [1, 2, 3]])


def test_subsampling_is_kept(tmp_path):
    path = tmp_path / "tables.json"
    save_tables([ASYMMETRIC], path, subsampling="4:2:2")
    assert tables_subsampling(path) == "4:2:2"
    assert load_tables(path) == (ASYMMETRIC,)
    save_tables([ASYMMETRIC], path)
    assert tables_subsampling(path) is None
    text = path.read_text()
    for json_text, description in (('"4:1:0"', "'4:1:0'"), ("[]", r"\[\]"), ('{"a": 1}', "{'a': 1}"), ("2", "2")):
        path.write_text(text.replace('"tables"', f'"subsampling": {json_text}, "tables"'))
        with pytest.raises(InvalidInputError, match=f"found {description}"):
            tables_subsampling(path)


@pytest.mark.parametrize("content", ["16 11 10", "[[1, 2]]", "{", "\xff\xd8"])
def test_other_files_name_no_subsampling(tmp_path, content):
    (tmp_path / "file").write_text(content)
    assert tables_subsampling(tmp_path / "file") is None
