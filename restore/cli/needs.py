"""What some verbs need, and how to get it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from optcodec import InvalidInputError

__all__ = ["needs_torch"]


@contextmanager
def needs_torch() -> Iterator[None]:
    """Say how to get torch, safetensors or onnx where one is missing."""
    try:
        yield
    except ModuleNotFoundError as error:
        if error.name not in ("torch", "safetensors", "onnx"):
            raise
        message = f"{error.name} is needed for this, and is not there: pip install 'optcodec[torch]'"
        raise InvalidInputError(message) from None
