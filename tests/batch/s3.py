"""Amazon S3 for the tests: a server of moto on this machine."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import pytest


@contextmanager
def s3_server(patch: pytest.MonkeyPatch) -> Iterator[None]:
    """Run a server, and name it in the environment of this process and of those that it starts."""
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
        patch.setenv(name, text)
    try:
        yield
    finally:
        server.stop()


@contextmanager
def s3_bucket() -> Iterator[Any]:
    """The file system of an empty bucket ``bucket``, which is removed in the end."""
    import s3fs

    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem()
    system.mkdir("bucket")
    try:
        yield system
    finally:
        system.rm("bucket", recursive=True)
        s3fs.S3FileSystem.clear_instance_cache()
