"""A cached property that takes no lock."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Generic, Self, TypeVar, overload

__all__ = ["cached_property"]

T = TypeVar("T")


class cached_property(Generic[T]):  # noqa: N801 (called as in functools)
    """`functools.cached_property` as it is since Python 3.12, also for Python 3.11.

    In Python 3.11, it holds one lock for all objects of a class while it computes a value: threads wait for one
    another, and in a process that is forked meanwhile the lock is never released. Without the lock, two threads may
    both compute the value, with the same result.
    """

    def __init__(self, compute: Callable[[Any], T]) -> None:
        self._compute, self._name, self.__doc__ = compute, compute.__name__, compute.__doc__

    @overload
    def __get__(self, instance: None, owner: type[Any]) -> Self: ...

    @overload
    def __get__(self, instance: object, owner: type[Any]) -> T: ...

    def __get__(self, instance: object | None, owner: type[Any]) -> Self | T:
        if instance is None:
            return self
        value = instance.__dict__[self._name] = self._compute(
            instance
        )  # from now on, Python finds this attribute before the property
        return value
