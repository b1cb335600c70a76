"""The service does what its OpenAPI document says, and the document says all that it does."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import httpx2 as httpx
import jsonschema
import pytest
from fastapi_problem.error import StatusProblem
from hypothesis import given, settings
from hypothesis import strategies as st
from openapi_spec_validator import validate

from service import problems
from service.api.openapi.schema_types import (
    IMAGE_ID_SCHEMA,
    KEY_ID_SCHEMA,
    LABEL_SCHEMA,
    NAME_SCHEMA,
)
from service.name_validation import checked_classifier, checked_label
from service.problems import InvalidName
from tests.campaigns.contract import answered, run_schemathesis
from tests.service.api.openapi.test_openapi import PROMISED, nodes, operations, resolved
from tests.service.client import Json
from tests.service.server import Server

PROBLEM = "application/problem+json"


@pytest.fixture(scope="module")
def document(http: httpx.Client) -> Json:
    described: Json = http.get("/openapi.json").json()
    return described


# Of a command that takes minutes where others compute beside it.
@pytest.mark.timeout(900)
def test_every_answer_of_the_service_is_described_says_schemathesis(
    spare: Server, tmp_path: Path
) -> None:
    """A short cut of ``python -m tests.campaigns.contract``: all checks, seeded."""
    outcome = run_schemathesis(spare.url, tmp_path, examples=4, scenarios=6, seed=2, coverage=False)
    assert outcome.returncode == 0, outcome.stdout + outcome.stderr
    assert f"{len(PROMISED)} selected / {len(PROMISED)} total" in outcome.stdout
    with spare.client() as http:
        counts = answered(http)
    assert sum(one.get("4xx", 0) for one in counts.values()) > 100
    # It comes past the first refusals.
    for method, path in [
        ("PUT", "/v1/classifiers/{name}"),
        ("POST", "/v1/classifiers/{name}/support"),
        ("POST", "/v1/classifiers/{name}/classes/{label}/images"),
        ("POST", "/v1/classifiers/{name}/predict"),
        ("POST", "/v1/classifiers/{name}/suggest"),
        ("POST", "/v1/classifiers/{name}/similar"),
        ("POST", "/v1/embeddings"),
        ("GET", "/v1/classifiers/{name}/report"),
        ("GET", "/v1/classifiers/{name}/export"),
    ]:
        assert counts[path, method].get("2xx"), (method, path, counts[path, method])


def test_the_document_is_valid_openapi(document: Json) -> None:
    validate(document)


def _in_this(document: Json, schema: Json) -> Json:
    """The schema, with what its references point to."""
    return {**schema, "components": document["components"]}


def _examples(media: Json) -> list[Any]:
    named = [example["value"] for example in media.get("examples", {}).values()]
    return [*named, *([media["example"]] if "example" in media else [])]


def test_every_example_is_as_its_schema_says(document: Json) -> None:
    checked = 0
    for name, schema in document["components"]["schemas"].items():
        for example in schema.get("examples", ()):
            jsonschema.validate(example, _in_this(document, schema))
            checked += 1
        assert schema.get("description"), name
    for _, _, operation in operations(document):
        bodies = [operation.get("requestBody", {}), *operation["responses"].values()]
        for media in (media for body in bodies for media in body.get("content", {}).values()):
            for example in _examples(media):
                jsonschema.validate(example, _in_this(document, media["schema"]))
                checked += 1
        for parameter in operation.get("parameters", ()):
            for example in parameter["schema"].get("examples", ()):
                jsonschema.validate(example, _in_this(document, parameter["schema"]))
                checked += 1
    assert checked > 100


def test_every_content_has_a_schema_and_every_success_a_description(document: Json) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            assert answer["description"], (method, path, status)
            if status in {"204", "304"}:
                assert "content" not in answer, (method, path)
                continue
            for kind, media in answer["content"].items():
                assert media.get("schema"), (method, path, status, kind)


def test_problems_have_a_schema_for_each_status(document: Json) -> None:
    for method, path, operation in operations(document):
        for status, answer in operation["responses"].items():
            if status[0] not in "45":
                continue
            [(kind, media)] = answer["content"].items()
            assert kind == PROBLEM, (method, path, status)
            schema = resolved(document, media["schema"]["$ref"])
            assert schema["properties"]["status"]["const"] == int(status)
            kinds = schema["properties"]["type"]["enum"]
            assert {example["type"] for example in _examples(media)} <= set(kinds)
            assert media["examples"], (method, path, status)


def test_every_problem_of_the_service_is_documented(document: Json) -> None:
    named = {
        example["type"]
        for _, _, operation in operations(document)
        for answer in operation["responses"].values()
        for example in _examples(answer.get("content", {}).get(PROBLEM, {}))
    }
    known = {
        one.type_
        for one in vars(problems).values()
        if isinstance(one, type) and issubclass(one, StatusProblem) and one is not StatusProblem
    }
    # Of paths and methods that are in no operation.
    assert known - named == {"http-not-found", "http-method-not-allowed"}


def test_errors_of_parameters_and_json_are_described(document: Json) -> None:
    errors = document["components"]["schemas"]["Problem422"]["properties"]["errors"]
    assert errors["items"]["required"] == ["type", "loc", "msg"]
    for method, path in [
        ("put", "/v1/classifiers/{name}"),
        ("post", "/v1/classifiers/{name}/predict"),
    ]:
        [media] = document["paths"][path][method]["responses"]["422"]["content"].values()
        assert media["examples"]["request-validation-failed"]["value"]["errors"]


def test_names_labels_and_ids_have_patterns(document: Json) -> None:
    schemas = {
        "name": NAME_SCHEMA,
        "label": LABEL_SCHEMA,
        "image_id": IMAGE_ID_SCHEMA,
        "key_id": KEY_ID_SCHEMA,
    }
    schemas |= dict.fromkeys(("job_id", "item_id"), IMAGE_ID_SCHEMA)
    seen = set()
    for _, _, operation in operations(document):
        for parameter in operation.get("parameters", ()):
            if parameter["in"] == "path":
                assert schemas[parameter["name"]].items() <= parameter["schema"].items()
                seen.add(parameter["name"])
    assert seen == set(schemas)


def test_what_is_no_json_has_its_own_media_type(document: Json, http: httpx.Client) -> None:
    def kinds(path: str, method: str = "get") -> set[str]:
        return set(document["paths"][path][method]["responses"]["200"]["content"])

    assert kinds("/metrics") == {http.get("/metrics").headers["content-type"]}
    assert kinds("/v1/classifiers/{name}/report.html") == {"text/html"}
    assert kinds("/v1/classifiers/{name}/report.png") == {"image/png"}
    assert kinds("/v1/classifiers/{name}/report.svg") == {"image/svg+xml"}
    image = kinds("/v1/classifiers/{name}/classes/{label}/images/{image_id}")
    assert {"image/jpeg", "image/png", "image/webp"} <= image
    assert all(kind.startswith("image/") for kind in image)


def test_links_lead_to_operations_with_their_parameters(document: Json) -> None:
    by_id = {operation["operationId"]: operation for _, _, operation in operations(document)}
    links = [node for node in nodes(document) if "operationId" in node and "parameters" in node]
    followed = [link for link in links if "responses" not in link]
    assert len(followed) > 20
    for link in followed:
        parameters = by_id[link["operationId"]]["parameters"]
        assert set(link["parameters"]) <= {
            parameter["name"] for parameter in parameters if parameter["in"] == "path"
        }


def _accepts(check: Any, name: str) -> bool:
    try:
        check(name)
    except InvalidName:
        return False
    return True


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.text(max_size=70) | st.text("aZ0.-_ /é", max_size=70))
def test_the_pattern_of_names_is_what_is_checked(name: str) -> None:
    assert bool(re.search(NAME_SCHEMA["pattern"], name)) == _accepts(checked_classifier, name)


@settings(max_examples=500, deadline=None, derandomize=True)
@given(st.text(max_size=260) | st.text("a./\\é \x01", max_size=10))
def test_the_pattern_of_labels_refuses_only_what_is_refused(label: str) -> None:
    described = bool(re.search(LABEL_SCHEMA["pattern"], label.strip())) and len(label) <= 255
    if not described and len(label.strip()) <= 255:
        assert not _accepts(checked_label, label)
