"""Commands ended by a signal, a full disk or a closed pipe print one line, and leave no unfinished files."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import optcodec
from optcodec import files as module
from optcodec.pictures import pixels
from tests.cli_helpers import messages, photograph, refusal, run, save
from tests.receiver_helpers import jpeg

FULL = Path("/dev/full")
COMMANDS = {
    "optcodec": ["-m", "optcodec"],
    "restore": ["-c", "from restore.cli import main; main(prog_name='restore')"],
}

SLOW = """
import signal
import time
from contextlib import contextmanager
from {package} import main
import {module} as module

signal.signal(signal.SIGHUP, signal.SIG_DFL)  # a shell's nohup, for one, has it ignored
signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's & has it ignored
whole = module.{name}

@contextmanager
def slow(*arguments, **options):
    with whole(*arguments, **options) as file:
        file.write(b"half of it")
        file.flush()
        print("ready", flush=True)
        time.sleep(60)
        yield file

module.{name} = slow
main({arguments!r})
"""


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of six images."""
    for number in range(6):
        save(tmp_path / f"in/{number}.png", photograph(16, 24))
    return tmp_path / "in"


@pytest.mark.skipif(not hasattr(signal, "SIGHUP"), reason="no such signals on this system")
@pytest.mark.parametrize(
    ("package", "verb", "writer"),
    [
        ("optcodec.cli", "encode", "optcodec.batch.places.whole_file"),
        ("restore.cli", "run", "restore.cli.run.output_file"),
    ],
)
@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_leaves_nothing_behind(
    tmp_path: Path, package: str, verb: str, writer: str, number: signal.Signals
) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(16, 16))
    (tmp_path / "out.jpg").write_bytes(b"old")
    arguments = [verb, str(tmp_path / "a.jpg"), "-o", str(tmp_path / "out.jpg")]
    module, _, name = writer.rpartition(".")
    program = SLOW.format(package=package, module=module, name=name, arguments=arguments)
    with subprocess.Popen([sys.executable, "-c", program], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as child:
        assert child.stdout is not None
        assert child.stderr is not None
        assert child.stdout.readline() == b"ready\n"
        assert len(list(tmp_path.iterdir())) == 3  # the unfinished output counts as well
        child.send_signal(number)
        assert child.wait(30) == 128 + number
        assert [line for line in child.stderr.read().splitlines() if not line.startswith(b"optcodec: compiling")] == []
    assert (tmp_path / "out.jpg").read_bytes() == b"old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.jpg", "out.jpg"]


def test_a_command_leaves_the_handlers_of_its_caller() -> None:
    def handler(number: int, frame: object) -> None: ...

    for number in (signal.SIGTERM, signal.SIGINT):
        for before in (signal.SIG_DFL, signal.SIG_IGN, signal.default_int_handler, handler):
            original = signal.signal(number, before)
            try:
                assert run("--help").exit_code == 0
                assert signal.getsignal(number) == before
            finally:
                signal.signal(number, original)


def test_importing_sets_no_handlers() -> None:
    program = (
        "import signal; before = signal.getsignal(signal.SIGTERM)\n"
        "import optcodec.cli, restore.cli, optcodec.files, optcodec.encoder\n"
        "assert signal.getsignal(signal.SIGTERM) is before"
    )
    subprocess.run([sys.executable, "-c", program], check=True)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("name", COMMANDS)
@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_on_a_full_disk_is_one_line(name: str, arguments: list[str]) -> None:
    check_unwritable([*COMMANDS[name], *arguments], "No space left on device", full=True)


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full on this system")
@pytest.mark.parametrize("as_json", [["--json"], []])
def test_results_on_a_full_disk_are_one_line(tmp_path: Path, as_json: list[str]) -> None:
    (tmp_path / "a.jpg").write_bytes(jpeg(16, 16))
    inspect = [*COMMANDS["optcodec"], "inspect", str(tmp_path / "a.jpg"), *as_json]
    check_unwritable(inspect, "No space left on device", full=True)
    encode = [*COMMANDS["optcodec"], "encode", str(tmp_path / "a.jpg"), "-o"]
    check_unwritable([*encode, str(tmp_path / "b.jpg"), *as_json], "No space left on device", full=True)
    assert (tmp_path / "b.jpg").exists()  # the file is complete; only its size could not be printed
    if not as_json:
        check_unwritable([*encode, "-"], "No space left on device", full=True)


@pytest.mark.parametrize("count", [1, 400], ids=["few bytes", "many bytes"])
def test_results_that_nobody_reads_are_one_line(tmp_path: Path, count: int) -> None:
    for number in range(count):
        (tmp_path / f"{number}.jpg").write_bytes(jpeg(8, 8))
    check_unwritable([*COMMANDS["optcodec"], "inspect", str(tmp_path)], "Broken pipe", full=False)


def check_unwritable(arguments: list[str], reason: str, *, full: bool) -> None:
    """Run a command whose stdout cannot be written to, and check its one-line error."""
    if full:
        with FULL.open("wb") as stdout:
            done = subprocess.run(
                [sys.executable, *arguments], stdout=stdout, stderr=subprocess.PIPE, text=True, check=False
            )
        stderr, status = done.stderr, done.returncode
    else:
        with subprocess.Popen(
            [sys.executable, *arguments], stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
        ) as child:
            assert child.stdout is not None
            child.stdout.close()
            stderr, status = child.communicate()[1], child.returncode
    lines = [line for line in stderr.splitlines() if not line.startswith("optcodec: compiling")]
    assert lines == [f"Error: cannot write to stdout: {reason}"]
    assert status == 1


def fill_disk(monkeypatch: pytest.MonkeyPatch, files: int) -> None:
    """Let a number of files be written before the disk is full."""
    new_file, written = module._temporary_file, []

    def part(folder: Path, mode: int) -> Path:
        if mode == 0o666:  # of the files themselves, not of the check before the work
            written.append(folder)
            if len(written) > files:
                raise OSError(28, "No space left on device")
        return new_file(folder, mode)

    monkeypatch.setattr(module, "_temporary_file", part)


@pytest.mark.parametrize("verb", [["encode"], ["design", "--per-image", "-q", 50, "--method", "jpeg"]])
def test_a_full_disk_ends_the_run(folder: Path, monkeypatch: pytest.MonkeyPatch, verb: list[object]) -> None:
    module = "encode_work" if verb[0] == "encode" else verb[0]
    monkeypatch.setattr(f"optcodec.cli.{module}.processor_count", lambda: 1)
    fill_disk(monkeypatch, 2)
    out = folder.parent / "out"
    result = run(*verb, folder, "-o", out)
    assert result.exit_code == 1
    assert len(list(out.iterdir())) == 2
    first, second = messages(result)
    assert first == "Error: the disk is full: 2 of 6 files are done, 3 were not begun, and 1 failed:"
    assert second.startswith(f"  {folder / '2.png'}: cannot write {out}/2.")
    assert second.endswith("No space left on device")


def test_a_full_disk_in_json(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("optcodec.cli.encode_work.processor_count", lambda: 1)
    fill_disk(monkeypatch, 2)
    result = run("encode", folder, "-o", folder.parent / "out", "--json")
    report = json.loads(result.stdout)
    assert [Path(record["input"]).name for record in report["files"]] == ["0.png", "1.png"]
    errors = [record["error"] for record in report["failures"]]
    assert "No space left on device" in errors[0]
    assert errors[1:] == ["not begun, since the disk is full"] * 3


def test_a_real_full_disk_with_threads(folder: Path, tmp_path: Path) -> None:
    small = tmp_path / "small"
    small.mkdir()
    mounted = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=32k", "none", str(small)], capture_output=True, check=False
    )
    if mounted.returncode:
        pytest.skip("mounting a small disk needs rights that this process does not have")
    try:
        for number in range(6, 40):
            save(folder / f"{number}.png", photograph(48, 64))
        result = run("encode", folder, "-o", small, "-q", 90)
        assert result.exit_code == 1
        done = sorted(path.name for path in small.iterdir())
        assert all(name.endswith(".jpg") for name in done)
        assert messages(result)[0].startswith(f"Error: the disk is full: {len(done)} of 40 files are done, ")
        for path in small.iterdir():
            optcodec.read_jpeg(path.read_bytes())
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_not_enough_memory_is_one_failure(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    original = pixels._from_pillow

    def scarce(image: object, *options: object) -> object:
        if getattr(image, "width", 0) == 8:
            raise MemoryError
        return original(image, *options)

    save(folder / "3.png", np.zeros((8, 8), np.uint8))
    monkeypatch.setattr(pixels, "_from_pillow", scarce)
    for verb in (["encode"], ["design", "--match-quality", 50]):
        out = folder.parent / f"{verb[0]}.json"
        result = run(*verb, folder, "-o", out if verb[0] == "design" else folder.parent / "out")
        assert result.exit_code == 1
        assert messages(result)[-2:] == [
            "Error: 1 of 6 files failed:",
            f"  {folder / '3.png'}: there is not enough memory for it",
        ]
    assert len(list((folder.parent / "out").iterdir())) == 5
    assert "not enough memory" in refusal(
        "blocks", "show", folder / "3.png", "--blocks", "x264", "-o", out.with_suffix(".png")
    )


@pytest.mark.skipif(not hasattr(os, "fork"), reason="no limits of memory on this system")
def test_a_real_lack_of_memory_is_one_failure(tmp_path: Path) -> None:
    """The first image fits into the memory limit of the process, the second does not."""
    (tmp_path / "in").mkdir()
    save(tmp_path / "in/a.png", photograph(16, 16))
    save(tmp_path / "in/b.png", np.zeros((12000, 12000), np.uint8), compress_level=1)
    program = (
        "import resource, sys\n"
        "from optcodec.cli import main\n"
        "import PIL.Image, optcodec, numpy as np\n"
        "optcodec.encode(np.zeros((16, 16, 3), np.uint8)); optcodec.encode(np.zeros((16, 16), np.uint8))\n"
        "size = int(open('/proc/self/statm').read().split()[0]) * resource.getpagesize() + (100 << 20)\n"
        "resource.setrlimit(resource.RLIMIT_AS, (size, size))\n"
        f"main(['encode', {str(tmp_path / 'in')!r}, '-o', {str(tmp_path / 'out')!r}, '--threads', '1'])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    lines = [line for line in done.stderr.splitlines() if not line.startswith("optcodec: compiling")]
    assert lines == ["Error: 1 of 2 files failed:", f"  {tmp_path / 'in/b.png'}: there is not enough memory for it"]
    assert done.returncode == 1
    assert [path.name for path in (tmp_path / "out").iterdir()] == ["a.jpg"]
