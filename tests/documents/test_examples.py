"""Every code block of every page runs: Python, command lines, C; and what takes an hour is a command on record.

The blocks of a page run one after another in a folder of their own, with some pictures and networks in it. A block of
Python whose first line is a comment with the name of a file, such as ``# mine.py``, is that file for the others.
"""

from __future__ import annotations

import json
import re
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path

import click
import pytest
from click.testing import CliRunner
from skimage import data

import optcodec.cli
import restore.cli
from optcodec.accuracy.statistics import summarize
from restore.training.recipe import shipped_recipes
from tests.batch.s3 import s3_bucket, s3_server
from tests.cli_helpers import save
from tests.documents.pages import PAGES, ROOT, Block, blocks_of
from tests.synthetic_rows import synthetic_rows

VERBS = ("encode", "design", "inspect", "compare", "sensitivity", "accuracy", "verify", "fit", "rates", "plot")
PROGRAMS = {"optcodec": optcodec.cli.main, "restore": restore.cli.main}
PICTURES = ("photo.png", "old.jpg", "noisy.png", "small.png", "photos/photo.png", "photos/second.png", "out/a.jpg")
BUCKET = "s3://"
OTHERS_WARN = pytest.mark.filterwarnings("ignore")  # the clients of Amazon S3
WITH_EXAMPLES = [
    pytest.param(page, marks=OTHERS_WARN if BUCKET in PAGES[page] else ()) for page in PAGES if blocks_of(page)
]


def run_python(block: Block) -> None:
    name = re.match(r"# ([\w/]+\.\w+)\n", block.text)
    if name is not None:
        Path(name[1]).write_text(block.text, "utf-8")
    exec(compile(block.text, block.where, "exec"), {"__name__": "example"})


def run_commands(block: Block) -> None:
    for line in block.lines:
        command, _, output = line.partition(" > ")
        program, *arguments = shlex.split(command)
        result = CliRunner().invoke(PROGRAMS[program], arguments)
        assert result.exit_code == 0, f"{block.where}: {line}: {result.output} {result.exception!r}"
        if output:
            Path(output).write_text(result.stdout, "utf-8")


def compile_c(block: Block) -> None:
    """Compile against the headers of the system; tables.h is what the commands before have made."""
    compiler = shutil.which("cc")
    headers = [f"/usr/include/{name}" for name in ("jpeglib.h", "linux/videodev2.h")]
    if compiler is None or not all(Path(header).exists() for header in headers):
        pytest.skip(f"no C compiler, or none of {headers}")
    before = "#include <stddef.h>\n#include <stdio.h>\n#include <sys/ioctl.h>\n"
    before += "".join(f"#include <{header.removeprefix('/usr/include/')}>\n" for header in headers)
    # controls that the headers of the mainline kernel do not name
    controls = [f"-DV4L2_CID_JPEG_{each}_QUANTIZATION=1" for each in ("LUMA", "CHROMA")]
    checks = ["-Wall", "-Werror", "-Wno-unused-function", "-fsyntax-only"]
    command = [compiler, *checks, *controls, "-I.", "-x", "c", "-"]
    subprocess.run(command, input=before + block.text, text=True, check=True)


def check_shell(block: Block) -> None:
    """Lines for a shell install, or take long: what they name is there, and benchmarks are commands on record."""
    for line in block.lines:
        for command in line.split(" && "):
            words = [word for word in shlex.split(command) if not re.fullmatch(r"[A-Z_]+=\w+", word)]
            assert words[0] in CHECKS, f"{block.where}: {command}"
            CHECKS[words[0]](words[1:])


def check_installed(words: list[str]) -> None:
    extras = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["optional-dependencies"]
    named = re.fullmatch(r"(?:optcodec|\.)\[([\w,]+)\]", words[-1])
    assert words[0] == "install"
    assert words[-1] == "optcodec" or (named is not None and set(named[1].split(",")) <= set(extras)), words


def check_module(words: list[str]) -> None:
    assert words[0] == "-m"
    assert find_spec(words[1]) is not None, words
    if words[1].startswith("benchmarks.") and words[1] != "benchmarks.accuracy.tables":
        results = [json.loads(path.read_text()) for path in (ROOT / "benchmarks/results").glob("*.json")]
        commands = {line for each in results for line in (each.get("command"), *each.get("earlier_commands", []))}
        assert " ".join(["python", *words]) in commands


def check_run_elsewhere(words: list[str]) -> None:
    """The demo runs in CI, as the README says it; what needs a cluster has options that there are.

    `tests/batch/test_cluster.py` runs what needs nothing else than a cluster.
    """
    if words != ["demo"]:
        assert " ".join(words).count(" --engine ray --address ") == 1, words
        main = optcodec.cli.main
        _, command, arguments = main.resolve_command(click.Context(main), words)
        assert command is not None
        command.make_parser(click.Context(command)).parse_args(arguments)


def check_training(words: list[str]) -> None:
    """Trainings take hours or weeks: their options are read, and their recipes are there."""
    assert words[0] in ("train", "compress", "caution"), words
    _, command, arguments = restore.cli.main.resolve_command(click.Context(restore.cli.main), words)
    assert command is not None
    options, _, _ = command.make_parser(click.Context(command)).parse_args(arguments)
    assert options.get("recipe") in (None, *shipped_recipes())


def check_files(words: list[str]) -> None:
    for word in words:
        assert word.startswith("-") or (ROOT / word).exists(), word


CHECKS: dict[str, Callable[[list[str]], None]] = {
    "pip": check_installed,
    "python": check_module,
    "pytest": check_files,
    "optcodec": check_run_elsewhere,
    "restore": check_training,
    **dict.fromkeys(("source", "ruff", "mypy", "lint-imports", "sphinx-build"), lambda words: None),  # CI runs these
}
RUNNERS: dict[str, Callable[[Block], None]] = {
    "python": run_python,
    "console": run_commands,
    "c": compile_c,
    "bash": check_shell,
}


@pytest.fixture(scope="module")
def files(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with pictures, networks and a result."""
    folder = tmp_path_factory.mktemp("files")
    for name in PICTURES:
        top = 40 if "second" in name else 100
        save(folder / name, data.coffee()[top : top + 64, 200:280])
    tiny_weights(folder / "weights.safetensors")
    tiny_weights(folder / "mobilenet_v2.safetensors", "mobilenet_v2")
    measured = {"model": "a network", "subsampling": "4:4:4", **summarize(synthetic_rows({"jpeg": 1, "opts": 0.8}))}
    (folder / "result.json").write_text(json.dumps(measured))
    return folder


@pytest.fixture
def place(files: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder with these files, where examples run; modules that they make there are forgotten again."""
    shutil.copytree(files, tmp_path, dirs_exist_ok=True)
    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    yield tmp_path
    for name, module in list(sys.modules.items()):
        if str(getattr(module, "__file__", None)).startswith(str(tmp_path)):
            del sys.modules[name]


def tiny_weights(path: Path, name: str = "squeezenet1_1") -> None:
    """A file of random weights of a network of torchvision."""
    import safetensors.torch
    import torch
    from torchvision import models

    torch.manual_seed(0)
    safetensors.torch.save_file(models.get_model(name).state_dict(), path)


@pytest.fixture
def without_ray() -> Iterator[None]:
    """Ends the Ray that an example has started on this machine."""
    yield
    if "ray" in sys.modules:
        sys.modules["ray"].shutdown()


@pytest.mark.parametrize("page", WITH_EXAMPLES)
@pytest.mark.usefixtures("without_ray")
def test_examples_run(page: str, place: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    del place
    blocks = blocks_of(page)
    if not any(BUCKET in block.text for block in blocks):
        run_all(blocks)
        return
    pytest.importorskip("s3fs")
    pytest.importorskip("moto.server")
    with s3_server(monkeypatch), s3_bucket() as bucket:
        bucket.put(["photos/photo.png", "photos/second.png"], "bucket/photos/")
        run_all(blocks)


def run_all(blocks: list[Block]) -> None:
    for block in blocks:
        assert block.language in RUNNERS, f"{block.where}: a block in {block.language or 'no language'} is not run"
        RUNNERS[block.language](block)


def test_there_are_examples_of_everything() -> None:
    blocks = [block for page in PAGES for block in blocks_of(page)]
    assert sum(block.language == "python" for block in blocks) >= 7
    verbs = {" ".join(line.split()[:2]) for block in blocks if block.language == "console" for line in block.lines}
    assert {f"optcodec {verb}" for verb in (*VERBS, "blocks")} <= verbs
    assert {"restore run", "restore evaluate", "restore pipeline"} <= verbs


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("python", "assert False"),
        ("console", "optcodec encode nothing.png"),
        ("c", "int main(void) { return missing; }"),
        ("bash", "pip install 'optcodec[nothing]'"),
        ("bash", "python -m benchmarks.speed.speed --rounds 62"),
        ("bash", "rm -r photos"),
        ("bash", "optcodec encode photos -o coded"),
        ("bash", "restore run photo.jpg -o photo.png"),
        ("bash", "restore train nothing -o RUN"),
        ("bash", "restore compress RUN/network.safetensors -o ROUTE --recipe nothing"),
        ("bash", "optcodec encode photos -o coded --engine ray --address 10.0.0.1:6379 --nothing"),
        ("text", "whatever"),
    ],
)
def test_a_wrong_example_is_found(language: str, text: str, place: Path) -> None:
    with pytest.raises((AssertionError, subprocess.CalledProcessError, click.UsageError)):
        run_all([Block(language, text + "\n", "here")])


def test_the_two_commands_come_first() -> None:
    assert next(block for block in blocks_of("README.md") if block.language == "bash").lines == [
        "pip install '.[demo]' && optcodec demo",
        "pip install '.[test]' && pytest",
    ]
