"""The client against a real service: every call, and many images beyond the limits of a request."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import handful_client._sync.client
import numpy as np
import pytest
from handful_client import (
    AsyncClient,
    Classifier,
    Client,
    Conflict,
    Embedding,
    ImageEmbedding,
    ImageLike,
    ImageReference,
    Invalid,
    InvalidImage,
    NotFound,
    PreconditionFailed,
    RefusedImage,
    Settings,
    TooLarge,
)
from PIL import Image

from tests.client.coloured import coloured
from tests.client.conftest import MOST_IMAGES
from tests.service.server import Server


def test_one_line_registers_and_predicts(classifier: Classifier, tmp_path: Path) -> None:
    paths = [tmp_path / f"{i}.png" for i in range(3)]
    for i, path in enumerate(paths):
        path.write_bytes(coloured("red", i))
    blue = [coloured("blue", i) for i in range(3)]
    answer = classifier.add("red", paths).add("blue", blue).predict(coloured("red", 9))
    assert answer.label == "red"
    assert [one.label for one in answer.top_k] == ["red", "blue"]


def test_an_image_is_the_same_however_it_is_given(classifier: Classifier, tmp_path: Path) -> None:
    classifier.add("red", coloured("red", 0)).add("blue", coloured("blue", 0))
    path = tmp_path / "query.png"
    path.write_bytes(coloured("red", 5))
    picture = Image.open(path).convert("RGB")
    asked: list[ImageLike] = [path, str(path), path.read_bytes(), picture, np.asarray(picture)]
    with path.open("rb") as file:
        answers = [classifier.predict(one) for one in [*asked, file]]
    assert all(answer == answers[0] for answer in answers)


def test_classes_images_and_files(classifier: Classifier, tmp_path: Path) -> None:
    made = classifier.put(Settings(method="gda++", coverage=0.8))
    assert (made.method, made.coverage, made.n_classes) == ("gda++", 0.8, 0)
    told = classifier.register("red", [coloured("red", 0), coloured("red", 1)], predict=True)
    assert (told.created, told.duplicates, told.images[0].before) == (2, 0, None)
    assert told.images[0].after is not None
    assert classifier.get().coverage == 0.8  # not created anew
    again = classifier.register("red", coloured("red", 1), wait_tuned=True)
    assert (again.created, again.duplicates) == (0, 1)
    assert classifier.put_class("Ö, 50 % off?").n_images == 0
    assert {one.label: one.n_images for one in classifier.classes()} == {
        "red": 2,
        "Ö, 50 % off?": 0,
    }
    images = classifier.get_class("red").images
    assert classifier.image("red", images[0].id) == coloured("red", 0)
    classifier.delete_image("red", images[0].id)
    classifier.delete_class("Ö, 50 % off?")
    assert [(one.label, one.n_images) for one in classifier.classes()] == [("red", 1)]
    exported = classifier.export(tmp_path / "c.zip")
    assert classifier.export_index(tmp_path / "index.zip").read_bytes().startswith(b"PK")
    assert sorted(path.name for path in tmp_path.iterdir()) == ["c.zip", "index.zip"]
    classifier.delete()
    with pytest.raises(NotFound, match=classifier.name) as raised:
        classifier.get()
    assert raised.value.type == "classifier-not-found"
    assert classifier.import_file(exported).n_images == 1
    with pytest.raises(NotFound):
        classifier.image("red", "0" * 32)


def test_of_two_who_saw_the_same_one_changes_it(classifier: Classifier) -> None:
    classifier.if_absent().add("red", [coloured("red", i) for i in range(3)])
    with pytest.raises(PreconditionFailed):
        classifier.if_absent().put()
    tag = classifier.tag()
    mine, theirs = classifier.if_match(tag), classifier.if_match(tag)
    mine.put_class("blue")
    for change in (
        lambda: theirs.put_class("green"),
        lambda: theirs.delete_class("red"),
        lambda: theirs.add("red", coloured("red", 9)),
        theirs.put,
        theirs.delete,
    ):
        with pytest.raises(PreconditionFailed) as refused:
            change()
        assert refused.value.type == "precondition-failed"
    assert [(one.label, one.n_images) for one in classifier.classes()] == [("red", 3), ("blue", 0)]
    classifier.if_match("*").delete_class("red")


def test_classifiers_are_listed_page_by_page(
    client: Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    names = [f"listed-{i}" for i in range(5)]
    for name in names:
        client.classifier(name).put()
    monkeypatch.setattr(handful_client._sync.client, "_PAGE", 2)
    assert [one.name for one in client.classifiers(prefix="listed-")] == names
    backwards = client.classifiers(prefix="listed-", descending=True, problem=False)
    assert [one.name for one in backwards] == names[::-1]
    assert [*client.classifiers(prefix="listed-", metadata={"team": "a", "of": "b"})] == []


def test_reports_and_advice(classifier: Classifier) -> None:
    for colour in ("red", "blue"):
        classifier.add(colour, [coloured(colour, i) for i in range(4)])
    assert classifier.report().n_images == 8
    assert b"<html" in classifier.report_file()
    assert classifier.report_file("png").startswith(b"\x89PNG")
    assert b"<svg" in classifier.report_file("svg")
    assert classifier.advice().classes


def test_suggestions(classifier: Classifier, tmp_path: Path) -> None:
    classifier.add("red", coloured("red", 0)).add("blue", coloured("blue", 0))
    pool = {
        f"{colour}/{i}.png": coloured(colour, 10 + i) for colour in ("red", "blue") for i in (1, 2)
    }
    for name, content in pool.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(content)
    told = classifier.suggest([tmp_path / name for name in pool], n=2)
    assert (told.labelled, told.n_images) == (False, 4)
    told = classifier.suggest_folder(tmp_path, n=1)
    assert (told.labelled, told.n_images) == (True, 4)


def test_images_that_the_service_knows_are_asked_about_by_their_ids(
    client: Client, classifier: Classifier
) -> None:
    classifier.add("red", [coloured("red", 0), coloured("red", 1)]).add("blue", coloured("blue", 0))
    ids = [one.id for one in classifier.get_class("red").images]
    known = [ImageReference(image_id=one) for one in ids]
    assert classifier.predict(known[0]).evidence[0].image_id == ids[0]
    mixed: list[ImageLike] = [known[0], coloured("blue", 5), known[1]]
    assert [one.label for one in classifier.predict_many(mixed)] == ["red", "blue", "red"]

    other = client.classifier(f"{classifier.name}-other")
    theirs = [ImageReference(image_id=one, classifier=classifier.name) for one in ids]
    told = other.register_labelled([("warm", theirs[0]), ("cold", coloured("blue", 6))])
    assert [one.label for one in told.images] == ["warm", "cold"]
    assert other.register("warm", theirs).duplicates == 1
    with pytest.raises(NotFound):
        classifier.predict(ImageReference(image_id="0" * 32))


def test_embeddings_stand_for_their_images(client: Client, classifier: Classifier) -> None:
    asked = [coloured(("red", "blue")[i % 2], 50 + i) for i in range(70)]
    told = client.embed(asked)
    assert len(told.embeddings) == 70
    assert client.embed(asked[69]).embeddings[0].frozen == pytest.approx(told.embeddings[69].frozen)
    [packed] = client.embed(asked[0], encoding="base64").embeddings
    known = [
        ImageEmbedding(
            embedding=Embedding.model_validate(one.model_dump()), fingerprint=told.fingerprint
        )
        for one in (*told.embeddings[1:3], packed)
    ]
    classifier.register("red", known[1])
    classifier.register("blue", known[0])
    assert classifier.predict(known[2]).label == "red"
    assert [one.label for one in classifier.similar(asked[5])] == ["blue", "red"]
    assert [one.label for one in classifier.similar(known[2], n=1)] == ["red"]


def test_texts_find_images(client: Client, classifier: Classifier) -> None:
    classifier.register("red", [coloured("red", i) for i in range(4)])
    assert len(classifier.similar_to_text("red", templates=["a {} square"], n=3)) == 3
    told = client.embed_texts(["red", "blue"], templates=["a {} square", "a {} thing"])
    assert [one.corrected for one in told.embeddings] == [None, None]
    with pytest.raises(InvalidImage, match="no image was given"):
        client.embed([])


def test_what_the_service_says_of_itself(client: Client, classifier: Classifier) -> None:
    assert (client.health().status, client.ready().status) == ("ok", "ready")
    classifier.put()
    assert classifier.name in [one.name for one in client.classifiers()]
    assert "http_requests_total" in client.metrics()
    assert client.re_embedding().state == "none"


def test_problems_say_what_the_service_says(classifier: Classifier) -> None:
    with pytest.raises(NotFound):
        classifier.predict(coloured("red", 0))
    classifier.put()
    with pytest.raises(Conflict) as nothing:
        classifier.predict(coloured("red", 0))
    assert nothing.value.type == "no-classes"
    with pytest.raises(Invalid) as fields:
        classifier.predict(coloured("red", 0), top_k=0)
    assert fields.value.errors[0].loc == ("query", "top_k")
    with pytest.raises(Invalid) as files:
        classifier.register("red", [coloured("red", 0), b"no image", b""])
    assert [one.file for one in files.value.files] == ["image-1", "image-2"]
    assert classifier.classes() == []
    with pytest.raises(Invalid) as settings:
        classifier.put(Settings(method="zero-shot", names_carry_meaning=False))
    assert settings.value.type == "invalid-settings"


@pytest.mark.parametrize("label", [".", "..", "a/b", "../../classes"])
def test_no_name_leads_elsewhere(client: Client, classifier: Classifier, label: str) -> None:
    classifier.put()
    for call in (
        classifier.delete_class,
        classifier.put_class,
        client.classifier(label).delete_class,
    ):
        with pytest.raises(Invalid) as raised:
            call(label)
        assert raised.value.type == "invalid-name"
    assert classifier.get().name == classifier.name


def test_any_label_arrives(classifier: Classifier) -> None:
    labels = ["50% off?", "#1 & more", "森林", 'a"b', "%2F", "semi;colon", "a.b.c", "1"]
    told = classifier.register_labelled((one, coloured("red", i)) for i, one in enumerate(labels))
    assert [one.label for one in told.images] == labels
    for label in labels:
        assert classifier.register(label, coloured("blue", len(label))).images[0].label == label


# --- many images ---------------------------------------------------------------------------------


def test_more_images_than_a_request_takes_are_registered_in_order(classifier: Classifier) -> None:
    count, done = 3 * MOST_IMAGES + 5, list[int]()
    told = classifier.register(
        "red", (coloured("red", i) for i in range(count)), progress=done.append
    )
    assert (told.created, len(told.images)) == (count, count)
    assert done[-1] == count
    assert done == sorted(done)
    assert [one.id for one in classifier.get_class("red").images] == [one.id for one in told.images]
    again = classifier.register("red", [coloured("red", i) for i in range(count)])
    assert (again.created, again.duplicates) == (0, count)


def test_a_folder_of_classes_is_registered(classifier: Classifier, tmp_path: Path) -> None:
    for colour in ("red", "blue"):
        (tmp_path / colour).mkdir()
        for i in range(MOST_IMAGES):
            (tmp_path / colour / f"{i}.png").write_bytes(coloured(colour, i))
    assert classifier.add_folder(tmp_path).predict(coloured("blue", 99)).label == "blue"
    assert [one.n_images for one in classifier.classes()] == [MOST_IMAGES] * 2
    alone = classifier.add("green", tmp_path / "red").get_class("green")
    assert alone.images[0].filename == "0.png"


def test_an_image_alone_may_be_too_large(classifier: Classifier) -> None:
    picture = io.BytesIO()
    Image.new("L", (9000, 9000)).save(picture, "PNG")
    with pytest.raises(TooLarge) as raised:
        classifier.register("red", [coloured("red", 0), picture.getvalue()])
    assert raised.value.type == "image-too-large"


def test_no_image_is_told(classifier: Classifier) -> None:
    for call in (classifier.suggest, lambda images: classifier.register("red", images)):
        with pytest.raises(InvalidImage, match="no image was given"):
            call([])
    assert list(classifier.predict_many([])) == []


@pytest.fixture(scope="module")
def two_colours(service: Server) -> Iterator[Classifier]:
    with Client(service.url) as client:
        yield (
            client.classifier("two-colours")
            .add("red", coloured("red", 0))
            .add("blue", coloured("blue", 0))
        )


def queries(count: int) -> list[bytes]:
    return [coloured(("red", "blue")[i % 3 == 0], 100 + i) for i in range(count)]


@pytest.mark.parametrize("batch", [1, 7, 1000])
def test_predictions_come_in_the_order_of_the_images(two_colours: Classifier, batch: int) -> None:
    asked = queries(60)
    told = list(two_colours.predict_many(asked, batch=batch, top_k=1, evidence=0))
    assert [one.label for one in told] == [("red", "blue")[i % 3 == 0] for i in range(60)]
    assert told[17].probability == pytest.approx(
        two_colours.predict(asked[17]).probability, abs=1e-4
    )


def test_images_are_read_when_their_turn_comes(two_colours: Classifier) -> None:
    read = 0

    def reading() -> Iterator[bytes]:
        nonlocal read
        for one in queries(100):
            read += 1
            yield one

    answers = two_colours.predict_many(reading(), batch=4, at_once=3)
    for i, _ in enumerate(answers):
        assert i < read <= i + 4 * 3
    assert read == 100


def test_images_that_cannot_be_read_are_told_in_their_place(
    two_colours: Classifier, tmp_path: Path
) -> None:
    asked: list[bytes | Path] = [*queries(10)]
    asked[2], asked[5], asked[9] = b"no image", tmp_path / "gone.png", queries(10)[9][:-40]
    told = list(two_colours.predict_many(asked, on_refusal="yield", batch=4))
    refused = [one for one in told if isinstance(one, RefusedImage)]
    assert [(one.position, told.index(one)) for one in refused] == [(2, 2), (5, 5), (9, 9)]
    assert "gone.png" in refused[1].reason
    assert refused[0].name == "image-2"
    with pytest.raises(Invalid, match="'image-2' is not an image"):
        list(two_colours.predict_many(asked[:5]))
    with pytest.raises(InvalidImage, match=r"gone\.png"):
        list(two_colours.predict_many(asked[3:]))


def test_whoever_stops_listening_ends_it(two_colours: Classifier) -> None:
    waiting = iter(queries(90))
    answers = two_colours.predict_many(waiting, batch=2)
    next(answers)
    answers.close()  # type: ignore[attr-defined]
    assert len(list(waiting)) >= 80


def test_many_tasks_ask_at_once(service: Server, two_colours: Classifier) -> None:
    asked = queries(200)

    async def ask() -> list[str]:
        async with AsyncClient(service.url) as client:
            classifier = client.classifier(two_colours.name)
            told = await asyncio.gather(*(classifier.predict(one, top_k=1) for one in asked))
            return [one.label for one in told]

    assert asyncio.run(ask()) == [("red", "blue")[i % 3 == 0] for i in range(200)]


def test_a_service_that_has_too_much_to_do_is_waited_for(
    tmp_path: Path, backbone: str, two_colours: Classifier
) -> None:
    asked = queries(90)

    async def ask(url: str) -> list[str]:
        async with AsyncClient(url, connections=45) as client:
            classifier = client.classifier("busy")
            told = await asyncio.gather(*(classifier.predict(one, top_k=1) for one in asked))
            return [one.label for one in told]

    with Server.ready(tmp_path, backbone=backbone, max_waiting=1) as busy:
        with Client(busy.url) as client:
            client.classifier("busy").import_file(two_colours.export(tmp_path / "c.zip"))
            labels = asyncio.run(ask(busy.url))
            metrics = client.metrics()
        busy.stop()
    assert labels == [("red", "blue")[i % 3 == 0] for i in range(90)]
    refused = re.findall(r"^handful_refused_requests_total\{.*\} (\S+)", metrics, re.MULTILINE)
    assert sum(map(float, refused)) > 0


def test_the_asynchronous_client_does_the_same(service: Server, tmp_path: Path) -> None:
    async def images() -> AsyncIterator[bytes]:
        for i in range(MOST_IMAGES + 5):
            yield coloured("red", i)

    async def walk() -> None:
        async with AsyncClient(service.url) as client:
            classifier = await client.classifier("asynchronous").add("red", images())
            await classifier.add("blue", coloured("blue", 0))
            assert [one.n_images for one in await classifier.classes()] == [MOST_IMAGES + 5, 1]
            told = [one.label async for one in classifier.predict_many(queries(50), batch=3)]
            assert told == [("red", "blue")[i % 3 == 0] for i in range(50)]
            async for one in client.classifiers():
                assert one.name
            file = await classifier.export(tmp_path / "c.zip", images=False)
            assert zipfile.is_zipfile(file)
            assert (
                await client.classifier("imported").import_file(file)
            ).n_images == MOST_IMAGES + 6
            with pytest.raises(NotFound):
                await client.classifier("nobody").get()
            answers = classifier.predict_many(queries(50), batch=2)
            await anext(answers)
            await answers.aclose()  # type: ignore[attr-defined]

    asyncio.run(walk())
