"""Bad JSON documents are refused with an error of one line, and documents that we write are readable."""

from __future__ import annotations

from pathlib import Path

import pytest
from click.testing import CliRunner

from optcodec import InvalidInputError
from optcodec.jsontext import parse_json
from restore.cli import main as restore_main
from tests.cli_helpers import messages, photograph, refusal, save
from tests.receiver_helpers import jpeg

PIXELS = photograph(24, 32)
DEEP = "[" * 100_000


def test_nested_json_is_refused_at_any_depth() -> None:
    for depth in (101, 500, 900, 5000, 100_000):
        for text in ("[" * depth + "]" * depth, '{"a":' * depth + "1" + "}" * depth, "[" * depth):
            with pytest.raises(InvalidInputError, match=r"found (more than 100 levels|Expecting value)"):
                parse_json(text)
    assert parse_json("[" * 100 + "]" * 100) is not None


def test_a_file_that_is_no_text_is_no_json() -> None:
    with pytest.raises(InvalidInputError, match="expected a result, found a file that is no text"):
        parse_json(jpeg(8, 8), "a result")


def test_whole_surrogate_pairs_are_texts() -> None:
    assert parse_json('["\\ud83d\\ude00"]') == ["\U0001f600"]


@pytest.mark.parametrize(
    "text",
    [
        "",
        "{",
        "9" * 5000,
        b"\xff\xfe\xfd",
        b"\xef\xbb\xbf\xff",
        "nul",
        '"\ud800',
        '{"file": "\\ud800a"}',
        '{"\\udfff": 1}',
    ],
    ids=["empty", "open", "long number", "no text", "mark", "word", "surrogate", "escaped surrogate", "in a key"],
)
def test_whatever_is_no_json_is_one_error(text: str | bytes) -> None:
    with pytest.raises(InvalidInputError, match=r"^expected the JSON of x, found "):
        parse_json(text, "the JSON of x")


@pytest.mark.parametrize(
    "arguments",
    [
        ["encode", "IMAGE", "--tables", "FILE"],
        ["encode", "IMAGE", "--profile", "FILE", "--bpp", "1"],
        ["encode", "IMAGE", "--tune", "receiver:FILE"],
        ["plot", "FILE", "-o", "a.png"],
    ],
)
@pytest.mark.parametrize("content", [DEEP, '{"a":' * 100_000, "[" + "9" * 5000])
def test_odd_json_is_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    save(tmp_path / "image.png", PIXELS)
    (tmp_path / "file.json").write_text(content)
    named = {"IMAGE": "image.png", "FILE": "file.json"}
    line = refusal(*(named.get(argument, argument.replace("FILE", "file")) for argument in arguments))
    assert "file" in line
    assert "found" in line


@pytest.mark.parametrize("content", [DEEP, "9" * 5000, "{", "[]", '{"name": []}'])
@pytest.mark.parametrize("verb", [["run", "a.jpg", "-o", "a.png", "--model"], ["train", "-o", "run", "--data", "."]])
def test_odd_indexes_and_recipes_are_one_line(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, verb: list[str], content: str
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "a.jpg").write_bytes(jpeg(16, 16))
    (tmp_path / "file.json").write_text(content)
    result = CliRunner().invoke(restore_main, [*verb, "file.json"])
    assert result.exit_code == 1, result.exception
    assert isinstance(result.exception, SystemExit)
    (line,) = messages(result)
    assert "file.json" in line or "recipe" in line
