"""The setting ``support_views`` over HTTP: registering, changing it, export and import."""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator

import httpx2 as httpx
import pytest
import torch

from adapters.backbones import Backbone
from adapters.backbones.support_views import averaged
from adapters.embeddings import ImageEmbeddings
from service.images.decoding import decode
from tests.service.client import Classifier, Json, files, problem
from tests.service.exchange.test_round_trip import export, put_file
from tests.service.pictures import picture
from tests.service.server import Server

VIEWS = 5
_numbers = itertools.count(1)


@pytest.fixture
def http(spare: Server) -> Iterator[httpx.Client]:
    """A service that starts quickly, and is empty before and after."""
    with spare.client() as client:
        yield client
        for one in client.get("/v1/classifiers").json()["classifiers"]:
            client.delete(f"/v1/classifiers/{one['name']}").raise_for_status()


def make(http: httpx.Client, views: int, **settings: object) -> Classifier:
    made = Classifier(http, f"views-{next(_numbers)}")
    made.put(support_views=views, **settings).raise_for_status()
    return made


def filled(http: httpx.Client, views: int) -> Classifier:
    made = make(http, views)
    made.post("ant", picture(1), picture(2)).raise_for_status()
    made.post("bee", picture(3), picture(4)).raise_for_status()
    return made


def similarities(classifier: Classifier, query: bytes) -> dict[str, float]:
    """Of the query to each support image."""
    [told] = classifier.predictions(query, evidence=100)
    return {each["image_id"]: each["similarity"] for each in told["evidence"]}


def embedded(backbone: Backbone, content: bytes, views: int, sha256: str) -> ImageEmbeddings:
    image = decode(content, 10**6, side=backbone.image_size).pixels
    pixels = torch.stack(backbone.preprocess_views(image, views, sha256))
    return averaged(backbone.encode_images(pixels))


def answers(classifier: Classifier) -> list[Json]:
    return classifier.predictions(*map(picture, (1, 50, 51)), evidence=10)


def same(one: list[Json], other: list[Json]) -> bool:
    """To rounding, whatever the ids of the images."""
    for mine, theirs in zip(one, other, strict=True):
        assert mine["label"] == theirs["label"]
        assert mine["probability"] == pytest.approx(theirs["probability"], abs=1e-4)
        assert [each["similarity"] for each in mine["evidence"]] == pytest.approx(
            [each["similarity"] for each in theirs["evidence"]], abs=1e-4
        )
    return True


def test_support_images_are_averaged_and_queries_are_not(
    http: httpx.Client, backbone: Backbone
) -> None:
    classifier = filled(http, VIEWS)
    shown = http.get(classifier.url).json()
    assert shown["support_views"] == VIEWS
    assert shown["n_images"] == 4
    listed = [
        (image["sha256"], image["id"])
        for label in ("ant", "bee")
        for image in classifier.get_class(label).json()["images"]
    ]
    query = embedded(backbone, picture(1), 1, "")
    expected = {
        image_id: (query.corrected @ embedded(backbone, content, VIEWS, sha256).corrected.T).item()
        for (sha256, image_id), content in zip(listed, map(picture, range(1, 5)), strict=True)
    }
    assert similarities(classifier, picture(1)) == pytest.approx(expected, abs=1e-3)


def test_an_image_is_recognised_and_asked_with_itself(http: httpx.Client) -> None:
    classifier = filled(http, VIEWS)
    state = classifier.state()
    [asked] = classifier.predictions(picture(1), top_k=3, evidence=0)
    again = http.post(
        f"{classifier.class_url('ant')}/images", files=files(picture(1)), params={"predict": True}
    ).json()
    assert (again["created"], again["duplicates"]) == (0, 1)
    [told] = again["images"]
    assert told["after"]["probability"] == pytest.approx(asked["probability"], abs=1e-4)
    assert classifier.state() == state


def test_the_same_images_are_the_same_in_another_classifier_and_after_a_change(
    http: httpx.Client,
) -> None:
    fresh, plain = filled(http, VIEWS), filled(http, 1)
    changed = filled(http, 1)
    ids = list(similarities(changed, picture(50)))
    for views, like in ((VIEWS, fresh), (1, plain), (VIEWS, fresh)):
        response = changed.put(support_views=views)
        assert response.status_code == 200, response.text
        assert response.json()["support_views"] == views
        assert response.json()["tuning"]["state"] == "current"
        assert same(answers(changed), answers(like))
        assert sorted(similarities(changed, picture(50))) == sorted(ids)
    # The others are as they were.
    assert same(answers(plain), answers(filled(http, 1)))
    assert not_same(answers(plain), answers(fresh))


def not_same(one: list[Json], other: list[Json]) -> bool:
    with pytest.raises(AssertionError):
        same(one, other)
    return True


def test_other_settings_change_with_it_and_more_images_follow(http: httpx.Client) -> None:
    changed = filled(http, 1)
    settings = {"support_views": VIEWS, "templates": ["a drawing of {}"], "classes": ["wasp"]}
    assert changed.put(**settings).status_code == 200
    changed.post("wasp", picture(5)).raise_for_status()
    other = make(http, VIEWS, templates=["a drawing of {}"], classes=["ant", "bee", "wasp"])
    for label, seeds in (("ant", (1, 2)), ("bee", (3, 4)), ("wasp", (5,))):
        other.post(label, *map(picture, seeds)).raise_for_status()
    assert same(answers(changed), answers(other))


def test_export_and_import_keep_the_views(http: httpx.Client) -> None:
    first = filled(http, VIEWS)
    before = answers(first)
    file = export(first)
    http.delete(first.url).raise_for_status()
    imported = Classifier(http, f"{first.name}-again")
    assert put_file(http, imported.name, file).status_code == 201
    assert put_file(http, imported.name, file).status_code == 200
    assert same(answers(imported), before)
    assert export(imported) == file
    # Nobody has the embeddings of the images themselves then, until they are needed.
    plain = filled(http, 1)
    assert same(answers(plain), answers(filled(http, 1)))
    assert imported.put(support_views=1).status_code == 200
    assert same(answers(imported), answers(plain))


def test_numbers_that_are_none_are_refused(http: httpx.Client) -> None:
    classifier = make(http, 2)
    for views in (0, -1, 33, 2.5, "4", None, True):
        problem(
            classifier.put(support_views=views), 422, "request-validation-failed", "support_views"
        )
    assert http.get(classifier.url).json()["support_views"] == 2
    assert classifier.put(support_views=4.0).json()["support_views"] == 4
    assert classifier.put(support_views=32).status_code == 200
    assert classifier.put().json()["support_views"] == 1


def test_images_that_were_not_kept_keep_the_setting(small: Classifier) -> None:
    small.post("ant", picture(1)).raise_for_status()
    state = small.state()
    problem(
        small.put(support_views=4),
        422,
        "invalid-settings",
        "1 of the 1 images were not kept",
        "create another classifier",
    )
    assert small.state() == state
    assert small.put(coverage=0.9).status_code == 200


def test_registrations_beside_a_change_of_the_setting_are_whole(http: httpx.Client) -> None:
    """Each image is embedded as the classifier asks for when it is written."""
    classifier = filled(http, 1)
    seeds = range(100, 124)
    statuses: list[int] = []

    def register() -> None:
        statuses.extend(classifier.post("ant", picture(seed)).status_code for seed in seeds)

    thread = threading.Thread(target=register)
    thread.start()
    changes = [classifier.put(support_views=views).status_code for views in (3, 1, 2, 1, 3)]
    thread.join()
    assert set(changes) == {200}
    assert set(statuses) == {201}
    other = make(http, 3)
    other.post("ant", picture(1), picture(2), *map(picture, seeds)).raise_for_status()
    other.post("bee", picture(3), picture(4)).raise_for_status()
    query = picture(50)
    mine, theirs = similarities(classifier, query), similarities(other, query)
    assert sorted(mine.values()) == pytest.approx(sorted(theirs.values()), abs=1e-4)
