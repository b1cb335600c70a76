"""Protection against cross-site request forgery (CSRF) and DNS rebinding.

Browsers send some requests for any page to any address, also to one that only their user can
reach: forms and ``fetch`` with ordinary media types need no permission (the CORS protocol's simple
requests), and a page whose own name turns into the service's address may even read the answers
(DNS rebinding). No user of the service is meant by them.
"""

from __future__ import annotations

from collections.abc import Collection

from fastapi_problem.error import StatusProblem
from starlette.datastructures import Headers
from starlette.types import ASGIApp, Receive, Scope, Send

from service.api.problem_documents import problem_answer
from service.hosts import host_of, is_loopback, origin_of
from service.problems import ForeignOrigin, UnknownHost
from service.settings import Settings

# Methods that change nothing (RFC 9110, 9.2.1).
_SAFE = {"GET", "HEAD", "OPTIONS", "TRACE"}
# What orchestrators ask, by whatever address a container has.
_PROBES = {"/healthz", "/readyz"}


class KnownHosts:
    """The names that requests may be sent to, besides those of loopback.

    Args:
        hosts: ``*.`` before those whose subdomains are meant, ``*`` for all. None: any.
    """

    def __init__(self, hosts: Collection[str] | None) -> None:
        self._hosts = None if hosts is None or "*" in hosts else frozenset(hosts)

    def named(self, field: bytes) -> bool:
        """Whether a ``Host`` header field names one of them."""
        if self._hosts is None:
            return True
        host = host_of(field.decode("latin-1"))
        if host is None:
            return False
        if is_loopback(host) or host in self._hosts:
            return True
        labels = host.split(".")
        return any(f"*.{'.'.join(labels[i:])}" in self._hosts for i in range(1, len(labels)))


class CrossSiteGuard:
    """ASGI middleware that refuses what browsers send on behalf of other sites.

    A write is refused if the browser says that another site's page sends it (``Sec-Fetch-Site``,
    W3C Fetch Metadata), or, where it does not say, if ``Origin`` is not this service; unless the
    origin is one of those that may use the service. Clients that are no browsers send neither.
    Any request is refused whose ``Host`` is not known, where hosts are known.

    Args:
        app: What it guards.
        origins: Origins that may write; ``*`` for all.
        hosts: Names that requests may be sent to, as of :class:`KnownHosts`.
    """

    def __init__(
        self, app: ASGIApp, origins: Collection[str], hosts: Collection[str] | None
    ) -> None:
        self.app = app
        self._origins = frozenset(origins)
        self._hosts = KnownHosts(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request."""
        problem = self._problem(scope) if scope["type"] == "http" else None
        if problem is None:
            await self.app(scope, receive, send)
            return
        await problem_answer(problem)(scope, receive, send)

    def _problem(self, scope: Scope) -> StatusProblem | None:
        headers = Headers(scope=scope)
        path = scope["path"].removeprefix(scope.get("root_path", ""))
        if path not in _PROBES:
            for host in headers.getlist("host"):
                if not self._hosts.named(host.encode("latin-1")):
                    return _unknown(host)
        if scope["method"] in _SAFE or "*" in self._origins:
            return None
        origin = headers.get("origin")
        if origin in self._origins:
            return None
        site = headers.get("sec-fetch-site")
        if site is None:
            own = origin_of(scope["scheme"], headers.get("host", ""))
            foreign = origin is not None and origin != own
        else:
            foreign = site not in {"same-origin", "none"}
        return _foreign(origin) if foreign else None


def known_hosts(settings: Settings) -> list[str] | None:
    """The hosts of a guard: a service on loopback is asked by its own machine alone."""
    if settings.allowed_hosts or is_loopback(settings.host):
        return settings.allowed_hosts
    return None


def _unknown(host: str) -> UnknownHost:
    return UnknownHost(
        f"The request was sent to {host!r}, which is not known as a name of this service. Use an"
        " address of localhost, or name the host in HANDFUL_ALLOWED_HOSTS."
    )


def _foreign(origin: str | None) -> ForeignOrigin:
    if origin in {None, "null"}:
        return ForeignOrigin(
            "A web page whose origin is hidden (a file, a sandboxed frame, a redirect) may change"
            " nothing here. Serve it from an address, and name that in HANDFUL_CORS_ORIGINS."
        )
    return ForeignOrigin(
        f"A web page of {origin} may change nothing here. To allow it, name it in"
        f" HANDFUL_CORS_ORIGINS={origin}. If the page is this service's own, behind a proxy, let"
        " the proxy pass on Host, and X-Forwarded-Proto as one of HANDFUL_TRUSTED_PROXIES."
    )
