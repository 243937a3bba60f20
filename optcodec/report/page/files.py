"""Pictures that a result names, where they are at hand."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from optcodec.errors import InvalidInputError
from optcodec.report.page.pictures import Named, picture_sections, views_of
from optcodec.report.page.sections import BlockMaps, Section, Views, Wiper

__all__ = ["found", "motifs"]

_MOTIFS = 3  # with more, the page would be too large to be sent


def found(name: str, result: str) -> Path | None:
    """The file that a result names: as it stands there, or from the folder of the result; None if there is none."""
    for path in (Path(name), Path(result).parent / name):
        try:
            if path.is_file():
                return path
        except (OSError, ValueError):  # a name that no file can have
            continue
    return None


def motifs(files: Sequence[tuple[str, Sequence[Named]]]) -> list[Section]:
    """A slider for the first pictures whose files can be shown together, and maps of the first.

    Parameters
    ----------
    files : sequence of (str, sequence of Named)
        For each motif its name and its files, original first. A motif is passed over if a file cannot be shown, or the
        sizes differ, as after a job that makes pictures smaller.
    """
    views: list[Views] = []
    maps: list[BlockMaps] = []
    for motif, named in files:
        if len(views) == _MOTIFS:
            break
        try:
            if views:
                views.append(views_of(motif, named))
            else:
                wiper, *maps = picture_sections(named)
                views.append(replace(wiper.views[0], name=motif))
        except InvalidInputError:
            continue
    return [Wiper("Look for yourself", views), *maps] if views else []
