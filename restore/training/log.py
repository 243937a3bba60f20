"""The log of a training: a CSV file, and TensorBoard's if it is asked for."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import TYPE_CHECKING

from optcodec import InvalidInputError, require_packages
from optcodec.shared import write_whole

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter

__all__ = ["Journal", "read_log"]


def read_log(folder: Path) -> list[dict[str, str]]:
    """Rows of the log of a training, oldest first; none where there is no log.

    Raises
    ------
    InvalidInputError
        If what is there is no log of a training.
    """
    path = folder / "log.csv"
    if not path.exists():
        return []
    with path.open(newline="") as file:
        rows = list(csv.DictReader(file))
    if not all((row.get("step") or "").isdigit() for row in rows):
        raise InvalidInputError(f"{path} has rows without a step; expected the log of a training")
    return rows


class Journal:
    """The log of a training that is at some step.

    Parameters
    ----------
    folder : path
        Gets ``log.csv``, and files of TensorBoard in ``tensorboard/``.
    step : int
        Rows after it are dropped: they belong to steps that are taken again.
    tensorboard : bool
        Whether TensorBoard's files are written, too.

    Raises
    ------
    InvalidInputError
        If TensorBoard is wanted, and is not installed.
    """

    def __init__(self, folder: Path, step: int, *, tensorboard: bool = False) -> None:
        self._path = folder / "log.csv"
        self._rows = [row for row in read_log(folder) if int(row["step"]) <= step]
        self._board = _board(folder / "tensorboard", step) if tensorboard else None

    def add(self, step: int, seconds: float, seen: dict[str, float]) -> None:
        """One row; the file is written anew, so that it is whole at all times."""
        values = {name: f"{value:.6g}" for name, value in seen.items()}
        self._rows.append({"step": str(step), "seconds": f"{seconds:.1f}", **values})
        text = io.StringIO()
        writer = csv.DictWriter(text, list(dict.fromkeys(name for row in self._rows for name in row)))
        writer.writeheader()
        writer.writerows(self._rows)
        write_whole(self._path, text.getvalue().encode())
        if self._board is not None:
            for name, value in seen.items():
                self._board.add_scalar(name, value, step)

    def close(self) -> None:
        """Finish TensorBoard's file."""
        if self._board is not None:
            self._board.close()


def _board(folder: Path, step: int) -> SummaryWriter:
    require_packages("tensorboard")
    from torch.utils.tensorboard import SummaryWriter

    return SummaryWriter(str(folder), purge_step=step + 1)
