"""A service on a store that was moved to PostgreSQL and back, and on one that was restored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, of_four, probabilities
from tests.service.inbox.test_inbox import inbox, judge
from tests.service.jobs.asking import begun, ended
from tests.service.moving.content import digests
from tests.service.pictures import picture
from tests.service.postgres import fresh_database, url
from tests.service.server import Server, run_handful

QUERIES = [picture(seed) for seed in (1, 500)]


@dataclass(frozen=True)
class Told:
    """What a service answers: documents and bytes by their paths, and predictions."""

    documents: dict[str, Any]
    predictions: list[Json]


@dataclass(frozen=True)
class Moved:
    """What services have told, each on the store as it was moved."""

    before: Told
    on_postgresql: Told
    back: Told
    restored: Told


def build(http: httpx.Client) -> list[str]:
    """Something in every table; returns the paths to be compared."""
    made = of_four(http, "plain")
    made.post("wasp", picture(5), picture(6)).raise_for_status()
    http.delete(made.class_url("wasp")).raise_for_status()
    http.post(f"{made.class_url('bee')}/rename", json={"to": "hornet"}).raise_for_status()
    notes = {"notes": "é ☃", "metadata": {"a": "1"}}
    http.put(f"{made.url}/annotations", json=notes).raise_for_status()
    remembering = of_four(http, "remembering")
    remembering.put(remember="all", support_views=2, coverage=0.9).raise_for_status()
    remembering.predictions(picture(50))
    remembering.predictions(picture(51))
    first, _ = inbox(remembering, 2)
    judge(remembering, first, "confirm").raise_for_status()
    job = begun(made, "predict", {"1.png": picture(9), "2.png": b"none"})
    assert ended(http, job)["state"] == "done"
    http.post(
        "/v1/keys", json={"tenant": "lab", "scopes": ["read"], "name": "é"}
    ).raise_for_status()
    [left] = inbox(remembering, 1)
    image = made.get_class("ant").json()["images"][0]["id"]
    return [
        "/v1/classifiers",
        "/v1/usage",
        "/v1/audit",
        "/v1/keys",
        "/v1/jobs",
        job,
        f"{job}/results",
        *(
            f"{one.url}{part}"
            for one in (made, remembering)
            for part in ("", "/classes", "/history", "/annotations")
        ),
        f"{remembering.url}/inbox",
        f"{remembering.url}/inbox/{left['id']}/image",
        made.class_url("ant"),
        f"{made.class_url('ant')}/images/{image}",
    ]


def told(http: httpx.Client, paths: list[str]) -> Told:
    documents: dict[str, Any] = {}
    for path in paths:
        answer = http.get(path)
        assert answer.status_code == 200, (path, answer.text)
        is_json = answer.headers["content-type"] == "application/json"
        documents[path] = (answer.json() if is_json else answer.content, answer.headers.get("etag"))
    for key in documents["/v1/keys"][0]["keys"]:
        key.pop("used_at")  # by whom they are asked here
    return Told(documents, Classifier(http, "plain").predictions(*QUERIES, top_k=9, evidence=9))


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Moved]:
    """Each service has the same data folder, where results of jobs are."""
    folder = tmp_path_factory.mktemp("moved")
    key = run_handful(
        "keys", "create", "--scopes", "admin,read,predict,write", "--data-dir", str(folder)
    )
    paths: list[str] = []

    def asked(**settings: object) -> Told:
        with (
            Server.ready(folder, backbone=vit, auth="keys", **settings) as server,
            server.client() as http,
        ):
            http.headers["authorization"] = f"Bearer {key.stdout.strip()}"
            paths.extend([] if paths else build(http))
            found = told(http, paths)
            assert server.stop() == 0
            return found

    with fresh_database() as name:
        first, second = (f"sqlite:///{folder / file}" for file in ("handful.db", "back.db"))
        third, backup = f"sqlite:///{folder / 'restored.db'}", folder / "backup.tar"
        before = asked()
        for source, target in ((first, url(name)), (url(name), second)):
            done = run_handful("migrate-store", source, target)
            assert done.returncode == 0, done.stderr
        assert digests(second) == digests(url(name)) == digests(first)
        taken = run_handful("backup", str(backup), database_url=second)
        assert taken.returncode == 0, taken.stderr
        assert run_handful("restore", str(backup), database_url=third).returncode == 0
        yield Moved(before, *(asked(database_url=one) for one in (url(name), second, third)))


def test_a_store_moved_to_postgresql_and_back_answers_the_same(moved: Moved) -> None:
    for after in (moved.on_postgresql, moved.back, moved.restored):
        assert after.documents == moved.before.documents
        for one, other in zip(after.predictions, moved.before.predictions, strict=True):
            assert probabilities(one) == pytest.approx(probabilities(other), abs=1e-5)
            assert [each["image_id"] for each in one["evidence"]] == [
                each["image_id"] for each in other["evidence"]
            ]
