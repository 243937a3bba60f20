"""Compile one file of kernels and write the result to stdout: ``python -m optcodec.kernels entropy``."""

import sys

from optcodec.kernels.cache import pack
from optcodec.kernels.export import build

sys.stdout.buffer.write(pack(*build(sys.argv[1])))
