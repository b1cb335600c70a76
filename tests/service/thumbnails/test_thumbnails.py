"""Thumbnails over HTTP: what they show, what they cost again, and that they go with their image."""

from __future__ import annotations

import io
import os
import sqlite3
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from hashlib import sha256
from pathlib import Path

import httpx2 as httpx
import numpy as np
import pytest
from PIL import Image, ImageCms

from service.thumbnails.drawing import sealed, unsealed
from tests.service.client import Classifier, problem
from tests.service.pictures import encoded, noise, picture
from tests.service.server import Server

NOBODY = "0" * 32


@pytest.fixture(scope="module")
def cache(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The cache folder of the service."""
    return tmp_path_factory.mktemp("cache")


@pytest.fixture(scope="module")
def running(tmp_path_factory: pytest.TempPathFactory, vit: str, cache: Path) -> Iterator[Server]:
    with Server.ready(tmp_path_factory.mktemp("data"), backbone=vit, cache_dir=cache) as server:
        yield server
        server.stop()
        assert "Traceback" not in server.log.read_text()


@pytest.fixture(scope="module")
def http(running: Server) -> Iterator[httpx.Client]:
    with running.client() as client:
        yield client


@pytest.fixture
def made(http: httpx.Client, request: pytest.FixtureRequest) -> Classifier:
    classifier = Classifier(http, request.node.originalname.replace("_", "-")[:60])
    classifier.put(names_carry_meaning=False).raise_for_status()
    return classifier


def registered(made: Classifier, *images: bytes) -> list[str]:
    answer = made.post("ant", *images).raise_for_status()
    return [one["id"] for one in answer.json()["images"]]


def asked(made: Classifier, image_id: str, **headers: str) -> httpx.Response:
    return made.http.get(f"{made.url}/images/{image_id}/thumbnail", headers=headers)


def shown(response: httpx.Response) -> Image.Image:
    assert response.status_code == 200, response.text
    assert response.headers["content-type"] == "image/jpeg"
    return Image.open(io.BytesIO(response.content))


def kept(cache: Path, content: bytes) -> list[Path]:
    return list((cache / "thumbnails").rglob(f"{sha256(content).hexdigest()}.jpg"))


def test_a_large_picture_is_small_upright_and_without_metadata(made: Classifier) -> None:
    sideways = Image.new("RGB", (1600, 1200), "red")
    sideways.paste("blue", (0, 0, 800, 1200))  # left half; at the top once it is turned
    exif = Image.Exif()
    exif[0x0112] = 6  # turn right by a quarter
    exif[0x010E] = "secret"
    srgb = ImageCms.ImageCmsProfile(ImageCms.createProfile("sRGB")).tobytes()
    file = encoded(sideways, "JPEG", exif=exif, icc_profile=srgb, comment=b"secret")
    [image_id] = registered(made, file)
    thumbnail = shown(asked(made, image_id))
    assert thumbnail.size == (192, 256)
    pixels = np.asarray(thumbnail)
    assert pixels[30, 96, 2] > 200 > 60 > pixels[30, 96, 0]
    assert pixels[226, 96, 0] > 200 > 60 > pixels[226, 96, 2]
    assert set(thumbnail.info) <= {"jfif", "jfif_version", "jfif_unit", "jfif_density"}


def test_a_small_picture_stays_as_large_and_looks_the_same(made: Classifier) -> None:
    grey = Image.new("LA", (40, 30), (255, 0))  # transparent: seen on white
    [image_id] = registered(made, encoded(grey))
    thumbnail = shown(asked(made, image_id))
    assert thumbnail.size == (40, 30)
    assert np.asarray(thumbnail).min() > 250


def test_browsers_keep_it_and_are_told_if_it_is_the_same(made: Classifier) -> None:
    image = picture(7)
    [image_id] = registered(made, image)
    first = asked(made, image_id)
    assert first.headers["cache-control"] == "private, max-age=31536000, immutable"
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "sandbox" in first.headers["content-security-policy"]
    tag = first.headers["etag"]
    assert sha256(image).hexdigest() in tag
    again = asked(made, image_id, **{"if-none-match": tag})
    assert (again.status_code, again.content) == (304, b"")
    assert again.headers["etag"] == tag
    assert again.headers["cache-control"] == first.headers["cache-control"]
    assert asked(made, image_id, **{"if-none-match": '"other"'}).status_code == 200
    made.post("bee", picture(8)).raise_for_status()  # a change of the classifier is none of it
    assert asked(made, image_id).headers["etag"] == tag


def test_what_is_kept_is_what_is_answered_and_private(made: Classifier, cache: Path) -> None:
    image = picture(9)
    [image_id] = registered(made, image)
    with ThreadPoolExecutor(8) as threads:
        answers = {one.content for one in threads.map(lambda _: asked(made, image_id), range(24))}
    [answer] = answers
    [file] = kept(cache, image)
    assert unsealed(file.read_bytes()) == answer
    assert file.stat().st_mode & 0o077 == 0
    other = encoded(noise(10), "JPEG")
    file.write_bytes(sealed(other))  # so it is read, not made
    assert asked(made, image_id).content == other
    file.unlink()
    assert asked(made, image_id).content == answer


@pytest.mark.parametrize("left", [b"", bytes(500), b"\xff\xd8 cut off", None])
def test_what_the_disk_kept_in_part_or_otherwise_is_made_again(
    made: Classifier, cache: Path, left: bytes | None
) -> None:
    image = picture(30)
    [image_id] = registered(made, image)
    answer = asked(made, image_id).content
    [file] = kept(cache, image)
    content = bytearray(file.read_bytes())
    content[len(content) // 2] ^= 1
    file.write_bytes(content if left is None else left)  # as a loss of power does
    assert asked(made, image_id).content == answer
    assert unsealed(file.read_bytes()) == answer


def test_there_is_none_of_what_is_not_there(made: Classifier, http: httpx.Client) -> None:
    [image_id] = registered(made, picture(11))
    problem(asked(made, NOBODY), 404, "image-not-found", NOBODY, "GET")
    problem(asked(made, "not-an-id"), 404, "image-not-found")
    problem(http.get(f"{made.url}/inbox/{NOBODY}/thumbnail"), 404, "not-in-the-inbox")
    nowhere = Classifier(http, "nowhere")
    problem(asked(nowhere, image_id), 404, "classifier-not-found")
    problem(http.get(f"{nowhere.url}/inbox/{NOBODY}/thumbnail"), 404, "classifier-not-found")
    other = Classifier(http, "other-of-thumbnails")
    other.put().raise_for_status()
    problem(asked(other, image_id), 404, "image-not-found")


def test_bytes_that_were_not_kept_have_none(small: Classifier) -> None:
    small.put(names_carry_meaning=False, remember="all").raise_for_status()
    [image_id] = registered(small, picture(12))
    problem(asked(small, image_id), 404, "image-not-stored", "HANDFUL_STORE_IMAGES")
    small.predictions(picture(13))
    item = remembered(small)
    answer = small.http.get(f"{small.url}/inbox/{item}/thumbnail")
    problem(answer, 404, "image-not-stored", "HANDFUL_STORE_IMAGES")


def test_a_remembered_query_has_one(made: Classifier, cache: Path) -> None:
    made.put(names_carry_meaning=False, remember="all").raise_for_status()
    registered(made, picture(14))
    query = encoded(noise(15, (600, 300)))
    made.predictions(query)
    answer = made.http.get(f"{made.url}/inbox/{remembered(made)}/thumbnail")
    assert shown(answer).size == (256, 128)
    assert len(kept(cache, query)) == 1


def test_bytes_that_are_damaged_are_a_problem_of_that_image_alone(
    made: Classifier, running: Server
) -> None:
    good, bad = picture(16), picture(17)
    ids = registered(made, good, bad)
    with closing(sqlite3.connect(running.data_dir / "handful.db", timeout=30)) as database:
        database.execute(
            "UPDATE image_contents SET content = ? WHERE image_id = "
            "(SELECT id FROM images WHERE content_key = ?)",
            (bad[:100], sha256(bad).hexdigest()),
        )
        database.commit()
    problem(asked(made, ids[1]), 500, "image-damaged", "are damaged")
    assert shown(asked(made, ids[0])).size == (40, 40)


def test_they_go_with_their_images_and_stay_as_long_as_history(
    tmp_path: Path, vit: str, tmp_path_factory: pytest.TempPathFactory
) -> None:
    """Housekeeping looks for them at the start, and each hour."""
    cache = tmp_path / "cache"
    stays, archived, forgotten, query = (encoded(noise(seed)) for seed in (1, 2, 3, 4))
    left = tmp_path / "cache/thumbnails/0123456789abcdef/_/ab" / f"{'ab' * 32}.jpg"
    with Server.ready(tmp_path / "data", backbone=vit, cache_dir=cache) as server:
        with server.client() as http:
            made, gone = Classifier(http, "stays"), Classifier(http, "gone")
            for one in (made, gone):
                one.put(names_carry_meaning=False, remember="all").raise_for_status()
            ids = registered(made, stays, archived)
            [other] = registered(gone, forgotten)
            made.predictions(query)
            item = remembered(made)
            for image_id in ids:
                shown(asked(made, image_id))
            shown(asked(gone, other))
            shown(http.get(f"{made.url}/inbox/{item}/thumbnail"))
            http.delete(f"{made.class_url('ant')}/images/{ids[1]}").raise_for_status()
            problem(asked(made, ids[1]), 404, "image-not-found")  # at once
            [file] = kept(cache, forgotten)
            thumbnail = file.read_bytes()
            http.delete(gone.url).raise_for_status()
        server.stop()
    file.write_bytes(thumbnail)  # on a busy machine the look at the start may come after all this
    left.parent.mkdir(parents=True)
    left.write_bytes(b"of a database that nobody serves any more")
    old = time.time() - 8 * 86_400
    os.utime(left, (old, old))
    assert all(kept(cache, one) for one in (stays, archived, forgotten, query))
    with Server.ready(tmp_path / "data", backbone=vit, cache_dir=cache) as server:
        until = time.monotonic() + 60
        while (kept(cache, forgotten) or left.exists()) and time.monotonic() < until:
            time.sleep(0.05)
        assert not kept(cache, forgotten)
        assert not left.exists()
        assert all(kept(cache, one) for one in (stays, archived, query))
        with server.client() as http:
            http.delete(f"{made.url}/history").raise_for_status()
        server.stop()
    with Server.ready(tmp_path / "data", backbone=vit, cache_dir=cache) as server:
        until = time.monotonic() + 60
        while kept(cache, archived) and time.monotonic() < until:
            time.sleep(0.05)
        assert not kept(cache, archived)
        assert all(kept(cache, one) for one in (stays, query))
        server.stop()


def test_a_cache_that_cannot_be_written_costs_time_alone(tmp_path: Path, vit: str) -> None:
    (tmp_path / "cache").mkdir()
    (tmp_path / "cache/thumbnails").write_text("no folder")
    with Server.ready(tmp_path / "data", backbone=vit, cache_dir=tmp_path / "cache") as server:
        with server.client() as http:
            made = Classifier(http, "made")
            made.put(names_carry_meaning=False).raise_for_status()
            [image_id] = registered(made, picture(18))
            assert shown(asked(made, image_id)).size == (40, 40)
            assert shown(asked(made, image_id)).size == (40, 40)
        server.stop()
        assert server.log.read_text().count("thumbnails cannot be kept") == 1


def remembered(made: Classifier) -> str:
    """The id of the newest remembered query; it is written after the answer."""
    until = time.monotonic() + 30
    while not (items := made.http.get(f"{made.url}/inbox").json()["items"]):
        assert time.monotonic() < until
        time.sleep(0.02)
    return str(items[0]["id"])
