"""Undo: what a classifier was comes back, with ids, bytes and answers, and goes when it is old."""

from __future__ import annotations

import random
import sqlite3
from typing import Any

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, of_four, problem
from tests.service.pictures import picture
from tests.service.server import Server


@pytest.fixture(scope="module")
def http(spare: Server) -> httpx.Client:
    return spare.client()


def content(made: Classifier) -> Json:
    """Classes with their images, and settings; whatever order classes are in."""
    looked = made.http.get(made.url).json()
    return {
        "method": looked["method"],
        "coverage": looked["coverage"],
        "classes": {
            label: sorted(made.get_class(label).json()["images"], key=lambda one: one["id"])
            for label in sorted(made.counts())
        },
    }


def revision(made: Classifier) -> int:
    found: int = made.http.get(f"{made.url}/history").json()["revision"]
    return found


def revert(made: Classifier, to: int) -> httpx.Response:
    return made.http.post(f"{made.url}/revert", params={"to": to})


def rows(server: Server, table: str) -> int:
    with sqlite3.connect(server.data_dir / "handful.db", timeout=10) as database:
        [count] = database.execute(f"SELECT count(*) FROM {table}").fetchone()
    database.close()
    return int(count)


def test_a_deleted_class_comes_back_with_its_images(http: httpx.Client) -> None:
    made = of_four(http, "class-back")
    before, answers = content(made), made.predictions(*map(picture, range(1, 6)))
    at = revision(made)
    http.delete(made.class_url("ant")).raise_for_status()
    assert revert(made, at).status_code == 200
    assert content(made) == before
    assert {one["label"]: one["p_value"] for one in answers} == {
        one["label"]: one["p_value"] for one in made.predictions(*map(picture, range(1, 6)))
    }
    [image, _] = made.get_class("ant").json()["images"]
    assert http.get(f"{made.class_url('ant')}/images/{image['id']}").content == picture(1)
    history = http.get(f"{made.url}/history").json()
    assert (history["revision"], history["oldest_revision"]) == (4, 0)
    assert history["next_cursor"] is None
    paged: list[Json] = []
    asked: dict[str, str | int] = {"limit": 3}
    while True:
        page = http.get(f"{made.url}/history", params=asked).raise_for_status().json()
        paged += page["changes"]
        if page["next_cursor"] is None:
            break
        asked["cursor"] = page["next_cursor"]
    assert paged == history["changes"]
    undone, deleted, *_ = history["changes"]
    assert (undone["revision"], undone["reverted_to"], undone["images_added"]) == (4, at, 2)
    assert (deleted["classes_removed"], deleted["images_removed"]) == (["ant"], 2)
    assert revert(made, 3).status_code == 200  # and again without it
    assert list(made.counts()) == ["bee"]


def test_any_sequence_of_changes_can_be_undone(http: httpx.Client) -> None:
    draw = random.Random(7)
    for number in range(3):
        made = of_four(http, f"any-sequence-{number}")
        known = {revision(made): content(made)}
        for _ in range(12):
            labels = list(made.counts())
            ids = [one["id"] for label in labels for one in made.get_class(label).json()["images"]]
            change: Any = draw.choice(["post", "class", "rename", "merge", "move", "delete", "put"])
            label = draw.choice(labels) if labels else "ant"
            if change == "post":
                made.post(label, picture(draw.randrange(1, 9)))
            elif change == "class":
                http.delete(made.class_url(label))
            elif change == "rename":
                http.post(f"{made.class_url(label)}/rename", json={"to": f"c{draw.randrange(4)}"})
            elif change == "merge" and len(labels) > 1:
                http.post(f"{made.class_url(labels[0])}/merge", json={"from": labels[1:2]})
            elif change == "move" and ids:
                body = {"images": draw.sample(ids, min(2, len(ids))), "to": f"c{draw.randrange(4)}"}
                http.post(f"{made.url}/images/move", json=body)
            elif change == "delete" and ids:
                http.post(f"{made.url}/images/delete", json={"images": [draw.choice(ids)]})
            elif change == "put":
                made.put(coverage=draw.choice([None, 0.8, 0.9]))
            known[revision(made)] = content(made)
        for to in draw.sample(sorted(known), min(6, len(known))):
            assert revert(made, to).status_code == 200
            assert content(made) == known[to], to
            known[revision(made)] = known[to]
            for label in made.counts():
                for image in made.get_class(label).json()["images"]:
                    answer = http.get(f"{made.class_url(label)}/images/{image['id']}")
                    assert answer.status_code == 200


def test_what_is_not_known_cannot_come_back(http: httpx.Client) -> None:
    made = of_four(http, "not-known")
    problem(revert(made, 99), 409, "cannot-revert", "revision 2", "0 is the oldest")
    same = http.get(made.url).headers["etag"]
    assert revert(made, 2).status_code == 200
    assert http.get(made.url).headers["etag"] == same


def test_what_is_forgotten_frees_its_storage(spare: Server) -> None:
    with spare.client() as http:
        made = Classifier(http, "forgotten")
        made.put().raise_for_status()
        before = rows(spare, "images")
        made.post("ant", picture(901), picture(902)).raise_for_status()
        http.delete(made.class_url("ant")).raise_for_status()
        assert rows(spare, "images") == before + 2  # to be brought back
        assert http.delete(f"{made.url}/history").status_code == 204
        assert rows(spare, "images") == before
        problem(revert(made, 1), 409, "cannot-revert")
        made.post("ant", picture(903)).raise_for_status()
        http.delete(made.class_url("ant")).raise_for_status()
        http.delete(made.url).raise_for_status()
        assert rows(spare, "images") == before  # a classifier goes with all that it was
