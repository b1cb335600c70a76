"""Jobs as they are stored: what was asked, how far it is, how it has ended.

Each step of a job is one transaction here, so whoever has the job next goes on from the last one.
All look-ups by clients have the tenant among their conditions.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Engine, and_, case, delete, exists, func, or_, select, update
from sqlalchemy.orm import Session

from service.storage.notifications import announce
from service.storage.records import PUBLIC_ID, State
from service.storage.tables import ClassifierRow, JobRow
from service.storage.transactions import writing

JobKind = Literal["predict", "register"]
JobState = Literal["queued", "running", "done", "failed", "cancelled"]
ENDED: tuple[JobState, ...] = ("done", "failed", "cancelled")
# Errors that a job tells of itself; all of them are among its results.
FIRST_ERRORS = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class JobRecord:
    """A job; attributes as the columns of :class:`service.storage.tables.JobRow`."""

    id: str
    tenant: str
    kind: JobKind
    classifier: str
    classifier_id: int
    classifier_created_at: datetime
    parameters: dict[str, Any]
    folder: str | None
    place: str
    state: JobState = "queued"
    cancelling: bool = False
    total: int
    done: int = 0
    failed_files: int = 0
    first_errors: Sequence[dict[str, Any]] = ()
    skipped: int = 0
    input_bytes: int = 0
    result_bytes: int = 0
    problem: dict[str, Any] | None = None
    waits_for: str | None = None
    attempts: int = 0
    version: int = 1
    created_at: datetime
    started_at: datetime | None = None
    ended_at: datetime | None = None

    @property
    def ended(self) -> bool:
        """Whether nothing more becomes of it."""
        return self.state in ENDED


JobRecorder = Callable[[Session, JobRecord], None]
"""Writes something down of a new job, in its transaction."""
_FIELDS = tuple(JobRecord.__dataclass_fields__)


@dataclass(frozen=True, slots=True)
class Step:
    """What a job has got done: whole, with all before it.

    Attributes:
        done: Files that have a result.
        errors: Of the files of this step alone.
        result_bytes: Of all results so far, which are on the disk.
    """

    done: int
    errors: Sequence[dict[str, Any]]
    result_bytes: int


class Jobs:
    """Jobs of one database. Methods block, and raise as those of a store do.

    Args:
        engine: Of the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    # For clients

    def held(self, tenant: str) -> tuple[int, int]:
        """How many jobs of a tenant have not ended, and bytes of all its inputs and results."""
        with Session(self._engine) as session:
            return _held(session, tenant)

    def add(
        self,
        job: JobRecord,
        most: int,
        most_bytes: int,
        record: JobRecorder | None = None,
    ) -> bool:
        """Write a new job; whether there was room for it beside the others of its tenant.

        Args:
            job: The job.
            most: Jobs that have not ended.
            most_bytes: Of inputs and results.
            record: Called in the transaction; what it raises undoes it.
        """
        with writing(self._engine) as session:
            waiting, size = _held(session, job.tenant)
            if waiting >= most or size + job.input_bytes > most_bytes:
                return False
            values = {name: getattr(job, name) for name in _FIELDS}
            session.add(JobRow(**values | {"first_errors": list(job.first_errors)}))
            if record is not None:
                record(session, job)
            announce(session, "jobs")
        return True

    def get(self, job_id: str, tenant: str) -> JobRecord | None:
        """A job of a tenant, or None; costs one row."""
        if not PUBLIC_ID.fullmatch(job_id):
            return None
        with Session(self._engine) as session:
            row = session.scalar(select(JobRow).where(_of(job_id, tenant)))
            return None if row is None else _record(row)

    def page(
        self,
        tenant: str,
        most: int,
        after: tuple[datetime, str] | None = None,
        state: JobState | None = None,
        classifiers: Sequence[str] | None = None,
        *,
        of_living: bool = False,
    ) -> list[JobRecord]:
        """Jobs of a tenant, the newest first.

        Args:
            tenant: Whose.
            most: How many.
            after: The one before the first, by its time and id.
            state: That they are in; None: any.
            classifiers: Qualified names of those that they are of; None: any.
            of_living: Whether these must be there still, and be no others of that name.
        """
        asked = select(JobRow).where(JobRow.tenant == tenant)
        if after is not None:
            at, job_id = after
            older = and_(JobRow.created_at == at, JobRow.id < job_id)
            asked = asked.where(or_(JobRow.created_at < at, older))
        if state is not None:
            asked = asked.where(JobRow.state == state)
        if classifiers is not None:
            asked = asked.where(JobRow.classifier.in_(classifiers))
        if of_living:
            same = and_(
                ClassifierRow.id == JobRow.classifier_id,
                ClassifierRow.created_at == JobRow.classifier_created_at,
            )
            asked = asked.where(exists().where(same))
        newest = asked.order_by(JobRow.created_at.desc(), JobRow.id.desc()).limit(most)
        with Session(self._engine) as session:
            return [_record(row) for row in session.scalars(newest)]

    def cancel(self, job_id: str, tenant: str) -> JobRecord | None:
        """Ask that a job ends; at once if it was not begun. One that has ended stays as it is.

        Returns:
            The job as it is now; None: there is none.
        """
        queued = JobRow.state == "queued"
        with writing(self._engine, frees=True) as session:
            session.execute(
                update(JobRow)
                .where(_of(job_id, tenant), JobRow.state.in_(("queued", "running")))
                .values(
                    cancelling=True,
                    state=case((queued, "cancelled"), else_=JobRow.state),
                    ended_at=case((queued, datetime.now(UTC)), else_=JobRow.ended_at),
                    version=JobRow.version + 1,
                )
            )
            row = session.scalar(select(JobRow).where(_of(job_id, tenant)))
            return None if row is None else _record(row)

    def remove(self, job_id: str, tenant: str) -> bool:
        """Forget a job that has ended; whether there was one."""
        with writing(self._engine, frees=True) as session:
            removed = session.execute(
                delete(JobRow).where(_of(job_id, tenant), JobRow.state.in_(ENDED))
            )
            return bool(removed.rowcount)  # type: ignore[attr-defined]

    # For whoever works on them

    def unfinished(self, place: str) -> list[JobRecord]:
        """Jobs of a place that have not ended, the oldest first, begun or not."""
        waiting = select(JobRow).where(
            JobRow.place == place, JobRow.state.in_(("queued", "running"))
        )
        with Session(self._engine) as session:
            return [_record(row) for row in session.scalars(waiting.order_by(JobRow.created_at))]

    def begin(self, job_id: str) -> JobRecord | None:
        """Begin a job or go on with it, for whoever holds its folder's lock.

        Returns:
            The job as it is now; None: it has ended, or is gone.
        """
        with writing(self._engine) as session:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is None or row.state in ENDED:
                return None
            row.state = "running"
            row.started_at = row.started_at or datetime.now(UTC)
            row.attempts += 1
            row.version += 1
            session.flush()
            return _record(row)

    def step(self, job_id: str, step: Step) -> bool:
        """Write down what a job has got done; whether it is to go on."""
        with writing(self._engine) as session:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is None:
                return False
            row.done, row.result_bytes = step.done, step.result_bytes
            row.failed_files += len(step.errors)
            room = FIRST_ERRORS - len(row.first_errors)
            if step.errors and room > 0:
                row.first_errors = [*row.first_errors, *step.errors[:room]]
            row.waits_for, row.attempts = None, 0
            row.version += 1
            return not row.cancelling

    def name_of(self, job: JobRecord) -> str | None:
        """The qualified name that a job's classifier has now; None: it is gone. Costs one row."""
        with self._engine.connect() as connection:
            asked = select(ClassifierRow.name, ClassifierRow.created_at)
            row = connection.execute(asked.where(ClassifierRow.id == job.classifier_id)).first()
        # Ids are given again.
        return None if row is None or row.created_at != job.classifier_created_at else row.name

    def wait(self, job_id: str, waits_for: str) -> bool:
        """Say what keeps a job from going on; whether it is to go on at all."""
        with writing(self._engine) as session:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is None:
                return False
            if row.waits_for != waits_for:
                row.waits_for = waits_for
                row.version += 1
            return not row.cancelling

    def end(
        self, job_id: str, state: JobState, problem: dict[str, Any] | None = None
    ) -> JobRecord | None:
        """Write down how a job has ended; its input is of no use any more."""
        with writing(self._engine, frees=True) as session:
            row = session.get(JobRow, job_id, with_for_update=True)
            if row is None or row.state in ENDED:
                return None
            row.state, row.problem, row.waits_for = state, problem, None
            row.ended_at, row.input_bytes = datetime.now(UTC), 0
            row.version += 1
            session.flush()
            return _record(row)

    def remove_older(self, place: str, than: datetime) -> list[str]:
        """Forget jobs of a place that ended before a time; returns their ids."""
        with writing(self._engine, frees=True) as session:
            old = select(JobRow.id).where(JobRow.place == place, JobRow.ended_at < than)
            ids = list(session.scalars(old))
            session.execute(delete(JobRow).where(JobRow.id.in_(ids)))
        return ids

    def known(self, ids: Sequence[str]) -> dict[str, JobState]:
        """The states of those of some jobs that there are."""
        with Session(self._engine) as session:
            found = session.execute(select(JobRow.id, JobRow.state).where(JobRow.id.in_(ids)))
            return {row.id: row.state for row in found}


def rename_in_jobs(session: Session, state: State, to: str) -> None:
    """Tell jobs of a classifier its new name, in the transaction that gives it."""
    session.execute(
        update(JobRow)
        .where(JobRow.classifier_id == state.id, JobRow.classifier_created_at == state.created_at)
        .values(classifier=to, version=JobRow.version + 1)
    )


def _of(job_id: str, tenant: str) -> ColumnElement[bool]:
    return and_(JobRow.id == job_id, JobRow.tenant == tenant)


def _held(session: Session, tenant: str) -> tuple[int, int]:
    waiting = func.count().filter(JobRow.state.in_(("queued", "running")))
    size = func.coalesce(func.sum(JobRow.input_bytes + JobRow.result_bytes), 0)
    row = session.execute(select(waiting, size).where(JobRow.tenant == tenant)).one()
    return int(row[0]), int(row[1])


def _record(row: JobRow) -> JobRecord:
    values = {name: getattr(row, name) for name in _FIELDS}
    return replace(JobRecord(**values), first_errors=tuple(row.first_errors))
