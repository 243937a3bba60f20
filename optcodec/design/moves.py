"""Single steps of tables, changed one at a time to use up what is left of a limit."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import numpy.typing as npt

from optcodec.design.candidates import DesignedFile, values_at
from optcodec.design.families import Joint
from optcodec.design.histogram import MAX_STEP

__all__ = ["SingleSteps"]

Floats = npt.NDArray[np.float64]
Steps = npt.NDArray[np.int64]

_UNITS = 4  # by which a single step is changed at most, at a time
_CHANGES_PER_STEP = 4  # changes that are tried at most, for each step, where their error is known
_FILES = 32  # most single steps that are tried where each takes a file
_LEAST_SHARE = 1e-3  # of what is left: a change that is expected to use up less is not worth it


class SingleSteps:
    """Changes of one step, each time the one that uses up most; see `optcodec.lines.Moves`.

    Steps that are coarser by one unit use up an error, which is known exactly. Where none fits any more, one step gets
    coarser and another one finer, each by a few units. Finer steps use up a size, which is estimated. They are needed
    where one unit of a step moves the size by more than the tolerance, as in files that were quantized before: their
    coefficients leave zero all at once.

    Parameters
    ----------
    first : DesignedFile
        Tables to start from.
    moving : slice
        Tables whose steps change.
    joint : Joint
        Limits of these steps.
    values : ndarray of float64, shape (tables, 64, 255)
        Error or bytes of these tables with steps 1..255.
    make : callable
        The candidate with some steps of these tables.
    coarser : bool
        Whether steps get coarser, or finer.
    """

    def __init__(
        self,
        first: DesignedFile,
        moving: slice,
        joint: Joint,
        values: Floats,
        make: Callable[[Steps], DesignedFile],
        *,
        coarser: bool,
    ) -> None:
        self.first = first
        self._moving, self._joint, self._values, self._make, self._coarser = moving, joint, values, make, coarser
        self._refused: list[tuple[int, int]] = []  # units and entry
        self._last = (0, 0)
        self.most = _CHANGES_PER_STEP * self._values[..., 0].size if coarser else _FILES

    def next(self, candidate: DesignedFile, rest: float) -> DesignedFile | None:
        """The candidate with one more change, or None if there is none that is expected to fit."""
        steps = candidate.steps[self._moving]
        joint = self._joint
        bounds = joint.least, joint.most if steps.max() <= joint.most else MAX_STEP
        changes = self._changes(steps, 1 if self._coarser else -1, bounds)
        for units, entry in self._refused:
            changes[units, entry] = 0
        best = _largest_below(changes[:1] if self._coarser else changes, rest)
        changed = steps.copy()
        if best is not None:
            units, entry = self._last = divmod(best, steps.size)
            changed.flat[entry] += (units + 1) * (1 if self._coarser else -1)
        elif not self._coarser or not self._exchange(changed, changes, rest, bounds):
            return None
        return self._make(np.clip(changed, *bounds))

    def refuse(self) -> None:
        """Do not propose the last change again."""
        self._refused.append(self._last)

    def _exchange(self, steps: Steps, coarser: Floats, rest: float, bounds: tuple[Steps | int, int]) -> bool:
        """Coarsen one step and refine another in place, if there are two that use up a part of the rest."""
        finer = self._changes(steps, -1, bounds)
        both = np.where(coarser > 0, coarser, 0)[:, :, None, None] + np.where(finer < 0, finer, 0)
        both[:, np.arange(steps.size), :, np.arange(steps.size)] = 0  # two different entries
        best = _largest_below(both, rest)
        if best is None:
            return False
        up, coarsened, down, refined = np.unravel_index(best, both.shape)
        steps.flat[coarsened] += up + 1
        steps.flat[refined] -= down + 1
        return True

    def _changes(self, steps: Steps, sign: int, bounds: tuple[Steps | int, int]) -> Floats:
        """Change of the sum of all values by a step that moves by 1, 2, ... units: shape (units, entries)."""
        now = values_at(self._values, steps)
        moved = (np.clip(steps + sign * units, *bounds) for units in range(1, _UNITS + 1))
        return np.array([(values_at(self._values, there) - now).ravel() for there in moved])


def _largest_below(changes: Floats, rest: float) -> int | None:
    """Where the largest change is that fits, if one does and is worth it."""
    fitting = np.where(changes <= rest, changes, 0.0)
    best = int(np.argmax(fitting))
    return best if fitting.flat[best] > rest * _LEAST_SHARE else None
