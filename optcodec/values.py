"""Values that stay what they are when they are pickled or copied: checked, and with read-only arrays.

pickle and `copy` fill in the attributes of an object behind its constructor's back, and give it arrays that can be
written to. A `Value` is made by its constructor again, so that a value that exists is valid wherever it came from.
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
        given = {item.name: getattr(self, item.name) for item in fields(self) if item.init}
        return _made_again, (type(self), given, [name for name, value in given.items() if _is_read_only(value)])


def _is_read_only(value: object) -> bool:
    return isinstance(value, np.ndarray) and not value.flags.writeable


def _made_again(kind: type[Any], given: dict[str, Any], read_only: list[str]) -> Any:
    for name in read_only:
        given[name].flags.writeable = False  # also spares the constructor a copy
    return kind(**given)
