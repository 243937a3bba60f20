"""Base class of values with arrays, which stay checked and read-only when they are pickled or copied.

pickle and `copy` normally set the attributes of an object without calling its constructor, and make its arrays
writable. A `Value` is rebuilt by its constructor instead, so that every value that exists has been checked.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, ClassVar

import numpy as np

from optcodec.errors import InvalidInputError

__all__ = ["Value", "check_field_types"]


class Value:
    """Base of the frozen dataclasses that hold arrays."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        read_only = [name for name, value in arguments.items() if _is_read_only(value)]
        return _rebuilt, (type(self), arguments, read_only)


def _is_read_only(value: object) -> bool:
    return isinstance(value, np.ndarray) and not value.flags.writeable


def _rebuilt(value_type: type[Any], arguments: dict[str, Any], read_only: list[str]) -> Any:
    for name in read_only:
        arguments[name].flags.writeable = False  # then the constructor does not copy the array
    return value_type(**arguments)


def check_field_types(value: Any, what: str, others: Mapping[str, Any] | None = None) -> None:
    """Raise `InvalidInputError` unless each field of a dataclass has the type of its default; a bool is no number.

    Parameters
    ----------
    value : dataclass
        Every field has a default.
    what : str
        What the value is of, for messages.
    others : mapping of str to type, optional
        Types of fields by name where that of the default is not meant; None for those that are checked elsewhere.
    """
    for item in fields(value):
        held, kind = getattr(value, item.name), (others or {}).get(item.name, type(item.default))
        is_bool = isinstance(held, bool) and kind is not bool
        if kind is not None and (is_bool or not isinstance(held, kind)):
            expected = getattr(kind, "__name__", kind)
            raise InvalidInputError(f"{item.name} of {what} is of type {expected}, got {held!r}")
