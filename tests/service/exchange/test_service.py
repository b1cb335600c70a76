"""What a service makes of files that are refused, that are large, or that it dies of."""

from __future__ import annotations

import hashlib
import sqlite3
import threading
import time
from collections.abc import Iterator
from contextlib import closing, suppress
from dataclasses import replace
from pathlib import Path
from random import Random

import httpx2 as httpx
import pytest
import torch
from torch.nn.functional import normalize

from adapters.backbones import Backbone
from adapters.embeddings import ImageEmbeddings
from service.exchange import ExportedClassifier, ExportedImage, Source, file_pieces
from tests.service.client import Classifier, problem
from tests.service.conftest import Small
from tests.service.exchange.files import MOMENT, made, packed, unpacked, with_json, written
from tests.service.exchange.test_round_trip import ZIP, export, put_file
from tests.service.pictures import picture, zipped
from tests.service.server import Server, run_handful


@pytest.fixture(scope="module")
def own(backbone: Backbone) -> bytes:
    """A file of the backbone of the small service and the spare one."""
    return written(made(backbone.fingerprint))


@pytest.fixture
def empty(spare: Server) -> Iterator[httpx.Client]:
    """A service without classifiers, whatever other modules left on the spare one."""
    with spare.client() as http:
        for one in http.get("/v1/classifiers").json()["classifiers"]:
            http.delete(f"/v1/classifiers/{one['name']}").raise_for_status()
        yield http


def test_files_that_are_refused_leave_nothing(empty: httpx.Client, own: bytes) -> None:
    picture_of_another = unpacked(own)
    name = next(name for name in picture_of_another if name.startswith("images/"))
    content = picture_of_another[name]
    picture_of_another[name] = content[:-1] + bytes([content[-1] ^ 1])
    for file, status, kind, told in [
        (own[:-30], 422, "invalid-upload", "Send what handful export or GET .../export wrote"),
        (zipped({"ant/1.png": picture(1)}), 422, "invalid-upload", "which no classifier's file"),
        (b"", 422, "empty-upload", "curl -T"),
        (with_json(own, "classes.jsonl", 0, label="a/b"), 422, "invalid-name", "slashes"),
        (
            with_json(own, "classifier.json", 0, settings={"coverage": 7}),
            422,
            "invalid-settings",
            "settings.coverage",
        ),
        # It is only seen while it is written, in the midst of the others.
        (packed(picture_of_another), 422, "invalid-upload", "another image than its name says"),
    ]:
        problem(put_file(empty, "refused", file), status, kind, told)
        assert empty.get("/v1/classifiers").json()["classifiers"] == []
    assert put_file(empty, "taken", own).status_code == 201
    # As a version whose head was another wrote it: it is tuned anew.
    other = with_json(own, "classifier.json", 0, tuning={})
    assert put_file(empty, "retuned", other).status_code == 201
    assert empty.get("/v1/classifiers/retuned").json()["tuning"]["votes"] > 0


def test_names_and_kinds_of_bodies_are_checked(empty: httpx.Client, own: bytes) -> None:
    problem(put_file(empty, "-no", own), 422, "invalid-name")
    for kind in ("application/json", "image/png", ""):
        refused = empty.put("/v1/classifiers/a/import", content=own, headers={"content-type": kind})
        problem(refused, 415, "unsupported-media-type", "curl -T FILE.zip")
    missing = empty.get("/v1/classifiers/nobody/export")
    problem(missing, 404, "classifier-not-found")
    problem(empty.get("/v1/classifiers/nobody/export.faiss.zip"), 404, "classifier-not-found")
    head = empty.head("/v1/classifiers/nobody/export")
    assert (head.status_code, head.content) == (404, b"")
    allowed = empty.options("/v1/classifiers/nobody/import").headers["allow"]
    assert allowed == "PUT, OPTIONS"


def test_limits_of_the_service_are_those_of_imports(small_service: Small, own: bytes) -> None:
    http = small_service.http
    large = put_file(http, "small", own + b"\0" * 100_000)
    problem(large, 413, "request-too-large", "at most 100000 are accepted")
    other_path = http.put("/v1/classifiers/small", content=own * 20, headers=ZIP)
    assert other_path.status_code in (413, 422)
    four = made()
    many = replace(
        four,
        classes=[replace(four.classes[0], label=f"class {i}") for i in range(4)],
        texts=normalize(torch.randn(4, 32)),
        labels=torch.empty(0, dtype=torch.int64),
        embeddings=four.embeddings[:0],
        images=[],
    )
    problem(put_file(http, "small", written(many)), 413, "request-too-large", "at most 3")
    assert http.get("/v1/classifiers/small").status_code == 404


def test_a_service_that_keeps_no_images_keeps_none_of_a_file(
    small_service: Small, own: bytes
) -> None:
    made_here = Classifier(small_service.http, "bare")
    assert put_file(made_here.http, "bare", own).status_code == 201
    [first, *_] = made_here.get_class("ant").json()["images"]
    image = made_here.http.get(f"{made_here.class_url('ant')}/images/{first['id']}")
    problem(image, 404, "image-not-stored")
    assert set(unpacked(export(made_here))) == {
        "embeddings.safetensors",
        "images.jsonl",
        "classes.jsonl",
        "classifier.json",
    }
    made_here.http.delete(made_here.url)


def test_images_are_embedded_anew_or_all_at_fault_are_named(empty: httpx.Client) -> None:
    foreign = made()  # of a backbone that nobody has
    assert put_file(empty, "foreign", written(foreign)).status_code == 201
    counted = empty.get("/v1/classifiers/foreign").json()
    assert (counted["n_classes"], counted["n_images"]) == (2, 4)
    assert counted["tuning"]["votes"] == 4
    broken = [picture(seed)[: 200 if seed in (1, 2) else None] for seed in range(4)]
    images = [
        replace(image, sha256=hashlib.sha256(content).hexdigest())
        for image, content in zip(foreign.images or (), broken, strict=True)
    ]
    file = b"".join(file_pieces(replace(foreign, images=images), broken.__getitem__))
    refused = problem(put_file(empty, "broken", file), 422, "broken-image", "2 of 4 images")
    assert [one["file"] for one in refused["files"]] == ["ant/1.png", "bee/2.png"]
    assert empty.get("/v1/classifiers/broken").status_code == 404


MANY = 2000


@pytest.fixture(scope="module")
def large(backbone: Backbone) -> ExportedClassifier:
    """Of many images, each of which has its number behind the picture."""
    rows = normalize(torch.randn(MANY, 32, generator=torch.Generator().manual_seed(3)))
    few = made()
    return replace(
        few,
        source=Source(fingerprint=backbone.fingerprint, name=backbone.name),
        labels=torch.arange(MANY) % 2,
        embeddings=ImageEmbeddings(rows, rows.flip(0)),
        images=[
            ExportedImage(
                id=f"{place:032x}",
                label=few.classes[place % 2].label,
                filename=f"{place}.png",
                sha256=hashlib.sha256(content(place)).hexdigest(),
                media_type="image/png",
                width=40,
                height=40,
                created_at=MOMENT,
            )
            for place in range(MANY)
        ],
    )


PICTURE = picture(0)


def content(place: int) -> bytes:
    return PICTURE + place.to_bytes(4, "big")


ROUNDS = 4


@pytest.mark.long
def test_killing_in_the_midst_of_an_import_leaves_all_of_it_or_nothing(
    tmp_path: Path, vit: str, large: ExportedClassifier
) -> None:
    file = b"".join(file_pieces(large, content))
    moments, outcomes = Random(1), set()
    with Server.ready(tmp_path / "timed", backbone=vit) as server, server.client() as http:
        begin = time.monotonic()
        assert put_file(http, "whole", file).status_code == 201
        whole = time.monotonic() - begin
        server.stop()
    data_dir = tmp_path / "killed"
    for number in range(ROUNDS):
        with Server.ready(data_dir, backbone=vit) as server, server.client() as http:
            importing = threading.Thread(target=_put_or_die, args=(http, f"i{number}", file))
            importing.start()
            time.sleep(whole * moments.uniform(0.3, 1.1))
            server.kill()
            importing.join()
        with Server.ready(data_dir, backbone=vit) as server, server.client() as http:
            found = http.get(f"/v1/classifiers/i{number}")
            outcomes.add(found.status_code)
            if found.status_code == 200:
                assert found.json()["n_images"] == MANY
                one = Classifier(http, f"i{number}").predictions(picture(0), evidence=2)
                assert len(one[0]["evidence"]) == 2
                http.delete(f"/v1/classifiers/i{number}").raise_for_status()
            server.stop()
        with closing(sqlite3.connect(data_dir / "handful.db")) as database:
            for table in ("classifiers", "classes", "images", "image_contents", "support"):
                [[rows]] = database.execute(f"SELECT count(*) FROM {table}").fetchall()
                assert rows == 0, table
    assert 404 in outcomes


def _put_or_die(http: httpx.Client, name: str, file: bytes) -> None:
    with suppress(httpx.HTTPError):
        put_file(http, name, file)


def test_a_large_file_goes_there_and_back_within_bounds(
    tmp_path: Path, vit: str, large: ExportedClassifier
) -> None:
    """Also by command; and queries of others are answered meanwhile."""
    file = tmp_path / "large.zip"
    with file.open("wb") as opened:
        for piece in file_pieces(large, content):
            opened.write(piece)
            assert len(piece) < 3 * 2**20
    done = run_handful("import", str(file), "--data-dir", str(tmp_path / "data"), backbone=vit)
    assert done.returncode == 0, done.stderr
    with Server.ready(tmp_path / "data", backbone=vit) as server, server.client() as http:
        with http.stream("GET", "/v1/classifiers/large/export") as answer:
            assert answer.status_code == 200
            assert b"".join(answer.iter_bytes()) == file.read_bytes()
        server.stop()
        assert "Traceback" not in server.log.read_text()
