"""Images in JSON: taken as the files they stand for, or refused by their place."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx2 as httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.service.client import Classifier, Json, of_four, problem
from tests.service.conftest import Small
from tests.service.pictures import encoded, noise, picture, zipped

JSON = {"content-type": "application/json"}
DATA = "data:image/png;base64,"


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def post(classifier: Classifier, where: str, *images: Json, **parameters: Any) -> httpx.Response:
    return classifier.http.post(
        f"{classifier.url}/{where}", json={"images": list(images)}, params=parameters
    )


@pytest.fixture(scope="module")
def four(http: httpx.Client) -> Classifier:
    return of_four(http, "json-four")


def test_data_is_answered_as_the_bytes_are(four: Classifier) -> None:
    """Exactly: the same decoder, the same encoder, the same answer."""
    for content in (picture(9), encoded(noise(3, (300, 200)), "JPEG"), encoded(noise(4), "WEBP")):
        raw = four.post_body(content, "application/octet-stream", "predict").json()
        urlsafe = base64.urlsafe_b64encode(content).decode().rstrip("=")
        for data in (b64(content), DATA + b64(content), urlsafe):
            answer = post(four, "predict", {"data": data}).json()
            assert answer["predictions"] == raw["predictions"]
    several = four.predictions(picture(5), picture(6), top_k=1, evidence=2)
    named = [{"data": b64(picture(i)), "filename": "a.png", "label": "ant"} for i in (5, 6)]
    assert post(four, "predict", *named, top_k=1, evidence=2).json()["predictions"] == several


def test_slashes_may_be_escaped_as_php_does(four: Classifier) -> None:
    content = encoded(noise(7, (90, 90)))
    body = json.dumps({"images": [{"data": b64(content)}]}).replace("/", "\\/")
    answer = four.http.post(f"{four.url}/predict", content=body, headers=JSON)
    assert answer.json()["predictions"] == four.predictions(content)


def test_they_are_registered_as_files_are(classifier: Classifier) -> None:
    first = post(classifier, "classes/ant/images", {"data": b64(picture(1)), "filename": "1.png"})
    assert first.status_code == 201
    [image] = first.json()["images"]
    assert (image["label"], image["filename"], image["status"]) == ("ant", "1.png", "created")
    assert classifier.post("ant", picture(1)).json()["duplicates"] == 1
    answer = post(
        classifier,
        "support",
        {"data": b64(picture(1)), "label": "ant"},
        {"data": DATA + b64(picture(2)), "label": " bee ", "filename": "bee/2.png"},
        predict=True,
    ).json()
    assert [one["status"] for one in answer["images"]] == ["duplicate", "created"]
    assert answer["images"][1]["after"]["label"] == "bee"
    assert classifier.counts() == {"ant": 1, "bee": 1}
    path = f"{classifier.class_url('bee')}/images/{answer['images'][1]['id']}"
    assert classifier.http.get(path).content == picture(2)
    same = post(classifier, "classes/ant/images", {"data": b64(picture(3)), "label": " ant "})
    assert same.status_code == 201


def test_a_stored_image_is_asked_about_and_registered_by_its_id(
    classifier: Classifier, four: Classifier
) -> None:
    [first, _] = four.get_class("ant").json()["images"]
    by_id = post(four, "predict", {"image_id": first["id"]}).json()["predictions"][0]
    by_bytes = four.predictions(picture(1))[0]
    assert by_id["label"] == by_bytes["label"]
    assert by_id["probability"] == pytest.approx(by_bytes["probability"], abs=1e-4)
    assert by_id["evidence"][0]["image_id"] == first["id"]

    reference = {"image_id": first["id"], "classifier": four.name}
    [copy] = post(classifier, "support", {**reference, "label": "ant"}).json()["images"]
    assert (copy["status"], copy["filename"]) == ("created", "0.png")
    assert copy["id"] != first["id"]
    content = classifier.http.get(f"{classifier.class_url('ant')}/images/{copy['id']}").content
    assert content == picture(1)
    assert post(classifier, "classes/ant/images", reference).json()["duplicates"] == 1
    assert post(classifier, "classes/bee/images", reference).json()["created"] == 1
    [asked] = post(classifier, "predict", reference).json()["predictions"]
    assert asked["evidence"][0]["similarity"] == pytest.approx(1, abs=1e-5)


def test_references_that_lead_nowhere_are_refused(classifier: Classifier, four: Classifier) -> None:
    classifier.post("ant", picture(1)).raise_for_status()
    [of_another, _] = four.get_class("ant").json()["images"]
    state = classifier.state()
    for where in ("predict", "classes/new/images"):
        good = {"data": b64(picture(5))}
        answer = post(classifier, where, good, {"image_id": of_another["id"]})
        problem(answer, 404, "image-not-found", "images[1]", of_another["id"])
        answer = post(classifier, where, good, {"image_id": "0" * 32, "classifier": "nobody"})
        problem(answer, 404, "classifier-not-found", "'nobody'")
        answer = post(classifier, where, good, {"image_id": "0" * 32, "classifier": "../a"})
        problem(answer, 422, "invalid-name", "'../a'")
    assert classifier.state() == state


BAD: dict[str, tuple[Json, int, str, str]] = {
    "no base64": ({"data": "not base64!"}, 422, "invalid-upload", "character 3"),
    "line breaks": ({"data": "AAAA\nAAAA"}, 422, "invalid-upload", "line break"),
    "cut short": ({"data": b64(picture(1))[:-3]}, 422, "invalid-upload", "cut short"),
    "no image": ({"data": "AAAA"}, 422, "not-an-image", "not an image in a known format"),
    "twice encoded": ({"data": b64(b64(picture(1)).encode())}, 422, "not-an-image", "base64 text"),
    "other URI": ({"data": "data:image/png,x"}, 422, "invalid-upload", "data URI"),
    "half an image": ({"data": b64(picture(1)[:900])}, 422, "broken-image", "truncated"),
}


@pytest.mark.parametrize("case", BAD)
def test_a_bad_image_is_named_by_its_place_and_none_is_kept(
    classifier: Classifier, case: str
) -> None:
    image, status, kind, told = BAD[case]
    classifier.post("ant", picture(100)).raise_for_status()
    state = classifier.state()
    good = {"data": b64(picture(5))}
    problem(post(classifier, "predict", good, image), status, kind, told, "images[1].data")
    for where in ("classes/new/images", "support"):
        more = {"label": "new"} if where == "support" else {}
        answer = post(classifier, where, {**good, **more}, {**image, **more, "filename": "b.png"})
        document = problem(answer, status, kind, told, "images[1].data ('b.png')")
        assert [one["file"] for one in document["files"]] == ["images[1].data"]
        assert not document["files"][0]["reason"].startswith("images")
    assert classifier.state() == state


NOT_AS_DESCRIBED: dict[str, tuple[bytes, str]] = {
    "nothing": (b"", "no JSON"),
    "a list": (b"[]", "no object"),
    "no images": (b"{}", "images is missing"),
    "more": (b'{"images": [{"data": "AAAA"}], "more": 1}', "more is nothing that is read here"),
    "null": (b'{"images": null}', "images"),
    "none": (b'{"images": []}', "images is empty"),
    "a string": (b'{"images": ["AAAA"]}', "images[0] is no object with exactly one of data"),
    "two kinds": (
        b'{"images": [{"data": "A", "url": "x"}]}',
        "images[0] is no object with exactly",
    ),
    "number": (b'{"images": [{"data": 1}]}', "images[0].data is no string"),
    "huge number": (b'{"images": [{"data": 1%s}]}' % (b"0" * 9000), "images[0].data is no string"),
    "NaN": (b'{"images": [{"data": NaN}]}', "images[0].data is NaN"),
    "twice": (b'{"images": [{"data": "A", "data": "B"}]}', "images[0].data is there twice"),
    "surrogate": (rb'{"images": [{"data": "A", "filename": "\ud800"}]}', "images[0].filename"),
    "control": (rb'{"images": [{"data": "A", "filename": "\u0007"}]}', "images[0].filename"),
    "long name": (b'{"images": [{"data": "A", "filename": "%s"}]}' % (b"x" * 999), "255"),
    "deep": (b'{"images": [{"data": %s%s}]}' % (b"[" * 9000, b"]" * 9000), "nested too deeply"),
    "id": (b'{"images": [{"image_id": "0"}]}', "images[0].image_id"),
    "embedding": (b'{"images": [{"embedding": {}, "fingerprint": ""}]}', "images[0].embedding"),
    "url": (b'{"images": [{"url": "https://example.com/a.jpg"}]}', "HANDFUL_FETCH_FROM"),
}


@pytest.mark.parametrize("case", NOT_AS_DESCRIBED)
def test_what_is_not_as_described_is_told_with_its_place(four: Classifier, case: str) -> None:
    body, told = NOT_AS_DESCRIBED[case]
    state = four.state()
    for where in ("predict", "classes/new/images", "support"):
        if where == "support":
            body = body.replace(b'[{"', b'[{"label": "a", "')
        answer = four.http.post(f"{four.url}/{where}", content=body, headers=JSON)
        document = problem(answer, 422, "request-validation-failed", told)
        for error in document.get("errors", ()):
            assert error["loc"][0] == "body"
    assert four.state() == state


def test_labels_are_checked(four: Classifier) -> None:
    image = {"data": b64(picture(30))}
    answer = post(four, "support", image, {**image, "label": "x"})
    problem(answer, 422, "request-validation-failed", "images[0].label is missing")
    answer = post(four, "support", {**image, "label": "x"}, {**image, "label": "a/b"})
    problem(answer, 422, "invalid-name", "images[1].label: 'a/b'")
    answer = post(four, "classes/ant/images", image, {**image, "label": "bee"})
    problem(answer, 409, "other-label", "images[1].label is 'bee'", "'ant'")
    assert four.counts() == {"ant": 2, "bee": 2}


def test_there_are_limits(small_service: Small) -> None:
    small = Classifier(small_service.http, "json-small")
    small.put().raise_for_status()
    image = {"data": b64(picture(1))}
    assert post(small, "classes/a/images", image).status_code == 201
    answer = post(small, "predict", *[image] * 6)
    problem(answer, 413, "request-too-large", "At most 5 images")
    answer = post(small, "predict", {"data": "A" * 40_000})
    problem(answer, 413, "image-too-large", "images[0].data", "at most 20000")
    answer = post(small, "predict", {"data": "A" * 120_000})
    problem(answer, 413, "request-too-large", "HANDFUL_MAX_REQUEST_BYTES")
    # Elsewhere JSON is as large as ever.
    body = json.dumps({"classes": ["x" * 90] * 2000}).encode()
    problem(small.http.put(small.url, content=body, headers=JSON), 413, "request-too-large")


def test_more_than_other_json_may_have_is_taken(four: Classifier) -> None:
    large = b64(encoded(noise(5, (900, 800))))
    assert len(large) > 2**20
    answer = post(four, "predict", {"data": large})
    assert answer.status_code == 200, answer.text
    many = [1.0] * 120_000
    answer = post(
        four,
        "predict",
        {"embedding": {"frozen": many, "corrected": many}, "fingerprint": "0" * 64},
    )
    problem(answer, 413, "request-too-large", "base64 of float32")


def test_a_service_that_keeps_no_images_takes_ids_by_their_embeddings(small_service: Small) -> None:
    small = Classifier(small_service.http, "json-not-kept")
    small.put().raise_for_status()
    [image] = small.post("a", picture(1)).json()["images"]
    [asked] = post(small, "predict", {"image_id": image["id"]}).json()["predictions"]
    assert asked["evidence"][0]["image_id"] == image["id"]
    assert post(small, "classes/b/images", {"image_id": image["id"]}).json()["created"] == 1
    small.put(support_views=3)
    views = Classifier(small_service.http, "json-not-kept-views")
    views.put(support_views=2).raise_for_status()
    reference = {"image_id": image["id"], "classifier": small.name}
    problem(post(views, "classes/a/images", reference), 404, "image-not-stored", "images[0]")


def test_with_support_views_ids_are_embedded_from_their_bytes(
    classifier: Classifier, four: Classifier
) -> None:
    classifier.put(support_views=2).raise_for_status()
    [first, _] = four.get_class("bee").json()["images"]
    reference = {"image_id": first["id"], "classifier": four.name}
    assert post(classifier, "classes/a/images", reference).json()["created"] == 1
    assert classifier.post("a", picture(3)).json()["duplicates"] == 1


ITEM = st.fixed_dictionaries(
    {},
    optional={
        "data": st.sampled_from([b64(picture(1)), "AAAA", "", "AA=A"]) | st.integers() | st.none(),
        "filename": st.text(max_size=4) | st.booleans(),
        "label": st.sampled_from(["ant", "bee", "", "..", "a\u200b"]) | st.none(),
        "image_id": st.text("0a", min_size=31, max_size=33) | st.integers(),
        "classifier": st.text(max_size=3),
        "url": st.text(max_size=5),
        "fingerprint": st.text("0", min_size=63, max_size=65),
        "embedding": st.dictionaries(
            st.sampled_from(["frozen", "corrected", "x"]),
            st.lists(st.floats() | st.none() | st.booleans(), max_size=2) | st.text(max_size=5),
        ),
    },
)


@settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.fixed_dictionaries({"images": st.lists(ITEM, min_size=1, max_size=3) | st.text(max_size=2)}),
    st.sampled_from(["predict", "support", "classes/ant/images"]),
)
def test_whatever_comes_is_answered_or_refused(four: Classifier, body: Json, where: str) -> None:
    before = four.state() if where != "predict" else None
    content = json.dumps(body).encode()
    answer = four.http.post(f"{four.url}/{where}", content=content, headers=JSON)
    if answer.status_code >= 300:
        assert answer.status_code in (404, 409, 413, 422), answer.text
        problem(answer, answer.status_code, answer.json()["type"])
        assert before is None or four.state() == before
    else:
        assert all("data" in one or "image_id" in one for one in body["images"])
        if answer.status_code == 201:
            for image in answer.json()["images"]:
                if image["status"] == "created":
                    four.http.delete(f"{four.class_url(image['label'])}/images/{image['id']}")


def test_other_addresses_take_no_json(four: Classifier) -> None:
    answer = four.http.post(f"{four.url}/suggest", json={"images": []})
    problem(answer, 415, "unsupported-media-type", "not sent in JSON")
    assert four.post_zip(zipped({"ant/1.png": picture(1)})).status_code == 201
