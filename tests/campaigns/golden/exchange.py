"""Requests and answers on a socket, byte for byte, without a client that tidies them up."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from http.client import HTTPConnection
from typing import Any
from urllib.parse import quote

_BOUNDARY = "golden-boundary"
_SECONDS = 180


@dataclass(frozen=True)
class Request:
    """What is sent.

    Attributes:
        about: What the body is, in words, for who reads the recording.
    """

    method: str
    path: str
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    about: str = ""

    def __str__(self) -> str:
        return f"{self.method} {self.path}" + (f" ({self.about})" if self.about else "")


@dataclass(frozen=True)
class Answer:
    """What came back; names of header fields are in small letters."""

    status: int
    headers: dict[str, str]
    body: bytes

    def json(self) -> Any:
        """The body, read as JSON."""
        return json.loads(self.body)


def send(port: int, request: Request) -> Answer:
    """Send a request to this machine on a new connection, and wait for the whole answer."""
    connection = HTTPConnection("127.0.0.1", port, timeout=_SECONDS)
    try:
        connection.putrequest(request.method, request.path, skip_accept_encoding=True)
        headers = dict(request.headers)
        if request.body or request.method in {"POST", "PUT"}:
            headers.setdefault("Content-Length", str(len(request.body)))
        for name, value in headers.items():
            connection.putheader(name, value)
        connection.endheaders(request.body or None)
        response = connection.getresponse()
        body = response.read()
        fields = {name.lower(): value for name, value in response.getheaders()}
        return Answer(response.status, dict(sorted(fields.items())), body)
    finally:
        connection.close()


def with_json(method: str, path: str, document: object) -> Request:
    """A request with a JSON body."""
    body = json.dumps(document, ensure_ascii=False)
    return Request(method, path, body.encode(), {"Content-Type": "application/json"}, body)


def with_body(method: str, path: str, body: bytes, media_type: str) -> Request:
    """A request with one file as its body."""
    return Request(method, path, body, {"Content-Type": media_type}, media_type)


def with_files(path: str, named: Sequence[tuple[str, bytes]]) -> Request:
    """A form with files, as most clients send it."""
    parts = [
        f'--{_BOUNDARY}\r\nContent-Disposition: form-data; name="files"; filename="{name}"\r\n'
        "Content-Type: application/octet-stream\r\n\r\n".encode()
        + content
        + b"\r\n"
        for name, content in named
    ]
    body = b"".join(parts) + f"--{_BOUNDARY}--\r\n".encode()
    headers = {"Content-Type": f"multipart/form-data; boundary={_BOUNDARY}"}
    names = [name for name, _ in named]
    return Request("POST", path, body, headers, f"form: {', '.join(names)}")


def zipped(named: Mapping[str, bytes]) -> bytes:
    """A zip archive whose members have a fixed time."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in named.items():
            archive.writestr(zipfile.ZipInfo(name, (2026, 1, 1, 0, 0, 0)), content)
    return buffer.getvalue()


def segment(name: str) -> str:
    """A name as a segment of a path."""
    return quote(name, safe="")
