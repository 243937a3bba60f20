"""Format the Markdown tables of the conformance benchmark from its result."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from benchmarks.markdown import lines
from benchmarks.record import load_result

_GROUPS = {"full resolution": "grey, RGB, 4:4:4", "subsampled": "subsampled", "four components": "CMYK, YCCK"}


def conformance() -> dict[str, str]:
    """All tables of this module by name."""
    document = load_result("conformance")
    return {
        "decoders of our files": by_decoder(document),
        "kinds of our files": by_kind(document),
        "files of others": of_others(document["files_of_others"]),
    }


def by_decoder(document: Mapping[str, Any]) -> str:
    """By decoder: number of files it shows, largest differences from libjpeg-turbo, and files it does not show."""
    total = sum(document["our_files"].values())
    header = ["decoder", "version", f"of {total} files", *_GROUPS.values(), "another picture", "refused", "warnings"]
    rows = [header, ["---", "---", *["---:"] * (len(_GROUPS) + 1), "---", "---", "---:"]]
    for name, figures in document["decoders"].items():
        if figures["version"] is None:
            rows.append([name, "not installed", *[""] * (len(header) - 2)])
            continue
        differences = [_difference(figures["largest"][group]) for group in _GROUPS]
        warned = sum(map(len, figures["warnings"].values()))
        failed = [_counts(figures[verdict]) for verdict in ("wrong", "refused")]
        rows.append([name, figures["version"], str(figures["right"]), *differences, *failed, str(warned)])
    return lines(rows)


def _difference(figures: Mapping[str, Any] | None) -> str:
    """Format the largest difference of any sample and the largest mean of any picture as ``64, 0.56``."""
    if figures is None:
        return ""
    return "0" if figures["largest"] == 0 else f"{figures['largest']}, {figures['most_mean']:.2f}"


def _counts(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """Format the number of files by kind as ``4 of CMYK; 2 of metadata``."""
    return "; ".join(f"{len(files)} of {kind}" for kind, files in kinds.items())


def by_kind(document: Mapping[str, Any]) -> str:
    """By kind: how many decoders show all files, how many files the others do not, and the two largest differences."""
    header = ["files", "how many", "decoders that show all", "largest differences", "another picture", "refused"]
    rows = [header, ["---", "---:", "---:", "---", "---", "---"]]
    decoders = {name: figures for name, figures in document["decoders"].items() if figures["version"] is not None}
    for kind, count in document["our_files"].items():
        failed = [
            {name: len(figures[verdict][kind]) for name, figures in decoders.items() if kind in figures[verdict]}
            for verdict in ("wrong", "refused")
        ]
        good = sum(not any(name in counts for counts in failed) for name in decoders)
        largest = {name: figures["largest_by_kind"][kind] or 0 for name, figures in decoders.items()}
        most = dict(sorted(largest.items(), key=lambda item: -item[1])[:2])
        cells = [_named(counts) for counts in (most, *failed)]
        rows.append([kind, str(count), f"{good} of {len(decoders)}", *cells])
    return lines(rows)


def _named(numbers: Mapping[str, int]) -> str:
    """Format numbers by decoder as ``jpegli 60, ffmpeg 3``, without zeros."""
    return ", ".join(f"{name} {number}" for name, number in numbers.items() if number)


def of_others(kinds: Mapping[str, Mapping[str, Any]]) -> str:
    """By kind of other encoders' files: how many we read and write again as libjpeg does."""
    counts = ("files", "coefficients", "pixels", "refused")
    rows = [["files", "how many", "same coefficients", "same pixels when written again", "refused, as they should be"]]
    rows.append(["---", *["---:"] * len(counts)])
    rows += [[kind, *(str(row[name]) for name in counts)] for kind, row in kinds.items()]
    rows.append(["all", *(str(sum(row[name] for row in kinds.values())) for name in counts)])
    return lines(rows)
