"""Restoration tasks: what is sent of a clean image, and what the receiver makes of a JPEG file of it."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.extras import load_factory
from optcodec.scalars import whole_number

__all__ = ["Task", "load_task"]

Pixels = npt.NDArray[np.uint8]


@runtime_checkable
class Task(Protocol):
    """A restoration that files are made for.

    Parameters
    ----------
    name : str
        Such as ``"super-resolution x4"``.
    scale : int
        Side of the restored image over that of the sent one, from 1 on.
    """

    @property
    def name(self) -> str: ...

    @property
    def scale(self) -> int: ...

    def reference(self, clean: Pixels) -> Pixels:
        """What the restored image is compared with: RGB of shape (H, W, 3), `clean` cut to what the scale divides."""
        ...

    def sent(self, clean: Pixels, seed: int) -> Pixels:
        """What the encoder is given, RGB of shape (H / scale, W / scale, 3), for such a reference.

        The seed is that of noise, where the task adds some.
        """
        ...

    def restored(self, data: bytes) -> Pixels:
        """What the receiver makes of a JPEG file: RGB of shape (H, W, 3)."""
        ...


def load_task(name: str) -> Task:
    """Make a task.

    Parameters
    ----------
    name : str
        ``"package.module:factory"``, a function without arguments that gives a `Task`.

    Raises
    ------
    InvalidInputError
        If there is no such factory, it gives something else, or its module needs an optional package that is missing.
    """
    made = load_factory(name, "a task")()
    if not isinstance(made, Task) or isinstance(made, type):
        raise InvalidInputError(
            f"{name} gives a task (name, scale, reference, sent, restored), got {type(made).__name__}"
        )
    whole_number(made.scale, "the scale of a task", 1)
    return made
