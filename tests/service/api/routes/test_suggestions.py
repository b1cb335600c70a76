"""Which image of a pool to register next."""

from __future__ import annotations

import io
import itertools

import httpx2 as httpx
import pytest
from PIL import Image

from tests.service.client import Classifier, Json, problem
from tests.service.pictures import TEXTURES, encoded, patches, picture, zipped


def ask(
    classifier: Classifier, named: dict[str, bytes], **parameters: int | bool
) -> httpx.Response:
    return classifier.http.post(
        f"{classifier.url}/suggest",
        files=[("files", (name, content)) for name, content in named.items()],
        params=parameters,
    )


def suggestions(classifier: Classifier, named: dict[str, bytes], **parameters: int | bool) -> Json:
    response = ask(classifier, named, **parameters)
    assert response.status_code == 200, response.text
    answer: Json = response.json()
    return answer


def names(answer: Json) -> list[str]:
    return [one["filename"] for one in answer["suggestions"]]


def some_patches(number: slice) -> dict[str, bytes]:
    return {
        f"{texture}-{i:02}.png": patch
        for texture in TEXTURES
        for i, patch in list(enumerate(patches(texture)))[number]
    }


def in_folders(number: slice) -> dict[str, bytes]:
    return {name.replace("-", "/"): content for name, content in some_patches(number).items()}


def smaller(content: bytes) -> bytes:
    """Another file of the same picture."""
    return encoded(Image.open(io.BytesIO(content)), "JPEG", quality=97)


@pytest.fixture(scope="module")
def textures(http: httpx.Client) -> Classifier:
    """Brick and grass by two patches each, gravel by its name; tests leave it as it is."""
    classifier = Classifier(http, "suggested-textures")
    classifier.put(classes=["gravel"])
    assert classifier.post("brick", *patches("brick")[:2]).status_code == 201
    assert classifier.post("grass", *patches("grass")[:2]).status_code == 201
    return classifier


def test_the_kind_of_image_that_is_missing_comes_first(textures: Classifier) -> None:
    answer = suggestions(textures, some_patches(slice(4, 10)), n=3)
    assert answer["labelled"] is False
    assert answer["n_images"] == 18
    assert len(answer["suggestions"]) == 3
    assert names(answer)[0].startswith("gravel")
    for one in answer["suggestions"]:
        assert one["label"] is None
        assert one["predicted"]["label"] in TEXTURES
        assert 0 < one["predicted"]["probability"] <= 1
        assert one["nearest"]["label"] in {"brick", "grass"}


def test_gains_shrink_and_add_up_to_the_coverage(textures: Classifier) -> None:
    answer = suggestions(textures, some_patches(slice(4, 10)), n=18)
    chosen = answer["suggestions"]
    gains = [one["gain"] for one in chosen]
    assert gains == sorted(gains, reverse=True)
    for one, other in itertools.pairwise(chosen):
        assert other["coverage"] == pytest.approx(one["coverage"] + other["gain"], abs=1e-5)
    assert chosen[-1]["coverage"] == pytest.approx(1, abs=1e-3)
    sent = list(some_patches(slice(4, 10)))
    assert [sent[one["position"]] for one in chosen] == names(answer)


def test_in_folders_each_class_is_chosen_from_for_itself(textures: Classifier) -> None:
    answer = suggestions(textures, in_folders(slice(4, 8)), n=2)
    assert answer["labelled"] is True
    labels = [one["label"] for one in answer["suggestions"]]
    assert sorted(labels[:3]) == sorted(labels[3:]) == sorted(TEXTURES)
    for texture in TEXTURES:
        alone = suggestions(
            textures, {name: c for name, c in in_folders(slice(4, 8)).items() if texture in name},
            n=2,
        )  # fmt: skip
        assert names(alone) == [name for name in names(answer) if name.startswith(texture)]


def test_folders_may_be_left_out_of_account(textures: Classifier) -> None:
    answer = suggestions(textures, in_folders(slice(4, 10)), n=3, folders=False)
    assert answer["labelled"] is False
    flat = suggestions(textures, some_patches(slice(4, 10)), n=3)
    assert [one["position"] for one in answer["suggestions"]] == [
        one["position"] for one in flat["suggestions"]
    ]


def test_one_folder_that_is_no_class_is_no_label(textures: Classifier) -> None:
    pool = {f"holiday/{name}": content for name, content in some_patches(slice(4, 7)).items()}
    answer = suggestions(textures, pool)
    assert answer["labelled"] is False
    assert all(name.startswith("holiday/") for name in names(answer))


def test_a_zip_may_be_the_body_and_what_is_no_image_is_skipped(textures: Classifier) -> None:
    archive = zipped({**some_patches(slice(4, 6)), ".DS_Store": b"x", "notes.txt": b"x"})
    answer = textures.post_body(archive, "application/zip", "suggest")
    assert answer.status_code == 200, answer.text
    assert [one["file"] for one in answer.json()["skipped"]] == [".DS_Store", "notes.txt"]
    assert answer.json()["n_images"] == 6


def test_what_is_registered_is_said_and_not_suggested(textures: Classifier) -> None:
    again = {
        "a.png": patches("brick")[0],
        "b.jpg": smaller(patches("grass")[1]),
        "c.png": patches("grass")[7],
        "c-again.jpg": smaller(patches("grass")[7]),
    }
    answer = suggestions(textures, again, n=10)
    registered = textures.get_class("brick").json()["images"][0]["id"]
    first, second = answer["duplicates"]
    assert (first["filename"], first["image_id"], first["label"]) == ("a.png", registered, "brick")
    assert first["similarity"] == pytest.approx(1, abs=1e-4)
    assert (second["filename"], second["label"], second["position"]) == ("b.jpg", "grass", 1)
    assert len(names(answer)) == 1  # one of the two copies
    assert names(answer)[0].startswith("c")


def test_an_image_of_another_class_is_not_suggested_for_this_one(textures: Classifier) -> None:
    pool = {"gravel/1.png": patches("brick")[0], "gravel/2.png": patches("gravel")[0]}
    answer = suggestions(textures, pool)
    assert answer["labelled"] is True
    assert names(answer) == ["gravel/2.png"]
    assert [one["label"] for one in answer["duplicates"]] == ["brick"]


def test_nothing_is_changed(textures: Classifier) -> None:
    before = textures.state()
    suggestions(textures, in_folders(slice(0, 8)))
    assert textures.state() == before


def test_without_classes_the_most_typical_comes_first(classifier: Classifier) -> None:
    answer = suggestions(classifier, some_patches(slice(0, 4)), n=3)
    assert len(answer["suggestions"]) == 3
    for one in answer["suggestions"]:
        assert one["predicted"] is None
        assert one["nearest"] is None
    assert answer["duplicates"] == []
    kinds = {name.partition("-")[0] for name in names(answer)}
    assert kinds == set(TEXTURES)  # one of each before the second of any


def test_what_is_suggested_can_be_registered(classifier: Classifier) -> None:
    pool = in_folders(slice(0, 4))
    for turn in range(1, 4):
        chosen = names(suggestions(classifier, pool, n=1))
        assert len(chosen) == 3
        assert classifier.post_support({name: pool[name] for name in chosen}).json()["created"] == 3
        told = suggestions(classifier, pool, n=1)
        assert len(told["duplicates"]) == 3 * turn
        assert not set(names(told)) & set(chosen)


def test_folders_that_do_not_tell_classes_are_refused_with_the_way_out(
    textures: Classifier,
) -> None:
    mixed = {"gravel/1.png": picture(1), "2.png": picture(2)}
    told = problem(ask(textures, mixed), 422, "invalid-upload", "'2.png'", "folders=false")
    assert [one["file"] for one in told["files"]] == ["2.png"]
    assert ask(textures, mixed, folders=False).status_code == 200
    nested = {f"{a}/{b}/1.png": picture(3) for a in ("x", "y") for b in ("p", "q")}
    problem(ask(textures, nested), 422, "invalid-upload", "folders=false")


def test_bad_images_are_all_named(textures: Classifier) -> None:
    pool = {"a.png": b"no image", "b.png": picture(1), "c.png": b"neither"}
    told = problem(ask(textures, pool), 422, "not-an-image", "'a.png'", "'c.png'")
    assert [one["file"] for one in told["files"]] == ["a.png", "c.png"]


def test_refusals(textures: Classifier, small: Classifier, http: httpx.Client) -> None:
    missing = Classifier(http, "not-there")
    problem(ask(missing, {"a.png": picture(1)}), 404, "classifier-not-found")
    problem(textures.post_body(b"{}", "application/json", "suggest"), 415, "unsupported-media-type")
    problem(textures.post_body(zipped({}), "application/zip", "suggest"), 422, "empty-upload")
    for n in (0, 1001):
        answer = ask(textures, {"a.png": picture(1)}, n=n)
        problem(answer, 422, "request-validation-failed", "query.n")
    many = {f"{i}.png": picture(i) for i in range(6)}
    problem(ask(small, many), 413, "request-too-large", "5 images")
    problem(small.post_body(zipped(many), "application/zip", "suggest"), 413, "request-too-large")
