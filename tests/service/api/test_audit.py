"""The audit log: each change is in it with who made it, in the log of their tenant alone."""

from __future__ import annotations

import io
import time
import zipfile
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta, timezone

import httpx2 as httpx
import pytest
from sqlalchemy import Engine

from service.access.principal import Principal
from service.storage.audit import Entry, Filters, audit_page, forget_entries, write_entries
from tests.service.api.test_keys import Keyed, made
from tests.service.client import Classifier, Json, of_four, problem
from tests.service.pictures import picture
from tests.service.server import Server


@pytest.fixture(scope="module")
def keyed(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Keyed]:
    data_dir = tmp_path_factory.mktemp("audited")
    operator = made(data_dir, "--scopes", "admin,read,predict,write")
    with Server.ready(data_dir, backbone=vit, auth="keys") as running:
        yield Keyed(running, operator)
        running.stop()
    assert "Traceback" not in running.log.read_text()


def entries(http: httpx.Client, **filters: object) -> list[Json]:
    answer = http.get("/v1/audit", params={name: str(value) for name, value in filters.items()})
    assert answer.status_code == 200, answer.text
    found: list[Json] = answer.json()["entries"]
    return found


def test_every_change_is_there_with_its_key(keyed: Keyed) -> None:
    key = keyed.key(tenant="acts", scopes=["admin", "read", "predict", "write"])
    key_id = key.split("_")[1]
    with keyed.client(key) as http:
        mine = of_four(http, "mine")
        assert mine.predict(picture(1)).status_code == 200
        assert mine.post("ant", picture(1)).status_code == 201  # a duplicate changes nothing
        assert http.get(f"{mine.url}/export").status_code == 200
        problem(mine.post("ant", b"no image"), 422, "not-an-image")
        assert http.delete(mine.class_url("bee")).status_code == 204
        assert http.delete(mine.url).status_code == 204
        made = http.post("/v1/keys", json={"scopes": ["read"], "name": "reader"}).json()
        assert http.delete(f"/v1/keys/{made['id']}").status_code == 204
        told = list(reversed(entries(http)))
        assert [one["action"] for one in told] == [
            "key.created",
            "classifier.created",
            "classifier.changed",
            "classifier.changed",
            "classifier.exported",
            "classifier.changed",
            "classifier.deleted",
            "key.created",
            "key.revoked",
        ]
        assert {one["key_id"] for one in told[1:]} == {key_id}
        assert told[0]["key_id"] == keyed.operator.split("_")[1]
        added = told[2]["details"]
        assert added["request"] == "POST /v1/classifiers/mine/classes/ant/images"
        assert (added["images_added"], added["labels"]) == (2, ["ant"])
        assert told[5]["details"]["classes_removed"] == 1
        assert told[7]["details"]["key"] == made["id"]
        assert made["key"] not in str(told)
        assert [one["action"] for one in entries(http, classifier="mine", limit=2)] == [
            "classifier.deleted",
            "classifier.changed",
        ]
        assert len(entries(http, action="classifier.changed")) == 3
        assert entries(http, key_id="0" * 16) == []
        for zone in (UTC, timezone(timedelta(hours=5)), timezone(timedelta(hours=-5))):
            soon, before = (datetime.now(zone) + timedelta(minutes=m) for m in (1, -1))
            assert entries(http, since=soon.isoformat()) == []
            assert len(entries(http, since=before.isoformat())) >= len(told)


def test_renames_copies_and_merges_say_of_what(keyed: Keyed) -> None:
    key = keyed.key(tenant="reshapes", scopes=["admin", "read", "write"])
    with keyed.client(key) as http:
        url = of_four(http, "first").url
        http.post(f"{url}/copy", json={"to": "copied"}).raise_for_status()
        assert Classifier(http, "copied").post("ant", picture(9)).status_code == 201
        http.post(f"{url}/merge", json={"from": "copied"}).raise_for_status()
        http.post(f"{url}/classes/ant/rename", json={"to": "emmet"}).raise_for_status()
        http.post(f"{url}/classes/emmet/merge", json={"from": ["bee"]}).raise_for_status()
        http.post(f"{url}/rename", json={"to": "second"}).raise_for_status()
        [renamed] = entries(http, classifier="second")
        assert renamed["action"] == "classifier.renamed"
        assert renamed["details"]["renamed_from"] == "first"
        told = [one["details"] for one in entries(http, classifier="first", limit=4)]
        assert told[0]["renamed_to"] == "second"
        assert told[1]["labels_removed"] == ["bee"]
        assert told[2]["labels_renamed"] == {"ant": "emmet"}
        assert told[3]["sources"] == ["copied"]
        copy = entries(http, classifier="copied")[-1]
        assert copy["details"]["sources"] == ["first"]


def test_jobs_are_there_with_who_asked_for_them(keyed: Keyed) -> None:
    key = keyed.key(tenant="jobs", scopes=["admin", "read", "write"])
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        archive.writestr("ant/1.png", picture(1))
    with keyed.client(key) as http:
        mine = Classifier(http, "mine")
        mine.put().raise_for_status()
        asked = http.post(
            f"{mine.url}/support",
            content=packed.getvalue(),
            headers={"content-type": "application/zip", "prefer": "respond-async"},
        )
        assert asked.status_code == 202, asked.text
        [begun] = entries(http, action="job.begun")
        assert begun["details"]["job"] == asked.json()["id"]
        assert (begun["key_id"], begun["classifier"]) == (key.split("_")[1], "mine")


def test_pages_hold_all_entries_once(keyed: Keyed) -> None:
    with keyed.client(keyed.key(tenant="pages", scopes=["admin", "write"])) as http:
        for i in range(7):
            assert Classifier(http, f"c{i}").put().status_code == 201
        seen: list[str] = []
        cursor: dict[str, str] = {}
        while True:
            page = http.get("/v1/audit", params={"limit": 3, **cursor}).json()
            seen += [one["id"] for one in page["entries"]]
            if page["next_cursor"] is None:
                break
            cursor = {"cursor": page["next_cursor"]}
        assert len(seen) == len(set(seen)) == 8
        assert entries(http, cursor="0" * 32) == []


def test_tenants_have_logs_of_their_own(keyed: Keyed) -> None:
    one = keyed.key(tenant="one", scopes=["admin", "write"])
    other = keyed.key(tenant="other", scopes=["admin", "write"])
    with keyed.client(one) as first, keyed.client(other) as second:
        assert Classifier(first, "secret").put().status_code == 201
        assert "secret" not in str(entries(second))
        theirs = entries(first)[0]["id"]
        assert entries(second, cursor=theirs) == []
        refused = second.get("/v1/audit", params={"tenant": "one"})
        problem(refused, 403, "not-allowed", "operator")
    with keyed.client(keyed.operator) as operator:
        assert "secret" in str(entries(operator, tenant="one"))
        assert "secret" not in str(entries(operator))


def test_refusals_are_counted_and_cannot_fill_the_log(keyed: Keyed) -> None:
    admin = keyed.key(tenant="tried", scopes=["admin"])
    key = keyed.key(tenant="tried", scopes=["read"])
    with keyed.client(key) as http:
        for _ in range(20):
            problem(http.put("/v1/classifiers/a"), 403, "not-allowed")
        for i in range(400):
            http.put(f"/v1/classifiers/b{i}")
    deadline = time.monotonic() + 15
    with keyed.client(admin) as http:
        while (
            sum(one["details"]["times"] for one in entries(http, action="refused", limit=1000))
            < 420
        ):
            assert time.monotonic() < deadline
            time.sleep(0.2)
        told = entries(http, action="refused", limit=1000)
        assert len(told) <= 420
        assert {one["key_id"] for one in told} == {key.split("_")[1]}
        first = told[-1]
        assert first["details"]["request"] == "PUT /v1/classifiers/a"
        assert first["classifier"] == "a"


def test_a_refused_query_is_counted_once_whichever_way_it_takes(keyed: Keyed) -> None:
    admin = keyed.key(tenant="queried", scopes=["admin"])
    with keyed.client(keyed.key(tenant="queried", scopes=["read"])) as http:
        for _ in range(3):
            problem(Classifier(http, "a").predict(picture(1)), 403, "not-allowed")
    with keyed.client(admin) as http:
        deadline = time.monotonic() + 15
        while not (told := entries(http, action="refused")):
            assert time.monotonic() < deadline
            time.sleep(0.2)
    assert sum(one["details"]["times"] for one in told) <= 3


def test_old_entries_are_forgotten(engine: Engine) -> None:
    ann = Principal(tenant="lab", user="ann")
    write_entries(engine, [Entry.by(ann, "classifier.exported", "a")])
    now = datetime.now(UTC)
    forget_entries(engine, now - timedelta(hours=1))
    [kept] = audit_page(engine, "lab", Filters(), 10)
    assert (kept.user, kept.classifier, kept.details) == ("ann", "a", {})
    forget_entries(engine, now + timedelta(hours=1))
    assert audit_page(engine, "lab", Filters(), 10) == []
