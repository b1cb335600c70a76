"""Embeddings: of images as predictions use them, of texts, in two shapes; and back again."""

from __future__ import annotations

import base64
import io
import json
import zipfile
from typing import Any

import httpx2 as httpx
import numpy as np
import pytest

from tests.service.client import Classifier, Json, files, of_four, problem
from tests.service.pictures import picture

URL = "/v1/embeddings"
PNG = "data:image/png;base64,"


def b64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def data(*seeds: int) -> list[Json]:
    return [{"data": b64(picture(seed))} for seed in seeds]


def embedded(http: httpx.Client, *seeds: int, **parameters: str) -> Json:
    response = http.post(URL, json={"images": data(*seeds)}, params=parameters)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def numbers(text: str) -> Any:
    return np.frombuffer(base64.b64decode(text), "<f4")


def test_all_forms_of_images_have_the_same_embeddings(http: httpx.Client) -> None:
    answer = embedded(http, 1, 2)
    one, two = answer["embeddings"]
    assert len(one["frozen"]) == answer["width"]
    assert len(one["corrected"]) == answer["corrected_width"]
    for row in (*one.values(), *two.values()):
        assert np.linalg.norm(row) == pytest.approx(1, abs=1e-5)
    bare = http.post(URL, content=picture(1), headers={"content-type": "image/png"}).json()
    form = http.post(URL, files=files(picture(1), picture(2))).json()
    assert {**form, "embeddings": []} == {**answer, "embeddings": []}
    assert np.allclose(bare["embeddings"][0]["frozen"], one["frozen"], atol=1e-5)
    assert np.allclose(form["embeddings"][1]["corrected"], two["corrected"], atol=1e-5)
    binary = embedded(http, 1, 2, encoding_format="base64")["embeddings"]
    assert np.allclose(numbers(binary[1]["corrected"]), two["corrected"], atol=1e-6)


def test_an_embedding_is_answered_as_the_image_is(http: httpx.Client) -> None:
    """Exactly: what was embedded alone, as numbers and in base64."""
    four = of_four(http, "embedding-four")
    for encoding in ("float", "base64"):
        answer = embedded(http, 9, encoding_format=encoding)
        image = {"embedding": answer["embeddings"][0], "fingerprint": answer["fingerprint"]}
        mixed = {"images": [image, *data(7)]}
        found = http.post(f"{four.url}/predict", json=mixed).json()["predictions"]
        assert [found[0]] == four.predictions(picture(9))
        assert [found[1]] == four.predictions(picture(7))


def test_embeddings_are_registered_without_their_images(
    http: httpx.Client, classifier: Classifier
) -> None:
    answer = embedded(http, 1, 2)
    fingerprint = answer["fingerprint"]
    one, two = (
        {"embedding": each, "fingerprint": fingerprint, "filename": "e.png"}
        for each in answer["embeddings"]
    )
    where = f"{classifier.class_url('ant')}/images"
    first = http.post(where, json={"images": [one, one, two]}).json()
    assert [each["status"] for each in first["images"]] == ["created", "duplicate", "created"]
    assert classifier.post("bee", picture(3), picture(4)).status_code == 201
    [asked] = classifier.predictions(picture(1), evidence=1)
    assert asked["label"] == "ant"
    assert asked["evidence"][0]["image_id"] == first["images"][0]["id"]
    image = classifier.get_class("ant").json()["images"][0]
    assert image["media_type"] == "application/vnd.handful.embedding"
    assert (image["width"], image["height"], image["filename"]) == (0, 0, "e.png")
    problem(http.get(f"{where}/{image['id']}"), 404, "image-not-stored", "embeddings alone")
    # The image itself is another one: its bytes are known.
    assert classifier.post("ant", picture(1)).json()["created"] == 1
    # An id of it is as good as any.
    copied = http.post(where, json={"images": [{"image_id": image["id"]}]}).json()
    assert copied["duplicates"] == 1
    asked_by_id = http.post(
        f"{classifier.url}/predict", json={"images": [{"image_id": image["id"]}]}
    )
    assert asked_by_id.json()["predictions"][0]["label"] == "ant"
    # It goes to a file and comes back, and answers the same.
    file = http.get(f"{classifier.url}/export").content
    assert len(zipfile.ZipFile(io.BytesIO(file)).namelist()) > 5
    other = Classifier(http, f"{classifier.name}-imported")
    sent = http.put(
        f"{other.url}/import", content=file, headers={"content-type": "application/zip"}
    )
    assert sent.status_code == 201
    assert other.predictions(picture(5), evidence=0) == classifier.predictions(
        picture(5), evidence=0
    )
    # What needs the bytes is refused.
    problem(classifier.put(support_views=2), 422, "invalid-settings", "2 of the 5 images")
    views = Classifier(http, f"{classifier.name}-views")
    views.put(support_views=2).raise_for_status()
    refused = http.post(f"{views.class_url('a')}/images", json={"images": [one]})
    problem(refused, 422, "invalid-upload", "images[0] is an embedding", "2 support views")
    reference = {"image_id": image["id"], "classifier": classifier.name}
    refused = http.post(f"{views.class_url('a')}/images", json={"images": [reference]})
    problem(refused, 404, "image-not-stored", "images[0]")


def test_embeddings_that_are_none_are_refused(http: httpx.Client, classifier: Classifier) -> None:
    answer = embedded(http, 1)
    good, fingerprint = answer["embeddings"][0], answer["fingerprint"]

    def refused(status: int, kind: str, *told: str, **changes: object) -> None:
        image = {"embedding": {**good, **changes}, "fingerprint": fingerprint}
        body = {"images": [*data(2), image]}
        for where in (f"{classifier.class_url('ant')}/images", f"{classifier.url}/predict"):
            if "predict" in where:
                classifier.put(classes=["ant"])
            problem(http.post(where, json=body), status, kind, *told)

    described = 422, "request-validation-failed"
    refused(*described, "images[1].embedding.frozen has 2 numbers", frozen=[1, 0])
    refused(
        *described,
        "images[1].embedding.corrected",
        "norm 2",
        corrected=[2.0] + [0.0] * (answer["corrected_width"] - 1),
    )
    refused(*described, "images[1].embedding.corrected is neither", corrected=None)
    refused(*described, "images[1].embedding.frozen", "character 2", frozen="AA!")
    body = {"images": [{"embedding": good, "fingerprint": "0" * 64}]}
    asked = http.post(f"{classifier.url}/predict", json=body)
    problem(asked, 409, "other-fingerprint", "0" * 64, fingerprint)
    assert classifier.counts() == {"ant": 0}


def test_texts_are_embedded_as_they_are_or_in_templates(http: httpx.Client) -> None:
    texts = ["a forest", "sea_lake", "a forest"]
    plain = http.post(URL, json={"texts": texts}).json()
    rows = [np.array(one["frozen"]) for one in plain["embeddings"]]
    assert [one["corrected"] for one in plain["embeddings"]] == [None] * 3
    assert np.array_equal(rows[0], rows[2])
    templates = ["a photo of {}.", "{} from above"]
    averaged = http.post(URL, json={"texts": texts[:1], "templates": templates}).json()
    prompts = [one.replace("{}", texts[0]) for one in templates]
    each = http.post(URL, json={"texts": prompts}).json()["embeddings"]
    mean = np.mean([one["frozen"] for one in each], axis=0)
    found = averaged["embeddings"][0]["frozen"]
    assert np.allclose(found, mean / np.linalg.norm(mean), atol=1e-5)
    assert rows[0].shape == (plain["width"],)


def test_openai_clients_are_answered_in_their_shape(http: httpx.Client) -> None:
    own = http.post(URL, json={"texts": ["a", "b c"]}).json()
    body: Json = {"model": "handful", "input": ["a", "b c"], "user": "x"}
    answer = http.post(URL, json=body).json()
    assert (answer["object"], answer["model"]) == ("list", own["model"])
    assert [(one["object"], one["index"]) for one in answer["data"]] == [
        ("embedding", 0),
        ("embedding", 1),
    ]
    for one, same in zip(answer["data"], own["embeddings"], strict=True):
        assert np.allclose(one["embedding"], same["frozen"], atol=1e-5)
    assert answer["usage"]["prompt_tokens"] == answer["usage"]["total_tokens"] > 2
    single = http.post(URL, json={"model": own["model"], "input": "a", "encoding_format": "base64"})
    [one] = single.json()["data"]
    assert np.allclose(numbers(one["embedding"]), own["embeddings"][0]["frozen"], atol=1e-5)

    images = {"model": "handful", "modality": "image", "input": [PNG + b64(picture(1))]}
    answer = http.post(URL, json=images).json()
    [same] = embedded(http, 1)["embeddings"]
    assert answer["data"][0]["embedding"] == same["frozen"]
    assert answer["usage"]["total_tokens"] == 0
    assert answer["fingerprint"] == own["fingerprint"]
    alone = http.post(URL, json={**images, "input": b64(picture(1))}).json()
    assert alone["data"] == answer["data"]


REFUSED: dict[str, tuple[Json, int, str, str]] = {
    "nothing": ({}, 422, "request-validation-failed", "exactly one of images, texts and input"),
    "two": ({"texts": ["a"], "input": "a"}, 422, "request-validation-failed", "exactly one"),
    "no text": ({"texts": []}, 422, "request-validation-failed", "texts is empty"),
    "empty text": ({"texts": ["a", ""]}, 422, "request-validation-failed", "texts[1] is empty"),
    "tokens": ({"input": [1, 2]}, 422, "request-validation-failed", "input[0] is no string"),
    "long text": ({"texts": ["a" * 2001]}, 422, "request-validation-failed", "2000"),
    "no place": (
        {"texts": ["a"], "templates": ["b"]},
        422,
        "request-validation-failed",
        "templates[0]",
    ),
    "places": (
        {"texts": ["a"], "templates": ["{}" * 6]},
        422,
        "request-validation-failed",
        "5 places",
    ),
    "too many": (
        {"texts": ["a"] * 201, "templates": ["{}."] * 100},
        413,
        "request-too-large",
        "20100",
    ),
    "too long": (
        {"texts": ["a" * 2000] * 90, "templates": ["{}{}{}{}{}"] * 10},
        413,
        "request-too-large",
        "characters",
    ),
    "model": ({"input": "a", "model": "clip"}, 404, "model-not-found", "'clip'"),
    "dimensions": (
        {"input": "a", "dimensions": 8},
        422,
        "request-validation-failed",
        "dimensions is nothing that is read here",
    ),
    "audio": ({"input": "a", "modality": "audio"}, 422, "request-validation-failed", "modality"),
    "no image": (
        {"input": ["AAAA"], "modality": "image"},
        422,
        "not-an-image",
        "input[0]",
    ),
    "url": (
        {"input": ["https://example.com/a.png"], "modality": "image"},
        422,
        "request-validation-failed",
        "HANDFUL_FETCH_FROM",
    ),
    "embedding": (
        {"images": [{"embedding": {}, "fingerprint": "0" * 64}]},
        422,
        "request-validation-failed",
        "images[0] is no object with exactly one of data, image_id and url",
    ),
    "whose": ({"images": [{"image_id": "0" * 32}]}, 422, "request-validation-failed", "classifier"),
    "nobody's": (
        {"images": [{"image_id": "0" * 32, "classifier": "nobody"}]},
        404,
        "classifier-not-found",
        "'nobody'",
    ),
    "label": ({"images": [{**data(1)[0], "label": "a/b"}]}, 422, "invalid-name", "images[0].label"),
}


@pytest.mark.parametrize("case", REFUSED)
def test_what_cannot_be_embedded_is_refused(http: httpx.Client, case: str) -> None:
    body, status, kind, told = REFUSED[case]
    problem(http.post(URL, json=body), status, kind, told)


def test_stored_images_have_theirs(http: httpx.Client) -> None:
    four = of_four(http, "embedding-stored")
    [first, _] = four.get_class("ant").json()["images"]
    body = {"images": [{"image_id": first["id"], "classifier": four.name}]}
    [stored] = http.post(URL, json=body).json()["embeddings"]
    [same] = embedded(http, 1)["embeddings"]
    assert np.allclose(stored["corrected"], same["corrected"], atol=1e-4)


def test_images_wait_no_longer_than_asked(http: httpx.Client) -> None:
    sent = {"images": data(*range(20))}
    answer = http.post(URL, json=sent, headers={"request-timeout": "1e-9"})
    problem(answer, 504, "deadline-exceeded")
    body = json.dumps({"texts": ["a"]})
    answer = http.post(URL, content=body, headers={"content-type": "application/problem+json"})
    assert answer.status_code == 200
