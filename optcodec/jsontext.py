"""Parse JSON from files that may be invalid (any problem becomes one `InvalidInputError`), and write our own."""

from __future__ import annotations

import json
import math
from collections.abc import Collection, Mapping
from typing import Any

from optcodec.errors import InvalidInputError

__all__ = ["document_text", "finite", "parse_document", "parse_json"]

_MAX_DEPTH = 100  # of nested lists and objects; documents of optcodec have fewer than ten levels


def parse_json(text: str | bytes, what: str = "JSON", *, surrogates: bool = False) -> Any:
    """Parse a JSON document.

    Parameters
    ----------
    text : str or bytes
        The whole document; bytes are UTF-8, UTF-16 or UTF-32.
    what : str
        Description of the expected document, for error messages.
    surrogates : bool
        Accept halves of surrogate pairs, as which Python writes the bytes of names of files that are not UTF-8.

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
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"expected {what}, found a file that is no text ({error.reason})") from None
    except ValueError as error:  # also for numbers with too many digits
        raise InvalidInputError(f"expected {what}, found {error}") from None
    level = [document]
    for _ in range(_MAX_DEPTH):
        level = [child for container in level for child in _containers_in(container)]
    if level:
        raise _too_deep(what)
    try:
        json.dumps(document, ensure_ascii=surrogates).encode()
    except UnicodeEncodeError as error:
        raise InvalidInputError(
            f"expected {what}, found half of a surrogate pair ({error.object[error.start]!a})"
        ) from None
    return document


def parse_document(
    text: str | bytes, what: str, *, format_name: str, required: Collection[str], optional: Collection[str] = ()
) -> dict[str, Any]:
    """Entries of a document of ours, by name, without its ``format``.

    Parameters
    ----------
    text : str or bytes
        The whole document.
    what : str
        What it should be, for messages, such as ``"a utility profile"``.
    format_name : str
        What its entry ``format`` says.
    required, optional : collection of str
        Names of the entries that it must and may have.

    Raises
    ------
    InvalidInputError
        If it is no JSON object of that format, or has other entries.
    """
    document = parse_json(text, f"the JSON of {what}")
    actual_format = document.pop("format", None) if isinstance(document, dict) else type(document).__name__
    if not isinstance(document, dict) or actual_format != format_name:
        raise InvalidInputError(f"expected a JSON object with format {format_name!r}, found {actual_format!r}")
    unknown = sorted(document.keys() - set(required) - set(optional))
    missing = sorted(set(required) - document.keys())
    if unknown or missing:
        raise InvalidInputError(f"expected the entries of {what}: unknown {unknown}, missing {missing}")
    return document


def document_text(format_name: str, entries: Mapping[str, Any]) -> str:
    """JSON of a document of ours, an entry a line; `parse_document` reads it. Numbers keep every digit."""
    lines = [f'"{name}": {_text(value)}' for name, value in ({"format": format_name} | dict(entries)).items()]
    return "{\n" + ",\n".join(lines) + "\n}\n"


def _text(value: Any) -> str:
    """JSON of a value; of lists of lists, the innermost on lines of their own, as the rows of a matrix."""
    if isinstance(value, dict):
        return "{" + ", ".join(f"{json.dumps(name)}: {_text(held)}" for name, held in value.items()) + "}"
    if not isinstance(value, (list, tuple)) or not value or not all(isinstance(row, (list, tuple)) for row in value):
        return json.dumps(value)
    deeper = any(isinstance(entry, (list, tuple)) for row in value for entry in row)
    return "[" + (",\n\n " if deeper else ",\n  ").join(map(_text, value)) + "]"


def _containers_in(container: object) -> list[Any]:
    """Return the lists and objects that are direct members of a list or an object."""
    values = container.values() if isinstance(container, dict) else container if isinstance(container, list) else ()
    return [value for value in values if isinstance(value, (dict, list))]


def _too_deep(what: str) -> InvalidInputError:
    return InvalidInputError(f"expected {what}, found more than {_MAX_DEPTH} levels of lists and objects")


def finite(number: float) -> float | None:
    """The number as JSON can hold it: None if it is infinite or NaN."""
    return number if math.isfinite(number) else None
