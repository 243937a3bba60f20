"""``optcodec blocks show``: draw maps of the blocks of an image: utility, weight and bits."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.batch.names import check_targets
from optcodec.batch.opening import is_jpeg
from optcodec.console.about import about
from optcodec.console.files import check_suffix
from optcodec.console.help import GroupedCommand
from optcodec.console.many import report_notices
from optcodec.console.options import (
    choose_target,
    max_pixels_option,
    one_of,
    output_option,
    subsampling_option,
    target_options,
)
from optcodec.console.show import json_option, print_json
from optcodec.console.streams import read_bytes
from optcodec.console.tuning import block_options, region_options, tune_option, tuned
from optcodec.errors import InvalidInputError
from optcodec.extras import require_packages
from optcodec.files import write_whole

if TYPE_CHECKING:
    from optcodec.pictures.pixels import Picture
    from optcodec.report.blocks import BlockMap
    from optcodec.trellis.field import QualityField

__all__ = ["command"]

_SET_BY = "blocks", "roi"  # options with which the image is coded


@click.command("show", cls=GroupedCommand)
@click.argument("image", type=click.Path(path_type=Path))
@output_option("Picture to draw: .png, .svg or .pdf.", required=True)
@block_options
@region_options
@tune_option
@click.option("-q", "--quality", type=click.IntRange(1, 100), help="Encode with default JPEG tables of this quality.")
@target_options
@subsampling_option
@max_pixels_option
@click.option("--force", is_flag=True, help="Allow the output to replace IMAGE or the mask.")
@json_option
def command(image: Path, output: Path, max_pixels: int, force: bool, as_json: bool, **options: Any) -> None:
    """Draw maps of an image's blocks: their utility, weight and bits.

    With --blocks or --roi, the image is encoded as by "optcodec encode"; a JPEG file is decoded to pixels first.
    Without them, IMAGE must be a sequential JPEG file, and only the bits of its blocks are drawn. The region of --roi
    is outlined in the image.
    """
    from optcodec.pictures.pixels import load_picture
    from optcodec.receivers.block_bits import file_block_bits
    from optcodec.report.blocks import bits_map, blocks_figure
    from optcodec.report.curves import FORMATS, draw_to

    check_suffix(output, FORMATS)
    _check_shown(image, options)
    for read in (image, options["roi"] or image):
        check_targets([read], [output], force=force)
    require_packages("matplotlib.figure")
    picture = load_picture(image, max_pixels=max_pixels)
    height, width = picture.pixels.shape[:2]
    record: dict[str, Any] = {"input": str(image), "output": str(output), "width": width, "height": height}
    maps: dict[str, BlockMap] = {}
    region = None
    if _is_coded(options):
        data, maps, region = _coded(picture, options | {"max_pixels": max_pixels}, record)
    else:
        data = read_bytes(image)
    notices = [*picture.notices]
    maps["bits"] = bits_map(file_block_bits(data, notify=notices.append))
    record |= {"nbytes": len(data), "bpp": 8 * len(data) / (width * height)}
    figure = blocks_figure(picture.pixels, [*maps.values()], title=image.name, note=_note(record), region=region)
    write_whole(output, draw_to(figure, output.suffix.lower()))
    report_notices({notice: [image] for notice in notices})
    if as_json:
        print_json(
            about("numpy", "pillow") | record | {"maps": {name: block_map.record for name, block_map in maps.items()}}
        )
    else:
        click.echo(f"{output}: {_note(record)}")


def _check_shown(image: Path, options: dict[str, Any]) -> None:
    """Where nothing is encoded, refuse options for encoding, and images that are not JPEG files."""
    if _is_coded(options):
        return
    set_options = [f"--{name.replace('_', '-')}" for name, value in options.items() if value is not None]
    if set_options:
        raise InvalidInputError(f"{set_options[0]} is for coding the image; expected --blocks or --roi too")
    if not is_jpeg(image):
        raise InvalidInputError(f"{image}: without --blocks or --roi, expected a JPEG file, got another kind of file")


def _is_coded(options: dict[str, Any]) -> bool:
    return any(options[name] is not None for name in _SET_BY)


def _coded(
    picture: Picture, options: dict[str, Any], record: dict[str, Any]
) -> tuple[bytes, dict[str, BlockMap], QualityField | None]:
    """Encode the image as ``optcodec encode`` does; maps of its blocks' utility and weights, and the region. Adds the
    settings to `record`."""
    from optcodec.encoder import encode
    from optcodec.report.blocks import RecordingChoice, weight_map

    target, quality = choose_target(options), options["quality"]
    one_of({"-q/--quality": quality, "a target (--bpp and the like)": target})
    others = "effort", "profile", "method", "tables", "huffman", "background"
    tuning = tuned(dict.fromkeys(others) | {"dct": "float", "orient": "keep"} | options, quality, target)
    record |= tuning.record
    blocks, region = tuning.settings["blocks"], tuning.settings["field"]
    recording = None if blocks is None else RecordingChoice.of(blocks)
    encoded = encode(picture, **tuning.settings | {"blocks": recording, "subsampling": options["subsampling"]})
    maps = {"weight": weight_map(region)} if recording is None else recording.maps(region)
    return encoded.data, maps, region


def _note(record: dict[str, Any]) -> str:
    """One line with the settings and the size of the file."""
    size = f"{record['nbytes']:,} bytes, {record['bpp']:.3f} bpp"
    if "tune" not in record:
        return size
    way = ", ".join(record[name] for name in ("blocks", "allocator") if record[name] is not None) or "region"
    return f"{way}, tuned for {record['tune']}: {size}"
