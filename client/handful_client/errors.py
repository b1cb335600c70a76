"""What can go wrong with a call: exceptions, most of them made of the service's problem documents.

All are of :class:`HandfulError`. What the service itself refuses is a :class:`Problem`, with the
members of RFC 9457; of which status is its class, and of which kind its ``type``.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from http import HTTPStatus
from typing import Any, NamedTuple

# Characters shown of an answer that is no problem document.
_SHOWN = 200
# Files that a message names.
_NAMED = 5


class HandfulError(Exception):
    """Whatever this package raises for a reason that is not a mistake in the calling code."""


class InvalidImage(HandfulError, ValueError):
    """Something that was given as an image cannot be sent as one."""


class NoAnswer(HandfulError):
    """The service could not be reached, or the connection ended before the answer was there."""


class AnswerTimeout(NoAnswer, TimeoutError):
    """There was no answer within the time-out of the client."""


class UnreadableAnswer(HandfulError):
    """The answer is not what the API describes: cut short, or of something else than Handful."""


class FileReason(NamedTuple):
    """A file that the service refuses, and why."""

    file: str
    reason: str


class FieldError(NamedTuple):
    """A member of a request that is not as described."""

    type: str
    loc: tuple[str | int, ...]
    msg: str


class Problem(HandfulError):
    """A problem document (RFC 9457): the service has refused a request, and says how to mend it.

    Args:
        status: HTTP status.
        document: The members.
        retry_after: Seconds that the service asks to wait, where it does.

    Attributes:
        type: Names the kind: ``classifier-not-found``. ``about:blank`` where the answer comes from
            something else than the service, such as a proxy.
        title: The kind, for people.
        detail: What was wrong with this request, and how to mend it.
        files: Files at fault, each with its reason.
        errors: Members of the request that are not as described.
    """

    def __init__(
        self, status: int, document: Mapping[str, Any], retry_after: float | None = None
    ) -> None:
        super().__init__(status, document, retry_after)
        self.status = status
        self.document = dict(document)
        self.retry_after = retry_after
        self.type = str(document.get("type", "about:blank"))
        self.title = str(document.get("title", ""))
        self.detail = str(document.get("detail") or "")
        self.files = tuple(
            FileReason(str(one.get("file", "")), str(one.get("reason", "")))
            for one in _objects(document.get("files"))
        )
        self.errors = tuple(
            FieldError(str(one.get("type", "")), tuple(one.get("loc", ())), str(one.get("msg", "")))
            for one in _objects(document.get("errors"))
        )

    def __str__(self) -> str:
        told = self.detail or self.title
        # Most details name the files themselves.
        missing = [one for one in self.files if one.file not in told][:_NAMED]
        files = "".join(f"\n  {one.file}: {one.reason}" for one in missing)
        return f"{told} ({self.status} {self.type}){files}"


class BadRequest(Problem):
    """400: what was sent cannot be read."""


class Unauthorized(Problem):
    """401: there is no key, or none that is known."""


class Forbidden(Problem):
    """403: the key does not allow this."""


class NotFound(Problem):
    """404: there is no such classifier, class or image."""


class Conflict(Problem):
    """409: it contradicts what is there."""


class PreconditionFailed(Problem):
    """412: what was to be changed is not in the state any more that the request was made for."""


class TooLarge(Problem):
    """413: an image or a request is too large."""


class Invalid(Problem):
    """422: names, settings, images or parameters that cannot be taken."""


class TooManyRequests(Problem):
    """429: over a limit of the key or the tenant, for longer than the client waits."""


class Unavailable(Problem):
    """503: the service cannot answer now, for longer than the client waits."""


_BY_STATUS: Mapping[int, type[Problem]] = {
    400: BadRequest,
    401: Unauthorized,
    403: Forbidden,
    404: NotFound,
    409: Conflict,
    412: PreconditionFailed,
    413: TooLarge,
    422: Invalid,
    429: TooManyRequests,
    503: Unavailable,
}


def problem_of(status: int, content: bytes, retry_after: float | None = None) -> Problem:
    """The exception that an answer with an error status is.

    Args:
        status: HTTP status.
        content: The body; what is no problem document is shown as the detail.
        retry_after: Seconds that it asks to wait.
    """
    kind = _BY_STATUS.get(status, Problem)
    try:
        document = json.loads(content)
    except ValueError:
        document = None
    if not isinstance(document, dict) or "title" not in document:
        shown = content[:_SHOWN].decode(errors="replace").strip()
        detail = f"The answer is no problem document: {shown!r}" if shown else ""
        document = {"title": _phrase(status), "detail": detail}
    return kind(status, document, retry_after)


def _phrase(status: int) -> str:
    try:
        return HTTPStatus(status).phrase
    except ValueError:
        return f"Status {status}"


def _objects(members: object) -> Sequence[Mapping[str, Any]]:
    if not isinstance(members, list):
        return ()
    return [one for one in members if isinstance(one, dict)]
