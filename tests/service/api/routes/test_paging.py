"""Pages: whatever the order and the size, each item once; and what is filtered."""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, problem
from tests.service.pictures import picture
from tests.service.server import Server


@pytest.fixture(scope="module")
def listed(spare: Server) -> Iterator[httpx.Client]:
    """Five classifiers with different numbers of images, made in no order."""
    with spare.client() as http:
        for name, images in [("c", 2), ("a", 0), ("e", 1), ("b", 1), ("d", 3)]:
            made = Classifier(http, f"paged-{name}")
            made.put().raise_for_status()
            if images:
                made.post("ant", *map(picture, range(images))).raise_for_status()
        yield http
        for name in "abcde":
            http.delete(f"/v1/classifiers/paged-{name}")


def pages(
    http: httpx.Client, url: str, items: str, **parameters: str | int | bool
) -> list[list[Json]]:
    found: list[list[Json]] = []
    cursor: dict[str, str] = {}
    while True:
        answer = http.get(url, params={**parameters, **cursor})
        assert answer.status_code == 200, answer.text
        found.append(answer.json()[items])
        if (next_cursor := answer.json()["next_cursor"]) is None:
            return found
        cursor = {"cursor": next_cursor}


def names(found: list[list[Json]]) -> str:
    return " ".join("".join(one["name"][-1] for one in page) for page in found)


@pytest.mark.parametrize(
    ("order", "expected"),
    [("name", "abcde"), ("created", "caebd"), ("updated", "caebd"), ("images", "abecd")],
)
def test_every_order_tells_each_classifier_once(
    listed: httpx.Client, order: str, expected: str
) -> None:
    for limit in (1, 2, 5):
        asked: dict[str, str | int] = {"prefix": "paged-", "order": order, "limit": limit}
        found = names(pages(listed, "/v1/classifiers", "classifiers", **asked))
        assert found.replace(" ", "") == expected
        assert len(found.split()) == -(-5 // limit)
        down = names(pages(listed, "/v1/classifiers", "classifiers", **asked, descending=True))
        assert down.replace(" ", "") == expected[::-1]


def test_without_a_limit_there_is_one_page(listed: httpx.Client) -> None:
    assert names(pages(listed, "/v1/classifiers", "classifiers", prefix="paged-")) == "abcde"
    assert names(pages(listed, "/v1/classifiers", "classifiers", prefix="Paged-")) == ""
    able = pages(listed, "/v1/classifiers", "classifiers", prefix="paged-", problem=False, limit=2)
    assert names(able) == "ab cd e"
    unable = pages(listed, "/v1/classifiers", "classifiers", prefix="paged-", problem=True)
    assert names(unable) == ""


def test_a_page_goes_on_though_the_last_one_is_gone(listed: httpx.Client) -> None:
    first = listed.get("/v1/classifiers", params={"prefix": "paged-", "limit": 2}).json()
    listed.delete("/v1/classifiers/paged-b")
    following = {"prefix": "paged-", "limit": 2, "cursor": first["next_cursor"]}
    after = listed.get("/v1/classifiers", params=following).json()
    assert names([after["classifiers"]]) == "cd"
    listed.put("/v1/classifiers/paged-b")


def test_classes_and_images_have_pages(listed: httpx.Client) -> None:
    made = Classifier(listed, "paged-c")
    made.put(classes=["x", "y", "z"]).raise_for_status()
    classes = pages(listed, f"{made.url}/classes", "classes", limit=3)
    assert [[one["label"] for one in page] for page in classes] == [["ant", "x", "y"], ["z"]]
    images = pages(listed, made.class_url("ant"), "images", limit=1)
    assert [len(page) for page in images] == [1, 1]
    assert listed.get(made.class_url("ant"), params={"limit": 1}).json()["n_images"] == 2


def test_a_cursor_that_is_none_is_refused(listed: httpx.Client) -> None:
    for url in ("/v1/classifiers", "/v1/classifiers/paged-c/classes"):
        problem(listed.get(url, params={"cursor": "!"}), 422, "invalid-cursor", "first page")
    by_name = listed.get("/v1/classifiers", params={"limit": 1}).json()["next_cursor"]
    other = listed.get("/v1/classifiers", params={"order": "images", "cursor": by_name})
    problem(other, 422, "invalid-cursor")


@pytest.mark.parametrize(
    ("order", "place"),
    [
        ("images", [10**30, "a"]),
        ("images", [-1, "a"]),
        ("images", [1, "a/b"]),
        ("name", ["a", "\ud800"]),
        ("name", ["a", "\0"]),
        ("created", ["0001-01-01T00:00:00+14:00", "a"]),
        ("updated", ["", "a"]),
    ],
)
def test_a_cursor_that_somebody_has_made_up_is_refused(
    listed: httpx.Client, order: str, place: list[object]
) -> None:
    cursor = base64.urlsafe_b64encode(json.dumps([order, *place]).encode()).decode().rstrip("=")
    answer = listed.get("/v1/classifiers", params={"order": order, "cursor": cursor})
    problem(answer, 422, "invalid-cursor", "first page")
    for limit in (0, 1001):
        asked = listed.get("/v1/classifiers", params={"limit": limit})
        problem(asked, 422, "request-validation-failed", "limit")
