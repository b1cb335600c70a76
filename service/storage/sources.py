"""Classifiers whose images a change takes over: they stay as they are until it is written."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import select
from sqlalchemy.orm import Session

from service.storage.errors import Outdated
from service.storage.records import State
from service.storage.tables import ClassifierRow


def check_sources(session: Session, sources: Iterable[State]) -> None:
    """See that classifiers are in these states, and keep others from changing them meanwhile.

    Raises:
        Outdated: One is not, or is gone: its images may be gone as well.
    """
    for state in sorted(sources):
        found = session.execute(
            select(ClassifierRow.created_at, ClassifierRow.content_revision)
            .where(ClassifierRow.id == state.id)
            .with_for_update(read=True)
        ).one_or_none()
        if found is None or tuple(found) != (state.created_at, state.content_revision):
            raise Outdated
