"""Base class of values with arrays, which stay checked and read-only when they are pickled or copied.

pickle and `copy` normally set the attributes of an object without calling its constructor, and make its arrays
writable. A `Value` is rebuilt by its constructor instead, so that every value that exists has been checked. As text, it
names large arrays and files without their content.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import Field, fields
from typing import Any, ClassVar

import numpy as np

from optcodec.errors import InvalidInputError

__all__ = ["Value", "check_field_types"]

_MOST_NUMBERS, _MOST_BYTES = 64, 32  # of arrays and of bytes that are shown whole


class Value:
    """Base of the frozen dataclasses that hold arrays."""

    __dataclass_fields__: ClassVar[dict[str, Field[Any]]]

    def __init_subclass__(cls) -> None:
        if "__repr__" not in cls.__dict__:  # dataclass would make another one
            type.__setattr__(cls, "__repr__", Value.__repr__)

    def __repr__(self) -> str:
        shown = (f"{item.name}={_short(getattr(self, item.name))}" for item in fields(self) if item.repr)
        return f"{type(self).__qualname__}({', '.join(shown)})"

    def __reduce__(self) -> tuple[Any, ...]:
        arguments = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        read_only = [name for name, value in arguments.items() if _is_read_only(value)]
        return _rebuilt, (type(self), arguments, read_only)


def _short(value: object) -> str:
    """A value as text, without the content of large arrays and of files."""
    if isinstance(value, np.ndarray) and value.size > _MOST_NUMBERS:
        return f"<{value.dtype} array of shape {value.shape}>"
    if isinstance(value, bytes) and len(value) > _MOST_BYTES:
        return f"<{len(value):,} bytes>"
    if type(value) is tuple:
        return f"({', '.join(map(_short, value))}{',' if len(value) == 1 else ''})"
    return repr(value)


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
