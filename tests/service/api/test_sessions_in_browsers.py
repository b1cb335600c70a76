"""Sessions in a real browser: what the own page may, and one of the same site may not."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from pathlib import Path

import pytest
from playwright.sync_api import Browser

from tests.service.api.test_keys import made
from tests.service.chromium import browser
from tests.service.pages import empty_pages
from tests.service.pictures import picture
from tests.service.server import Server

__all__ = ["browser"]

# What the studio does, and what its scripts can read of the cookie.
OWN = """
async key => {
    const asked = async (method, path, fields, body) => {
        const headers = {'content-type': 'application/json', ...fields};
        const answer = await fetch(path, {method, headers, body});
        return answer.status === 204 ? 204 : [answer.status, await answer.json()];
    };
    const [status, told] = await asked('POST', '/v1/session', {}, JSON.stringify({key}));
    const token = {'x-csrf-token': told.csrf_token};
    return [
        status,
        document.cookie,
        (await asked('GET', '/v1/classifiers'))[0],
        (await asked('PUT', '/v1/classifiers/taught', {}, '{}'))[0],
        (await asked('PUT', '/v1/classifiers/taught', token, '{}'))[0],
    ];
}
"""
# What a page of the same host can do with the cookie that is sent along.
SIBLING = """
async ([target, encoded]) => {
    const body = new Blob([Uint8Array.from(atob(encoded), one => one.charCodeAt(0))]);
    const quietly = sent => sent.then(answer => answer.type, error => 'blocked');
    const upload = target + '/v1/classifiers/taught/classes/evil/images';
    const all = {credentials: 'include'};
    return [
        await quietly(fetch(upload, {...all, method: 'POST', mode: 'no-cors', body})),
        await quietly(fetch(upload, {...all, method: 'POST', body})),
        await quietly(fetch(target + '/v1/classifiers/taught', {...all, method: 'DELETE'})),
        await quietly(fetch(target + '/v1/session', all)),
    ];
}
"""


@pytest.fixture(scope="module")
def sibling() -> Iterator[str]:
    """The origin of another service of the same host, whose pages may use this one."""
    with empty_pages() as origin:
        yield origin.replace("localhost", "127.0.0.1")  # the same site: ports do not count


def test_the_own_page_may_what_a_sibling_of_its_host_may_not(
    sibling: str, browser: Browser, tmp_path: Path, vit: str
) -> None:
    operator = made(tmp_path, "--scopes", "read,write")
    settings = {"auth": "keys", "cors_origins": sibling, "access_log": True, "backbone": vit}
    with Server.ready(tmp_path, **settings) as running:
        context = browser.new_context()
        page = context.new_page()
        page.goto(f"{running.url}/studio")
        assert page.evaluate(OWN, operator) == [200, "", 200, 403, 201]
        other = context.new_page()
        other.goto(sibling)
        encoded = base64.b64encode(picture(1)).decode()
        answers = other.evaluate(SIBLING, [running.url, encoded])
        assert answers == ["opaque", "blocked", "blocked", "blocked"]
        context.close()
        with running.client() as http:
            http.headers["x-api-key"] = operator
            assert http.get("/v1/classifiers/taught").json()["n_images"] == 0
        assert "/v1/classifiers/taught/classes/evil/images' 403" in running.log.read_text()
