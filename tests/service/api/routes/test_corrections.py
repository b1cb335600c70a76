"""``?predict=true``: what a registered image was taken for, and is taken for since."""

from __future__ import annotations

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, Json, files, of_four, problem
from tests.service.conftest import Small
from tests.service.pictures import TEXTURES, patches, picture, zipped
from tests.service.server import Server


def correct(classifier: Classifier, label: str, *images: bytes) -> list[Json]:
    answer = classifier.http.post(
        f"{classifier.class_url(label)}/images", files=files(*images), params={"predict": True}
    )
    assert answer.status_code == 201, answer.text
    told: list[Json] = answer.json()["images"]
    return told


def taken_for(classifier: Classifier, image: bytes) -> Json:
    """What a query says, as far as a registration says it."""
    [asked] = classifier.predictions(image, top_k=3, evidence=0)
    return {name: asked[name] for name in ("label", "probability", "known", "top_k")}


def same(one: Json, other: Json) -> bool:
    """To rounding: the images of a pass decide how its rows are summed."""
    assert [row["label"] for row in one["top_k"]] == [row["label"] for row in other["top_k"]]
    for mine, theirs in zip(one["top_k"], other["top_k"], strict=True):
        assert mine == {**theirs, **{k: pytest.approx(theirs[k], abs=1e-3) for k in _NUMBERS}}
    return (one["label"], one["known"]) == (other["label"], other["known"])


_NUMBERS = ("probability", "zero_shot", "cache")


def test_an_image_is_told_what_it_was_taken_for_and_is_now(classifier: Classifier) -> None:
    for texture in TEXTURES:
        classifier.post(texture, *patches(texture)[:3])
    odd = picture(77)
    asked_before = taken_for(classifier, odd)
    [told] = correct(classifier, "noise", odd)
    assert told["status"] == "created"
    assert same(told["before"], asked_before)
    assert same(told["after"], taken_for(classifier, odd))
    assert told["before"]["label"] in TEXTURES
    assert told["after"]["label"] == "noise"
    assert len(told["after"]["top_k"]) == 3


def test_all_images_of_a_request_are_of_the_same_two_states(classifier: Classifier) -> None:
    of_four(classifier.http, classifier.name)
    images = [picture(seed) for seed in (10, 11, 12)]
    before = [taken_for(classifier, image) for image in images]
    told = correct(classifier, "wasp", *images)
    for one, earlier, image in zip(told, before, images, strict=True):
        assert same(one["before"], earlier)
        assert same(one["after"], taken_for(classifier, image))


def test_duplicates_are_answered_too_and_change_nothing(classifier: Classifier) -> None:
    of_four(classifier.http, classifier.name)
    state = classifier.state()
    [told] = correct(classifier, "ant", picture(1))
    assert told["status"] == "duplicate"
    assert told["before"] == told["after"]
    assert same(told["after"], taken_for(classifier, picture(1)))
    assert classifier.state() == state


def test_before_is_null_where_there_was_no_class(classifier: Classifier) -> None:
    first, second = correct(classifier, "ant", picture(1), picture(2))
    assert first["before"] is second["before"] is None
    assert first["after"]["label"] == second["after"]["label"] == "ant"
    assert first["after"]["probability"] == 1


def test_support_answers_the_same(classifier: Classifier) -> None:
    of_four(classifier.http, classifier.name)
    answer = classifier.http.post(
        f"{classifier.url}/support",
        content=zipped({"ant/5.png": picture(5), "wasp/6.png": picture(6)}),
        headers={"content-type": "application/zip"},
        params={"predict": "true"},
    )
    for one, image in zip(answer.json()["images"], (picture(5), picture(6)), strict=True):
        assert one["before"]["label"] in {"ant", "bee"}
        assert same(one["after"], taken_for(classifier, image))


def test_unasked_there_is_neither(classifier: Classifier) -> None:
    [told] = classifier.post("ant", picture(1)).json()["images"]
    assert told["before"] is None
    assert told["after"] is None


def test_nothing_is_registered_where_it_is_not_said_whether(classifier: Classifier) -> None:
    refused = classifier.http.post(
        f"{classifier.class_url('ant')}/images", files=files(picture(1)), params={"predict": "what"}
    )
    problem(refused, 422, "request-validation-failed", "query.predict")
    assert classifier.counts() == {}


def test_an_image_is_encoded_once_for_all(spare: Server) -> None:
    def encoded(http: httpx.Client) -> float:
        [line] = [
            line
            for line in http.get("/metrics").text.splitlines()
            if line.startswith("handful_encoder_batch_size_sum")
        ]
        return float(line.split()[1])

    with spare.client() as http:
        made = of_four(http, "encoded-once")
        before = encoded(http)
        correct(made, "ant", picture(20), picture(21))
        assert encoded(http) - before == 2
        http.delete(made.url)


def test_predictions_of_a_registration_are_within_its_limits(small_service: Small) -> None:
    made = Classifier(small_service.http, "corrected")
    made.put()
    refused = made.http.post(
        f"{made.class_url('ant')}/images",
        files=files(*map(picture, range(6))),
        params={"predict": True},
    )
    problem(refused, 413, "request-too-large", "5 images")
    made.http.delete(made.url)
