"""Problems of the service itself: it cannot do that now."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem


class NotReady(StatusProblem):
    """The backbone is still loading."""

    type_ = "not-ready"
    title = "The service is starting"
    status = 503


class EncoderAway(NotReady):
    """No encoder process lives, and one is being started."""

    def __init__(self, _: str | None = None) -> None:
        super().__init__(
            "The encoder is being started again. Send the request again in a few seconds; nothing "
            "was changed by it.",
            headers={"retry-after": "5"},
        )


class ShuttingDown(StatusProblem):
    """The service ends before the request is done."""

    type_ = "shutting-down"
    title = "The service is shutting down"
    status = 503


class Overloaded(StatusProblem):
    """More waits than is admitted; ``Retry-After`` says when it should be less."""

    type_ = "overloaded"
    title = "The service has too much to do"
    status = 503


class StorageUnavailable(StatusProblem):
    """The database cannot be used at the moment; nothing was written."""

    type_ = "storage-unavailable"
    title = "The database cannot be used now"
    status = 503

    def __init__(self, detail: str) -> None:
        super().__init__(detail, headers={"retry-after": "5"})


class OutcomeUnknown(StorageUnavailable):
    """The database was lost while it committed: the change was made, or it was not."""

    type_ = "outcome-unknown"
    title = "It is not known whether the change was made"


class StorageFull(StatusProblem):
    """There is no room for what was to be written; nothing was (RFC 4918, section 11.5)."""

    type_ = "storage-full"
    title = "The disk is full"
    status = 507


class DeadlineExceeded(StatusProblem):
    """The answer was not there in time, and is no longer worked on."""

    type_ = "deadline-exceeded"
    title = "There was no answer in time"
    status = 504


class InternalError(StatusProblem):
    """A defect of the service; the log has the traceback."""

    type_ = "internal-error"
    title = "The service failed"
    status = 500

    def __init__(self, _: str | None = None) -> None:
        super().__init__("The request could not be served; nothing was changed by it.")
