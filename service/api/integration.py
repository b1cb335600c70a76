"""Integration: the contract of another system, answered beside the service's own API.

This is all that the application knows of integrations. Each is a package in
:mod:`service.integrations`, whose routes stand behind the same access control, limits and metrics
as all others.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import AbstractAsyncContextManager, AsyncExitStack, asynccontextmanager
from dataclasses import dataclass
from typing import Any

from fastapi import APIRouter, FastAPI

from service.access.required_access import RequiredAccess, required_access


def with_error(problem: Mapping[str, Any]) -> dict[str, Any]:
    """A problem document that says its detail as ``error`` too, as most other systems read it."""
    return {**problem, "error": problem.get("detail", problem.get("title"))}


@dataclass(frozen=True, slots=True, kw_only=True)
class Contract:
    """What another system asks, and how it is answered.

    Attributes:
        router: Its routes, with the prefix; they are no part of the OpenAPI document.
        required_access: What a request needs, by its method and path; None: anybody may send it.
        errors: What becomes of a problem document, so that the system can read it.
        takes_images: Whether bodies that are sent to a path, without the root path, hold images, so
            that they may be as large as those of forms.
        beside: Entered once the service can answer, and left after its last request.
    """

    router: APIRouter
    required_access: Callable[[str, str], RequiredAccess | None]
    errors: Callable[[Mapping[str, Any]], Mapping[str, Any]] = with_error
    takes_images: Callable[[str], bool] = bool
    beside: Callable[[FastAPI], AbstractAsyncContextManager[None]] | None = None


@dataclass(slots=True)
class Integration:
    """Integration of another system, whose contract is loaded when the service can answer.

    Attributes:
        name: In HANDFUL_INTEGRATIONS.
        prefix: Of all of its paths, such as ``/v2``; none of the service's own begins so.
        load: Makes the contract, and imports what that needs, which takes tenths of a second.
        contract: None: it is not loaded yet.
    """

    name: str
    prefix: str
    load: Callable[[], Contract]
    contract: Contract | None = None

    def has(self, path: str) -> bool:
        """Whether a path, without the root path, is one of its own."""
        return path == self.prefix or path.startswith(f"{self.prefix}/")


class Integrations:
    """The integrations of an application, that cost its start nothing: for its event loop.

    Args:
        chosen: Those that are switched on.
        root_path: Of the application.

    Attributes:
        entered: Set once all are loaded, and what runs beside the application does; or one failed.
    """

    def __init__(self, chosen: Iterable[Integration] = (), root_path: str = "") -> None:
        self.chosen = tuple(chosen)
        self.entered = asyncio.Event()
        self._root_path = root_path
        self._loading = asyncio.Lock()

    def at(self, path: str) -> Integration | None:
        """The one that a path belongs to, with the root path or without."""
        path = path.removeprefix(self._root_path)
        return next((one for one in self.chosen if one.has(path)), None)

    def contract_at(self, path: str) -> Contract | None:
        """The contract that a path belongs to; None: none, or it is not loaded."""
        one = self.at(path)
        return None if one is None else one.contract

    async def loaded(self, one: Integration, app: FastAPI) -> Contract:
        """The contract of one, whose routes the application has from now on."""
        if one.contract is not None:
            return one.contract
        async with self._loading:
            if one.contract is None:
                contract = await asyncio.to_thread(one.load)
                app.include_router(contract.router, include_in_schema=False)
                one.contract = contract
            return one.contract

    @asynccontextmanager
    async def beside(self, app: FastAPI) -> AsyncIterator[None]:
        """All of them loaded, and what runs beside the application entered.

        Raises:
            OSError: One of them cannot be, as a port is taken.
        """
        async with AsyncExitStack() as stack:
            try:
                for one in self.chosen:
                    contract = await self.loaded(one, app)
                    if contract.beside is not None:
                        await stack.enter_async_context(contract.beside(app))
            finally:
                self.entered.set()  # nobody goes on waiting for what has failed
            yield

    def required_access(self, method: str, path: str) -> RequiredAccess | None:
        """What a request needs, theirs and the service's own; None: anybody may send it.

        Args:
            method: In capitals.
            path: Decoded once, without the root path.
        """
        if method != "OPTIONS" and (contract := self.contract_at(path)) is not None:
            return contract.required_access(method, path)
        return required_access(method, path)

    def take_images(self, path: str) -> bool:
        """Whether bodies that are sent to a path hold images, of one of them."""
        contract = self.contract_at(path)
        return contract is not None and contract.takes_images(path.removeprefix(self._root_path))
