"""What a classifier says of images of none of its classes, and its prediction sets."""

from __future__ import annotations

import pytest

from tests.service.client import Classifier, probabilities, problem
from tests.service.pictures import TEXTURES, patches, picture


@pytest.fixture
def two_textures(classifier: Classifier) -> Classifier:
    """Eight patches each of brick and gravel; grass is unknown to it."""
    named = {
        f"{texture}/{i}.png": patch
        for texture in ("brick", "gravel")
        for i, patch in enumerate(patches(texture)[::2])
    }
    assert classifier.post_support(named).status_code == 201
    return classifier


def held_out(texture: str) -> list[bytes]:
    return patches(texture)[1::2]


def test_images_of_no_class_are_unknown(two_textures: Classifier) -> None:
    known = two_textures.predictions(*held_out("brick"), *held_out("gravel"))
    unknown = two_textures.predictions(*held_out("grass"))
    assert sum(answer["known"] for answer in known) >= 10  # of 16
    assert not any(answer["known"] for answer in unknown)


def test_the_p_value_says_why_an_image_is_unknown(two_textures: Classifier) -> None:
    for rate in (0.05, 0.3):
        two_textures.put(false_rejection_rate=rate)
        answers = two_textures.predictions(*held_out("brick"), *held_out("grass"))
        assert [a["known"] for a in answers] == [a["p_value"] > rate for a in answers]
        assert {a["known"] for a in answers} == {True, False}


def test_a_higher_false_rejection_rate_rejects_more(two_textures: Classifier) -> None:
    rejected = []
    for rate in (0.0, 0.1, 0.5):
        two_textures.put(false_rejection_rate=rate)
        threshold = two_textures.http.get(two_textures.url).json()["tuning"]["rejection_threshold"]
        assert (threshold is None) == (rate == 0)
        answers = two_textures.predictions(*held_out("brick"), *held_out("gravel"))
        rejected.append(sum(not answer["known"] for answer in answers))
    assert rejected[0] == 0
    assert rejected == sorted(rejected)
    assert rejected[-1] >= 3


def test_one_image_a_class_gives_no_evidence_to_reject_by(classifier: Classifier) -> None:
    for texture in TEXTURES[:2]:
        classifier.post(texture, patches(texture)[0])
    answers = classifier.predictions(picture(1), picture(2))
    assert all(answer["known"] and answer["p_value"] is None for answer in answers)
    assert classifier.http.get(classifier.url).json()["tuning"]["rejection_threshold"] is None


def test_a_class_without_images_is_not_called_unknown(two_textures: Classifier) -> None:
    assert two_textures.http.put(two_textures.class_url("grass")).status_code == 201
    for answer in two_textures.predictions(*held_out("grass")):
        assert answer["known"] or answer["label"] != "grass"
        assert (answer["p_value"] is None) == (answer["label"] == "grass")


def test_prediction_sets_hold_the_classes_above_the_threshold(two_textures: Classifier) -> None:
    assert all(a["prediction_set"] is None for a in two_textures.predictions(*held_out("brick")))
    two_textures.put(coverage=0.8)
    threshold = two_textures.http.get(two_textures.url).json()["tuning"]["conformal_threshold"]
    held = 0
    for texture in ("brick", "gravel"):
        for answer in two_textures.predictions(*held_out(texture)):
            ranked = probabilities(answer)
            expected = [label for label in ranked if ranked[label] >= threshold]
            assert answer["prediction_set"] == expected
            held += texture in expected
    assert held > 0


def test_with_few_images_every_class_is_in_the_set(classifier: Classifier) -> None:
    classifier.put(coverage=0.9)
    for texture in TEXTURES:
        classifier.post(texture, patches(texture)[0])
    [answer] = classifier.predictions(patches("brick")[1])
    assert set(answer["prediction_set"]) == set(TEXTURES)
    assert answer["prediction_set"][0] == answer["label"]


@pytest.mark.parametrize(
    ("setting", "value"),
    [
        ("false_rejection_rate", -0.1),
        ("false_rejection_rate", 1),
        ("false_rejection_rate", "often"),
        ("coverage", 0),
        ("coverage", 1),
        ("coverage", 95),
    ],
)
def test_shares_outside_of_their_range_are_refused(
    classifier: Classifier, setting: str, value: object
) -> None:
    before = classifier.state()
    problem(classifier.put(**{setting: value}), 422, "request-validation-failed", setting)
    assert classifier.state() == before
