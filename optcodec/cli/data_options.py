"""Options of ``optcodec encode`` for data sets: names, other files, the manifest, and checks of what was coded."""

from __future__ import annotations

from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Literal

import click

from optcodec.batch.names import SUFFIX_RULES, SuffixRule
from optcodec.batch.places import digest, place_of
from optcodec.console.files import note_folder
from optcodec.console.help import ExpertOption
from optcodec.console.options import with_options
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages

__all__ = ["DataOptions", "changing_options", "data_options", "places", "sources_argument"]

# Options that change neither a file nor its row: a job may go on with others.
_FREE = {
    *("inputs", "output", "threads", "as_json", "manifest", "resume", "force", "dry_run", "compare", "show"),
    *("keep_times", "verify", "max_pixels", "engine", "address", "gpus"),
}


def places(ctx: click.Context, option: click.Parameter, value: Any) -> Any:
    """Turn the text of a path or URL, or several of them, into places; a callback of an option."""
    if value is None:
        return None
    if option.name == "output":
        note_folder(ctx, value)
    return tuple(map(place_of, value)) if isinstance(value, tuple) else place_of(value)


# What `optcodec.batch.sources.find` takes.
sources_argument = click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", callback=places)


@dataclass(frozen=True)
class DataOptions:
    """The values of `data_options`.

    Parameters
    ----------
    suffix : {"keep", "number"}, optional
        As of `optcodec.batch.names.output_names`.
    other : {"copy", "skip"}, optional
        What becomes of files that are no pictures; by default those of folders are skipped, those of tar files copied.
    manifest : Path, optional
        Where rows are written.
    resume, verify, psnr, shared_tables : bool
        Whether to go on with the manifest, to decode each coded file, to measure it, and to design one set of tables.
    kl : str, optional
        The network by which coded files are measured.
    """

    suffix: SuffixRule | None
    other: Literal["copy", "skip"] | None
    manifest: Path | None
    resume: bool
    verify: bool
    psnr: bool
    shared_tables: bool
    kl: str | None

    @classmethod
    def of(cls, options: dict[str, Any], *, as_json: bool) -> DataOptions:
        """Check the options of the verb.

        Raises
        ------
        InvalidInputError
            If one would have no effect, or a package for it is missing.
        """
        chosen = cls(**{each.name: options[each.name] for each in fields(cls)})
        if chosen.resume and chosen.manifest is None:
            raise InvalidInputError("--resume goes on with a manifest; expected --manifest FILE")
        for option in [name for name in ("psnr", "kl") if options[name]]:
            if chosen.manifest is None and not as_json:
                raise InvalidInputError(f"--{option} is written to a manifest or to --json; expected --manifest FILE")
        if chosen.parquet is not None:
            require_packages("pyarrow.parquet")
        return chosen

    @property
    def parquet(self) -> Path | None:
        """The Parquet file that the rows go to in the end, if there shall be one."""
        return self.manifest if self.manifest and self.manifest.suffix.lower() == ".parquet" else None

    @property
    def lines(self) -> Path | None:
        """The file that rows are written to as they come."""
        return self.manifest if self.parquet is None else self.parquet.with_suffix(".jsonl")

    @property
    def written(self) -> list[Path]:
        """The files of the manifest."""
        return [path for path in (self.lines, self.parquet) if path is not None]


_MEASURES = (
    click.option(
        "--psnr",
        cls=ExpertOption,
        is_flag=True,
        help="Write the PSNR of each coded file to the manifest, and to --json.",
    ),
    click.option(
        "--kl",
        cls=ExpertOption,
        metavar="MODEL[@WEIGHTS]",
        help="Write the divergence of what a classifier gives for each coded file from what it gives for the "
        "picture (Kullback-Leibler, in nats) to the manifest, and to --json: a network as for --network, after @ "
        "its weights. It only measures; --network makes files for a network.",
    ),
)


def data_options(function: Any) -> Any:
    """Add the options for data sets to a command."""
    return with_options(
        function,
        click.option(
            "--suffix",
            type=click.Choice(SUFFIX_RULES),
            help="Names in an output folder, such as of a.png beside a.jpg. keep: append .jpg to names that do not end "
            "like a JPEG file (a.png.jpg). number: a.jpg, a-2.jpg.  [default: replace the suffix by .jpg, and refuse "
            "two files of one name]",
        ),
        click.option(
            "--other",
            type=click.Choice(["copy", "skip"]),
            help="Files that are no pictures.  [default: skip those of folders, copy those of tar files]",
        ),
        click.option(
            "--shared-tables",
            is_flag=True,
            help="Design one set of tables for all inputs first, for the target or -q, then encode them with it.",
        ),
        click.option(
            "--manifest",
            type=click.Path(path_type=Path, dir_okay=False),
            metavar="FILE",
            help="Write a line of JSON for each file as soon as it is done: source, sizes, hashes, error and more. "
            "For a name in .parquet, lines go to a .jsonl file beside it, which becomes a Parquet file in the end.",
        ),
        click.option(
            "--resume",
            is_flag=True,
            help="Go on with the manifest: leave out files that it says are done and whose sizes and hashes are right.",
        ),
        click.option("--verify", is_flag=True, help="Decode each coded file, twice, before it is put in its place."),
        *_MEASURES,
    )


def changing_options(ctx: click.Context) -> dict[str, Any]:
    """The options that are set and change what is written, by how they are spelled; of files, also their hash."""
    spelled = {parameter.name: max(parameter.opts, key=len) for parameter in ctx.command.params}
    chosen = {spelled[name]: _plain(value) for name, value in ctx.params.items() if name not in _FREE}
    return {name: value for name, value in chosen.items() if value not in (None, False, [])}


def _plain(value: Any) -> Any:
    """A value as JSON can hold it."""
    if isinstance(value, (tuple, list)):
        return [_plain(each) for each in value]
    if isinstance(value, (str, Path)) and Path(value).is_file():
        known = digest(Path(value))
        return {"file": str(value), "sha256": None if known is None else known[1]}
    return str(value) if isinstance(value, Path) else value
