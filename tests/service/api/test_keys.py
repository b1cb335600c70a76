"""A service that asks for keys, over HTTP: who may do what, in one tenant and in several."""

from __future__ import annotations

import socket
import time
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path

import httpx2 as httpx
import pytest
from sqlalchemy import inspect

from service.storage.engine import open_database
from tests.service.client import Classifier, of_four, problem
from tests.service.jobs.asking import begun, ended, events_end_with
from tests.service.pictures import picture
from tests.service.server import Server, run_handful

PAGE = "https://app.example.com"


def made(data_dir: Path, *options: str, **settings: object) -> str:
    """A key that the command makes, beside the service or before it."""
    done = run_handful("keys", "create", *options, "--data-dir", str(data_dir), **settings)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


@dataclass(frozen=True)
class Keyed:
    """A service with keys, and the key of its operator."""

    server: Server
    operator: str

    def client(self, key: str | None) -> httpx.Client:
        client = self.server.client()
        if key is not None:
            client.headers["authorization"] = f"Bearer {key}"
        return client

    def key(self, **terms: object) -> str:
        with self.client(self.operator) as http:
            answer = http.post("/v1/keys", json=terms)
        assert answer.status_code == 201, answer.text
        assert answer.headers["cache-control"] == "no-store"
        return str(answer.json()["key"])


@pytest.fixture(scope="module")
def keyed(
    tmp_path_factory: pytest.TempPathFactory, vit: str, shared_database: str
) -> Iterator[Keyed]:
    data_dir = tmp_path_factory.mktemp("keyed")
    stored = {"database_url": shared_database}
    operator = made(data_dir, "--scopes", "admin,read,predict,write", **stored)
    with Server.ready(data_dir, backbone=vit, auth="keys", cors_origins=PAGE, **stored) as running:
        yield Keyed(running, operator)
        running.stop()
    log = running.log.read_text()
    assert "Traceback" not in log
    assert operator not in log


def test_a_stranger_learns_only_that_the_service_is_there(keyed: Keyed) -> None:
    with keyed.client(None) as http:
        for path in ("/healthz", "/readyz", "/openapi.json", "/docs"):
            assert http.get(path).status_code == 200
        for method, path in [
            ("GET", "/v1/classifiers"),
            ("HEAD", "/v1/classifiers"),
            ("GET", "/metrics"),
            ("PUT", "/v1/classifiers/a"),
            ("POST", "/v1/classifiers/a/predict"),
            ("DELETE", "/v1/classifiers/a"),
            ("GET", "/v1/keys"),
            ("GET", "/nothing"),
        ]:
            answer = http.request(method, path)
            assert answer.status_code == 401, (method, path)
            assert answer.headers["www-authenticate"] == "Bearer"
        problem(http.get("/v1/classifiers"), 401, "key-required", "x-api-key")
        for wrong in (
            "x",
            "handful_" + "0" * 16 + "_" + "A" * 43,
            "ü".encode("latin-1").decode("latin-1"),
        ):
            answer = http.get("/v1/classifiers", headers={b"x-api-key": wrong.encode("latin-1")})
            told = problem(answer, 401, "key-required")
            assert wrong not in told["detail"] or wrong == "x"


def test_nothing_of_a_strangers_body_is_read(keyed: Keyed) -> None:
    host, port = keyed.server.url.removeprefix("http://").split(":")
    with socket.create_connection((host, int(port)), timeout=10) as wire:
        wire.sendall(
            b"POST /v1/classifiers/a/predict HTTP/1.1\r\nHost: localhost\r\n"
            b"Content-Type: image/png\r\nContent-Length: 900000\r\n\r\nabc"
        )
        assert wire.recv(4096).startswith(b"HTTP/1.1 401")  # without the rest of it


def test_a_page_may_ask_first_and_reads_refusals(keyed: Keyed) -> None:
    asked = {
        "origin": PAGE,
        "access-control-request-method": "POST",
        "access-control-request-headers": "authorization",
    }
    with keyed.client(None) as http:
        preflight = http.options("/v1/classifiers/a/predict", headers=asked)
        assert preflight.status_code == 200
        assert "authorization" in preflight.headers["access-control-allow-headers"]
        refused = http.get("/v1/classifiers", headers={"origin": PAGE})
        assert refused.status_code == 401
        assert refused.headers["access-control-allow-origin"] == PAGE


def test_scopes_say_what_a_key_allows(keyed: Keyed) -> None:
    with keyed.client(keyed.operator) as http:
        of_four(http, "scoped")
    with keyed.client(keyed.key(scopes=["predict"])) as http:
        scoped = Classifier(http, "scoped")
        assert scoped.predict(picture(1)).status_code == 200
        problem(http.get(scoped.url), 403, "not-allowed", "scope read", "allows predict")
        problem(scoped.put(), 403, "not-allowed", "scope write")
        problem(http.get("/v1/keys"), 403, "not-allowed", "scope admin")
    with keyed.client(keyed.key(scopes=["read"])) as http:
        scoped = Classifier(http, "scoped")
        assert http.get(scoped.url).status_code == 200
        problem(scoped.predict(picture(1)), 403, "not-allowed", "scope predict")
        bare = scoped.post_body(picture(1), "image/png", "predict")  # by the direct way
        problem(bare, 403, "not-allowed", "scope predict")
        problem(http.delete(scoped.url), 403, "not-allowed", "scope write")
    with keyed.client(keyed.key(scopes=["admin"])) as http:
        assert http.get("/metrics").status_code == 200
        problem(http.get("/v1/classifiers"), 403, "not-allowed", "scope read")


def test_a_key_may_be_for_some_classifiers_only(keyed: Keyed) -> None:
    with keyed.client(keyed.operator) as http:
        for name in ("mine", "theirs"):
            assert Classifier(http, name).put().status_code == 201
    with keyed.client(keyed.key(classifiers=["mine", "later"])) as http:
        names = [one["name"] for one in http.get("/v1/classifiers").json()["classifiers"]]
        assert names == ["mine"]
        there = problem(http.get("/v1/classifiers/theirs"), 403, "not-allowed", "'theirs'")
        absent = problem(http.get("/v1/classifiers/never-0"), 403, "not-allowed", "'never-0'")
        assert there["detail"].replace("theirs", "never-0") == absent["detail"]
        assert Classifier(http, "later").put().status_code == 201
        problem(Classifier(http, "theirs").predict(picture(1)), 403, "not-allowed")


def test_tenants_have_names_of_their_own(keyed: Keyed) -> None:
    one, other = keyed.key(tenant="one"), keyed.key(tenant="other")
    with keyed.client(one) as first, keyed.client(other) as second:
        of_four(first, "same")
        problem(second.get("/v1/classifiers/same"), 404, "classifier-not-found")
        assert second.get("/v1/classifiers").json()["classifiers"] == []
        assert Classifier(second, "same").put().status_code == 201
        assert Classifier(second, "same").counts() == {}
        assert Classifier(first, "same").counts() == {"ant": 2, "bee": 2}
        assert second.delete("/v1/classifiers/same").status_code == 204
        assert Classifier(first, "same").predict(picture(1)).status_code == 200


def test_administrators_have_their_own_tenant_operators_all(keyed: Keyed) -> None:
    admin = keyed.key(tenant="lab", scopes=["admin", "read"], name="lab's")
    with keyed.client(admin) as http, keyed.client(keyed.operator) as operator:
        assert [key["name"] for key in http.get("/v1/keys").json()["keys"]] == ["lab's"]
        made = http.post("/v1/keys", json={"name": "line 1", "scopes": ["predict"]}).json()
        assert made["tenant"] == "lab"
        problem(http.post("/v1/keys", json={"tenant": "other"}), 403, "not-allowed", "operator")
        problem(http.get("/v1/keys", params={"tenant": "other"}), 403, "not-allowed", "operator")
        for path in ("/metrics", "/v1/re-embedding"):
            problem(http.get(path), 403, "not-allowed", "operator")
        theirs = operator.get("/v1/keys").json()["keys"][0]["id"]
        for absent in (theirs, "0" * 16):
            problem(http.delete(f"/v1/keys/{absent}"), 404, "key-not-found")
            problem(http.post(f"/v1/keys/{absent}/rotate"), 404, "key-not-found")
        listed = operator.get("/v1/keys", params={"tenant": "lab"}).json()["keys"]
        assert {key["id"] for key in listed} >= {made["id"]}
        assert made["key"] not in str(listed)
        rotated = http.post(f"/v1/keys/{made['id']}/rotate", params={"grace_seconds": 0})
        assert rotated.status_code == 201
        assert rotated.json()["scopes"] == ["predict"]
        with keyed.client(made["key"]) as ended:
            problem(ended.get("/v1/classifiers"), 401, "key-required")
        assert http.delete(f"/v1/keys/{rotated.json()['id']}").status_code == 204
        with keyed.client(rotated.json()["key"]) as ended:
            problem(ended.get("/v1/classifiers"), 401, "key-required", "revoked")


def unpacked(value: bytes) -> bytes:
    try:
        return zlib.decompress(value)
    except zlib.error:  # a digest, perhaps, which may begin as anything
        return b""


def test_the_text_of_a_key_is_stored_nowhere(keyed: Keyed, shared_database: str) -> None:
    once = {"idempotency-key": "made-once"}
    with keyed.client(keyed.operator) as http:
        made = http.post("/v1/keys", json={"name": "once"}, headers=once).json()
        rotated = http.post(f"/v1/keys/{made['id']}/rotate", headers={"idempotency-key": "r"})
    database = open_database(shared_database)
    with database.connect() as connection:
        stored = b"".join(
            value + unpacked(value)
            for table in inspect(database).get_table_names()
            for row in connection.exec_driver_sql(f"SELECT * FROM {table}")
            for one in row
            if (value := one if isinstance(one, bytes) else str(one).encode())
        )
    database.dispose()
    assert made["id"].encode() in stored
    for key in (made["key"], rotated.json()["key"]):
        assert key.split("_", 2)[2].encode() not in stored


@pytest.mark.parametrize(
    ("terms", "kind", "told"),
    [
        ({"scopes": []}, "request-validation-failed", "scopes"),
        ({"scopes": ["all"]}, "request-validation-failed", "scopes"),
        ({"tenant": "a/b"}, "request-validation-failed", "tenant"),
        ({"secret": "mine"}, "request-validation-failed", "secret"),
        ({"expires_at": "2020-01-01T00:00:00Z"}, "invalid-settings", "expired"),
        ({"expires_at": "2030-01-01T00:00:00"}, "request-validation-failed", "expires_at"),
        ({"expires_at": "9999-12-31T23:59:59-14:00"}, "request-validation-failed", "9999, in UTC"),
        ({"scopes": ["admin"], "classifiers": ["a"]}, "invalid-settings", "all classifiers"),
        ({"requests_per_second": 0}, "request-validation-failed", "requests_per_second"),
        ({"images_per_second": 1e-300}, "request-validation-failed", "images_per_second"),
    ],
)
def test_terms_that_cannot_be_are_refused(
    keyed: Keyed, terms: dict[str, object], kind: str, told: str
) -> None:
    with keyed.client(keyed.operator) as http:
        problem(http.post("/v1/keys", json=terms), 422, kind, told)


@pytest.mark.parametrize("hours", [-5, 5])
def test_a_key_ends_when_it_was_said_whatever_the_time_zone(keyed: Keyed, hours: int) -> None:
    end = datetime.now(timezone(timedelta(hours=hours))) + timedelta(seconds=3)
    key = keyed.key(scopes=["read"], name=f"zone {hours}", expires_at=end.isoformat())
    with keyed.client(key) as http, keyed.client(keyed.operator) as operator:
        assert http.get("/v1/classifiers").status_code == 200
        found = [k for k in operator.get("/v1/keys").json()["keys"] if k["id"] in key]
        assert datetime.fromisoformat(found[0]["expires_at"]) == end
        while datetime.now(UTC) < end:
            time.sleep(0.1)
        problem(http.get("/v1/classifiers"), 401, "key-required")


def test_events_of_a_job_end_with_the_key(keyed: Keyed) -> None:
    key = keyed.key(scopes=["read"])
    with keyed.client(keyed.operator) as operator, keyed.client(key) as http:
        events_end_with(
            of_four(operator, "followed"),
            http,
            lambda: operator.delete(f"/v1/keys/{key.split('_')[1]}").raise_for_status(),
        )


def test_pages_hold_all_keys_once(keyed: Keyed) -> None:
    for name in ("a", "b", "c"):
        keyed.key(tenant="paged", scopes=["read"], name=name)
    with keyed.client(keyed.operator) as http:
        whole = http.get("/v1/keys", params={"tenant": "paged"}).json()
        assert [one["name"] for one in whole["keys"]] == ["a", "b", "c"]
        assert whole["next_cursor"] is None
        found, asked = [], {"tenant": "paged", "limit": "2"}
        while True:
            page = http.get("/v1/keys", params=asked).json()
            assert len(page["keys"]) <= 2
            found += page["keys"]
            if page["next_cursor"] is None:
                break
            asked["cursor"] = page["next_cursor"]
        assert found == whole["keys"]
        asked["tenant"] = "default"  # of another list
        problem(http.get("/v1/keys", params=asked), 422, "invalid-cursor")


def test_a_key_is_made_once_however_often_it_is_asked_for(keyed: Keyed) -> None:
    with keyed.client(keyed.operator) as http:
        sent, terms = {"idempotency-key": "make-one"}, {"scopes": ["read"], "name": "asked-once"}
        first = http.post("/v1/keys", json=terms, headers=sent)
        assert first.status_code == 201
        again = http.post("/v1/keys", json=terms, headers=sent)
        problem(again, 409, "already-carried-out", "GET /v1/keys")
        other = http.post("/v1/keys", json={"scopes": ["write"]}, headers=sent)
        problem(other, 422, "idempotency-key-reused")
        rotate, sent = f"/v1/keys/{first.json()['id']}/rotate", {"idempotency-key": "rotate-it"}
        assert http.post(rotate, headers=sent).status_code == 201
        problem(http.post(rotate, headers=sent), 409, "already-carried-out", "GET /v1/keys")
        keys = http.get("/v1/keys").json()["keys"]
        assert sum(one["name"] == "asked-once" for one in keys) == 2  # and the one in its place


def test_jobs_of_a_deleted_classifier_are_not_those_of_another_of_its_name(keyed: Keyed) -> None:
    key = keyed.key(scopes=["read"], classifiers=["successor"])
    with keyed.client(keyed.operator) as operator, keyed.client(key) as http:
        made = of_four(operator, "successor")
        where = begun(made, "predict", {"1.png": picture(1)})
        ended(operator, where)
        assert http.get(f"{where}/results").status_code == 200
        assert len(http.get("/v1/jobs").json()["jobs"]) == 1
        operator.delete(made.url).raise_for_status()
        made.put().raise_for_status()
        for path in ("", "/results", "/events"):
            problem(http.get(f"{where}{path}"), 404, "job-not-found")
        assert http.get("/v1/jobs").json()["jobs"] == []
        assert operator.get(f"{where}/results").status_code == 200
        operator.delete(made.url).raise_for_status()


def test_a_key_that_has_ended_is_not_made_anew(keyed: Keyed) -> None:
    with keyed.client(keyed.operator) as http:
        made = http.post("/v1/keys", json={"scopes": ["read"]}).json()["id"]
        assert http.delete(f"/v1/keys/{made}").status_code == 204
        problem(http.post(f"/v1/keys/{made}/rotate"), 404, "key-not-found", "ended")


def test_the_command_manages_keys_beside_the_service(keyed: Keyed, shared_database: str) -> None:
    stored = {"database_url": shared_database}
    terms = ["--tenant", "shop", "--scopes", "read", "--name", "till", "--expires", "1d"]
    key = made(keyed.server.data_dir, *terms, **stored)
    with keyed.client(key) as http:
        assert http.get("/v1/classifiers").status_code == 200  # at once
    listed = run_handful("keys", "list", "--tenant", "shop", **stored).stdout
    assert key.split("_")[1] in listed
    assert "till" in listed
    assert key not in listed
    key_id = key.split("_")[1]
    rotated = run_handful("keys", "rotate", key_id, "--grace", "0m", **stored)
    assert rotated.returncode == 0, rotated.stderr
    revoked = run_handful("keys", "revoke", "0" * 16, **stored)
    assert revoked.returncode == 1
    assert "no key" in revoked.stderr
    for wrong in (
        ["--scopes", "all"],
        ["--expires", "x"],
        ["--expires", "0d"],
        ["--tenant", "a/b"],
    ):
        refused = run_handful("keys", "create", *wrong, **stored)
        assert refused.returncode == 2, wrong


def test_only_what_keeps_something_makes_a_database(tmp_path: Path) -> None:
    wrong = tmp_path / "mistyped"
    for command in (
        ["keys", "list"],
        ["keys", "rotate", "0" * 16],
        ["keys", "revoke", "0" * 16],
        ["limits", "show"],
    ):
        refused = run_handful(*command, "--data-dir", str(wrong))
        assert refused.returncode == 1, command
        assert "there is no database" in refused.stderr
        assert not wrong.exists()
    new = run_handful("keys", "create", "--data-dir", str(wrong))
    assert new.returncode == 0, new.stderr
    assert "makes a new database" in new.stderr
    assert run_handful("keys", "list", "--data-dir", str(wrong)).returncode == 0


def test_the_document_says_which_scope_an_operation_needs(keyed: Keyed) -> None:
    with keyed.client(None) as http:
        document = http.get("/openapi.json").json()
    schemes = set(document["components"]["securitySchemes"])
    assert schemes == {"bearer", "x-api-key", "session", "csrf-token"}
    paths = document["paths"]
    assert paths["/healthz"]["get"]["security"] == []
    predict = paths["/v1/classifiers/{name}/predict"]["post"]
    assert predict["security"] == [
        {"bearer": ["predict"]},
        {"x-api-key": ["predict"]},
        {"session": ["predict"], "csrf-token": ["predict"]},
    ]
    assert paths["/v1/keys"]["get"]["security"][-1] == {"session": ["admin"]}
    assert "`admin`" in paths["/v1/keys"]["get"]["description"]


def test_a_service_without_keys_makes_none(http: httpx.Client) -> None:
    problem(http.get("/v1/keys"), 409, "keys-not-used", "HANDFUL_AUTH=keys")
    problem(http.post("/v1/keys", json={}), 409, "keys-not-used")
