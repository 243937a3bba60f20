"""``restore hint``: leave in JPEG files what makes the pictures better that their receiver restores."""

from __future__ import annotations

import math
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec import InvalidInputError
from optcodec.console.dry_run import dry_run_option, print_plan
from optcodec.console.files import (
    IMAGE_SUFFIXES,
    JPEG_SUFFIXES,
    InputPath,
    OutputPath,
    Source,
    check_jpeg_name,
    find_images,
    goes_to_folder,
    output_paths,
)
from optcodec.console.many import Done, failure_records, notice_count, process_files, report_failures
from optcodec.console.options import max_pixels_option
from optcodec.console.show import columns, count, json_option, print_json
from optcodec.console.streams import STREAM, check_stdout, output_file, read_bytes

if TYPE_CHECKING:
    from restore.runtime.models import Model

__all__ = ["command"]


@click.command(short_help="Tell the receiver of JPEG files how to restore them better.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=InputPath())
@click.option(
    "--originals",
    required=True,
    type=click.Path(path_type=Path, exists=True),
    help="The picture that a JPEG file was made from; for several, a folder with files of the same names but for the "
    "suffix.",
)
@click.option("-o", "--output", required=True, type=OutputPath(), help="Output file, - for stdout, or a folder for "
              "several inputs.")  # fmt: skip
@click.option("--model", default="default", show_default=True, metavar="NAME|FILE", help="The model that will restore "
              "the files: name of a shipped one, or the .json file of another one.")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Maximum number of threads.  [default: all cores]")
@max_pixels_option
@dry_run_option
@click.option("--force", is_flag=True, help="Replace inputs.")
@json_option
def command(inputs: tuple[Path, ...], output: Path, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Leave a hint in JPEG files for "restore run": a few numbers with which it comes nearer to the originals.

    An INPUT is a JPEG file of any encoder, a folder (all JPEG files below it), or - for stdin. The hint takes 16 bytes
    in a gray file and 26 in others; what other decoders see of the file stays as it is. It holds for the model that it
    was made for, as long as the coefficients stay. A file that no hint makes better is written without one.
    """
    check_jpeg_name(output if not output.is_dir() else None)
    sources = find_images(inputs, JPEG_SUFFIXES)
    several = goes_to_folder(sources, inputs, output)
    targets = output_paths(sources, output, suffix=".jpg", folder=several, force=options["force"])
    paths = [source.path for source in sources]
    if dry_run:
        print_plan(list(zip(paths, targets, strict=True)), as_json=as_json)
        return
    if targets == [STREAM]:
        check_stdout(as_json=as_json)

    from restore.runtime.models import load_model

    model = load_model(options["model"], threads=options["threads"])

    def work(index: int) -> Done:
        original = _original_of(sources[index], options["originals"], several=several)
        record = _hint(paths[index], original, targets[index], model, options["max_pixels"])
        names = {"input": str(paths[index]), "original": str(original), "output": str(targets[index])}
        return Done(names | record, tuple(record["notices"]))

    records, failures = process_files(paths, work, workers=1, label="hint")
    if as_json:
        result = {"model": model.name, "files": records, "failures": failure_records(failures)}
        print_json(result | {"notices": notice_count(records)})
    elif records and targets != [STREAM]:
        _print(records)
    report_failures(failures, len(paths))


def _original_of(source: Source, originals: Path, *, several: bool) -> Path:
    """The picture that a file was made from."""
    if not originals.is_dir():
        if several:
            raise InvalidInputError(f"--originals {originals} is one picture; expected a folder for several files")
        return originals
    folder, stem = originals / source.name.parent, source.name.stem
    same = [path for path in folder.glob("*") if path.stem == stem and path.suffix.lower() in IMAGE_SUFFIXES]
    if len(same) != 1:
        found = " and ".join(sorted(path.name for path in same)) or "none"
        raise InvalidInputError(f"expected one original named {stem} with any suffix in {folder}, found {found}")
    return same[0]


def _hint(path: Path, original: Path, target: Path, model: Model, max_pixels: int | None) -> dict[str, Any]:
    """Write one file with its hint, and return its record."""
    from optcodec import load_picture
    from restore.runtime.hinting import hinted

    data, pixels = read_bytes(path), load_picture(original, max_pixels=max_pixels).pixels
    notices: list[str] = []
    result = hinted(data, pixels, model, max_pixels=max_pixels, notify=notices.append)
    with output_file(target) as file:
        file.write(result.data)
    hint = None if result.hint is None else asdict(result.hint)
    psnr = {f"psnr_{name}": _psnr(error) for name, error in (("before", result.before), ("after", result.after))}
    return {"hint": hint, "nbytes_before": len(data), "nbytes": len(result.data), **psnr, "notices": notices}


def _psnr(error: float) -> float | None:
    """PSNR in dB of a mean squared error; None for equal pictures."""
    return round(10 * math.log10(255**2 / error), 3) if error else None


def _print(records: list[dict[str, Any]]) -> None:
    """A table of the files that were written, and a line about all of them."""
    rows = [
        (file["output"], f"{file['nbytes']:,}", *(_decibels(file[f"psnr_{name}"]) for name in ("before", "after")))
        for file in records
    ]
    click.echo(columns(("file", "bytes", "restored, dB", "with the hint"), rows))
    helped = sum(file["hint"] is not None for file in records)
    click.echo(f"{count(helped, 'file')} of {len(records)} with a hint")


def _decibels(psnr: float | None) -> str:
    return "equal" if psnr is None else f"{psnr:.2f}"
