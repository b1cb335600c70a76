"""The description of the API: complete, with examples, and true."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import httpx2 as httpx
import pytest
from fastapi_problem.error import StatusProblem

from service import problems
from tests.service.client import Classifier, Json
from tests.service.pictures import picture

METHODS = {"get", "put", "post", "delete", "patch", "head", "options"}
PROMISED = {
    ("get", "/v1/classifiers"),
    ("put", "/v1/classifiers/{name}"),
    ("get", "/v1/classifiers/{name}"),
    ("delete", "/v1/classifiers/{name}"),
    ("get", "/v1/classifiers/{name}/classes"),
    ("post", "/v1/classifiers/{name}/support"),
    ("post", "/v1/classifiers/{name}/predict"),
    ("post", "/v1/classifiers/{name}/suggest"),
    ("post", "/v1/classifiers/{name}/similar"),
    ("post", "/v1/embeddings"),
    ("put", "/v1/prompts/{name}"),
    ("get", "/v1/prompts/{name}"),
    ("delete", "/v1/prompts/{name}"),
    ("get", "/v1/prompts"),
    ("get", "/v1/classifiers/{name}/report"),
    ("get", "/v1/classifiers/{name}/report/labels"),
    ("get", "/v1/classifiers/{name}/report/confused"),
    ("get", "/v1/classifiers/{name}/report.html"),
    ("get", "/v1/classifiers/{name}/report.png"),
    ("get", "/v1/classifiers/{name}/report.svg"),
    ("get", "/v1/classifiers/{name}/suggest"),
    ("get", "/v1/classifiers/{name}/export"),
    ("get", "/v1/classifiers/{name}/export.faiss.zip"),
    ("put", "/v1/classifiers/{name}/import"),
    ("put", "/v1/classifiers/{name}/classes/{label}"),
    ("get", "/v1/classifiers/{name}/classes/{label}"),
    ("delete", "/v1/classifiers/{name}/classes/{label}"),
    ("post", "/v1/classifiers/{name}/classes/{label}/images"),
    ("get", "/v1/classifiers/{name}/classes/{label}/images/{image_id}"),
    ("delete", "/v1/classifiers/{name}/classes/{label}/images/{image_id}"),
    ("get", "/v1/classifiers/{name}/inbox"),
    ("get", "/v1/classifiers/{name}/inbox/accuracy"),
    ("get", "/v1/classifiers/{name}/inbox/{item_id}"),
    ("get", "/v1/classifiers/{name}/inbox/{item_id}/image"),
    ("get", "/v1/classifiers/{name}/inbox/{item_id}/thumbnail"),
    ("get", "/v1/classifiers/{name}/images/{image_id}/thumbnail"),
    ("get", "/v1/classifiers/{name}/map"),
    ("post", "/v1/classifiers/{name}/inbox/{item_id}"),
    ("get", "/v1/jobs"),
    ("get", "/v1/jobs/{job_id}"),
    ("delete", "/v1/jobs/{job_id}"),
    ("get", "/v1/jobs/{job_id}/results"),
    ("get", "/v1/jobs/{job_id}/events"),
    ("post", "/v1/classifiers/{name}/copy"),
    ("post", "/v1/classifiers/{name}/rename"),
    ("post", "/v1/classifiers/{name}/merge"),
    ("post", "/v1/classifiers/{name}/classes/{label}/rename"),
    ("post", "/v1/classifiers/{name}/classes/{label}/merge"),
    ("post", "/v1/classifiers/{name}/images/move"),
    ("post", "/v1/classifiers/{name}/images/delete"),
    ("get", "/v1/classifiers/{name}/history"),
    ("delete", "/v1/classifiers/{name}/history"),
    ("post", "/v1/classifiers/{name}/revert"),
    ("get", "/v1/classifiers/{name}/annotations"),
    ("put", "/v1/classifiers/{name}/annotations"),
    ("get", "/v1/classifiers/{name}/classes/{label}/annotations"),
    ("put", "/v1/classifiers/{name}/classes/{label}/annotations"),
    ("get", "/v1/classifiers/{name}/classes/{label}/images/{image_id}/annotations"),
    ("put", "/v1/classifiers/{name}/classes/{label}/images/{image_id}/annotations"),
    ("post", "/v1/re-embedding"),
    ("get", "/v1/re-embedding"),
    ("delete", "/v1/re-embedding"),
    ("get", "/v1/usage"),
    ("get", "/v1/audit"),
    ("get", "/v1/keys"),
    ("post", "/v1/keys"),
    ("post", "/v1/keys/{key_id}/rotate"),
    ("delete", "/v1/keys/{key_id}"),
    ("get", "/v1/session"),
    ("post", "/v1/session"),
    ("delete", "/v1/session"),
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/metrics"),
}


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> Json:
    answer = http.get("/openapi.json")
    assert answer.status_code == 200
    described: Json = answer.json()
    return described


def operations(document: Json) -> Iterator[tuple[str, str, Json]]:
    for path, item in document["paths"].items():
        for method, operation in item.items():
            if method in METHODS:
                yield method, path, operation


def nodes(value: Any) -> Iterator[Json]:
    """Every object in a JSON document."""
    if isinstance(value, dict):
        yield value
        for inner in value.values():
            yield from nodes(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from nodes(inner)


def resolved(document: Json, reference: str) -> Json:
    found: Any = document
    for step in reference.removeprefix("#/").split("/"):
        found = found[step]
    assert isinstance(found, dict)
    return found


def test_all_that_was_promised_is_described_and_nothing_else(document: Json) -> None:
    described = {
        (method, path.replace("{label:path}", "{label}"))
        for method, path, _ in operations(document)
    }
    assert described == PROMISED


def test_the_document_is_well_formed(document: Json) -> None:
    assert document["openapi"].startswith("3.1")
    assert document["info"]["title"] == "Handful"
    assert document["info"]["version"]
    ids = [operation["operationId"] for _, _, operation in operations(document)]
    assert len(ids) == len(set(ids))
    for node in nodes(document):
        if isinstance(reference := node.get("$ref"), str):
            assert resolved(document, reference)


def test_paths_and_their_parameters_agree(document: Json) -> None:
    for _, path, operation in operations(document):
        named = {part[1:-1] for part in path.split("/") if part.startswith("{")}
        described = {p["name"] for p in operation.get("parameters", []) if p["in"] == "path"}
        assert described == named, path


def test_every_operation_has_a_summary_and_a_tag(document: Json) -> None:
    for method, path, operation in operations(document):
        assert operation.get("summary"), (method, path)
        assert operation.get("tags"), (method, path)
        assert "2" in {status[0] for status in operation["responses"]}, (method, path)


def test_every_parameter_is_described(document: Json) -> None:
    for method, path, operation in operations(document):
        for parameter in operation.get("parameters", []):
            assert parameter.get("description"), (method, path, parameter["name"])


def test_errors_are_described_as_problem_documents_with_examples(document: Json) -> None:
    for method, path, operation in operations(document):
        for status, response in operation["responses"].items():
            if status[0] not in "45":
                continue
            assert set(response["content"]) == {"application/problem+json"}, (method, path, status)


def documented_problems(operation: Json) -> set[tuple[str, int]]:
    """Type and status of the example problems of an operation."""
    return {
        (node["type"], node["status"])
        for status, response in operation["responses"].items()
        if status.isdecimal() and status[0] in "45"
        for node in nodes(response["content"])
        if isinstance(node.get("status"), int) and isinstance(node.get("type"), str)
    }


def test_every_operation_names_the_problems_that_are_its_own(document: Json) -> None:
    known = {
        (one.type_, one.status)
        for one in vars(problems).values()
        if isinstance(one, type) and issubclass(one, StatusProblem) and one is not StatusProblem
    }
    for method, path, operation in operations(document):
        if not path.startswith("/v1"):
            continue
        told = documented_problems(operation)
        assert told <= known, (method, path, told - known)
        assert ("not-ready", 503) in told, (method, path)
        creates = method == "put" and path.removeprefix("/v1/classifiers/{name}") in {"", "/import"}
        if path.startswith("/v1/classifiers/{name}") and not creates:
            assert ("classifier-not-found", 404) in told, (method, path)
        takes_images = "image/jpeg" in operation.get("requestBody", {}).get("content", {})
        if takes_images and method == "post" and "{name}" in path:
            assert {
                ("not-an-image", 422),
                ("broken-image", 422),
                ("image-too-large", 413),
                ("empty-upload", 422),
                ("unsupported-media-type", 415),
            } <= told, (method, path)


def test_answers_have_examples(document: Json) -> None:
    for method, path, operation in operations(document):
        if not path.startswith("/v1"):
            continue
        for status, response in operation["responses"].items():
            schema = response.get("content", {}).get("application/json", {}).get("schema")
            if status[0] != "2" or schema is None:
                continue
            pending, seen, found = [schema], [], False
            while pending:
                one = pending.pop()
                for node in nodes(one):
                    found = found or bool(node.get("examples"))
                    reference = node.get("$ref")
                    if isinstance(reference, str) and reference not in seen:
                        seen.append(reference)
                        pending.append(resolved(document, reference))
            assert found, (method, path, status)


def test_uploads_are_described_as_files(document: Json) -> None:
    for path in (
        "/v1/classifiers/{name}/predict",
        "/v1/classifiers/{name}/classes/{label}/images",
    ):
        body = document["paths"][path]["post"]["requestBody"]
        assert body["required"] is True
        assert {"multipart/form-data", "image/jpeg", "image/png"} <= set(body["content"])
    support = document["paths"]["/v1/classifiers/{name}/support"]["post"]["requestBody"]
    assert {"multipart/form-data", "application/zip"} <= set(support["content"])


def test_a_prediction_has_the_members_that_are_described(
    document: Json, classifier: Classifier
) -> None:
    classifier.post("ant", picture(1))
    answer = classifier.predict(picture(1)).json()
    schemas = document["components"]["schemas"]
    [prediction] = answer["predictions"]
    of_several = {"labels", "threshold"}
    for name, value in [
        ("PredictionsOut", answer),
        ("PredictionOut", prediction),
        ("RankedLabelOut", prediction["top_k"][0]),
        ("EvidenceOut", prediction["evidence"][0]),
    ]:
        assert set(value) == set(schemas[name]["properties"]) - of_several, name


def test_the_example_settings_are_accepted(document: Json, classifier: Classifier) -> None:
    [example] = document["components"]["schemas"]["ClassifierSettingsIn"]["examples"]
    assert classifier.put(**example).status_code == 200
    assert list(classifier.counts()) == example["classes"]
