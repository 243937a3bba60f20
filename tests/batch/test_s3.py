"""Data sets in Amazon S3, at a server of moto on this machine: the same bytes, whole objects only, and going on."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.batch.helpers import folder_of, hashes
from tests.batch.test_shards import coded, read_tar, samples, write_tar
from tests.batch.test_urls import download, upload
from tests.cli_helpers import messages, run, run_json

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the clients of others


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system of an empty bucket ``bucket``."""
    import s3fs
    from moto.server import ThreadedMotoServer

    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    for name, text in (
        ("AWS_ENDPOINT_URL", f"http://{host}:{port}"),
        ("AWS_ACCESS_KEY_ID", "testing"),
        ("AWS_SECRET_ACCESS_KEY", "testing"),
        ("AWS_DEFAULT_REGION", "us-east-1"),
        ("NO_PROXY", f"{os.environ.get('NO_PROXY', '')},{host}"),
    ):
        monkeypatch.setenv(name, text)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("bucket")
    yield system
    system.rm("bucket", recursive=True)
    server.stop()
    s3fs.S3FileSystem.clear_instance_cache()


def test_a_bucket(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    folder_of(tmp_path / "in", 6)
    upload(bucket, tmp_path / "in", "bucket/in")
    run_json("encode", tmp_path / "in", "-o", tmp_path / "local")
    expected = hashes(tmp_path / "local")
    manifest = tmp_path / "m.jsonl"
    arguments = ["encode", "s3://bucket/in", "-o", "s3://bucket/out", "--manifest", manifest, "--resume"]

    whole = type(bucket)._call_s3

    async def breaks(system: Any, method: str, *positional: Any, **named: Any) -> Any:
        if method == "put_object" and str(named.get("Key")).endswith("003.jpg"):
            raise OSError(5, "the connection was lost")
        return await whole(system, method, *positional, **named)

    with monkeypatch.context() as patched:
        patched.setattr(type(bucket), "_call_s3", breaks)
        result = run(*arguments)
    assert result.exit_code == 1
    assert messages(result)[1].endswith("cannot write s3://bucket/out/003.jpg: the connection was lost")
    bucket.invalidate_cache()
    first = download(bucket, "bucket/out", tmp_path / "first")
    assert first == {name: text for name, text in expected.items() if name != "003.jpg"}
    assert run_json(*arguments)["resumed"] == 5
    bucket.invalidate_cache()
    assert download(bucket, "bucket/out", tmp_path / "got") == expected


@pytest.mark.parametrize("most", [1 << 26, 100], ids=["one request", "parts"])
def test_tar_files_in_a_bucket(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr("optcodec.batch.places._IN_MEMORY_NBYTES", most)
    write_tar(tmp_path / "in/0.tar", samples(3))
    upload(bucket, tmp_path / "in", "bucket/in")
    run_json("encode", "s3://bucket/in/*.tar", "-o", "s3://bucket/out")
    bucket.invalidate_cache()
    download(bucket, "bucket/out", tmp_path / "got")
    assert read_tar(tmp_path / "got/0.tar") == coded(samples(3))
