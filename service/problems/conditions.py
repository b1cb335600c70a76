"""Problems of conditions of a request: what it rests on is otherwise, or it was made before."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem


class CannotRevert(StatusProblem):
    """What a classifier was at a revision cannot be brought back."""

    type_ = "cannot-revert"
    title = "That revision cannot be brought back"
    status = 409


class InvalidPrecondition(StatusProblem):
    """``If-Match`` or ``If-None-Match`` that is no list of entity tags (RFC 9110, 13.1)."""

    type_ = "invalid-precondition"
    title = "The precondition cannot be read"
    status = 400


class PreconditionFailed(StatusProblem):
    """The classifier is not in the state that the change was made for (RFC 9110, 15.5.13)."""

    type_ = "precondition-failed"
    title = "The classifier is in another state"
    status = 412


class InvalidIdempotencyKey(StatusProblem):
    """An ``Idempotency-Key`` that is none."""

    type_ = "invalid-idempotency-key"
    title = "The Idempotency-Key cannot be read"
    status = 400


class IdempotencyKeyInUse(StatusProblem):
    """A request with the same ``Idempotency-Key`` is being carried out."""

    type_ = "idempotency-key-in-use"
    title = "That request is being carried out"
    status = 409


class IdempotencyKeyReused(StatusProblem):
    """The ``Idempotency-Key`` is that of another request."""

    type_ = "idempotency-key-reused"
    title = "The Idempotency-Key is that of another request"
    status = 422


class AlreadyCarriedOut(StatusProblem):
    """The change was made before, once, and what was answered is not known any more."""

    type_ = "already-carried-out"
    title = "The change was made already"
    status = 409


class ChangedMeanwhile(StatusProblem):
    """Other processes kept changing what was to be changed."""

    type_ = "changed-meanwhile"
    title = "The classifier is being changed by others"
    status = 503
