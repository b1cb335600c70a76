"""Requests that are wrong in what they say rather than in what they carry."""

from __future__ import annotations

import json

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, problem
from tests.service.pictures import picture

JSON = {"content-type": "application/json"}

INVALID: dict[str, tuple[bytes, list[str]]] = {
    "no json": (b'{"method":', []),
    "not utf-8": (b"\xff\xfe{}", []),
    "a list": (b"[]", []),
    "a word": (b'"tip-adapter"', []),
    "unknown field": (b'{"methods": "zero-shot"}', ["methods"]),
    "unknown method": (b'{"method": "tip-adaptor"}', ["tip-adapter++", "method"]),
    "method of another type": (b'{"method": 3}', ["method"]),
    "template without a place": (b'{"templates": ["a photo"]}', ["templates"]),
    "template too long": (json.dumps({"templates": ["{}" + "x" * 500]}).encode(), ["templates"]),
    "too many templates": (json.dumps({"templates": ["{}"] * 101}).encode(), ["templates"]),
    "template of too many places": (json.dumps({"templates": ["{}" * 6]}).encode(), ["places"]),
    "too many fields": (json.dumps({str(i): i for i in range(9000)}).encode(), ["9000 fields"]),
    "too many classes": (json.dumps({"classes": ["a"] * 10_001}).encode(), ["classes"]),
    "ten thousand numbers": (json.dumps({"classes": [1] * 10_000}).encode(), ["classes", "0"]),
    "a label that is slow to sort": (
        json.dumps(
            {"classes": ["\u0345" * 200_000 + "\u0334" * 200_000]}, ensure_ascii=False
        ).encode(),
        ["400000"],
    ),
    "more values than are parsed": (b'{"classes": [' + b"[]," * 50_000 + b"1]}", ["100000"]),
    "templates of another type": (b'{"templates": "a photo of {}"}', ["templates"]),
    "meaning of another type": (b'{"names_carry_meaning": "perhaps"}', ["names_carry_meaning"]),
    "no number": (b'{"method": NaN}', ["method"]),
    "half a character as value": (b'{"method": "\\ud800"}', ["method"]),
    "half a character as field": (b'{"\\ud800": 1}', []),
    "half a character in a template": (b'{"templates": ["\\ud800"]}', ["templates"]),
    "nested without end": (b"[" * 100_000, []),
}


@pytest.mark.parametrize("case", INVALID)
def test_settings_that_make_no_sense_are_refused(classifier: Classifier, case: str) -> None:
    body, told = INVALID[case]
    classifier.put(method="tip-adapter", classes=["ant"])
    before = classifier.state()
    answer = classifier.http.put(classifier.url, content=body, headers=JSON)
    assert answer.status_code in {400, 413, 422}, answer.text
    document = problem(answer, answer.status_code, answer.json()["type"])
    for words in told:
        assert words in json.dumps(document)
    assert classifier.state() == before
    fresh = classifier.http.put("/v1/classifiers/never", content=body, headers=JSON)
    assert fresh.status_code == answer.status_code
    problem(classifier.http.get("/v1/classifiers/never"), 404, "classifier-not-found")


def test_zero_shot_needs_names_that_carry_meaning(classifier: Classifier) -> None:
    classifier.put(classes=["ant"])
    before = classifier.state()
    answer = classifier.put(method="zero-shot", names_carry_meaning=False)
    problem(answer, 422, "invalid-settings", "names_carry_meaning")
    assert classifier.state() == before


def test_settings_with_one_bad_class_declare_none(classifier: Classifier) -> None:
    before = classifier.state()
    answer = classifier.put(method="zero-shot", classes=["ant", "a/b", "cat"])
    problem(answer, 422, "invalid-name", "'a/b'")
    assert classifier.state() == before
    classifier.http.put("/v1/classifiers/never", json={"classes": ["ant", ".."]})
    problem(classifier.http.get("/v1/classifiers/never"), 404, "classifier-not-found")


def test_missing_classifier_class_or_image_is_404_with_its_name(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    get = classifier.http.get
    problem(get("/v1/classifiers/nobody"), 404, "classifier-not-found", "'nobody'", "PUT")
    problem(classifier.get_class("cat"), 404, "class-not-found", "'cat'", classifier.name)
    image = f"{classifier.class_url('ant')}/images/feed"
    problem(get(image), 404, "image-not-found", "'feed'", "'ant'", "GET ")
    image = f"{classifier.class_url('cat')}/images/feed"
    problem(get(image), 404, "class-not-found", "'cat'")


@pytest.mark.parametrize(
    "path", ["/v1", "/v1/classifier", "/v2/classifiers", "/v1/classifiers/a/x"]
)
def test_an_unknown_address_is_a_problem_document(http: httpx.Client, path: str) -> None:
    problem(http.get(path), 404, "http-not-found")


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("POST", "/v1/classifiers", "GET"),
        ("POST", "/v1/classifiers/a", "PUT"),
        ("PATCH", "/v1/classifiers/a", "PUT"),
        ("GET", "/v1/classifiers/a/predict", "POST"),
        ("PUT", "/v1/classifiers/a/support", "POST"),
        ("DELETE", "/healthz", "GET"),
    ],
)
def test_a_wrong_method_is_a_problem_document(
    http: httpx.Client, method: str, path: str, allowed: str
) -> None:
    answer = http.request(method, path)
    problem(answer, 405, "http-method-not-allowed")
    assert "allow" in answer.headers


@pytest.mark.parametrize(
    "query", ["top_k=many", "top_k=", "evidence=1.5", "top_k=99999999999999999999"]
)
def test_a_parameter_that_is_no_number_is_refused(classifier: Classifier, query: str) -> None:
    answer = classifier.http.post(f"{classifier.url}/predict?{query}", content=picture(1))
    document = problem(answer, 422, "request-validation-failed")
    assert query.partition("=")[0] in json.dumps(document)


def test_an_answer_does_not_list_every_error(classifier: Classifier) -> None:
    answer = classifier.put(**{f"field{i}": i for i in range(90)})
    document = problem(answer, 422, "request-validation-failed", "field0", "and 85 more")
    assert len(document["errors"]) == 20


@pytest.mark.parametrize("what", ["move", "delete"])
def test_an_id_that_no_answer_can_repeat_is_unknown(classifier: Classifier, what: str) -> None:
    assert classifier.post("ant", picture(1)).status_code == 201
    to = {"to": "bee"} if what == "move" else {}
    answer = classifier.http.post(
        f"{classifier.url}/images/{what}",
        content=json.dumps({"images": ["a\ud800b"]} | to),
        headers={"content-type": "application/json"},
    )
    problem(answer, 404, "image-not-found", "no image a?b")
