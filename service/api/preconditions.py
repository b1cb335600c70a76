"""Preconditions of changes (RFC 9110, 13): ``If-Match`` and ``If-None-Match``.

They are looked at before anything is done for a request, and once more in the transaction of its
change: whoever changes the classifier between them makes the request fail, and nothing of it is
done.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Self

from sqlalchemy.orm import Session

from service.api.entity_tags import EntityTags, content_tag
from service.problems import PreconditionFailed
from service.storage.recording import Recorded
from service.storage.records import State
from service.tenancy import bare


@dataclass(frozen=True, slots=True)
class Preconditions:
    """Preconditions of one change of a classifier; a recorder of it (``storage/recording.py``).

    Attributes:
        name: The classifier's qualified name.
        match: ``If-Match``.
        none_match: ``If-None-Match``.
        classifier_id: Of the classifier; None: there was none.
    """

    name: str
    match: EntityTags | None
    none_match: EntityTags | None
    classifier_id: int | None = None

    @classmethod
    def of(cls, name: str, if_match: str | None, if_none_match: str | None) -> Self | None:
        """Those of a request; None: it has none.

        Raises:
            InvalidPrecondition: A header field cannot be read.
        """
        if if_match is None and if_none_match is None:
            return None
        return cls(
            name,
            None if if_match is None else EntityTags.of("If-Match", if_match),
            None if if_none_match is None else EntityTags.of("If-None-Match", if_none_match),
        )

    def check(self, state: State | None) -> None:
        """See that the classifier is in a state in which the change is wanted.

        Args:
            state: In which it is; None: there is none of that name.

        Raises:
            PreconditionFailed: It is not.
        """
        name = bare(self.name)
        if self.match is not None and not self.match.have_content_of(state):
            is_now = "there is none" if state is None else f"it is {content_tag(state)}"
            raise PreconditionFailed(
                f"Classifier {name!r} is not in the state that If-Match asks for: {is_now} now."
                f" GET /v1/classifiers/{name}, see that the change is still right, and send it with"
                " the ETag of that answer."
            )
        if self.none_match is not None and self.none_match.have_content_of(state):
            raise PreconditionFailed(
                f"There is a classifier {name!r}, and If-None-Match asks for a change only if there"
                " is none, or none in that state. Choose another name, or leave the field out."
            )

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """Check in the transaction of the change. Raises as :meth:`check`."""
        if recorded.name == self.name:
            self.check(recorded.before)
        for source in recorded.sources:
            if source.id == self.classifier_id:  # a copy changes nothing of what is copied
                self.check(source)
