"""HEAD works wherever GET does, OPTIONS tells the truth, and so does ``Allow`` in refusals."""

from __future__ import annotations

import re
import socket
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, problem
from tests.service.pictures import picture
from tests.service.server import Server

PAGES = [
    *("/healthz", "/readyz", "/metrics", "/docs", "/redoc", "/openapi.json", "/v1/classifiers"),
    "/static-offline-docs/swagger-ui.css",
]
REPORTS = ["", "/classes", "/report", "/report.html", "/report.png", "/report.svg"]


def same_without_content(http: httpx.Client, path: str) -> None:
    whole, head = http.get(path), http.head(path)
    assert head.status_code == whole.status_code
    assert head.content == b""
    fields = {"date"} if path != "/metrics" else {"date", "content-length"}  # each counts the last
    assert {k: v for k, v in head.headers.items() if k not in fields} == {
        k: v for k, v in whole.headers.items() if k not in fields
    }


@pytest.mark.parametrize("path", [*PAGES, "/", "/nowhere", "/v1/classifiers/nobody/report"])
def test_head_is_get_without_content(http: httpx.Client, path: str) -> None:
    same_without_content(http, path)


def test_head_of_a_classifier_is_get_without_content(classifier: Classifier) -> None:
    [registered] = classifier.post("sea lake", picture(1)).json()["images"]
    image = f"{classifier.class_url('sea lake')}/images/{registered['id']}"
    for path in [
        *(classifier.url + part for part in REPORTS),
        classifier.class_url("sea lake"),
        image,
    ]:
        same_without_content(classifier.http, path)
    assert classifier.http.head(image).headers["content-length"] == str(len(picture(1)))


def test_head_sends_no_byte_of_content(server: Server) -> None:
    address = urlsplit(server.url)
    request = f"HEAD /openapi.json HTTP/1.1\r\nhost: {address.netloc}\r\nconnection: close\r\n\r\n"
    with socket.create_connection((address.hostname, address.port)) as connection:
        connection.sendall(request.encode())
        received = b"".join(iter(lambda: connection.recv(65536), b""))
    assert received.startswith(b"HTTP/1.1 200 ")
    assert received.endswith(b"\r\n\r\n")
    assert received.count(b"\r\n\r\n") == 1


def test_options_and_refusals_allow_what_is_described(http: httpx.Client) -> None:
    described = http.get("/openapi.json").json()["paths"]
    assert len(described) > 10
    for path, item in described.items():
        methods = {method.upper() for method in item}
        allowed = methods | {"OPTIONS"} | ({"HEAD"} if "GET" in methods else set())
        sent = re.sub(r"\{\w+\}", "a", path)
        options = http.options(sent)
        assert options.status_code == 204, path
        assert options.content == b""
        for method in {"GET", "PUT", "POST", "PATCH", "DELETE", "HEAD", "TRACE"} - allowed:
            refused = http.request(method, sent)
            assert refused.status_code == 405, (method, path)
            assert set(refused.headers["allow"].split(", ")) == allowed, (method, path)
            if method != "HEAD":
                problem(refused, 405, "http-method-not-allowed", path.split("/")[1], method)
        assert set(options.headers["allow"].split(", ")) == allowed, path


@pytest.mark.parametrize("path", ["/docs", "/openapi.json", "/static-offline-docs/swagger-ui.css"])
def test_options_of_pages_allow_reading(http: httpx.Client, path: str) -> None:
    assert http.options(path).headers["allow"] == "GET, HEAD, OPTIONS"
    assert http.delete(path).headers["allow"] == "GET, HEAD, OPTIONS"


@pytest.mark.parametrize(
    "path", ["/nowhere", "/v1", "/v1/classifiers/a/", "/static-offline-docs/x"]
)
@pytest.mark.parametrize("method", ["OPTIONS", "DELETE", "GET"])
def test_no_method_makes_a_path_of_none(http: httpx.Client, method: str, path: str) -> None:
    problem(http.request(method, path), 404, "http-not-found", path)
