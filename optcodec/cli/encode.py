"""``optcodec encode``: encode images as JPEG files, and transcode JPEG files."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.cli.images import needed_nbytes, open_image, opening_of
from optcodec.cli.network import made_for, network_options, reader_target, readers, running
from optcodec.cli.plan import plan_option, planned
from optcodec.cli.totals import table_of, total_of
from optcodec.console.files import Source, check_jpeg_name, find_images, output_paths
from optcodec.console.form import form_of, form_options
from optcodec.console.many import Done, failure_records, process_files, report_failures
from optcodec.console.options import (
    ExpertOption,
    GroupedCommand,
    background_option,
    choose_target,
    inputs_argument,
    max_pixels_option,
    method_option,
    one_of,
    orient_option,
    output_option,
    pixel_target_options,
    pixels_option,
    profile_option,
    reading_options,
    short_side_option,
    subsampling_option,
    target_options,
    to_rgb_option,
)
from optcodec.console.show import json_option, print_json
from optcodec.console.streams import STREAM, check_stdout, output_file
from optcodec.console.tuning import EncodeSettings, tuned, tuning_options
from optcodec.errors import InvalidInputError
from optcodec.limits import processor_count

if TYPE_CHECKING:
    from optcodec.jpeg.image import CoefficientImage
    from optcodec.pictures.pixels import Picture

__all__ = ["command"]

# Peak memory of an encode in bytes per pixel, measured on colour photographs of 6 megapixels and rounded up.
_NBYTES_PER_PIXEL = {"network": 200, "ssim": 170, "trellis or psnr": 70, "otherwise": 30}


@click.command(cls=GroupedCommand)
@inputs_argument
@output_option("File, - for stdout, or a folder for several inputs.  [default: beside each input]")
@plan_option
@click.option("-q", "--quality", type=click.IntRange(1, 100), help="Quality of default JPEG.  [default: 75]")
@click.option(
    "--tables",
    type=click.Path(path_type=Path),
    help="Quantization tables from a file: JSON, the text format of cjpeg, or any JPEG file.",
)
@profile_option
@target_options
@pixel_target_options
@method_option
@tuning_options
@network_options
@subsampling_option
@form_options
@background_option
@orient_option
@to_rgb_option
@pixels_option
@short_side_option
@click.option(
    "--metadata/--strip",
    default=None,
    help="Keep or remove metadata: for JPEG files, all application segments, comments and data after the end of the "
    "image; for other files, ICC profile and Exif. The orientation always stays.  [default: keep it when transcoding "
    "JPEG files, remove it otherwise]",
)
@click.option("--allow-larger", is_flag=True, help="Transcode a JPEG file even if that makes it larger.")
@click.option(
    "--threads", cls=ExpertOption, type=click.IntRange(1), help="Largest number of threads.  [default: all cores]"
)
@reading_options
@max_pixels_option
@click.option("--force", is_flag=True, help="Replace inputs; without -o, replace any file that already exists.")
@click.option("--keep-times", is_flag=True, help="Keep the access and modification times of files that are replaced.")
@json_option
def command(inputs: tuple[Path, ...], output: Path | None, force: bool, as_json: bool, **options: Any) -> None:
    """Encode images, files or folders, as JPEG. The input - is stdin.

    JPEG files are transcoded from their coefficients, without decoding to pixels. Without -q, --tables or a target
    they keep their tables; unless --effort is 3 or 4, they then also keep every coefficient (lossless). The file is
    copied unchanged if the new one would not be smaller, or if it already meets --bpp or --max-bytes. A profile is a
    shipped one (mobilenet_v2, squeezenet1_1) or a file from "optcodec sensitivity". Replaced files keep their
    permissions.
    """
    options = planned(click.get_current_context(), options)
    sources = find_images(inputs)
    several = len(sources) > 1 or any(path.is_dir() for path in inputs)
    targets = _places(sources, output, several, force, as_json)
    paths = [source.path for source in sources]
    threads = options["threads"] or processor_count()
    workers = min(threads, len(paths))
    tuning = _tuned(options)
    nbytes_per_pixel = _nbytes_per_pixel(tuning, options)
    encode_one = _encoder(options, _settings(options, tuning) | {"threads": max(1, threads // workers)})

    def work(index: int) -> Done:
        return encode_one(paths[index], targets[index])

    def nbytes(index: int) -> int:
        return needed_nbytes(paths[index], nbytes_per_pixel)

    with running(options):
        records, failures = process_files(paths, work, workers=workers, label="encode", nbytes=nbytes)
    if as_json:
        print_json({"files": records, "failures": failure_records(failures)} | total_of(records) | tuning.record)
    elif records and targets != [STREAM]:
        click.echo(table_of(records))
        if tuning.networks:
            click.echo(made_for(tuning.networks, records, options["loss"]))
    report_failures(failures, len(paths))


def _places(sources: list[Source], output: Path | None, several: bool, force: bool, as_json: bool) -> list[Path]:
    """Paths of the output files; raises `InvalidInputError` if they cannot be written there."""
    if output is not None and not several and not output.is_dir():
        check_jpeg_name(output)
    targets = output_paths(sources, output, suffix=".jpg", folder=several, force=force)
    if targets == [STREAM]:
        check_stdout(as_json=as_json)
    return targets


def _nbytes_per_pixel(tuning: EncodeSettings, options: dict[str, Any]) -> int:
    if options["network"]:
        return _NBYTES_PER_PIXEL["network"]
    if options["match_ssim"] is not None:
        return _NBYTES_PER_PIXEL["ssim"]
    busy = tuning.effort >= 3 or options["match_psnr"] is not None
    return _NBYTES_PER_PIXEL["trellis or psnr" if busy else "otherwise"]


def _encoder(options: dict[str, Any], settings: dict[str, Any]) -> Callable[[Path, Path], Done]:
    """A function that encodes one file with these arguments of `optcodec.encode`."""
    from optcodec.encoder import EncodedJpeg, encode
    from optcodec.pictures.pixels import Picture
    from optcodec.transcode import recoded

    opening = opening_of(options)

    def encode_one(path: Path, target: Path) -> Done:
        opened = open_image(path, opening)
        image, notices, reason = opened.image, [*opened.notices], None
        encoded: EncodedJpeg
        if isinstance(image, Picture):
            encoded = encode(image, **settings)
        elif options["blocks"] is not None:
            raise InvalidInputError("--blocks needs pixels, got the coefficients of a JPEG file; expected --pixels")
        else:
            mended = options["partial"] and opened.notices
            larger = options["allow_larger"] or bool(mended)  # a damaged file must not be copied unchanged
            encoded = recoded(image, opened.data, allow_larger=larger, **settings)
            reason = encoded.kept
        with output_file(target, keep_times=options["keep_times"]) as file:
            file.write(encoded.data)
        notices += [f"kept as it is, since {reason}; --allow-larger encodes it all the same"] if reason else []
        notices += _left_out(image, options["metadata"])
        about = {"input": str(path), "output": str(target), "input_nbytes": opened.nbytes}
        size = {"nbytes": encoded.nbytes, "bpp": encoded.bpp, "width": encoded.width, "height": encoded.height}
        read = {"loss": encoded.loss, "losses": encoded.losses}
        return Done(about | size | read | {"kept": reason, "notices": notices}, tuple(notices))

    return encode_one


def _tuned(options: dict[str, Any]) -> EncodeSettings:
    """Check which of quality, tables and target is set, and combine it with the effort and tuning."""
    target = reader_target(options, choose_target(options))
    quality = options["quality"]
    one_of({"-q/--quality": quality, "--tables": options["tables"], "a target (--water-level and the like)": target})
    if target is None and options["method"] is not None:
        if quality is None:
            raise InvalidInputError("--method needs a target such as --water-level, or -q/--quality for deepn and jpeg")
        from optcodec.targets import Quality

        target, quality = Quality(quality), None
    return tuned(options, quality, target)


def _settings(options: dict[str, Any], tuning: EncodeSettings) -> dict[str, Any]:
    """Arguments of `optcodec.encode`."""
    return tuning.settings | {
        "reader": readers(options),
        "rounds": options["rounds"],
        "tables": _tables(options["tables"]),
        "method": options["method"],
        "subsampling": options["subsampling"] or _designed_for(options["tables"]),
        "metadata": options["metadata"],
        **form_of(options),
    }


def _designed_for(path: Path | None) -> str | None:
    """Chroma subsampling that a file of tables names."""
    if path is None:
        return None
    from optcodec.jpeg.table_files import tables_subsampling

    return tables_subsampling(path)


def _tables(path: Path | None) -> Any:
    if path is None:
        return None
    from optcodec.jpeg.table_files import load_tables

    return load_tables(path)


def _left_out(image: CoefficientImage | Picture, metadata: bool | None) -> list[str]:
    """A notice that names the metadata of the image that the file does not have."""
    from optcodec.pictures.orientation import orientation_of
    from optcodec.pictures.pixels import Picture

    names, orientation = image.metadata.contents, orientation_of(image.metadata.exif)
    if not names or metadata or (metadata is None and not isinstance(image, Picture)):
        return []
    remark = ", which --metadata keeps" if metadata is None else ""
    remark += f"; the orientation ({orientation}) stays" if orientation != 1 else ""
    return [f"left out {', '.join(names)}{remark}"]
