"""Compile one file of kernels and write the result to stdout: ``python -m optcodec.kernels entropy``."""

import sys

from optcodec.kernels.export import build
from optcodec.kernels.native import pack

sys.stdout.buffer.write(pack(*build(sys.argv[1])))
