"""Read the JSON of a result file."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from optcodec.errors import InvalidInputError
from optcodec.jsontext import parse_json

__all__ = ["read_document"]


def read_document(path: str | os.PathLike[str]) -> Any:
    """The JSON value of a file.

    Raises
    ------
    InvalidInputError
        If the file cannot be read or is no JSON.
    """
    try:
        return parse_json(Path(path).read_bytes())
    except OSError as error:
        raise InvalidInputError(f"cannot read {path}: {error.strerror}") from None
    except InvalidInputError as error:
        raise InvalidInputError(f"{path}: {error}") from None
