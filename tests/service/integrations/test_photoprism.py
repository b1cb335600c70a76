"""PhotoPrism's vision service, asked by a stand-in that parses answers as its Go structs do.

PhotoPrism itself is a Go program with libraries of its own, and no registry that tests may use has
it. The stand-in is written from ``internal/ai/vision`` (``api_request.go``, ``api_client.go``,
``api_response.go``): what is sent, which members are parsed into which types, and what then counts
as no result.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from uuid import uuid4

import httpx2 as httpx
import pytest

from tests.service.client import Classifier
from tests.service.colours import coloured
from tests.service.pictures import encoded
from tests.service.server import Server, run_handful

# Members of its structs with their types; a value of another type ends its parsing with an error.
_RESPONSE = {"id": str, "code": int, "error": str, "model": dict, "result": dict}
_MODEL = {"type": str, "default": bool, "name": str, "version": str, "resolution": int}
_LABEL = {
    "name": str,
    "source": str,
    "priority": int,
    "confidence": float,
    "topicality": float,
    "categories": list,
}


def data_uri(image: bytes) -> str:
    return f"data:image/png;base64,{base64.b64encode(image).decode()}"


@dataclass
class PhotoPrism:
    """What its client does with a service of ``Type: labels``, ``RequestFormat: vision``."""

    http: httpx.Client
    uri: str
    key: str = ""

    def ask(self, document: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        """Status and parsed answer."""
        headers = {"content-type": "application/json; charset=utf-8"}
        if self.key:
            headers["authorization"] = f"Bearer {self.key}"
        sent = self.http.post(self.uri, content=json.dumps(document), headers=headers)
        parsed = _parsed(json.loads(sent.content), _RESPONSE)
        parsed["model"] = _parsed(parsed.get("model", {}), _MODEL)
        result = parsed.get("result", {})
        parsed["labels"] = [_parsed(one, _LABEL) for one in result.get("labels") or []]
        return sent.status_code, parsed

    def labels(self, *crops: bytes, **more: object) -> list[tuple[str, str, int]]:
        """Name, source and uncertainty in per cent of a picture's labels, as it keeps them."""
        document = {
            "id": str(uuid4()),
            "model": "handful",
            "version": "latest",
            "suffix": "",
            "stream": False,
            "images": [data_uri(crop) for crop in crops],
            **more,
        }
        _, answer = self.ask(document)
        if answer.get("code", 0) >= 400:
            raise RuntimeError(answer.get("error") or f"error {answer['code']}")
        assert answer["id"] == document["id"]
        return [
            (one["name"], one["source"], _uncertainty(one.get("confidence", 0.0)))
            for one in answer["labels"]
        ]


def _parsed(document: Any, types: dict[str, type]) -> dict[str, Any]:
    assert isinstance(document, dict), document
    for name, value in document.items():
        wanted = types.get(name.lower())  # Go matches names in any case
        if wanted is float and isinstance(value, int) and not isinstance(value, bool):
            continue
        assert wanted is None or isinstance(value, wanted), (name, value)
    return document


def _uncertainty(confidence: float) -> int:
    return 20 if confidence <= 0 else round(100 - confidence * 100)


@dataclass
class Served:
    http: httpx.Client
    server: Server


@pytest.fixture(scope="module")
def served(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Served]:
    """A service with the integration, and with limits that tests reach."""
    folder = tmp_path_factory.mktemp("photoprism")
    limits = {"max_images_per_request": 6, "max_image_bytes": 20_000, "max_request_bytes": 200_000}
    with (
        Server.ready(folder, backbone=vit, integrations="photoprism", **limits) as running,
        running.client() as http,
    ):
        yield Served(http, running)
        running.stop()
    assert "Traceback" not in running.log.read_text()


def shade(colour: str, seed: int) -> bytes:
    return encoded(coloured(colour, seed))


def taught(http: httpx.Client, name: str, **settings: object) -> PhotoPrism:
    made = Classifier(http, name)
    made.put(**settings).raise_for_status()
    for colour in ("navy", "white"):
        made.post(colour, *(shade(colour, seed) for seed in range(6))).raise_for_status()
    return PhotoPrism(http, f"/photoprism/{name}")


def test_a_picture_gets_the_label_of_its_class(served: Served) -> None:
    there = taught(served.http, "colours")
    for colour in ("navy", "white"):
        image = shade(colour, 9)
        [(name, source, uncertainty)] = there.labels(image)
        [said] = Classifier(served.http, "colours").predictions(image)
        assert (name, source) == (said["label"], "image") == (colour, "image")
        assert uncertainty == round(100 - said["probability"] * 100)


def test_crops_of_one_picture_give_each_label_once_and_the_best_first(served: Served) -> None:
    there = taught(served.http, "crops")
    crops = [shade("navy", 9), shade("white", 9), shade("navy", 8)]
    found = there.labels(*crops)
    assert {name for name, _, _ in found} == {"navy", "white"}
    assert there.labels(*reversed(crops)) == found
    assert [uncertainty for *_, uncertainty in found] == sorted(one[2] for one in found)
    said = Classifier(served.http, "crops").predictions(*crops)
    best = max(one["probability"] for one in said if one["label"] == "navy")
    assert ("navy", "image", round(100 - best * 100)) in found


def test_strangers_get_no_label_and_no_error(served: Served) -> None:
    there = taught(served.http, "strangers")
    stranger = shade("red", 1)
    made = Classifier(served.http, "strangers")
    made.post("not-these", *(shade("red", seed) for seed in range(2, 8))).raise_for_status()
    [said] = made.predictions(stranger)
    assert not said["known"]
    assert there.labels(stranger) == []
    assert [name for name, *_ in there.labels(stranger, shade("navy", 9))] == ["navy"]


def test_a_classifier_of_several_labels_gives_all_of_them(served: Served) -> None:
    made = Classifier(served.http, "several")
    made.put(multi_label=True).raise_for_status()
    both = "support?labels=navy&labels=dark"
    for seed in range(4):
        made.post_body(shade("navy", seed), "image/png", both).raise_for_status()
        white = "support?labels=white"
        made.post_body(shade("white", seed), "image/png", white).raise_for_status()
    image = shade("navy", 9)
    [said] = made.predictions(image)
    found = PhotoPrism(served.http, "/photoprism/several").labels(image)
    assert [name for name, *_ in found] == (said["labels"] if said["known"] else [])
    assert {"navy", "dark"} <= {name for name, *_ in found}


@pytest.mark.parametrize(
    ("sent", "status", "told"),
    [
        ({"images": ["https://photos.example/dl/1"]}, 422, "FileScheme: data"),
        ({"images": ["file:///etc/passwd"]}, 422, "FileScheme: data"),
        ({"images": ["aGVsbG8="]}, 422, "FileScheme: data"),
        ({"url": "https://photos.example/dl/1"}, 422, "FileScheme: data"),
        ({"images": []}, 422, "no image"),
        ({"images": [3]}, 422, "images[0]"),
        ({}, 422, "no image"),
        ({"images": ["data:image/png;base64,!!!"]}, 422, "base64"),
        ({"images": ["data:image/png,plain"]}, 422, "base64"),
        ({"images": [data_uri(b"no picture")]}, 422, "images[0]"),
        ({"images": [data_uri(bytes(21_000))]}, 413, "bytes"),
        ({"images": [data_uri(b"")] * 7}, 413, "At most 6 images"),
        ({"id": "x" * 256, "images": []}, 422, "id"),
    ],
)
def test_errors_are_told_in_its_shape(
    served: Served, sent: dict[str, Any], status: int, told: str
) -> None:
    there = taught(served.http, "errors")
    answered, answer = there.ask({"id": "3f1", **sent})
    assert answered == answer["code"] == status, answer
    assert told in answer["error"]
    assert not answer["labels"]
    if status != 422 or "FileScheme" in told:  # it could be read
        assert answer["id"] == "3f1"


def test_what_is_not_there_is_an_error_of_its_own(served: Served) -> None:
    for name, status in (("nobody", 404), ("a/b", 404), ("-a", 422)):
        answered, answer = PhotoPrism(served.http, f"/photoprism/{name}").ask({"images": []})
        assert answered == answer["code"] == status
    empty = Classifier(served.http, "empty")
    empty.put()
    with pytest.raises(RuntimeError, match="has no classes yet"):
        PhotoPrism(served.http, "/photoprism/empty").labels(shade("navy", 1))


def test_only_who_may_predict_gets_labels(tmp_path: Path, vit: str) -> None:
    settings = {"backbone": vit, "integrations": "photoprism", "auth": "keys"}
    with Server.ready(tmp_path, **settings) as running, running.client() as http:
        admin, asks, other = (
            _key(tmp_path, *options)
            for options in (
                ("--scopes", "admin,read,predict,write"),
                ("--scopes", "predict", "--classifiers", "colours"),
                ("--scopes", "predict", "--classifiers", "others"),
            )
        )
        http.headers["authorization"] = f"Bearer {admin}"
        there = taught(http, "colours")
        del http.headers["authorization"]
        image = {"images": [data_uri(shade("navy", 9))]}
        for key, status in ((asks, 200), (other, 403), ("", 401), ("hf_nobody", 401)):
            there.key = key
            answered, answer = there.ask(image)
            assert answered == answer["code"] == status
            assert bool(answer["labels"]) is (status == 200)
        running.stop()
    assert asks not in running.log.read_text()


def _key(data_dir: Path, *options: str) -> str:
    done = run_handful("keys", "create", *options, "--data-dir", str(data_dir))
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()
