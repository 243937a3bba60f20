"""``restore run``: JPEG files in, restored images out."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec import InvalidInputError
from optcodec.console.files import JPEG_SUFFIXES, find_images, output_paths
from optcodec.console.many import Done, failure_records, for_each, notice_count, report_failures
from optcodec.console.options import max_pixels_option, orient_option, reading_of, reading_options
from optcodec.console.show import columns, json_option, print_json
from optcodec.console.streams import STREAM, check_stdout, is_stdout, output_file, read_bytes

if TYPE_CHECKING:
    from restore.runtime.decode import Received
    from restore.runtime.models import Model

__all__ = ["command"]

_SUFFIXES = {"png": ".png", "jpeg": ".jpg"}
_FORMATS = {".png": "png"} | dict.fromkeys(JPEG_SUFFIXES, "jpeg")
_QUALITY = 95


@click.command()
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...", type=click.Path(path_type=Path))
@click.option(
    "-o",
    "--output",
    required=True,
    type=click.Path(path_type=Path),
    help="File, - for stdout, or folder for several inputs.",
)
@click.option(
    "--format", "file_format", type=click.Choice(list(_SUFFIXES)), help="[default: as the output's name says, or png]"
)
@click.option("-q", "--quality", type=click.IntRange(1, 100), help=f"Of JPEG files.  [default: {_QUALITY}]")
@click.option("--model", default="default", show_default=True, metavar="NAME|FILE", help="Shipped model, or its .json.")
@click.option(
    "--project/--no-project",
    default=True,
    help="Keep luminance within the quantization cells of the file.  [default: project]",
)
@click.option("--threads", type=click.IntRange(1), help="Threads to use at most.  [default: all cores]")
@orient_option
@reading_options
@max_pixels_option
@json_option
def command(inputs: tuple[Path, ...], output: Path, as_json: bool, **options: Any) -> None:
    """Decode JPEG files, or all below folders, and restore what quantization did to them. The input - is stdin.

    The output is PNG or JPEG. PNG keeps ICC profile, Exif and XMP, JPEG all that the input carried. A PNG file is
    written while it is made, so that images of any size can be restored; for JPEG all pixels are in memory at once, and
    so they are where --orient apply has to turn them.
    """
    sources = find_images(inputs, JPEG_SUFFIXES)
    several = len(sources) > 1 or output.is_dir() or any(path.is_dir() for path in inputs)
    kind = _format(output, options["file_format"], several)
    if kind == "png" and options["quality"] is not None:
        raise InvalidInputError(f"--quality {options['quality']} is for JPEG files; expected it with --format jpeg")
    targets = output_paths(sources, output, suffix=_SUFFIXES[kind], folder=several, force=False)
    if targets == [STREAM]:
        check_stdout(as_json=as_json)
    paths = [source.path for source in sources]

    from restore.runtime.decode import receive
    from restore.runtime.models import load_model

    reading = reading_of(options) | {"max_pixels": options["max_pixels"]}
    model = load_model(options["model"], threads=options["threads"])

    def work(index: int) -> Done:
        notices: list[str] = []
        received = receive(read_bytes(paths[index]), notify=notices.append, **reading)
        record = _restore(received, targets[index], kind, model, options, notices)
        return Done({"input": str(paths[index])} | record | {"notices": notices}, tuple(notices))

    # one file after another: each has all cores, and memory for one is enough
    records, failures = for_each(paths, work, workers=1, label="restore")
    if as_json:
        about = {"model": model.name, "files": records, "failures": failure_records(failures)}
        print_json(about | {"notices": notice_count(records)})
    elif records and targets != [STREAM]:
        rows = [(each["output"], f"{each['width']}x{each['height']}", f"{each['nbytes']:,}") for each in records]
        click.echo(columns(("file", "pixels", "bytes"), rows))
    report_failures(failures, len(paths))


def _format(output: Path, chosen: str | None, several: bool) -> str:
    """What to write: as chosen, or as the name of the file says."""
    if is_stdout(output):
        return chosen or "png"
    named = None if several else _FORMATS.get(output.suffix.lower())
    if chosen is None and named is None and not several:
        raise InvalidInputError(f"{output} names no format; expected {', '.join(_FORMATS)}, or --format")
    if chosen and named and chosen != named:
        raise InvalidInputError(f"{output} and --format {chosen} exclude one another; expected one format")
    return chosen or named or "png"


def _restore(
    received: Received, target: Path, kind: str, model: Model, options: dict[str, Any], notices: list[str]
) -> dict[str, Any]:
    """Write the restored image; what is done to it, and what is found while it is decoded, comes to the notices."""
    from optcodec import orientation_of, upright
    from restore.runtime.infer import restored_image, restored_strips
    from restore.runtime.output import left_out, write_jpeg, write_png

    metadata, (width, height) = received.metadata, (received.width, received.height)
    orientation = orientation_of(metadata.exif)
    turns = options["orient"] == "apply" and orientation != 1
    with output_file(target) as file:
        if kind == "png" and not turns:
            strips = restored_strips(received, model, project=options["project"])
            write_png(file, strips, width, height, metadata)
        else:
            pixels = restored_image(received, model, project=options["project"])
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


def _size_of(target: Path) -> dict[str, int]:
    """What was written is as long as its file; of stdout nobody asks."""
    return {} if target == STREAM else {"nbytes": target.stat().st_size}
