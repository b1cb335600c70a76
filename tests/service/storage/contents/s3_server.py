"""A server that speaks S3 as far as images need it, on a socket, and fails as it is told to.

Requests are checked as S3 checks them (Signature Version 4, AWS's documentation of "Authenticating
Requests"); objects are kept in memory. Path style alone.
"""

from __future__ import annotations

import hashlib
import hmac
import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, quote, unquote, urlsplit
from xml.sax.saxutils import escape

KEY, SECRET = "handful-test", "a secret of tests"
_AUTHORIZATION = re.compile(
    r"AWS4-HMAC-SHA256 Credential=([^/]+)/(\d{8})/([^/]+)/s3/aws4_request,\s*"
    r"SignedHeaders=([^,]+),\s*Signature=([0-9a-f]{64})"
)


@dataclass
class S3:
    """What the server has, and how it answers.

    Attributes:
        buckets: Objects by bucket and key.
        failing: Status and code that requests get instead of an answer, and how many of them: all
            if that is None.
        delay: Seconds before each answer.
        methods: Of the requests that ``failing`` is about.
        requests: How many there were, by method.
    """

    port: int = 0
    buckets: dict[str, dict[str, bytes]] = field(default_factory=lambda: {"images": {}})
    failing: tuple[int, str, int | None] | None = None
    methods: tuple[str, ...] = ("GET", "PUT", "POST", "DELETE", "HEAD")
    delay: float = 0.0
    requests: dict[str, int] = field(default_factory=dict)
    lock: threading.Lock = field(default_factory=threading.Lock)

    @property
    def environment(self) -> dict[str, str]:
        """What a client finds it by."""
        return {
            "AWS_ENDPOINT_URL": f"http://127.0.0.1:{self.port}",
            "AWS_ACCESS_KEY_ID": KEY,
            "AWS_SECRET_ACCESS_KEY": SECRET,
            "AWS_REGION": "us-east-1",
        }

    def objects(self, bucket: str = "images", prefix: str = "") -> set[str]:
        """Keys below a prefix, but for the marker."""
        keys = {key.removeprefix(prefix) for key in self.buckets[bucket] if key.startswith(prefix)}
        return {key for key in keys if not key.startswith("handful-store")}


@contextmanager
def serving(s3: S3) -> Iterator[S3]:
    """A server on a port of its own, or the one that it had before."""

    class Handler(_Handler):
        state = s3

    server = _Server(("127.0.0.1", s3.port), Handler)
    s3.port = server.server_address[1]
    thread = threading.Thread(target=server.serve_forever, args=(0.05,), daemon=True)
    thread.start()
    try:
        yield s3
    finally:
        server.shutdown()
        server.server_close()
        for connection in server.connections:
            with suppress(OSError):
                connection.shutdown(socket.SHUT_RDWR)
        thread.join()


class _Server(ThreadingHTTPServer):
    daemon_threads = True

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self.connections: list[socket.socket] = []

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        self.connections.append(connection)
        return connection, address

    def handle_error(self, *_: object) -> None:
        """A client that has given up is no news."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    state: ClassVar[S3]

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002
        """Say nothing."""

    def do_GET(self) -> None:
        self._answer()

    do_PUT = do_POST = do_DELETE = do_HEAD = do_GET  # noqa: N815

    def _answer(self) -> None:
        body = self.rfile.read(int(self.headers.get("content-length", 0)))
        s3 = self.state
        with s3.lock:
            s3.requests[self.command] = s3.requests.get(self.command, 0) + 1
            fails = s3.failing if self.command in s3.methods else None
            if fails is not None and fails[2] is not None:
                s3.failing = None if fails[2] <= 1 else (fails[0], fails[1], fails[2] - 1)
        if s3.delay:
            time.sleep(s3.delay)
        if fails is not None:
            self._error(fails[0], fails[1])
        elif not self._is_signed(body):
            self._error(403, "SignatureDoesNotMatch")
        else:
            self._serve(body)

    def _serve(self, body: bytes) -> None:
        parts = urlsplit(self.path)
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        name, _, key = unquote(parts.path).lstrip("/").partition("/")
        bucket = self.state.buckets.get(name)
        if bucket is None:
            self._error(404, "NoSuchBucket")
        elif self.command == "PUT":
            bucket[key] = body
            self._send(200, b"", {"etag": f'"{hashlib.md5(body).hexdigest()}"'})
        elif self.command == "POST" and "delete" in query:
            keys = re.findall(r"<Key>(.*?)</Key>", body.decode())
            for one in keys:
                bucket.pop(one, None)
            gone = "".join(f"<Deleted><Key>{one}</Key></Deleted>" for one in keys)
            self._send(200, f"<DeleteResult>{gone}</DeleteResult>".encode())
        elif self.command == "DELETE":
            bucket.pop(key, None)
            self._send(204, b"")
        elif self.command == "GET" and not key:
            prefix = query.get("prefix", "")
            found = "".join(
                f"<Contents><Key>{escape(one)}</Key><Size>{len(content)}</Size>"
                '<LastModified>2026-01-01T00:00:00.000Z</LastModified><ETag>"0"</ETag></Contents>'
                for one, content in sorted(bucket.items())
                if one.startswith(prefix)
            )
            self._send(200, f"<ListBucketResult>{found}</ListBucketResult>".encode())
        elif key not in bucket:
            self._error(404, "NoSuchKey")
        else:
            content = bucket[key]
            etag = f'"{hashlib.md5(content).hexdigest()}"'
            headers = {"etag": etag, "last-modified": "Thu, 01 Jan 2026 00:00:00 GMT"}
            self._send(200, content, headers)

    def _error(self, status: int, code: str) -> None:
        self._send(status, f"<Error><Code>{code}</Code><Message>as told</Message></Error>".encode())

    def _send(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        for name, value in (headers or {}).items():
            self.send_header(name, value)
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(body)

    def _is_signed(self, body: bytes) -> bool:
        found = _AUTHORIZATION.match(self.headers.get("authorization", ""))
        if found is None or found[1] != KEY:
            return False
        _, day, region, signed, signature = found.groups()
        parts = urlsplit(self.path)
        query = "&".join(
            f"{quote(k, safe='-_.~')}={quote(v, safe='-_.~')}"
            for k, v in sorted(parse_qsl(parts.query, keep_blank_values=True))
        )
        digest = self.headers["x-amz-content-sha256"]
        if digest not in (hashlib.sha256(body).hexdigest(), "UNSIGNED-PAYLOAD"):
            return False
        headers = "".join(
            f"{name}:{' '.join(self.headers.get(name, '').split())}\n" for name in signed.split(";")
        )
        path = quote(unquote(parts.path), safe="/-_.~")
        asked = f"{self.command}\n{path}\n{query}\n{headers}\n{signed}\n{digest}"
        scope = f"{day}/{region}/s3/aws4_request"
        text = (
            f"AWS4-HMAC-SHA256\n{self.headers['x-amz-date']}\n{scope}\n"
            f"{hashlib.sha256(asked.encode()).hexdigest()}"
        )
        key = f"AWS4{SECRET}".encode()
        for part in (day, region, "s3", "aws4_request"):
            key = hmac.new(key, part.encode(), hashlib.sha256).digest()
        return hmac.new(key, text.encode(), hashlib.sha256).hexdigest() == signature
