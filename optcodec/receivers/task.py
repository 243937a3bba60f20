"""Restoration tasks: the image that is sent for a clean one, and the restoration of its JPEG file by the receiver."""

from __future__ import annotations

from typing import Protocol, runtime_checkable

import numpy as np
import numpy.typing as npt

from optcodec.errors import InvalidInputError
from optcodec.extras import load_factory, named_errors
from optcodec.scalars import whole_number

__all__ = ["Task", "load_task"]

Pixels = npt.NDArray[np.uint8]


@runtime_checkable
class Task(Protocol):
    """A restoration task, such as denoising or super-resolution, that files are optimized for.

    Parameters
    ----------
    name : str
        Name, such as ``"super-resolution x4"``.
    scale : int
        Side of the restored image divided by that of the sent image, at least 1.
    """

    @property
    def name(self) -> str: ...

    @property
    def scale(self) -> int: ...

    def reference(self, clean: Pixels) -> Pixels:
        """The reference for the restored image, RGB of shape (H, W, 3): `clean`, cut to multiples of the scale."""
        ...

    def sent(self, clean: Pixels, seed: int) -> Pixels:
        """The image for the encoder, RGB of shape (H / scale, W / scale, 3); `clean` is an image from `reference`.

        The seed is for the noise, if the task adds any.
        """
        ...

    def restored(self, data: bytes) -> Pixels:
        """Restore an image from its JPEG file; RGB of shape (H, W, 3)."""
        ...


def load_task(name: str) -> Task:
    """Load a task by the name of the function that makes it.

    Parameters
    ----------
    name : str
        ``"package.module:factory"``, a function that returns a `Task`; ``"package.module:factory@TEXT"``, if it takes a
        text.

    Raises
    ------
    InvalidInputError
        If there is no such function, it returns something else, or its module needs an optional package that is
        missing.
    """
    with named_errors(name):
        task = load_factory(name, "a task")()
    if not isinstance(task, Task) or isinstance(task, type):
        raise InvalidInputError(
            f"expected {name} to return a task (name, scale, reference, sent, restored), got {type(task).__name__}"
        )
    whole_number(task.scale, "the scale of a task", 1)
    return task
