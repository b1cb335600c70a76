"""Images of the confusion matrix's cells: those that the report counts, from its leave-one-out."""

from __future__ import annotations

from collections import Counter

import pytest

from service.reports.classification_report import MAX_MATRIX
from tests.service.client import Classifier, Json, problem
from tests.service.pictures import patches, picture


def cell(classifier: Classifier, label: str, named: str, **page: str | int) -> Json:
    response = classifier.http.get(
        f"{classifier.url}/report/confused", params={"label": label, "named": named, **page}
    )
    assert response.status_code == 200, response.text
    document: Json = response.json()
    return document


def report(classifier: Classifier) -> Json:
    document: Json = classifier.http.get(f"{classifier.url}/report").json()
    return document


@pytest.fixture
def confused(classifier: Classifier) -> Classifier:
    """Two classes that look alike, with some of each in the other, and a class of one image."""
    classifier.put(method="tip-adapter++", names_carry_meaning=False)
    classifier.post("ant", *(picture(i) for i in range(10)))
    classifier.post("bee", *(picture(i) for i in range(10, 20)))
    classifier.post("cow", picture(20))
    return classifier


def test_every_cell_has_the_images_that_the_matrix_counts(confused: Classifier) -> None:
    made = report(confused)
    matrix = made["confusion_matrix"]
    images: Counter[str] = Counter()
    for label, row in zip(matrix["labels"], matrix["rows"], strict=True):
        registered = {one["id"] for one in confused.get_class(label).json()["images"]}
        for named, count in zip(matrix["labels"], row, strict=True):
            found = cell(confused, label, named)
            assert found["of"] == len(found["images"]) == count
            assert found["next_cursor"] is None
            likely = [one["probability"] for one in found["images"]]
            assert likely == sorted(likely, reverse=True)
            for one in found["images"]:
                assert (one["label"], one["named"]) == (label, named)
                assert one["image_id"] in registered
                assert (one["own_probability"] == one["probability"]) == (label == named)
                assert confused.http.get(one["url"]).status_code == 200
                images[one["image_id"]] += 1
    assert matrix["rows"][0][1] > 0, "nothing is confused here"
    assert set(images.values()) == {1}
    assert len(images) == made["examined"]["votes"]


def test_suspect_is_the_same_in_its_cell(classifier: Classifier) -> None:
    classifier.put(method="tip-adapter++")
    classifier.post("brick", *patches("brick")[:7], patches("grass")[10])
    classifier.post("grass", *patches("grass")[:8])
    suspects = report(classifier)["suspects"]
    assert suspects
    for suspect in suspects:
        images = cell(classifier, suspect["label"], suspect["named"])["images"]
        [same] = [one for one in images if one["image_id"] == suspect["image_id"]]
        for part in ("filename", "media_type", "url", "probability", "own_probability"):
            assert same[part] == pytest.approx(suspect[part]), part


def test_pages_hold_each_image_once(confused: Classifier) -> None:
    every = cell(confused, "bee", "bee")
    paged: list[Json] = []
    page: dict[str, str | int] = {"limit": 3}
    while True:
        found = cell(confused, "bee", "bee", **page)
        assert len(found["images"]) <= 3
        assert found["of"] == every["of"]
        paged += found["images"]
        if found["next_cursor"] is None:
            break
        page["cursor"] = found["next_cursor"]
    assert paged == every["images"]
    assert len(paged) > 3


@pytest.mark.long
def test_images_of_more_classes_than_a_matrix_has(classifier: Classifier) -> None:
    classifier.put(method="tip-adapter++", names_carry_meaning=False)
    n = MAX_MATRIX + 1
    images = {f"{i // 2}/{i}.png": picture(i) for i in range(2 * n)}
    classifier.post_support(images).raise_for_status()
    made = report(classifier)
    assert made["confusion_matrix"] is None
    assert made["confusions"]
    for one in made["confusions"]:
        assert cell(classifier, one["label"], one["named"])["of"] == one["count"]
    for one in made["classes"]:
        right = cell(classifier, one["label"], one["label"])["of"]
        assert right == pytest.approx(one["accuracy"] * one["n_votes"])


def test_cell_is_of_the_present_state(confused: Classifier) -> None:
    before = cell(confused, "ant", "bee")["images"]
    moved = before[0]["image_id"]
    confused.http.post(
        f"{confused.url}/images/move", json={"images": [moved], "to": "bee"}
    ).raise_for_status()
    assert moved not in [one["image_id"] for one in cell(confused, "ant", "bee")["images"]]
    assert moved in [one["image_id"] for one in cell(confused, "bee", "bee")["images"]]


def test_what_is_not_there_is_said(confused: Classifier) -> None:
    url = f"{confused.url}/report/confused"

    def asked(**parameters: str) -> None:
        problem(confused.http.get(url, params=parameters), 404, "class-not-found", "moss")

    asked(label="moss", named="ant")
    asked(label="ant", named="moss")
    both = {"label": "ant", "named": "ant"}
    problem(confused.http.get(url, params={**both, "named": "a/b"}), 422, "invalid-name")
    problem(confused.http.get(url, params={"label": "ant"}), 422, "request-validation-failed")
    problem(confused.http.get(url, params={**both, "cursor": "x"}), 422, "invalid-cursor")
    nobody = Classifier(confused.http, "nobody")
    answer = nobody.http.get(f"{nobody.url}/report/confused", params=both)
    problem(answer, 404, "classifier-not-found")


def test_a_class_without_votes_has_empty_cells(confused: Classifier) -> None:
    assert cell(confused, "cow", "cow")["images"] == []
