"""``GET .../suggest`` of a running service, and the same on the page."""

from __future__ import annotations

import io
from html import unescape

import httpx2 as httpx
import pytest
from PIL import Image

from tests.service.client import Classifier, Json, problem
from tests.service.pictures import encoded, patches, picture


def suggested(classifier: Classifier) -> Json:
    response = classifier.http.get(f"{classifier.url}/suggest")
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "application/json"
    document: Json = response.json()
    return document


def html(classifier: Classifier) -> str:
    return unescape(classifier.http.get(f"{classifier.url}/report.html").text)


@pytest.fixture
def textures(classifier: Classifier) -> Classifier:
    """Photographs of brick, grass and gravel, with one twice, and a class that has one image."""
    classifier.put(method="tip-adapter++")
    for texture in ("brick", "grass", "gravel"):
        classifier.post(texture, *patches(texture)[:8])
    again = encoded(Image.open(io.BytesIO(patches("gravel")[2])), "JPEG", quality=95)
    classifier.post("gravel", again)
    classifier.post("lone", picture(1))
    return classifier


def test_suggestions_are_those_of_the_report_and_the_page(textures: Classifier) -> None:
    document = suggested(textures)
    report = textures.http.get(f"{textures.url}/report").json()
    assert document == report["advice"]
    assert document["classifier"] == textures.name
    curve = document["curve"]
    assert curve["measured"][0]["accuracy"] == pytest.approx(report["accuracy"])
    assert curve["gain"]["low"] <= curve["gain"]["value"] <= curve["gain"]["high"]
    text = html(textures)
    assert f"<p>{document['text']}</p>" in text
    assert 'aria-label="Accuracy against images a class"' in text
    for one in document["classes"]:
        assert f"<td>{one['text']}</td>" in text
    lone = document["classes"][0]
    assert (lone["label"], lone["n_images"], lone["gain"]) == ("lone", 1, None)
    assert {one["label"] for one in document["classes"]} == set(textures.counts())


def test_images_that_can_go_can_be_deleted_where_it_says(textures: Classifier) -> None:
    document = suggested(textures)
    copies = [one for one in document["can_go"] if one["reason"] == "near copy"]
    assert copies[0]["similar"]["label"] == copies[0]["label"]
    for one in document["can_go"]:
        assert textures.http.delete(one["url"]).status_code == 204
    after = suggested(textures)
    assert len(document["can_go"]) > 0
    assert sum(one["n_images"] for one in after["classes"]) == 26 - len(document["can_go"])
    assert after["n_can_go"] < document["n_can_go"]


def test_suggestions_follow_every_change(textures: Classifier) -> None:
    before = suggested(textures)
    assert suggested(textures) == before
    textures.post("lone", *[picture(i) for i in range(2, 9)])
    after = suggested(textures)
    lone = next(one for one in after["classes"] if one["label"] == "lone")
    assert lone["n_images"] == 8
    assert lone["gain"] is not None
    textures.put(method="zero-shot")
    named = suggested(textures)
    assert named["verdict"] == "cannot tell"
    assert "names" in named["text"]


def test_silent_of_empty_classifiers_and_single_images(classifier: Classifier) -> None:
    classifier.put(classes=["ant", "bee"])
    empty = suggested(classifier)
    assert (empty["verdict"], empty["curve"], empty["can_go"]) == ("cannot tell", None, [])
    assert [one["n_images"] for one in empty["classes"]] == [0, 0]
    classifier.post("ant", picture(1))
    classifier.post("bee", picture(2))
    single = suggested(classifier)
    assert single["verdict"] == "cannot tell"
    assert "too few" in single["text"]
    assert f"<p>{single['text']}</p>" in html(classifier)


def test_unknown_classifier_is_a_404(http: httpx.Client) -> None:
    answer = http.get("/v1/classifiers/nobody/suggest")
    problem(answer, 404, "classifier-not-found", "nobody")
