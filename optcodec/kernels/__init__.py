"""Numba functions on plain arrays: the inner loops of everything.

A kernel file is ordinary numba code; ``@export("signature")`` marks what the rest of the package may call, through
``load("file").name(...)``. Kernels allocate nothing, raise nothing and know no files, classes or options.
"""

from optcodec.kernels.native import load

__all__ = ["load"]
