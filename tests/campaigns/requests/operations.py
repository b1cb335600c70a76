"""Valid requests of every operation that the OpenAPI document has."""

from __future__ import annotations

import random
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlencode

from tests.campaigns.requests.bodies import Bodies
from tests.campaigns.requests.dictionary import NAMED
from tests.campaigns.requests.json_text import mutated
from tests.campaigns.requests.request import Request
from tests.campaigns.requests.sampling import Sampler

_METHODS = ("get", "put", "post", "delete", "patch")
# Moves the whole database to another recipe, after which no answer is as it was.
_NEVER = {("post", "/v1/re-embedding")}
# How often operations are drawn that cost most, where others are drawn a hundred times: drawings
# with a plotting library, and what goes over all pairs of images.
_RARE = (
    ("/report.png", 5),
    ("/report.svg", 5),
    ("/report.html", 5),
    ("/map", 20),
    ("/suggest", 30),
    ("/report", 30),
    ("/metrics", 10),
    ("/healthz", 20),
    ("/readyz", 20),
)
_OFTEN = 100
# What clients were told of images, jobs and so on: names that they may ask for.
_REMEMBERED = 64


class Seen:
    """Ids that answers have named, the newest of each kind."""

    def __init__(self) -> None:
        self._ids: deque[str] = deque(["0" * 32], maxlen=_REMEMBERED)

    def add(self, identifier: str) -> None:
        """Remember one."""
        self._ids.append(identifier)

    def drawn(self, draw: random.Random) -> str:
        """One of them."""
        return draw.choice(self._ids)


@dataclass(frozen=True, slots=True)
class _Operation:
    method: str
    path: str
    parameters: Sequence[Mapping[str, Any]]
    bodies: Mapping[str, Mapping[str, Any]]

    @property
    def weight(self) -> int:
        return next((often for end, often in _RARE if self.path.endswith(end)), _OFTEN)


class Operations:
    """Draws requests.

    Args:
        document: OpenAPI's.
        bodies: What is no JSON.
        seen: Ids that are there.
    """

    def __init__(self, document: Mapping[str, Any], bodies: Bodies, seen: Seen) -> None:
        self._sampler = Sampler(document, NAMED, bodies.whole)
        self._bodies, self._seen = bodies, seen
        self.all = [
            _Operation(
                method,
                path,
                described.get("parameters", ()),
                {
                    kind: content.get("schema", {})
                    for kind, content in described.get("requestBody", {}).get("content", {}).items()
                },
            )
            for path, methods in sorted(document["paths"].items())
            for method, described in sorted(methods.items())
            if method in _METHODS and (method, path) not in _NEVER
        ]
        self._weights = [one.weight for one in self.all]

    def request(self, draw: random.Random) -> Request:
        """One of any of them."""
        [operation] = draw.choices(self.all, self._weights)
        return self.of(operation, draw)

    def of(self, operation: _Operation, draw: random.Random) -> Request:
        """A request of an operation; its JSON, if it has any, is not always right."""
        path, query, fields = operation.path, [], []
        for parameter in operation.parameters:
            name, place = parameter["name"], parameter["in"]
            if place != "path" and draw.random() < 0.75:
                continue
            value = self._parameter(name, parameter.get("schema", {}), draw)
            if place == "path":
                path = path.replace(f"{{{name}}}", quote(value, safe=""))
            elif place == "query":
                query.append((name, value))
            else:
                fields.append((name.encode(), value.encode("utf-8", "replace")))
        request = Request(
            operation.method.upper().encode(),
            path.encode(),
            urlencode(query).encode(),
            fields,
        )
        if operation.bodies:
            kind = draw.choice(list(operation.bodies))
            request.put(b"content-type", kind.encode())
            if kind == "application/json":
                value = self._sampler.value(operation.bodies[kind], draw)
                request.body = mutated(value, draw)
            else:
                if kind.startswith("multipart/"):
                    request.put(b"content-type", b"multipart/form-data; boundary=X")
                request.body = self._bodies.of(kind, draw)
        return request

    def _parameter(self, name: str, schema: Mapping[str, Any], draw: random.Random) -> str:
        if name.endswith("_id"):
            return self._seen.drawn(draw)
        value = self._sampler.value(schema, draw, name)
        if isinstance(value, list):
            value = value[0] if value else ""
        if isinstance(value, bool):
            return str(value).lower()
        return str(value)
