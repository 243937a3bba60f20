"""``-`` stands for stdin and stdout; paths and suffixes of outputs are checked before the work starts."""

from __future__ import annotations

import io
import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner, Result
from PIL import Image

import optcodec
from optcodec.cli import main
from optcodec.console import streams
from optcodec.console.files import Source, output_paths
from optcodec.console.streams import STREAM
from restore import restore_image
from restore.cli import main as restore_main
from tests.cli_helpers import messages, photograph, refusal, run, run_json, save
from tests.receiver_helpers import jpeg


@pytest.fixture
def picture(tmp_path: Path) -> Path:
    return save(tmp_path / "in/a.png", photograph(40, 56))


def piped(data: bytes, *arguments: object, command: object = main) -> Result:
    """Run a command in a new process with data on stdin."""
    return CliRunner().invoke(command, [str(argument) for argument in arguments], input=data)  # type: ignore[arg-type]


@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_encode_from_stdin_to_stdout(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path / f"a.{suffix}", photograph(40, 56))
    assert run("encode", source, "-o", tmp_path / "b.jpg", "--smaller").exit_code == 0
    result = piped(source.read_bytes(), "encode", "-", "-o", "-", "--smaller")
    assert result.exit_code == 0, result.stderr
    assert messages(result) == []
    assert result.stdout_bytes == (tmp_path / "b.jpg").read_bytes()
    assert not Path("-").exists()


def test_encode_to_stdout_says_what_it_did_on_stderr(tmp_path: Path) -> None:
    Image.fromarray(photograph(16, 16)).convert("P").save(tmp_path / "a.png")
    result = run("encode", tmp_path / "a.png", "-o", "-")
    assert messages(result) == [f"{tmp_path / 'a.png'}: expanded palette to RGB"]
    assert optcodec.read_jpeg(result.stdout_bytes).width == 16


@pytest.mark.parametrize("name", ["-", "/dev/stdout", "/dev/fd/1", "/proc/self/fd/1"])
def test_other_names_of_stdout(picture: Path, name: str) -> None:
    assert output_paths([Source(picture, Path("a.png"))], Path(name), suffix=".jpg", folder=False, force=False) == [
        STREAM
    ]


def test_stdin_goes_to_files_and_folders(picture: Path, tmp_path: Path) -> None:
    data = picture.read_bytes()
    assert piped(data, "encode", "-", "-o", tmp_path / "b.jpg").exit_code == 0
    (tmp_path / "out").mkdir()
    assert piped(data, "encode", "-", "-o", tmp_path / "out").exit_code == 0
    assert (tmp_path / "out/stdin.jpg").read_bytes() == (tmp_path / "b.jpg").read_bytes()


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["encode", "-"], "the output cannot be written beside stdin; expected -o FILE, or -o - for stdout"),
        (["encode", "-", "-o", "-"], "-: not an image file"),
        (["encode", "PICTURE", "-o", "-", "--json"], "--json prints to stdout, where the image goes"),
        (["encode", "FOLDER", "-o", "-"], "stdout takes one image, got a folder, a list or a tar file; expected"),
        (["compare", "-", "-"], "stdin holds one image"),
        (["design", "-", "-o", "t.json", "--bpp", "1"], "opened more than once, which stdin cannot be"),
        (["inspect", "-"], "-: a JPEG file begins with the marker SOI"),
    ],
)
def test_refusals(picture: Path, arguments: list[str], expected: str) -> None:
    named = {"PICTURE": str(picture), "FOLDER": str(picture.parent)}
    result = piped(b"no image", *(named.get(argument, argument) for argument in arguments))
    assert result.exit_code == 1
    (line,) = messages(result)
    assert expected in line
    assert result.stdout == ""


@pytest.mark.skipif(not hasattr(os, "openpty"), reason="no terminals on this system")
def test_a_terminal_gets_no_image(picture: Path) -> None:
    encode = [sys.executable, "-m", "optcodec", "encode", str(picture), "-o", "-"]
    ours, theirs = os.openpty()
    try:
        done = subprocess.run(encode, stdout=theirs, stderr=subprocess.PIPE, text=True, check=False)
    finally:
        os.close(theirs)
        os.close(ours)
    assert done.stderr == "Error: stdout is a terminal, which cannot show an image; expected -o FILE, or a pipe\n"
    assert done.returncode == 1


def test_inspect_and_compare_read_stdin(picture: Path, tmp_path: Path) -> None:
    assert run("encode", picture, "-o", tmp_path / "a.jpg").exit_code == 0
    data = (tmp_path / "a.jpg").read_bytes()
    inspected, expected = piped(data, "inspect", "-", "--json"), run_json("inspect", tmp_path / "a.jpg")
    assert json.loads(inspected.stdout)["files"] == [expected["files"][0] | {"path": "-"}]
    expected = run_json("compare", picture, tmp_path / "a.jpg")
    compared = json.loads(piped(data, "compare", picture, "-", "--json").stdout)
    assert compared["files"] == [expected["files"][0] | {"path": "-"}]
    compared = json.loads(piped(picture.read_bytes(), "compare", "-", tmp_path / "a.jpg", "--json").stdout)
    assert compared["files"] == expected["files"]


@pytest.mark.parametrize(("options", "kind"), [([], "PNG"), (["--format", "jpeg"], "JPEG")])
def test_restore_from_stdin_to_stdout(options: list[str], kind: str) -> None:
    data = jpeg(40, 56, quality=20)
    result = piped(data, "run", "-", "-o", "-", "--model", "tiny", *options, command=restore_main)
    assert result.exit_code == 0, result.stderr
    assert result.stderr == ""
    with Image.open(io.BytesIO(result.stdout_bytes)) as written:
        assert written.format == kind
        if kind == "PNG":
            np.testing.assert_array_equal(np.asarray(written), restore_image(data, model="tiny"))
    assert "--json prints to stdout" in piped(data, "run", "-", "-o", "-", "--json", command=restore_main).stderr


def test_a_pipeline_of_processes(picture: Path) -> None:
    encode = [sys.executable, "-m", "optcodec", "encode", "-", "-o", "-"]
    with picture.open("rb") as source, subprocess.Popen(encode, stdin=source, stdout=subprocess.PIPE) as first:
        inspect = [sys.executable, "-m", "optcodec", "inspect", "-", "--json"]
        done = subprocess.run(inspect, stdin=first.stdout, capture_output=True, check=True)
    assert json.loads(done.stdout)["files"][0]["width"] == 56


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="no pipes with names on this system")
@pytest.mark.parametrize("suffix", ["png", "jpg"])
def test_pipes_with_names_are_read_and_written(tmp_path: Path, suffix: str) -> None:
    source = save(tmp_path / f"a.{suffix}", photograph(40, 56))
    assert run("encode", source, "-o", tmp_path / "b.jpg").exit_code == 0
    os.mkfifo(tmp_path / "in")
    os.mkfifo(tmp_path / "out")
    received: list[bytes] = []
    threads = [
        threading.Thread(target=lambda: (tmp_path / "in").write_bytes(source.read_bytes())),
        threading.Thread(target=lambda: received.append((tmp_path / "out").read_bytes())),
    ]
    for thread in threads:
        thread.start()
    result = run("encode", tmp_path / "in", "-o", tmp_path / "out")
    assert result.exit_code == 0, result.stderr
    for thread in threads:
        thread.join()
    assert received == [(tmp_path / "b.jpg").read_bytes()]


@pytest.mark.parametrize("name", ["a.webp", "a.png", "a.json", "a.JPG.bak"])
def test_names_of_other_formats_are_refused(picture: Path, name: str) -> None:
    line = refusal("encode", picture, "-o", picture.with_name(name))
    assert f"{name}: the output is a JPEG file; expected a name with .jpg, .jpeg, .jpe, .jfif" in line
    assert not picture.with_name(name).exists() or name == picture.name


@pytest.mark.parametrize("name", ["b.jpg", "b.JPEG", "b.jpe", "b.jfif", "b", "folder.webp"])
def test_names_of_jpeg_files(picture: Path, name: str) -> None:
    picture.with_name("folder.webp").mkdir()
    assert run("encode", picture, "-o", picture.with_name(name)).exit_code == 0


@pytest.mark.parametrize("verb", [["encode"], ["design", "--per-image", "--bpp", 9]])
def test_the_place_is_checked_once_before_the_work(
    picture: Path, monkeypatch: pytest.MonkeyPatch, verb: list[object]
) -> None:
    for number in range(5):
        save(picture.with_name(f"{number}.png"), photograph(8, 8))
    opened = []
    monkeypatch.setattr(
        {"encode": "optcodec.batch.job.open_image", "design": "optcodec.cli.design.open_image"}[str(verb[0])],
        lambda *arguments, **options: opened.append(arguments),
    )
    blocked = picture.parent.parent / "file"
    blocked.touch()
    for output in (blocked, blocked / "out"):
        line = refusal(*verb, picture.parent, "-o", output)
        assert f"cannot write {output}/0." in line
        assert line.endswith("Not a directory")
    assert opened == []


def test_a_folder_in_the_place_of_one_of_many_is_its_failure(picture: Path, tmp_path: Path) -> None:
    save(picture.with_name("b.png"), photograph(8, 8))
    (tmp_path / "out/a.jpg").mkdir(parents=True)
    result = run("encode", picture.parent, "-o", tmp_path / "out")
    assert messages(result)[0] == "Error: 1 of 2 files failed:"
    assert (tmp_path / "out/b.jpg").is_file()


def test_times_are_kept_on_request(picture: Path) -> None:
    old = picture.with_name("b.jpg")
    for options, same_times in ([], False), (["--keep-times"], True):
        old.write_bytes(b"old")
        os.utime(old, ns=(10**18, 10**18))
        assert run("encode", picture, "-o", old, *options).exit_code == 0
        assert (old.stat().st_mtime_ns == 10**18) is same_times


def test_an_input_is_replaced_in_place_behind_its_link(tmp_path: Path) -> None:
    photo = save(tmp_path / "far/a.jpg", photograph(16, 16))
    photo.chmod(0o640)
    (tmp_path / "link.jpg").symlink_to("far/a.jpg")
    before = photo.read_bytes()
    link = tmp_path / "link.jpg"
    assert run("encode", link, "-o", link, "--force", "-q", 30).exit_code == 0
    assert link.is_symlink()
    assert photo.read_bytes() != before
    assert photo.stat().st_mode & 0o777 == 0o640


def test_stdin_is_meant_where_a_file_is_called_so(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "-").write_bytes(jpeg(8, 8))
    assert json.loads(piped(jpeg(24, 32), "inspect", "-", "--json").stdout)["files"][0]["width"] == 32


@pytest.mark.skipif(not Path("/dev/zero").exists(), reason="no such device on this system")
@pytest.mark.parametrize("command", [["inspect", "/dev/zero"], ["encode", "/dev/zero", "-o", "out.jpg"]])
def test_a_stream_without_end_is_refused(command: list[str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(streams, "MAX_STREAM_NBYTES", 1 << 16)
    result = CliRunner().invoke(main, command)
    assert result.exit_code == 1
    reason = "it has more than 65,536 bytes; expected an image, or a file in place of the stream"
    assert result.stderr == f"Error: /dev/zero: cannot read /dev/zero: {reason}\n"
    assert list(tmp_path.iterdir()) == []
