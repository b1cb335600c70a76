"""Liveness, readiness and metrics."""

from __future__ import annotations

import re

import httpx2 as httpx
import pytest

from tests.service.client import Classifier, problem
from tests.service.conftest import Small
from tests.service.pictures import picture


def test_a_service_that_is_starting_is_alive(small_service: Small) -> None:
    alive = small_service.early["GET /healthz"]
    assert (alive.status_code, alive.json()) == (200, {"status": "ok"})
    assert small_service.early["GET /openapi.json"].status_code == 200


@pytest.mark.parametrize(
    "request_line",
    [
        "GET /readyz",
        "GET /v1/classifiers",
        "PUT /v1/classifiers/a",
        "POST /v1/classifiers/a/predict",
    ],
)
def test_a_service_that_is_starting_is_not_ready(small_service: Small, request_line: str) -> None:
    answer = small_service.early[request_line]
    problem(answer, 503, "not-ready", "Try again", "/readyz")
    assert int(answer.headers["retry-after"]) > 0


def test_a_service_that_has_started_is_ready(small_service: Small) -> None:
    ready = small_service.http.get("/readyz")
    assert ready.status_code == 200
    assert ready.json() in ({"status": "ready", "storage": one} for one in ("unchecked", "sound"))
    problem(small_service.http.get("/v1/classifiers/a"), 404, "classifier-not-found")


def test_metrics_count_requests_by_route_not_by_name(classifier: Classifier) -> None:
    classifier.post("secret-label", picture(1))
    classifier.predict(picture(2))
    answer = classifier.http.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain")
    assert "/v1/classifiers/{name}/predict" in answer.text
    assert "secret-label" not in answer.text
    assert f"/{classifier.name}/" not in answer.text


def test_metrics_tell_of_the_encoder(classifier: Classifier) -> None:
    classifier.post("ant", picture(1))
    text = classifier.http.get("/metrics").text
    for name in ("handful_encoder_batch_size_count", "handful_encoder_seconds_sum"):
        found = re.search(rf"^{name} (\S+)$", text, re.MULTILINE)
        assert found, name
        assert float(found[1]) > 0


def test_the_documentation_can_be_read(http: httpx.Client) -> None:
    page = http.get("/docs")
    assert page.status_code == 200
    assert page.headers["content-type"].startswith("text/html")
    assert "/openapi.json" in page.text
