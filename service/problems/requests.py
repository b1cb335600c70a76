"""Problems of requests: paths, header fields, parameters, sizes and times."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem


class NoSuchPath(StatusProblem):
    """No resource can have that path."""

    type_ = "http-not-found"
    title = "There is nothing at that path"
    status = 404


class MethodNotAllowed(StatusProblem):
    """The path takes other methods; ``Allow`` says which."""

    type_ = "http-method-not-allowed"
    title = "That path does not take this method"
    status = 405


class InvalidPath(StatusProblem):
    """A path that different programs read differently."""

    type_ = "invalid-path"
    title = "The path is not written unambiguously"
    status = 400


class InvalidRequest(StatusProblem):
    """JSON or parameters that are not as described."""

    type_ = "request-validation-failed"
    title = "The request is not as described"
    status = 422


class InvalidCursor(StatusProblem):
    """A cursor of a page that no answer has given, or whose place is gone."""

    type_ = "invalid-cursor"
    title = "That page cannot be found"
    status = 422


class MalformedRequest(StatusProblem):
    """Bytes that are no HTTP."""

    type_ = "malformed-request"
    title = "That is not a request that can be read"
    status = 400


class ForeignOrigin(StatusProblem):
    """A web page of another site would change something."""

    type_ = "foreign-origin"
    title = "That web page may change nothing here"
    status = 403


class UnknownHost(StatusProblem):
    """The request was sent to a name that is not the service's (RFC 9110, 15.5.20)."""

    type_ = "unknown-host"
    title = "The service does not go by that name"
    status = 421


class RequestTimeout(StatusProblem):
    """The request comes too slowly, or no more (RFC 9110, 15.5.9)."""

    type_ = "request-timeout"
    title = "The request took too long to arrive"
    status = 408


class RequestHeadTooLarge(StatusProblem):
    """Too many bytes or fields before, or around, the body (RFC 6585, 5)."""

    type_ = "request-head-too-large"
    title = "The request's header fields are too large"
    status = 431


class RequestTooLarge(StatusProblem):
    """Too many bytes or too many images in one request."""

    type_ = "request-too-large"
    title = "The request is too large"
    status = 413


class AnswerTooLarge(StatusProblem):
    """More was asked for than one answer holds."""

    type_ = "answer-too-large"
    title = "The answer would be too large"
    status = 422


class UnsupportedMediaType(StatusProblem):
    """A body of a kind that this address does not take."""

    type_ = "unsupported-media-type"
    title = "That kind of body is not accepted here"
    status = 415
