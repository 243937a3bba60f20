"""``restore run``: restore JPEG files and write the results as PNG or JPEG files."""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

import click

from optcodec import InvalidInputError
from optcodec.console.about import about
from optcodec.console.compare import before_and_after, check_compare, compare_options
from optcodec.console.dry_run import dry_run_option, print_plan
from optcodec.console.files import (
    IMAGE_SUFFIXES,
    JPEG_SUFFIXES,
    InputPath,
    OutputPath,
    find_images,
    goes_to_folder,
    output_paths,
)
from optcodec.console.many import Done, failure_records, notice_count, process_files, report_failures
from optcodec.console.options import max_pixels_option, orient_option, reading_of, reading_options
from optcodec.console.page import write_page
from optcodec.console.show import columns, count, json_option, print_json
from optcodec.console.streams import STREAM, check_stdout, is_stdout, output_file, read_bytes

if TYPE_CHECKING:
    from restore.runtime.earlier import EarlierCoding
    from restore.runtime.infer import Source
    from restore.runtime.models import Model
    from restore.runtime.settings import Settings

__all__ = ["command"]

# The bytes of a file, and a list for notices, to what is to be restored, how, and what --json says of it.
Loader: TypeAlias = "Callable[[bytes, list[str]], tuple[Source, Settings, dict[str, Any]]]"

_SUFFIXES = {"png": ".png", "jpeg": ".jpg"}
_FORMATS = {".png": "png"} | dict.fromkeys(JPEG_SUFFIXES, "jpeg")
_QUALITY = 95


def _sigma_or_auto(ctx: click.Context, option: click.Parameter, text: str | None) -> float | str | None:
    """Parse --sigma."""
    if text is None or text == "auto":
        return text
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number <= 255:
        raise click.BadParameter(f"expected a standard deviation of 0..255, or auto, got {text!r}")
    return number


def _quality_or_auto(ctx: click.Context, option: click.Parameter, text: str | None) -> int | str | None:
    """Parse --as-quality."""
    if text is None or text == "auto":
        return text
    if text.isascii() and text.isdigit() and 1 <= int(text) <= 100:
        return int(text)
    raise click.BadParameter(f"expected a quality of 1..100, or auto, got {text!r}")


@click.command(short_help="Decode JPEG files, and take back errors of their coding.")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=InputPath())
@click.option("-o", "--output", required=True, type=OutputPath(), help="Output file, - for stdout, or a folder for "
              "several inputs.")  # fmt: skip
@click.option("--format", "file_format", type=click.Choice(list(_SUFFIXES)), help="File format of the output.  "
              "[default: by the suffix of the output, or png]")  # fmt: skip
@click.option("-q", "--quality", type=click.IntRange(1, 100), help=f"Quality of JPEG output.  [default: {_QUALITY}]")
@click.option("--model", metavar="NAME|FILE", help="Name of a shipped model, or the .json file of another one.  "
              "[default: default; with --sigma, noise]")  # fmt: skip
@click.option("--project/--no-project", default=True, help="Clip restored luminance, and chrominance where it is not "
              "subsampled, to the quantization intervals of the file.  [default: project]")  # fmt: skip
@click.option("--for", "reader", type=click.Choice(["people", "dnn"]), default="people", show_default=True,
              help="Who sees the pictures: people, or a network, which reads them best with less change.")  # fmt: skip
@click.option("--strength", type=click.FloatRange(0, 1), help="Share of the change that is made; 0: the decoded image. "
              "[default: 1; for dnn 0.5, or 0.25 of files that are hardly coarse]")  # fmt: skip
@click.option("--as-quality", callback=_quality_or_auto, metavar="1..100|auto", help="Restore the errors of an earlier "
              "coding, too, at this quality; auto: find it in the coefficients.")  # fmt: skip
@click.option("--as-tables", type=click.Path(path_type=Path), metavar="FILE", help="Restore the errors of an earlier "
              "coding, too, with the tables of this file.")  # fmt: skip
@click.option("--sigma", callback=_sigma_or_auto, metavar="0..255|auto", help="Inputs are decoded pictures of "
              "any format, with noise of this standard deviation in luminance; auto: estimate it.")  # fmt: skip
@click.option("--hint/--no-hint", default=True, help="Use the hint that \"restore hint\" left in a file for the "
              "model.  [default: hint]")  # fmt: skip
@click.option("--threads", type=click.IntRange(1), help="Maximum number of threads.  [default: all cores]")
@orient_option
@reading_options
@max_pixels_option
@dry_run_option
@click.option("--force", is_flag=True, help="Replace inputs.")
@compare_options
@json_option
def command(inputs: tuple[Path, ...], output: Path, dry_run: bool, as_json: bool, **options: Any) -> None:
    """Decode JPEG files, and reduce the errors of their quantization with a neural network.

    An INPUT is a JPEG file, a folder (all JPEG files below it), or - for stdin. The output is PNG or JPEG. A PNG file
    keeps the ICC profile, Exif and XMP, a JPEG file all metadata of the input. PNG files are written row by row, so
    that images of any size can be restored; a JPEG output, and --orient apply where it has to turn the image, needs
    memory for all pixels.

    A picture that was saved as JPEG twice has the errors of both codings, but its file tells the steps of the last one
    only. With --as-quality or --as-tables, the network is told the earlier, coarser steps.

    With --sigma, inputs are pictures that were decoded from JPEG and then became noisy. They can have any format; the
    model is one that was trained for noise. --as-quality and --as-tables say how they were coded, if that is known.
    """
    is_noisy = options["sigma"] is not None
    if is_noisy:
        _check_noisy(options)
    sources = find_images(inputs, IMAGE_SUFFIXES if is_noisy else JPEG_SUFFIXES)
    several = goes_to_folder(sources, inputs, output)
    kind = _format(output, options["file_format"], several)
    if kind == "png" and options["quality"] is not None:
        raise InvalidInputError(f"--quality {options['quality']} is for JPEG files; expected it with --format jpeg")
    targets = output_paths(sources, output, suffix=_SUFFIXES[kind], folder=several, force=options["force"])
    paths = [source.path for source in sources]
    check_compare(options["compare"], options["show"], paths, targets)
    if dry_run:
        print_plan(list(zip(paths, targets, strict=True)), as_json=as_json)
        return
    if targets == [STREAM]:
        check_stdout(as_json=as_json)

    from restore.runtime.models import load_model

    model = load_model(_model_name(options), threads=options["threads"])
    load = (_noisy_loader if is_noisy else _file_loader)(options)

    def work(index: int) -> Done:
        notices: list[str] = []
        received, settings, told = load(read_bytes(paths[index]), notices)
        record = _restore(received, targets[index], kind, model, settings, options, notices)
        return Done({"input": str(paths[index])} | record | told | {"notices": notices}, tuple(notices))

    began = time.monotonic()
    # one file after another: each can use all cores, and only one image at a time is in memory
    records, failures = process_files(paths, work, workers=1, label="restore")
    seconds = time.monotonic() - began
    if as_json:
        result = {"model": model.name, "files": records, "failures": failure_records(failures)}
        print_json(result | {"notices": notice_count(records), "seconds": round(seconds, 3)})
    elif records and targets != [STREAM]:
        _print(records, seconds)
    _compare(options["compare"], records, show=options["show"])
    report_failures(failures, len(paths))


def _check_noisy(options: dict[str, Any]) -> None:
    """Refuse options about the coefficients of JPEG files, which decoded pictures do not have."""
    if options["as_quality"] == "auto":
        raise InvalidInputError("--as-quality auto reads the coefficients of a JPEG file; expected 1..100 with --sigma")
    for name, usual in {"partial": False, "strict": False, "project": True, "hint": True}.items():
        if options[name] is not usual:
            option = f"--no-{name}" if usual else f"--{name}"
            raise InvalidInputError(f"{option} is about the coefficients of a JPEG file; expected it without --sigma")


def _model_name(options: dict[str, Any]) -> str:
    """The model that was asked for, or the one for files or for noisy pictures."""
    if options["model"] is None:
        return "noise" if options["sigma"] is not None else "default"
    return str(options["model"])


def _strength(options: dict[str, Any]) -> Any:
    """The share of the change that was asked for, or the reader that it is to suit."""
    return options["reader"] if options["strength"] is None else options["strength"]


def _compare(page: Path | None, records: list[dict[str, Any]], *, show: bool) -> None:
    """Write the page of --compare, if one is asked for."""
    if page is None:
        return
    pairs = [(Path(file["input"]), Path(file["output"])) for file in records]
    command = about(program="restore")["command"]
    write_page(page, lambda: before_and_after(pairs, ("decoded", "restored"), "Restored pictures", command), show=show)


def _print(records: list[dict[str, Any]], seconds: float) -> None:
    """A table of the files that were written, and a line about all of them."""
    rows = [(file["output"], f"{file['width']}x{file['height']}", f"{file['nbytes']:,}") for file in records]
    click.echo(columns(("file", "pixels", "bytes"), rows))
    click.echo(f"{count(len(records), 'file')} restored, in {seconds:.1f} s")


def _file_loader(options: dict[str, Any]) -> Loader:
    """A function from the bytes of a JPEG file to what is to be restored, and how."""
    from restore.runtime.decode import receive
    from restore.runtime.settings import Settings, earlier_finder

    reading = reading_of(options) | {"max_pixels": options["max_pixels"]}
    settings = Settings(options["project"], _strength(options), hint=options["hint"])
    find_earlier = earlier_finder(options["as_quality"], options["as_tables"])

    def load(data: bytes, notices: list[str]) -> tuple[Source, Settings, dict[str, Any]]:
        received = receive(data, notify=notices.append, **reading)
        earlier = find_earlier(received)
        notices += _about_earlier(earlier, options)
        told = {} if earlier is None else {"earlier": {"quality": earlier.quality, "shift": list(earlier.shift)}}
        return received, replace(settings, earlier=earlier), told

    return load


def _noisy_loader(options: dict[str, Any]) -> Loader:
    """A function from the bytes of an image file to the noisy picture, and how it is restored."""
    from optcodec import load_picture
    from restore.runtime.picture import noisy_picture
    from restore.runtime.settings import Settings, known_steps

    settings = Settings(project=False, strength=_strength(options))
    steps = known_steps(options["as_quality"], options["as_tables"])

    def load(data: bytes, notices: list[str]) -> tuple[Source, Settings, dict[str, Any]]:
        loaded = load_picture(data, max_pixels=options["max_pixels"])
        notices += loaded.notices
        picture = noisy_picture(loaded, options["sigma"], steps)
        sigma = round(picture.context.sigma, 2)
        notices += [f"noise of standard deviation {sigma:g}"] if options["sigma"] == "auto" else []
        return picture, settings, {"sigma": sigma}

    return load


def _format(output: Path, chosen: str | None, several: bool) -> str:
    """The format of the output: the one of --format, or else that of the suffix, or else PNG."""
    if is_stdout(output):
        return chosen or "png"
    named = None if several else _FORMATS.get(output.suffix.lower())
    if chosen is None and named is None and not several:
        raise InvalidInputError(
            f"{output} has no suffix of an output format; expected {', '.join(_FORMATS)}, or --format"
        )
    if chosen and named and chosen != named:
        raise InvalidInputError(f"{output} and --format {chosen} exclude one another; expected one format")
    return chosen or named or "png"


def _restore(
    received: Source,
    target: Path,
    kind: str,
    model: Model,
    settings: Settings,
    options: dict[str, Any],
    notices: list[str],
) -> dict[str, Any]:
    """Write one restored image, append what the user should know to the notices, and return its record."""
    from optcodec import orientation_of, upright
    from restore.runtime.hint import without_hints
    from restore.runtime.infer import restored_image, restored_strips
    from restore.runtime.output import left_out, write_jpeg, write_png

    metadata, (width, height) = without_hints(received.metadata), (received.width, received.height)
    orientation = orientation_of(metadata.exif)
    turns = options["orient"] == "apply" and orientation != 1
    with output_file(target) as file:
        if kind == "png" and not turns:
            strips = restored_strips(received, model, settings)
            write_png(file, strips, width, height, metadata)
        else:
            pixels = restored_image(received, model, settings)
            if turns:
                pixels, metadata = upright(pixels, metadata)
                height, width = pixels.shape[:2]
            if kind == "png":
                write_png(file, [pixels], width, height, metadata)
            else:
                write_jpeg(file, pixels, metadata, quality=options["quality"] or _QUALITY, threads=options["threads"])
    notices += [f"turned the pixels upright, from orientation {orientation}"] if turns else []
    names = left_out(metadata) if kind == "png" else ()
    notices += [f"left out {', '.join(names)}, which a JPEG output keeps"] if names else []
    return {"output": str(target), "width": width, "height": height} | _size_of(target)


def _about_earlier(earlier: EarlierCoding | None, options: dict[str, Any]) -> list[str]:
    """What the search for an earlier coding gave."""
    if options["as_quality"] != "auto":
        return []
    if earlier is None:
        return ["no sign of an earlier, coarser coding; the quantization steps of the file are used"]
    steps = "with tables of its own" if earlier.quality is None else f"at quality {earlier.quality}"
    grid = "" if earlier.shift == (0, 0) else f", on a grid of blocks shifted by {earlier.shift[0]}, {earlier.shift[1]}"
    return [f"the picture was coded before, {steps}{grid}"]


def _size_of(target: Path) -> dict[str, int]:
    """The size of the file that was written; nothing for stdout, whose size is not known."""
    return {} if target == STREAM else {"nbytes": target.stat().st_size}
