"""Settings of all tests."""

from __future__ import annotations

import gc
import os

from hypothesis import settings

# The arrays of tests are small: the threads of torch and BLAS would mostly wait for one another, which doubles the
# processor time of the suite. Tests of threads say how many they want.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

settings.register_profile("untimed", deadline=None)  # tests measure no time, and machines are busy at times
settings.load_profile("untimed")


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from what lives to the end: the tests and their imports, a million objects.

    Looking through them again and again would take a tenth of the processor time of the suite.
    """
    gc.freeze()
