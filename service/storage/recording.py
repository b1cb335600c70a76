"""Recorders: what is written down of a change in the very transaction that makes it.

So what they keep and what was done are both there or neither, whenever the process dies: an audit
entry, the mark that a request was carried out, what a support set was before.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from sqlalchemy.orm import Session

if TYPE_CHECKING:  # they need PyTorch, and commands that change keys alone do not
    from service.storage.change import Change, Written
    from service.storage.records import State


@dataclass(frozen=True, slots=True, kw_only=True)
class Recorded:
    """A change of a classifier, to be written down.

    Attributes:
        classifier_id: Which; the row is gone where it was deleted.
        name: Its qualified name.
        revision: After the change; None: it was deleted.
        content_revision: After it.
        before: The state that it was in; None: it was created.
        change: What was asked for; None: it was created whole, or deleted.
        written: What became of it; None: it was created, or deleted.
        sources: States of the classifiers that it was created from.
        renamed_to: Its qualified name from now on; None: it keeps the one that it has.
        labels_before: Labels of classes that are removed or get another one, by their ids.
    """

    classifier_id: int
    name: str
    revision: int | None
    content_revision: int = 0
    before: State | None = None
    change: Change | None = None
    written: Written | None = None
    sources: tuple[State, ...] = ()
    renamed_to: str | None = None
    labels_before: Mapping[int, str] = field(default_factory=dict)


class Recorder(Protocol):
    """Writes something down of each change that is made on behalf of a request."""

    def __call__(self, session: Session, recorded: Recorded) -> None:
        """Write it down.

        Args:
            session: Of the transaction of the change, which is not committed yet. What this raises
                undoes the change.
            recorded: The change.
        """
