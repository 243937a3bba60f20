"""Values that stay what they are when they are pickled or copied: checked, and with read-only arrays.

pickle and `copy` fill in the attributes of an object behind its constructor's back, and give it arrays that can be
written to. A `Value` is made by its constructor again, so that a value that exists is valid wherever it came from.
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
        given = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        return _made_again, (type(self), given, [name for name, value in given.items() if _is_read_only(value)])


def _is_read_only(value: object) -> bool:
    return isinstance(value, np.ndarray) and not value.flags.writeable


def _made_again(kind: type[Any], given: dict[str, Any], read_only: list[str]) -> Any:
    for name in read_only:
        given[name].flags.writeable = False  # also spares the constructor a copy
    return kind(**given)


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
