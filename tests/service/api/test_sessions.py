"""Browsers log in with a key: the cookie is as good as the key, and no better than a browser."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from http.cookies import Morsel, SimpleCookie
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from service.access.session_token import csrf_token_of
from tests.service.api.test_keys import Keyed, made
from tests.service.client import Classifier, of_four, problem
from tests.service.jobs.asking import events_end_with
from tests.service.pictures import picture
from tests.service.server import Server


@pytest.fixture(scope="module")
def keyed(
    tmp_path_factory: pytest.TempPathFactory, vit: str, shared_database: str
) -> Iterator[Keyed]:
    data_dir = tmp_path_factory.mktemp("sessions")
    stored = {"database_url": shared_database}
    operator = made(data_dir, "--scopes", "admin,read,predict,write", **stored)
    logs = {"access_log": True, "log_level": "debug"}
    with Server.ready(data_dir, backbone=vit, auth="keys", **logs, **stored) as running:
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


def test_what_a_proxy_asks_of_browsers_does_not_count_beside_a_cookie(keyed: Keyed) -> None:
    with logged_in(keyed, keyed.operator) as http:
        http.auth = httpx.BasicAuth("ann", "of the proxy")
        assert http.get("/v1/keys").status_code == 200
        http.cookies.clear()
        problem(http.get("/v1/keys"), 401, "key-required", "not valid")
        http.auth = httpx.BasicAuth("ann", keyed.operator)
        assert http.get("/v1/keys").status_code == 200


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


def test_events_of_a_job_end_with_the_session(keyed: Keyed) -> None:
    with keyed.client(keyed.operator) as operator, logged_in(keyed, keyed.operator) as http:
        events_end_with(
            of_four(operator, "followed"),
            http,
            lambda: http.delete("/v1/session").raise_for_status(),
        )


def test_a_log_out_is_about_the_cookie_whatever_key_comes_beside_it(keyed: Keyed) -> None:
    for key in (keyed.operator, "no key"):
        with logged_in(keyed, keyed.operator) as http, keyed.client(None) as later:
            later.headers["cookie"] = f"handful_session={http.cookies['handful_session']}"
            beside = {"x-api-key": key}
            problem(later.delete("/v1/session", headers=beside), 403, "csrf-token-required")
            assert state(later)["signed_in"]
            assert http.delete("/v1/session", headers=beside).status_code == 204
            assert not state(later)["signed_in"]


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
