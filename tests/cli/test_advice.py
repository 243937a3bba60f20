"""Errors name the command of each option that they advise, since not all commands have it."""

from __future__ import annotations

import io
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from PIL import Image

from optcodec import MalformedJpegError, read_jpeg
from optcodec.cli import main as optcodec_main
from restore.cli import main as restore_main
from tests.cli_helpers import photograph, save
from tests.jpeg.test_partial_reader import FILES

MAINS = {"optcodec": optcodec_main, "restore": restore_main}
ADVICE = re.compile(r"(optcodec|restore) ([a-z]+) (--[a-z-]+(?: white)?)")


def run(program: str, *arguments: object) -> Result:
    return CliRunner().invoke(MAINS[program], [str(argument) for argument in arguments])


def refusal(*arguments: object) -> str:
    result = run("restore", *arguments)
    assert result.exit_code == 1, result.output
    return result.stderr.splitlines()[-1]


def check_advice(message: str, expected: list[str], source: Path, out: Path) -> None:
    """Each option is named with a command that has it, and takes the file that was refused."""
    advice = ADVICE.findall(message)
    assert [f"{program} {verb} {option}" for program, verb, option in advice] == expected
    assert message.count("--") == len(expected)
    for program, verb, option in advice:
        target = out / f"{verb}.{'png' if verb == 'run' else 'jpg'}"
        result = run(program, verb, source, "-o", target, *option.split())
        assert (result.exit_code, target.exists()) == (0, True), result.output


@pytest.mark.parametrize(("mode", "option"), [("RGBA", "--background white"), ("CMYK", "--to-rgb")])
def test_pictures_that_a_command_cannot_convert(tmp_path: Path, mode: str, option: str) -> None:
    image = Image.fromarray(photograph(24, 32)).convert(mode)
    if mode == "RGBA":
        image.putalpha(100)
    source = tmp_path / "a.tif"
    image.save(source)
    message = refusal("run", source, "-o", tmp_path / "o.png", "--sigma", 5)
    check_advice(message, [f"optcodec encode {option}"], source, tmp_path)


def coded(**options: object) -> bytes:
    file = io.BytesIO()
    Image.fromarray(photograph(64, 96)).save(file, "JPEG", **options)
    return file.getvalue()


@pytest.mark.parametrize("verb", ["run", "hint"])
@pytest.mark.parametrize(
    "cut",
    [
        lambda: coded()[:1200],
        lambda: coded()[:640],
        lambda: (data := coded(progressive=True))[: len(data) // 2],
    ],
    ids=["baseline", "baseline, early", "progressive"],
)
def test_files_that_end_too_early(tmp_path: Path, verb: str, cut: Callable[[], bytes]) -> None:
    source, original = tmp_path / "a.jpg", save(tmp_path / "original.png", photograph(64, 96))
    source.write_bytes(cut())
    options = ["--originals", original] if verb == "hint" else []
    message = refusal(verb, source, "-o", tmp_path / ("o.jpg" if verb == "hint" else "o.png"), *options)
    check_advice(message, ["optcodec encode --partial", "restore run --partial"], source, tmp_path)


@pytest.mark.parametrize(("strict", "count"), [(False, 2), (True, 0)])
def test_strictness_excludes_the_advice(strict: bool, count: int) -> None:
    """A file that has EOI, but no scan of its chrominance: `partial` would take it, but not together with `strict`."""
    data = FILES["two scans"]
    with pytest.raises(MalformedJpegError, match="no scan of the components") as caught:
        read_jpeg(data[: data.rindex(b"\xff\xda")] + b"\xff\xd9", strict=strict)
    assert str(caught.value).count("--partial") == count
