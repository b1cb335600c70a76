"""The inbox over HTTP: what is remembered, and judged once, whoever judges and whatever dies."""

from __future__ import annotations

import sqlite3
import time
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, of_four, problem
from tests.service.conftest import Small
from tests.service.pictures import picture
from tests.service.server import Server

REMEMBER = {"remember": "all", "names_carry_meaning": False}


@pytest.fixture(scope="module")
def http(spare: Server) -> Iterator[httpx.Client]:
    with spare.client() as client:
        yield client


@pytest.fixture
def made(http: httpx.Client, request: pytest.FixtureRequest) -> Classifier:
    return remembering(http, request.node.originalname.replace("_", "-")[:60])


def remembering(http: httpx.Client, name: str, **settings: object) -> Classifier:
    classifier = of_four(http, name)
    classifier.put(**REMEMBER | settings).raise_for_status()
    return classifier


def inbox(made: Classifier, number: int, **asked: Any) -> list[Json]:
    """The inbox once it has so many items; they are written after the answer."""
    until = time.monotonic() + 30
    while True:
        page = made.http.get(f"{made.url}/inbox", params=asked).raise_for_status().json()
        if len(page["items"]) >= number or time.monotonic() > until:
            assert len(page["items"]) == number, page
            items: list[Json] = page["items"]
            return items
        time.sleep(0.02)


def judge(made: Classifier, item: Json, action: str, **more: object) -> httpx.Response:
    return made.http.post(f"{made.url}/inbox/{item['id']}", json={"action": action, **more})


def test_nothing_is_remembered_unless_it_is_asked_for(http: httpx.Client) -> None:
    made = of_four(http, "forgetful")
    made.predictions(picture(50))
    time.sleep(0.2)
    assert inbox(made, 0) == []
    assert http.get(made.url).json()["remember"] == "none"


def test_a_query_is_remembered_with_its_answer_and_picture(made: Classifier) -> None:
    revision = made.http.get(made.url).json().get("revision")
    [answer] = made.predictions(picture(50))
    made.predictions(picture(50))  # the same picture again is not remembered twice
    made.http.post(
        f"{made.url}/predict", content=picture(51), headers={"content-type": "image/png"}
    ).raise_for_status()
    second, first = inbox(made, 2)
    assert first["asked_at"] < second["asked_at"]
    assert revision is None or first["revision"] == revision
    for name in ("label", "known", "p_value", "prediction_set"):
        assert first[name] == answer[name], name
    assert first["probability"] == pytest.approx(answer["probability"])
    assert first["candidates"][0]["label"] == answer["label"]
    assert (first["filename"], first["media_type"]) == ("0.png", "image/png")
    assert first["why"] in ("unknown", "uncertain", "all")
    kept = made.http.get(f"{made.url}/inbox/{first['id']}/image")
    assert kept.content == picture(50)
    assert kept.headers["content-type"] == "image/png"
    assert kept.headers["x-content-type-options"] == "nosniff"
    assert made.http.get(f"{made.url}/inbox/{first['id']}").json() == first
    # Page by page, and by what was answered.
    page = made.http.get(f"{made.url}/inbox?limit=1").json()
    assert page["items"] == [second]
    rest = made.http.get(
        f"{made.url}/inbox", params={"limit": 1, "cursor": page["next_cursor"]}
    ).json()
    assert (rest["items"], rest["next_cursor"]) == ([first], None)
    found = inbox(made, 2)
    labels = Counter(one["label"] for one in found)
    for label in ("ant", "bee", "wasp"):
        assert len(inbox(made, labels[label], label=label)) == labels[label]
    known = Counter(one["known"] for one in found)
    for value in (True, False):
        assert len(inbox(made, known[value], known=value)) == known[value]
    # Of another classifier it is nothing.
    other = remembering(made.http, "another-inbox")
    for where in ("", "/image"):
        missing = made.http.get(f"{other.url}/inbox/{first['id']}{where}")
        problem(missing, 404, "not-in-the-inbox")
    problem(judge(other, first, "confirm"), 404, "not-in-the-inbox")
    problem(made.http.get(f"{made.url}/inbox?label=a/b"), 422, "invalid-name")


def test_each_is_judged_once_and_counts_in_the_accuracy(made: Classifier) -> None:
    for seed in range(60, 65):
        made.predictions(picture(seed))
    items = {item["candidates"][0]["probability"]: item for item in inbox(made, 5)}
    one, two, three, four, five = items.values()
    assert judge(made, one, "confirm").json() == {
        "id": one["id"],
        "action": "confirm",
        "right": True,
        "image": None,
    }
    before = made.counts()
    corrected = judge(made, two, "correct", label="wasp").json()
    assert (corrected["right"], corrected["image"]["status"]) == (False, "created")
    assert made.counts() == before | {"wasp": 1}
    kept = made.http.get(f"{made.class_url('wasp')}/images/{corrected['image']['id']}")
    assert kept.status_code == 200
    same = judge(made, three, "correct", label=three["label"]).json()
    assert same["right"] is True
    rejected = judge(made, four, "reject").json()
    assert rejected["right"] is (not four["known"])
    assert made.counts()["not-these"] == 1
    assert judge(made, five, "delete").json()["right"] is None
    assert inbox(made, 0) == []
    for item in (one, two, three, four, five):
        for action in ("confirm", "reject", "delete"):
            problem(judge(made, item, action), 404, "not-in-the-inbox", "judged already")
    assert made.counts()["not-these"] == 1
    told = made.http.get(f"{made.url}/inbox/accuracy?days=1&windows=3").json()
    right = 2 + (not four["known"])
    assert [window["judged"] for window in told["windows"]] == [0, 0, 4]
    assert (told["together"]["judged"], told["together"]["right"]) == (4, right)
    assert told["together"]["low"] < right / 4 < told["together"]["high"]
    assert (told["remember"], told["waiting"]) == ("all", 0)
    # What is registered already is judged all the same.
    made.predictions(picture(1))
    [item] = inbox(made, 1)
    again = judge(made, item, "correct", label="ant").json()
    assert again["image"]["status"] == "duplicate"
    assert inbox(made, 0) == []


def test_what_is_no_action_is_refused_and_changes_nothing(made: Classifier) -> None:
    made.predictions(picture(70))
    [item] = inbox(made, 1)
    state = made.state()
    for body in (
        {},
        {"action": "praise"},
        {"action": "correct"},
        {"action": "confirm", "label": "ant"},
        {"action": "correct", "label": 7},
    ):
        refused = made.http.post(f"{made.url}/inbox/{item['id']}", json=body)
        problem(refused, 422, "request-validation-failed")
    problem(judge(made, item, "correct", label="a/b"), 422, "invalid-name")
    assert made.state() == state
    assert inbox(made, 1) == [item]


def test_judging_takes_preconditions_and_idempotency_keys_as_changes_do(made: Classifier) -> None:
    for number in (50, 51):
        made.predictions(picture(number))
    second, first = inbox(made, 2)
    url, body = f"{made.url}/inbox/{first['id']}", {"action": "correct", "label": "bee"}
    refused = made.http.post(url, json=body, headers={"if-match": '"another"'})
    problem(refused, 412, "precondition-failed")
    tag = made.http.get(made.url).headers["etag"]
    once = {"idempotency-key": "judged-first", "if-match": tag}
    answer = made.http.post(url, json=body, headers=once)
    assert answer.status_code == 200, answer.text
    again = made.http.post(url, json=body, headers=once)
    assert (again.json(), again.headers["idempotent-replayed"]) == (answer.json(), "true")
    confirmed = [
        made.http.post(
            f"{made.url}/inbox/{second['id']}",
            json={"action": "confirm"},
            headers={"idempotency-key": "judged-second"},
        )
        for _ in range(2)
    ]
    assert [one.status_code for one in confirmed] == [200, 200]
    assert confirmed[0].json() == confirmed[1].json()
    assert inbox(made, 0) == []


def test_of_many_who_judge_at_once_one_does(made: Classifier) -> None:
    for seed in range(80, 86):
        made.predictions(picture(seed))
    items = inbox(made, 6)
    before = sum(made.counts().values())

    def correct(turn: int) -> int:
        item = items[turn % len(items)]
        return judge(made, item, "correct", label=f"class-{turn}").status_code

    with ThreadPoolExecutor(12) as pool:
        statuses = Counter(pool.map(correct, range(24)))
    assert statuses == {200: 6, 404: 18}
    assert sum(made.counts().values()) == before + 6
    assert made.http.get(f"{made.url}/inbox/accuracy").json()["together"]["judged"] == 6


def test_the_oldest_are_forgotten(http: httpx.Client) -> None:
    made = remembering(http, "short-memory", remember_most=3)
    for seed in range(90, 95):
        made.predictions(picture(seed))
        inbox(made, min(3, seed - 89))
    until = time.monotonic() + 20
    while time.monotonic() < until:
        contents = [
            http.get(f"{made.url}/inbox/{one['id']}/image").content for one in inbox(made, 3)
        ]
        if contents[0] == picture(94):
            break
    assert contents == [picture(94), picture(93), picture(92)]
    http.delete(made.url).raise_for_status()  # with all that it remembers
    assert http.get(f"{made.url}/inbox").status_code == 404


def test_without_pictures_embeddings_are_registered(small_service: Small) -> None:
    made = remembering(small_service.http, "no-pictures")
    made.predictions(picture(100))
    [item] = inbox(made, 1)
    assert item["has_picture"] is False
    gone = made.http.get(f"{made.url}/inbox/{item['id']}/image")
    problem(gone, 404, "image-not-stored")
    assert judge(made, item, "correct", label="ant").json()["image"]["status"] == "created"
    assert made.counts() == {"ant": 3, "bee": 2}


@pytest.mark.long
def test_kills_leave_each_judged_or_as_it_was(tmp_path: Path, vit: str) -> None:
    items: list[Json] = []
    for turn in range(3):
        with Server.ready(tmp_path, backbone=vit) as running, running.client() as http:
            if turn == 0:
                made = remembering(http, "t")
                for seed in range(200, 240):
                    made.predictions(picture(seed))
                items = inbox(made, 40, limit=100)
            made = Classifier(http, "t")

            def correct(item: Json, classifier: Classifier = made) -> None:
                with suppress(httpx.HTTPError):
                    judge(classifier, item, "correct", label="wasp")

            with ThreadPoolExecutor(3) as pool:
                futures = [pool.submit(correct, item) for item in items]
                if turn < 2:
                    time.sleep(0.15)
                    running.kill()
                for future in futures:
                    future.result()
            if turn == 2:
                assert made.counts()["wasp"] == 40
                assert inbox(made, 0) == []
                assert (
                    made.http.get(f"{made.url}/inbox/accuracy").json()["together"]["judged"] == 40
                )
                assert running.stop() == 0
                continue
        with closing(sqlite3.connect(tmp_path / "handful.db")) as database:
            count = "SELECT count(*) FROM "
            [(left,)] = database.execute(f"{count} remembered")
            [(judged,)] = database.execute(f"{count} verdicts")
            [(support,)] = database.execute(f"{count} support")
        assert left + judged == 40
        assert support == 4 + judged
