"""Browsers log in with a key: the cookie is as good as the key, and no better than a browser."""

from __future__ import annotations

import base64
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from playwright.sync_api import Browser
from sqlalchemy import Engine, select, update
from sqlalchemy.orm import Session

from service.access.session_token import csrf_token_of, digest_of, has_csrf_token_of, token_in
from service.storage import sessions
from service.storage.sessions import (
    create_session,
    end_session,
    find_session,
    forget_expired_sessions,
)
from service.storage.tables import SessionRow
from tests.service.api.test_keys import Keyed, made
from tests.service.chromium import browser
from tests.service.client import Classifier, of_four, problem
from tests.service.databases import only_postgresql
from tests.service.pages import empty_pages
from tests.service.pictures import picture
from tests.service.server import Server

__all__ = ["browser"]

KEY_ID = "9f2c41d07ab35e86"
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


@pytest.fixture(scope="module")
def keyed(
    tmp_path_factory: pytest.TempPathFactory, vit: str, shared_database: str, sibling: str
) -> Iterator[Keyed]:
    data_dir = tmp_path_factory.mktemp("sessions")
    stored = {"database_url": shared_database}
    operator = made(data_dir, "--scopes", "admin,read,predict,write", **stored)
    logs = {"access_log": True, "log_level": "debug"}
    with Server.ready(
        data_dir, backbone=vit, auth="keys", cors_origins=sibling, **logs, **stored
    ) as running:
        yield Keyed(running, operator)
        running.stop()
    log = running.log.read_text()
    assert "Traceback" not in log
    assert operator.rpartition("_")[2] not in log


@contextmanager
def logged_in(keyed: Keyed, key: str) -> Iterator[httpx.Client]:
    """A browser: it has the cookie, and sends the CSRF token with all that it sends."""
    with keyed.client(None) as http:
        answer = http.post("/v1/session", json={"key": key})
        assert answer.status_code == 200, answer.text
        http.headers["x-csrf-token"] = answer.json()["csrf_token"]
        yield http


def cookie_of(answer: httpx.Response) -> Morsel[str]:
    [field] = answer.headers.get_list("set-cookie")
    return SimpleCookie(field)["handful_session"]


def state(http: httpx.Client) -> dict[str, Any]:
    answer = http.get("/v1/session")
    assert answer.status_code == 200, answer.text
    assert answer.headers["cache-control"] == "no-store"
    told: dict[str, Any] = answer.json()
    return told


def test_a_session_is_begun_with_a_valid_key_only(keyed: Keyed) -> None:
    with keyed.client(None) as http:
        for wrong in ("", "x", "handful_" + "0" * 16 + "_" + "A" * 43):
            refused = http.post("/v1/session", json={"key": wrong})
            problem(refused, 401, "key-required", "not valid")
            assert "set-cookie" not in refused.headers
        problem(http.post("/v1/session", json={}), 422, "request-validation-failed")
        problem(
            http.post("/v1/session", json={"key": "x" * 5000}), 413, "request-too-large", "4096"
        )
        assert state(http) == {
            "authentication": "keys",
            "signed_in": False,
            "tenant": None,
            "key_id": None,
            "user": None,
            "scopes": [],
            "classifiers": None,
            "operates": False,
            "csrf_token": None,
            "expires_at": None,
        }


def test_the_cookie_is_out_of_the_reach_of_scripts_and_other_sites(keyed: Keyed) -> None:
    with keyed.client(None) as http:
        answer = http.post("/v1/session", json={"key": f" {keyed.operator}\n"})
        assert answer.headers["cache-control"] == "no-store"
        cookie = cookie_of(answer)
        assert len(cookie.value) == 43  # 32 bytes in base64url
        assert cookie.value not in answer.text
        assert cookie["httponly"]
        assert cookie["samesite"].lower() == "strict"
        assert cookie["path"] == "/"
        assert cookie["max-age"] == str(12 * 3600)
        assert not cookie["secure"]  # it was not asked by TLS
        assert not cookie["domain"]
        told = answer.json()
        assert told == state(http)
        assert told["signed_in"]
        assert told["operates"]
        assert told["scopes"] == ["admin", "predict", "read", "write"]


def test_a_session_may_do_what_its_key_may(keyed: Keyed) -> None:
    with keyed.client(keyed.operator) as http:
        of_four(http, "scoped")
        assert Classifier(http, "not-this").put().status_code == 201
    key = keyed.key(scopes=["predict", "read"], classifiers=["scoped"])
    with logged_in(keyed, key) as http:
        told = state(http)
        assert told["scopes"] == ["predict", "read"]
        assert told["classifiers"] == ["scoped"]
        assert not told["operates"]
        scoped = Classifier(http, "scoped")
        assert http.get(scoped.url).status_code == 200
        listed = http.get("/v1/classifiers")
        assert listed.headers["cache-control"] == "private"  # no cache knows it by the cookie
        assert scoped.predict(picture(1)).status_code == 200
        bare = scoped.post_body(picture(1), "image/png", "predict")  # by the direct way
        assert bare.status_code == 200
        problem(scoped.put(), 403, "not-allowed", "scope write")
        problem(http.get("/v1/classifiers/not-this"), 403, "not-allowed")
        problem(http.get("/v1/keys"), 403, "not-allowed", "scope admin")
    with logged_in(keyed, keyed.key(tenant="lab")) as http:
        assert state(http)["tenant"] == "lab"
        assert http.get("/v1/classifiers").json()["classifiers"] == []


def test_rates_of_a_key_hold_for_its_sessions(keyed: Keyed) -> None:
    key = keyed.key(requests_per_second=0.01)
    with logged_in(keyed, key) as http:  # which took the one request
        problem(http.get("/v1/classifiers"), 429, "rate-limited")
        problem(http.post("/v1/session", json={"key": key}), 429, "rate-limited")
        assert state(http)["signed_in"]  # that may be asked


@pytest.mark.parametrize("token", [None, "", "x", csrf_token_of("another")])
def test_a_cookie_alone_changes_nothing(keyed: Keyed, token: str | None) -> None:
    with logged_in(keyed, keyed.operator) as http:
        del http.headers["x-csrf-token"]
        if token is not None:
            http.headers["x-csrf-token"] = token
        made = Classifier(http, "forged")
        for refused in (
            made.put(),
            made.post("ant", picture(1)),
            made.post_body(picture(1), "image/png", "predict"),
            http.delete("/v1/classifiers/scoped"),
            http.post("/v1/keys", json={}),
            http.delete("/v1/session"),
        ):
            problem(refused, 403, "csrf-token-required", "GET /v1/session", "X-CSRF-Token")
        assert http.get("/v1/classifiers").status_code == 200  # which changes nothing
        problem(http.get("/v1/classifiers/forged"), 404, "classifier-not-found")
        http.headers["x-csrf-token"] = state(http)["csrf_token"]
        assert made.put().status_code == 201
        assert http.delete(made.url).status_code == 204


def test_a_token_of_another_session_is_none_of_this_one(keyed: Keyed) -> None:
    with logged_in(keyed, keyed.operator) as one, logged_in(keyed, keyed.operator) as other:
        assert one.headers["x-csrf-token"] != other.headers["x-csrf-token"]
        one.headers["x-csrf-token"] = other.headers["x-csrf-token"]
        problem(Classifier(one, "forged").put(), 403, "csrf-token-required")


@pytest.mark.parametrize(
    "said", [{"sec-fetch-site": "cross-site"}, {"origin": "https://evil.example"}]
)
def test_other_sites_neither_log_in_nor_use_a_session(keyed: Keyed, said: dict[str, str]) -> None:
    with keyed.client(None) as http:
        forged = http.post("/v1/session", json={"key": keyed.operator}, headers=said)
        problem(forged, 403, "foreign-origin")
        assert "set-cookie" not in forged.headers
    with logged_in(keyed, keyed.operator) as http:
        problem(http.put("/v1/classifiers/forged", headers=said), 403, "foreign-origin")
        problem(http.delete("/v1/session", headers=said), 403, "foreign-origin")
        own = {"sec-fetch-site": "same-origin", "origin": keyed.server.url}
        assert http.delete("/v1/session", headers=own).status_code == 204


def test_in_a_browser_the_own_page_may_what_a_sibling_of_its_host_may_not(
    keyed: Keyed, sibling: str, browser: Browser
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(f"{keyed.server.url}/studio")
    assert page.evaluate(OWN, keyed.operator) == [200, "", 200, 403, 201]
    other = context.new_page()
    other.goto(sibling)
    encoded = base64.b64encode(picture(1)).decode()
    answers = other.evaluate(SIBLING, [keyed.server.url, encoded])
    assert answers == ["opaque", "blocked", "blocked", "blocked"]
    context.close()
    with keyed.client(keyed.operator) as http:
        assert http.get("/v1/classifiers/taught").json()["n_images"] == 0
    assert "/v1/classifiers/taught/classes/evil/images' 403" in keyed.server.log.read_text()


def test_a_key_counts_before_a_cookie(keyed: Keyed) -> None:
    reader = keyed.key(scopes=["read"])
    with logged_in(keyed, keyed.operator) as http:
        del http.headers["x-csrf-token"]
        for field in ({"authorization": f"Bearer {reader}"}, {"x-api-key": reader}):
            told = http.get("/v1/session", headers=field).json()
            assert told["scopes"] == ["read"]
            assert told["csrf_token"] is None
            refused = http.put("/v1/classifiers/a", headers=field)
            problem(refused, 403, "not-allowed", "scope write")
        problem(http.get("/v1/classifiers", headers={"x-api-key": "x"}), 401, "key-required")
        put = http.put("/v1/classifiers/a", headers={"x-api-key": keyed.operator})
        assert put.status_code == 201  # without a CSRF token: no browser sends keys by itself
        assert http.delete("/v1/classifiers/a", headers={"x-api-key": keyed.operator})


def test_logging_out_ends_the_session_wherever_its_cookie_is(keyed: Keyed) -> None:
    with logged_in(keyed, keyed.operator) as http, keyed.client(None) as thief:
        thief.headers["cookie"] = f"handful_session={http.cookies['handful_session']}"
        thief.headers["x-csrf-token"] = http.headers["x-csrf-token"]
        assert thief.get("/v1/classifiers").status_code == 200
        out = http.delete("/v1/session")
        assert out.status_code == 204
        assert cookie_of(out)["max-age"] == "0"
        assert not http.cookies
        problem(thief.get("/v1/classifiers"), 401, "key-required", "session has ended")
        assert not state(thief)["signed_in"]
        for again in (http, thief):
            assert again.delete("/v1/session").status_code == 204


def test_whoever_logs_in_anew_has_another_session_and_the_old_one_has_ended(keyed: Keyed) -> None:
    with logged_in(keyed, keyed.operator) as http:
        before = http.cookies["handful_session"]
        again = http.post("/v1/session", json={"key": keyed.operator})
        assert again.status_code == 200
        after = http.cookies["handful_session"]
        assert before != after
    for token, status in ((before, 401), (after, 200)):
        with keyed.client(None) as http:
            http.headers["cookie"] = f"theme=dark; handful_session={token}; more=1"
            assert http.get("/v1/classifiers").status_code == status


def test_sessions_end_with_their_key(keyed: Keyed) -> None:
    key = keyed.key()
    with logged_in(keyed, key) as http:
        assert http.get("/v1/classifiers").status_code == 200
        with keyed.client(keyed.operator) as operator:
            revoked = operator.delete(f"/v1/keys/{state(http)['key_id']}")
            assert revoked.status_code == 204
        problem(http.get("/v1/classifiers"), 401, "key-required", "session has ended")
        assert not state(http)["signed_in"]


def test_the_log_says_who_has_logged_in_and_out(keyed: Keyed) -> None:
    key = keyed.key(tenant="audited", scopes=["admin"])
    with logged_in(keyed, key) as http:
        key_id = state(http)["key_id"]
        http.delete("/v1/session")
        http.delete("/v1/session")
    with keyed.client(key) as http:
        entries = http.get("/v1/audit").json()["entries"]
    told = [(one["action"], one["key_id"]) for one in entries if one["action"][:3] == "ses"]
    assert told == [("session.ended", key_id), ("session.created", key_id)]


def test_a_service_without_keys_needs_no_log_in(http: httpx.Client) -> None:
    told = state(http)
    assert told["authentication"] == "none"
    assert told["signed_in"]
    assert told["operates"]
    assert told["scopes"] == ["admin", "predict", "read", "write"]
    refused = http.post("/v1/session", json={"key": "x"})
    problem(refused, 409, "log-in-not-needed", "asks for no keys")
    assert http.delete("/v1/session").status_code == 204


def test_behind_a_proxy_that_signs_users_in_cookies_count_for_nothing(
    tmp_path: Path, vit: str
) -> None:
    settings = {"auth": "proxy", "trusted_proxies": "127.0.0.1", "root_path": "/handful"}
    with Server.ready(tmp_path, backbone=vit, **settings) as running, running.client() as http:
        assert state(http)["authentication"] == "proxy"
        assert not state(http)["signed_in"]
        http.headers["x-forwarded-user"] = "ada@example.com"
        told = state(http)
        assert told["user"] == "ada@example.com"
        assert told["scopes"] == ["predict", "read"]
        refused = http.post("/v1/session", json={"key": "x"})
        problem(refused, 409, "log-in-not-needed", "proxy")
        del http.headers["x-forwarded-user"]
        http.headers["cookie"] = "handful_session=" + "A" * 43
        problem(http.get("/v1/classifiers"), 401, "key-required", "proxy")


def test_the_cookie_is_of_the_root_path_and_of_tls_where_there_is_some(
    tmp_path: Path, vit: str
) -> None:
    operator = made(tmp_path, "--scopes", "read")
    settings = {"auth": "keys", "trusted_proxies": "127.0.0.1", "root_path": "/handful"}
    with Server.ready(tmp_path, backbone=vit, **settings) as running, running.client() as http:
        for path in ("/handful/v1/session", "/v1/session"):
            fields = {"x-forwarded-proto": "https", "x-forwarded-for": "192.0.2.1"}
            answer = http.post(path, json={"key": operator}, headers=fields)
            assert answer.status_code == 200, answer.text
            cookie = cookie_of(answer)
            assert cookie["path"] == "/handful"
            assert cookie["secure"]


def test_nothing_of_a_token_is_in_the_database(engine: Engine) -> None:
    stored, token = create_session(engine, KEY_ID)
    assert find_session(engine, token) == stored
    with Session(engine) as session:
        [row] = session.scalars(select(SessionRow))
        assert (row.digest, row.key_id) == (digest_of(token), KEY_ID)
        assert token not in row.digest
    for wrong in (token[:-1], token.lower(), digest_of(token), ""):
        assert find_session(engine, wrong) is None


def test_a_session_ends_after_twelve_hours_and_is_forgotten(engine: Engine) -> None:
    stored, token = create_session(engine, KEY_ID)
    _, other = create_session(engine, KEY_ID)
    with Session(engine) as session, session.begin():
        ended = stored.expires_at - timedelta(hours=12, seconds=1)
        session.execute(
            update(SessionRow).where(SessionRow.digest == digest_of(token)).values(expires_at=ended)
        )
    assert find_session(engine, token) is None
    forget_expired_sessions(engine)
    with Session(engine) as session:
        assert list(session.scalars(select(SessionRow.digest))) == [digest_of(other)]
    assert find_session(engine, other) is not None


def test_a_key_has_so_many_sessions_and_the_oldest_goes(
    engine: Engine, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sessions, "MOST_SESSIONS", 3)
    _, of_another = create_session(engine, "0" * 16)
    tokens = [create_session(engine, KEY_ID)[1] for _ in range(5)]
    there = [token for token in tokens if find_session(engine, token) is not None]
    assert there == tokens[-3:]
    assert find_session(engine, of_another) is not None


def test_a_session_that_is_ended_is_no_session_any_more(engine: Engine) -> None:
    recorded: list[str] = []
    _, token = create_session(engine, KEY_ID, lambda _: recorded.append("begun"))
    for _ in range(2):
        end_session(engine, token, lambda _: recorded.append("ended"))
        assert find_session(engine, token) is None
    assert recorded == ["begun", "ended"]


def test_a_token_is_found_among_cookies_and_nowhere_else() -> None:
    token = "A-_z" * 10 + "abc"
    for value in (
        f"handful_session={token}",
        f"a=b; handful_session={token}",
        f"handful_session={token}; handful_session={'B' * 43}",
    ):
        assert token_in([(b"host", b"x"), (b"cookie", value.encode())]) == token
    for value in (
        f"my_handful_session={token}",
        f"handful_session={token}x",
        f"handful_session={token[1:]}",
        f'handful_session="{token}"',
        "",
    ):
        assert token_in([(b"cookie", value.encode()), (b"x", token.encode())]) is None


def test_one_csrf_token_is_needed_and_it_is_the_sessions() -> None:
    field, right = b"x-csrf-token", csrf_token_of("token").encode()
    assert has_csrf_token_of("token", [(field, right)])
    for wrong in (
        [],
        [(field, b"")],
        [(field, right.upper())],
        [(field, right), (field, right)],
        [(b"csrf-token", right)],
        [(field, csrf_token_of("tokem").encode())],
        [(field, "ü".encode("latin-1"))],
    ):
        assert not has_csrf_token_of("token", wrong)


@only_postgresql
def test_all_replicas_know_a_session_and_none_after_the_log_out(
    database: str, tmp_path: Path, vit: str
) -> None:
    settings = {"auth": "keys", "backbone": vit, "database_url": database}
    operator = made(tmp_path, "--scopes", "read", database_url=database)
    with (
        Server.ready(tmp_path / "a", **settings) as one,
        Server.ready(tmp_path / "b", **settings) as other,
        logged_in(Keyed(one, operator), operator) as http,
        other.client() as elsewhere,
    ):
        elsewhere.headers["cookie"] = f"handful_session={http.cookies['handful_session']}"
        elsewhere.headers["x-csrf-token"] = http.headers["x-csrf-token"]
        assert elsewhere.get("/v1/classifiers").status_code == 200
        assert elsewhere.delete("/v1/session").status_code == 204
        problem(http.get("/v1/classifiers"), 401, "key-required", "session has ended")
