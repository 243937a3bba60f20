"""The log of a training: a CSV file, and optionally files for TensorBoard."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

import optcodec
from optcodec import InvalidInputError, require_packages

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["TrainingLog", "read_log"]


def read_log(folder: Path) -> list[dict[str, str]]:
    """Read the log of a training: its rows, oldest first; an empty list where there is no log.

    Raises
    ------
    InvalidInputError
        If the file is not the log of a training.
    """
    path = folder / "log.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not all((row.get("step") or "").isdigit() for row in rows):
        raise InvalidInputError(f"{path} has rows without a step; expected the log of a training")
    return rows


class TrainingLog:
    """Writer for the log of a training, which may be a resumed one.

    Parameters
    ----------
    folder : path
        Folder to which ``log.csv`` is written, and the files for TensorBoard in ``tensorboard/``.
    step : int
        Step at which the training continues. Later rows of an existing log are dropped, as these steps are repeated.
    tensorboard : bool
        Whether files for TensorBoard are written, too.

    Raises
    ------
    InvalidInputError
        If `tensorboard` is set, but TensorBoard is not installed.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool = False) -> None:
        self._path = folder / "log.csv"
        self._rows = [row for row in read_log(folder) if int(row["step"]) <= step]
        self._tensorboard = _open_tensorboard(folder / "tensorboard", step) if tensorboard else None

    def add(self, step: int, seconds: float, measured: dict[str, float]) -> None:
        """Add a row. The whole file is replaced, so that it is complete at all times."""
        values = {name: f"{value:.6g}" for name, value in measured.items()}
        self._rows.append({"step": str(step), "seconds": f"{seconds:.1f}", **values})
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in self._rows for name in row)))
        writer.writeheader()
        writer.writerows(self._rows)
        optcodec.write_whole(self._path, text.getvalue().encode())
        if self._tensorboard is not None:
            for name, value in measured.items():
                self._tensorboard.add_scalar(name, value, step)

    def close(self) -> None:
        """Close the file for TensorBoard."""
        if self._tensorboard is not None:
            self._tensorboard.close()


def _open_tensorboard(folder: Path, step: int) -> SummaryWriter:
    require_packages("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)
