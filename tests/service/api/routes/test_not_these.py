"""Explicit negatives over HTTP: the class ``not-these``."""

from __future__ import annotations

import pytest

from service.api.routes.exchange import FILE_TYPE
from tests.service.client import Classifier, problem
from tests.service.pictures import patches

NOT_THESE = "not-these"
TOLD_APART = ("brick", "gravel")


def support(texture: str, n: int) -> list[bytes]:
    return patches(texture)[::2][:n]


def held_out(texture: str) -> list[bytes]:
    return patches(texture)[1::2]


@pytest.fixture
def two_textures(classifier: Classifier) -> Classifier:
    for texture in TOLD_APART:
        classifier.post(texture, *support(texture, 4)).raise_for_status()
    return classifier


def p_values(classifier: Classifier, texture: str) -> list[float]:
    return [answer["p_value"] for answer in classifier.predictions(*held_out(texture))]


def said(classifier: Classifier) -> list[tuple[object, ...]]:
    """What is answered to images of grass, but for rounding."""
    return [
        (
            one["label"],
            one["known"],
            round(one["p_value"], 2),
            round(one["probability"], 2),
            [(near["label"], round(near["similarity"], 2)) for near in one["evidence"]],
        )
        for one in classifier.predictions(*held_out("grass"))
    ]


def test_negatives_are_never_answered_and_make_their_like_less_familiar(
    two_textures: Classifier,
) -> None:
    before = p_values(two_textures, "grass")
    posted = two_textures.post(NOT_THESE, *support("grass", 5))
    assert posted.status_code == 201
    assert posted.json()["created"] == 5
    for texture in (*TOLD_APART, "grass"):
        for answer in two_textures.predictions(*held_out(texture), top_k=9):
            assert {ranked["label"] for ranked in answer["top_k"]} == set(TOLD_APART)
            assert answer["known"] == (answer["p_value"] > 0.05)
    after = p_values(two_textures, "grass")
    assert sum(after) <= sum(before) + 0.001  # grass is strange enough without them
    assert max(after) <= 0.05
    [answer] = two_textures.predictions(held_out("grass")[0], evidence=3)
    assert answer["evidence"][0]["label"] == NOT_THESE
    known = two_textures.predictions(*held_out("brick"), *held_out("gravel"))
    assert sum(answer["known"] for answer in known) >= 10  # of 16


def test_negatives_are_listed_and_deleted_as_images_of_a_class(two_textures: Classifier) -> None:
    plain = said(two_textures)
    ids = [one["id"] for one in two_textures.post(NOT_THESE, *support("grass", 2)).json()["images"]]
    listed = two_textures.http.get(f"{two_textures.url}/classes").json()["classes"]
    assert {one["label"]: one["n_images"] for one in listed} == {
        "brick": 4, "gravel": 4, NOT_THESE: 2,
    }  # fmt: skip
    url = two_textures.class_url(NOT_THESE)
    assert [one["id"] for one in two_textures.http.get(url).json()["images"]] == ids
    for image_id in ids:
        assert two_textures.http.delete(f"{url}/images/{image_id}").status_code == 204
    assert said(two_textures) == plain  # the last one is gone
    two_textures.post(NOT_THESE, *support("grass", 2)).raise_for_status()
    assert two_textures.http.delete(url).status_code == 204
    assert said(two_textures) == plain


def test_negatives_alone_give_nothing_to_answer_with(classifier: Classifier) -> None:
    classifier.post(NOT_THESE, *support("grass", 2)).raise_for_status()
    problem(classifier.predict(held_out("grass")[0]), 409, "no-classes", "has no classes yet")
    classifier.put(names_carry_meaning=False)
    problem(classifier.predict(held_out("grass")[0]), 409, "no-classes", "has no classes yet")
    classifier.post("brick", *support("brick", 2)).raise_for_status()
    [answer] = classifier.predictions(held_out("brick")[0])
    assert answer["label"] == "brick"


def test_one_image_a_class_is_compared_with_negatives(classifier: Classifier) -> None:
    for texture in TOLD_APART:
        classifier.post(texture, *support(texture, 1)).raise_for_status()
    classifier.post(NOT_THESE, *support("grass", 3)).raise_for_status()
    answers = classifier.predictions(*held_out("grass"))
    assert all(answer["p_value"] is None for answer in answers)
    assert sum(answer["known"] for answer in answers) <= 2  # of 8
    own = classifier.predictions(*(support(texture, 1)[0] for texture in TOLD_APART))
    assert all(answer["known"] for answer in own)


def test_folders_and_settings_take_negatives_along(classifier: Classifier) -> None:
    named = {
        f"{label}/{i}.png": image
        for label, texture in ((*((t, t) for t in TOLD_APART), (NOT_THESE, "grass")))
        for i, image in enumerate(support(texture, 4))
    }
    assert classifier.post_support(named).status_code == 201
    before = classifier.predictions(*held_out("grass"))
    assert {answer["label"] for answer in before} <= set(TOLD_APART)
    classifier.put(names_carry_meaning=False, method="tip-adapter++")
    for answer in classifier.predictions(*held_out("grass"), top_k=9):
        assert {ranked["label"] for ranked in answer["top_k"]} == set(TOLD_APART)


def test_a_report_counts_negatives_apart(two_textures: Classifier) -> None:
    two_textures.post(NOT_THESE, *support("grass", 3)).raise_for_status()
    report = two_textures.http.get(f"{two_textures.url}/report").json()
    assert (report["n_images"], report["n_negatives"], report["n_classes"]) == (8, 3, 2)
    assert report["confusion_matrix"]["labels"] == list(TOLD_APART)
    assert {one["label"] for one in report["suspects"]} <= set(TOLD_APART)
    page = two_textures.http.get(f"{two_textures.url}/report.html").text
    assert "3 images of what is to be unknown" in page


def test_negatives_are_exported_and_imported(two_textures: Classifier) -> None:
    two_textures.post(NOT_THESE, *support("grass", 3)).raise_for_status()
    expected = said(two_textures)
    file = two_textures.http.get(f"{two_textures.url}/export").content
    other = Classifier(two_textures.http, f"{two_textures.name}-again")
    kind = {"content-type": FILE_TYPE}
    imported = other.http.put(f"{other.url}/import", content=file, headers=kind)
    assert imported.status_code == 201, imported.text
    assert said(other) == expected
    assert other.http.delete(other.url).status_code == 204
