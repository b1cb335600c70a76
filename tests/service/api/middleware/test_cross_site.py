"""Web pages of other sites change nothing, in a real browser; the service's own pages do."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from urllib.parse import urlsplit

import httpx2 as httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st
from playwright.sync_api import Browser, Page

from service.hosts import host_of, origin_of
from tests.service.chromium import REBOUND, browser
from tests.service.client import Classifier, problem
from tests.service.conftest import Edge
from tests.service.pages import empty_pages
from tests.service.pictures import picture
from tests.service.server import Server

__all__ = ["browser"]

# What a page tries, with a picture in base64: everything that needs nobody's permission, and some
# that does. Resolves when all of it is over.
ATTACK = """
async ([target, encoded]) => {
    const bytes = Uint8Array.from(atob(encoded), one => one.charCodeAt(0));
    const upload = target + '/classes/evil/images';
    const quietly = sent => sent.then(() => 'sent', error => String(error));
    const results = [];
    for (const body of [new Blob([bytes]), new Blob([bytes], {type: 'text/plain'})])
        results.push(await quietly(fetch(upload, {method: 'POST', mode: 'no-cors', body})));
    const form = new FormData();
    form.append('files', new File([bytes], 'evil.png', {type: 'image/png'}));
    results.push(await quietly(fetch(upload, {method: 'POST', mode: 'no-cors', body: form})));
    results.push(String(navigator.sendBeacon(upload, new Blob([bytes]))));
    for (const method of ['PUT', 'DELETE'])
        results.push(await quietly(fetch(target, {method})));
    results.push(await quietly(fetch(target).then(answer => answer.text())));
    const frame = document.createElement('iframe');
    frame.name = 'answer';
    document.body.appendChild(frame);
    const real = document.body.appendChild(document.createElement('form'));
    Object.assign(real, {action: upload, method: 'post', enctype: 'multipart/form-data',
                         target: 'answer'});
    const input = real.appendChild(document.createElement('input'));
    Object.assign(input, {type: 'file', name: 'files'});
    const chosen = new DataTransfer();
    chosen.items.add(new File([bytes], 'evil.png', {type: 'image/png'}));
    input.files = chosen.files;
    const loaded = new Promise((resolve, reject) => {
        frame.addEventListener('load', () => resolve('loaded'));
        setTimeout(() => reject('the form was not sent'), 30000);
    });
    real.submit();
    return [...results, await loaded];
}
"""
OWN = """
async ([target, encoded]) => {
    const bytes = Uint8Array.from(atob(encoded), one => one.charCodeAt(0));
    const form = new FormData();
    form.append('files', new File([bytes], 'own.png', {type: 'image/png'}));
    const put = await fetch(target, {method: 'PUT'});
    const post = await fetch(target + '/classes/own/images', {method: 'POST', body: form});
    const read = await (await fetch(target)).json();
    return [put.status, post.status, read.n_images];
}
"""


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context()
    context.set_default_timeout(60_000)
    yield context.new_page()
    context.close()


def arguments(server: Server, classifier: Classifier, path: str = "") -> list[str]:
    return [f"{server.url}{path}{classifier.url}", base64.b64encode(picture(7)).decode()]


def refused(classifier: Classifier) -> float:
    """POSTs of images that were answered with an error, of all classifiers."""
    told = classifier.http.get("/metrics").text
    name = "http_server_request_duration_seconds_count{"
    lines = [line for line in told.splitlines() if line.startswith(name)]
    return sum(
        float(line.split()[-1])
        for line in lines
        if "/images" in line and 'method="POST"' in line and 'status_code="4' in line
    )


def test_a_page_of_another_site_changes_and_reads_nothing(
    page: Page, server: Server, classifier: Classifier
) -> None:
    classifier.post("ant", picture(1)).raise_for_status()
    state = classifier.state()
    before = refused(classifier)
    with empty_pages() as site:
        page.goto(site)
        results = page.evaluate(ATTACK, arguments(server, classifier))
    assert classifier.state() == state
    # What needs nobody's permission came and was refused; the page could not even see that.
    assert refused(classifier) == before + 5
    assert results == [*["TypeError: Failed to fetch"] * 3, "true", *results[:3], "loaded"]


def test_a_page_whose_origin_is_hidden_changes_nothing(
    page: Page, server: Server, classifier: Classifier
) -> None:
    state = classifier.state()
    page.goto("data:text/html,<title>nowhere</title><body>")
    page.evaluate(ATTACK, arguments(server, classifier))
    assert classifier.state() == state


def test_a_name_that_became_the_address_of_the_service_reads_nothing(
    page: Page, server: Server, classifier: Classifier
) -> None:
    url = f"http://{REBOUND}:{urlsplit(server.url).port}"
    for path in (classifier.url, "/docs", "/metrics"):
        answer = page.goto(url + path)
        assert answer is not None
        assert answer.status == 421
        assert classifier.name not in page.content()
    refused = page.evaluate(
        "path => fetch(path, {method: 'DELETE'}).then(one => one.status)", classifier.url
    )
    assert refused == 421
    assert classifier.http.get(classifier.url).status_code == 200


def test_a_page_of_the_service_itself_may_change_it(
    page: Page, server: Server, classifier: Classifier
) -> None:
    page.goto(f"{server.url}/docs")
    assert page.evaluate(OWN, arguments(server, classifier)) == [200, 201, 1]
    report = page.goto(f"{server.url}{classifier.url}/report.html")
    assert report is not None
    assert report.status == 200


def test_try_it_out_in_the_api_documentation_answers_200(
    page: Page, server: Server, classifier: Classifier
) -> None:
    page.goto(f"{server.url}/docs")
    operation = page.locator(".opblock-put").first
    operation.locator(".opblock-summary").click()
    operation.get_by_role("button", name="Try it out").click()
    operation.locator("tr[data-param-name=name] input").fill(classifier.name)
    operation.get_by_role("button", name="Execute").click()
    answer = operation.locator(".live-responses-table tbody .response-col_status").first
    answer.wait_for()
    assert answer.inner_text().startswith("200")


def test_a_page_of_an_allowed_origin_may_change_it(page: Page, edge: Edge) -> None:
    classifier = Classifier(edge.http, "allowed")
    classifier.put().raise_for_status()
    page.goto(edge.page)
    assert page.evaluate(OWN, arguments(edge.server, classifier)) == [200, 201, 1]
    # What does nothing for other sites does so because it is refused.
    kept = Classifier(edge.http, "attacked")
    kept.put().raise_for_status()
    attack = ATTACK.replace("['PUT', 'DELETE']", "['PUT']")
    results = page.evaluate(attack, arguments(edge.server, kept))
    assert results[:5] == ["sent", "sent", "sent", "true", "sent"]
    assert kept.counts() == {"evil": 1}


@pytest.mark.parametrize(
    ("headers", "refused"),
    [
        ({}, False),
        ({"origin": "OWN"}, False),
        ({"origin": "OWN", "sec-fetch-site": "same-origin"}, False),
        ({"sec-fetch-site": "none"}, False),
        ({"origin": "https://evil.example"}, True),
        ({"origin": "http://127.0.0.1:1"}, True),
        ({"origin": "http://127.0.0.1"}, True),
        ({"origin": "null"}, True),
        ({"origin": ""}, True),
        ({"origin": "OWN", "sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "cross-site"}, True),
        ({"sec-fetch-site": "same-site"}, True),
        ({"sec-fetch-site": "anything"}, True),
    ],
)
def test_writes_are_judged_by_what_browsers_say(
    http: httpx.Client, classifier: Classifier, headers: dict[str, str], refused: bool
) -> None:
    own = str(http.base_url).rstrip("/")
    sent = {name: value.replace("OWN", own) for name, value in headers.items()}
    state = classifier.state()
    assert http.get(classifier.url, headers=sent).status_code == 200
    assert http.head("/healthz", headers=sent).status_code in {200, 405}
    for answer in (
        http.put(classifier.class_url("cat"), headers=sent),
        http.delete(classifier.class_url("cat"), headers=sent),
    ):
        if refused:
            problem(answer, 403, "foreign-origin", "HANDFUL_CORS_ORIGINS")
        else:
            assert answer.status_code in {201, 204}
    assert classifier.state()["classes"] == state["classes"]


@pytest.mark.parametrize("host", ["evil.example", "127.0.0.1.evil.example", "10.0.0.1", ":80", "]"])
def test_a_service_on_loopback_goes_by_no_other_name(http: httpx.Client, host: str) -> None:
    for method in ("GET", "PUT", "DELETE"):
        answer = http.request(method, "/v1/classifiers/a", headers={"host": host})
        problem(answer, 421, "unknown-host", "HANDFUL_ALLOWED_HOSTS")
    assert http.get("/healthz", headers={"host": host}).status_code == 200


NAMES = st.from_regex(r"[a-z0-9](\.?[a-z0-9-]){0,20}", fullmatch=True)
PORTS = st.integers(1, 65535)


@given(NAMES, PORTS, st.sampled_from(["http", "https"]))
def test_an_origin_is_that_of_its_host(name: str, port: int, scheme: str) -> None:
    default = {"http": 80, "https": 443}[scheme]
    shown = f"{scheme}://{name}" if port == default else f"{scheme}://{name}:{port}"
    assert origin_of(scheme, f"{name.upper()}:{port}") == shown
    assert origin_of(scheme, name) == f"{scheme}://{name}"
    assert host_of(f"{name}:{port}") == host_of(name) == name


@given(st.text(max_size=40))
def test_any_text_as_host_is_one_name_or_none(text: str) -> None:
    host = host_of(text)
    assert host is None or not set(host) & set("/?#@[] \t\r\n")
    origin_of("http", text)
