"""``/v1/session``: a browser logs in with a key, and has a cookie instead of it from then on."""

from __future__ import annotations

from contextlib import suppress
from datetime import timedelta
from typing import Annotated

from fastapi import APIRouter, Depends, Request, Response

from service.access.principal import ANYBODY, Principal
from service.access.session_token import COOKIE, token_in
from service.api.access_control import SESSION_KEY, AccessControl, OpenSession
from service.api.dependencies import ReadyParts
from service.api.json_route import JsonRoute
from service.api.offloading import run_blocking
from service.api.openapi.responses import BODY_PROBLEMS, problems
from service.api.schemas.sessions import LogIn, SessionOut
from service.composition import ServiceParts
from service.problems import (
    CsrfTokenRequired,
    KeyRequired,
    KeysUnavailable,
    LogInNotNeeded,
    NotAllowed,
    RateLimited,
    StorageFull,
)
from service.storage.audit import Entry, add_entry
from service.storage.sessions import LASTS, SessionRecorder, create_session, end_session

router = APIRouter(prefix="/v1/session", tags=["keys"], route_class=JsonRoute)

_FULL = StorageFull("There is no room for it on the disk. Free some, and send the request again.")
_BY_PROXY = (
    "The proxy before this service signs users in, so no key is needed: send requests as they are."
)


async def _access(request: Request) -> AccessControl | None:
    access: AccessControl | None = request.app.state.access
    return access


Access = Annotated[AccessControl | None, Depends(_access)]


@router.get("", summary="Who is logged in", responses=problems(KeysUnavailable()))
async def get_session(
    parts: ReadyParts, access: Access, request: Request, response: Response
) -> SessionOut:
    """Anybody may ask: who the request is from, by cookie, key or proxy, and what they may do."""
    response.headers["cache-control"] = "no-store"
    if access is None:
        return SessionOut.of("none", ANYBODY)
    principal = None
    with suppress(KeyRequired, NotAllowed):  # nobody who is known
        principal = (await access.holder(request.scope)).principal
    return SessionOut.of(parts.settings.auth, principal, request.scope.get(SESSION_KEY))


@router.post(
    "",
    summary="Log in",
    responses=problems(
        KeyRequired("The key is not valid: it is none of this service's, was revoked or ..."),
        LogInNotNeeded(),
        RateLimited("That is more than the 5 requests a second that this key may send. ..."),
        KeysUnavailable(),
        _FULL,
        *BODY_PROBLEMS,
    ),
)
async def log_in(
    parts: ReadyParts, access: Access, request: Request, response: Response, asked: LogIn
) -> SessionOut:
    """Begins a session of twelve hours, for browsers: the answer sets the cookie `handful_session`.

    Requests that bring the cookie and no key are let in as with the key, as long as that is valid.
    Those that change something need the `csrf_token` beside it, as `X-CSRF-Token`. Programs need
    no session: they send their key.
    """
    if access is None or parts.keys is None or parts.settings.auth != "keys":
        raise LogInNotNeeded(_BY_PROXY if parts.settings.auth == "proxy" else None)
    holder = await parts.keys.holder(asked.key.get_secret_value().strip())
    await access.count(request.scope, holder)
    principal = holder.principal
    key_id = principal.key_id or ""
    if (before := token_in(request.scope["headers"])) is not None:
        await run_blocking(end_session, parts.engine, before)
    made, token = await run_blocking(
        create_session, parts.engine, key_id, _recorder(parts, principal, "session.created")
    )
    response.headers["cache-control"] = "no-store"
    _set_cookie(request, parts, response, token, LASTS)
    return SessionOut.of("keys", principal, OpenSession(token, made.expires_at))


@router.delete(
    "",
    status_code=204,
    summary="Log out",
    responses=problems(CsrfTokenRequired(), KeysUnavailable(), _FULL),
)
async def log_out(parts: ReadyParts, access: Access, request: Request, response: Response) -> None:
    """The session of the cookie has ended then, for every process; so has the cookie."""
    response.headers["cache-control"] = "no-store"
    if access is None or parts.settings.auth != "keys":
        return
    try:
        principal = (await access.session_holder(request.scope)).principal
    except KeyRequired:
        pass  # there is none, or not any more
    else:
        session: OpenSession | None = request.scope.get(SESSION_KEY)
        if session is not None:
            recorder = _recorder(parts, principal, "session.ended")
            await run_blocking(end_session, parts.engine, session.token, recorder)
    _set_cookie(request, parts, response, "", timedelta(0))


def _set_cookie(
    request: Request, parts: ServiceParts, response: Response, token: str, lasts: timedelta
) -> None:
    """Let the browser keep a token out of the reach of scripts, for this service's pages alone."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(lasts.total_seconds()),
        path=parts.settings.root_path or "/",
        secure=request.url.scheme == "https",
        httponly=True,
        samesite="strict",
    )


def _recorder(parts: ServiceParts, principal: Principal, action: str) -> SessionRecorder | None:
    if not parts.settings.audit_days:
        return None
    return lambda session: add_entry(session, Entry.by(principal, action))
