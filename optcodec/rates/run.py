"""Measure many pictures on threads; an interrupted run can continue."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from optcodec import __version__
from optcodec.errors import InvalidInputError, OptcodecError
from optcodec.experiments.partial import PartFormat, PartialFolder
from optcodec.experiments.threads import in_order
from optcodec.files import write_whole
from optcodec.jpeg.layout import thread_count
from optcodec.jsontext import parse_json
from optcodec.rates.experiment import Experiment, Original, Part, load_pixels
from optcodec.rates.rows import Failed, Row
from optcodec.vision.running import one_thread_each

__all__ = ["measure_rates"]


def measure_rates(
    experiment: Experiment,
    originals: Sequence[Original],
    *,
    partial: Path,
    about: Mapping[str, Any],
    workers: int | None = None,
    progress: Callable[[int], object] | None = None,
) -> Part:
    """Measure all pictures.

    Parameters
    ----------
    experiment : Experiment
        Its senders, readers and measures are called by several threads at once.
    originals : sequence of Original
        The pictures.
    partial : Path
        Folder for finished pictures, from which an interrupted run continues. The caller removes it with
        `optcodec.experiments.partial.remove_partial` after saving the result.
    about : mapping
        All that senders, readers and measures depend on, as JSON values: an interrupted run continues only where it is
        the same.
    workers : int, optional
        Number of threads; all processors by default. The result is the same.
    progress : callable, optional
        Called after each picture, with the number of finished ones, those of an earlier run included.

    Returns
    -------
    Part
        Rows and failures of all pictures, in their order. A picture, a sender or a receiver that fails does not end the
        run.

    Raises
    ------
    InvalidInputError
        If there are no pictures, two have the same name, or ``partial`` belongs to another run.
    """
    names = [f"{original.set}/{original.name}" for original in originals]
    if not names or len(set(names)) < len(names):
        twice = next((name for name in names if names.count(name) > 1), "none")
        raise InvalidInputError(f"expected pictures with different names, at least one; got {twice}")
    images = [[original.set, original.name, original.label, _nbytes(original.path)] for original in originals]
    state = {
        "version": __version__,
        "rates": [rate.to_json() for rate in experiment.rates],
        "subsampling": experiment.subsampling,
        "images": images,
    }
    folder = PartialFolder(partial, state | dict(about), _FORMAT)
    tell = progress or (lambda count: None)
    gray = _gray_sets(originals, experiment.max_pixels)
    work = [(original, gray[original.set]) for original in originals]
    parts: list[Part] = []
    with one_thread_each():
        for part in folder.completed(work, lambda waiting: in_order(experiment, waiting, thread_count(workers))):
            parts.append(part)
            tell(len(parts))
    return Part(
        tuple(row for part in parts for row in part.rows), tuple(failed for part in parts for failed in part.failures)
    )


def _nbytes(path: Path) -> int | None:
    try:
        return path.stat().st_size
    except OSError:
        return None  # what is wrong with it is told when it is opened


def _gray_sets(originals: Sequence[Original], max_pixels: int | None) -> dict[str, bool]:
    """Whether the first picture of each set that can be read is gray."""
    kinds: dict[str, bool] = {}
    for original in originals:
        if original.set not in kinds:
            try:
                kinds[original.set] = load_pixels(original.path, max_pixels).ndim == 2
            except (OptcodecError, MemoryError):
                continue
    return {original.set: kinds.get(original.set, False) for original in originals}


def _save_part(path: Path, part: Part) -> None:
    record = {
        "rows": [row.to_json() for row in part.rows],
        "failures": [failed.to_json() for failed in part.failures],
    }
    write_whole(path, (json.dumps(record, allow_nan=False) + "\n").encode())


def _load_part(path: Path) -> Part:
    record = parse_json(path.read_text("utf-8"))
    rows = tuple(Row.from_json(row) for row in record["rows"])
    return Part(rows, tuple(Failed.from_json(failed) for failed in record["failures"]))


_FORMAT = PartFormat(".json", _save_part, _load_part)
