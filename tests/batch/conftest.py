"""A folder of pictures, and what becomes of it when nothing happens to the job."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.batch.helpers import folder_of, hashes
from tests.cli_helpers import run_json


@pytest.fixture
def expected(tmp_path: Path) -> dict[str, str]:
    """Hashes of the coded files of a folder ``in`` of 24 pictures, in a job that nothing happens to."""
    folder_of(tmp_path / "in", 24)
    run_json("encode", tmp_path / "in", "-o", tmp_path / "undisturbed")
    coded = hashes(tmp_path / "undisturbed")
    assert len(coded) == 24  # and nothing else, such as a lock
    return coded
