"""Hugging Face's shapes, spoken by its own client to a service on a socket."""

from __future__ import annotations

import asyncio
import base64
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2 as httpx
import pytest
from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.errors import HfHubHTTPError

from adapters.loading import load_backbone
from service.images.decoding import decode
from tests.service.client import Classifier, of_four
from tests.service.pictures import picture
from tests.service.server import Server

TOKEN = "hf_" + "x" * 34  # as a hub token looks
MOST_BYTES = 50_000


@pytest.fixture(scope="module")
def hub(tmp_path_factory: pytest.TempPathFactory, vit: str) -> Iterator[Server]:
    settings = {"max_request_bytes": MOST_BYTES, "access_log": True}
    data_dir = tmp_path_factory.mktemp("hugging-face")
    with Server.ready(data_dir, backbone=vit, integrations="hugging-face", **settings) as running:
        yield running
        running.stop()
        log = running.log.read_text()
        assert "Traceback" not in log
        assert "/hugging-face/insects" in log
        assert TOKEN not in log


@pytest.fixture(scope="module")
def http(hub: Server) -> Iterator[httpx.Client]:
    with hub.client() as client:
        yield client


@pytest.fixture(scope="module")
def insects(http: httpx.Client) -> Classifier:
    return of_four(http, "insects")


@pytest.fixture(scope="module")
def client(hub: Server, insects: Classifier) -> InferenceClient:
    return InferenceClient(model=f"{hub.url}/hugging-face/insects", token=TOKEN)


@pytest.fixture(scope="module")
def anything(hub: Server) -> InferenceClient:
    """A client of zero-shot classification, which needs no classifier."""
    return InferenceClient(model=f"{hub.url}/hugging-face", token=TOKEN)


def ranked(insects: Classifier, image: bytes) -> list[tuple[str, float]]:
    [one] = insects.predictions(image)
    return [(each["label"], each["probability"]) for each in one["top_k"]]


def test_an_image_is_classified_as_by_the_service_itself(
    client: InferenceClient, insects: Classifier, tmp_path: Path
) -> None:
    file = tmp_path / "a.png"
    file.write_bytes(picture(7))
    for image in (picture(7), file, str(file)):
        found = client.image_classification(image)
        assert [(one.label, one.score) for one in found] == ranked(insects, picture(7))


def test_parameters_are_heeded(client: InferenceClient, insects: Classifier) -> None:
    [best] = client.image_classification(picture(3), top_k=1)
    assert (best.label, best.score) == ranked(insects, picture(3))[0]
    same = client.image_classification(picture(3), function_to_apply="softmax")
    assert [(one.label, one.score) for one in same] == ranked(insects, picture(3))
    logits = client.image_classification(picture(3), function_to_apply="none")
    [one] = insects.predictions(picture(3))
    assert [each.score for each in logits] == pytest.approx(
        [each["zero_shot"] + each["cache"] for each in one["top_k"]]
    )


@pytest.mark.filterwarnings("ignore:Use 'content=:DeprecationWarning")  # the client's own
def test_the_asynchronous_client_is_answered_too(hub: Server, insects: Classifier) -> None:
    async def ask() -> list[Any]:
        async with AsyncInferenceClient(model=f"{hub.url}/hugging-face/insects") as client:
            return [
                *await asyncio.gather(*(client.image_classification(picture(7)) for _ in range(3)))
            ]

    for found in asyncio.run(ask()):
        assert [(one.label, one.score) for one in found] == ranked(insects, picture(7))


def test_several_labels_have_probabilities_of_their_own(hub: Server, http: httpx.Client) -> None:
    several = Classifier(http, "several")
    several.put(multi_label=True).raise_for_status()
    for label, seeds in (("ant", range(4)), ("bee", range(3, 7))):
        several.post(label, *map(picture, seeds)).raise_for_status()
    client = InferenceClient(model=f"{hub.url}/hugging-face/several")
    found = client.image_classification(picture(3), function_to_apply="sigmoid")
    assert [(one.label, one.score) for one in found] == ranked(several, picture(3))
    with pytest.raises(HfHubHTTPError, match="is 'sigmoid' of a classifier"):
        client.image_classification(picture(3), function_to_apply="softmax")


def test_data_uris_and_plain_bodies_are_taken(http: httpx.Client, insects: Classifier) -> None:
    uri = f"data:image/png;base64,{base64.b64encode(picture(7)).decode()}"
    bodies: list[dict[str, Any]] = [
        {"json": {"inputs": uri, "options": {"wait_for_model": True}}},
        {"json": {"inputs": uri, "parameters": None}},
        {"content": picture(7)},
        {
            "content": picture(7),
            "headers": {"content-type": "application/x-www-form-urlencoded"},  # curl's
        },
    ]
    for body in bodies:
        answer = http.post("/hugging-face/insects", **body)
        assert answer.status_code == 200, answer.text
        assert [(one["label"], one["score"]) for one in answer.json()] == ranked(
            insects, picture(7)
        )


def test_zero_shot_is_the_softmax_of_the_cosines(anything: InferenceClient, vit: str) -> None:
    labels = ["a forest", "the sea", "sand"]
    backbone = load_backbone(vit, "cpu")
    pixels = backbone.preprocess(decode(picture(7), 10**6, "it", side=backbone.image_size).pixels)
    image = backbone.encode_images(pixels.unsqueeze(0)).frozen[0]
    for template in (None, "seen from above: {}"):
        found = anything.zero_shot_image_classification(
            picture(7),
            labels,
            hypothesis_template=template,  # type: ignore[arg-type]
        )
        texts = backbone.encode_classes(labels, () if template is None else (template,))
        expected = (backbone.logit_scale * texts @ image).softmax(0).tolist()
        scores = {one.label: one.score for one in found}
        assert [scores[label] for label in labels] == pytest.approx(expected, abs=1e-4)
        assert [one.score for one in found] == sorted(scores.values(), reverse=True)
        assert sum(scores.values()) == pytest.approx(1, abs=1e-5)


def test_labels_are_embedded_once(hub: Server, anything: InferenceClient) -> None:
    def embedded() -> float:
        with hub.client() as http:
            lines = http.get("/metrics").text.splitlines()
        [line] = [one for one in lines if one.startswith("handful_text_seconds_count")]
        return float(line.rpartition(" ")[2])

    labels = ["an abbey", "a bridge"]
    first = anything.zero_shot_image_classification(picture(7), labels)
    passes = embedded()
    again = anything.zero_shot_image_classification(picture(7), labels)
    assert embedded() == passes
    assert [one.label for one in again] == [one.label for one in first]
    assert [one.score for one in again] == pytest.approx([one.score for one in first])


@pytest.mark.parametrize(
    ("parameters", "told"),
    [
        ({}, "candidate_labels is missing. Name two labels or more, or a classifier"),
        ({"candidate_labels": []}, "has not two different labels"),
        ({"candidate_labels": ["a", "a"]}, "has not two different labels"),
        ({"candidate_labels": "a,b"}, "candidate_labels is no list"),
        ({"candidate_labels": ["a", 3]}, "candidate_labels[1] is no string"),
        ({"candidate_labels": ["a", ""]}, "candidate_labels[1]"),
        ({"candidate_labels": ["a", "b\0"]}, "candidate_labels[1]"),
        ({"candidate_labels": ["a", "b" * 256]}, "candidate_labels[1]"),
        ({"candidate_labels": [str(i) for i in range(1001)]}, "candidate_labels"),
        ({"candidate_labels": ["a", "b"], "hypothesis_template": "none"}, "hypothesis_template"),
        ({"candidate_labels": ["a", "b"], "hypothesis_template": "{}" * 6}, "at most 5 places"),
        ({"candidate_labels": ["a", "b"], "hypothesis_template": "{}" + "x" * 500}, "hypothesis"),
        ({"candidate_labels": ["a", "b"], "top_k": 1}, "top_k is for image classification"),
        ({"candidate_labels": ["a", "b"], "threshold": 1}, "threshold is nothing that is read"),
    ],
)
def test_zero_shot_says_what_is_wrong(
    http: httpx.Client, parameters: dict[str, Any], told: str
) -> None:
    inputs = base64.b64encode(picture(7)).decode()
    answer = http.post("/hugging-face", json={"inputs": inputs, "parameters": parameters})
    assert answer.status_code == 422
    assert told in answer.json()["error"]


@pytest.mark.parametrize(
    ("body", "status", "told"),
    [
        ({}, 422, "inputs is missing"),
        ({"inputs": 3}, 422, "inputs is no string"),
        ({"inputs": "%"}, 422, "inputs is no base64"),
        ({"inputs": ""}, 422, "inputs"),
        ({"inputs": "http://127.0.0.1/a.png"}, 422, "is a URL, and this service fetches none"),
        ({"inputs": "aGVsbG8=", "parameters": {"top_k": 0}}, 422, "parameters.top_k"),
        ({"inputs": "aGVsbG8=", "parameters": {"top_k": 1001}}, 422, "parameters.top_k"),
        ({"inputs": "aGVsbG8=", "parameters": []}, 422, "parameters"),
        ({"inputs": "aGVsbG8="}, 422, "inputs"),
        ([], 422, "no object"),
    ],
)
def test_bodies_that_are_malformed_are_told(
    http: httpx.Client, insects: Classifier, body: Any, status: int, told: str
) -> None:
    answer = http.post("/hugging-face/insects", json=body)
    assert answer.status_code == status
    assert told in answer.json()["error"]


def test_what_the_client_raises_says_how_to_mend_it(
    hub: Server, client: InferenceClient, anything: InferenceClient
) -> None:
    nobody = InferenceClient(model=f"{hub.url}/hugging-face/nobody", token=TOKEN)
    cases = [
        (lambda: nobody.image_classification(picture(1)), "There is no classifier 'nobody'"),
        (lambda: client.image_classification(b"hello"), "is not an image in a known format"),
        (lambda: client.image_classification(picture(1)[:-100]), "cut short|damaged|truncated"),
        (lambda: client.image_classification(b"\0" * MOST_BYTES * 2), "at most 50000"),
        (lambda: anything.image_classification(picture(1)), "Name two labels or more"),
        (
            lambda: client.zero_shot_image_classification(picture(1), ["a", "b"]),
            "POST to /hugging-face without 'insects'",
        ),
        (
            lambda: client.image_classification(picture(1), function_to_apply="sigmoid"),
            "is 'softmax', or 'none' for logits",
        ),
    ]
    for ask, told in cases:
        with pytest.raises(HfHubHTTPError, match=told):
            ask()
    with pytest.raises(ValueError, match="at least 2"):  # the client itself
        anything.zero_shot_image_classification(picture(1), ["a"])


def test_forms_are_refused_with_what_is_taken(http: httpx.Client, insects: Classifier) -> None:
    answer = http.post("/hugging-face/insects", files={"inputs": picture(1)})
    assert answer.status_code == 415
    assert "Send the bytes of one image" in json.loads(answer.content)["error"]
