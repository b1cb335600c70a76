"""The studio's files are served as a browser needs them, and ``/`` shows the way."""

from __future__ import annotations

import gzip
import re
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urljoin, urlsplit

import httpx2 as httpx
import pytest
from playwright.sync_api import Browser

from service.api.accepting import prefers_html, takes_gzip
from service.api.routes.studio import CONTENT_SECURITY_POLICY
from service.studio.built_files import built_files
from tests.service.chromium import browser
from tests.service.client import problem
from tests.service.conftest import Small
from tests.service.server import Server

__all__ = ["browser"]

# What Chromium, Firefox and Safari send for a page.
BROWSERS = [
    "text/html,application/xhtml+xml,application/xml;q=0.9,image/avif,image/webp,*/*;q=0.8",
    "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8",
]


@pytest.fixture(scope="module")
def rooted(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Server]:
    """A service that asks for keys, behind a proxy that shows it under a path."""
    data_dir = tmp_path_factory.mktemp("rooted")
    with Server.ready(data_dir, backbone=vit, auth="keys", root_path="/handful") as running:
        yield running
        running.stop()
    assert "Traceback" not in running.log.read_text()


@pytest.fixture(params=["", "/handful"])
def asked(request: pytest.FixtureRequest, spare: Server, rooted: Server) -> Iterator[httpx.Client]:
    """A client whose paths are under the root path of the service that it asks."""
    server = rooted if request.param else spare
    url = server.url + request.param
    with httpx.Client(base_url=url, headers={"accept-encoding": "identity"}) as http:
        yield http


def assets(page: str) -> list[str]:
    """Relative URLs of the scripts and styles of the page."""
    return re.findall(r'(?:src|href)="(?:\./)?([^":]+\.(?:js|css))"', page)


def test_the_page_is_there_with_a_strict_policy(asked: httpx.Client) -> None:
    answer = asked.get("/studio")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY
    assert "unsafe" not in CONTENT_SECURITY_POLICY
    assert answer.headers["permissions-policy"] == "camera=(self)"
    assert answer.headers["cross-origin-opener-policy"] == "same-origin"
    assert answer.headers.get_list("x-content-type-options") == ["nosniff"]
    assert answer.headers.get_list("referrer-policy") == ["no-referrer"]
    assert answer.headers["cache-control"] == "no-cache"
    assert answer.content == built_files()["index.html"].content


def test_the_page_finds_its_files_wherever_it_is(asked: httpx.Client) -> None:
    page = asked.get("/studio")
    found = assets(page.text)
    assert found
    for one in found:
        url = urljoin(str(page.url), one)
        answer = asked.get(url)
        assert answer.status_code == 200, url
        kind = "text/css" if one.endswith(".css") else "text/javascript"
        assert answer.headers["content-type"] == f"{kind}; charset=utf-8"
        assert answer.headers["cache-control"] == "public, max-age=31536000, immutable"
        assert answer.headers["content-security-policy"] == CONTENT_SECURITY_POLICY


def test_what_the_client_has_is_not_sent_again(asked: httpx.Client) -> None:
    for path in ("/studio", f"/{assets(asked.get('/studio').text)[0]}"):
        whole = asked.get(path)
        tag = whole.headers["etag"]
        for known in (tag, tag.removeprefix("W/"), f'"x", {tag}', "*"):
            same = asked.get(path, headers={"if-none-match": known})
            assert (same.status_code, same.content) == (304, b"")
            assert same.headers["etag"] == tag
            assert same.headers["cache-control"] == whole.headers["cache-control"]
        assert asked.get(path, headers={"if-none-match": '"x"'}).content == whole.content


def test_files_are_compressed_for_whoever_takes_that(asked: httpx.Client) -> None:
    path = max(built_files(), key=lambda name: len(built_files()[name].content))
    path = "/studio" if path == "index.html" else f"/studio/{path}"
    plain = asked.get(path)
    assert plain.headers["vary"] == "accept-encoding"
    assert "content-encoding" not in plain.headers
    with asked.stream("GET", path, headers={"accept-encoding": "br, gzip;q=0.5"}) as answer:
        sent = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert answer.headers["vary"] == "accept-encoding"
    assert answer.headers["etag"] == plain.headers["etag"]
    assert int(answer.headers["content-length"]) == len(sent) < len(plain.content)
    assert gzip.decompress(sent) == plain.content


def test_a_slash_too_many_leads_to_the_page(asked: httpx.Client) -> None:
    answer = asked.get("/studio/", follow_redirects=True)
    assert answer.status_code == 200
    assert answer.url.path == asked.get("/studio").url.path


@pytest.mark.parametrize(
    "path", ["/studio/index.html", "/studio/nothing.js", "/studio/assets", "/studio/assets/"]
)
def test_there_is_nothing_else(asked: httpx.Client, path: str) -> None:
    problem(asked.get(path), 404, "http-not-found", path)


@pytest.mark.parametrize("path", ["/studio/..%2fbuilt_files.py", "/studio/%2e%2e/built_files.py"])
def test_no_file_beside_them_is_served(asked: httpx.Client, path: str) -> None:
    assert asked.get(path).status_code in {400, 404, 422}


def test_they_can_be_read_and_nothing_else(asked: httpx.Client) -> None:
    for path in ("/", "/studio"):
        assert asked.options(path).headers["allow"] == "GET, HEAD, OPTIONS"
        whole, head = asked.get(path), asked.head(path)
        assert (head.status_code, head.content) == (200, b"")
        assert head.headers["content-length"] == str(len(whole.content))
        assert asked.post(path).status_code in {401, 405}


@pytest.mark.parametrize("accept", BROWSERS)
def test_browsers_are_led_from_the_root_to_the_studio(asked: httpx.Client, accept: str) -> None:
    answer = asked.get("/", headers={"accept": accept})
    assert answer.status_code == 307
    assert answer.headers["vary"] == "accept"
    page = asked.get(urljoin(str(answer.url), answer.headers["location"]))
    assert page.content == built_files()["index.html"].content


@pytest.mark.parametrize("accept", ["*/*", "", "application/json", "text/plain, */*"])
def test_everybody_else_is_told_where_the_api_is(asked: httpx.Client, accept: str) -> None:
    answer = asked.get("/", headers={"accept": accept})
    assert answer.status_code == 200
    assert answer.headers["vary"] == "accept"
    told = answer.json()
    assert told["name"] == "Handful"
    assert told["version"]
    origin = f"{answer.url.scheme}://{answer.url.netloc.decode()}"
    assert set(told["links"]) == {"studio", "documentation", "openapi", "classifiers"}
    for link in told["links"].values():
        assert asked.get(origin + link).status_code in {200, 401}, link
    assert asked.get(origin + told["links"]["openapi"]).json()["info"]["title"] == "Handful"


def test_the_root_path_itself_is_the_root(rooted: Server) -> None:
    with rooted.client() as http:
        for path in ("/handful", "/handful/", "/"):  # of a proxy that takes it away
            assert http.get(path).json()["links"]["studio"] == "/handful/studio"
            led = http.get(path, headers={"accept": BROWSERS[0]})
            assert led.headers["location"] == "/handful/studio"
        assert http.get("/studio").status_code == 200


def test_they_are_there_while_the_service_starts(small_service: Small) -> None:
    assert small_service.early["GET /readyz"].status_code == 503
    assert small_service.early["GET /studio"].status_code == 200
    assert small_service.early["GET /"].json()["name"] == "Handful"


@pytest.mark.parametrize("root", ["", "/handful"])
def test_a_browser_runs_the_page_and_its_policy_refuses_nothing_of_it(
    browser: Browser, spare: Server, rooted: Server, root: str
) -> None:
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda said: refused.append(said.text) if "Policy" in said.text else None)
    page.on("requestfailed", lambda request: refused.append(request.url))
    page.goto((rooted if root else spare).url + root + "/")
    assert urlsplit(page.url).path == f"{root}/studio"
    page.wait_for_load_state("networkidle")
    assert refused == []
    # That it would be seen.
    page.evaluate("document.body.append(document.createElement('style')), 0")
    page.evaluate("document.body.lastChild.textContent = 'body { color: red }', 0")
    page.wait_for_timeout(100)
    assert any("style" in one for one in refused)
    page.close()


def test_every_file_is_in_the_package_and_none_is_of_another_place() -> None:
    files = built_files()
    assert "index.html" in files
    for name, file in files.items():
        assert not Path(name).is_absolute()
        assert file.media_type != "application/octet-stream", f"{name}: what is it?"


@pytest.mark.parametrize(
    ("accept", "html"),
    [
        ("text/html", True),
        ("TEXT/HTML;level=1", True),
        ("text/html;q=0", False),
        ("text/html;q=0.5, application/json", False),
        ("text/html, application/json;q=0.9", True),
        ("application/*, text/html;q=0.9", False),
        ("text/html, application/json", False),
        ("*/*", False),
        ("text/html;q=nonsense", True),
    ],
)
def test_a_page_is_for_who_prefers_it(accept: str, html: bool) -> None:
    assert prefers_html(accept) is html


@pytest.mark.parametrize(
    ("accept_encoding", "taken"),
    [
        ("gzip", True),
        ("br, GZIP;q=0.001", True),
        ("*", True),
        ("gzip;q=0, *", False),
        ("gzip; q=0.000", False),
        ("gzipped, x-gzip2", False),
        ("", False),
    ],
)
def test_gzip_is_for_who_takes_it(accept_encoding: str, taken: bool) -> None:
    assert takes_gzip(accept_encoding) is taken
