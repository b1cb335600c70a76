"""Another site, with pages that have nothing on them."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread


class _Empty(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.send_header("content-type", "text/html")
        self.end_headers()
        self.wfile.write(b"<!doctype html><title>elsewhere</title>")

    def log_message(self, *_: object) -> None:
        """Say nothing."""


@contextmanager
def empty_pages() -> Iterator[str]:
    """The origin of such a site; to a browser ``localhost`` is another one than ``127.0.0.1``."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Empty) as serving:
        thread = Thread(target=serving.serve_forever)
        thread.start()
        try:
            yield f"http://localhost:{serving.server_port}"
        finally:
            serving.shutdown()
            thread.join()
