"""What the commands say of themselves: short and whole help, examples, and answers to wrong guesses."""

from __future__ import annotations

import shlex
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from optcodec.cli import main as optcodec
from optcodec.console import help as verb_help
from optcodec.console.verbs import Verbs
from restore.cli import main as restore
from tests.cli_helpers import photograph, run, save

ENCODE = optcodec.get_command(click.Context(optcodec), "encode")


def options_of(group: Verbs) -> dict[str, set[str]]:
    """The options of each verb."""
    context = click.Context(group)
    verbs = {name: group.get_command(context, name) for name in group.names}
    return {
        name: {text for option in verb.params for text in option.opts + option.secondary_opts}
        for name, verb in verbs.items()
    }


def shown(*arguments: str) -> list[str]:
    """First words of the lines of a help that begin with an option."""
    lines = run(*arguments).stdout.partition("\nOptions:\n")[2].splitlines()
    return [line.split()[0].rstrip(",") for line in lines if line.startswith("  -") and line[3] != " "]


def test_help_shows_the_options_that_people_use_first() -> None:
    first = shown("encode", "--help")
    assert 10 <= len(first) <= 14
    assert first[:3] == ["-o", "-q", "--max-bytes"]
    assert shown("encode", "-h") == first
    text = run("encode", "--help").stdout
    every = shown("encode", "--help-all")
    assert f"{len(every) - len(first)} more options: main encode --help-all" in " ".join(text.split())


def test_the_whole_help_shows_every_option_once() -> None:
    every = shown("encode", "--help-all")
    assert len(every) == len(set(every))
    spelled = {name for option in ENCODE.params if isinstance(option, click.Option) for name in option.opts}
    assert set(every) <= spelled | {"-h"}
    assert len(every) == sum(isinstance(option, click.Option) for option in ENCODE.params) + 1  # and --help
    sections = [
        line for line in run("encode", "--help-all").stdout.splitlines() if line.endswith(":") and line[0] != " "
    ]
    assert sections == ["Options:", "More options:", "Expert options:", "Examples:"]


def test_other_verbs_have_all_options_in_one_help() -> None:
    result = run("verify", "--help")
    assert "--help-all" not in result.stdout
    assert "Expert options:" in result.stdout


@pytest.mark.parametrize("line", [line for line, _ in ENCODE.examples])
def test_the_examples_can_be_run(line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for name in ("photo.png", "old.jpg", "photos/a.png"):
        save(tmp_path / name, photograph(24, 32))
    Path("classifier.onnx").touch()  # a dry run opens no network
    result = run("encode", *shlex.split(line), "--dry-run")
    assert result.exit_code == 0, result.output
    assert "1 file would be written" in result.stdout


@pytest.mark.parametrize(
    ("guess", "meant"),
    [("--size", "--max-bytes"), ("--jobs", "--threads"), ("-j", "--threads"), ("--overwrite", "--force"),
     ("--outdir", "--output"), ("--model", "--network"), ("--qualty", "--quality"), ("--psnr-min", "--psnr")],
)  # fmt: skip
def test_a_wrong_guess_is_answered_with_the_option(guess: str, meant: str) -> None:
    result = run("encode", "a.png", guess, "3")
    assert result.exit_code == 2
    assert f"No such option '{guess}'" in result.stderr
    assert f"'{meant}'" in result.stderr


def test_a_guess_that_nobody_meant_is_answered_without_a_proposal() -> None:
    result = run("encode", "a.png", "--zzzzzzzz")
    assert (result.exit_code, result.stderr.splitlines()[-1]) == (2, "Error: No such option '--zzzzzzzz'.")


@pytest.mark.parametrize(
    ("group", "guess", "meant"),
    [(optcodec, "encod", "encode"), (optcodec, "compress", "encode"), (optcodec, "info", "inspect"),
     (restore, "denoise", "run"), (restore, "trian", "train"),
     (optcodec, "restore", "restore run"), (optcodec, "decode", "restore run"), (optcodec, "run", "restore run"),
     (restore, "encode", "optcodec encode"), (restore, "info", "optcodec inspect"),
     (optcodec, "photo.png", "encode photo.png"), (restore, "old.jpg", "run old.jpg"), (optcodec, "x" * 5000 + ".png",
     f"encode {'x' * 5000}.png")],
)  # fmt: skip
def test_a_wrong_verb_is_answered_with_the_verb(group: Verbs, guess: str, meant: str) -> None:
    result = CliRunner().invoke(group, [guess, "a.png"])
    assert result.exit_code == 2
    assert result.stderr.splitlines()[-1] == f"Error: No such command '{guess}'. Did you mean '{meant}'?"


def test_a_folder_in_place_of_a_verb(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("pictures").mkdir()
    assert run("pictures").stderr.splitlines()[-1] == (
        "Error: No such command 'pictures'. Did you mean 'encode pictures'?"
    )
    assert "Did you mean" not in run("x" * 5000).stderr


@pytest.mark.parametrize(("group", "verbs"), [(optcodec, []), (optcodec, ["blocks"]), (restore, [])])
def test_every_verb_says_in_one_line_what_it_does(group: Verbs, verbs: list[str]) -> None:
    """In a terminal of 80 columns nothing is cut off."""
    text = CliRunner().invoke(group, [*verbs, "--help"], terminal_width=80).stdout
    lines = [line.strip() for line in text.partition("\nCommands:\n")[2].splitlines()]
    assert [line for line in lines if not line.endswith(".") or line.endswith("...")] == []
    assert len(lines) == (len(group.names) if not verbs else 3)


def test_a_verb_that_nobody_meant() -> None:
    result = run("zzzzzz")
    assert (result.exit_code, "Did you mean" in result.stderr) == (2, False)


def test_all_proposals_exist() -> None:
    """Each proposal is an option of a verb, each guess leads to it there, and no guess is listed twice."""
    by_verb = [*options_of(optcodec).values(), *options_of(restore).values()]
    guesses = [guess for several in verb_help._MEANT for guess in several]
    assert len(guesses) == len(set(guesses))
    for several, spelled in verb_help._MEANT.items():
        for name in spelled:
            having = [options for options in by_verb if name in options]
            assert having, name
        for guess in several:
            missing = [options for options in by_verb if spelled[0] in options and guess not in options]
            for options in missing:
                assert verb_help.meant_options(guess, options) == [spelled[0]]
    verbs = {*optcodec.names, *restore.names}
    assert set(verb_help._MEANT_VERBS.values()) <= verbs
