"""Data sets in Google Cloud Storage, at an emulator on this machine: the same bytes, going on, one job at a time."""

from __future__ import annotations

from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import fsspec
import pytest

from optcodec.batch.lock import locked
from optcodec.batch.places import Url
from optcodec.errors import InvalidInputError
from tests.batch.buckets import a_job_goes_on, tar_files_are_coded

emulator = pytest.importorskip("gcp_storage_emulator.server")
pytestmark = [
    pytest.mark.skipif(find_spec("gcsfs") is None, reason="gcsfs is not installed"),
    pytest.mark.filterwarnings("ignore"),  # of the clients of others
]


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system of an empty bucket ``bucket``."""
    with emulator.create_server("127.0.0.1", 0, in_memory=True, default_bucket="bucket") as server:
        monkeypatch.setenv("STORAGE_EMULATOR_HOST", f"http://127.0.0.1:{server._api._httpd.server_port}")
        monkeypatch.setenv("NO_PROXY", "127.0.0.1")
        monkeypatch.setenv(
            "GCSFS_EXPERIMENTAL_ZB_HNS_SUPPORT", "false"
        )  # which would speak gRPC; the emulator does not
        monkeypatch.setitem(fsspec.config.conf, "gs", {"token": "anon"})
        system = fsspec.filesystem("gs")
        yield system
        type(system).clear_instance_cache()


def test_a_bucket(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(*_: Any, data: bytes = b"", **__: Any) -> bool:
        return b"out/003.jpg" in data

    a_job_goes_on(tmp_path, bucket, "gs", monkeypatch, "_call", lost)


@pytest.mark.parametrize("most", [1 << 26, 100], ids=["one request", "parts"])
def test_tar_files_in_a_bucket(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr("optcodec.batch.places._IN_MEMORY_NBYTES", most)
    tar_files_are_coded(tmp_path, bucket, "gs")


def test_a_second_job_is_refused(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where both see no lock: the store is asked to create it only where there is none, as the emulator cannot."""
    asked: list[str | None] = []
    whole = type(bucket)._call

    async def listens(system: Any, *positional: Any, **named: Any) -> Any:
        if "data" in named:
            asked.append(named.get("ifGenerationMatch"))
        return await whole(system, *positional, **named)

    monkeypatch.setattr(type(bucket), "_call", listens)
    with locked(Url("gs://bucket/out")):
        refused = pytest.raises(InvalidInputError, match=r"gs://bucket/out is in use by another job \(process ")
        with refused, locked(Url("gs://bucket/out")):
            pass
        assert bucket.find("bucket/out") == ["bucket/out/.optcodec-lock"]
    bucket.invalidate_cache()
    assert bucket.find("bucket/out") == []
    assert asked == ["0"]
