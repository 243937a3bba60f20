"""Parse JSON from files that may be invalid; any problem becomes one `InvalidInputError`."""

from __future__ import annotations

import json
from typing import Any

from optcodec.errors import InvalidInputError

__all__ = ["parse_json"]

_MAX_DEPTH = 100  # of nested lists and objects; documents of optcodec have fewer than ten levels


def parse_json(text: str | bytes, what: str = "JSON") -> Any:
    """Parse a JSON document.

    Parameters
    ----------
    text : str or bytes
        The whole document; bytes are UTF-8, UTF-16 or UTF-32.
    what : str
        Description of the expected document, for error messages.

    Raises
    ------
    InvalidInputError
        If the text is not JSON; if it has more than 100 nested levels, for which recursive functions that read the
        document could fail; or if a string has half of a surrogate pair, which cannot be printed or be a file name.
    """
    try:
        document = json.loads(text)
    except RecursionError:
        raise _too_deep(what) from None
    except ValueError as error:  # also for bytes in another encoding, and for numbers with too many digits
        raise InvalidInputError(f"expected {what}, found {error}") from None
    level = [document]
    for _ in range(_MAX_DEPTH):
        level = [child for container in level for child in _containers_in(container)]
    if level:
        raise _too_deep(what)
    try:
        json.dumps(document, ensure_ascii=False).encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"expected {what}, found half of a surrogate pair ({error.object[error.start]!a})"
        ) from None
    return document


def _containers_in(container: object) -> list[Any]:
    """Return the lists and objects that are direct members of a list or an object."""
    values = container.values() if isinstance(container, dict) else container if isinstance(container, list) else ()
    return [value for value in values if isinstance(value, (dict, list))]


def _too_deep(what: str) -> InvalidInputError:
    return InvalidInputError(f"expected {what}, found more than {_MAX_DEPTH} levels of lists and objects")
