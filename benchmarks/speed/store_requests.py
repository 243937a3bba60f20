"""How many requests does each further picture of a data set send to an object store?

Jobs over few and over many pictures of 8x8 pixels go from one folder of a store to another one, with a manifest, from
pictures one by one and from tar files of 10 pictures. The store is moto's server of Amazon S3 on this machine, which
counts requests by their method. Needs s3fs and moto. Writes benchmarks/results/store_requests.json.
"""

from __future__ import annotations

import logging
import os
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from benchmarks.record import write_result
from benchmarks.speed.bookkeeping import folder_of, tars_of

FEW, MANY = 20, 80
IN_A_TAR = 10


def main() -> None:
    """Count the requests of all jobs and write the differences."""
    import s3fs

    figures: dict[str, Any] = {}
    kinds = {"folder": (folder_of, 1), "tar files": (lambda at, count: tars_of(at, count, IN_A_TAR), IN_A_TAR)}
    with counting_server() as requests, tempfile.TemporaryDirectory() as scratch:
        system = s3fs.S3FileSystem()
        system.mkdir("bucket")
        for kind, (make, pictures) in kinds.items():
            counts = []
            for count in (FEW, MANY):
                source = f"bucket/{kind[:3]}{count}"
                system.put(str(make(Path(scratch), count)), source, recursive=True)
                requests.clear()
                command = [sys.executable, "-m", "optcodec", "encode", f"s3://{source}", "-o", f"s3://{source}-coded"]
                manifest = ["--manifest", f"{scratch}/{kind[:3]}{count}.jsonl"]
                subprocess.run([*command, *manifest], check=True, stdout=subprocess.DEVNULL)
                counts.append(requests.copy())
            few, many = counts
            figures[kind] = {method: (many[method] - few[method]) * pictures / (MANY - FEW) for method in sorted(many)}
            print(f"{kind}: {figures[kind]} for each further file")
    write_result("store_requests", {"each_further_file": figures}, packages=("fsspec", "s3fs", "moto"))


@contextmanager
def counting_server() -> Iterator[Counter[str]]:
    """Run a store, and name it in the environment; its requests by their method."""
    from moto.server import ThreadedMotoServer

    requests = Counter[str]()
    log = logging.getLogger("werkzeug")
    log.setLevel(logging.INFO)
    log.propagate = False
    log.handlers = [_Counting(requests)]
    server = ThreadedMotoServer("127.0.0.1", port=0)
    server.start()
    host, port = server.get_host_and_port()
    os.environ |= {"AWS_ENDPOINT_URL": f"http://{host}:{port}", "AWS_DEFAULT_REGION": "us-east-1"}
    os.environ |= {"AWS_ACCESS_KEY_ID": "measured", "AWS_SECRET_ACCESS_KEY": "measured", "NO_PROXY": host}
    try:
        yield requests
    finally:
        server.stop()


class _Counting(logging.Handler):
    """Counts the lines of the server's log, such as ``... "GET /bucket/a.png HTTP/1.1" 200 -``."""

    def __init__(self, requests: Counter[str]) -> None:
        super().__init__()
        self._requests = requests

    def emit(self, record: logging.LogRecord) -> None:
        """Count a request."""
        _, quote, request = record.getMessage().partition('"')
        if quote:
            self._requests[request.partition(" ")[0].rpartition("m")[2]] += 1


if __name__ == "__main__":
    main()
