"""The life of a classifier: create, look at, change, delete."""

from __future__ import annotations

import httpx2 as httpx

from tests.service.client import Classifier, problem
from tests.service.pictures import picture


def test_put_creates_and_a_second_put_changes(http: httpx.Client) -> None:
    created = http.put("/v1/classifiers/twice")
    again = http.put("/v1/classifiers/twice")
    assert (created.status_code, again.status_code) == (201, 200)
    assert created.json() == again.json()


def test_a_new_classifier_has_the_documented_defaults(http: httpx.Client) -> None:
    made = http.put("/v1/classifiers/plain", json={}).json()
    assert made["name"] == "plain"
    assert made["method"] == "auto"
    assert made["templates"] == []
    assert made["names_carry_meaning"] is True
    assert made["false_rejection_rate"] == 0.05
    assert made["coverage"] is None
    assert made["backbone"] == "lite"
    assert (made["n_classes"], made["n_images"]) == (0, 0)
    assert made["tuning"]["votes"] == 0
    assert made["tuning"]["accuracy"] is None


def test_put_replaces_settings_that_are_left_out_by_their_default(classifier: Classifier) -> None:
    classifier.put(method="tip-adapter", templates=["art of {}"], names_carry_meaning=False)
    classifier.put(method="zero-shot")
    now = classifier.http.get(classifier.url).json()
    assert now["method"] == "zero-shot"
    assert now["templates"] == []
    assert now["names_carry_meaning"] is True


def test_put_declares_classes_in_their_order_and_once(classifier: Classifier) -> None:
    changed = classifier.put(classes=["zebra", "ant", "zebra"])
    assert changed.json()["n_classes"] == 2
    assert list(classifier.counts().items()) == [("zebra", 0), ("ant", 0)]


def test_put_keeps_the_classes_and_images_that_exist(classifier: Classifier) -> None:
    classifier.post("ant", picture(1), picture(2))
    classifier.put(method="tip-adapter", classes=["bee"])
    assert classifier.counts() == {"ant": 2, "bee": 0}


def test_put_of_the_same_settings_changes_nothing(classifier: Classifier) -> None:
    classifier.put(method="tip-adapter", classes=["ant"])
    before = classifier.state()
    assert classifier.put(method="tip-adapter", classes=["ant"]).status_code == 200
    assert classifier.state() == before


def test_get_counts_classes_and_images(classifier: Classifier) -> None:
    classifier.post("ant", picture(1), picture(2), picture(3))
    classifier.put(classes=["bee"])
    looked_at = classifier.http.get(classifier.url).json()
    assert (looked_at["n_classes"], looked_at["n_images"]) == (2, 3)


def test_leave_one_out_is_done_when_support_changes(classifier: Classifier) -> None:
    classifier.post("ant", picture(1), picture(2))
    after_one = classifier.http.get(classifier.url).json()["tuning"]
    assert after_one["votes"] == 2
    classifier.post("bee", picture(3), picture(4))
    after_two = classifier.http.get(classifier.url).json()["tuning"]
    assert after_two["votes"] == 4
    assert 0 <= after_two["accuracy"] <= 1
    assert after_two["head"] == "auto"
    assert after_two["parameters"]["names"] > 0


def test_updated_at_moves_with_a_change_and_created_at_does_not(classifier: Classifier) -> None:
    before = classifier.http.get(classifier.url).json()
    classifier.post("ant", picture(1))
    after = classifier.http.get(classifier.url).json()
    assert after["created_at"] == before["created_at"]
    assert after["updated_at"] > before["updated_at"]


def test_list_shows_all_classifiers_by_name(http: httpx.Client) -> None:
    for name in ("list-b", "list-a", "list-c"):
        http.put(f"/v1/classifiers/{name}")
    listed = http.get("/v1/classifiers").json()["classifiers"]
    names = [one["name"] for one in listed]
    assert names == sorted(names)
    assert {"list-a", "list-b", "list-c"} <= set(names)
    [one] = [one for one in listed if one["name"] == "list-b"]
    assert one == http.get("/v1/classifiers/list-b").json()


def test_delete_removes_the_classifier_with_its_classes(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    assert classifier.http.delete(classifier.url).status_code == 204
    problem(classifier.http.get(classifier.url), 404, "classifier-not-found", classifier.name)
    problem(classifier.predict(picture(1)), 404, "classifier-not-found", classifier.name)
    problem(classifier.get_class("ant"), 404, "classifier-not-found", classifier.name)
    listed = classifier.http.get("/v1/classifiers").json()["classifiers"]
    assert classifier.name not in [one["name"] for one in listed]


def test_a_deleted_classifier_can_be_made_anew_and_is_empty(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    classifier.http.delete(classifier.url)
    assert classifier.put().status_code == 201
    assert classifier.counts() == {}


def test_deleting_a_classifier_leaves_the_images_that_another_shares(
    classifier: Classifier, other: Classifier
) -> None:
    shared = picture(77)
    classifier.post("ant", shared)
    [kept] = other.post("bee", shared).json()["images"]
    classifier.http.delete(classifier.url)
    assert other.http.get(f"{other.class_url('bee')}/images/{kept['id']}").content == shared
    assert other.predictions(shared)[0]["label"] == "bee"


def test_classifiers_do_not_know_each_others_classes(
    classifier: Classifier, other: Classifier
) -> None:
    classifier.post("ant", picture(1))
    other.post("bee", picture(2))
    assert classifier.counts() == {"ant": 1}
    assert other.counts() == {"bee": 1}


def test_a_tuning_tells_how_it_stands(classifier: Classifier) -> None:
    made = classifier.http.get(classifier.url).json()
    assert made["tuning"]["state"] == "current"
    assert made["tuning"]["images_behind"] == 0
    assert made["tuning"]["since"] == made["updated_at"]
    classifier.post("ant", picture(1), picture(2))
    after = classifier.http.get(classifier.url).json()["tuning"]
    assert (after["state"], after["images_behind"]) == ("current", 0)
    assert after["since"] > made["tuning"]["since"]
