"""A move to another recipe, asked of a running service and waited for."""

from __future__ import annotations

import time
from typing import Any

import httpx2 as httpx

from tests.service.client import Classifier
from tests.service.pictures import picture

Json = dict[str, Any]
PATIENCE = 120.0
LABELS = ["ant", "bee", "cat"]


def status(http: httpx.Client) -> Json:
    answer = http.get("/v1/re-embedding")
    assert answer.status_code == 200, answer.text
    found: Json = answer.json()
    return found


def begin(http: httpx.Client, precision: str) -> Json:
    answer = http.post("/v1/re-embedding", json={"precision": precision})
    assert answer.status_code == 202, answer.text
    found: Json = answer.json()
    return found


def ended(http: httpx.Client) -> Json:
    """The status once nothing is under way any more, or it has failed."""
    until = time.monotonic() + PATIENCE
    while (now := status(http))["state"] not in ("none", "failed"):
        assert time.monotonic() < until, now
        time.sleep(0.05)
    return now


def filled(http: httpx.Client, name: str, n: int = 6, **settings: object) -> Classifier:
    """A classifier of n images in each of three classes, the same ones each time."""
    made = Classifier(http, name)
    assert made.put(**settings).status_code == 201
    for place, label in enumerate(LABELS):
        contents = [picture(100 * place + i) for i in range(n)]
        assert made.post(label, *contents).status_code == 201
    return made


def terms(classifier: Classifier, *images: bytes) -> list[list[float]]:
    """What the answers are made of, for each image: logits of all classes, by their labels."""
    return [
        [one["zero_shot"] + one["cache"] for one in sorted(answer["top_k"], key=_label)]
        for answer in classifier.predictions(*images, top_k=3)
    ]


def _label(candidate: Json) -> str:
    label: str = candidate["label"]
    return label
