"""The zig-zag sequence (T.81, Figure A.6), for kernels and for all other modules."""

__all__ = ["NATURAL_ORDER"]


def _zigzag_key(n: int) -> tuple[int, int]:
    """Return the diagonal of row-major index n, and the position on it: odd diagonals run down, even ones up."""
    row, column = divmod(n, 8)
    return row + column, row if (row + column) % 2 else column


# NATURAL_ORDER[k] is the row-major index of the k-th coefficient of the zig-zag sequence.
NATURAL_ORDER = tuple(sorted(range(64), key=_zigzag_key))
