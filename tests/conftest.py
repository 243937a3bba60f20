"""Settings of all tests."""

from __future__ import annotations

from hypothesis import settings

settings.register_profile("untimed", deadline=None)  # tests measure no time, and machines are busy at times
settings.load_profile("untimed")
