"""Several labels an image, over HTTP: registered, answered, reported, judged, brought back."""

from __future__ import annotations

import json
import time

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, files, of_four, problem
from tests.service.exchange.files import unpacked, with_json
from tests.service.exchange.test_round_trip import export, put_file
from tests.service.pictures import picture, zipped

ALL_LABELS = ["ant", "bee", "cat"]


def ids(made: Classifier, label: str) -> dict[str, str]:
    """Ids of the images of a class by their SHA-256."""
    return {one["sha256"]: one["id"] for one in made.get_class(label).json()["images"]}


def in_all(made: Classifier, labels: list[str], *images: bytes, **more: object) -> httpx.Response:
    parameters = {"labels": labels, **more}
    return made.http.post(f"{made.url}/support", files=files(*images), params=parameters)  # type: ignore[arg-type]


def labelled(made: Classifier) -> Classifier:
    """Two images of two labels each, two of one, and one of none."""
    made.put(multi_label=True).raise_for_status()
    in_all(made, ["ant", "bee"], picture(1), picture(2)).raise_for_status()
    in_all(made, ["bee", "cat"], picture(3)).raise_for_status()
    made.post("cat", picture(4)).raise_for_status()
    made.post("ant", picture(5)).raise_for_status()
    made.post("not-these", picture(6)).raise_for_status()
    return made


def test_an_answer_has_the_labels_at_their_thresholds(classifier: Classifier) -> None:
    made = labelled(classifier)
    assert made.http.get(made.url).json()["multi_label"] is True
    for answer in made.predictions(picture(1), picture(40), top_k=5, evidence=2):
        ranked = answer["top_k"]
        assert [one["label"] for one in ranked] == sorted(
            ALL_LABELS,
            key=lambda label: -next(o["probability"] for o in ranked if o["label"] == label),
        )
        given = [one["label"] for one in ranked if one["probability"] >= one["threshold"]]
        assert answer["labels"] == given
        assert answer["known"] == bool(given)
        assert (answer["p_value"], answer["prediction_set"]) == (None, None)
        assert answer["label"] == ranked[0]["label"]
    # One candidate asked for: all labels are told nevertheless.
    few, all_of_them = (made.predictions(picture(1), top_k=k)[0] for k in (1, 5))
    assert few["labels"] == all_of_them["labels"]
    assert len(few["top_k"]) == 1


def test_an_answer_of_one_label_has_no_member_more(classifier: Classifier) -> None:
    of_four(classifier.http, classifier.name)
    [answer] = classifier.predictions(picture(9))
    assert list(answer) == [
        "label", "probability", "known", "p_value", "prediction_set", "top_k", "evidence",
    ]  # fmt: skip
    assert {*answer["top_k"][0]} == {"label", "probability", "zero_shot", "cache"}
    refused = in_all(classifier, ["ant", "bee"], picture(9))
    problem(refused, 409, "single-labels", "multi_label")
    problem(classifier.http.get(f"{classifier.url}/report/labels"), 409, "single-labels", "report")


def test_labels_are_gained_and_lost_one_by_one(classifier: Classifier) -> None:
    made = labelled(classifier)
    assert made.counts() == {"ant": 3, "bee": 3, "cat": 2, "not-these": 1}
    told = made.post("cat", picture(1)).json()
    assert (told["created"], told["duplicates"]) == (1, 0)  # it gains a label
    shown = set(ids(made, "ant")) & set(ids(made, "bee")) & set(ids(made, "cat"))
    assert len(shown) == 1
    [sha256] = shown
    made.http.delete(
        f"{made.class_url('bee')}/images/{ids(made, 'bee')[sha256]}"
    ).raise_for_status()
    assert sha256 not in ids(made, "bee")
    assert sha256 in ids(made, "ant").keys() & ids(made, "cat").keys()
    made.http.delete(made.class_url("cat")).raise_for_status()
    assert made.counts() == {"ant": 3, "bee": 2, "not-these": 1}
    # The image of both is still there; the one of cat alone is gone, until the class is back.
    report = made.http.get(f"{made.url}/report/labels").json()
    assert (report["n_images"], report["n_negatives"]) == (4, 1)
    revision = made.http.get(f"{made.url}/history").json()["changes"][1]["revision"]
    made.http.post(f"{made.url}/revert", params={"to": revision}).raise_for_status()
    assert made.counts()["cat"] == 3
    assert sha256 in ids(made, "cat")


def test_a_zip_tells_labels_by_its_folders(classifier: Classifier) -> None:
    classifier.put(multi_label=True).raise_for_status()
    both = picture(1)
    archive = zipped({"ant/a.png": both, "bee/a.png": both, "bee/b.png": picture(2)})
    told = classifier.post_zip(archive).raise_for_status().json()
    assert told["created"] == 3
    assert len(ids(classifier, "ant").keys() & ids(classifier, "bee").keys()) == 1
    again = in_all(classifier, ["bee", "ant"], both, predict=True).json()
    assert [one["status"] for one in again["images"]] == ["duplicate", "duplicate"]
    assert "labels" in again["images"][0]["after"]


def test_the_report_is_of_labels(classifier: Classifier) -> None:
    made = labelled(classifier)
    report = made.http.get(f"{made.url}/report/labels").raise_for_status().json()
    assert report["n_images"] == 5
    assert report["labels_an_image"] == pytest.approx(8 / 5)
    assert report["examined"] == 6
    assert [one["label"] for one in report["classes"]] == ALL_LABELS
    for one in report["classes"]:
        assert 0 < one["threshold"] < 1
        assert 0 <= one["recall"] <= 1
        assert 0 < one["average_precision"] <= 1
    for path in ("report", "report.html", "report.png", "report.svg", "suggest"):
        problem(made.http.get(f"{made.url}/{path}"), 409, "several-labels", "report/labels")
    cell = {"label": "ant", "named": "bee"}
    problem(
        made.http.get(f"{made.url}/report/confused", params=cell), 409, "several-labels", "labels"
    )
    embedded = made.http.get(f"{made.url}/map").raise_for_status().json()
    assert embedded["of"] == 9  # a point for each label of an image


def test_settings_are_refused_that_have_no_meaning(classifier: Classifier) -> None:
    problem(classifier.put(multi_label=True, method="krr"), 422, "invalid-settings", "method")
    problem(classifier.put(multi_label=True, coverage=0.9), 422, "invalid-settings", "coverage")
    made = labelled(classifier)
    state = made.state()
    problem(made.put(multi_label=False), 422, "invalid-settings", "3 images", "several classes")
    assert made.state() == state


@pytest.mark.parametrize(
    ("other", "told"), [({"method": "krr"}, "method"), ({"coverage": 0.9}, "coverage")]
)
def test_a_file_with_settings_that_have_no_meaning_is_refused(
    classifier: Classifier, other: Json, told: str
) -> None:
    file = export(labelled(classifier))
    stored = json.loads(unpacked(file)["classifier.json"])["settings"]
    changed = with_json(file, "classifier.json", 0, settings={**stored, **other})
    moved = Classifier(classifier.http, f"{classifier.name}-file")
    refused = put_file(moved.http, moved.name, changed)
    problem(refused, 422, "invalid-settings", told, "multi_label")
    assert moved.http.get(moved.url).status_code == 404


def test_images_of_none_of_the_classes_have_no_label_beside(classifier: Classifier) -> None:
    made = labelled(classifier)
    state = made.state()
    for given in (["not-these", "ant"], ["ant", "not-these", "ant"]):
        problem(in_all(made, given, picture(9)), 422, "invalid-name", "stands alone")
    assert made.state() == state
    in_all(made, ["not-these", "not-these"], picture(9)).raise_for_status()
    assert made.counts()["not-these"] == 2


def test_a_verdict_may_have_several_labels(classifier: Classifier) -> None:
    made = labelled(classifier)
    made.put(multi_label=True, remember="all").raise_for_status()
    [answer] = made.predictions(picture(50))
    until = time.monotonic() + 30
    items: list[Json] = []
    while not items and time.monotonic() < until:
        items = made.http.get(f"{made.url}/inbox").json()["items"]
    [item] = items
    assert item["labels"] == answer["labels"]
    for label, other in (("not-these", "ant"), ("ant", "not-these")):
        both = {"action": "correct", "label": label, "also": [other]}
        refused = made.http.post(f"{made.url}/inbox/{item['id']}", json=both)
        problem(refused, 422, "invalid-name", "stands alone")
    asked = {"action": "correct", "label": "ant", "also": ["cat"]}
    done = made.http.post(f"{made.url}/inbox/{item['id']}", json=asked).raise_for_status().json()
    assert done["right"] == (set(answer["labels"]) == {"ant", "cat"})
    assert done["image"]["label"] == "ant"
    assert len(ids(made, "ant").keys() & ids(made, "cat").keys()) == 1
    problem(made.http.post(f"{made.url}/inbox/{item['id']}", json=asked), 404, "not-in-the-inbox")


def test_it_moves_as_a_file_and_as_a_copy(classifier: Classifier) -> None:
    made = labelled(classifier)
    asked = picture(60)
    [before] = made.predictions(asked, top_k=5)
    copied = Classifier(made.http, f"{made.name}-copy")
    made.http.post(f"{made.url}/copy", json={"to": copied.name}).raise_for_status()
    moved = Classifier(made.http, f"{made.name}-file")
    put_file(made.http, moved.name, export(made)).raise_for_status()
    for other in (copied, moved):
        assert other.counts() == made.counts()
        [after] = other.predictions(asked, top_k=5)
        assert after["labels"] == before["labels"]
        for one, own in zip(after["top_k"], before["top_k"], strict=True):
            assert one["probability"] == pytest.approx(own["probability"], abs=1e-4)
