"""Access guard: requests of strangers end here, before anything of their bodies is read."""

from __future__ import annotations

from collections.abc import Callable

from fastapi_problem.error import StatusProblem
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.access.required_access import RequiredAccess
from service.api.access_control import SESSION_KEY, AccessControl
from service.api.problem_documents import problem_answer
from service.quotas.request_quota import QUOTA_KEY, RequestQuota


class AccessGuard:
    """ASGI middleware that lets in whom access control admits.

    It stands where the path has one reading, and outside of whatever reads a body.

    Args:
        app: What it guards.
        access: Decides.
        required_access: What a request needs, by its method and its path without the root path.
    """

    def __init__(
        self,
        app: ASGIApp,
        access: AccessControl,
        required_access: Callable[[str, str], RequiredAccess | None],
    ) -> None:
        self.app = app
        self._access = access
        self._required_access = required_access

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http":
            path = scope["path"].removeprefix(scope.get("root_path", ""))
            required = self._required_access(scope["method"], path)
            if required is not None:
                try:
                    await self._access.admit(scope, required)
                    await self._access.audit(scope, path)
                except StatusProblem as problem:
                    await problem_answer(problem)(scope, receive, _telling(scope, send))
                    return
                send = _telling(scope, send)
        await self.app(scope, receive, send)


def _telling(scope: Scope, send: Send) -> Send:
    """``send``, with what is left of the quota in the head of the answer.

    What is answered to a cookie is for nobody else. Caches know that of keys by ``Authorization``
    (RFC 9111, 3.5), and nothing of cookies.
    """
    quota: RequestQuota | None = scope.get(QUOTA_KEY)
    by_cookie = SESSION_KEY in scope
    if quota is None and not by_cookie:
        return send

    async def told(message: Message) -> None:
        if message["type"] == "http.response.start":
            headers = [*message["headers"], *(quota.fields() if quota is not None else ())]
            if by_cookie and all(name != b"cache-control" for name, _ in headers):
                headers.append((b"cache-control", b"private"))
            message = {**message, "headers": headers}
        await send(message)

    return told
