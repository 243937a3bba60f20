"""Compile files of kernels and write the results to stdout: ``python -m optcodec.kernels huffman bits``."""

import sys

from optcodec.kernels.cache import joined_packed, pack
from optcodec.kernels.export import build

sys.stdout.buffer.write(joined_packed([pack(*build(stem)) for stem in sys.argv[1:]]))
