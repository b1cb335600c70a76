"""Allowed methods of a path: the ``Allow`` header (RFC 9110, section 10.2.1)."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from starlette.routing import BaseRoute, Match, Mount
from starlette.staticfiles import StaticFiles
from starlette.types import Scope

_ASKED = ("GET", "PUT", "POST", "PATCH", "DELETE")


def allowed_methods(scope: Scope) -> list[str]:
    """Methods that the path of a request takes, by the routes of its application; none: no path."""
    found = [method for method in _ASKED if _takes(scope["app"].router.routes, scope, method)]
    if "GET" in found:
        found.insert(1, "HEAD")
    return [*found, "OPTIONS"] if found else []


def _takes(routes: Iterable[BaseRoute], scope: Scope, method: str) -> bool:
    asked: dict[str, Any] = {
        "type": "http",
        "method": method,
        "path": scope["path"],
        # Within a mounted application the root path is longer.
        "root_path": scope.get("app_root_path", scope.get("root_path", "")),
        "headers": [],
    }
    for route in routes:
        match, inner = route.matches(asked)
        if match is Match.FULL:
            if isinstance(route, Mount) and isinstance(route.app, StaticFiles):
                return method == "GET" and _is_file(route.app, {**asked, **inner})
            return True
    return False


def _is_file(files: StaticFiles, scope: dict[str, Any]) -> bool:
    try:
        return files.lookup_path(files.get_path(scope))[1] is not None
    except ValueError:  # a name that no file system takes
        return False
