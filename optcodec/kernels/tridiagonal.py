"""Solve systems of linear equations with a tridiagonal matrix."""

from __future__ import annotations

from optcodec.kernels.export import export

__all__ = ["solve_tridiagonal"]


@export("out f32[:], out f32[:], out f32[:,:]")
def solve_tridiagonal(diagonal, beside, lines):
    """Solve ``A x = b`` for a symmetric positive definite tridiagonal A and several b, in place.

    A is factored as L D L' (Golub and Van Loan, Matrix Computations, section 4.3.6), which overwrites both diagonals.

    Parameters
    ----------
    diagonal : (n,) the main diagonal of A
    beside : (n - 1,) the diagonal above the main one, which equals that below
    lines : (n, columns) the right-hand sides, one a column; receives the solutions
    """
    count, columns = lines.shape
    for i in range(1, count):
        entry = beside[i - 1]
        beside[i - 1] = entry / diagonal[i - 1]
        diagonal[i] -= beside[i - 1] * entry
    for i in range(1, count):
        factor = beside[i - 1]
        for column in range(columns):
            lines[i, column] -= lines[i - 1, column] * factor
    for column in range(columns):
        lines[count - 1, column] /= diagonal[count - 1]
    for i in range(count - 2, -1, -1):
        factor = beside[i]
        for column in range(columns):
            lines[i, column] = lines[i, column] / diagonal[i] - lines[i + 1, column] * factor
