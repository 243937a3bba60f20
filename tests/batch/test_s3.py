"""Data sets in Amazon S3, at a server of moto on this machine: the same bytes, whole objects only, and going on."""

from __future__ import annotations

import gzip
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from optcodec.batch.lock import locked
from optcodec.batch.places import Url
from optcodec.errors import InvalidInputError
from tests.batch.buckets import a_job_goes_on, tar_files_are_coded
from tests.batch.s3 import s3_bucket, s3_server
from tests.batch.test_shards import coded, read_tar, samples, write_tar
from tests.batch.test_urls import download, upload
from tests.cli_helpers import run_json

pytest.importorskip("s3fs")
pytest.importorskip("moto.server")
pytestmark = pytest.mark.filterwarnings("ignore")  # of the clients of others


@pytest.fixture
def bucket(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """The file system of an empty bucket ``bucket``."""
    with s3_server(monkeypatch), s3_bucket() as system:
        yield system


def test_a_bucket(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def lost(method: str, *_: Any, Key: str = "", **__: Any) -> bool:
        return method == "put_object" and Key.endswith("003.jpg")

    a_job_goes_on(tmp_path, bucket, "s3", monkeypatch, "_call_s3", lost)


def test_one_of_many_jobs_that_begin_together_has_the_lock(bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """None of them sees a lock before it makes its own; the store makes one of them."""
    whole, count = type(bucket).exists, 6
    together, done = threading.Barrier(count), threading.Barrier(count)

    def waits(system: Any, path: str, **options: Any) -> bool:
        there = bool(whole(system, path, **options))
        if not there:
            together.wait(60)
        return there

    def job(number: int) -> str | None:
        try:
            with locked(Url("s3://bucket/out")):
                done.wait(60)
        except InvalidInputError as error:
            done.wait(60)
            return str(error)
        return None

    monkeypatch.setattr(type(bucket), "exists", waits)
    with ThreadPoolExecutor(count) as pool:
        refused = [text for text in pool.map(job, range(count)) if text is not None]
    assert len(refused) == count - 1
    assert all("s3://bucket/out is in use by another job (process " in text for text in refused)
    bucket.invalidate_cache()
    assert bucket.find("bucket/out") == []


@pytest.mark.parametrize("most", [1 << 26, 100], ids=["one request", "parts"])
def test_tar_files_in_a_bucket(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch, most: int) -> None:
    monkeypatch.setattr("optcodec.batch.places._IN_MEMORY_NBYTES", most)
    tar_files_are_coded(tmp_path, bucket, "s3")


def test_tar_files_in_a_bucket_are_read_once(tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """Not once more for each picture, as far ahead as a file system reads."""
    write_tar(tmp_path / "in/0.tar", samples(8))
    (tmp_path / "in/1.tgz").write_bytes(gzip.compress((tmp_path / "in/0.tar").read_bytes()))
    upload(bucket, tmp_path / "in", "bucket/in")
    fetched = [0]
    whole = type(bucket)._call_s3

    async def counts(system: Any, method: str, *positional: Any, **named: Any) -> Any:
        answer = await whole(system, method, *positional, **named)
        fetched[0] += answer["ContentLength"] if method == "get_object" else 0
        return answer

    monkeypatch.setattr(type(bucket), "_call_s3", counts)
    for name, options, most in (
        ("0.tar", [], 1),
        ("1.tgz", [], 1),
        (
            "0.tar",
            ["--shared-tables", "-q", 60],
            3,
        ),  # where the pictures are, the pictures, and all of it once more to code it
    ):
        fetched[0] = 0
        out = f"s3://bucket/out{len(options)}{name}"
        assert len(run_json("encode", f"s3://bucket/in/{name}", "-o", out, "--threads", 2, *options)["files"]) == 8
        assert fetched[0] <= most * (tmp_path / "in" / name).stat().st_size
    fetched[0] = 0
    run_json("encode", "s3://bucket/in/0.tar", "-o", "s3://bucket/more", "--manifest", tmp_path / "m.jsonl")
    written = bucket.info("bucket/more/0.tar")["size"]
    assert fetched[0] <= (tmp_path / "in/0.tar").stat().st_size + written  # whose hash is that of what is there


_BREAKS = """
import itertools, os, sys
import s3fs
from optcodec.cli import main

whole, number = s3fs.S3FileSystem.call_s3, itertools.count()

def breaks(system, method, *positional, **named):
    if method == "upload_part" and next(number) == 1:
        if os.environ["HOW"] == "killed":
            os._exit(9)
        raise OSError(5, "the connection was lost")
    return whole(system, method, *positional, **named)

s3fs.S3FileSystem.call_s3 = breaks
s3fs.S3FileSystem.default_block_size = 5 << 20
main(sys.argv[1:], prog_name="optcodec")
"""


@pytest.mark.parametrize("how", ["lost", "killed"])
def test_an_upload_that_ends_half_way_leaves_no_object(
    tmp_path: Path, bucket: Any, monkeypatch: pytest.MonkeyPatch, how: str
) -> None:
    """Of a tar file of 12 MB one part of 5 MB was sent: nothing is there, and the job goes on."""
    files = {**samples(2), "large.bin": bytes(12 << 20)}
    write_tar(tmp_path / "0.tar", files)
    monkeypatch.setenv("HOW", how)
    arguments = ["encode", tmp_path / "0.tar", "-o", "s3://bucket/out", "--manifest", tmp_path / "m.jsonl", "--resume"]
    small = "import optcodec.batch.places as places\nplaces._IN_MEMORY_NBYTES = 100\n"
    command = [sys.executable, "-c", small + _BREAKS, *map(str, arguments)]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == (9 if how == "killed" else 1), done.stderr
    if how == "lost":
        assert "cannot write s3://bucket/out/0.tar: the connection was lost" in done.stderr
    bucket.invalidate_cache()
    assert [name for name in bucket.find("bucket/out") if not name.endswith("-lock")] == []
    unfinished = bucket.call_s3("list_multipart_uploads", Bucket="bucket").get("Uploads", [])
    assert len(unfinished) == (how == "killed")  # which the rules of the bucket remove
    assert len(run_json(*arguments)["files"]) == 2
    bucket.invalidate_cache()
    download(bucket, "bucket/out", tmp_path / "got")
    assert read_tar(tmp_path / "got/0.tar") == coded(files)
