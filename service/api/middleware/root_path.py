"""Root path: requests of a reverse proxy, with or without the path that it shows us under."""

from __future__ import annotations

from starlette.types import ASGIApp, Receive, Scope, Send


class RootPath:
    """ASGI middleware that gives every path the root path which ASGI wants in it.

    Proxies differ: some take their prefix away, some leave it, and probes come without a proxy.
    The root path itself is that of ``/``.

    Args:
        app: The application.
        root_path: With a slash before and none behind; empty for none.
    """

    def __init__(self, app: ASGIApp, root_path: str) -> None:
        self.app = app
        self._root_path = root_path

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        if scope["type"] == "http" and self._lacks_it(scope["path"]):
            prefix = self._root_path
            scope["path"] = prefix + scope["path"]
            scope["raw_path"] = prefix.encode() + scope["raw_path"]
        elif scope["type"] == "http" and scope["path"] == self._root_path:
            scope["path"] += "/"
            scope["raw_path"] += b"/"
        await self.app(scope, receive, send)

    def _lacks_it(self, path: str) -> bool:
        under = path == self._root_path or path.startswith(f"{self._root_path}/")
        return not under and path != "*"  # which means the server
