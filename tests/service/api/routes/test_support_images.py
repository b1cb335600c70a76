"""Classes and their support images, one class a request."""

from __future__ import annotations

import hashlib

from tests.service.client import Classifier, problem
from tests.service.pictures import encoded, noise, picture


def test_the_first_images_register_the_class(classifier: Classifier) -> None:
    answer = classifier.post("ant", picture(1), picture(2))
    assert answer.status_code == 201
    told = answer.json()
    assert told["classifier"] == classifier.name
    assert (told["created"], told["duplicates"]) == (2, 0)
    assert [image["filename"] for image in told["images"]] == ["0.png", "1.png"]
    assert [image["status"] for image in told["images"]] == ["created", "created"]
    assert [image["label"] for image in told["images"]] == ["ant", "ant"]
    assert len({image["id"] for image in told["images"]}) == 2
    assert classifier.counts() == {"ant": 2}


def test_more_images_join_the_class(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    classifier.post("ant", picture(2), picture(3))
    assert classifier.counts() == {"ant": 3}


def test_the_name_of_the_form_field_does_not_matter(classifier: Classifier) -> None:
    answer = classifier.http.post(
        f"{classifier.class_url('ant')}/images",
        files=[("image", ("x.png", picture(1))), ("whatever", ("y.png", picture(2)))],
    )
    assert [image["filename"] for image in answer.json()["images"]] == ["x.png", "y.png"]


def test_a_bare_image_is_a_body_too(classifier: Classifier) -> None:
    for i, media_type in enumerate(["image/jpeg", "image/png", "application/octet-stream"]):
        answer = classifier.post_body(picture(i, "JPEG"), media_type, "classes/ant/images")
        assert answer.status_code == 201, answer.text
        assert answer.json()["created"] == 1
    assert classifier.counts() == {"ant": 3}


def test_duplicates_within_a_request_are_stored_once(classifier: Classifier) -> None:
    told = classifier.post("ant", picture(1), picture(2), picture(1)).json()
    assert (told["created"], told["duplicates"]) == (2, 1)
    first, second, third = told["images"]
    assert [first["status"], second["status"], third["status"]] == [
        "created",
        "created",
        "duplicate",
    ]
    assert third["id"] == first["id"] != second["id"]
    assert classifier.counts() == {"ant": 2}


def test_duplicates_of_an_earlier_request_are_answered_with_the_id_they_have(
    classifier: Classifier,
) -> None:
    [first] = classifier.post("ant", picture(1)).json()["images"]
    before = classifier.state()
    told = classifier.post("ant", picture(1)).json()
    assert (told["created"], told["duplicates"]) == (0, 1)
    assert told["images"][0]["id"] == first["id"]
    assert classifier.state() == before


def test_the_same_image_in_two_classes_supports_both(classifier: Classifier) -> None:
    [ant] = classifier.post("ant", picture(1)).json()["images"]
    [bee] = classifier.post("bee", picture(1)).json()["images"]
    assert bee["status"] == "created"
    assert ant["id"] != bee["id"]
    assert classifier.counts() == {"ant": 1, "bee": 1}
    classifier.http.delete(f"{classifier.class_url('ant')}/images/{ant['id']}")
    kept = classifier.http.get(f"{classifier.class_url('bee')}/images/{bee['id']}")
    assert kept.content == picture(1)


def test_the_same_pixels_in_another_file_are_another_image(classifier: Classifier) -> None:
    pixels = noise(5)
    told = classifier.post("ant", encoded(pixels, "PNG"), encoded(pixels, "BMP")).json()
    assert told["created"] == 2


def test_a_class_lists_its_images(classifier: Classifier) -> None:
    content = encoded(noise(6, (30, 20)), "JPEG")
    [posted] = classifier.post("ant", content).json()["images"]
    looked_at = classifier.get_class("ant").json()
    assert looked_at["classifier"] == classifier.name
    assert (looked_at["label"], looked_at["n_images"]) == ("ant", 1)
    [image] = looked_at["images"]
    assert image.pop("created_at")
    assert image == {
        "id": posted["id"],
        "label": "ant",
        "filename": "0.png",
        "sha256": hashlib.sha256(content).hexdigest(),
        "media_type": "image/jpeg",
        "width": 30,
        "height": 20,
    }


def test_an_image_comes_back_byte_for_byte(classifier: Classifier) -> None:
    for kind, media_type in [("PNG", "image/png"), ("JPEG", "image/jpeg"), ("WEBP", "image/webp")]:
        content = picture(8, kind)
        [posted] = classifier.post("ant", content).json()["images"]
        got = classifier.http.get(f"{classifier.class_url('ant')}/images/{posted['id']}")
        assert got.status_code == 200
        assert got.content == content
        assert got.headers["content-type"] == media_type


def test_an_image_that_comes_back_cannot_run_in_a_browser(classifier: Classifier) -> None:
    [posted] = classifier.post("ant", picture(9)).json()["images"]
    got = classifier.http.get(f"{classifier.class_url('ant')}/images/{posted['id']}")
    assert got.headers["x-content-type-options"] == "nosniff"
    assert "default-src 'none'" in got.headers["content-security-policy"]


def test_put_declares_a_class_by_its_name(classifier: Classifier) -> None:
    url = classifier.class_url("ant")
    created, again = classifier.http.put(url), classifier.http.put(url)
    assert (created.status_code, again.status_code) == (201, 200)
    assert created.json() == {
        "classifier": classifier.name,
        "label": "ant",
        "n_images": 0,
        "next_cursor": None,
        "images": [],
    }
    assert again.json() == created.json()


def test_put_of_a_class_with_images_leaves_them(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    before = classifier.state()
    assert classifier.http.put(classifier.class_url("ant")).status_code == 200
    assert classifier.state() == before


def test_a_declared_class_takes_images(classifier: Classifier) -> None:
    classifier.http.put(classifier.class_url("ant"))
    classifier.post("ant", picture(1))
    assert classifier.counts() == {"ant": 1}


def test_deleting_a_class_removes_its_images_and_no_others(classifier: Classifier) -> None:
    [ant] = classifier.post("ant", picture(1)).json()["images"]
    classifier.post("bee", picture(2))
    assert classifier.http.delete(classifier.class_url("ant")).status_code == 204
    assert classifier.counts() == {"bee": 1}
    problem(classifier.get_class("ant"), 404, "class-not-found", "ant")
    gone = classifier.http.get(f"{classifier.class_url('ant')}/images/{ant['id']}")
    problem(gone, 404, "class-not-found", "ant")
    [answer] = classifier.predictions(picture(1), top_k=10, evidence=10)
    assert [ranked["label"] for ranked in answer["top_k"]] == ["bee"]
    assert [shown["label"] for shown in answer["evidence"]] == ["bee"]


def test_a_deleted_class_can_come_back(classifier: Classifier) -> None:
    [first] = classifier.post("ant", picture(1)).json()["images"]
    classifier.http.delete(classifier.class_url("ant"))
    [second] = classifier.post("ant", picture(1)).json()["images"]
    assert second["status"] == "created"
    assert second["id"] != first["id"]


def test_deleting_an_image_leaves_the_class_and_its_other_images(classifier: Classifier) -> None:
    first, second = classifier.post("ant", picture(1), picture(2)).json()["images"]
    url = f"{classifier.class_url('ant')}/images/{first['id']}"
    assert classifier.http.delete(url).status_code == 204
    assert [image["id"] for image in classifier.get_class("ant").json()["images"]] == [second["id"]]
    problem(classifier.http.get(url), 404, "image-not-found", first["id"])
    [answer] = classifier.predictions(picture(1), evidence=10)
    assert [shown["image_id"] for shown in answer["evidence"]] == [second["id"]]


def test_a_class_without_its_last_image_is_still_there(classifier: Classifier) -> None:
    [only] = classifier.post("ant", picture(1)).json()["images"]
    classifier.http.delete(f"{classifier.class_url('ant')}/images/{only['id']}")
    assert classifier.counts() == {"ant": 0}
    [answer] = classifier.predictions(picture(1))
    assert answer["label"] == "ant"
    assert answer["evidence"] == []


def test_deleting_what_is_not_there_says_so_and_changes_nothing(classifier: Classifier) -> None:
    [ant] = classifier.post("ant", picture(1)).json()["images"]
    classifier.post("bee", picture(2))
    before = classifier.state()
    delete = classifier.http.delete
    problem(delete(classifier.class_url("cat")), 404, "class-not-found", "cat", classifier.name)
    nobody = f"{classifier.class_url('ant')}/images/{'0' * 32}"
    problem(delete(nobody), 404, "image-not-found", "0" * 32, "ant")
    elsewhere = f"{classifier.class_url('bee')}/images/{ant['id']}"
    problem(delete(elsewhere), 404, "image-not-found", ant["id"], "bee")
    problem(delete("/v1/classifiers/nobody"), 404, "classifier-not-found", "nobody")
    assert classifier.state() == before
