"""Desired state of classifiers: the annotations as they were told of last, durably.

What is accepted is on the disk; a worker brings classifiers to it later, in whichever process.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Engine, and_, delete, func, insert, select, update
from sqlalchemy.orm import Session

from service.integrations.label_studio.events import Event
from service.integrations.label_studio.learnt_images import unheld
from service.integrations.label_studio.merging import merge, to_be_learnt
from service.storage.errors import Outdated
from service.storage.tables import AnnotationRow, ClassifierRow, HeldRow
from service.storage.transactions import execute_or_outdated, flush_or_outdated, writing

Pairs = frozenset[tuple[str, str]]
"""Images by their SHA-256, with labels."""

# Problems that the status of a classifier lists.
_SHOWN = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Due:
    """An annotation that is to be worked on; attributes as the columns of its row."""

    classifier_id: int
    project: str
    annotation: int
    task: int | None
    deleted: bool
    image: str | None
    labels: tuple[str, ...]
    told_by: Mapping[str, Any] | None = field(compare=False)
    wanted: int
    tries: int
    problem: str | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Unlearnt:
    """An annotation that nothing, or something else, was learnt of."""

    project: str
    task: int | None
    annotation: int
    problem: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Status:
    """What has become of the annotations of a classifier.

    Attributes:
        learnt: How many it has learnt of.
        waiting: How many are still to be worked on, and images that are still to be removed.
        failed: How many it could not learn of.
        problems: Why, of some of them; of those that wait, why the last try failed.
    """

    learnt: int
    waiting: int
    failed: int
    problems: list[Unlearnt]


class DesiredState:
    """The annotations of all classifiers of a database. Methods block; each is one transaction.

    Args:
        engine: Of the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def accept(
        self, classifier_id: int, events: Sequence[Event], told_by: Mapping[str, Any] | None = None
    ) -> int:
        """Merge what webhooks say; returns how many annotations are wanted otherwise by it.

        Args:
            classifier_id: Whose they are.
            events: In any order.
            told_by: Who has said it, for the audit log.

        Raises:
            Outdated: Another process has just written the same; or the classifier is gone.
        """
        with writing(self._engine) as session:
            # A task that is deleted and an annotation of it that is made do not see each other.
            if not _locked(session, [classifier_id]):
                raise Outdated
            changed = merge(session, classifier_id, events, told_by)
            flush_or_outdated(session)
        return changed

    def to_be_learnt(self, classifier_id: int, events: Sequence[Event]) -> int:
        """Of how many annotations images are to be learnt by what is not accepted yet."""
        with Session(self._engine) as session:
            return to_be_learnt(session, classifier_id, events)

    def take(self, most: int, lease: timedelta) -> list[Due]:
        """Annotations of one classifier that are due, which no one else takes for a while."""
        now = datetime.now(UTC)
        with writing(self._engine) as session:
            first = session.scalar(
                select(AnnotationRow.classifier_id)
                .where(AnnotationRow.due_at <= now)
                .order_by(AnnotationRow.due_at)
                .limit(1)
            )
            if first is None:
                return []
            found = session.scalars(
                select(AnnotationRow)
                .where(AnnotationRow.classifier_id == first, AnnotationRow.due_at <= now)
                .order_by(AnnotationRow.due_at, AnnotationRow.annotation)
                .limit(most)
                .with_for_update(skip_locked=True)
            )
            taken = []
            for row in found:
                row.due_at = now + lease
                taken.append(_due(row))
            return taken

    def next_due(self) -> datetime | None:
        """When something is due next; None: nothing is."""
        with Session(self._engine) as session:
            return session.scalar(select(func.min(AnnotationRow.due_at)))

    def release_all(self) -> None:
        """Let go of what a process took that is not there any more."""
        now = datetime.now(UTC)
        taken = update(AnnotationRow).where(AnnotationRow.due_at > now, AnnotationRow.tries == 0)
        with writing(self._engine) as session:
            session.execute(taken.values(due_at=now))

    def hold(self, wanted: Mapping[Due, Pairs]) -> set[Due]:
        """Write down what annotations are about to hold, beside what they hold.

        Returns:
            Those that do: what was changed since it was taken holds nothing by it.
        """
        with writing(self._engine) as session:
            # Whoever removes what nothing holds looks once more while the row is theirs.
            _locked(session, {one.classifier_id for one in wanted})
            held = set()
            for one in sorted(wanted, key=_key):
                if _row(session, one) is not None:
                    _hold(session, one, wanted[one] - _held(session, one))
                    held.add(one)
            return held

    def settle(self, settled: Mapping[Due, tuple[Pairs, str | None]]) -> None:
        """Write down what annotations hold, and why not all that was wanted.

        What was changed meanwhile stays due, or becomes due again.
        """
        with writing(self._engine) as session:
            for one in sorted(settled, key=_key):
                pairs, problem = settled[one]
                row = _row(session, one)
                if row is None:
                    _look_again(session, one)
                    continue
                for sha256, label in _held(session, one) - pairs:
                    session.execute(
                        delete(HeldRow).where(
                            _of(one), HeldRow.sha256 == sha256, HeldRow.label == label
                        )
                    )
                row.done, row.due_at, row.tries, row.problem = row.wanted, None, 0, problem

    def postpone(self, some: Iterable[Due], problem: str, until: datetime) -> None:
        """Work on annotations again later, as far as nobody has brought them about meanwhile."""
        with writing(self._engine) as session:
            for one in sorted(some, key=_key):
                row = _row(session, one)
                if row is not None and row.due_at is not None:
                    row.due_at, row.problem, row.tries = until, problem, row.tries + 1

    def retry(self, classifier_id: int, project: str) -> None:
        """Work again on annotations of a project that could not be learnt of."""
        failed = and_(AnnotationRow.problem.is_not(None), AnnotationRow.annotation > 0)
        again = update(AnnotationRow).where(
            AnnotationRow.classifier_id == classifier_id, AnnotationRow.project == project, failed
        )
        with writing(self._engine) as session:
            session.execute(again.values(due_at=datetime.now(UTC), tries=0))

    def unseen(
        self, classifier_id: int, project: str, seen: Collection[int], most: int
    ) -> list[int]:
        """Annotations of a project that are there still and are not among those."""
        asked = select(AnnotationRow.annotation).where(
            AnnotationRow.classifier_id == classifier_id,
            AnnotationRow.project == project,
            AnnotationRow.annotation > 0,
            ~AnnotationRow.deleted,
        )
        with Session(self._engine) as session:
            return [one for one in session.scalars(asked) if one not in seen][:most]

    def name_of(self, classifier_id: int) -> str | None:
        """The qualified name of a classifier; None: it is gone."""
        with Session(self._engine) as session:
            return session.scalar(
                select(ClassifierRow.name).where(ClassifierRow.id == classifier_id)
            )

    def status(self, classifier_id: int) -> Status:
        """What has become of the annotations of a classifier."""
        mine = AnnotationRow.classifier_id == classifier_id
        waits = AnnotationRow.due_at.is_not(None)
        failed = and_(~waits, AnnotationRow.problem.is_not(None))
        learns = and_(~waits, AnnotationRow.problem.is_(None), ~AnnotationRow.deleted)
        with Session(self._engine) as session:
            holding = HeldRow.annotation == AnnotationRow.annotation
            holds = select(HeldRow.label).where(
                HeldRow.classifier_id == classifier_id,
                HeldRow.project == AnnotationRow.project,
                holding,
            )
            counted = session.execute(
                select(
                    func.count().filter(learns & holds.correlate(AnnotationRow).exists()),
                    func.count().filter(waits),
                    func.count().filter(failed),
                ).where(mine)
            ).one()
            rows = session.scalars(
                select(AnnotationRow)
                .where(mine, AnnotationRow.problem.is_not(None))
                .order_by(AnnotationRow.project, AnnotationRow.annotation)
                .limit(_SHOWN)
            )
            problems = [
                Unlearnt(
                    project=row.project,
                    task=row.task,
                    annotation=row.annotation,
                    problem=row.problem or "",
                )
                for row in rows
            ]
        learnt, waiting, unlearnt = counted
        waiting += len(unheld(self._engine, classifier_id, _SHOWN))
        return Status(learnt=learnt, waiting=waiting, failed=unlearnt, problems=problems)


def _locked(session: Session, classifiers: Collection[int]) -> bool:
    """Lock the rows of classifiers; whether one is there."""
    rows = select(ClassifierRow.id).where(ClassifierRow.id.in_(sorted(classifiers)))
    return bool(session.scalars(rows.order_by(ClassifierRow.id).with_for_update()).all())


def _row(session: Session, one: Due) -> AnnotationRow | None:
    """The row of an annotation, locked; None: it is gone, or something else is wanted by now."""
    row = session.get(AnnotationRow, _key(one), with_for_update=True)
    return row if row is not None and row.wanted == one.wanted else None


def _look_again(session: Session, one: Due) -> None:
    """Whatever an outdated annotation has come to hold is let go of by working on it again."""
    row = session.get(AnnotationRow, _key(one))
    if row is not None and row.due_at is None:
        row.due_at = datetime.now(UTC)


def _held(session: Session, one: Due) -> Pairs:
    rows = session.execute(select(HeldRow.sha256, HeldRow.label).where(_of(one)))
    return frozenset((row.sha256, row.label) for row in rows)


def _hold(session: Session, one: Due, pairs: Pairs) -> None:
    if pairs:
        same = {
            "classifier_id": one.classifier_id,
            "project": one.project,
            "annotation": one.annotation,
        }
        rows = [same | {"sha256": sha256, "label": label} for sha256, label in sorted(pairs)]
        execute_or_outdated(session, insert(HeldRow), rows)


def _of(one: Due) -> ColumnElement[bool]:
    return and_(
        HeldRow.classifier_id == one.classifier_id,
        HeldRow.project == one.project,
        HeldRow.annotation == one.annotation,
    )


def _key(one: Due) -> tuple[int, str, int]:
    return one.classifier_id, one.project, one.annotation


def _due(row: AnnotationRow) -> Due:
    return Due(**{name: getattr(row, name) for name in Due.__dataclass_fields__})
