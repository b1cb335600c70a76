"""Similar support images: nearest first, page by page, of a picture or of a text."""

from __future__ import annotations

import base64
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest

from tests.service.client import Classifier, Json, files, problem
from tests.service.pictures import picture


@pytest.fixture(scope="module")
def twelve(http: httpx.Client) -> Classifier:
    made = Classifier(http, "similar-twelve")
    made.put().raise_for_status()
    for label, first in (("ant", 1), ("bee", 5), ("not-these", 9)):
        made.post(label, *map(picture, range(first, first + 4))).raise_for_status()
    made.post("bee", picture(1)).raise_for_status()  # one image in two classes: a tie
    return made


def similar(classifier: Classifier, body: Json, **parameters: Any) -> Json:
    answer = classifier.http.post(f"{classifier.url}/similar", json=body, params=parameters)
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def data(seed: int) -> Json:
    return {"images": [{"data": base64.b64encode(picture(seed)).decode()}]}


def test_the_nearest_come_first_as_evidence_has_them(twelve: Classifier) -> None:
    found = similar(twelve, data(30), limit=13)
    assert (found["classifier"], found["compared_by"]) == (twelve.name, "corrected")
    assert (found["total"], found["next_cursor"], len(found["images"])) == (13, None, 13)
    [prediction] = twelve.predictions(picture(30), evidence=5)
    for one, evidence in zip(found["images"], prediction["evidence"], strict=False):
        assert one["similarity"] == pytest.approx(evidence["similarity"], abs=1e-5)
    labels = [one["label"] for one in found["images"]]
    assert {label: labels.count(label) for label in labels} == {"ant": 4, "bee": 5, "not-these": 4}
    itself = similar(twelve, data(1), limit=2)["images"]
    assert {(one["label"], one["similarity"]) for one in itself} == {("ant", 1.0), ("bee", 1.0)}
    assert itself == sorted(itself, key=lambda one: one["image_id"])


def test_pages_follow_each_other(twelve: Classifier) -> None:
    whole = similar(twelve, data(31), limit=1000)["images"]
    embedding = twelve.http.post("/v1/embeddings", json=data(31)).json()
    body = {
        "images": [
            {"embedding": embedding["embeddings"][0], "fingerprint": embedding["fingerprint"]}
        ]
    }
    found, parameters = [], {"limit": 5}
    while True:
        page = similar(twelve, body, **parameters)
        found += page["images"]
        if page["next_cursor"] is None:
            break
        parameters["cursor"] = page["next_cursor"]
    assert found == whole
    past = similar(twelve, body, cursor="-1000000." + "f" * 32)
    assert (past["images"], past["next_cursor"], past["total"]) == ([], None, 13)


def test_one_image_in_any_form_is_looked_for(twelve: Classifier) -> None:
    http, url = twelve.http, f"{twelve.url}/similar"
    by_json = similar(twelve, data(32))["images"]
    bare = http.post(url, content=picture(32), headers={"content-type": "image/png"}).json()
    form = http.post(url, files=files(picture(32))).json()
    assert bare["images"] == form["images"] == by_json
    [first] = similar(twelve, data(2), limit=1)["images"]
    by_id = similar(twelve, {"images": [{"image_id": first["image_id"]}]}, limit=1)
    assert by_id["images"] == [first]


def test_a_text_finds_what_it_says(twelve: Classifier) -> None:
    found = similar(twelve, {"text": "a forest", "templates": ["a photo of {}"]}, limit=13)
    assert found["compared_by"] == "frozen"
    body = {"texts": ["a forest"], "templates": ["a photo of {}"]}
    [text] = twelve.http.post("/v1/embeddings", json=body).json()["embeddings"]
    items = [{"image_id": one["image_id"], "classifier": twelve.name} for one in found["images"]]
    images = twelve.http.post("/v1/embeddings", json={"images": items}).json()["embeddings"]
    cosines = [float(np.dot(one["frozen"], text["frozen"])) for one in images]
    assert [one["similarity"] for one in found["images"]] == pytest.approx(cosines, abs=1e-5)
    assert cosines == sorted(cosines, reverse=True) or np.allclose(
        cosines, sorted(cosines, reverse=True), atol=1e-5
    )


def test_nothing_is_similar_where_nothing_is(classifier: Classifier) -> None:
    found = similar(classifier, data(1))
    assert (found["images"], found["total"], found["next_cursor"]) == ([], 0, None)


REFUSED: dict[str, tuple[Json, str]] = {
    "nothing": ({}, "exactly one of images and text"),
    "both": ({"text": "a", **data(1)}, "exactly one of images and text"),
    "two images": ({"images": data(1)["images"] * 2}, "images"),
    "no text": ({"text": ""}, "text is empty"),
    "templates": ({"text": "a", "templates": ["b"]}, "templates[0]"),
    "templates of an image": ({**data(1), "templates": ["{}"]}, "templates"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_looked_for_is_refused(twelve: Classifier, case: str) -> None:
    body, told = REFUSED[case]
    answer = twelve.http.post(f"{twelve.url}/similar", json=body)
    problem(answer, 422, "request-validation-failed", told)


def test_parameters_are_checked(twelve: Classifier) -> None:
    url = f"{twelve.url}/similar"
    for query in ("limit=0", "limit=1001", "cursor=1", "cursor=99999999." + "0" * 32, "cursor="):
        answer = twelve.http.post(f"{url}?{query}", json=data(1))
        problem(answer, 422, "request-validation-failed", query.partition("=")[0])
    several = twelve.http.post(url, files=files(picture(1), picture(2)))
    problem(several, 422, "invalid-upload", "2 images")
    problem(
        twelve.http.post("/v1/classifiers/nobody/similar", json=data(1)),
        404,
        "classifier-not-found",
    )
