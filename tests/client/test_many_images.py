"""Many images: beyond the limits of a request, in order, in threads and in tasks."""

from __future__ import annotations

import asyncio
import io
import re
import zipfile
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import pytest
from handful_client import (
    AsyncClient,
    Classifier,
    Client,
    Invalid,
    InvalidImage,
    NotFound,
    RefusedImage,
    TooLarge,
)
from PIL import Image

from tests.client.coloured import coloured
from tests.client.conftest import MOST_IMAGES
from tests.service.server import Server


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
