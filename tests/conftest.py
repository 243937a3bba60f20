"""Settings for all tests: one thread for torch and BLAS, and profiles of hypothesis without deadlines."""

from __future__ import annotations

import os

from hypothesis import settings

# The arrays of tests are small: the threads of torch and BLAS would mostly wait for one another, which doubles the
# processor time of the suite. Tests of threads say how many they want.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

settings.register_profile("untimed", deadline=None)  # no deadline: tests measure no time, and the machine may be busy
settings.load_profile("untimed")
