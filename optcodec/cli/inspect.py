"""``optcodec inspect``: show the structure of JPEG files, and how many bytes each part takes."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from optcodec.console.files import JPEG_SUFFIXES, InputPath, find_images
from optcodec.console.help import GroupedCommand
from optcodec.console.many import Done, failure_records, notice_count, process_files, report_failures
from optcodec.console.options import reading_of, reading_options
from optcodec.console.show import columns, json_option, print_json, side_by_side
from optcodec.console.streams import read_bytes

if TYPE_CHECKING:
    from optcodec.jpeg.reading.structure import JpegStructure

__all__ = ["command"]

_PROCESSES = {"SOF0": "baseline", "SOF1": "extended sequential", "SOF2": "progressive"}


@click.command(cls=GroupedCommand, short_help="Show what is in JPEG files: tables, sampling, scans.")
@click.argument("inputs", nargs=-1, required=True, metavar="FILE...", type=InputPath())
@reading_options
@json_option
def command(inputs: tuple[Path, ...], as_json: bool, **options: Any) -> None:
    """Show the quantization tables, sampling, scans, estimated quality and segment sizes of JPEG files.

    No coefficient is decoded. For a folder, all JPEG files in it and its subfolders are shown.
    """
    paths = [source.path for source in find_images(inputs, JPEG_SUFFIXES)]
    reading = reading_of(options)

    def work(index: int) -> Done:
        notices: list[str] = []
        record = _record(paths[index], read_bytes(paths[index]), reading | {"notify": notices.append})
        return Done(record | {"notices": notices}, tuple(notices))

    records, failures = process_files(paths, work, workers=1, label="inspect")
    if as_json:
        print_json({"files": records, "failures": failure_records(failures), "notices": notice_count(records)})
    else:
        click.echo("\n\n".join(map(_text, records)), nl=bool(records))
    report_failures(failures, len(paths))


def _record(path: Path, data: bytes, reading: dict[str, Any]) -> dict[str, Any]:
    from optcodec.jpeg.image import subsampling_name
    from optcodec.jpeg.quality import estimate_quality
    from optcodec.jpeg.reading.structure import read_structure
    from optcodec.pictures.orientation import orientation_of

    structure = read_structure(data, **reading)
    frame, metadata = structure.frame, structure.metadata
    quality, exact = estimate_quality(structure.tables)
    return {
        "path": str(path),
        "nbytes": len(data),
        "bpp": 8 * len(data) / (frame.width * frame.height),
        "width": frame.width,
        "height": frame.height,
        "process": _PROCESSES[frame.name],
        "subsampling": subsampling_name([(c.h, c.v) for c in frame.components]),
        "components": [
            {"id": c.id, "h": c.h, "v": c.v, "table": table}
            for c, table in zip(frame.components, structure.table_indices, strict=True)
        ],
        "restart_interval": structure.restart_interval,
        "quality": quality,
        "quality_exact": exact,
        "tables": [table.steps.tolist() for table in structure.tables],
        "icc_nbytes": len(metadata.icc_profile or b""),
        "exif_nbytes": len(metadata.exif or b""),
        "orientation": orientation_of(metadata.exif),
        "scans": _scans(structure),
        "segments": _segments(structure, len(data)),
    }


def _scans(structure: JpegStructure) -> list[dict[str, Any]]:
    ids = [component.id for component in structure.frame.components]
    return [
        {
            "components": [ids[part.index] for part in scan.header.components],
            "Ss": scan.header.Ss,
            "Se": scan.header.Se,
            "Ah": scan.header.Ah,
            "Al": scan.header.Al,
            "nbytes": scan.segment.data_nbytes,
        }
        for scan in structure.scans
    ]


def _segments(structure: JpegStructure, nbytes: int) -> list[dict[str, Any]]:
    """Number and total size of the segments of each name; the sizes add up to the size of the file."""
    sizes: dict[str, list[int]] = {}
    end = 0
    for segment in structure.segments:
        if segment.offset > end:
            sizes.setdefault("between segments", []).append(segment.offset - end)
        end = segment.end
        sizes.setdefault(segment.name, []).append(segment.nbytes)
        if segment.data_nbytes:
            sizes.setdefault("entropy-coded data", []).append(segment.data_nbytes)
    if nbytes > end:
        sizes["after EOI" if structure.segments[-1].name == "EOI" else "at the end"] = [nbytes - end]
    return [{"name": name, "count": len(nbytes), "nbytes": sum(nbytes)} for name, nbytes in sizes.items()]


def _text(record: dict[str, Any]) -> str:
    number, exact = record["quality"], record["quality_exact"]
    quality = f"quality {number}" if exact else f"nearest quality {number}, other tables"
    parts = [record["process"], record["subsampling"], quality]
    parts += [f"restart interval {record['restart_interval']}"] * bool(record["restart_interval"])
    parts += [f"ICC profile {record['icc_nbytes']:,} bytes"] * bool(record["icc_nbytes"])
    parts += [f"Exif {record['exif_nbytes']:,} bytes"] * bool(record["exif_nbytes"])
    parts += [f"orientation {record['orientation']}"] * (record["orientation"] != 1)
    size = f"{record['width']}x{record['height']}, {record['nbytes']:,} bytes, {record['bpp']:.3f} bpp"
    scans = [
        (
            " ".join(map(str, scan["components"])),
            *(str(scan[key]) for key in ("Ss", "Se", "Ah", "Al")),
            f"{scan['nbytes']:,}",
        )
        for scan in record["scans"]
    ]
    segments = [
        (
            entry["name"],
            str(entry["count"]),
            f"{entry['nbytes']:,}",
            f"{100 * entry['nbytes'] / record['nbytes']:.1f} %",
        )
        for entry in record["segments"]
    ]
    return "\n".join(
        [
            f"{record['path']}: {size}",
            "  " + ", ".join(parts),
            "",
            _tables_text(record),
            "",
            columns(("scan of components", "Ss", "Se", "Ah", "Al", "bytes"), scans),
            "",
            columns(("segment", "count", "bytes", "share"), segments),
        ]
    )


def _tables_text(record: dict[str, Any]) -> str:
    """The quantization tables, each under the components that use it."""
    titles = []
    for index in range(len(record["tables"])):
        users = [str(component["id"]) for component in record["components"] if component["table"] == index]
        titles.append(f"table of component {' '.join(users)}")
    return side_by_side(titles, record["tables"])
