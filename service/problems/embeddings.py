"""Problems of embeddings that another backbone or recipe has made."""

from __future__ import annotations

from fastapi_problem.error import StatusProblem


class ModelNotFound(StatusProblem):
    """No model of that name."""

    type_ = "model-not-found"
    title = "There is no such model"
    status = 404


class OtherFingerprint(StatusProblem):
    """An embedding of a request comes from something else than the classifier's do."""

    type_ = "other-fingerprint"
    title = "That embedding cannot be compared with the classifier's"
    status = 409


class OtherBackbone(StatusProblem):
    """What is stored was embedded by another backbone than the one that serves."""

    type_ = "other-backbone"
    title = "That was embedded by another backbone"
    status = 503


class ReEmbeddingUnderWay(StatusProblem):
    """The database moves to another recipe than the one that was asked for."""

    type_ = "re-embedding-under-way"
    title = "The database is being embedded anew already"
    status = 409

    def __init__(self, detail: str | None = None) -> None:
        super().__init__(
            detail
            or "The database is on its way to another recipe. GET /v1/re-embedding tells to which; "
            "wait until it is there, or DELETE /v1/re-embedding to go back."
        )


class CannotReEmbed(StatusProblem):
    """Stored images cannot be embedded anew, or not by this service."""

    type_ = "cannot-re-embed"
    title = "The database cannot be embedded anew"
    status = 409
