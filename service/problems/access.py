"""Problems of keys and of what they allow."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem


class KeyRequired(StatusProblem):
    """The request comes without a key that is valid (RFC 6750, 3; RFC 9110, 15.5.2)."""

    type_ = "key-required"
    title = "That needs a valid key"
    status = 401

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"www-authenticate": "Bearer"})


class CsrfTokenRequired(StatusProblem):
    """A change is asked for by a session's cookie alone, which browsers send by themselves."""

    type_ = "csrf-token-required"
    title = "That needs the session's CSRF token"
    status = 403

    def __init__(self, _: str | None = None) -> None:
        super().__init__(
            "The request is let in by a cookie, and browsers send those whoever asks them to. Send"
            " the csrf_token that GET /v1/session answers beside it, as X-CSRF-Token; or a key as"
            " Authorization: Bearer KEY instead of the cookie."
        )


class LogInNotNeeded(StatusProblem):
    """Keys are not what the service lets requests in by, so no session is begun with one."""

    type_ = "log-in-not-needed"
    title = "There is nothing to log in to"
    status = 409

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(
            detail
            or "This service asks for no keys: whoever reaches it may use it. Send requests as they"
            " are, without a session."
        )


class NotAllowed(StatusProblem):
    """The key is valid, and its holder may not do that."""

    type_ = "not-allowed"
    title = "The key does not allow that"
    status = 403


class KeysUnavailable(StatusProblem):
    """Nobody knows whether keys are still valid: the database cannot be asked."""

    type_ = "keys-unavailable"
    title = "Keys cannot be checked now"
    status = 503

    def __init__(self, _: str | None = None) -> None:
        super().__init__(
            "The database of the keys cannot be reached, so none is taken for valid. Send the "
            "request again in a few seconds.",
            headers={"retry-after": "5"},
        )


class KeyNotFound(StatusProblem):
    """No key of that id."""

    type_ = "key-not-found"
    title = "There is no such key"
    status = 404

    def __init__(self, key_id: str, advice: str = "GET /v1/keys lists those there are.") -> None:
        super().__init__(f"There is no key {key_id[:64]!r} that is valid. {advice}")


class TooManyKeys(StatusProblem):
    """A tenant has as many valid keys as it may have."""

    type_ = "too-many-keys"
    title = "There are too many keys"
    status = 409


class KeysNotUsed(StatusProblem):
    """Keys are not what the service lets requests in by."""

    type_ = "keys-not-used"
    title = "The service asks for no keys"
    status = 409

    def __init__(self, _: str | None = None) -> None:
        super().__init__(
            "This service asks for no keys, so nobody who reaches it may make or end any. Start it "
            "with HANDFUL_AUTH=keys; the first key is made where it runs: handful keys create."
        )


class RateLimited(StatusProblem):
    """More a second than the key or its tenant may send (RFC 6585, 4)."""

    type_ = "rate-limited"
    title = "That is too much in so short a time"
    status = 429


class QuotaExceeded(StatusProblem):
    """The tenant would own more than it may; nothing was written."""

    type_ = "quota-exceeded"
    title = "The tenant may own no more"
    status = 403

    def __init__(self, what: str, limit: int, used: int) -> None:
        super().__init__(
            f"The tenant would have {used} {what}, and may have {limit}. Nothing was changed: "
            "delete what is not needed any more, or ask who operates the service for more. GET "
            "/v1/usage shows limits and use.",
            what=what,
            limit=limit,
            used=used,
        )
