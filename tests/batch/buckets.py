"""What a data set in a store of others has to do, for Amazon S3 and Google Cloud Storage: `test_s3`, `test_gcs`."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.batch.helpers import folder_of, hashes
from tests.batch.test_shards import coded, read_tar, samples, write_tar
from tests.batch.test_urls import download, upload
from tests.cli_helpers import messages, run, run_json

Lost = Callable[..., bool]  # whether the connection is lost before a request, by its arguments


def a_job_goes_on(tmp_path: Path, system: Any, scheme: str, patch: pytest.MonkeyPatch, method: str, lost: Lost) -> None:
    """Six pictures from the bucket to the bucket, of which the upload of one fails at first.

    `method` is the name of the coroutine by which the file system sends its requests.
    """
    folder_of(tmp_path / "in", 6)
    upload(system, tmp_path / "in", "bucket/in")
    run_json("encode", tmp_path / "in", "-o", tmp_path / "local")
    expected = hashes(tmp_path / "local")
    manifest = tmp_path / "m.jsonl"
    arguments = ["encode", f"{scheme}://bucket/in", "-o", f"{scheme}://bucket/out", "--manifest", manifest, "--resume"]

    whole = getattr(type(system), method)

    async def breaks(system: Any, *positional: Any, **named: Any) -> Any:
        if lost(*positional, **named):
            raise OSError(5, "the connection was lost")
        return await whole(system, *positional, **named)

    with patch.context() as patched:
        patched.setattr(type(system), method, breaks)
        result = run(*arguments)
    assert result.exit_code == 1
    assert messages(result)[1].endswith(f"cannot write {scheme}://bucket/out/003.jpg: the connection was lost")
    system.invalidate_cache()
    first = download(system, "bucket/out", tmp_path / "first")
    assert first == {name: text for name, text in expected.items() if name != "003.jpg"}
    assert run_json(*arguments)["resumed"] == 5
    system.invalidate_cache()
    assert download(system, "bucket/out", tmp_path / "got") == expected


def tar_files_are_coded(tmp_path: Path, system: Any, scheme: str) -> None:
    """A tar file from the bucket to the bucket."""
    write_tar(tmp_path / "in/0.tar", samples(3))
    upload(system, tmp_path / "in", "bucket/in")
    run_json("encode", f"{scheme}://bucket/in/*.tar", "-o", f"{scheme}://bucket/out")
    system.invalidate_cache()
    download(system, "bucket/out", tmp_path / "got")
    assert read_tar(tmp_path / "got/0.tar") == coded(samples(3))
