"""Decode files in headless Chromium: a page loads them from a local server, draws them and sends the samples back."""

from __future__ import annotations

import json
import subprocess
import tempfile
import threading
from functools import partial
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlsplit

import numpy as np

SECONDS = 240  # time limit for all files
# Without these options Chromium connects to other servers, and corrects colours for a screen.
FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--force-color-profile=srgb",
)


class _Handler(BaseHTTPRequestHandler):
    """Serves the page and the files, and stores the samples and errors that the page sends."""

    def __init__(self, *arguments: object, page: Path, source: Path, target: Path, done: threading.Event) -> None:
        self.page, self.source, self.target, self.done = page, source, target, done
        super().__init__(*arguments)  # type: ignore[arg-type]

    def do_GET(self) -> None:
        """Send the page, the names of the files, or a file."""
        if self.path == "/":
            self._answer(self.page.read_bytes(), "text/html")
        elif self.path == "/names":
            names = [path.stem for path in sorted(self.source.glob("*.jpg"))]
            self._answer(json.dumps(names).encode(), "application/json")
        elif (path := self.source / Path(self.path).name).is_file():
            self._answer(path.read_bytes(), "image/jpeg")
        else:
            self.send_error(404)

    def do_POST(self) -> None:
        """Receive ``/NAME.ppm?WxH`` with samples, ``/NAME.error`` with a text, or ``/done``."""
        body = self.rfile.read(int(self.headers["Content-Length"]))
        address = urlsplit(self.path)
        if address.path == "/done":
            self.done.set()
        elif address.query:
            width, height = address.query.split("x")
            rgb = np.frombuffer(body, np.uint8).reshape(-1, 4)[:, :3]
            body = f"P6 {width} {height} 255\n".encode() + rgb.tobytes()
        if address.path != "/done":
            (self.target / Path(address.path).name).write_bytes(body)
        self._answer(b"", "text/plain")

    def _answer(self, body: bytes, content_type: str) -> None:
        self.send_response(200)
        self.send_header("Content-Type", content_type)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Print nothing: the log of requests would only hide the results."""


def decode_in_chromium(program: str, page: Path, source: Path, target: Path) -> None:
    """Decode the files of a folder; files that are not decoded within the time limit count as refused."""
    done = threading.Event()
    handler = partial(_Handler, page=page, source=source, target=target, done=done)
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as profile:
        command = [program, *FLAGS, f"--user-data-dir={profile}", f"http://127.0.0.1:{server.server_port}/"]
        browser = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        try:
            done.wait(SECONDS)
        finally:
            browser.terminate()
            browser.wait(30)
            server.shutdown()
            server.server_close()
