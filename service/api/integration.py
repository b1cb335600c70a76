"""Integration: the contract of another system, answered beside the service's own API.

This is all that the application knows of integrations. Each is a package in
:mod:`service.integrations`, whose routes stand behind the same access control, limits and metrics
as all others.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI

from service.access.required_access import RequiredAccess, required_access


def with_error(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A problem document that says its detail as ``error`` too, as most other systems read it."""
    return {**problem, "error": problem.get("detail", problem.get("title"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Integration:
    """Integration of another system.

    Attributes:
        name: In HANDFUL_INTEGRATIONS.
        prefix: Of all of its paths, such as ``/v2``; none of the service's own begins so.
        router: Its routes, with the prefix; they are no part of the OpenAPI document.
        required_access: What a request needs, by its method and path; None: anybody may send it.
        errors: What becomes of a problem document, so that the system can read it.
        takes_images: Whether bodies that are sent to a path, without the root path, hold images, so
            that they may be as large as those of forms.
        beside: Entered before the application takes requests, and left after its last one; what it
            needs of the service may not have started yet.
    """

    name: str
    prefix: str
    router: APIRouter
    required_access: Callable[[str, str], RequiredAccess | None]
    errors: Callable[[Mapping[str, Any]], Mapping[str, Any]] = with_error
    takes_images: Callable[[str], bool] = bool
    beside: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None

    def has(self, path: str) -> bool:
        """Whether a path, without the root path, is one of its own."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")


class Integrations:
    """The integrations of an application.

    Args:
        chosen: Those that are switched on.
        root_path: Of the application.
    """

    def __init__(self, chosen: Iterable[Integration] = (), root_path: str = "") -> None:
        self.chosen = tuple(chosen)
        self._root_path = root_path

    def at(self, path: str) -> Integration | None:
        """The one that a path belongs to, with the root path or without."""
        path = path.removeprefix(self._root_path)
        return next((one for one in self.chosen if one.has(path)), None)

    def required_access(self, method: str, path: str) -> RequiredAccess | None:
        """What a request needs, theirs and the service's own; None: anybody may send it.

        Args:
            method: In capitals.
            path: Decoded once, without the root path.
        """
        if method != "OPTIONS" and (one := self.at(path)) is not None:
            return one.required_access(method, path)
        return required_access(method, path)

    def take_images(self, path: str) -> bool:
        """Whether bodies that are sent to a path hold images, of one of them."""
        one = self.at(path)
        return one is not None and one.takes_images(path.removeprefix(self._root_path))
