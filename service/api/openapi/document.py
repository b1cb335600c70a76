"""The OpenAPI document: answers that come from around the routes, and schemas of problems.

Each route names the problems of its own (``responses.py``). Those that come before a route is
reached, or whatever it does, are added here to the operations they can meet.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import cast, get_args

from fastapi import APIRouter, FastAPI
from fastapi.routing import APIRoute
from fastapi_problem.error import StatusProblem
from pydantic import BaseModel
from starlette.routing import BaseRoute

from service import problems
from service.access.required_access import required_access
from service.api.openapi.key_security import with_security
from service.api.openapi.links import link
from service.api.openapi.responses import PROBLEM_JSON, Document, problem_responses, titles
from service.problems import (
    CsrfTokenRequired,
    ForeignOrigin,
    InternalError,
    InvalidName,
    InvalidPath,
    InvalidRequest,
    KeyRequired,
    KeysUnavailable,
    MalformedRequest,
    NotAllowed,
    Overloaded,
    QuotaExceeded,
    RateLimited,
    RequestHeadTooLarge,
    RequestTimeout,
    RequestTooLarge,
    ShuttingDown,
    UnknownHost,
    UnsupportedMediaType,
)

_METHODS = ("get", "put", "post", "patch", "delete")


@dataclass(frozen=True, slots=True)
class _Around:
    """Problems from around the routes.

    Attributes:
        meets: Whether an operation can be answered so, by its path, its method and what the
            document says of it.
        examples: The problems.
    """

    meets: Callable[[str, str, Document], bool]
    examples: tuple[StatusProblem, ...]


# To be extended by whatever answers before or beside the routes.
AROUND = (
    _Around(
        lambda path, method, operation: required_access(method.upper(), path) is not None,
        (
            KeyRequired("Send a key as Authorization: Bearer KEY, or as x-api-key. ..."),
            NotAllowed("That needs the scope write, and this key allows predict, read. ..."),
            KeysUnavailable(),
            RateLimited("That is more than the 5 requests a second that this key may send. ..."),
        ),
    ),
    _Around(
        lambda path, method, operation: (
            method != "get" and required_access(method.upper(), path) is not None
        ),
        (CsrfTokenRequired(),),
    ),
    _Around(
        lambda path, method, operation: (
            method in ("put", "post") and path.startswith("/v1/classifiers/")
        ),
        (QuotaExceeded("images", 1000, 1012),),
    ),
    _Around(
        lambda path, method, operation: True,
        (
            InternalError(),
            MalformedRequest("What was sent is not an HTTP/1.1 request: ..."),
            RequestHeadTooLarge("The request line and its header fields have more than 65536 ..."),
            RequestTimeout("The request line and its header fields took more than 20 s ..."),
            ShuttingDown("The service is shutting down and could not finish this request ..."),
            UnknownHost("This service is not called 'rebound.example' ..."),
        ),
    ),
    _Around(
        lambda path, method, operation: method != "get",
        (ForeignOrigin("A page of https://other.example may not change anything here ..."),),
    ),
    # A body is refused also where none is expected.
    _Around(
        lambda path, method, operation: True,
        (
            RequestTooLarge("The request body has more than 268435456 bytes, the most that ..."),
            UnsupportedMediaType("The body has Content-Encoding br; gzip and deflate are ..."),
            Overloaded("The bodies of all requests together have 536870912 bytes already ..."),
        ),
    ),
    _Around(
        lambda path, method, operation: "{" in path,
        (
            InvalidPath("The path '/v1/classifiers//predict' has an empty segment. ..."),
            InvalidName("'land/cover' cannot be a name in a path: slashes, '.' and '..' mean ..."),
        ),
    ),
    _Around(
        lambda path, method, operation: _is_validated(operation),
        (
            InvalidRequest(
                "query.top_k: Input should be greater than or equal to 1",
                errors=[
                    {
                        "type": "greater_than_equal",
                        "loc": ["query", "top_k"],
                        "msg": "Input should be greater than or equal to 1",
                    }
                ],
            ),
        ),
    ),
)

_ERRORS: Document = {
    "type": "array",
    "description": "What is not as described; with `request-validation-failed` only.",
    "items": {
        "type": "object",
        "required": ["type", "loc", "msg"],
        "properties": {
            "type": {"type": "string", "description": "Kind of the error."},
            "loc": {
                "type": "array",
                "items": {"anyOf": [{"type": "string"}, {"type": "integer"}]},
                "description": "Where: `query`, `header` or `body`, then names and places.",
            },
            "msg": {"type": "string", "description": "What is expected there."},
        },
    },
}


def complete(document: Document, routes: Iterable[BaseRoute], bodies: Document) -> Document:
    """Return the document with the problems from around the routes, and the schemas of all.

    Args:
        document: Of FastAPI.
        routes: Those whose models have examples.
        bodies: Schemas of bodies that routes read by themselves.
    """
    named = document["components"]["schemas"]
    for unused in ("HTTPValidationError", "ValidationError"):
        named.pop(unused, None)
    for path, item in document["paths"].items():
        for method in _METHODS:
            if method in item:
                _complete(path, method, item[method])
    named |= _problem_schemas() | bodies
    for name, examples in _examples(routes).items():
        if name in named:
            named[name]["examples"] = examples  # FastAPI leaves out members that are null
    return document


def _examples(routes: Iterable[BaseRoute]) -> dict[str, list[Document]]:
    """The examples of the models that routes take and give, by the models' names."""
    found: dict[str, list[Document]] = {}
    for route in routes:
        if isinstance(route, APIRoute):
            fields = (route.body_field, route.response_field, *route.response_fields.values())
            for field in fields:
                for model in _models(field and field.field_info.annotation):
                    extra = model.model_config.get("json_schema_extra")
                    if isinstance(extra, dict) and (examples := extra.get("examples")):
                        found[model.__name__] = cast(list[Document], examples)
    return found


def _models(annotation: object) -> Iterator[type[BaseModel]]:
    """All models that values of a type consist of."""
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
        for field in annotation.model_fields.values():
            yield from _models(field.annotation)
    for argument in get_args(annotation):
        yield from _models(argument)


def _complete(path: str, method: str, operation: Document) -> None:
    answers = operation["responses"]
    if PROBLEM_JSON not in answers.get("422", {}).get("content", {}):
        answers.pop("422", None)  # FastAPI's own
    around = [
        one for layer in AROUND if layer.meets(path, method, operation) for one in layer.examples
    ]
    for status, answer in problem_responses(around).items():
        mine = answers.setdefault(str(status), answer)
        named = mine["content"][PROBLEM_JSON]["examples"]
        named |= answer["content"][PROBLEM_JSON]["examples"]
        mine["description"] = titles(named)
    operation["responses"] = dict(sorted(answers.items()))
    link(operation)


def _is_validated(operation: Document) -> bool:
    """Whether something of a request is checked against the schema: parameters, a JSON body."""
    places = {parameter["in"] for parameter in operation.get("parameters", ())}
    body = operation.get("requestBody", {}).get("content", {})
    return bool(places & {"query", "header"}) or "application/json" in body


def _problem_schemas() -> dict[str, Document]:
    """One schema a status: members of RFC 9457, and the types that the service has for it."""
    kinds: dict[int, dict[str, str]] = {}
    for one in vars(problems).values():
        if isinstance(one, type) and issubclass(one, StatusProblem) and one is not StatusProblem:
            kinds.setdefault(one.status, {})[str(one.type_)] = one.title
    return {f"Problem{status}": _schema(status, named) for status, named in sorted(kinds.items())}


def _schema(status: int, kinds: dict[str, str]) -> Document:
    listed = "\n".join(f"- `{kind}`: {title}" for kind, title in kinds.items())
    schema: Document = {
        "type": "object",
        "title": f"Problem{status}",
        "description": f"A problem document (RFC 9457) with status {status}.",
        "required": ["type", "title", "status", "detail"],
        "properties": {
            "type": {
                "type": "string",
                "enum": list(kinds),
                "description": f"Names the kind:\n{listed}",
            },
            "title": {"type": "string", "description": "The kind, for people."},
            "status": {"const": status, "type": "integer", "description": "The HTTP status."},
            "detail": {
                "type": "string",
                "description": "What was wrong with this request, and how to mend it.",
            },
        },
    }
    if status == InvalidRequest.status:
        schema["properties"]["errors"] = _ERRORS
    return schema


def describe(
    app: FastAPI, routers: Iterable[APIRouter], bodies: Document, *, keys: bool = False
) -> None:
    """Let the application's OpenAPI document say every answer. Made once, when it is asked for.

    Args:
        app: The application.
        routers: Those whose models have examples.
        bodies: Schemas of bodies that routes read by themselves, by their names.
        keys: Whether requests need keys.
    """
    routes = [route for router in routers for route in router.routes]
    made: list[Document] = []

    def document() -> Document:
        if not made:
            described = complete(FastAPI.openapi(app), routes, bodies)
            made.append(with_security(described) if keys else described)
        return made[0]

    app.openapi = document  # type: ignore[method-assign]
