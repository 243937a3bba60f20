"""Compile files of kernels and write the results to stdout: ``python -m optcodec.kernels huffman bits``."""

import gc
import os
import sys

from optcodec.kernels.processes import joined, pack

stdout = os.fdopen(os.dup(1), "wb")
os.dup2(2, 1)  # numba prints to stdout where its NUMBA_DUMP settings ask for it

from optcodec.kernels.export import build  # noqa: E402
from optcodec.kernels.native import link  # noqa: E402

gc.disable()  # the process ends soon, and looking for garbage would take a sixth of its time
objects = [build(stem) for stem in sys.argv[1:]]
for code, signatures in objects:
    # If an object file cannot be loaded, LLVM may end the process. That happens here, and not in the user's process.
    link(code, signatures)
with stdout:
    stdout.write(joined([pack(code, signatures) for code, signatures in objects]))
