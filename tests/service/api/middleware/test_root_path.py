"""A service behind a reverse proxy, under a path, for pages of another origin, by many names."""

from __future__ import annotations

import re

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, problem
from tests.service.conftest import Edge
from tests.service.pictures import picture


@pytest.fixture(scope="module")
def made(edge: Edge) -> Classifier:
    made = Classifier(edge.http, "proxied")
    made.put(method="tip-adapter++").raise_for_status()
    made.post("ant", picture(1), picture(1, "BMP"), picture(2)).raise_for_status()
    return made


@pytest.mark.parametrize("prefix", ["", "/handful"], ids=["taken away", "left"])
def test_paths_work_whether_or_not_a_proxy_takes_the_prefix_away(
    edge: Edge, made: Classifier, prefix: str
) -> None:
    for path in ("/healthz", "/readyz", "/metrics", "/docs", "/openapi.json", made.url):
        assert edge.http.get(prefix + path).status_code == 200, path
    assert edge.http.get(f"{prefix}/nothing").status_code == 404
    page = edge.http.get(f"{prefix}/docs").text
    script = re.search(r'src="([^"]*swagger-ui-bundle.js)"', page)
    assert script is not None
    assert script[1].startswith("/handful/")
    assert edge.http.get(script[1].removeprefix("/handful")).status_code == 200


def test_addresses_that_the_service_writes_have_the_prefix(edge: Edge, made: Classifier) -> None:
    assert edge.http.get("/openapi.json").json()["servers"] == [{"url": "/handful"}]
    assert "'/handful/openapi.json'" in edge.http.get("/docs").text
    [copy, *_] = edge.http.get(f"{made.url}/report").json()["redundant"]
    for url in (copy["url"], copy["copy_of"]["url"]):
        assert url.startswith(f"/handful{made.url}/classes/ant/images/")
        assert edge.http.get(url).status_code == 200


def test_metrics_name_routes_without_the_prefix(edge: Edge, made: Classifier) -> None:
    edge.http.get(f"/handful{made.url}/report")
    told = edge.http.get("/metrics").text
    assert 'http_route="/v1/classifiers/{name}/report"' in told


PUBLIC = {"host": "api.example.com", "origin": "https://api.example.com"}


def test_a_trusted_proxy_says_how_clients_reach_it(edge: Edge, made: Classifier) -> None:
    told = PUBLIC | {"x-forwarded-proto": "https", "x-forwarded-for": "203.0.113.7"}
    assert edge.http.put(made.url, headers=told).status_code == 200
    problem(edge.http.put(made.url, headers=PUBLIC), 403, "foreign-origin", "HANDFUL_TRUSTED")


def test_forwarded_headers_of_untrusted_clients_are_ignored(
    http: httpx.Client, classifier: Classifier
) -> None:
    told = {"origin": str(http.base_url).replace("http:", "https:").rstrip("/")}
    told["x-forwarded-proto"] = "https"
    problem(http.put(classifier.url, headers=told), 403, "foreign-origin")


@pytest.mark.parametrize(
    ("host", "known"),
    [
        ("api.example.com", True),
        ("API.example.com:443", True),
        ("api.example.com.", True),
        ("a.b.internal", True),
        ("localhost:1", True),
        ("[::1]:8000", True),
        ("internal", False),
        ("example.com", False),
        ("api.example.com.evil.example", False),
        ("evil.example/api.example.com", False),
    ],
)
def test_requests_to_other_hosts_are_refused(
    edge: Edge, made: Classifier, host: str, known: bool
) -> None:
    answer = edge.http.get(made.url, headers={"host": host})
    if known:
        assert answer.status_code == 200
    else:
        problem(answer, 421, "unknown-host", "HANDFUL_ALLOWED_HOSTS")
    # An orchestrator knows the address alone.
    assert edge.http.get("/readyz", headers={"host": host}).status_code == 200


def test_a_page_of_an_allowed_origin_may_do_everything(edge: Edge, made: Classifier) -> None:
    page = {"origin": edge.page, "sec-fetch-site": "cross-site"}
    asked = page | {
        "access-control-request-method": "PUT",
        "access-control-request-headers": "content-type, request-timeout",
    }
    allowed = edge.http.options(made.url, headers=asked)
    assert allowed.status_code == 200
    assert allowed.headers["access-control-allow-origin"] == edge.page
    assert "PUT" in allowed.headers["access-control-allow-methods"]
    assert "request-timeout" in allowed.headers["access-control-allow-headers"]
    for answer in (
        edge.http.put(made.url, headers=page),
        edge.http.get(made.url, headers=page),
        edge.http.get("/v1/classifiers/none", headers=page),
        edge.http.post(f"{made.url}/predict", content=b"nothing", headers=page),
    ):
        assert answer.headers["access-control-allow-origin"] == edge.page
        assert "Retry-After" in answer.headers["access-control-expose-headers"]


def test_a_page_of_another_origin_gets_no_permission(edge: Edge, made: Classifier) -> None:
    page = {"origin": "https://evil.example", "sec-fetch-site": "cross-site"}
    asked = edge.http.options(made.url, headers=page | {"access-control-request-method": "PUT"})
    assert "access-control-allow-origin" not in asked.headers
    read = edge.http.get(made.url, headers=page)
    assert "access-control-allow-origin" not in read.headers
    problem(edge.http.put(made.url, headers=page), 403, "foreign-origin")


def test_no_page_gets_permission_by_default(http: httpx.Client, classifier: Classifier) -> None:
    for method in ("OPTIONS", "GET"):
        asked = {"origin": "https://app.example", "access-control-request-method": "PUT"}
        answer = http.request(method, classifier.url, headers=asked)
        assert "access-control-allow-origin" not in answer.headers
    assert http.get("/healthz").headers["cross-origin-resource-policy"] == "same-origin"
