"""The types of kernels, in one line of text each."""

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
    """Types of a kernel, written like ``"u8[:,:], out u32[:], i64 -> i64"``.

    ``out`` marks an array that the kernel writes. All arrays are C-contiguous.
    """

    arguments: tuple[Argument, ...]
    result: str

    @classmethod
    def parse(cls, text: str) -> Signature:
        """Read the notation above."""
        left, _, result = text.partition("->")
        flat = left.replace(":,", ":;")  # commas inside brackets do not separate arguments
        arguments = []
        for part in flat.split(","):
            name = part.strip()
            writable = name.startswith("out ")
            dtype, _, shape = name.removeprefix("out ").partition("[")
            arguments.append(Argument(dtype, shape.count(":"), writable))
        return cls(tuple(arguments), result.strip())

    def __str__(self) -> str:
        result = f" -> {self.result}" if self.result else ""
        return ", ".join(str(argument) for argument in self.arguments) + result
