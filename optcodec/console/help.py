"""What a verb tells about itself: its options by how often they are wanted, and the option that a wrong guess meant."""

from __future__ import annotations

import difflib
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path, PurePath
from typing import Any

import click

__all__ = ["ExpertOption", "GroupedCommand", "meant_options", "meant_verbs"]

# What people call options elsewhere, and how they are spelled here; of several, the first that the verb has.
_MEANT = {
    ("--size", "--max-size", "--target-size", "--file-size", "--filesize", "--bytes", "--kb"): ("--max-bytes",),
    ("--bitrate", "--rate", "--bits"): ("--bpp",),
    ("--psnr", "--min-psnr", "--target-psnr"): ("--match-psnr",),
    ("--ssim", "--min-ssim", "--target-ssim"): ("--match-ssim",),
    ("--jobs", "--cores", "--cpus", "--processes", "-j", "--workers", "--threads"): ("--threads", "--workers"),
    ("--overwrite", "--replace", "--yes", "--clobber", "-y", "-f"): ("--force",),
    ("--out", "--output-dir", "--outdir", "--out-dir", "--dest", "--destination", "--to"): ("--output",),
    ("--sampling", "--chroma", "--chroma-subsampling", "--sampling-factor"): ("--subsampling", "--setting"),
    ("--model", "--network", "--net", "--dnn"): ("--network", "--model", "--receiver"),
    ("--optimize", "--optimise", "--preset", "--speed", "--level", "-e"): ("--effort",),
    ("--strip-metadata", "--no-metadata", "--no-exif"): ("--strip",),
    ("--keep-metadata", "--exif", "--icc"): ("--metadata",),
    ("--simulate", "--preview", "--what-if", "--test"): ("--dry-run",),
    ("--resize", "--scale", "--max-side", "--width", "--height"): ("--short-side",),
    ("--metric", "--metrics", "--measures", "--quality-measure"): ("--measure",),
    ("--encoder", "--encoders", "--codec", "--method", "--methods"): ("--sender", "--methods", "--method"),
    ("--denoise", "--noise"): ("--sigma",),
    ("--min-quality", "--jpeg-quality", "--qualities"): ("--quality", "--qualities"),
    ("--continue", "--restart"): ("--resume",),
    ("--log",): ("--manifest",),
    ("--html", "--page", "--previews", "--before-after"): ("--compare",),
}
_MEANT_VERBS = {
    ("compress", "optimize", "optimise", "convert", "transcode", "shrink", "save"): "encode",
    ("tables", "table"): "design",
    ("info", "show", "identify"): "inspect",
    ("diff", "metrics", "psnr"): "compare",
    ("restore", "denoise", "deblock", "decode"): "run",
    ("profile",): "sensitivity",
    ("benchmark", "bench"): "rates",
    ("test",): "verify",
    ("draw", "figure"): "plot",
}
_PROGRAMS = {"run": "restore"}  # of verbs that optcodec does not have


class ExpertOption(click.Option):
    """An option that ``--help`` shows under "Expert options", after the common ones."""


class GroupedCommand(click.Command):
    """A verb whose help has sections.

    Parameters
    ----------
    first : sequence of str
        Options that people use first, in the order of the help, as they are spelled. If there are any, ``--help`` shows
        only these, and ``--help-all`` shows all of them.
    examples : sequence of (str, str)
        Command lines, without the name of the program, and what they do.
    """

    def __init__(
        self, *arguments: Any, first: Sequence[str] = (), examples: Sequence[tuple[str, str]] = (), **options: Any
    ) -> None:
        super().__init__(*arguments, **options)
        self.first, self.examples = tuple(first), tuple(examples)
        if first:
            about = "Show all options."
            everything = click.Option(
                ["--help-all"], is_flag=True, is_eager=True, expose_value=False, help=about, callback=_print_help_all
            )
            self.params.append(everything)

    def format_options(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        first, more, expert = self.sections(ctx)
        whole = bool(ctx.meta.get(_WHOLE)) or not self.first
        _write(formatter, ctx, "Options", first)
        if whole:
            _write(formatter, ctx, "More options", more)
            _write(formatter, ctx, "Expert options", expert)
        if self.examples:
            with formatter.section("Examples"):
                for line, about in self.examples:
                    formatter.write_text(f"{about}:")
                    formatter.indent()
                    formatter.write(f"{'':{formatter.current_indent}}{ctx.command_path} {line}\n")
                    formatter.dedent()
        if not whole:
            formatter.write_paragraph()
            formatter.write_text(f"{len(more) + len(expert)} more options: {ctx.command_path} --help-all")

    def sections(self, ctx: click.Context) -> tuple[list[click.Option], ...]:
        """Options that are used first, other common ones, and those for experts."""
        options = [each for each in self.get_params(ctx) if isinstance(each, click.Option)]
        expert: list[click.Option] = [each for each in options if isinstance(each, ExpertOption)]
        common = [each for each in options if not isinstance(each, ExpertOption)]
        if not self.first:
            return common, [], expert
        by_name = {name: each for each in common for name in each.opts}
        first = [by_name[name] for name in (*self.first, "--help-all", "--help")]
        return first, [each for each in common if each not in first], expert


_WHOLE = "optcodec.console.help.whole"


def _print_help_all(ctx: click.Context, option: click.Parameter, value: bool) -> None:
    """Print all options, and end."""
    if value:
        ctx.meta[_WHOLE] = True
        click.echo(ctx.get_help())
        ctx.exit()


def _write(formatter: click.HelpFormatter, ctx: click.Context, title: str, options: Sequence[click.Parameter]) -> None:
    """Write one section, if there is anything in it."""
    records = [record for option in options if (record := option.get_help_record(ctx)) is not None]
    if records:
        with formatter.section(title):
            formatter.write_dl(records)


def meant_options(guess: str, known: Iterable[str]) -> list[str]:
    """Options that somebody meant who wrote another one.

    Parameters
    ----------
    guess : str
        An option that the verb does not have.
    known : iterable of str
        Those that it has.
    """
    options = list(known)
    for guesses, spelled in _MEANT.items():
        if guess in guesses and (here := [name for name in spelled if name in options]):
            return here[:1]
    return difflib.get_close_matches(guess, options)


def meant_verbs(guess: str, known: Sequence[str]) -> list[str]:
    """Verbs that somebody meant who wrote another one, or the name of a file; parameters as of `meant_options`.

    A verb of the other program has its name in front.
    """
    for guesses, verb in _MEANT_VERBS.items():
        if guess in guesses or guess == verb:
            return [verb if verb in known else f"{_PROGRAMS.get(verb, 'optcodec')} {verb}"]
    if _is_file(guess):
        return [f"{verb} {guess}" for verb in ("encode", "run") if verb in known]
    return difflib.get_close_matches(guess, known)


def _is_file(guess: str) -> bool:
    """Whether a word is the name of a file or folder: one that is there, or could be by its suffix."""
    with suppress(OSError, ValueError):  # a name that no file can have
        return bool(PurePath(guess).suffix) or Path(guess).exists()
    return False
