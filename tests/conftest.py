"""Settings for all tests: one thread for torch and BLAS, and profiles of hypothesis without deadlines."""

from __future__ import annotations

import gc
import os
from collections.abc import Iterator

import pytest
from hypothesis import settings

# The arrays of tests are small: the threads of torch and BLAS would mostly wait for one another, which doubles the
# processor time of the suite. Tests of threads say how many they want.
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ.setdefault(name, "1")

# Nothing of what is imported and collected is garbage: looking for it would take a third of the time of that, and then,
# again and again, a tenth of the time of the tests.
gc.disable()

settings.register_profile("untimed", deadline=None)  # no deadline: tests measure no time, and the machine may be busy
settings.load_profile("untimed")


@pytest.fixture(scope="session", autouse=True)
def one_thread_in_onnx_runtime() -> Iterator[None]:
    """Load models for one thread where a test does not say how many: more of them spin while they wait for work."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("restore.runtime.models.processor_count", lambda: 1)
        yield


def pytest_collection_finish() -> None:
    """Keep the garbage collector away from what lives to the end: the tests and all that they import."""
    gc.enable()
    gc.freeze()
