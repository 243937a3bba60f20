"""What verbs that look at a network share."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from optcodec.errors import InvalidInputError

if TYPE_CHECKING:
    from optcodec.vision.models import TargetModel

__all__ = ["needs_torch", "open_model"]


@contextmanager
def needs_torch(purpose: str) -> Iterator[None]:
    """Say how to get torch where it is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "torchvision", "safetensors"):
            raise
        message = f"{error.name} is needed to {purpose}, and is not there: pip install 'optcodec[torch]'"
        raise InvalidInputError(message) from None


def open_model(model: str, *, weights: str | None, device: str) -> TargetModel:
    """As `optcodec.vision.models.load_model`; a factory may be a file of the user's, as for ``python -m``."""
    from optcodec.vision.models import load_model

    if ":" in model:
        sys.path.insert(0, str(Path.cwd()))
    return load_model(model, weights=weights, device=device)
