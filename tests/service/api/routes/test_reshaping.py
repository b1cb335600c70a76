"""Copies, renames, merges and moves: what goes along, what stays, and what is refused whole."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, of_four, problem
from tests.service.pictures import picture
from tests.service.server import Server


@pytest.fixture(scope="module")
def http(spare: Server) -> httpx.Client:
    return spare.client()


def post(made: Classifier, where: str, body: Json) -> httpx.Response:
    return made.http.post(f"{made.url}/{where}", json=body)


def images(made: Classifier, label: str) -> dict[str, str]:
    """SHA-256 of the images of a class by their ids."""
    return {one["id"]: one["sha256"] for one in made.get_class(label).json()["images"]}


def answers(made: Classifier) -> list[Json]:
    return made.predictions(*map(picture, range(1, 6)), evidence=0)


def test_a_copy_answers_as_the_original_and_changes_for_itself(http: httpx.Client) -> None:
    made = of_four(http, "copied")
    http.put(f"{made.url}/annotations", json={"notes": "x", "metadata": {"team": "maps"}})
    answer = post(made, "copy", {"to": "copied-2"})
    assert answer.status_code == 201
    assert answer.headers["location"] == "/v1/classifiers/copied-2"
    copy = Classifier(http, "copied-2")
    assert answers(copy) == answers(made)
    assert list(images(copy, "ant").values()) == list(images(made, "ant").values())
    assert not images(copy, "ant").keys() & images(made, "ant").keys()
    assert copy.http.get(copy.url).json()["metadata"] == {"team": "maps"}
    [first, _] = images(copy, "ant")
    assert http.get(f"{copy.class_url('ant')}/images/{first}").content == picture(1)
    http.delete(made.url).raise_for_status()
    assert http.get(f"{copy.class_url('ant')}/images/{first}").content == picture(1)
    problem(post(copy, "copy", {"to": "copied-2"}), 409, "classifier-exists", "another name")
    problem(post(copy, "copy", {"to": "a b"}), 422, "invalid-name")
    problem(post(made, "copy", {"to": "copied-3"}), 404, "classifier-not-found")


def test_a_renamed_classifier_is_the_same_and_its_old_name_is_free(http: httpx.Client) -> None:
    made = of_four(http, "old-name")
    before, ids = answers(made), images(made, "ant")
    assert post(made, "rename", {"to": "new-name"}).json()["name"] == "new-name"
    problem(http.get(made.url), 404, "classifier-not-found")
    renamed = Classifier(http, "new-name")
    assert answers(renamed) == before
    assert images(renamed, "ant") == ids
    assert made.put().status_code == 201
    assert made.counts() == {}
    problem(post(renamed, "rename", {"to": "old-name"}), 409, "classifier-exists")
    assert post(renamed, "rename", {"to": "new-name"}).status_code == 200


def test_merging_takes_over_what_is_not_there(http: httpx.Client) -> None:
    one, other = of_four(http, "merging"), Classifier(http, "merged")
    other.put().raise_for_status()
    other.post("bee", picture(3), picture(6)).raise_for_status()
    other.post("cat", picture(7)).raise_for_status()
    assert post(one, "merge", {"from": "merged"}).json() == {"added": 2, "duplicates": 1}
    assert one.counts() == {"ant": 2, "bee": 3, "cat": 1}
    assert other.counts() == {"bee": 2, "cat": 1}
    assert post(one, "merge", {"from": "merged"}).json() == {"added": 0, "duplicates": 3}
    http.delete(other.url).raise_for_status()
    [last] = list(images(one, "cat"))
    assert http.get(f"{one.class_url('cat')}/images/{last}").content == picture(7)
    problem(post(one, "merge", {"from": "none"}), 404, "classifier-not-found")


def test_merging_embeds_anew_what_is_embedded_otherwise(http: httpx.Client) -> None:
    one, other = Classifier(http, "three-views"), of_four(http, "one-view")
    one.put(support_views=3).raise_for_status()
    assert post(one, "merge", {"from": "one-view"}).json() == {"added": 4, "duplicates": 0}
    again = Classifier(http, "three-views-again")
    again.put(support_views=3).raise_for_status()
    again.post("ant", picture(1), picture(2)).raise_for_status()
    again.post("bee", picture(3), picture(4)).raise_for_status()
    assert answers(one) == answers(again)
    assert other.counts() == {"ant": 2, "bee": 2}


def test_a_renamed_class_means_its_new_name(http: httpx.Client) -> None:
    made, other = Classifier(http, "class-renamed"), Classifier(http, "class-named")
    for one, labels in ((made, ["ant", "bee"]), (other, ["wasp", "bee"])):
        one.put(classes=labels).raise_for_status()
        one.post(labels[0], picture(1)).raise_for_status()
    ids = images(made, "ant")
    assert post(made, "classes/ant/rename", {"to": "wasp"}).status_code == 204
    assert list(made.counts()) == ["wasp", "bee"]
    assert images(made, "wasp") == ids
    assert answers(made) == answers(other)
    problem(post(made, "classes/wasp/rename", {"to": "bee"}), 409, "class-exists", "Merge")
    problem(post(made, "classes/ant/rename", {"to": "x"}), 404, "class-not-found")
    problem(post(made, "classes/bee/rename", {"to": "not-these"}), 422, "invalid-name", "Move")
    problem(post(made, "classes/bee/rename", {"to": ""}), 422, "invalid-name")


def test_merged_classes_are_one(http: httpx.Client) -> None:
    made = of_four(http, "classes-merged")
    made.post("cat", picture(1), picture(8)).raise_for_status()
    ids = set(images(made, "ant")) | set(images(made, "bee")) | set(list(images(made, "cat"))[1:])
    merged = post(made, "classes/ant/merge", {"from": ["bee", "cat"]})
    assert merged.json() == {"added": 3, "duplicates": 1}
    assert made.counts() == {"ant": 5}
    assert set(images(made, "ant")) == ids
    problem(post(made, "classes/ant/merge", {"from": ["none"]}), 404, "class-not-found")


def test_moved_images_keep_their_ids_and_notes(http: httpx.Client) -> None:
    made = of_four(http, "images-moved")
    one, two = images(made, "ant")
    notes = {"notes": "blurred", "metadata": {}}
    url = f"{made.class_url('ant')}/images/{one}/annotations"
    assert http.put(url, json=notes).status_code == 204
    moved = post(made, "images/move", {"images": [one, two, one], "to": "cat"})
    assert moved.json() == {"added": 2, "duplicates": 0}
    assert made.counts() == {"ant": 0, "bee": 2, "cat": 2}
    assert list(images(made, "cat")) == [one, two]
    assert http.get(f"{made.class_url('cat')}/images/{one}").content == picture(1)
    assert http.get(f"{made.class_url('cat')}/images/{one}/annotations").json() == notes
    assert post(made, "images/move", {"images": [one], "to": "cat"}).json()["added"] == 0
    negatives = post(made, "images/move", {"images": [one], "to": "not-these"})
    assert negatives.json() == {"added": 1, "duplicates": 0}
    assert {one["label"] for one in answers(made)} <= {"ant", "bee", "cat"}


def test_many_images_are_deleted_or_none(http: httpx.Client) -> None:
    made = of_four(http, "images-deleted")
    one, two = next(iter(images(made, "ant"))), [*images(made, "bee")][1]
    before = made.state()
    missing = "f" * 32
    for where, more in (("images/delete", {}), ("images/move", {"to": "cat"})):
        answer = post(made, where, {"images": [one, missing, two], **more})
        problem(answer, 404, "image-not-found", missing)
    assert made.state() == before
    assert post(made, "images/delete", {"images": [one, two]}).json() == {"deleted": 2}
    assert made.counts() == {"ant": 1, "bee": 1}
    problem(post(made, "images/delete", {"images": []}), 422, "request-validation-failed")


def test_notes_are_kept_found_and_part_of_the_state(http: httpx.Client) -> None:
    made = of_four(http, "noted")
    tag = http.get(made.url).headers["etag"]
    body = {"notes": "From May.", "metadata": {"team": "maps", "a.b-c_d": "é = ü"}}
    for where in ("annotations", "classes/ant/annotations"):
        url = f"{made.url}/{where}"
        assert http.get(url).json() == {"notes": "", "metadata": {}}
        assert http.put(url, json=body).status_code == 204
        assert http.get(url).json() == body
    stale = http.put(f"{made.url}/annotations", json={}, headers={"if-match": tag})
    problem(stale, 412, "precondition-failed")
    assert http.get(made.url).json()["notes"] == "From May."
    for asked, found in (
        (["team=maps"], True),
        (["team=maps", "a.b-c_d=é = ü"], True),
        (["team=map"], False),
        (["other=maps"], False),
    ):
        listed = http.get("/v1/classifiers", params={"metadata": asked, "prefix": "noted"}).json()[
            "classifiers"
        ]
        assert [one["name"] for one in listed] == (["noted"] if found else [])
    http.put(f"{made.url}/annotations", json={}).raise_for_status()
    assert http.get(made.url).json()["metadata"] == {}
    tuning = http.get(made.url).json()["tuning"]
    assert tuning["state"] == "current"
    for wrong in ({"metadata": {"a" * 65: "x"}}, {"metadata": {"a": 1}}, {"notes": "x" * 4001}):
        answer = http.put(f"{made.url}/annotations", json=wrong)
        problem(answer, 422, "request-validation-failed")
    for key in (r"\u0000", r"\ud800"):
        answer = http.put(
            f"{made.url}/annotations",
            content=f'{{"metadata": {{"{key}": "x"}}}}',
            headers={"content-type": "application/json"},
        )
        problem(answer, 422, "request-validation-failed")
