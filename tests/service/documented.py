"""Whether the OpenAPI document has an answer that a test has got."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

import httpx2 as httpx

from service.api.app import create_app
from service.settings import Settings

_PROBLEM = "application/problem+json"


@cache
def _operations() -> list[tuple[re.Pattern[str], dict[str, Any]]]:
    """Operations by method, beside what their path looks like as it is sent."""
    paths: dict[str, dict[str, Any]] = create_app(Settings()).openapi()["paths"]
    return [
        (re.compile(re.sub(r"\\\{\w+\\\}", "[^/]+", re.escape(path))), item)
        # A path that says more is meant before one that says less, as in the routes.
        for path, item in sorted(paths.items(), key=lambda one: one[0].count("{"))
    ]


def check_documented(response: httpx.Response) -> None:
    """Check that the document has this problem among the examples of the operation.

    Paths and methods that are not there belong to no operation.
    """
    path = response.request.url.raw_path.decode().partition("?")[0]
    method = response.request.method.lower().replace("head", "get")
    for pattern, item in _operations():
        if not pattern.fullmatch(path):
            continue
        if method in item:
            answer = item[method]["responses"].get(str(response.status_code), {})
            examples = answer.get("content", {}).get(_PROBLEM, {}).get("examples", {})
            kind = response.json()["type"]
            assert kind in examples, (
                f"{response.status_code} {kind!r} is not documented for {method} {path}: name it in"
                " problems(...) of the route, or in AROUND (service/api/openapi/document.py) where"
                " it comes from around the routes"
            )
        return
