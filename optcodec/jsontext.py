"""Reading JSON that somebody else wrote: whatever is wrong with it is one error."""

from __future__ import annotations

import json
from typing import Any

from optcodec.errors import InvalidInputError

__all__ = ["parse_json"]

_DEEPEST = 100  # lists and objects within one another; ours have fewer than ten


def parse_json(text: str | bytes, what: str = "JSON") -> Any:
    """Parse a JSON document.

    Parameters
    ----------
    text : str or bytes
        The whole document; bytes are UTF-8, UTF-16 or UTF-32.
    what : str
        What it should be, for messages.

    Raises
    ------
    InvalidInputError
        If it is no JSON, is nested more than 100 deep, which what goes through it later could not take, or has texts
        with half of a surrogate pair, which can be neither printed nor be the name of a file.
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise _too_deep(what) from None
    except ValueError as error:  # also bytes that are no text, and numbers of too many digits
        raise InvalidInputError(f"expected {what}, found {error}") from None
    level = [document]
    for _ in range(_DEEPEST):
        level = [each for holder in level for each in _held(holder)]
    if level:
        raise _too_deep(what)
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"expected {what}, found half of a surrogate pair ({error.object[error.start]!a})"
        ) from None
    return document


def _held(holder: object) -> list[Any]:
    """What a list or an object holds that can hold something itself."""
    values = holder.values() if isinstance(holder, dict) else holder if isinstance(holder, list) else ()
    return [value for value in values if isinstance(value, (dict, list))]


def _too_deep(what: str) -> InvalidInputError:
    return InvalidInputError(f"expected {what}, found more than {_DEEPEST} levels of lists and objects")
