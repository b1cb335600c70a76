"""Access control: who a request is from, and whether they may do that."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime

import anyio
import anyio.to_thread
from starlette.types import Scope as AsgiScope

from service.access.principal import PEER_KEY, SCOPE_KEY, Principal, principal_of
from service.access.required_access import RequiredAccess
from service.access.session_token import has_csrf_token_of, token_in
from service.api.dependencies import RECORDERS
from service.api.offloading import run_blocking
from service.authentication.credentials import TrustedProxies, key_in
from service.authentication.key_ring import Holder, KeyRing
from service.composition import ServiceParts
from service.problems import CsrfTokenRequired, NotAllowed, NotReady
from service.quotas.gcra import Meters
from service.quotas.request_quota import QUOTA_KEY, RequestQuota
from service.settings import Settings
from service.storage.audit import AuditRecorder, Entry, shortened, write_entries
from service.storage.sessions import find_session

# ASGI scope: whether a refusal of it was noted; the documented way asks again after the direct one.
_REFUSED = "handful.refused"
_SAFE = frozenset({"GET", "HEAD"})
# Threads that look for sessions: strangers who send cookies take none of those that answers need.
_SESSION_THREADS = 4
_EXPORT = re.compile(r"^/v1/classifiers/[^/]+/export(?:\.faiss\.zip)?$")
_CLASSIFIER = re.compile(r"/v1/classifiers/([^/]+)")


# Where the session of a request stands in its ASGI scope, if it came with the cookie of one.
SESSION_KEY = "handful.session"


@dataclass(frozen=True, slots=True)
class OpenSession:
    """The session that a request belongs to.

    Attributes:
        token: What its cookie holds.
        expires_at: When it ends.
    """

    token: str
    expires_at: datetime


class AccessControl:
    """Access control of one application, for all ways of its requests. For the event loop.

    Args:
        settings: Whom the service answers.
        parts: What answers, once it has started.
        meters: Where requests and images are counted, if not in the database.
    """

    def __init__(
        self, settings: Settings, parts: Callable[[], ServiceParts | None], meters: Meters
    ) -> None:
        self._meters = meters
        self._audits = settings.audit_days > 0
        self._by_keys = settings.auth == "keys"
        self._proxies = TrustedProxies(settings.trusted_proxies)
        self._parts = parts
        self._session_threads = anyio.CapacityLimiter(_SESSION_THREADS)

    async def admit(self, scope: AsgiScope, required: RequiredAccess) -> None:
        """Let a request in, which is its principal's from then on; once, however often it is asked.

        Nothing of the body is read.

        Args:
            scope: ASGI's, of the request.
            required: What it needs.

        Raises:
            KeyRequired: It is from nobody who is known.
            CsrfTokenRequired: It would change something, by the cookie of a session alone.
            NotAllowed: They may not do that.
            RateLimited: They have sent too much of late.
            KeysUnavailable, NotReady: Nobody knows yet, or at the moment.
        """
        if SCOPE_KEY in scope:
            return
        holder = await self.holder(scope)
        try:
            check_access(holder.principal, required)
        except NotAllowed:
            parts = self._parts()
            told = scope.setdefault(_REFUSED, False)
            scope[_REFUSED] = True
            if not told and parts is not None and parts.bookkeeping is not None:
                parts.bookkeeping.refused(
                    holder.principal, scope["method"], scope["path"], required.classifier
                )
            raise
        if required.is_counted:
            await self.count(scope, holder)
        scope[SCOPE_KEY] = holder.principal

    async def count(self, scope: AsgiScope, holder: Holder) -> None:
        """Count a request of somebody.

        Raises:
            RateLimited: They have sent too much of late.
        """
        if holder.policies:
            meters = self._shared_meters() or self._meters
            scope[QUOTA_KEY] = quota = RequestQuota(holder.policies, meters)
            await quota.take("requests", 1)

    def quota_of(self, principal: Principal) -> RequestQuota:
        """The quota of somebody, for what is done on their behalf after their request.

        Raises:
            NotReady: Nobody knows it yet.
        """
        _, keys = self._ready()
        return RequestQuota(keys.policies(principal), self._shared_meters() or self._meters)

    def _shared_meters(self) -> Meters | None:
        parts = self._parts()
        return None if parts is None else parts.meters

    async def audit(self, scope: AsgiScope, path: str) -> None:
        """Let what a request changes be written down with it, and what it takes home before it.

        Args:
            scope: ASGI's, of a request that was let in.
            path: Decoded, without the root path.
        """
        parts = self._parts()
        if parts is None or not self._audits:
            return
        principal, method = principal_of(scope), scope["method"]
        request = f"{method} {path}"
        if method not in _SAFE:
            scope.setdefault(RECORDERS, []).append(AuditRecorder(principal, request))
        action = "classifier.exported" if method in _SAFE and _EXPORT.search(path) else None
        if method not in _SAFE and path == "/v1/re-embedding":
            action = "re-embedding"
        if action is not None:
            found = _CLASSIFIER.match(path)
            name = found[1] if found else None
            entry = Entry.by(principal, action, name, request=shortened(request))
            await run_blocking(write_entries, parts.engine, [entry])

    async def holder(self, scope: AsgiScope) -> Holder:
        """Who a request is from; a key counts before the cookie of a session.

        Raises:
            KeyRequired, NotAllowed: It is from nobody who is known.
            CsrfTokenRequired: It would change something, by the cookie of a session alone.
            KeysUnavailable, NotReady: Nobody knows yet, or at the moment.
        """
        _, keys = self._ready()
        if not self._by_keys:
            principal = self._proxies.principal(scope.get(PEER_KEY), scope["headers"])
            return Holder(principal, tuple(keys.tenant_policies(principal.tenant)))
        has_session = token_in(scope["headers"]) is not None
        key = key_in(scope["headers"], basic=not has_session)
        if key is None and has_session:
            return await self.session_holder(scope)
        return await keys.holder(key)

    async def session_holder(self, scope: AsgiScope) -> Holder:
        """Who began the session of a request's cookie, whatever key comes beside it.

        Raises:
            KeyRequired: There is no such session, or not any more.
            CsrfTokenRequired, KeysUnavailable, NotReady: As above.
        """
        parts, keys = self._ready()
        token = token_in(scope["headers"])
        if token is None:
            return await keys.holder_in_session(None)
        found = await anyio.to_thread.run_sync(
            find_session, parts.engine, token, limiter=self._session_threads
        )
        holder = await keys.holder_in_session(None if found is None else found.key_id)
        if found is not None:
            scope[SESSION_KEY] = OpenSession(token, found.expires_at)
        if scope["method"] not in _SAFE and not has_csrf_token_of(token, scope["headers"]):
            raise CsrfTokenRequired
        return holder

    def _ready(self) -> tuple[ServiceParts, KeyRing]:
        parts = self._parts()
        if parts is None or parts.keys is None:
            raise NotReady(
                "The service is starting and knows no keys yet. Try again in a few seconds; GET"
                " /readyz tells when.",
                headers={"retry-after": "5"},
            )
        return parts, parts.keys


def check_access(principal: Principal, required: RequiredAccess) -> None:
    """See that somebody may do what a request asks for.

    Raises:
        NotAllowed: They may not, which says nothing of what there is.
    """
    if required.operator and not principal.operates:
        raise NotAllowed(
            "That concerns all tenants: it needs an operator, who has the scope admin in the"
            " default tenant, by a key or by what the proxy says."
        )
    if required.scope not in principal.scopes:
        allowed = ", ".join(sorted(principal.scopes)) or "nothing"
        if principal.user is not None:
            raise NotAllowed(
                f"That needs the scope {required.scope}, and the proxy that signed you in allows"
                f" {allowed}. Whoever runs it says what users may do by X-Forwarded-Scopes."
            )
        raise NotAllowed(
            f"That needs the scope {required.scope}, and this key allows {allowed}. An"
            " administrator makes keys with other scopes: POST /v1/keys."
        )
    if required.classifier is not None and not principal.may_use(required.classifier):
        raise NotAllowed(
            f"This key is for some classifiers, and {required.classifier[:64]!r} is none of them."
        )
