"""Base class of values with arrays, which stay checked and read-only when they are pickled or copied.

pickle and `copy` normally set the attributes of an object without calling its constructor, and make its arrays
writable. A `Value` is rebuilt by its constructor instead, so that every value that exists has been checked.
"""

from __future__ import annotations

from dataclasses import Field, fields
from typing import Any, ClassVar

import numpy as np

__all__ = ["Value"]


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
