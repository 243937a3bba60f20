"""Signatures of kernels: the types of arguments and result, and their notation in one line of text."""

from __future__ import annotations

from dataclasses import dataclass

__all__ = ["Argument", "Signature"]


@dataclass(frozen=True)
class Argument:
    """One argument of a kernel: a scalar (``ndim`` 0) or a C-contiguous array."""

    dtype: str
    ndim: int
    writable: bool

    def __str__(self) -> str:
        shape = f"[{','.join(':' * self.ndim)}]" if self.ndim else ""
        return f"{'out ' if self.writable else ''}{self.dtype}{shape}"


@dataclass(frozen=True)
class Signature:
    """Types of the arguments and the result of a kernel, written like ``"u8[:,:], out u32[:], i64 -> i64"``.

    ``out`` marks an array to which the kernel writes. All arrays are C-contiguous.
    """

    arguments: tuple[Argument, ...]
    result: str

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Parse the notation above."""
        argument_types, _, result = text.partition("->")
        flat = argument_types.replace(":,", ":;")  # commas inside brackets do not separate arguments
        arguments = []
        for argument in flat.split(","):
            array_type = argument.strip()
            writable = array_type.startswith("out ")
            dtype, _, shape = array_type.removeprefix("out ").partition("[")
            arguments.append(Argument(dtype, shape.count(":"), writable))
        return cls(tuple(arguments), result.strip())

    def __str__(self) -> str:
        result = f" -> {self.result}" if self.result else ""
        return ", ".join(str(argument) for argument in self.arguments) + result
