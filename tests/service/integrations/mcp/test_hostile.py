"""Clients of the endpoint that mean no good, or hang: nobody else notices."""

from __future__ import annotations

import io
import json
import socket
import struct
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from PIL import Image

from tests.service.integrations.mcp.conftest import Service
from tests.service.server import Server

MOST_BYTES = 16 * 2**20
# Of a service that waits for its clients far longer than tests do, but for its own end.
PATIENT = {"stall_seconds": 3600, "keep_alive_seconds": 3600, "shutdown_seconds": 2}
INITIALIZE = {
    "jsonrpc": "2.0",
    "id": 1,
    "method": "initialize",
    "params": {
        "protocolVersion": "2025-06-18",
        "capabilities": {},
        "clientInfo": {"name": "hostile", "version": "0"},
    },
}


def calling(tool: Any, arguments: Any) -> dict[str, Any]:
    return {
        "jsonrpc": "2.0",
        "id": 1,
        "method": "tools/call",
        "params": {"name": tool, "arguments": arguments},
    }


def test_a_message_that_is_too_large_is_refused_however_it_is_sent(service: Service) -> None:
    with service.http(service.operator) as http:
        for content in (b" " * (MOST_BYTES + 1), iter([b" " * 2**20] * 17)):
            answer = http.post(
                "/mcp", content=content, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 413
            assert answer.headers["content-type"] == "application/problem+json"
            assert f"more than {MOST_BYTES} bytes" in answer.json()["detail"]
        huge = calling("classify", {"classifier": "a", "images": [{"data": "A" * (8 * 2**20)}]})
        answer = http.post("/mcp", json=huge)
        assert answer.status_code == 200
        assert answer.json()["result"]["isError"] is True
        assert len(answer.content) < 3000


def test_very_many_values_are_refused_before_they_are_parsed(service: Service) -> None:
    with service.http(service.operator) as http:
        for values in (60_000, 1_000_000):  # counted by the event loop, and by a thread
            content = json.dumps(calling("classify", {"x": [[]] * values})).encode()
            answer = http.post(
                "/mcp", content=content, headers={"content-type": "application/json"}
            )
            assert answer.status_code == 413
            assert "at most 100000 are accepted" in answer.json()["detail"]


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe",
        b"{",
        b"[" * 100_000,
        b"null",
        b"[]",
        b'[{"jsonrpc": "2.0", "id": 1, "method": "tools/list"}]',
        b'{"jsonrpc": "1.0", "id": 1, "method": "tools/list"}',
        b'{"jsonrpc": "2.0", "id": {}, "method": "tools/list"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "no/such"}',
        b'{"jsonrpc": "2.0", "id": 1, "method": "subscriptions/listen"}',
        b'{"jsonrpc": "2.0", "id": 1, "result": {}}',
        json.dumps(calling(7, {})).encode(),
        json.dumps(calling("no_such", {})).encode(),
        json.dumps(calling("classify", [])).encode(),
        json.dumps(calling("classify", {"classifier": 7, "images": {"a": 1}})).encode(),
        json.dumps(calling("classify", {"classifier": "a", "images": [[]] * 100_000})).encode(),
        json.dumps(calling("classify", {"classifier": "a", "images": "[" * 100_000})).encode(),
        json.dumps(
            calling("classify", {"classifier": "a", "images": [{"data": "\ud800"}]})
        ).encode(),
        json.dumps(calling("history", {"classifier": "a/../b", "most": 10**400})).encode(),
    ],
)
@pytest.mark.parametrize("version", ["2025-06-18", "2026-07-28"])
def test_wrong_messages_are_refused_and_harm_nothing(
    service: Service, content: bytes, version: str
) -> None:
    headers = {
        "content-type": "application/json",
        "accept": "application/json, text/event-stream",
        "mcp-protocol-version": version,
        "mcp-method": "tools/call",
    }
    with service.http(service.operator) as http:
        answer = http.post("/mcp", content=content, headers=headers)
        assert answer.status_code < 500
        assert len(answer.content) < 8000
        told = answer.json() if answer.content else {}
        if answer.status_code == 200:
            assert "error" in told or told["result"]["isError"] is True
        assert http.get("/readyz").status_code == 200


def test_nothing_that_somebody_sends_writes_a_line(service: Service) -> None:
    form = {"content-type": "multipart/form-data; boundary=x"}
    with service.http(service.operator) as http:
        http.put("/v1/classifiers/silent").raise_for_status()
        before = service.server.log.read_text()
        for method, params in (
            ("tools/call", {"name": "no_such", "arguments": {}}),
            ("tools/call", {"name": "classify", "arguments": {}}),
            ("resources/read", {"uri": "file:///x"}),
            ("prompts/get", {"name": "x"}),
        ):
            message = {"jsonrpc": "2.0", "id": 1, "method": method, "params": params}
            assert http.post("/mcp", json=message).status_code == 200
        wrong = {"jsonrpc": "2.0", "method": "notifications/progress", "params": {}}
        assert http.post("/mcp", json=wrong).status_code == 202
        for body in (b"junk", b"--y\r\n", b"--x\r\nno field\r\n\r\n"):
            path = "/v1/classifiers/silent/predict"
            assert http.post(path, content=body, headers=form).status_code == 422
        tiff = {"content-type": "image/tiff"}
        answer = http.post(path, content=of_very_many_samples(), headers=tiff)
        assert "TIFF of 100 samples" in answer.text
        assert service.server.log.read_text() == before


def of_very_many_samples() -> bytes:
    """A TIFF of which Pillow's logger would tell."""
    image = io.BytesIO()
    Image.new("RGB", (8, 8)).save(image, "TIFF")
    three = struct.pack("<HHIHH", 277, 3, 1, 3, 0)  # SamplesPerPixel
    assert image.getvalue().count(three) == 1
    return image.getvalue().replace(three, struct.pack("<HHIHH", 277, 3, 1, 100, 0))


def test_tools_are_asked_with_whatever_bytes_there_are_in_a_header(service: Service) -> None:
    with service.http(service.operator) as http:
        strange = [(b"x-forwarded-user", b"\xff"), (b"traceparent", b"\xc3\xa4")]
        headers = [*http.headers.raw, *strange]
        answer = http.post("/mcp", json=calling("list_classifiers", {}), headers=headers)
    assert answer.status_code == 200
    assert not answer.json()["result"].get("isError", False), answer.text


def test_only_messages_are_taken_and_no_stream_is_opened(service: Service) -> None:
    with service.http(service.operator) as http:
        for method in ("GET", "DELETE", "PUT"):
            answer = http.request(method, "/mcp", headers={"accept": "text/event-stream"})
            assert (answer.status_code, answer.headers["allow"]) == (405, "POST, OPTIONS")
        assert http.post("/mcp/", json=INITIALIZE).status_code == 404
        told = http.post("/mcp", json=INITIALIZE)
        assert told.status_code == 200
        assert "mcp-session-id" not in told.headers  # any process may be asked next


def test_other_sites_and_other_hosts_are_refused(service: Service) -> None:
    with service.http(service.operator) as http:
        answer = http.post("/mcp", json=INITIALIZE, headers={"host": "evil.example"})
        assert (answer.status_code, answer.json()["type"]) == (421, "unknown-host")
        answer = http.post("/mcp", json=INITIALIZE, headers={"origin": "https://evil.example"})
        assert (answer.status_code, answer.json()["type"]) == (403, "foreign-origin")
        for host in ("localhost", "127.0.0.1:80", "[::1]"):
            assert http.post("/mcp", json=INITIALIZE, headers={"host": host}).status_code == 200


def test_whoever_hangs_up_leaves_nothing_behind(service: Service) -> None:
    body = json.dumps(calling("list_classifiers", {})).encode()
    head = _head(service.server.url, len(body), f"authorization: Bearer {service.operator}\r\n")
    for sent in (head, head + body[:10], head + body):
        with _connected(service.server.url) as connection:
            connection.sendall(sent)
    with service.http(service.operator) as http:
        assert http.post(
            "/mcp", content=body, headers={"content-type": "application/json"}
        ).is_success


def test_agents_that_stay_do_not_keep_the_service_from_ending(tmp_path: Path, vit: str) -> None:
    with (
        Server.ready(tmp_path, backbone=vit, integrations="mcp", **PATIENT) as running,
        httpx.Client(base_url=running.url, timeout=60) as idle,
        _connected(running.url) as waiting,
        _connected(running.url) as sending,
    ):
        assert idle.post("/mcp", json=INITIALIZE).status_code == 200
        waiting.sendall(
            f"GET /mcp HTTP/1.1\r\nhost: {running.url[7:]}\r\n".encode()
            + b"accept: text/event-stream\r\n\r\n"
        )
        assert b"405" in waiting.recv(100)
        sending.sendall(_head(running.url, 1000) + b"{")
        assert running.stop() == 0  # or the test fails for want of patience
        assert "Traceback" not in running.log.read_text()


def _head(url: str, length: int, more: str = "") -> bytes:
    return (
        f"POST /mcp HTTP/1.1\r\nhost: {url[7:]}\r\ncontent-type: application/json\r\n"
        f"accept: application/json\r\ncontent-length: {length}\r\n{more}\r\n"
    ).encode()


def _connected(url: str) -> socket.socket:
    host, _, port = url[7:].partition(":")
    return socket.create_connection((host, int(port)), timeout=30)
