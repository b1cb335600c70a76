"""Which access requests need: no operation is open but those that are meant to be."""

from __future__ import annotations

import pytest

from service.access.principal import Scope
from service.access.required_access import required_access
from service.api.app import create_app
from service.settings import Settings

OPEN = {
    ("get", "/healthz"),
    ("get", "/readyz"),
    ("get", "/v1/session"),
    ("post", "/v1/session"),
    ("delete", "/v1/session"),
}
# Whoever adds an operation decides here what it needs.
EXPECTED = {
    Scope.ADMIN: {
        ("get", "/metrics"),
        ("get", "/v1/re-embedding"),
        ("post", "/v1/re-embedding"),
        ("delete", "/v1/re-embedding"),
        ("get", "/v1/keys"),
        ("get", "/v1/audit"),
        ("post", "/v1/keys"),
        ("post", "/v1/keys/{key_id}/rotate"),
        ("delete", "/v1/keys/{key_id}"),
    },
    Scope.PREDICT: {
        ("post", "/v1/classifiers/{name}/predict"),
        ("post", "/v1/classifiers/{name}/suggest"),
    },
}


def test_every_operation_needs_the_scope_that_it_is_known_for() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    for path, item in paths.items():
        for method in item:
            required = required_access(method.upper(), path)
            if (method, path) in OPEN:
                assert required is None
                continue
            assert required is not None, (method, path)
            named = [scope for scope, those in EXPECTED.items() if (method, path) in those]
            usual = Scope.READ if method == "get" else Scope.WRITE
            if not named and method == "post" and path.endswith(("/similar", "/embeddings")):
                usual = Scope.PREDICT
            assert required.scope is (named[0] if named else usual), (method, path)
            assert (required.classifier is not None) == ("/classifiers/{name}" in path)


@pytest.mark.parametrize(
    ("method", "path", "scope", "operator"),
    [
        ("HEAD", "/v1/classifiers/a", Scope.READ, False),
        ("POST", "/v1/classifiers/a/classes/predict/images", Scope.WRITE, False),
        ("PUT", "/v1/classifiers/predict", Scope.WRITE, False),
        ("POST", "/healthz", Scope.WRITE, False),
        ("GET", "/v1/keysmith", Scope.READ, False),
        ("GET", "/metrics", Scope.ADMIN, True),
        ("GET", "/nothing", Scope.READ, False),
        ("GET", "/v1/sessions", Scope.READ, False),
        ("GET", "/studios", Scope.READ, False),
        ("POST", "/studio", Scope.WRITE, False),
    ],
)
def test_paths_near_others_are_not_taken_for_them(
    method: str, path: str, scope: Scope, operator: bool
) -> None:
    required = required_access(method, path)
    assert required is not None
    assert (required.scope, required.operator) == (scope, operator)


def test_thumbnails_alone_are_not_counted() -> None:
    paths = create_app(Settings()).openapi()["paths"]
    needed = [
        (path, required_access(method.upper(), path)) for path in paths for method in paths[path]
    ]
    assert {path for path, required in needed if required and not required.is_counted} == {
        "/v1/classifiers/{name}/images/{image_id}/thumbnail",
        "/v1/classifiers/{name}/inbox/{item_id}/thumbnail",
    }


@pytest.mark.parametrize(
    "path",
    ["/", "/docs", "/openapi.json", "/static-offline-docs/x.js", "/studio", "/studio/assets/x.js"],
)
def test_how_the_service_is_used_is_no_secret(path: str) -> None:
    assert required_access("GET", path) is None
    assert required_access("OPTIONS", "/v1/classifiers") is None
