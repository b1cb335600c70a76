"""Problems of trained prompts."""

from __future__ import annotations

from collections.abc import Sequence

from fastapi_problem.error import StatusProblem

# Classifiers that a problem names.
_NAMED = 20


class PromptsNotFound(StatusProblem):
    """No trained prompts of that name."""

    type_ = "prompts-not-found"
    title = "There are no such prompts"
    status = 404

    def __init__(self, name: str) -> None:
        super().__init__(
            f"There are no prompts {name!r}. PUT the file that handful train comma has written "
            f"to /v1/prompts/{name}; GET /v1/prompts lists those there are."
        )


class InvalidPrompts(StatusProblem):
    """A file that holds no prompts, or none for the backbone of this service."""

    type_ = "invalid-prompts"
    title = "These prompts cannot be used"
    status = 422


class PromptsExist(StatusProblem):
    """Other prompts of that name are there, and embeddings with them may be."""

    type_ = "prompts-exist"
    title = "There are other prompts of that name"
    status = 409

    def __init__(self, name: str, sha256: str) -> None:
        super().__init__(
            f"There are prompts {name!r} already, of another file (SHA-256 {sha256}) or for "
            "another adapter of the backbone, and what was embedded with them cannot be compared "
            "with what these embed. PUT these under another name and choose that, or give the "
            f"classifiers that use them other prompts and DELETE /v1/prompts/{name} first."
        )


class PromptsInUse(StatusProblem):
    """Prompts that classifiers use were to be deleted.

    Attributes:
        users: Bare names of the classifiers.
    """

    type_ = "prompts-in-use"
    title = "Classifiers use these prompts"
    status = 409

    def __init__(self, name: str, classifiers: Sequence[str]) -> None:
        self.users = tuple(classifiers)
        shown = ", ".join(classifiers[:_NAMED]) + (", ..." if len(classifiers) > _NAMED else "")
        super().__init__(
            f"Classifiers use the prompts {name!r}: {shown or 'others than the key is for'}. Give "
            "them other prompts or none (PUT /v1/classifiers/NAME with prompts: null), or delete "
            "them, first.",
            classifiers=list(classifiers[:_NAMED]),
        )


class TooManyPrompts(StatusProblem):
    """A tenant has as many prompts as it may have."""

    type_ = "too-many-prompts"
    title = "There are too many prompts"
    status = 409
