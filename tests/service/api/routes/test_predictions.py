"""What is answered about an image."""

from __future__ import annotations

import hashlib
import math
from concurrent.futures import ThreadPoolExecutor

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, probabilities, problem
from tests.service.pictures import TEXTURES, encoded, noise, patches, picture

# Leave-one-out chooses among settings that fit nearly as well as each other: last digits of
# the embeddings decide, and the probabilities follow.
RETUNED = 0.02


def with_textures(classifier: Classifier, shots: int) -> Classifier:
    named = {
        f"{texture}/{i}.png": patch
        for texture in TEXTURES
        for i, patch in enumerate(patches(texture)[:: 16 // shots])
    }
    assert classifier.post_support(named).status_code == 201
    return classifier


@pytest.fixture(scope="module")
def textures(http: httpx.Client) -> Classifier:
    """Four patches each of brick, grass and gravel; tests leave it as it is."""
    classifier = Classifier(http, "textures")
    classifier.put()
    return with_textures(classifier, 4)


@pytest.fixture
def own_textures(classifier: Classifier) -> Classifier:
    """Two patches of each, for one test to change."""
    return with_textures(classifier, 2)


def held_out(texture: str) -> list[bytes]:
    return [patch for i, patch in enumerate(patches(texture)) if i % 4]


def close(one: Json, other: Json, tolerance: float) -> bool:
    expected = probabilities(other)
    return probabilities(one) == pytest.approx(expected, abs=tolerance)


def test_the_answer_has_the_documented_shape(textures: Classifier) -> None:
    answer = textures.predict(held_out("grass")[0])
    assert answer.status_code == 200
    body = answer.json()
    assert set(body) == {"classifier", "shift", "predictions"}
    assert body["classifier"] == textures.name
    [prediction] = body["predictions"]
    assert set(prediction) == {
        "label",
        "probability",
        "known",
        "p_value",
        "prediction_set",
        "top_k",
        "evidence",
    }
    for ranked in prediction["top_k"]:
        assert set(ranked) == {"label", "probability", "zero_shot", "cache"}
    for shown in prediction["evidence"]:
        assert set(shown) == {"image_id", "label", "similarity"}
    best = prediction["top_k"][0]
    assert (prediction["label"], prediction["probability"]) == (best["label"], best["probability"])


def test_held_out_patches_are_recognised(textures: Classifier) -> None:
    for texture in TEXTURES:
        queries = held_out(texture)
        answers = textures.predictions(*queries)
        right = sum(answer["label"] == texture for answer in answers)
        assert right / len(queries) >= 0.9, f"{texture}: {right} of {len(queries)}"


def test_answers_come_in_the_order_of_the_images(textures: Classifier) -> None:
    order = ["gravel", "brick", "grass", "brick", "gravel", "grass"]
    queries = [patches(texture)[0] for texture in order]  # support images: sure answers
    assert [answer["label"] for answer in textures.predictions(*queries)] == order


def test_a_bare_image_and_a_form_file_get_the_same_answer(textures: Classifier) -> None:
    [query] = held_out("brick")[:1]
    bare = textures.post_body(query, "image/png", "predict")
    assert bare.status_code == 200
    [by_form] = textures.predictions(query)
    assert close(bare.json()["predictions"][0], by_form, 1e-4)


def test_probabilities_of_all_classes_sum_to_one_and_are_ranked(textures: Classifier) -> None:
    for answer in textures.predictions(*held_out("gravel")[:3], top_k=1000):
        values = [ranked["probability"] for ranked in answer["top_k"]]
        assert {ranked["label"] for ranked in answer["top_k"]} == set(TEXTURES)
        assert sum(values) == pytest.approx(1, abs=1e-5)
        assert values == sorted(values, reverse=True)
        assert all(value >= 0 for value in values)


def test_the_two_terms_explain_the_probabilities(textures: Classifier) -> None:
    temperature = textures.http.get(textures.url).json()["tuning"]["temperature"]
    for answer in textures.predictions(*held_out("brick")[:3], top_k=3):
        logits = [(r["zero_shot"] + r["cache"]) / temperature for r in answer["top_k"]]
        shares = [math.exp(logit - max(logits)) for logit in logits]
        expected = [share / sum(shares) for share in shares]
        assert [r["probability"] for r in answer["top_k"]] == pytest.approx(expected, abs=1e-3)
        assert answer["top_k"][0]["cache"] == max(r["cache"] for r in answer["top_k"])


@pytest.mark.parametrize(("top_k", "expected"), [(1, 1), (2, 2), (3, 3), (50, 3)])
def test_top_k_says_how_many_candidates(textures: Classifier, top_k: int, expected: int) -> None:
    [answer] = textures.predictions(held_out("brick")[0], top_k=top_k)
    assert len(answer["top_k"]) == expected


@pytest.mark.parametrize(("evidence", "expected"), [(0, 0), (1, 1), (5, 5), (100, 12)])
def test_evidence_says_how_many_images(textures: Classifier, evidence: int, expected: int) -> None:
    [answer] = textures.predictions(held_out("brick")[0], evidence=evidence)
    assert len(answer["evidence"]) == expected


@pytest.mark.parametrize(
    "parameters", [{"top_k": 0}, {"top_k": 1001}, {"evidence": -1}, {"evidence": 101}]
)
def test_parameters_out_of_range_are_refused(
    textures: Classifier, parameters: dict[str, int]
) -> None:
    problem(textures.predict(patches("brick")[0], **parameters), 422, "request-validation-failed")


def test_a_support_image_is_its_own_best_evidence(textures: Classifier) -> None:
    ids = {image["sha256"]: image["id"] for image in textures.get_class("grass").json()["images"]}
    query = patches("grass")[4]
    [answer] = textures.predictions(query, evidence=3)
    best, second, _ = answer["evidence"]
    assert best["image_id"] == ids[hashlib.sha256(query).hexdigest()]
    assert best["label"] == "grass"
    assert best["similarity"] == pytest.approx(1, abs=1e-4)
    assert second["similarity"] < best["similarity"] - 1e-3


def test_evidence_is_nearest_first(textures: Classifier) -> None:
    [answer] = textures.predictions(held_out("gravel")[0], evidence=12)
    values = [shown["similarity"] for shown in answer["evidence"]]
    assert values == sorted(values, reverse=True)
    assert len({shown["image_id"] for shown in answer["evidence"]}) == 12


def test_classes_declared_by_name_are_answered_zero_shot(classifier: Classifier) -> None:
    classifier.put(classes=["a red square", "a green square"], templates=["{}"])
    [answer] = classifier.predictions(encoded(noise(1)), top_k=5)
    assert answer["evidence"] == []
    assert len(answer["top_k"]) == 2
    assert all(ranked["cache"] == 0 for ranked in answer["top_k"])
    first, second = answer["top_k"]
    assert first["zero_shot"] > second["zero_shot"]
    assert first["probability"] + second["probability"] == pytest.approx(1, abs=1e-5)


def test_a_class_without_images_stays_a_candidate_beside_those_with(
    own_textures: Classifier,
) -> None:
    own_textures.http.put(own_textures.class_url("water"))
    [answer] = own_textures.predictions(held_out("brick")[0], top_k=10)
    by_label = {ranked["label"]: ranked for ranked in answer["top_k"]}
    assert set(by_label) == {*TEXTURES, "water"}
    # Images say nothing of it: it gets less than the class they speak for, and more than others.
    others = [by_label[label]["cache"] for label in TEXTURES if label != "brick"]
    assert max(others) < by_label["water"]["cache"] < by_label["brick"]["cache"]
    assert by_label["water"]["zero_shot"] != 0


def test_names_without_meaning_have_no_zero_shot_term(own_textures: Classifier) -> None:
    own_textures.put(names_carry_meaning=False)
    for answer in own_textures.predictions(*held_out("brick")[:4], top_k=3):
        assert answer["label"] == "brick"
        assert [ranked["zero_shot"] for ranked in answer["top_k"]] == [0, 0, 0]


def test_names_without_meaning_leave_out_classes_without_images(classifier: Classifier) -> None:
    classifier.put(names_carry_meaning=False, classes=["type-1", "type-2"])
    problem(classifier.predict(picture(1)), 409, "no-classes", "no images", "meaning")
    classifier.post("type-2", picture(1))
    [answer] = classifier.predictions(picture(2), top_k=10)
    assert [ranked["label"] for ranked in answer["top_k"]] == ["type-2"]


def test_an_empty_classifier_says_what_to_do(classifier: Classifier) -> None:
    problem(classifier.predict(picture(1)), 409, "no-classes", "no classes yet", "POST", "PUT")


def test_a_change_of_method_fits_anew(own_textures: Classifier) -> None:
    [query] = held_out("grass")[:1]
    [corrected] = own_textures.predictions(query, top_k=3, evidence=1)
    own_textures.put(method="tip-adapter")
    [frozen] = own_textures.predictions(query, top_k=3, evidence=1)
    # The two methods compare images by different embeddings.
    assert frozen["evidence"][0]["similarity"] != pytest.approx(
        corrected["evidence"][0]["similarity"], abs=1e-3
    )
    own_textures.put(method="zero-shot")
    [named] = own_textures.predictions(query, top_k=3, evidence=1)
    assert named["evidence"] == []
    assert all(ranked["cache"] == 0 for ranked in named["top_k"])
    own_textures.put(method="auto")
    [back] = own_textures.predictions(query, top_k=3, evidence=1)
    assert close(back, corrected, RETUNED)
    assert back["evidence"] == corrected["evidence"]


def test_a_change_of_templates_changes_the_zero_shot_term_only(own_textures: Classifier) -> None:
    [query] = held_out("grass")[:1]
    [before] = own_textures.predictions(query, top_k=3)
    own_textures.put(templates=["a watercolour painting of {} by a child"])
    [after] = own_textures.predictions(query, top_k=3)
    assert sorted(r["zero_shot"] for r in before["top_k"]) != pytest.approx(
        sorted(r["zero_shot"] for r in after["top_k"]), abs=1e-2
    )
    assert after["evidence"] == before["evidence"]
    own_textures.put(templates=[])
    [back] = own_textures.predictions(query, top_k=3)
    assert close(back, before, RETUNED)


def test_the_answer_does_not_depend_on_the_other_images(textures: Classifier) -> None:
    query = held_out("brick")[0]
    crowd = [*held_out("grass")[:5], query, *held_out("gravel")[:5]]
    [alone] = textures.predictions(query, top_k=3)
    among = textures.predictions(*crowd, top_k=3)[5]
    assert close(among, alone, 1e-4)
    with ThreadPoolExecutor(12) as threads:
        concurrent = [
            threads.submit(textures.predictions, image, top_k=3)
            for image in [query, *crowd, query, *crowd]
        ]
        answers = [waited.result()[0] for waited in concurrent]
    for i in (0, 6, 12, 18):
        assert close(answers[i], alone, 1e-4)


def test_predict_leaves_the_classifier_unchanged(textures: Classifier) -> None:
    before = textures.state()
    textures.predictions(*held_out("brick")[:2])
    assert textures.state() == before


def test_an_answer_does_not_depend_on_the_order_of_registration(
    classifier: Classifier, other: Classifier
) -> None:
    for texture in TEXTURES:
        classifier.post(texture, *patches(texture)[:2])
    for texture in reversed(TEXTURES):
        for patch in reversed(patches(texture)[:2]):
            other.post(texture, patch)
    [query] = held_out("gravel")[:1]
    [one] = classifier.predictions(query, top_k=3, evidence=6)
    [same] = other.predictions(query, top_k=3, evidence=6)
    assert close(same, one, RETUNED)
    assert [e["label"] for e in same["evidence"]] == [e["label"] for e in one["evidence"]]
    assert [e["similarity"] for e in same["evidence"]] == pytest.approx(
        [e["similarity"] for e in one["evidence"]], abs=1e-4
    )


def test_what_is_added_and_removed_again_leaves_the_answers_as_they_were(
    own_textures: Classifier,
) -> None:
    [query] = held_out("gravel")[:1]
    [before] = own_textures.predictions(query, top_k=3, evidence=6)
    own_textures.post("noise", *(picture(i) for i in range(3)))
    [during] = own_textures.predictions(query, top_k=4, evidence=9)
    assert "noise" in probabilities(during)
    own_textures.http.delete(own_textures.class_url("noise"))
    [after] = own_textures.predictions(query, top_k=3, evidence=6)
    assert close(after, before, RETUNED)
    assert [e["image_id"] for e in after["evidence"]] == [e["image_id"] for e in before["evidence"]]
